//! The files that the chapters refer to, read once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::fault::Faults;
use super::output::Output;
use super::source::{self, Anchor, Test};
use crate::examples;

/// Measurements: the one kind of output that is not regenerated.
pub const RECORDED: &str = "benches/recorded";

pub struct Project {
    pub root: PathBuf,
    /// The folder of the chapters, relative to the root.
    pub src: String,
    /// Rust files that a listing may show, by path relative to the root.
    pub rust: BTreeMap<String, Rust>,
    /// The checks of the results: by file stem, its tests.
    pub checks: BTreeMap<String, Vec<Test>>,
    /// By chapter: "ch04".
    pub outputs: BTreeMap<String, Output>,
    /// What benches have measured: by the name of the file in [`RECORDED`].
    pub recorded: BTreeMap<String, Output>,
    /// Names of figures, without `.svg`.
    pub figures: Vec<String>,
    pub macros: String,
}

pub struct Rust {
    pub source: String,
    pub anchors: BTreeMap<String, Anchor>,
}

impl Project {
    pub fn read(root: &Path, src: &str, faults: &mut Faults) -> anyhow::Result<Self> {
        let mut rust = BTreeMap::new();
        for folder in ["examples", "src", "tests/solutions"] {
            for (path, source) in files(root, folder, "rs")? {
                let anchors = source::anchors(&source, &path, faults);
                rust.insert(path, Rust { source, anchors });
            }
        }
        let checks = files(root, "tests/equations", "rs")?
            .into_iter()
            .map(|(path, source)| (stem(&path), source::tests(&source)))
            .collect();
        let parsed = |folder: &str| -> anyhow::Result<BTreeMap<String, Output>> {
            let texts = files(root, folder, "txt")?.into_iter();
            Ok(texts
                .map(|(path, text)| (stem(&path), Output::parse(&text)))
                .collect())
        };
        let outputs = parsed(&format!("{src}/output"))?;
        let recorded = parsed(RECORDED)?;
        let figures = files(root, &format!("{src}/figures"), "svg")?
            .into_iter()
            .map(|(path, _)| stem(&path))
            .collect();
        let macros = root.join(src).join("macros.tex");
        Ok(Project {
            root: root.to_path_buf(),
            src: src.to_string(),
            rust,
            checks,
            outputs,
            recorded,
            figures,
            macros: if macros.exists() {
                fs::read_to_string(macros)?
            } else {
                String::new()
            },
        })
    }

    /// The examples of a page, by its stem: `ch04_*.rs`, or an appendix's one file of its name.
    pub fn examples(&self, stem: &str) -> Vec<&str> {
        let of_page = |path: &&String| {
            let file = path
                .strip_prefix("examples/")
                .and_then(|file| file.strip_suffix(".rs"));
            file.is_some_and(|name| examples::page_of(name) == Some(stem))
        };
        self.rust.keys().filter(of_page).map(String::as_str).collect()
    }
}

pub fn stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name).to_string()
}

/// All files under `folder` with that extension, by path relative to the root, and their text.
pub fn files(
    root: &Path,
    folder: &str,
    ext: &str,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let directory = root.join(folder);
    if !directory.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            found.extend(files(root, &path, ext)?);
        } else if Path::new(&path).extension().is_some_and(|e| e == ext) {
            let text = fs::read_to_string(entry.path())
                .map_err(|e| anyhow::anyhow!("{path}: cannot be read: {e}"))?;
            found.push((path, text));
        }
    }
    found.sort();
    Ok(found)
}
