//! Faults in what pages show of other files, and in which files there are.

use crate::sample::{Sample, at};

// Listings.

#[test]
fn a_missing_include() {
    let sample = Sample::with("ch01_one.rs:shown", "ch01_two.rs:shown");
    let report = sample.run("html").unwrap_err();
    assert!(
        report.contains("book/ch01-one.md:12: there is no file examples/ch01_two.rs")
    );
}

#[test]
fn a_misspelt_anchor() {
    let report =
        Sample::with("one.rs:shown", "one.rs:shwon").run("html").unwrap_err();
    assert!(
        report.contains(&format!("{}: examples/ch01_one.rs has no", at(":shown"))),
        "{report}"
    );
    assert!(
        report.contains("examples/ch01_one.rs:4: no page shows the anchor `shown`")
    );
}

#[test]
fn an_include_without_an_anchor() {
    let report = Sample::with("one.rs:shown", "one.rs").run("html").unwrap_err();
    assert!(report.contains(&format!("{}: the include", at(":shown"))), "{report}");
    let report = Sample::with("one.rs:shown", "one.rs:3:4").run("html").unwrap_err();
    assert!(report.contains("names no anchor"), "{report}");
}

#[test]
fn an_example_that_is_shown_and_not_run() {
    let from = "{{#rustdoc_include ../examples";
    Sample::with(from, "{{#include ../examples").fails(&at(from), "never run");
}

#[test]
fn a_library_file_that_would_be_run() {
    let from = "{{#include ../tests";
    Sample::with(from, "{{#rustdoc_include ../tests")
        .fails(&at(from), "is no example");
}

#[test]
fn an_empty_anchor() {
    let sample = Sample::new();
    sample.replace("tests/solutions/ch01.rs", "    let half = 0.5;\n", "\n");
    sample.fails("tests/solutions/ch01.rs:3", "is empty");
}

#[test]
fn an_anchor_that_no_page_shows() {
    let sample = Sample::new();
    sample.write("src/lib.rs", "// ANCHOR: lost\nfn f() {}\n// ANCHOR_END: lost\n");
    sample.fails("src/lib.rs:1", "no page shows the anchor `lost`");
}

#[test]
fn an_anchor_defined_twice() {
    let sample = Sample::new();
    let again = "// ANCHOR: half\nfn f() {}\n// ANCHOR_END: half\n#[test]";
    sample.replace("tests/solutions/ch01.rs", "#[test]", again);
    sample.fails("tests/solutions/ch01.rs:6", "defined twice");
}

#[test]
fn an_anchor_that_never_ends() {
    let sample = Sample::new();
    sample.write("src/lib.rs", "// ANCHOR: open\nfn f() {}\n");
    sample.fails("src/lib.rs:1", "never ends");
    sample.write("src/lib.rs", "fn f() {}\n// ANCHOR_END: open\n");
    sample.fails("src/lib.rs:2", "is not open");
}

#[test]
fn a_rust_fence_that_is_no_include() {
    Sample::with("The mean is", "```rust\nlet x = 1;\n```\n\nThe mean is")
        .fails(&at("The mean"), "every Rust listing is an include");
    let report =
        Sample::with("```rust\n{{#rustdoc", "```rust,ignore\n{{#rustdoc").run("html");
    assert!(report.unwrap_err().contains("book/ch01-one.md:11: every Rust listing"));
}

#[test]
fn a_fence_without_a_language() {
    Sample::with("The mean is", "```\nx\n```\n\nThe mean is")
        .fails(&at("The mean"), "names no language");
}

#[test]
fn a_fence_that_is_not_closed() {
    let sample = Sample::new();
    sample.write(
        "book/appendix-more.md",
        "# More\n\n```rust\n{{#rustdoc_include ../examples/ch01_one.rs:inner}}\n",
    );
    sample.fails("book/appendix-more.md:3", "never closed");
}

#[test]
fn a_leftover_include() {
    Sample::with("The mean is", "{{#include ../README.md}} The mean is")
        .fails(&at("The mean"), "leftover `{{#include");
    Sample::with(
        "The mean is",
        "```toml\n{{#include ../x.toml}}\n```\n\nThe mean is",
    )
    .fails("book/ch01-one.md:20", "leftover `{{#include");
}

// Outputs, values, figures.

#[test]
fn an_unknown_section() {
    let report = Sample::with("ch01: run}}", "ch01: rnu}}").run("html").unwrap_err();
    assert!(
        report.contains(&format!("{}: book/output/ch01.txt has no", at("#output"))),
        "{report}"
    );
}

#[test]
fn a_missing_output() {
    let report =
        Sample::with("{{#output ch01", "{{#output ch07").run("html").unwrap_err();
    assert!(
        report.contains(&format!("{}: there is no book/output/ch07", at("#output")))
    );
}

#[test]
fn a_section_that_no_page_shows() {
    let sample = Sample::new();
    sample.replace("book/output/ch01.txt", "tiny", "tiny2 = 3\n\n# lost\ntiny");
    sample.fails("book/output/ch01.txt:6", "no page shows the section `# lost`");
}

