//! Noticing that a source changed.

use crate::files;
use crate::project::Project;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

/// What the book is made from. The program's own code is not among them: it runs as it is.
const SOURCES: [&str; 7] =
    ["book", "book.toml", "data", "examples", "src", "tests", "xtask/theme"];

/// Every source file with the time of its last change.
pub fn state(project: &Project) -> BTreeMap<PathBuf, Option<SystemTime>> {
    let paths = SOURCES.map(|source| project.root.join(source));
    let files = paths.into_iter().flat_map(|path| {
        if path.is_dir() {
            files::below(&path).unwrap_or_default()
        } else {
            vec![path]
        }
    });
    let times = files.map(|file| {
        let changed = std::fs::metadata(&file).and_then(|data| data.modified());
        (file, changed.ok())
    });
    times.collect()
}
