//! The small book that faults are planted in.

use std::fs;
use std::path::Path;

use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use xtask::preprocess::Mixtures;

/// A book that uses every part of the syntax once, without a fault.
pub struct Sample {
    pub folder: tempfile::TempDir,
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

/// Faults are planted in this page; its line numbers count from 1.
pub const CHAPTER: &str = r"# The chapter

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
    pub fn new() -> Self {
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
        sample.write(
            "book/figures/points.svg",
            "<svg viewBox=\"0 0 640 480\"></svg>\n",
        );
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
    pub fn with(from: &str, to: &str) -> Self {
        let sample = Sample::new();
        sample.replace("book/ch01-one.md", from, to);
        sample
    }

    pub fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{from:?} is not in {path}");
        self.write(path, &text.replacen(from, to, 1));
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    /// The pages for `renderer`, by path.
    pub fn run(&self, renderer: &str) -> Result<Vec<(String, String)>, String> {
        let book = MDBook::load(self.folder.path()).unwrap();
        let ctx = PreprocessorContext::new(
            book.root.clone(),
            book.config.clone(),
            renderer.to_string(),
        );
        let book =
            Mixtures.run(&ctx, book.book).map_err(|error| error.to_string())?;
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
    pub fn fails(&self, place: &str, cause: &str) {
        let report = self.run("html").expect_err("the planted fault passed");
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(lines.len(), 2, "one fault was planted: {report}");
        assert!(
            lines[1].starts_with(&format!("{place}: ")),
            "not at {place}: {report}"
        );
        assert!(lines[1].contains(cause), "no {cause:?} in {report}");
        assert!(lines[1].contains(" — "), "no cure in {report}");
        assert_eq!(self.run("test").unwrap_err(), report, "a test run lets it pass");
    }
}

/// The line of the chapter that holds `text`, as faults name it.
pub fn at(text: &str) -> String {
    let line = CHAPTER.lines().position(|l| l.contains(text)).unwrap() + 1;
    format!("book/ch01-one.md:{line}")
}
