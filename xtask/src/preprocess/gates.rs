//! What can be said only of the whole book: that nothing is left over.

use std::collections::BTreeSet;

use super::book::{Collected, chapter_number};
use super::fault::Faults;
use super::output::Output;
use super::project::{Project, RECORDED, files};
use super::render::Shown;

pub fn check(
    project: &Project,
    collected: &Collected,
    shown: &Shown,
    faults: &mut Faults,
) -> anyhow::Result<()> {
    unshown(project, shown, faults);
    unlisted_pages(project, collected, faults)?;
    examples_and_chapters(project, collected, faults);
    Ok(())
}

fn unshown(project: &Project, shown: &Shown, faults: &mut Faults) {
    for (path, file) in &project.rust {
        for (name, anchor) in &file.anchors {
            if !shown.anchors.contains(&(path.clone(), name.clone())) {
                faults.add(
                    path,
                    anchor.line,
                    format!("no page shows the anchor `{name}`"),
                    "include it, or remove its two lines",
                );
            }
        }
    }
    for (chapter, output) in &project.outputs {
        let file = format!("{}/output/{chapter}.txt", project.src);
        let kind = Sections { file, name: chapter, output, directive: "output" };
        kind.check(&shown.sections, "let the example", faults);
    }
    for (name, output) in &project.recorded {
        let file = format!("{RECORDED}/{name}.txt");
        for key in ["command", "machine", "date"] {
            if output.value(key).is_err() {
                faults.add(
                    &file,
                    0,
                    format!("it has not exactly one line `{key} = …`"),
                    "a measurement says how, where and when it was made: record it again",
                );
            }
        }
        let kind = Sections { file, name, output, directive: "recorded" };
        kind.check(&shown.recorded, "let the bench", faults);
    }
    for name in &project.figures {
        if !shown.figures.contains(name) {
            faults.add(
                format!("{}/figures/{name}.svg", project.src),
                0,
                "no page shows this figure",
                format!("show it with `:::figure {name} | …`, or do not draw it"),
            );
        }
    }
    for (stem, tests) in &project.checks {
        for test in tests {
            if !shown.checks.contains(&(stem.clone(), test.name.clone())) {
                faults.add(
                    format!("tests/equations/{stem}.rs"),
                    test.line,
                    format!("the test `{}` checks no numbered result", test.name),
                    format!(
                        "number the equation with `:::result {} | …`, or rename the test",
                        test.name.replace('_', "-")
                    ),
                );
            }
        }
    }
}

/// The sections of a file that pages show.
struct Sections<'a> {
    file: String,
    name: &'a str,
    output: &'a Output,
    directive: &'a str,
}

impl Sections<'_> {
    /// Each has a name of its own, and some page shows it.
    fn check(
        &self,
        shown: &BTreeSet<(String, String)>,
        writer: &str,
        faults: &mut Faults,
    ) {
        let Sections { file, name, output, directive } = self;
        let mut names = BTreeSet::new();
        for section in &output.sections {
            if !names.insert(&section.name) {
                faults.add(
                    file,
                    section.line,
                    format!("the section `# {}` comes twice", section.name),
                    format!("{writer} give each section a name of its own"),
                );
            } else if !shown.contains(&(name.to_string(), section.name.clone())) {
                faults.add(
                    file,
                    section.line,
                    format!("no page shows the section `# {}`", section.name),
                    format!(
                        "show it with `{{{{#{directive} {name}: {}}}}}`, or do not print it",
                        section.name
                    ),
                );
            }
        }
    }
}

fn unlisted_pages(
    project: &Project,
    collected: &Collected,
    faults: &mut Faults,
) -> anyhow::Result<()> {
    let summary = format!("{}/SUMMARY.md", project.src);
    for (path, _) in files(&project.root, &project.src, "md")? {
        if path != summary && !collected.pages.iter().any(|page| page.file == path) {
            faults.add(
                path,
                0,
                "SUMMARY.md does not list this page",
                "list it, or remove it",
            );
        }
    }
    Ok(())
}

/// A chapter has exactly one example; an appendix may have one; no example stands alone.
fn examples_and_chapters(
    project: &Project,
    collected: &Collected,
    faults: &mut Faults,
) {
    let mut placed = BTreeSet::new();
    for page in &collected.pages {
        let examples = project.examples(&page.stem);
        placed.extend(examples.iter().copied());
        if chapter_number(&page.stem).is_some() && examples.len() != 1 {
            faults.add(
                &page.file,
                0,
                format!(
                    "{} examples are named examples/{}_*.rs",
                    examples.len(),
                    page.stem
                ),
                "a chapter has exactly one program",
            );
        }
    }
    let examples = project.rust.keys().filter(|p| p.starts_with("examples/"));
    for path in examples.filter(|path| !placed.contains(path.as_str())) {
        faults.add(
            path,
            0,
            "no chapter belongs to this example",
            "name it examples/chNN_name.rs, or examples/appendix_name.rs, after a page that SUMMARY.md \
             lists",
        );
    }
}
