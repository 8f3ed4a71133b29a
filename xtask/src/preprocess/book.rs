//! Reads the whole book before a page is written: numbers, labels, and what each page shows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mdbook_preprocessor::book::{Book, BookItem};

use super::fault::Faults;
use super::inline::Inline;
use super::reader::Reader;
use super::scan::Fence;

/// One page, taken apart.
pub struct Page<'a> {
    /// As SUMMARY.md names it.
    pub path: PathBuf,
    /// Relative to the root, for faults.
    pub file: String,
    /// The name of its outputs, its example and its checks: "ch04", "appendix_matrices".
    pub stem: String,
    /// What its results' numbers begin with: "4", "A", and an initial for other pages.
    pub prefix: String,
    pub items: Vec<Item<'a>>,
}

impl Page<'_> {
    /// Whether it is a chapter or an appendix, and which.
    pub fn number(&self) -> Option<(&'static str, &str)> {
        let slug = self.path.file_stem()?.to_str()?;
        let kind = match chapter_number(slug) {
            Some(_) => "chapter",
            None if slug.starts_with("appendix-") => "appendix",
            None => return None,
        };
        Some((kind, &self.prefix))
    }
}

pub enum Item<'a> {
    Text(Vec<Inline<'a>>),
    Fence(Fence<'a>, FenceKind),
    Open { line: usize, directive: Directive<'a> },
    Close(Kind),
}

pub enum FenceKind {
    /// Shown as written.
    Plain,
    /// From `path`, relative to the root; `run` if `mdbook test` compiles and runs it.
    Listing {
        path: String,
        anchor: String,
        run: bool,
    },
    Output {
        chapter: String,
        section: String,
    },
    /// What a bench wrote once, on one machine.
    Recorded {
        file: String,
        section: String,
    },
    /// A fault has been reported.
    Bad,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Result,
    Figure,
    Exercise,
    Solution,
}

pub enum Directive<'a> {
    Result { label: &'a str, title: Vec<Inline<'a>>, number: String },
    Figure { name: &'a str, alt: &'a str, number: String },
    Exercise { title: Vec<Inline<'a>>, number: String },
    Solution,
}

impl Directive<'_> {
    pub fn kind(&self) -> Kind {
        match self {
            Directive::Result { .. } => Kind::Result,
            Directive::Figure { .. } => Kind::Figure,
            Directive::Exercise { .. } => Kind::Exercise,
            Directive::Solution => Kind::Solution,
        }
    }
}

/// Where a label stands. Figures are labelled `fig:name`.
pub struct Label {
    pub page: usize,
    pub line: usize,
    /// What a reference shows: "(4.2)", "Figure 4.1".
    pub text: String,
    /// The HTML id.
    pub id: String,
}

pub struct Collected<'a> {
    pub pages: Vec<Page<'a>>,
    pub labels: BTreeMap<String, Label>,
}

/// Takes every page apart. `src` is the folder of the chapters, relative to the root.
pub fn collect<'a>(book: &'a Book, src: &str, faults: &mut Faults) -> Collected<'a> {
    let mut collected = Collected { pages: Vec::new(), labels: BTreeMap::new() };
    let mut appendices = 0;
    for item in book.iter() {
        let BookItem::Chapter(chapter) = item else {
            continue;
        };
        let Some(path) = chapter.source_path.clone() else {
            continue;
        };
        let file = format!("{src}/{}", slashed(&path));
        let slug = path.file_stem().unwrap_or_default().to_string_lossy();
        let (prefix, stem) = match chapter_number(&slug) {
            Some(number) => {
                let given = chapter.number.as_ref().map(|n| n.to_string());
                if given
                    .is_some_and(|g| g.trim_end_matches('.') != number.to_string())
                {
                    faults.add(
                        format!("{src}/SUMMARY.md"),
                        0,
                        format!(
                            "{file} is named chapter {number}, but SUMMARY.md makes it {}",
                            chapter.number.as_ref().map_or(String::new(), |n| n.to_string())
                        ),
                        "put it in its place, with draft entries for chapters not yet written",
                    );
                }
                (number.to_string(), slug[..4].to_string())
            }
            None if slug.starts_with("appendix-") => {
                appendices += 1;
                let letter = char::from(b'A' + (appendices - 1) % 26);
                (letter.to_string(), slug.replace('-', "_"))
            }
            None => {
                let initial = slug.chars().next().unwrap_or('p').to_uppercase();
                (initial.to_string(), slug.replace('-', "_"))
            }
        };
        let page = collected.pages.len();
        let folder = Path::new(src).join(path.parent().unwrap_or(Path::new("")));
        let reader =
            Reader::new(page, &file, &prefix, folder, &mut collected.labels, faults);
        let items = reader.read(&chapter.content);
        collected.pages.push(Page { path, file, stem, prefix, items });
    }
    collected
}

/// 4 for "ch04-responsibilities".
pub fn chapter_number(slug: &str) -> Option<u32> {
    let digits = slug.strip_prefix("ch")?.get(..2)?;
    let rest = &slug[4..];
    (rest.is_empty() || rest.starts_with(['-', '_']))
        .then(|| digits.parse().ok())
        .flatten()
}

pub fn slashed(path: &Path) -> String {
    let parts: Vec<_> =
        path.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}
