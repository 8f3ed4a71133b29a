//! Shares of the points that somebody else has dealt out: responsibilities as data.

use nalgebra::{DMatrix, DVectorView};

use crate::distribution::Structure;
use crate::finite::check_finite;
use crate::kernel::Points;
use crate::{Error, Moments, Result};

/// Refuses what is not a share of each of `n` rows in each component (N×K).
pub(crate) fn check_responsibilities(n: usize, r: &DMatrix<f64>) -> Result<()> {
    check_finite(&r.as_view(), "the matrix of responsibilities")?;
    if r.nrows() != n {
        let found = format!("{}×{}", r.nrows(), r.ncols());
        let expected = format!("{n}×K, a row for each row of x");
        return Err(Error::shape("the matrix of responsibilities", expected, found));
    }
    let sound = |row: nalgebra::RowDVector<f64>| {
        row.iter().all(|v| *v >= 0.0) && (row.sum() - 1.0).abs() <= 1e-9
    };
    match r.row_iter().position(|row| !sound(row.into_owned())) {
        None => Ok(()),
        Some(n) => Err(Error::Weights {
            what: format!("the responsibilities for row {n}"),
            reason: "they must be shares: none negative, and with the sum 1".into(),
        }),
    }
}

/// Refuses responsibilities (N×K) for another number of components than `k`.
pub(crate) fn check_columns(r: &DMatrix<f64>, k: usize) -> Result<()> {
    if r.ncols() == k {
        return Ok(());
    }
    let expected = format!("N×{k}, as the fit is of {k} components");
    let found = format!("N×{}", r.ncols());
    Err(Error::shape("the matrix of responsibilities", expected, found))
}

/// The moments of each component's share (r, N×K) of the points, about the first of them that
/// counts; only what precisions of this structure learn from.
pub(crate) fn shares(
    points: &Points,
    r: &DMatrix<f64>,
    structure: Structure,
) -> Result<Vec<Moments>> {
    check_responsibilities(points.len(), r)?;
    let about = match structure {
        Structure::Dense => Moments::about,
        Structure::Diagonal | Structure::Spherical => Moments::diagonal_about,
    };
    let first = (0..points.len()).find(|&n| points.weight(n) > 0.0).unwrap_or(0);
    let centre = points.row(first);
    let share = |of: DVectorView<'_, f64>| {
        let mut moments = about(centre.clone());
        for (n, r) in of.iter().enumerate() {
            let row = points.row(n).transpose();
            moments.push(row.as_view(), *r * points.weight(n))?;
        }
        Ok(moments)
    };
    r.column_iter().map(|column| share(column.as_view())).collect()
}