#[test]
fn a_section_that_comes_twice() {
    let sample = Sample::new();
    sample.replace("book/output/ch01.txt", "tiny", "# run\ntiny");
    sample.fails("book/output/ch01.txt:4", "comes twice");
}

#[test]
fn an_unknown_value() {
    Sample::with("ch01: mean}}", "ch01: maen}}")
        .fails(&at("The mean"), "no line `maen = …`");
    Sample::with("ch01: tiny}}", "ch01: tony}}")
        .fails(&at("The mean"), "no line `tony = …`");
}

#[test]
fn an_ambiguous_value() {
    let sample = Sample::new();
    sample.replace("book/output/ch01.txt", "tiny", "  mean = 3\ntiny");
    sample.fails(&at("The mean"), "2 lines `mean = …`");
}

/// A sample with a measurement, shown and quoted.
fn measured() -> Sample {
    let shown = "```text\n{{#recorded speed: table}}\n```\n\nA {{#value speed: gain}}.\n\nThe mean is";
    let sample = Sample::with("The mean is", shown);
    sample.write(
        "benches/recorded/speed.txt",
        "command = cargo bench\nmachine = Z80, 1 core\ndate = 1976-07-01\ngain = 2.5\n\n\
         # table\nstep 1\n",
    );
    sample
}

#[test]
fn a_measurement_says_how_when_and_where() {
    let page = measured().run("html").unwrap().remove(0).1;
    let head = "<code><span>$</span> cargo bench</code> <em>recorded 1976-07-01: Z80, 1 core</em>";
    assert!(page.contains(head), "{page}");
    assert!(page.contains("step 1") && page.contains("A 2&#46;5."), "{page}");
    let file = "benches/recorded/speed.txt";
    for key in ["command", "machine", "date"] {
        let sample = measured();
        sample.replace(file, &format!("{key} = "), "");
        sample.fails(file, &format!("not exactly one line `{key} = …`"));
    }
}

#[test]
fn a_measurement_that_no_page_shows() {
    let file = "benches/recorded/speed.txt";
    let sample = measured();
    sample.replace(file, "step 1", "step 1\n\n# lost\nstep 2");
    sample.fails(&format!("{file}:9"), "no page shows the section `# lost`");
    let sample = measured();
    sample.remove(file);
    let report = sample.run("html").unwrap_err();
    assert!(report.contains("there is no benches/recorded/speed.txt"), "{report}");
    let sample = measured();
    sample.replace("book/ch01-one.md", "speed: table", "speed: tabel");
    let report = sample.run("html").unwrap_err();
    assert!(report.contains("speed.txt has no section `# tabel`"), "{report}");
}

#[test]
fn a_missing_figure() {
    let sample = Sample::new();
    sample.remove("book/figures/points.svg");
    sample.fails(&at(":::figure"), "there is no book/figures/points.svg");
}

#[test]
fn a_figure_that_no_page_shows() {
    let sample = Sample::new();
    sample.write("book/figures/lost.svg", "<svg/>");
    sample.fails("book/figures/lost.svg", "no page shows this figure");
}

#[test]
fn a_figure_without_alt_text() {
    Sample::with(" | Points in the plane", " |")
        .fails(&at(":::figure"), "no alt text");
}

// Pages and examples.

#[test]
fn a_page_that_the_summary_does_not_list() {
    let sample = Sample::new();
    sample.write("book/lost.md", "# Lost\n");
    sample.fails("book/lost.md", "SUMMARY.md does not list this page");
}

#[test]
fn an_example_of_an_appendix_that_the_summary_does_not_list() {
    let sample = Sample::new();
    sample.write("examples/appendix_lost.rs", "fn main() {}\n");
    sample.fails("examples/appendix_lost.rs", "no chapter belongs to this example");
}

#[test]
fn an_example_without_a_chapter() {
    let sample = Sample::new();
    sample.write("examples/ch02_two.rs", "fn main() {}\n");
    sample.fails("examples/ch02_two.rs", "no chapter belongs to this example");
}

#[test]
fn a_chapter_without_an_example() {
    let sample = Sample::new();
    sample.write("book/ch02-two.md", "# Two\n");
    sample.replace("book/SUMMARY.md", "[Later]()", "[Two](ch02-two.md)");
    sample.fails("book/ch02-two.md", "0 examples are named examples/ch02_*.rs");
}

#[test]
fn a_chapter_with_two_examples() {
    let sample = Sample::new();
    sample.write("examples/ch01_two.rs", "fn main() {}\n");
    sample.fails("book/ch01-one.md", "2 examples are named");
}

#[test]
fn a_chapter_whose_number_has_moved() {
    let sample = Sample::new();
    sample.replace("book/SUMMARY.md", "- [The", "- [Before]()\n- [The");
    sample.fails("book/SUMMARY.md", "is named chapter 1");
}
