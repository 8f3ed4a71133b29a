//! The tasks of this workspace: the book, its generated content, and every check on them.

pub mod examples;
mod files;
pub mod fonts;
pub mod generated;
pub mod links;
pub mod listings;
mod page;
pub mod preprocess;
pub mod project;
pub mod site;
pub mod steps;
pub mod tasks;
mod watch;
