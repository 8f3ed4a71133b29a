use anyhow::{Result, bail};
use std::process::ExitCode;
use xtask::project::Project;
use xtask::steps::{mark, report};
use xtask::{listings, preprocess, tasks};

const HELP: &str = "\
The tasks of this workspace.

usage: cargo xtask <task>

  book [--open]        regenerate every output and figure, build the book into target/book and
                       check it; --open shows it in the browser
  watch                `book`, again after every change to the chapters, the theme, the examples or
                       the library; read target/book/index.html and reload
  test                 every test: generated content, gates, listings, cargo test, browser
  bless                only rewrite book/output and book/figures from the examples, saying what
                       changed (`book` does this and then builds; `test` fails instead)
  listings             only compile and run the book's listings; leaves the crates they need in
                       target/book-test, for `mdbook test -L target/book-test`
  browser [--screens]  only open every page of target/book in headless Chromium; --screens keeps
                       pictures of them in target/screens
  preprocess           the preprocessor's command for plain `mdbook build`; not for people
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {}", mark("✗", 31), report(&error));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = pico_args::Arguments::from_env();
    if arguments.contains(["-h", "--help"]) {
        print!("{HELP}");
        return Ok(());
    }
    let task = arguments.subcommand()?;
    // mdBook adds a word of its own (`supports html`), which the preprocessor reads itself.
    if task.as_deref() == Some("preprocess") {
        return preprocess::run_as_command();
    }
    let mut flag = |name: &'static str| arguments.contains(name);
    let (open, screens, prepared) =
        (flag("--open"), flag("--screens"), flag("--prepared"));
    let rest = arguments.finish();
    if !rest.is_empty() {
        bail!("unknown argument {}; see `cargo xtask --help`", rest[0].display());
    }
    let project = Project::locate()?;
    match task.as_deref() {
        Some("book") => tasks::book(&project, open),
        Some("watch") => tasks::watch(&project),
        Some("test") => tasks::test(&project),
        Some("bless") => tasks::bless(&project),
        Some("listings") if prepared => listings::test_prepared(&project),
        Some("listings") => tasks::listings(&project),
        Some("browser") => tasks::browser(&project, screens).map(|done| done.print()),
        Some(other) => bail!("no task {other}; see `cargo xtask --help`"),
        None => bail!("which task?\n\n{HELP}"),
    }
}
