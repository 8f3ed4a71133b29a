//! The one error type: every variant says what is wrong, where, and what to do.

use serde::{Deserialize, Serialize};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, with the place and the cure.
///
/// Rows, columns and components count from 0, as in code; lines of a file count from 1.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// A matrix or vector has the wrong shape.
    #[error("{what} is {found}, but must be {expected}")]
    Shape {
        /// The argument.
        what: String,
        /// The shape it must have.
        expected: String,
        /// The shape it has.
        found: String,
    },

    /// There is nothing to work on: no rows, or no columns.
    #[error("{what} has no {missing}; give it at least one")]
    Empty {
        /// The argument.
        what: String,
        /// What it has none of.
        missing: String,
    },

    /// A number is NaN or infinite, or too large to square.
    #[error(
        "{what} holds {value} at row {row}, column {column}; \
         every number must be finite and below 1e140 in size, so remove, impute or rescale it"
    )]
    NotFinite {
        /// The argument.
        what: String,
        /// The row of the first such number.
        row: usize,
        /// Its column.
        column: usize,
        /// The number, as text, as NaN is equal to nothing.
        value: String,
    },

    /// A weight of a row, or of a component, cannot be a weight.
    #[error("{what}: {reason}")]
    Weights {
        /// Whose weights.
        what: String,
        /// What is wrong, and the cure.
        reason: String,
    },

    /// A matrix that must be a covariance is not symmetric and positive definite.
    #[error(
        "{what} {reason}; a covariance is symmetric with all eigenvalues above zero"
    )]
    NotPositiveDefinite {
        /// The matrix.
        what: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The data themselves lie in a plane (or a line, or a point), where no density exists.
    #[error(
        "the data have no spread {direction}, so that no covariance of this shape fits them; \
         remove the column, or a column that is a combination of others, or add rows"
    )]
    Degenerate {
        /// The column, or the columns that depend on each other.
        direction: String,
    },

    /// There are fewer points than components, or no component at all.
    #[error("{components} components asked for with {available}; {cure}")]
    Components {
        /// How many were asked for.
        components: usize,
        /// What there is to make them of.
        available: String,
        /// What to do.
        cure: String,
    },

    /// A component has shrunk onto too few points: its likelihood is about to run off to infinity.
    #[error(
        "component {component} collapsed at iteration {iteration}: its weight is {weight:.3e}, and \
         its smallest eigenvalue is {} of the data's in the same direction (the limit is \
         {limit:.0e}); use fewer components, another start or seed, a prior, or remove repeated rows",
        visible(*ratio)
    )]
    Collapse {
        /// Which one.
        component: usize,
        /// The update that collapsed it, counted from 1.
        iteration: usize,
        /// Its share of the points.
        weight: f64,
        /// The smallest eigenvalue of its covariance relative to the data's.
        ratio: f64,
        /// The smallest ratio allowed.
        limit: f64,
    },

    /// A fit of cross-validation has failed.
    #[error("with fold {fold} of {folds} held out: {fault}")]
    Fold {
        /// The fold held out, from 0.
        fold: usize,
        /// How many there are.
        folds: usize,
        /// What went wrong in the fit to the others.
        fault: Box<Error>,
    },

    /// The objective went down by more than rounding explains.
    #[error(
        "the objective fell from {from} to {to} at iteration {iteration}, more than rounding \
         explains ({allowed:.1e}); the problem is too badly conditioned for double precision: \
         rescale or decorrelate the columns, or bring the prior closer to the data"
    )]
    ObjectiveFell {
        /// The update after which it was lower.
        iteration: usize,
        /// The objective before.
        from: f64,
        /// The objective after.
        to: f64,
        /// How far rounding may lower it.
        allowed: f64,
    },

    /// The objective overflows: the data, the prior and the start disagree by more than numbers
    /// can hold.
    #[error(
        "the objective is {value} at iteration {iteration}: the data, the prior and the start \
         differ too widely in scale; check their units"
    )]
    Overflow {
        /// The updates made before it.
        iteration: usize,
        /// The objective, as text.
        value: String,
    },

    /// A row lies so far from every component that its squared distance overflows.
    #[error(
        "row {row} is so far from every component that its density underflows even as a \
         logarithm; check the units of the data and of the components"
    )]
    OutOfReach {
        /// The first such row.
        row: usize,
    },

    /// An option has a value that it cannot have, or that contradicts another option.
    #[error("{option} = {value}: {reason}")]
    Option {
        /// Its name.
        option: String,
        /// The value, as text.
        value: String,
        /// What is wrong, and the cure.
        reason: String,
    },

    /// A CSV file cannot be read as numbers.
    #[error("{file}{}: {reason}", place(*line, column.as_deref()))]
    Csv {
        /// The file, or the name given to the text.
        file: String,
        /// The line, from 1.
        line: Option<u64>,
        /// The column's name.
        column: Option<String>,
        /// What is wrong, and the cure.
        reason: String,
    },

    /// A figure cannot be drawn or written.
    #[error("figure {name}: {reason}")]
    Figure {
        /// Its name.
        name: String,
        /// What is wrong, and the cure.
        reason: String,
    },
}

/// A ratio of which rounding leaves nothing below 1e-16.
fn visible(ratio: f64) -> String {
    if ratio < 1e-16 { "less than 1e-16".to_string() } else { format!("{ratio:.1e}") }
}

fn place(line: Option<u64>, column: Option<&str>) -> String {
    let line = line.map_or(String::new(), |n| format!(", line {n}"));
    let column = column.map_or(String::new(), |c| format!(", column {c:?}"));
    line + &column
}

impl Error {
    pub(crate) fn shape(
        what: &str,
        expected: impl ToString,
        found: impl ToString,
    ) -> Self {
        Error::Shape {
            what: what.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    pub(crate) fn option(option: &str, value: impl ToString, reason: &str) -> Self {
        Error::Option {
            option: option.to_string(),
            value: value.to_string(),
            reason: reason.to_string(),
        }
    }
}
