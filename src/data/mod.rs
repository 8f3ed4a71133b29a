//! Data: CSV files read with errors that name the line and the column, the data sets of the book,
//! and the sampler that made the notebook's points.

mod named;
mod notebook;
mod table;

pub use named::{faithful, galaxies, iris, iris_species, notebook};
pub use notebook::{notebook_truth, sample_notebook};
pub use table::Table;
