use nalgebra::{DMatrixView, DVectorView};
use serde::{Deserialize, Serialize};

use crate::finite::check_flat;
use crate::kernel::Points;
use crate::mixture::GaussianMixture;
use crate::{Error, Moments, Result};

/// All that an M-step needs to know of the data: the moments of each component's share of the
/// points, and the log likelihood under the parameters that shared them out.
///
/// Summaries merge, so that blocks of rows, threads, files and machines are all one fold; and
/// flatten to plain numbers, so that any engine can carry them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Summary {
    pub(crate) components: Vec<Moments>,
    pub(crate) log_likelihood: f64,
    pub(crate) magnitude: f64,
}

/// The E-step of `mixture` on the rows of `x` (N×D), each counted `weights[n]` times (once if
/// none are given). For a diagonal or spherical mixture only the diagonals of the scatters are
/// gathered, as no fit of its shape needs more.
///
/// # Errors
/// If `x` or the weights are empty, not finite, negative or of other shapes, or if a row is out
/// of every component's reach.
///
/// ```
/// use mixtures::{GaussianMixture, data, e_step};
///
/// let (weights, means, covariances) = data::notebook_truth();
/// let mixture = GaussianMixture::new(weights, means, covariances)?;
/// let x = data::notebook();
/// let mut summary = e_step(&mixture, &x.rows(0, 400), None)?;
/// summary.merge(&e_step(&mixture, &x.rows(400, 600), None)?)?;
/// let whole = e_step(&mixture, &x, None)?;
/// assert!((summary.log_likelihood() - whole.log_likelihood()).abs() < 1e-9);
/// # Ok::<(), mixtures::Error>(())
/// ```
pub fn e_step<'a>(
    mixture: &GaussianMixture,
    x: impl Into<DMatrixView<'a, f64>>,
    weights: Option<DVectorView<'a, f64>>,
) -> Result<Summary> {
    let points = Points::new(x.into(), weights)?;
    points.expect_dimension(mixture.dimension())?;
    let origin = nalgebra::DVector::zeros(mixture.dimension());
    let summary = super::e_step::e_step(&mixture.scores(), &points.about(origin))?;
    check_flat(&summary.flatten(), "the summary, flattened,")?;
    Ok(summary)
}

impl Summary {
    /// Of shares that no mixture has made.
    pub(crate) fn of(components: Vec<Moments>) -> Self {
        Summary { components, log_likelihood: 0.0, magnitude: 0.0 }
    }

    /// The moments of each component's share: its count is N_k, its mean x̄_k (PRML 9.18, 10.51).
    pub fn components(&self) -> &[Moments] {
        &self.components
    }

    /// Σₙ wₙ ln Σₖ exp scoreₖ(xₙ), natural log.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Σₙ wₙ (1 + |ln Σₖ exp scoreₖ(xₙ)|): the scale of the rounding error of the log likelihood.
    pub fn magnitude(&self) -> f64 {
        self.magnitude
    }

    /// Adds what `other` saw. Both must come from the same parameters for the result to mean
    /// anything.
    ///
    /// # Errors
    /// If the number of components or the dimension differs.
    pub fn merge(&mut self, other: &Summary) -> Result<()> {
        if self.components.len() != other.components.len() {
            let expected = format!("of {} components", self.components.len());
            let found = format!("of {}", other.components.len());
            return Err(Error::shape("the summary to merge", expected, found));
        }
        for (mine, theirs) in self.components.iter_mut().zip(&other.components) {
            mine.merge(theirs)?;
        }
        self.log_likelihood += other.log_likelihood;
        self.magnitude += other.magnitude;
        Ok(())
    }

    /// The state as plain numbers: K, the log likelihood, its magnitude, and the moments of the
    /// components, flattened, one after the other.
    pub fn flatten(&self) -> Vec<f64> {
        let mut flat =
            vec![self.components.len() as f64, self.log_likelihood, self.magnitude];
        flat.extend(self.components.iter().flat_map(Moments::flatten));
        flat
    }

    /// Reads back what [`Summary::flatten`] wrote, bit for bit.
    ///
    /// # Errors
    /// If the length does not fit K and D, or a number is not finite.
    pub fn unflatten(flat: &[f64]) -> Result<Self> {
        let fault = || {
            let expected = "K, two totals, and K flattened moments of one dimension";
            Error::shape(
                "the flattened summary",
                expected,
                format!("{} numbers", flat.len()),
            )
        };
        let (head, rest) = flat.split_at_checked(3).ok_or_else(fault)?;
        check_flat(head, "the flattened summary")?;
        let k = head[0] as usize;
        if k == 0
            || head[0] != k as f64
            || k > rest.len()
            || !rest.len().is_multiple_of(k)
        {
            return Err(fault());
        }
        let components: Vec<Moments> = rest
            .chunks_exact(rest.len() / k)
            .map(Moments::unflatten)
            .collect::<Result<_>>()?;
        // 63 numbers are 8 dimensions with all products, or 15 with their squares alone.
        let d = components[0].dimension();
        if components.iter().any(|moments| moments.dimension() != d) {
            return Err(fault());
        }
        Ok(Summary { components, log_likelihood: head[1], magnitude: head[2] })
    }
}

impl TryFrom<Vec<f64>> for Summary {
    type Error = Error;

    fn try_from(flat: Vec<f64>) -> Result<Self> {
        Summary::unflatten(&flat)
    }
}

impl From<Summary> for Vec<f64> {
    fn from(summary: Summary) -> Self {
        summary.flatten()
    }
}
