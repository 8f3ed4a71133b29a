//! Reads Rust files: their anchors, and the source of a named test.

use std::collections::BTreeMap;
use std::path::Path;

use super::fault::Faults;

/// A named part of a file, between `// ANCHOR: name` and `// ANCHOR_END: name`.
#[derive(Debug, Clone, PartialEq)]
pub struct Anchor {
    /// Of the line that opens it.
    pub line: usize,
    /// The lines between, without those of other anchors, and without their common indentation.
    pub code: String,
}

/// All anchors of the file, by name. What is wrong with them goes to `faults`.
pub fn anchors(
    source: &str,
    file: &str,
    faults: &mut Faults,
) -> BTreeMap<String, Anchor> {
    let mut open: Vec<(&str, usize, Vec<&str>)> = Vec::new();
    let mut done: BTreeMap<String, Anchor> = BTreeMap::new();
    for (i, text) in source.lines().enumerate() {
        let line = i + 1;
        if let Some(name) = marker(text, "ANCHOR_END:") {
            match open.iter().rposition(|(n, _, _)| *n == name) {
                Some(at) => {
                    let (name, line, lines) = open.remove(at);
                    if lines.iter().all(|l| l.trim().is_empty()) {
                        faults.add(
                            file,
                            line,
                            format!("the anchor `{name}` is empty"),
                            "put the code to be shown between its two lines",
                        );
                    }
                    let code = dedent(&lines);
                    done.entry(name.to_string()).or_insert(Anchor { line, code });
                }
                None => faults.add(
                    file,
                    line,
                    format!("`ANCHOR_END: {name}` ends an anchor that is not open"),
                    "correct the name, or remove the line",
                ),
            }
        } else if let Some(name) = marker(text, "ANCHOR:") {
            if done.contains_key(name) || open.iter().any(|(n, _, _)| *n == name) {
                faults.add(
                    file,
                    line,
                    format!("the anchor `{name}` is defined twice"),
                    "give one of them another name",
                );
            }
            open.push((name, line, Vec::new()));
        } else {
            for (_, _, lines) in &mut open {
                lines.push(text);
            }
        }
    }
    for (name, line, _) in open {
        faults.add(
            file,
            line,
            format!("the anchor `{name}` never ends"),
            format!("add `// ANCHOR_END: {name}`"),
        );
    }
    done
}

/// The name after `key` in a comment line.
fn marker<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let rest = text.trim_start().strip_prefix("//")?.trim_start();
    let name = rest.strip_prefix(key)?.trim();
    let end = name
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
        .unwrap_or(name.len());
    Some(&name[..end])
}

fn dedent(lines: &[&str]) -> String {
    let indent = lines
        .iter()
        .filter(|l| !l.trim().is_empty())
        .map(|l| l.len() - l.trim_start().len())
        .min()
        .unwrap_or_default();
    let text: Vec<&str> = lines
        .iter()
        .map(|l| l.get(indent..).unwrap_or_default().trim_end())
        .collect();
    text.join("\n").trim_matches('\n').to_string()
}

/// A `#[test]` function.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub name: String,
    /// Of the `fn`.
    pub line: usize,
    /// From its doc comments and attributes to its closing brace.
    pub code: String,
}

/// The tests of a file, which must be formatted as rustfmt does: a function ends with the first
/// line that is its own indentation and a brace.
pub fn tests(source: &str) -> Vec<Test> {
    let lines: Vec<&str> = source.lines().collect();
    let mut tests = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let head = |l: &&&str| {
            let l = l.trim_start();
            l.starts_with("//") && !l.starts_with("//!") || l.starts_with("#[")
        };
        let above = lines[..i].iter().rev().take_while(head).count();
        let start = i - above;
        if !lines[start..i].iter().any(|l| l.trim() == "#[test]") {
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let last = lines[i..]
            .iter()
            .position(|l| l.strip_prefix(indent) == Some("}"))
            .filter(|_| !line.trim_end().ends_with('}'))
            .map_or(i, |n| i + n);
        tests.push(Test {
            name: name.to_string(),
            line: i + 1,
            code: dedent(&lines[start..=last]),
        });
    }
    tests
}

fn function_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = line.strip_prefix("pub ").unwrap_or(line);
    let rest = rest.strip_prefix("fn ")?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    Some(&rest[..end])
}

