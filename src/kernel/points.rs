use nalgebra::{DMatrixView, DVector, DVectorView};

use super::{Blocks, Pass, Score, gather};
use crate::finite::check_finite;
use crate::stats::Moments;
use crate::{Error, Result};

/// Checked data: N×D, finite, at least one row and column, with weights that are finite and not
/// negative and have a sum between 1e-100 and 1e20. A fit works on `x − origin`, where the origin is a data
/// point, so that an offset common to all the data costs no digits.
#[derive(Clone)]
pub(crate) struct Points<'a> {
    pub x: DMatrixView<'a, f64>,
    pub weights: Option<DVectorView<'a, f64>>,
    pub origin: DVector<f64>,
    /// Σ wₙ, or N.
    pub total: f64,
    /// Through which passes over the points go, one after the other.
    pub(super) blocks: Blocks,
}

impl<'a> Points<'a> {
    pub fn new(
        x: DMatrixView<'a, f64>,
        weights: Option<DVectorView<'a, f64>>,
    ) -> Result<Self> {
        check_finite(&x, "x")?;
        let total = match &weights {
            None => x.nrows() as f64,
            Some(w) => check_weights(w, x.nrows())?,
        };
        // Rows of weight zero count for nothing, not even here.
        let first = weights.as_ref().and_then(|w| w.iter().position(|w| *w > 0.0));
        let origin = x.row(first.unwrap_or(0)).transpose();
        Ok(Points { x, weights, origin, total, blocks: Blocks::default() })
    }

    /// The same points about another origin (length D).
    pub fn about(mut self, origin: DVector<f64>) -> Self {
        self.origin = origin;
        self
    }

    /// Refuses data of another dimension than the model's.
    pub fn expect_dimension(&self, d: usize) -> Result<()> {
        if self.dimension() == d {
            return Ok(());
        }
        let expected = format!("N×{d}, as the model has {d} dimensions");
        let found = format!("{}×{}", self.len(), self.dimension());
        Err(Error::shape("x", expected, found))
    }

    pub fn len(&self) -> usize {
        self.x.nrows()
    }

    pub fn dimension(&self) -> usize {
        self.x.ncols()
    }

    pub fn weight(&self, n: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[n])
    }

    /// x_n − origin.
    pub fn row(&self, n: usize) -> DVector<f64> {
        self.x.row(n).transpose() - &self.origin
    }

    /// Count, mean and scatter of all points (or only its diagonal), in coordinates relative to
    /// the origin.
    pub fn moments(&self, diagonal: bool) -> Result<Moments> {
        let unit = &[Score::unit(self.dimension(), diagonal)];
        let about = |centre: DVector<f64>, pass: Pass| {
            let sums = gather(unit, self, pass)?.sums.swap_remove(0);
            let far = sums.moved_too_far();
            let (count, first) = (sums.count, &sums.first);
            Ok((Moments::from_parts(count, centre, first, sums.second), far))
        };
        let (moments, far) = about(DVector::zeros(self.dimension()), Pass::Whitened)?;
        match moments.mean() {
            // The origin is an outlier, whose distance would cost the scatter its digits.
            Some(mean) if far => {
                Ok(about(mean.clone(), Pass::About(&[Some(mean)]))?.0)
            }
            _ => Ok(moments),
        }
    }
}

fn check_weights(w: &DVectorView<'_, f64>, rows: usize) -> Result<f64> {
    let fault = |reason: String| Error::Weights {
        what: "the weights of the rows".into(),
        reason,
    };
    if w.len() != rows {
        return Err(Error::shape(
            "the vector of weights",
            format!("of length {rows}, one a row"),
            format!("of length {}", w.len()),
        ));
    }
    if let Some(n) = w.iter().position(|v| !(v.is_finite() && *v >= 0.0)) {
        return Err(fault(format!(
            "row {n} has {}, but a weight is finite and not negative",
            w[n]
        )));
    }
    let total: f64 = w.iter().sum();
    if !(1e-100..=1e20).contains(&total) {
        return Err(fault(format!(
            "their sum is {total:e}, but must lie between 1e-100 and 1e20; \
             multiply them all by a constant"
        )));
    }
    Ok(total)
}
