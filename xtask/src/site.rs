//! Building the book with mdBook as a library, where a warning is an error.

use crate::links::{self, Page};
use crate::preprocess::Mixtures;
use crate::project::Project;
use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};

/// A book that was built and passed every gate.
pub struct Site {
    pub index: PathBuf,
    pub pages: usize,
    pub links: usize,
}

/// Renders the book into `target/book` and looks at what came out.
pub fn build(project: &Project) -> Result<Site> {
    let book = without_warnings(|| {
        let book = load(project)?;
        book.build()?;
        Ok(book)
    })?;
    let site = book.build_dir_for("html");
    let pages = pages(&book)?;
    let checked = links::check(&site, &project.sources(), &pages)?;
    if !checked.faults.is_empty() {
        let mut list = String::new();
        for fault in &checked.faults {
            write!(list, "\n  {fault}")?;
        }
        bail!("the rendered book has faults:{list}");
    }
    Ok(Site {
        index: site.join("index.html"),
        pages: checked.pages,
        links: checked.links,
    })
}

/// The book with this program's own preprocessor in place of the command that book.toml names.
pub fn load(project: &Project) -> Result<MDBook> {
    let mut book = MDBook::load(&project.root)?;
    book.with_preprocessor(Mixtures);
    Ok(book)
}

/// Runs `work` and fails when mdBook logged a warning or an error on the way: it logs a dead
/// include or a misplaced summary line and then succeeds.
pub fn without_warnings<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let warnings = Warnings::default();
    let subscriber = tracing_subscriber::registry().with(warnings.clone());
    let result = tracing::subscriber::with_default(subscriber, work);
    let warnings = std::mem::take(&mut *warnings.0.lock().expect("no logger panics"));
    let list = warnings.join("\n  ");
    match result {
        Ok(value) if warnings.is_empty() => Ok(value),
        Ok(_) => bail!("mdBook warned, and a warning fails the build:\n  {list}"),
        Err(error) if warnings.is_empty() => Err(error),
        Err(error) => Err(error.context(format!("mdBook logged:\n  {list}"))),
    }
}

/// The rendered page of each chapter, by mdBook's own rule for names.
fn pages(book: &MDBook) -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    for chapter in book.iter().filter_map(|item| match item {
        mdbook_driver::book::BookItem::Chapter(chapter) => Some(chapter),
        _ => None,
    }) {
        let (Some(path), Some(source)) = (&chapter.path, &chapter.source_path) else {
            continue;
        };
        let html = if path.file_stem().is_some_and(|stem| stem == "README") {
            path.with_file_name("index.html")
        } else {
            path.with_extension("html")
        };
        pages.push(Page { html, source: source.clone() });
    }
    let first = pages.first().context("the book has no chapter")?;
    if !pages.iter().any(|page| page.html == Path::new("index.html")) {
        // mdBook writes the first chapter a second time, as the front page.
        let source = first.source.clone();
        pages.push(Page { html: "index.html".into(), source });
    }
    Ok(pages)
}

/// Keeps what is logged at level WARN or worse.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: LayerContext<'_, S>) {
        if *event.metadata().level() > tracing::Level::WARN {
            return;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().expect("no logger panics").push(message.0);
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