/// The whole of an example as `mdbook test` needs it. rustdoc passes no `--extern`, so the crates
/// are named in the source, after inner attributes; `//!` lines would no longer come first. It is
/// compiled in another folder: a file that it includes, of the project at `root`, is named in full.
pub fn as_doctest(source: &str, root: &Path) -> String {
    let here = "include_str!(\"../";
    let there = format!("include_str!(r\"{}/", root.display());
    let source = &source.replace(here, &there);
    let mut crates: Vec<&str> = vec!["mixtures"];
    for line in source.lines() {
        let Some(path) = line.strip_prefix("use ") else {
            continue;
        };
        let end = path
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(path.len());
        let name = &path[..end];
        let local = ["std", "core", "alloc", "crate", "self", "super"];
        let declared = source.contains(&format!("mod {name} "));
        let named = name.starts_with(|c: char| c.is_ascii_lowercase());
        if named && !declared && !local.contains(&name) && !crates.contains(&name) {
            crates.push(name);
        }
    }
    // `dmatrix!` and its like expand to paths of nalgebra's own, however they were imported.
    if source.contains("nalgebra::")
        && !source.contains("use mixtures::nalgebra;")
        && !crates.contains(&"nalgebra")
    {
        crates.push("nalgebra");
    }
    let (attributes, code): (Vec<&str>, Vec<&str>) = source
        .lines()
        .filter(|l| !l.trim_start().starts_with("//!"))
        .partition(|l| l.starts_with("#!["));
    let externs = crates.iter().map(|name| format!("extern crate {name};"));
    let mut out: Vec<String> = attributes.iter().map(|l| l.to_string()).collect();
    out.extend(externs);
    out.extend(code.iter().map(|l| l.to_string()));
    out.join("\n")
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn nested_anchors_lose_their_marks_and_indentation() {
        let source = "fn main() {\n    // ANCHOR: a\n    let x = 1;\n    // ANCHOR: b\n        let y = 2;\n    // ANCHOR_END: b\n    // ANCHOR_END: a\n}\n";
        let mut faults = Faults::default();
        let found = anchors(source, "x.rs", &mut faults);
        faults.into_result().unwrap();
        assert_eq!(found["a"].code, "let x = 1;\n    let y = 2;");
        assert_eq!(found["b"].code, "let y = 2;");
    }

    #[test]
    fn a_test_is_cut_out_with_its_comments() {
        let source = "use a::b;\n\nfn helper() {}\n\n/// Why.\n#[test]\nfn one() {\n    if true {\n    }\n}\n\n#[test]\nfn two() {}\n";
        let found = tests(source);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].code,
            "/// Why.\n#[test]\nfn one() {\n    if true {\n    }\n}"
        );
        assert_eq!(found[1].code, "#[test]\nfn two() {}");
    }

    #[test]
    fn a_doctest_names_the_crate_that_macros_expand_to() {
        let source = "use mixtures::nalgebra::dvector;\nfn main() { dvector![1.0]; }";
        assert!(
            as_doctest(source, Path::new("/"))
                .starts_with("extern crate mixtures;\nextern crate nalgebra;\n")
        );
        let imported =
            "use mixtures::nalgebra;\nfn main() { nalgebra::dvector![1.0]; }";
        assert!(
            !as_doctest(imported, Path::new("/")).contains("extern crate nalgebra"),
            "it would stand twice"
        );
    }

    #[test]
    fn a_doctest_finds_what_it_includes() {
        let source = "const A: &str = include_str!(\"../data/a.csv\");";
        assert!(
            as_doctest(source, Path::new("/the/root"))
                .ends_with("include_str!(r\"/the/root/data/a.csv\");")
        );
    }

    #[test]
    fn a_doctest_names_its_crates() {
        let source = "//! Title.\n#![allow(x)]\nuse std::fmt;\nuse approx::assert_relative_eq;\nuse mixtures::Em;\nfn main() {}";
        assert_eq!(
            as_doctest(source, Path::new("/")),
            "#![allow(x)]\nextern crate mixtures;\nextern crate approx;\nuse std::fmt;\nuse approx::assert_relative_eq;\nuse mixtures::Em;\nfn main() {}"
        );
    }
}
