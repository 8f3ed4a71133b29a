//! The book's listings, compiled and run by `rustdoc --test` as mdBook's `test` does it.

use crate::examples::{self, Built};
use crate::preprocess::Mixtures;
use crate::project::Project;
use crate::site;
use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Fills `target/book-test` with exactly the crates that the examples were compiled against: in
/// cargo's own folder a crate can stand twice, and rustc refuses to choose.
pub fn prepare(project: &Project, built: &Built) -> Result<()> {
    let folder = project.listing_crates();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for library in &built.libraries {
        let name = library.file_name().context("a library has a name")?;
        let link = folder.join(name);
        // A hard link costs nothing; across file systems there is none, so copy.
        if fs::hard_link(library, &link).is_err() {
            fs::copy(library, &link)
                .with_context(|| format!("cannot copy {}", library.display()))?;
        }
    }
    Ok(())
}

/// Tests the listings in a child process, whose figures go to a folder of their own.
pub fn test(project: &Project, built: &Built) -> Result<String> {
    prepare(project, built)?;
    let figures = tempfile::tempdir()?;
    let status = Command::new(std::env::current_exe()?)
        .args(["listings", "--prepared"])
        .env("MIXTURES_FIGURES", figures.path())
        .current_dir(&project.root)
        .status()?;
    if !status.success() {
        bail!("the listings fail; the report is above");
    }
    Ok(format!("{} examples through the book", built.programs.len()))
}

/// The child's part of [`test()`]. What it links against has been prepared.
pub fn test_prepared(project: &Project) -> Result<()> {
    site::without_warnings(|| {
        let mut book = site::load(project)?;
        every_example_is_run(project, &book)?;
        let crates = project.listing_crates();
        book.test(vec![crates.to_str().context("the checkout's path is not UTF-8")?])
    })
}

/// rustdoc passes a chapter without any code: count the blocks that it will be given.
fn every_example_is_run(project: &Project, book: &MDBook) -> Result<()> {
    let context = PreprocessorContext::new(
        project.root.clone(),
        book.config.clone(),
        "test".to_owned(),
    );
    let given = Mixtures.run(&context, book.book.clone())?;
    let mut blocks = 0;
    for item in given.iter() {
        if let BookItem::Chapter(chapter) = item {
            let fences = chapter.content.lines().filter(|l| l.starts_with("```rust"));
            blocks += fences.count();
        }
    }
    let entries = fs::read_dir(project.examples())?;
    let names: BTreeSet<_> = entries
        .filter_map(|entry| {
            Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())
        })
        .filter(|name| examples::page_of(name).is_some())
        .collect();
    if blocks < names.len() {
        bail!(
            "the chapters show {blocks} examples of {}: some example has no listing that runs",
            names.len()
        );
    }
    Ok(())
}
