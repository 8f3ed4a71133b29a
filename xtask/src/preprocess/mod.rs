//! Stand-in until the preprocessor is merged.
use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

pub struct Mixtures;

impl Preprocessor for Mixtures {
    fn name(&self) -> &str {
        "mixtures"
    }
    fn run(&self, _: &PreprocessorContext, book: Book) -> anyhow::Result<Book> {
        Ok(book)
    }
}

pub fn run_as_command() -> anyhow::Result<()> {
    Ok(())
}
