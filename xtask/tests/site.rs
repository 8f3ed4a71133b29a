//! Plants a fault in a small book and sees the build fail, naming the file and the cause.

use std::fs;
use std::path::Path;
use xtask::project::Project;
use xtask::site;

/// A book of two pages without a fault.
struct Book {
    folder: tempfile::TempDir,
}

const NOTATION: &str = "\
# Notation

## One symbol

Back to [the preface](preface.md#the-map) and [its top](preface.md), and out to
[mdBook](https://rust-lang.github.io/mdBook/).
";

impl Book {
    fn new() -> Self {
        let book = Self { folder: tempfile::tempdir().unwrap() };
        book.write("book.toml", BOOK_TOML);
        book.write("book/macros.tex", "");
        book.write(
            "book/SUMMARY.md",
            "# Summary\n\n[Preface](preface.md)\n\n- [Notation](notation.md)\n- [Later]()\n",
        );
        book.write(
            "book/preface.md",
            "# Preface\n\n## The map\n\nSee [one symbol](notation.md#one-symbol).\n",
        );
        book.write("book/notation.md", NOTATION);
        book
    }

    fn with(planted: &str) -> Self {
        let book = Self::new();
        book.write("book/notation.md", &format!("{NOTATION}\n{planted}\n"));
        book
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn build(&self) -> Result<site::Site, String> {
        site::build(&Project::at(self.folder.path()))
            .map_err(|error| xtask::steps::report(&error))
    }

    /// The error of a build that must fail.
    fn fault(&self) -> String {
        match self.build() {
            Ok(_) => panic!("the planted fault passed"),
            Err(text) => text,
        }
    }
}

const BOOK_TOML: &str = "\
[book]
title = \"Planted\"
src = \"book\"

[build]
build-dir = \"target/book\"
create-missing = false

[preprocessor.mixtures]
command = \"replaced in-process\"
renderers = [\"html\", \"test\"]
before = [\"links\"]

[output.html.print]
enable = false
";

/// Line of the planted text in notation.md.
const LINE: usize = 8;

#[track_caller]
fn caught(planted: &str, cause: &str) {
    caught_at(&format!("book/notation.md:{LINE}: "), planted, cause);
}

#[track_caller]
fn caught_at(place: &str, planted: &str, cause: &str) {
    let text = Book::with(planted).fault();
    let expected = format!("{place}{cause}");
    assert!(text.contains(&expected), "expected {expected}\ngot {text}");
}

#[test]
fn a_book_without_faults_passes() {
    let book = Book::new();
    let site = book.build().unwrap();
    assert!(site.links > 0 && site.index.is_file());
    assert_eq!(site.index, book.folder.path().join("target/book/index.html"));
}

#[test]
fn a_dead_link_is_caught() {
    caught(
        "[gone](ch99-gone.html)",
        "dead link ch99-gone.html: ch99-gone.html is no file",
    );
    caught("[gone](ch99-gone.md)", "dead link ch99-gone.html");
    caught("[out](../secret.html)", "dead link ../secret.html: it leaves the book");
}

#[test]
fn a_dead_fragment_is_caught() {
    caught(
        "[gone](preface.md#gone)",
        "dead fragment preface.html#gone: preface.html has no id \"gone\"",
    );
    caught("[gone](#nowhere)", "dead fragment #nowhere");
}

#[test]
fn a_load_from_outside_is_caught() {
    caught(
        "<img src=\"https://example.org/a.png\" alt=\"a picture\">",
        "<img> loads https://example.org/a.png from outside",
    );
    caught(
        "<script src=\"//example.org/a.js\"></script>",
        "<script> loads //example.org/a.js from outside",
    );
    caught(
        "<link rel=\"stylesheet\" href=\"http://example.org/a.css\">",
        "<link> loads http://example.org/a.css from outside",
    );
}

#[test]
fn an_absolute_address_is_caught() {
    caught("[root](/preface.html)", "/preface.html is absolute");
    caught(
        "[disk](file:///etc/hostname)",
        "file:///etc/hostname names a file of this machine",
    );
}

#[test]
fn a_missing_or_mute_image_is_caught() {
    caught("![a plot](figures/gone.svg)", "dead link figures/gone.svg");
    let book = Book::with("![](pictures/mute.svg)");
    book.write(
        "book/pictures/mute.svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
    );
    let text = book.fault();
    assert!(text.contains("the image pictures/mute.svg has no alt text"), "{text}");
}

#[test]
fn leftovers_of_the_source_are_caught() {
    caught_at(
        "book/notation.md: ",
        "<p>&#123;&#123;#nothing such}}</p>",
        "an unresolved directive is left: {{#nothing such}}",
    );
    caught_at("book/notation.md: ", "<p>&#36;&#36;x</p>", "raw TeX is left: $$x");
    caught_at("book/notation.md: ", "<p>&#92;frac</p>", "raw TeX is left: \\frac");
}

#[test]
fn an_empty_listing_is_caught() {
    let text = Book::with("<pre><code class=\"language-text\"></code></pre>").fault();
    assert!(text.contains("book/notation.md: an empty listing"), "{text}");
}

#[test]
fn an_id_given_twice_is_caught() {
    caught_at(
        "book/notation.md: ",
        "<span id=\"twin\"></span><b id=\"twin\">b</b>",
        "the id \"twin\" stands twice",
    );
}

#[test]
fn code_may_mention_what_prose_may_not() {
    Book::with("The command `\\frac`, the fence `$$` and `{{#…}}`.").build().unwrap();
}

#[test]
fn a_warning_of_mdbook_fails_the_build() {
    let text = Book::with("An <em>unclosed tag.").fault();
    assert!(text.contains("mdBook warned"), "{text}");
    assert!(text.contains("unclosed"), "{text}");
}

#[test]
fn a_style_sheet_that_loads_from_outside_is_caught() {
    let book = Book::new();
    book.write(
        "book.toml",
        &format!("{BOOK_TOML}\n[output.html]\nadditional-css = [\"a.css\"]\n"),
    );
    book.write("a.css", "@font-face { src: url(\"https://example.org/a.woff2\"); }");
    let text = book.fault();
    assert!(
        text.contains("loads https://example.org/a.woff2 from outside"),
        "{text}"
    );
    book.write("a.css", "@font-face { src: url('gone.woff2'); }");
    let text = book.fault();
    assert!(text.contains("dead link gone.woff2"), "{text}");
}

#[test]
fn a_missing_chapter_is_caught() {
    let book = Book::new();
    fs::remove_file(book.folder.path().join("book/notation.md")).unwrap();
    let text = book.fault();
    assert!(text.contains("notation.md"), "{text}");
    assert!(!Path::new(&book.folder.path().join("book/notation.md")).exists());
}
