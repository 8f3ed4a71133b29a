//! Reads the whole book before a page is written: numbers, labels, and what each page shows.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use mdbook_preprocessor::book::{Book, BookItem};

use super::fault::Faults;
use super::inline::{self, Inline, helper};
use super::scan::{self, Block, Fence};

/// One page, taken apart.
pub struct Page<'a> {
    /// As SUMMARY.md names it.
    pub path: PathBuf,
    /// Relative to the root, for faults.
    pub file: String,
    /// The name of its outputs, its example and its checks: "ch04", "appendix_matrices".
    pub stem: String,
    pub items: Vec<Item<'a>>,
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
                if given.is_some_and(|g| g.trim_end_matches('.') != number.to_string()) {
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
        let mut reader = Reader {
            page,
            file: &file,
            prefix: &prefix,
            folder: Path::new(src).join(path.parent().unwrap_or(Path::new(""))),
            counters: [0; 4],
            open: None,
            exercise: None,
            items: Vec::new(),
            labels: &mut collected.labels,
            faults,
        };
        reader.read(&chapter.content);
        let items = reader.items;
        collected.pages.push(Page { path, file, stem, items });
    }
    collected
}

/// 4 for "ch04-responsibilities".
pub fn chapter_number(slug: &str) -> Option<u32> {
    let digits = slug.strip_prefix("ch")?.get(..2)?;
    let rest = &slug[4..];
    (rest.is_empty() || rest.starts_with(['-', '_'])).then(|| digits.parse().ok()).flatten()
}

pub fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// `folder/path` without `..`, or nothing if it leaves the root.
fn normal(folder: &Path, path: &str) -> Option<String> {
    let mut out = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(slashed(&out))
}

struct Reader<'b, 'a> {
    page: usize,
    file: &'b str,
    /// What stands before the dot of its numbers: "4", "A".
    prefix: &'b str,
    folder: PathBuf,
    counters: [usize; 4],
    /// The directive that is open, and its line.
    open: Option<(Kind, usize)>,
    /// The line of an exercise whose solution has not come yet.
    exercise: Option<usize>,
    items: Vec<Item<'a>>,
    labels: &'b mut BTreeMap<String, Label>,
    faults: &'b mut Faults,
}

