//! The book's own syntax: math, numbered results, figures, exercises, listings, outputs.
//!
//! Two passes: `book::collect` takes every page apart and numbers what is numbered, then
//! `render::Writer` writes each page. Every fault found on the way is reported, and any fails the
//! build: mdBook itself is silent about a missing include or a misspelt anchor.

mod blocks;
mod book;
mod fault;
mod gates;
mod html;
mod inline;
mod macros;
mod math;
mod output;
mod project;
mod reader;
mod render;
mod scan;
mod source;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext, parse_input};

use fault::Faults;
use math::Math;
use project::Project;
use render::{Shown, Writer};

/// The preprocessor `mixtures` of book.toml.
pub struct Mixtures;

impl Preprocessor for Mixtures {
    fn name(&self) -> &str {
        "mixtures"
    }

    fn supports_renderer(&self, renderer: &str) -> anyhow::Result<bool> {
        Ok(matches!(renderer, "html" | "test"))
    }

    fn run(&self, ctx: &PreprocessorContext, mut book: Book) -> anyhow::Result<Book> {
        let pages = write_pages(ctx, &book)?;
        book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item
                && let Some(path) = &chapter.source_path
                && let Some(content) = pages.get(path)
            {
                chapter.content = content.clone();
            }
        });
        Ok(book)
    }
}

/// The new content of every page, by its source path; fails with all faults of the book.
fn write_pages(
    ctx: &PreprocessorContext,
    book: &Book,
) -> anyhow::Result<HashMap<PathBuf, String>> {
    let mut faults = Faults::default();
    let src = book::slashed(&ctx.config.book.src);
    let project = Project::read(&ctx.root, &src, &mut faults)?;
    let math = Math::new(&project.macros, &format!("{src}/macros.tex"), &mut faults);
    let collected = book::collect(book, &src, &mut faults);
    let mut shown = Shown::default();
    let mut writer = Writer {
        project: &project,
        math: &math,
        collected: &collected,
        shown: &mut shown,
        faults: &mut faults,
    };
    let mut pages = HashMap::new();
    for page in &collected.pages {
        // The faults are the same for every renderer: a test run stops where a build would.
        let mut content = writer.html(page);
        if ctx.renderer == "test" {
            content = writer.test(page);
        }
        pages.insert(page.path.clone(), content);
    }
    gates::check(&project, &collected, &shown, &mut faults)?;
    faults.into_result()?;
    Ok(pages)
}

/// What mdBook calls: `preprocess supports <renderer>` answers by its exit code, `preprocess`
/// reads a book from stdin and writes it to stdout.
pub fn run_as_command() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    if let [command, renderer] = &arguments[..]
        && command == "supports"
    {
        let supported = Mixtures.supports_renderer(renderer)?;
        std::process::exit(if supported { 0 } else { 1 });
    }
    let (ctx, book) = parse_input(io::stdin())?;
    let book = Mixtures.run(&ctx, book)?;
    serde_json::to_writer(io::stdout(), &book)?;
    Ok(())
}
