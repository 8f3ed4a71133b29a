//! The machinery of the book: what turns the chapters, the examples and the library into pages, and
//! what refuses to when a promise is broken.

pub mod preprocess;
