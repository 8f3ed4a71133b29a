//! Writes a page for the renderer `html`, and for `test`.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::book::{Collected, Directive, FenceKind, Item, Kind, Page, slashed};
use super::fault::Faults;
use super::html::{code, glue, glued};
use super::inline::{Inline, helper};
use super::math::Math;
use super::output;
use super::project::{Project, RECORDED};
use super::source;

/// What the pages have shown, for the gates that look for what nobody shows.
#[derive(Default)]
pub struct Shown {
    /// File and anchor.
    pub anchors: BTreeSet<(String, String)>,
    /// Chapter and section.
    pub sections: BTreeSet<(String, String)>,
    /// File and section of what was recorded.
    pub recorded: BTreeSet<(String, String)>,
    pub figures: BTreeSet<String>,
    /// Stem of the file and name of the test.
    pub checks: BTreeSet<(String, String)>,
}

pub struct Writer<'w, 'a> {
    pub project: &'w Project,
    pub math: &'w Math,
    pub collected: &'w Collected<'a>,
    pub shown: &'w mut Shown,
    pub faults: &'w mut Faults,
}

impl<'a> Writer<'_, 'a> {
    pub fn html(&mut self, page: &Page<'a>) -> String {
        let mut out = String::new();
        let mut caption = false;
        let mut result = ("", 0);
        for item in &page.items {
            match item {
                Item::Text(inlines) => {
                    let text = self.inlines(page, inlines);
                    // The caption continues the paragraph that its number began.
                    out.push_str(if caption { text.trim_start() } else { &text });
                }
                Item::Fence(fence, kind) => self.fence(page, fence, kind, &mut out),
                Item::Open { line, directive } => {
                    self.open(page, *line, directive, &mut out)
                }
                Item::Close(Kind::Result) => {
                    let check = self.check(page, result);
                    let _ = write!(out, "\n{check}</div>\n\n");
                }
                Item::Close(Kind::Figure) => {
                    out.push_str("\n</figcaption>\n</figure>\n\n")
                }
                // Its solution closes the box.
                Item::Close(Kind::Exercise) => out.push('\n'),
                Item::Close(Kind::Solution) => {
                    out.push_str("\n</details>\n</div>\n\n")
                }
            }
            if let Item::Open { directive: Directive::Result { label, .. }, line } =
                item
            {
                result = (label, *line);
            }
            caption = matches!(
                item,
                Item::Open { directive: Directive::Figure { .. }, .. }
            );
        }
        if let Some((kind, number)) = page.number()
            && let Some(title) = out.strip_prefix("# ")
        {
            // As an attribute, the number stays out of the search index and of links' names.
            let end = title.find('\n').unwrap_or(title.len());
            let (title, rest) = title.split_at(end);
            out = format!("# {title} {{.{kind} data-number={number}}}{rest}");
        }
        out
    }

    /// The examples of the page, each once and whole, for rustdoc to compile and run.
    pub fn test(&mut self, page: &Page<'a>) -> String {
        let mut seen = BTreeSet::new();
        let mut out = String::new();
        for item in &page.items {
            if let Item::Fence(_, FenceKind::Listing { path, run: true, .. }) = item
                && seen.insert(path)
                && let Some(file) = self.project.rust.get(path)
            {
                let code = source::as_doctest(&file.source, &self.project.root);
                let _ = write!(out, "# {path}\n\n```rust\n{code}\n```\n\n");
            }
        }
        out
    }

    pub(super) fn fault(
        &mut self,
        page: &Page,
        line: usize,
        cause: String,
        cure: impl Into<String>,
    ) {
        self.faults.add(&page.file, line, cause, cure);
    }

    pub(super) fn inlines(&mut self, page: &Page, inlines: &[Inline]) -> String {
        let mut out = String::new();
        let mut taken = 0;
        for (i, inline) in inlines.iter().enumerate() {
            match inline {
                Inline::Raw(text) => {
                    out.push_str(&text[std::mem::take(&mut taken)..])
                }
                Inline::Code(text) => out.push_str(&code(text)),
                Inline::Compound(text) => out.push_str(&glued(text)),
                Inline::Math { line, display: true, tex } => {
                    let formula = self.formula(page, *line, true, tex);
                    // What follows another display directly stands closer to it.
                    let more = match inlines[..i] {
                        [
                            ..,
                            Inline::Math { display: true, .. },
                            Inline::Raw(text),
                        ] => text.trim().is_empty(),
                        _ => false,
                    };
                    let class = if more { "display more" } else { "display" };
                    let _ = write!(out, "<span class=\"{class}\">{formula}</span>");
                }
                Inline::Math { line, tex, .. } => {
                    let formula = self.formula(page, *line, false, tex);
                    let after = match inlines.get(i + 1) {
                        Some(Inline::Raw(after)) => glue(after),
                        _ => "",
                    };
                    let before = if out.ends_with('(') { "(" } else { "" };
                    taken = after.len();
                    out.truncate(out.len() - before.len());
                    if before.len() + after.len() == 0 {
                        out.push_str(&formula);
                    } else {
                        // No quotation begins after a formula.
                        let after = after.replace('\'', "’");
                        out.push_str(&glued(&format!("{before}{formula}{after}")));
                    }
                }
                Inline::Reference { line, label } => {
                    match self.collected.labels.get(*label) {
                        Some(target) => {
                            let mut url = String::new();
                            if !std::ptr::eq(&self.collected.pages[target.page], page)
                            {
                                let depth = page.path.components().count() - 1;
                                url = "../".repeat(depth);
                                url.push_str(&slashed(
                                    &self.collected.pages[target.page].path,
                                ));
                            }
                            let _ = write!(
                                out,
                                "<a class=\"ref\" href=\"{url}#{}\">{}</a>",
                                target.id, target.text
                            );
                        }
                        None => self.fault(
                            page,
                            *line,
                            format!("no result or figure is labelled `{label}`"),
                            "correct the label (a figure's is `fig:name`)",
                        ),
                    }
                }
                Inline::Value { line, spec } => {
                    if let Some(value) = self.value(page, *line, spec) {
                        out.push_str(&output::in_prose(&value));
                    }
                }
            }
        }
        out
    }

    pub(super) fn formula(
        &mut self,
        page: &Page,
        line: usize,
        display: bool,
        tex: &str,
    ) -> String {
        let mut filled = String::new();
        let mut rest = tex;
        while let Some(at) = rest.find("{{#") {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let here = line + filled.matches('\n').count();
            let Some((spec, len)) = helper(rest, "value") else {
                self.fault(
                    page,
                    here,
                    "leftover `{{#` in a formula".into(),
                    "only `{{#value chNN: key}}` is known here",
                );
                return String::new();
            };
            if let Some(value) = self.value(page, here, spec) {
                filled.push_str(&output::in_math(&value));
            }
            rest = &rest[len..];
        }
        filled.push_str(rest);
        match self.math.render(&filled, display) {
            Ok(mathml) => mathml,
            Err(error) => {
                self.fault(page, line + error.line, error.cause, error.cure);
                String::new()
            }
        }
    }

    pub(super) fn value(
        &mut self,
        page: &Page,
        line: usize,
        spec: &str,
    ) -> Option<String> {
        let Some((chapter, key)) = spec.split_once(':') else {
            self.fault(
                page,
                line,
                format!("`{spec}` names no chapter"),
                "write `{{#value ch04: key}}`",
            );
            return None;
        };
        let (chapter, key) = (chapter.trim(), key.trim());
        let (file, output) = match self.project.recorded.get(chapter) {
            None => (
                format!("{}/output/{chapter}.txt", self.project.src),
                self.project.outputs.get(chapter),
            ),
            recorded => (format!("{RECORDED}/{chapter}.txt"), recorded),
        };
        let found = match output {
            None => Err(format!("there is no {file}")),
            Some(output) => match output.value(key) {
                Ok(value) => Ok(value.to_string()),
                Err(0) => Err(format!("{file} has no line `{key} = …`")),
                Err(n) => Err(format!("{file} has {n} lines `{key} = …`")),
            },
        };
        match found {
            Ok(value) => Some(value),
            Err(cause) => {
                self.fault(
                    page,
                    line,
                    cause,
                    "let the example print that key once, or correct it here",
                );
                None
            }
        }
    }
}
