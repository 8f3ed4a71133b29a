//! Plants each fault that the preprocessor knows in a small book, and sees it reported with its
//! file and line; and compares a page without faults with what it must become.

use std::fs;
use std::path::Path;

use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use xtask::preprocess::Mixtures;

/// A book that uses every part of the syntax once, without a fault.
struct Sample {
    folder: tempfile::TempDir,
}

const BOOK_TOML: &str = r#"[book]
src = "book"
[build]
build-dir = "target/book"
create-missing = false
[preprocessor.mixtures]
command = "replaced in-process"
before = ["links"]
"#;

const CHAPTER: &str = r"# The chapter

Inline $\x_n\T$, a price of \$5, `$code$`, and [@the-update]; see [@fig:points].

:::result the-update | The update of $\x$
$$
\x = \frac{1}{2}
$$
:::

```rust
{{#rustdoc_include ../examples/ch01_one.rs:shown}}
```

```text
{{#output ch01: run}}
```

The mean is {{#value ch01: mean}}, so $m = {{#value ch01: tiny}}$.

:::figure points | Points in the plane
All of $\x$.
:::

:::exercise Halves
Why a half?
:::
:::solution
```rust
{{#include ../tests/solutions/ch01.rs:half}}
```
:::
";

impl Sample {
    fn new() -> Self {
        let sample = Sample { folder: tempfile::tempdir().unwrap() };
        sample.write("book.toml", BOOK_TOML);
        sample.write(
            "book/SUMMARY.md",
            "# Summary\n\n- [The chapter](ch01-one.md)\n- [Later]()\n\n---\n\n[More](appendix-more.md)\n",
        );
        sample.write(
            "book/macros.tex",
            "% notation\n\\newcommand{\\x}{{\\mathbf x}}\n\\newcommand{\\T}{^{\\mathsf T}}\n",
        );
        sample.write("book/ch01-one.md", CHAPTER);
        sample.write("book/appendix-more.md", "# More\n\nBack to [@the-update].\n");
        sample.write("book/output/ch01.txt", "# run\n\nmean = -2.5\ntiny = 1e-12\n");
        sample.write("book/figures/points.svg", "<svg viewBox=\"0 0 640 480\"></svg>\n");
        sample.write(
            "examples/ch01_one.rs",
            "//! One.\nuse mixtures::Em;\n\n// ANCHOR: shown\nfn main() {\n    // ANCHOR: inner\n    let x = 1;\n    // ANCHOR_END: inner\n}\n// ANCHOR_END: shown\n",
        );
        sample.write(
            "book/appendix-more.md",
            "# More\n\nBack to [@the-update].\n\n```rust\n{{#rustdoc_include ../examples/ch01_one.rs:inner}}\n```\n",
        );
        sample.write("tests/equations/main.rs", "mod ch01;\n");
        sample.write(
            "tests/equations/ch01.rs",
            "/// Checks it.\n#[test]\nfn the_update() {\n    assert_eq!(1, 1);\n}\n",
        );
        sample.write(
            "tests/solutions/ch01.rs",
            "#[test]\nfn half() {\n    // ANCHOR: half\n    let half = 0.5;\n    // ANCHOR_END: half\n}\n",
        );
        sample
    }

    /// The sample with a chapter in which `from` is `to`.
    fn with(from: &str, to: &str) -> Self {
        let sample = Sample::new();
        sample.replace("book/ch01-one.md", from, to);
        sample
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn replace(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{from:?} is not in {path}");
        self.write(path, &text.replacen(from, to, 1));
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    /// The pages for `renderer`, by path.
    fn run(&self, renderer: &str) -> Result<Vec<(String, String)>, String> {
        let book = MDBook::load(self.folder.path()).unwrap();
        let ctx =
            PreprocessorContext::new(book.root.clone(), book.config.clone(), renderer.to_string());
        let book = Mixtures.run(&ctx, book.book).map_err(|error| error.to_string())?;
        let page = |item: &BookItem| match item {
            BookItem::Chapter(chapter) => {
                let path = chapter.path.as_deref().map(Path::to_string_lossy)?;
                Some((path.to_string(), chapter.content.clone()))
            }
            _ => None,
        };
        Ok(book.iter().filter_map(page).collect())
    }

    /// Expects exactly one fault, and that it begins with `place` and mentions `cause`.
    fn fails(&self, place: &str, cause: &str) {
        let report = self.run("html").expect_err("the planted fault passed");
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(lines.len(), 2, "one fault was planted: {report}");
        assert!(lines[1].starts_with(&format!("{place}: ")), "not at {place}: {report}");
        assert!(lines[1].contains(cause), "no {cause:?} in {report}");
        assert!(lines[1].contains(" — "), "no cure in {report}");
        assert_eq!(self.run("test").unwrap_err(), report, "a test run lets it pass");
    }
}

/// The line of the chapter that holds `text`, as faults name it.
fn at(text: &str) -> String {
    let line = CHAPTER.lines().position(|l| l.contains(text)).unwrap() + 1;
    format!("book/ch01-one.md:{line}")
}

#[test]
fn a_page_without_faults_becomes_what_it_must() {
    let pages = Sample::new().run("html").unwrap();
    let expected = r##"# The chapter

Inline <span class="glued"><math><msubsup><mi>𝐱</mi><mi>n</mi><mi>𝖳</mi></msubsup></math>,</span> a price of \$5, `$code$`, and <a class="ref" href="#the-update">(1.1)</a>; see <a class="ref" href="#fig-points">Figure 1.1</a>.


<div class="result" id="the-update">
<div class="head">

<a class="number" href="#the-update">Result 1.1</a> The update of <math><mi>𝐱</mi></math>

</div>

<span class="display"><math display="block"><mi>𝐱</mi><mo>&#61;</mo><mfrac><mn>1</mn><mn>2</mn></mfrac></math></span>

<details class="check">
<summary>Checked by <code>tests/equations/ch01.rs</code>, <code>the_update</code></summary>

```rust
/// Checks it.
#[test]
fn the_update() {
    assert_eq!(1, 1);
}
```

</details>
</div>



<div class="listing">
<div class="source"><code>examples/ch01_one.rs</code> <em>shown</em></div>

```rust
fn main() {
    let x = 1;
}
```

</div>



<div class="output">
<div class="source"><code><span>$</span> cargo run --example ch01_one</code></div>

```text
mean = -2.5
tiny = 1e-12
```

</div>


The mean is −2&#46;5, so <span class="glued"><math><mi>m</mi><mo>&#61;</mo><mn>1</mn><mo lspace="0.2222em" rspace="0.2222em">×</mo><msup><mn>10</mn><mrow><mo lspace="0" rspace="0">−</mo><mn>12</mn></mrow></msup></math>.</span>


<figure id="fig-points">
<img src="figures/points.svg" alt="Points in the plane" width="640" height="480">
<figcaption>

<span class="number">Figure 1.1.</span> All of <span class="glued"><math><mi>𝐱</mi></math>.</span>

</figcaption>
</figure>



<div class="exercise" id="exercise-1-1">
<div class="head">

<a class="number" href="#exercise-1-1">Exercise 1.1</a> Halves

</div>

Why a half?


<details class="solution">
<summary>Solution</summary>


<div class="listing">
<div class="source"><code>tests/solutions/ch01.rs</code> <em>half</em></div>

```rust
let half = 0.5;
```

</div>


</details>
</div>

"##;
    assert_eq!(pages[0].1, expected, "\n--- it became\n{}", pages[0].1);
    let more = &pages[1].1;
    assert!(more.contains("<a class=\"ref\" href=\"ch01-one.md#the-update\">(1.1)</a>"), "{more}");
}

#[test]
fn the_renderer_test_gets_each_example_once_and_whole() {
    let sample = Sample::with(
        "{{#output ch01: run}}\n```",
        "{{#output ch01: run}}\n```\n\n```rust\n{{#rustdoc_include ../examples/ch01_one.rs:inner}}\n```",
    );
    let pages = sample.run("test").unwrap();
    assert_eq!(
        pages[0].1,
        "# examples/ch01_one.rs\n\n```rust\nextern crate mixtures;\nuse mixtures::Em;\n\n// ANCHOR: shown\nfn main() {\n    // ANCHOR: inner\n    let x = 1;\n    // ANCHOR_END: inner\n}\n// ANCHOR_END: shown\n```\n\n"
    );
}

#[test]
fn math_survives_lists_quotations_and_tables() {
    let sample = Sample::with(
        "Why a half?",
        "- item\n  $$\n  a_1 * b_1\n  $$\n- next\n\n> [!NOTE]\n> $$\n> a\n> > b\n> $$\n\n| a | b |\n| - | - |\n| $\\left|x\\right|$ | $y$ |",
    );
    let root = sample.folder.path();
    let mut book = MDBook::load(root).unwrap();
    book.with_preprocessor(Mixtures);
    book.build().unwrap();
    let html = fs::read_to_string(root.join("target/book/ch01-one.html")).unwrap();
    assert!(html.contains("<msub><mi>a</mi><mn>1</mn></msub>"), "{html}");
    assert!(html.contains(">∗</mo>"), "{html}");
    assert!(html.contains("<mi>a</mi><mo>&gt;</mo><mi>b</mi></math></span>"), "{html}");
    assert!(html.contains("<td><math><mrow><mo>|</mo><mi>x</mi><mo>|</mo></mrow></math></td>"));
    assert!(!html.contains("$$"));
}

#[test]
fn every_fault_is_reported_in_order() {
    let sample = Sample::with("[@the-update]", "[@nothing]");
    sample.replace("book/ch01-one.md", "{{#value ch01: mean}}", "{{#value ch01: none}}");
    let report = sample.run("html").unwrap_err();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 3, "{report}");
    assert!(lines[1].starts_with(&at("Inline")), "{report}");
    assert!(lines[2].starts_with(&at("The mean")), "{report}");
}

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
    Sample::with("\\$5", "$5 or $6").fails(&at("Inline"), "begins or ends with a space");
}

#[test]
fn display_math_that_is_not_closed() {
    Sample::with("2}\n$$\n:::", "2}\n:::").fails("book/ch01-one.md:6", "`$$` opens math");
}

// Labels and results.

#[test]
fn an_unknown_label() {
    Sample::with("[@the-update]", "[@the-updaet]").fails(&at("Inline"), "`the-updaet`");
}

#[test]
fn a_label_taken_twice() {
    let again = "2}\n$$\n:::\n\n:::result the-update | Again\n$$ a $$\n:::";
    Sample::with("2}\n$$\n:::", again).fails("book/ch01-one.md:11", "taken already");
}

#[test]
fn a_result_without_a_title() {
    Sample::with(" | The update of $\\x$", "").fails(&at(":::result"), "a label in kebab-case");
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
    sample.replace("tests/equations/ch01.rs", "/// Checks", "#[test]\nfn other() {}\n\n/// Checks");
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
    Sample::with("half}}\n```\n:::", "half}}\n```").fails(&at(":::solution"), "never closed");
}

#[test]
fn a_closing_line_that_closes_nothing() {
    Sample::with("The mean is", ":::\n\nThe mean is").fails(&at("The mean"), "closes nothing");
}

#[test]
fn an_unknown_directive() {
    let report = Sample::with(":::exercise", ":::excercise").run("html").unwrap_err();
    assert!(report.contains(&format!("{}: unknown directive", at(":::exercise"))), "{report}");
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
    let report = Sample::with(":::\n:::solution", ":::\n\nBut.\n\n:::solution").run("html");
    let report = report.unwrap_err();
    assert!(report.contains(&format!("{}: this exercise has no", at(":::exercise"))), "{report}");
}

// Listings.

#[test]
fn a_missing_include() {
    let sample = Sample::with("ch01_one.rs:shown", "ch01_two.rs:shown");
    let report = sample.run("html").unwrap_err();
    assert!(report.contains("book/ch01-one.md:12: there is no file examples/ch01_two.rs"));
}

#[test]
fn a_misspelt_anchor() {
    let report = Sample::with("one.rs:shown", "one.rs:shwon").run("html").unwrap_err();
    assert!(report.contains(&format!("{}: examples/ch01_one.rs has no", at(":shown"))), "{report}");
    assert!(report.contains("examples/ch01_one.rs:4: no page shows the anchor `shown`"));
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
    Sample::with(from, "{{#rustdoc_include ../tests").fails(&at(from), "is no example");
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
    let report = Sample::with("```rust\n{{#rustdoc", "```rust,ignore\n{{#rustdoc").run("html");
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
    Sample::with("The mean is", "```toml\n{{#include ../x.toml}}\n```\n\nThe mean is")
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
    let report = Sample::with("{{#output ch01", "{{#output ch07").run("html").unwrap_err();
    assert!(report.contains(&format!("{}: there is no book/output/ch07", at("#output"))));
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
    Sample::with("ch01: mean}}", "ch01: maen}}").fails(&at("The mean"), "no line `maen = …`");
    Sample::with("ch01: tiny}}", "ch01: tony}}").fails(&at("The mean"), "no line `tony = …`");
}

#[test]
fn an_ambiguous_value() {
    let sample = Sample::new();
    sample.replace("book/output/ch01.txt", "tiny", "  mean = 3\ntiny");
    sample.fails(&at("The mean"), "2 lines `mean = …`");
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
    Sample::with(" | Points in the plane", " |").fails(&at(":::figure"), "no alt text");
}

// Pages and examples.

#[test]
fn a_page_that_the_summary_does_not_list() {
    let sample = Sample::new();
    sample.write("book/lost.md", "# Lost\n");
    sample.fails("book/lost.md", "SUMMARY.md does not list this page");
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