impl<'a> Reader<'_, 'a> {
    fn fault(&mut self, line: usize, cause: impl Into<String>, cure: impl Into<String>) {
        self.faults.add(self.file, line, cause, cure);
    }

    fn read(&mut self, content: &'a str) {
        for block in scan::blocks(content, self.file, self.faults) {
            match block {
                Block::Text { line, text } => {
                    if !text.trim().is_empty() {
                        self.solution_due(None);
                    }
                    let inlines = inline::split(text, line, self.file, self.faults);
                    self.items.push(Item::Text(inlines));
                }
                Block::Fence(fence) => {
                    self.solution_due(None);
                    let kind = self.fence(&fence);
                    self.items.push(Item::Fence(fence, kind));
                }
                Block::Open { line, kind, args } => self.open(line, kind, args),
                Block::Close { line } => match self.open.take() {
                    Some((kind, opened)) => {
                        if kind == Kind::Exercise {
                            self.exercise = Some(opened);
                        }
                        self.items.push(Item::Close(kind));
                    }
                    None => self.fault(
                        line,
                        "`:::` closes nothing",
                        "remove it, or open a directive with `:::kind`",
                    ),
                },
            }
        }
        if let Some((_, line)) = self.open {
            self.fault(line, "this directive is never closed", "close it with a line `:::`");
        }
        self.solution_due(None);
    }

    /// After an exercise nothing but its solution may come.
    fn solution_due(&mut self, next: Option<Kind>) {
        if let Some(line) = self.exercise.take_if(|_| self.open.is_none())
            && next != Some(Kind::Solution)
        {
            self.fault(
                line,
                "this exercise has no solution",
                "write `:::solution` directly after it",
            );
        }
    }

    fn open(&mut self, line: usize, kind: &'a str, args: &'a str) {
        let nested = self.open.is_some();
        if let Some((_, opened)) = self.open {
            self.fault(
                line,
                format!("`:::{kind}` inside the directive of line {opened}"),
                "close that one first: directives do not nest",
            );
        }
        let is_solution = kind == "solution";
        let after_exercise = self.exercise.is_some();
        self.solution_due(is_solution.then_some(Kind::Solution));
        let (first, second) = match args.split_once('|') {
            Some((first, second)) => (first.trim(), second.trim()),
            None => (args.trim(), ""),
        };
        let directive = match kind {
            "result" => {
                let number = self.number(Kind::Result);
                if first.is_empty() || !is_kebab(first) || second.is_empty() {
                    self.fault(
                        line,
                        "a result needs a label in kebab-case and a title",
                        "write `:::result label | Title`",
                    );
                }
                self.label(line, first, format!("({number})"), first.to_string());
                Directive::Result {
                    label: first,
                    title: inline::split(second, line, self.file, self.faults),
                    number,
                }
            }
            "figure" => {
                let number = self.number(Kind::Figure);
                if second.is_empty() || second.contains('$') {
                    self.fault(
                        line,
                        format!("the figure `{first}` has no alt text, or math in it"),
                        "write `:::figure name | what it shows, in plain words`",
                    );
                }
                let id = format!("fig-{first}");
                self.label(line, &format!("fig:{first}"), format!("Figure {number}"), id);
                Directive::Figure { name: first, alt: second, number }
            }
            "exercise" => {
                let number = self.number(Kind::Exercise);
                Directive::Exercise {
                    title: inline::split(args, line, self.file, self.faults),
                    number,
                }
            }
            "solution" => {
                if !after_exercise && !nested {
                    self.fault(
                        line,
                        "this solution follows no exercise",
                        "put it directly after the `:::` that closes its exercise",
                    );
                }
                Directive::Solution
            }
            _ => {
                self.fault(
                    line,
                    format!("unknown directive `:::{kind}`"),
                    "known are result, figure, exercise and solution",
                );
                return;
            }
        };
        self.open = Some((directive.kind(), line));
        self.items.push(Item::Open { line, directive });
    }

    fn number(&mut self, kind: Kind) -> String {
        self.counters[kind as usize] += 1;
        format!("{}.{}", self.prefix, self.counters[kind as usize])
    }

    fn label(&mut self, line: usize, label: &str, text: String, id: String) {
        let page = self.page;
        if let Some(earlier) = self.labels.get(label) {
            let earlier = earlier.line;
            self.fault(
                line,
                format!("the label `{label}` is taken already (line {earlier} of its page)"),
                "labels are unique over the book: choose another",
            );
            return;
        }
        let label = label.to_string();
        self.labels.insert(label, Label { page, line, text, id });
    }

    fn fence(&mut self, fence: &Fence<'a>) -> FenceKind {
        let line = fence.line;
        match fence.language() {
            "" => {
                self.fault(
                    line,
                    "this fence names no language",
                    "write ```text, or the language it is in",
                );
                FenceKind::Bad
            }
            "rust" => match self.listing(fence) {
                Some(kind) => kind,
                None => FenceKind::Bad,
            },
            language => {
                let only = fence.only_line().unwrap_or_default();
                if language == "text"
                    && let Some((spec, _)) = helper(only, "output")
                {
                    let Some((chapter, section)) = spec.split_once(':') else {
                        self.fault(
                            line,
                            format!("`{only}` names no section"),
                            "write `{{#output ch04: section name}}`",
                        );
                        return FenceKind::Bad;
                    };
                    return FenceKind::Output {
                        chapter: chapter.trim().to_string(),
                        section: section.trim().to_string(),
                    };
                }
                for (i, text) in fence.body.iter().enumerate() {
                    if text.contains("{{#") && !text.contains("\\{{#") {
                        self.fault(
                            line + 1 + i,
                            format!("leftover `{}` in a {language} fence", text.trim()),
                            "an include stands alone in a ```rust fence, an output in a ```text \
                             fence; to show the braces, write `\\{{#`",
                        );
                    }
                }
                FenceKind::Plain
            }
        }
    }

    fn listing(&mut self, fence: &Fence<'a>) -> Option<FenceKind> {
        let line = fence.line;
        let only = fence.only_line().unwrap_or_default();
        let run = helper(only, "rustdoc_include").map(|(spec, _)| (spec, true));
        let shown = helper(only, "include").map(|(spec, _)| (spec, false));
        let found = run.or(shown);
        let Some((spec, run)) = found.filter(|_| fence.info == "rust") else {
            self.fault(
                line,
                "every Rust listing is an include, and this one is not (or its fence says more \
                 than `rust`)",
                "move the code to examples/ or src/, and write one line \
                 `{{#rustdoc_include ../examples/chNN_name.rs:anchor}}`",
            );
            return None;
        };
        let Some((path, anchor)) = spec
            .split_once(':')
            .filter(|(_, a)| !a.is_empty() && a.parse::<usize>().is_err() && !a.contains(':'))
        else {
            self.fault(
                line + 1,
                format!("the include `{spec}` names no anchor"),
                "write `path:anchor`, and put the anchor into the file",
            );
            return None;
        };
        let Some(path) = normal(&self.folder, path) else {
            self.fault(
                line + 1,
                format!("the include `{spec}` leaves the book"),
                "include from examples/, src/ or tests/",
            );
            return None;
        };
        let example = path.starts_with("examples/");
        if example != run {
            let (cause, cure) = if example {
                ("would be shown and never run", "use `rustdoc_include`")
            } else {
                (
                    "is no example, so `mdbook test` cannot run it",
                    "use `include`: the library's own tests run it",
                )
            };
            self.fault(line + 1, format!("`{path}` {cause}"), cure);
        }
        Some(FenceKind::Listing { path, anchor: anchor.to_string(), run })
    }
}

fn is_kebab(label: &str) -> bool {
    !label.starts_with('-')
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
