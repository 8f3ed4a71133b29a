//! Where figures go.

use std::path::{Path, PathBuf};

use crate::Error;

/// The folder of the book's figures.
pub(super) fn folder() -> PathBuf {
    match std::env::var_os("MIXTURES_FIGURES") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("book").join("figures"),
    }
}

/// Writes the figure, if it could be drawn.
pub(super) fn write(
    folder: &Path,
    name: &str,
    figure: Result<String, String>,
) -> Result<(), Error> {
    let fail = |reason| Error::Figure { name: name.to_owned(), reason };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(fail(
            "a name is made of letters, digits, `-` and `_`; the ending is added"
                .to_owned(),
        ));
    }
    let figure = figure.map_err(fail)?;
    let file = folder.join(format!("{name}.svg"));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&file, figure))
        .map_err(|error| fail(format!("cannot write {}: {error}", file.display())))
}

/// The figure as text, without a file.
pub(super) fn unnamed(figure: Result<String, String>) -> Result<String, Error> {
    figure.map_err(|reason| Error::Figure { name: "unsaved".to_owned(), reason })
}
