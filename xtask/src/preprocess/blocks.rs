//! The blocks of a page: results with their checks, figures, exercises, listings and outputs.

use std::fmt::Write;
use std::fs;

use super::book::{Directive, FenceKind, Page};
use super::html::{escape_attribute, svg_size};
use super::output::Output;
use super::project::RECORDED;
use super::render::Writer;
use super::scan::Fence;

impl<'a> Writer<'_, 'a> {
    pub(super) fn open(
        &mut self,
        page: &Page<'a>,
        line: usize,
        directive: &Directive,
        out: &mut String,
    ) {
        match directive {
            Directive::Result { label, title, number } => {
                let title = self.inlines(page, title);
                let _ = write!(
                    out,
                    "\n<div class=\"result\" id=\"{label}\">\n<div class=\"head\">\n\n\
                     <a class=\"number\" href=\"#{label}\">Result {number}</a> {title}\n\n\
                     </div>\n\n"
                );
            }
            Directive::Figure { name, alt, number } => {
                let size = self.figure(page, line, name);
                let alt = escape_attribute(alt);
                let _ = write!(
                    out,
                    "\n<figure id=\"fig-{name}\">\n<img src=\"figures/{name}.svg\" alt=\"{alt}\"{size}>\n\
                     <figcaption>\n\n<span class=\"number\">Figure {number}.</span> "
                );
            }
            Directive::Exercise { title, number } => {
                let title = self.inlines(page, title);
                let id = number.replace('.', "-");
                let _ = write!(
                    out,
                    "\n<div class=\"exercise\" id=\"exercise-{id}\">\n<div class=\"head\">\n\n\
                     <a class=\"number\" href=\"#exercise-{id}\">Exercise {number}</a> {title}\n\n\
                     </div>\n\n"
                );
            }
            Directive::Solution => out.push_str(
                "\n<details class=\"solution\">\n<summary>Solution</summary>\n\n",
            ),
        }
    }

    /// The attributes `width` and `height` of a figure, which keep its place while it loads.
    pub(super) fn figure(&mut self, page: &Page, line: usize, name: &str) -> String {
        self.shown.figures.insert(name.to_string());
        let path = format!("{}/figures/{name}.svg", self.project.src);
        match fs::read_to_string(self.project.root.join(&path)) {
            Ok(svg) => svg_size(&svg)
                .map(|(w, h)| format!(" width=\"{w}\" height=\"{h}\""))
                .unwrap_or_default(),
            Err(_) => {
                self.fault(
                    page,
                    line,
                    format!("there is no {path}"),
                    "let an example draw it, or correct the name",
                );
                String::new()
            }
        }
    }

    /// The source of the test that checks a result, folded away.
    pub(super) fn check(
        &mut self,
        page: &Page,
        (label, line): (&str, usize),
    ) -> String {
        let test = label.replace('-', "_");
        let file = format!("tests/equations/{}.rs", page.stem);
        let tests = self.project.checks.get(&page.stem);
        let found = tests.and_then(|tests| tests.iter().find(|t| t.name == test));
        self.shown.checks.insert((page.stem.clone(), test.clone()));
        match found {
            Some(found) => format!(
                "<details class=\"check\">\n<summary>Checked by <code>{file}</code>, \
                 <code>{test}</code></summary>\n\n```rust\n{}\n```\n\n</details>\n",
                found.code
            ),
            None => {
                self.fault(
                    page,
                    line,
                    format!("no test checks the result `{label}`"),
                    format!("write `#[test] fn {test}()` in {file}"),
                );
                String::new()
            }
        }
    }

    pub(super) fn fence(
        &mut self,
        page: &Page<'a>,
        fence: &Fence,
        kind: &FenceKind,
        out: &mut String,
    ) {
        let p = fence.prefix.as_str();
        let at = fence.line + 1;
        let (class, source, language, body) = match kind {
            FenceKind::Bad => return,
            FenceKind::Plain => {
                out.push_str(fence.raw);
                return;
            }
            FenceKind::Listing { path, anchor, .. } => {
                let Some(code) = self.listing(page, at, path, anchor) else {
                    return;
                };
                let source = format!("<code>{path}</code> <em>{anchor}</em>");
                ("listing", source, "rust", code)
            }
            FenceKind::Output { chapter, section } => {
                let Some((command, text)) = self.output(page, at, chapter, section)
                else {
                    return;
                };
                let section = escape_attribute(section);
                let source = format!(
                    "<code><span>$</span> {command}</code> <em>{section}</em>"
                );
                ("output", source, "text", text)
            }
            FenceKind::Recorded { file, section } => {
                let Some((source, text)) = self.recorded(page, at, file, section)
                else {
                    return;
                };
                ("output recorded", source, "text", text)
            }
        };
        let mut lines = vec![
            format!("<div class=\"{class}\">"),
            format!("<div class=\"source\">{source}</div>"),
            String::new(),
            format!("```{language}"),
        ];
        lines.extend(body.lines().map(String::from));
        lines.push("```".into());
        lines.push(String::new());
        lines.push("</div>".into());
        lines.push(String::new());
        let _ = writeln!(out, "{}", p.trim_end());
        for line in lines {
            let _ = writeln!(out, "{}", format!("{p}{line}").trim_end());
        }
    }

    pub(super) fn listing(
        &mut self,
        page: &Page,
        line: usize,
        path: &str,
        anchor: &str,
    ) -> Option<String> {
        self.shown.anchors.insert((path.to_string(), anchor.to_string()));
        let Some(file) = self.project.rust.get(path) else {
            self.fault(
                page,
                line,
                format!("there is no file {path} to include"),
                "correct the path (it counts from the chapter: `../examples/…`); listings come \
                 from examples/, src/ and tests/solutions/",
            );
            return None;
        };
        let Some(found) = file.anchors.get(anchor) else {
            let known: Vec<&str> = file.anchors.keys().map(String::as_str).collect();
            self.fault(
                page,
                line,
                format!("{path} has no anchor `{anchor}`"),
                format!("its anchors are: {}", known.join(", ")),
            );
            return None;
        };
        Some(found.code.clone())
    }

    /// By which command, when and on what it was measured; and the section's text.
    fn recorded(
        &mut self,
        page: &Page,
        line: usize,
        name: &str,
        section: &str,
    ) -> Option<(String, String)> {
        self.shown.recorded.insert((name.to_string(), section.to_string()));
        let file = format!("{RECORDED}/{name}.txt");
        let output = self.project.recorded.get(name);
        let cure = "let its bench record it, or correct the name";
        let text = self.section(page, line, (&file, output, cure), section)?;
        let output = output?;
        // The gates see to it that these are there.
        let [command, date, machine] = ["command", "date", "machine"]
            .map(|key| escape_attribute(output.value(key).unwrap_or_default()));
        let source = format!(
            "<code><span>$</span> {command}</code> <em>recorded {date}: {machine}</em>"
        );
        Some((source, text))
    }

    /// The command whose output it is, and the section's text.
    fn output(
        &mut self,
        page: &Page,
        line: usize,
        chapter: &str,
        section: &str,
    ) -> Option<(String, String)> {
        self.shown.sections.insert((chapter.to_string(), section.to_string()));
        let file = format!("{}/output/{chapter}.txt", self.project.src);
        let output = self.project.outputs.get(chapter);
        let cure =
            "run the chapter's example and keep what it prints: `cargo xtask bless`";
        let text = self.section(page, line, (&file, output, cure), section)?;
        let Some(example) = self.project.examples(chapter).first().copied() else {
            self.fault(
                page,
                line,
                format!("no examples/{chapter}_*.rs printed this"),
                "name the chapter whose example did",
            );
            return None;
        };
        let name = super::project::stem(example);
        Some((format!("cargo run --example {name}"), text))
    }

    /// The text of a section of a file, which `cure` makes where there is none.
    fn section(
        &mut self,
        page: &Page,
        line: usize,
        (file, output, cure): (&str, Option<&Output>, &str),
        name: &str,
    ) -> Option<String> {
        let Some(output) = output else {
            self.fault(page, line, format!("there is no {file}"), cure);
            return None;
        };
        let Some(found) = output.section(name) else {
            let known: Vec<&str> =
                output.sections.iter().map(|s| s.name.as_str()).collect();
            self.fault(
                page,
                line,
                format!("{file} has no section `# {name}`"),
                format!("its sections are: {}", known.join(", ")),
            );
            return None;
        };
        Some(found.text.clone())
    }
}
