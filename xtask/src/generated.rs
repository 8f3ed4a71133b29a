//! What the examples write for the book, and how it compares with what is committed.

use crate::examples::page_of;
use crate::project::Project;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Files below `book/`, by path relative to it: `output/chNN.txt` and `figures/*.svg`.
#[derive(Debug, Default)]
pub struct Generated {
    files: BTreeMap<PathBuf, File>,
}

#[derive(Debug)]
struct File {
    content: Vec<u8>,
    /// The example that wrote it; none for a file read back from `book/`.
    example: Option<String>,
}

/// The folders of `book/` that hold nothing but generated files.
const FOLDERS: [&str; 2] = ["output", "figures"];

impl Generated {
    pub fn of_example(name: &str, stdout: Vec<u8>, figures: &Path) -> Result<Self> {
        let page = page_of(name).context("an example of a page")?;
        let mut all = Self::default();
        let example = Some(name.to_owned());
        let output = File { content: stdout, example: example.clone() };
        let path = Path::new("output").join(page).with_extension("txt");
        all.files.insert(path, output);
        for (file, content) in files_in(figures)? {
            if file.extension().is_none_or(|extension| extension != "svg") {
                bail!(
                    "examples/{name}.rs wrote {} among the figures: the book takes .svg only",
                    file.display()
                );
            }
            let example = example.clone();
            let figure = File { content, example };
            all.files.insert(Path::new("figures").join(file), figure);
        }
        Ok(all)
    }

    /// What `book/` holds now.
    pub fn committed(project: &Project) -> Result<Self> {
        let mut all = Self::default();
        for folder in FOLDERS {
            let path = project.sources().join(folder);
            if !path.is_dir() {
                continue;
            }
            for (file, content) in files_in(&path)? {
                let example = None;
                let file = (Path::new(folder).join(file), File { content, example });
                all.files.extend([file]);
            }
        }
        Ok(all)
    }

    /// Adds another example's files; two examples that write one file are an error.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        for (path, file) in other.files {
            if let Some(first) = self.files.get(&path) {
                bail!(
                    "book/{}: written by examples/{}.rs and by examples/{}.rs; rename one",
                    path.display(),
                    first.example.as_deref().unwrap_or("?"),
                    file.example.as_deref().unwrap_or("?"),
                );
            }
            self.files.insert(path, file);
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What would have to change in `committed` for it to equal `self`.
    pub fn changes_from(&self, committed: &Self) -> Vec<Change> {
        let paths: BTreeSet<_> =
            self.files.keys().chain(committed.files.keys()).collect();
        let changes = paths.into_iter().filter_map(|path| {
            let what = match (committed.files.get(path), self.files.get(path)) {
                (Some(old), Some(new)) if old.content == new.content => return None,
                (Some(old), Some(new)) => What::Differs {
                    example: new.example.clone().unwrap_or_default(),
                    difference: first_difference(&old.content, &new.content),
                },
                (None, Some(new)) => {
                    What::Missing { example: new.example.clone().unwrap_or_default() }
                }
                (_, None) => What::Stale,
            };
            let path = Path::new("book").join(path);
            Some(Change { path, what })
        });
        changes.collect()
    }

    /// Makes `book/` hold exactly these files, touching only those of `changes`.
    pub fn write(&self, project: &Project, changes: &[Change]) -> Result<()> {
        for change in changes {
            let path = project.root.join(&change.path);
            let key = change.path.strip_prefix("book")?;
            match self.files.get(key) {
                Some(file) => {
                    fs::create_dir_all(
                        path.parent().context("a file has a folder")?,
                    )?;
                    fs::write(&path, &file.content)
                }
                None => fs::remove_file(&path),
            }
            .with_context(|| format!("{}: cannot write", change.path.display()))?;
        }
        Ok(())
    }
}

/// One file of `book/` that is not what the examples write.
#[derive(Debug)]
pub struct Change {
    pub path: PathBuf,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Differs { example: String, difference: Line },
    Missing { example: String },
    Stale,
}

/// The first line in which two files differ; `None` where a file has ended.
#[derive(Debug, PartialEq)]
pub struct Line {
    pub number: usize,
    pub old: Option<String>,
    pub new: Option<String>,
}

impl Change {
    /// The change as a fact after it has been made.
    pub fn made(&self) -> String {
        let path = self.path.display();
        match &self.what {
            What::Differs { difference, .. } => {
                format!("changed  {path}, from line {}", difference.number)
            }
            What::Missing { .. } => format!("new      {path}"),
            What::Stale => format!("removed  {path}: no example writes it"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.what {
            What::Missing { example } => {
                write!(f, "{path}: missing; examples/{example}.rs writes it")
            }
            What::Stale => write!(f, "{path}: no example writes it"),
            What::Differs { example, difference } => write!(
                f,
                "{path}:{}: not what examples/{example}.rs writes\n{difference}",
                difference.number
            ),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = (self.old.as_deref(), self.new.as_deref());
        let pairs = old.unwrap_or("").chars().zip(new.unwrap_or("").chars());
        let same = pairs.take_while(|(old, new)| old == new).count();
        let side = |line: Option<&str>| match line {
            Some(line) => window(line, same),
            None => "(the file ends here)".into(),
        };
        writeln!(f, "      committed: {}", side(old))?;
        write!(f, "      written:   {}", side(new))
    }
}

/// The part of a line around its character `centre`: a line of SVG can be thousands long.
fn window(line: &str, centre: usize) -> String {
    const BEFORE: usize = 60;
    const WIDTH: usize = 140;
    let start = if centre > WIDTH - 20 { centre - BEFORE } else { 0 };
    let mut rest = line.chars().skip(start);
    let mut shown: String = rest.by_ref().take(WIDTH).collect();
    if start > 0 {
        shown.insert(0, '…');
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

fn first_difference(old: &[u8], new: &[u8]) -> Line {
    let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    let mut olds = old.split_inclusive(|&byte| byte == b'\n');
    let mut news = new.split_inclusive(|&byte| byte == b'\n');
    for number in 1.. {
        let (old, new) = (olds.next(), news.next());
        if old != new || old.is_none() {
            // A missing final newline is the difference then: show it.
            let (old, new) = (old.map(text), new.map(text));
            let visible = |line: String| match line.strip_suffix('\n') {
                Some(line) => line.to_owned(),
                None => format!("{line} (no newline)"),
            };
            return Line { number, old: old.map(visible), new: new.map(visible) };
        }
    }
    unreachable!("the lines of a file are finite")
}

/// File names and contents of a flat folder.
fn files_in(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            bail!("{}: a folder where only files belong", path.display());
        }
        let name = path.file_name().context("an entry has a name")?;
        files.push((name.into(), fs::read(&path)?));
    }
    Ok(files)
}
