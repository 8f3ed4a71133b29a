//! What pages become when nothing is wrong.

use std::fs;

use mdbook_driver::MDBook;
use xtask::preprocess::Mixtures;

use crate::sample::{Sample, at};

#[test]
fn a_page_without_faults_becomes_what_it_must() {
    let pages = Sample::new().run("html").unwrap();
    let expected = r##"# The chapter {.chapter data-number=1}

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
<div class="source"><code><span>$</span> cargo run --example ch01_one</code> <em>run</em></div>

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
    assert!(
        more.contains("<a class=\"ref\" href=\"ch01-one.md#the-update\">(1.1)</a>"),
        "{more}"
    );
}

#[test]
fn a_line_does_not_break_where_it_must_not() {
    let sample = Sample::with(
        "Why a half?",
        "## The M-step\n\nThe M-step ($x$'s part, the $n$th, $k$-means), x-y, a Student-t, 90 % of 20 000 or 7 things; run `cargo run --example a_b`, not `a-b --`. [A-c](a-d.md#the-e-f).",
    );
    let page = &sample.run("html").unwrap()[0].1;
    for glued in [
        "## The <span class=\"glued\">M-step</span>\n",
        "(<math><mi>x</mi></math>’s</span> part",
        "<math><mi>n</mi></math>th</span>,",
        "<math><mi>k</mi></math>-</span>means",
        "<span class=\"glued\">x-y</span>, a <span class=\"glued\">Student-t</span>,",
        " <span class=\"glued\">90 %</span> of <span class=\"glued\">20 000</span> or 7 things;",
        "[<span class=\"glued\">A-c</span>](a-d.md#the-e-f).",
        "<code>cargo run <span class=\"glued\">&#45;&#45;example</span> a&#95;b</code>",
    ] {
        assert!(page.contains(glued), "no {glued:?} in {page}");
    }
}

#[test]
fn displays_that_follow_each_other_are_marked() {
    let sample = Sample::with("Why a half?", "$$ a $$\n\n$$ b $$\n\nand\n\n$$ c $$");
    let page = &sample.run("html").unwrap()[0].1;
    for (class, letter) in [("display", "a"), ("display more", "b"), ("display", "c")]
    {
        let wanted = format!(
            "<span class=\"{class}\"><math display=\"block\"><mi>{letter}</mi></math></span>"
        );
        assert!(page.contains(&wanted), "no {wanted} in {page}");
    }
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
    assert!(
        html.contains("<mi>a</mi><mo>&gt;</mo><mi>b</mi></math></span>"),
        "{html}"
    );
    assert!(html.contains(
        "<td><math><mrow><mo>|</mo><mi>x</mi><mo>|</mo></mrow></math></td>"
    ));
    assert!(!html.contains("$$"));
}

#[test]
fn every_fault_is_reported_in_order() {
    let sample = Sample::with("[@the-update]", "[@nothing]");
    sample.replace(
        "book/ch01-one.md",
        "{{#value ch01: mean}}",
        "{{#value ch01: none}}",
    );
    let report = sample.run("html").unwrap_err();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 3, "{report}");
    assert!(lines[1].starts_with(&at("Inline")), "{report}");
    assert!(lines[2].starts_with(&at("The mean")), "{report}");
}

#[test]
fn an_appendix_shows_what_its_own_example_printed() {
    let sample = Sample::new();
    sample.write("examples/appendix_more.rs", "fn main() {}\n");
    sample.write("book/output/appendix_more.txt", "# all\n\nslope = 3\n");
    sample.write(
        "book/appendix-more.md",
        "# More\n\n```rust\n{{#rustdoc_include ../examples/ch01_one.rs:inner}}\n```\n\n\
         ```text\n{{#output appendix_more: all}}\n```\n",
    );
    let pages = sample.run("html").unwrap();
    let (_, more) =
        pages.iter().find(|(path, _)| path == "appendix-more.md").unwrap();
    assert!(more.contains("cargo run --example appendix_more"), "{more}");
    assert!(more.contains("slope = 3"), "{more}");
}
