//! Plants stale, missing, changed and surplus files among what the examples write.

use std::fs;
use std::path::Path;
use xtask::generated::Generated;
use xtask::project::Project;

/// A project whose one example prints `text` and draws `figures`.
struct Fixture {
    folder: tempfile::TempDir,
    project: Project,
    text: &'static str,
    figures: Vec<(&'static str, &'static str)>,
}

impl Fixture {
    /// Committed and current.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Self {
            project: Project::at(folder.path()),
            folder,
            text: "# The fit\nmu = 1.5\nsigma = 2\n",
            figures: vec![("points.svg", "<svg>\n<circle/>\n</svg>\n")],
        };
        fixture.bless();
        assert_eq!(fixture.changes(), "");
        fixture
    }

    fn generated(&self, example: &str) -> anyhow::Result<Generated> {
        let drawn = tempfile::tempdir().unwrap();
        for (name, content) in &self.figures {
            fs::write(drawn.path().join(name), content).unwrap();
        }
        Generated::of_example(example, self.text.into(), drawn.path())
    }

    fn changes(&self) -> String {
        let committed = Generated::committed(&self.project).unwrap();
        let changes = self.generated("ch01_one").unwrap().changes_from(&committed);
        let lines: Vec<_> = changes.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    fn bless(&self) {
        let committed = Generated::committed(&self.project).unwrap();
        let generated = self.generated("ch01_one").unwrap();
        let changes = generated.changes_from(&committed);
        generated.write(&self.project, &changes).unwrap();
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }
}

#[test]
fn a_stale_output_is_caught_with_its_first_differing_line() {
    let fixture = Fixture::new();
    fs::write(
        fixture.path("book/output/ch01.txt"),
        "# The fit\nmu = 1.4\nsigma = 2\n",
    )
    .unwrap();
    assert_eq!(
        fixture.changes(),
        "book/output/ch01.txt:2: not what examples/ch01_one.rs writes\n      \
         committed: mu = 1.4\n      written:   mu = 1.5"
    );
    fixture.bless();
    assert_eq!(fixture.changes(), "");
}

#[test]
fn a_shorter_output_and_a_lost_newline_are_caught() {
    let fixture = Fixture::new();
    fs::write(fixture.path("book/output/ch01.txt"), "# The fit\nmu = 1.5\n").unwrap();
    let text = fixture.changes();
    assert!(
        text.contains("ch01.txt:3") && text.contains("(the file ends here)"),
        "{text}"
    );
    fs::write(fixture.path("book/output/ch01.txt"), "# The fit\nmu = 1.5\nsigma = 2")
        .unwrap();
    let text = fixture.changes();
    assert!(
        text.contains("ch01.txt:3") && text.contains("sigma = 2 (no newline)"),
        "{text}"
    );
}

#[test]
fn a_long_line_is_shown_around_the_difference() {
    let mut fixture = Fixture::new();
    let long = |end: &str| format!("{}{end}\n", "7,".repeat(5000));
    fixture.figures[0].1 = long("old").leak();
    fixture.bless();
    fixture.figures[0].1 = long("new").leak();
    let text = fixture.changes();
    assert!(text.contains("7,old") && text.contains("7,new"), "{text}");
    assert!(text.len() < 600, "{} bytes", text.len());
}

#[test]
fn a_missing_figure_is_caught() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.path("book/figures/points.svg")).unwrap();
    assert_eq!(
        fixture.changes(),
        "book/figures/points.svg: missing; examples/ch01_one.rs writes it"
    );
}

#[test]
fn files_that_no_example_writes_are_caught_and_removed() {
    let fixture = Fixture::new();
    let strays = ["book/figures/old.svg", "book/output/ch09.txt"]
        .map(|path| fixture.path(path));
    for stray in &strays {
        fs::write(stray, "x").unwrap();
    }
    assert_eq!(
        fixture.changes(),
        "book/figures/old.svg: no example writes it\nbook/output/ch09.txt: no example writes it"
    );
    fixture.bless();
    assert!(strays.iter().all(|stray| !stray.exists()));
}

#[test]
fn an_unchanged_file_is_not_touched() {
    let fixture = Fixture::new();
    let path = fixture.path("book/output/ch01.txt");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(fixture.path("book/figures/points.svg"), "other").unwrap();
    fixture.bless();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
}

#[test]
fn two_examples_that_draw_one_figure_are_caught() {
    let fixture = Fixture::new();
    let mut all = fixture.generated("ch01_one").unwrap();
    let error = all.merge(fixture.generated("ch02_two").unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "book/figures/points.svg: written by examples/ch01_one.rs and by \
         examples/ch02_two.rs; rename one"
    );
}

#[test]
fn a_figure_that_is_no_svg_is_caught() {
    let mut fixture = Fixture::new();
    fixture.figures.push(("points.png", "x"));
    let error = fixture.generated("ch01_one").unwrap_err().to_string();
    assert!(error.contains("examples/ch01_one.rs wrote points.png"), "{error}");
    assert!(!Path::new(&fixture.path("book/figures/points.png")).exists());
}
