mod error;
pub mod plot;

pub use error::Error;
