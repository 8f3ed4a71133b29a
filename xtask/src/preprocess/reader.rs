//! Takes one page apart: its directives in order, its fences by what they show.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::book::{Directive, FenceKind, Item, Kind, Label, slashed};
use super::fault::Faults;
use super::inline::{self, helper};
use super::scan::{self, Block, Fence};

pub struct Reader<'b, 'a> {
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

impl<'b, 'a> Reader<'b, 'a> {
    /// For the page of that index. `folder` is the page's, relative to the root.
    pub fn new(
        page: usize,
        file: &'b str,
        prefix: &'b str,
        folder: PathBuf,
        labels: &'b mut BTreeMap<String, Label>,
        faults: &'b mut Faults,
    ) -> Self {
        Reader {
            page,
            file,
            prefix,
            folder,
            counters: [0; 4],
            open: None,
            exercise: None,
            items: Vec::new(),
            labels,
            faults,
        }
    }

    fn fault(
        &mut self,
        line: usize,
        cause: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.faults.add(self.file, line, cause, cure);
    }

    pub fn read(mut self, content: &'a str) -> Vec<Item<'a>> {
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
            self.fault(
                line,
                "this directive is never closed",
                "close it with a line `:::`",
            );
        }
        self.solution_due(None);
        self.items
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
                        format!(
                            "the figure `{first}` has no alt text, or math in it"
                        ),
                        "write `:::figure name | what it shows, in plain words`",
                    );
                }
                let id = format!("fig-{first}");
                self.label(
                    line,
                    &format!("fig:{first}"),
                    format!("Figure {number}"),
                    id,
                );
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
                for (directive, example) in
                    [("output", "ch04"), ("recorded", "steps")]
                {
                    let Some((spec, _)) = helper(only, directive) else { continue };
                    if language != "text" {
                        continue;
                    }
                    let Some((file, section)) = spec.split_once(':') else {
                        self.fault(
                            line,
                            format!("`{only}` names no section"),
                            format!(
                                "write `{{{{#{directive} {example}: section name}}}}`"
                            ),
                        );
                        return FenceKind::Bad;
                    };
                    let file = file.trim().to_string();
                    let section = section.trim().to_string();
                    return match directive {
                        "output" => FenceKind::Output { chapter: file, section },
                        _ => FenceKind::Recorded { file, section },
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
        let Some((path, anchor)) = spec.split_once(':').filter(|(_, a)| {
            !a.is_empty() && a.parse::<usize>().is_err() && !a.contains(':')
        }) else {
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
        && label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
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
