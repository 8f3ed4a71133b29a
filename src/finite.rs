//! What a number must be to be worked with: finite, and not so large that its square overflows.

use nalgebra::DMatrixView;

use crate::{Error, Result};

/// Beyond this size a square overflows; a number that large is a unit or a marker gone wrong.
const LARGEST: f64 = 1e140;

pub(crate) fn is_usable(v: f64) -> bool {
    v.abs() <= LARGEST // false for NaN
}

/// Refuses what no later step could work with: no rows, no columns, numbers that are not finite
/// or too large to square.
pub(crate) fn check_finite(x: &DMatrixView<'_, f64>, what: &str) -> Result<()> {
    for (size, missing) in [(x.nrows(), "rows"), (x.ncols(), "columns")] {
        if size == 0 {
            return Err(Error::Empty {
                what: what.to_string(),
                missing: missing.to_string(),
            });
        }
    }
    for (column, values) in x.column_iter().enumerate() {
        let values = values.as_slice();
        // The bits of |v| are in the order of the numbers, NaN above them all; and the largest of many
        // is found faster than the first that is too large.
        let largest = values.iter().fold(0, |most, v| v.abs().to_bits().max(most));
        if largest <= LARGEST.to_bits() {
            continue;
        }
        if let Some(row) = values.iter().position(|v| !is_usable(*v)) {
            return Err(Error::NotFinite {
                what: what.to_string(),
                row,
                column,
                value: format!("{:e}", values[row]),
            });
        }
    }
    Ok(())
}

/// Refuses flattened statistics that hold a number that is not finite.
pub(crate) fn check_flat(flat: &[f64], what: &str) -> Result<()> {
    match flat.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::NotFinite {
            what: what.to_string(),
            row: at,
            column: 0,
            value: flat[at].to_string(),
        }),
    }
}

/// What the parameters of a prior may be: within these bounds no formula overflows.
const PARAMETERS: std::ops::RangeInclusive<f64> = 1e-24..=1e24;

/// Refuses a parameter that is not positive (or so small or large that formulas overflow).
pub(crate) fn check_positive(value: f64, what: &str) -> Result<()> {
    if PARAMETERS.contains(&value) {
        return Ok(());
    }
    let value = format!("{value:?}");
    Err(Error::option(what, value, "it must be positive, between 1e-24 and 1e24"))
}
