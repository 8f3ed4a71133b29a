//! Faults in what a page says: its math, its labels, its directives.

use crate::sample::{CHAPTER, Sample, at};

// Math.

#[test]
fn bad_tex() {
    let sample = Sample::with("\\frac{1}{2}", "1 +\n\\frac{1}{2");
    sample.fails("book/ch01-one.md:8", "bad TeX");
}

#[test]
fn an_unknown_macro() {
    Sample::with("\\frac{1}{2}", "\\nonsense").fails(&at("\\x = "), "\\nonsense");
}

#[test]
fn a_character_that_the_font_lacks() {
    Sample::with("\\frac{1}{2}", "\\aleph").fails("book/ch01-one.md:6", "U+2135");
}

#[test]
fn a_length_after_a_row() {
    let tex = "\\begin{aligned} a \\\\[4pt] b \\end{aligned}";
    Sample::with("\\frac{1}{2}", tex).fails(&at("\\x = "), "not supported");
}

#[test]
fn a_bad_line_among_the_macros() {
    let sample = Sample::new();
    sample.replace("book/macros.tex", "% notation", "\\def\\y{y}");
    sample.fails("book/macros.tex:1", "no macro definition");
}

#[test]
fn a_macro_defined_twice() {
    let sample = Sample::new();
    sample.replace("book/macros.tex", "% notation", "\\newcommand{\\x}{y}");
    sample.fails("book/macros.tex:2", "defined twice");
}

#[test]
fn a_leftover_dollar() {
    Sample::with("\\$5", "$5 for it").fails(&at("Inline"), "`$` opens math");
}

#[test]
fn two_unescaped_prices() {
    Sample::with("\\$5", "$5 or $6")
        .fails(&at("Inline"), "begins or ends with a space");
}

#[test]
fn display_math_that_is_not_closed() {
    Sample::with("2}\n$$\n:::", "2}\n:::")
        .fails("book/ch01-one.md:6", "`$$` opens math");
}

// Labels and results.

#[test]
fn an_unknown_label() {
    Sample::with("[@the-update]", "[@the-updaet]")
        .fails(&at("Inline"), "`the-updaet`");
}

#[test]
fn a_label_taken_twice() {
    let again = "2}\n$$\n:::\n\n:::result the-update | Again\n$$ a $$\n:::";
    Sample::with("2}\n$$\n:::", again).fails("book/ch01-one.md:11", "taken already");
}

#[test]
fn a_result_without_a_title() {
    Sample::with(" | The update of $\\x$", "")
        .fails(&at(":::result"), "a label in kebab-case");
}

#[test]
fn a_result_without_a_check() {
    let sample = Sample::new();
    sample.write("tests/equations/ch01.rs", "fn the_update() {}\n");
    sample.fails(&at(":::result"), "no test checks the result `the-update`");
}

#[test]
fn a_check_without_a_result() {
    let sample = Sample::new();
    sample.replace(
        "tests/equations/ch01.rs",
        "/// Checks",
        "#[test]\nfn other() {}\n\n/// Checks",
    );
    sample.fails("tests/equations/ch01.rs:2", "`other` checks no numbered result");
}

// Directives.

#[test]
fn a_directive_that_is_not_closed() {
    Sample::with("Why a half?\n:::\n", "Why a half?\n")
        .fails("book/ch01-one.md:27", "inside the directive of line 25");
}

#[test]
fn the_last_directive_is_not_closed() {
    Sample::with("half}}\n```\n:::", "half}}\n```")
        .fails(&at(":::solution"), "never closed");
}

#[test]
fn a_closing_line_that_closes_nothing() {
    Sample::with("The mean is", ":::\n\nThe mean is")
        .fails(&at("The mean"), "closes nothing");
}

#[test]
fn an_unknown_directive() {
    let report = Sample::with(":::exercise", ":::excercise").run("html").unwrap_err();
    assert!(
        report.contains(&format!("{}: unknown directive", at(":::exercise"))),
        "{report}"
    );
}

#[test]
fn an_exercise_without_a_solution() {
    let solution = &CHAPTER[CHAPTER.find(":::solution").unwrap()..];
    let sample = Sample::with(solution, "");
    sample.remove("tests/solutions/ch01.rs");
    sample.fails(&at(":::exercise"), "has no solution");
}

#[test]
fn text_between_an_exercise_and_its_solution() {
    let report =
        Sample::with(":::\n:::solution", ":::\n\nBut.\n\n:::solution").run("html");
    let report = report.unwrap_err();
    assert!(
        report.contains(&format!("{}: this exercise has no", at(":::exercise"))),
        "{report}"
    );
}
