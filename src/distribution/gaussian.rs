use std::fmt;

use nalgebra::{DMatrix, DMatrixView, DVector};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::rows;
use crate::finite::is_usable;
use crate::kernel::{Points, Score, log_densities};
use crate::math::{Cholesky, LN_2_PI, Structured, squared, stein_loss};
use crate::{Error, Moments, Result};

/// A Gaussian in D dimensions.
///
/// ```
/// use mixtures::{Gaussian, data, nalgebra::dvector};
///
/// let x = data::faithful();
/// let fit = Gaussian::fit(&x)?;
/// assert!((fit.mean()[1] - 70.897059).abs() < 1e-6); // minutes
/// let total = fit.log_density(&x)?.sum(); // natural log
/// assert!((total + 1289.7965).abs() < 1e-3);
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Gaussian {
    mean: DVector<f64>,
    covariance: Structured,
    factor: Cholesky,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    mean: DVector<f64>,
    covariance: Structured,
}

impl Gaussian {
    /// From its mean (length D) and covariance (D×D).
    ///
    /// # Errors
    /// If the shapes disagree, the mean is not finite, or the covariance is not symmetric and
    /// positive definite.
    pub fn new(mean: DVector<f64>, covariance: DMatrix<f64>) -> Result<Self> {
        Gaussian::named(mean, covariance, "the covariance")
    }

    pub(crate) fn named(
        mean: DVector<f64>,
        covariance: impl Into<Structured>,
        what: &str,
    ) -> Result<Self> {
        let covariance = covariance.into();
        let factor = Cholesky::of(&covariance, what)?;
        let d = covariance.dimension();
        if mean.len() != d {
            return Err(Error::shape(
                "the mean",
                format!("of length {d}, as {what} is {d}×{d}"),
                format!("of length {}", mean.len()),
            ));
        }
        if let Some(at) = mean.iter().position(|v| !is_usable(*v)) {
            return Err(Error::NotFinite {
                what: "the mean".to_string(),
                row: at,
                column: 0,
                value: format!("{:e}", mean[at]),
            });
        }
        Ok(Gaussian { mean, covariance, factor })
    }

    /// With covariance G Gᵀ, for a square G. (Where it is singular in double precision, its factor
    /// is not; but it cannot be read back from a file.)
    pub(crate) fn with_root(mean: DVector<f64>, root: &Structured) -> Self {
        Gaussian {
            mean,
            covariance: squared(root),
            factor: Cholesky::of_square(root),
        }
    }

    /// With covariance `s` L Lᵀ = `s` Σ, where L is known to factor Σ.
    pub(crate) fn scaled(
        mean: DVector<f64>,
        covariance: &Structured,
        factor: &Cholesky,
        s: f64,
    ) -> Self {
        let covariance = covariance.scaled(s);
        // Factored anew if it can be, as reading it back from a file would. Rounding can make
        // the multiple of a nearly singular matrix indefinite.
        let factor = Cholesky::of(&covariance, "the covariance")
            .unwrap_or_else(|_| factor.scaled(s));
        Gaussian { mean, covariance, factor }
    }

    /// The maximum likelihood fit to the rows of `x` (N×D): their mean, and their scatter divided
    /// by N (PRML 2.121, 2.122).
    ///
    /// # Errors
    /// If `x` is empty or not finite, or its covariance is singular: N ≤ D, a constant column, or
    /// a column that is a combination of others.
    pub fn fit<'a>(x: impl Into<DMatrixView<'a, f64>>) -> Result<Self> {
        let points = Points::new(x.into(), None)?;
        let gaussian = Gaussian::from_moments(&points.moments(false)?)?;
        Ok(gaussian.translated(&points.origin))
    }

    /// The maximum likelihood fit to points known by their moments.
    ///
    /// # Errors
    /// If there is no weight, or the covariance is singular; see [`Gaussian::fit`].
    pub fn from_moments(moments: &Moments) -> Result<Self> {
        let (Some(mean), Some(covariance)) = (moments.mean(), moments.covariance())
        else {
            return Err(Error::Empty {
                what: "the moments".into(),
                missing: "weight".into(),
            });
        };
        check_spread(&covariance.clone().into())?;
        Gaussian::named(mean, covariance, "the covariance of the data")
    }

    /// μ, length D.
    pub fn mean(&self) -> &DVector<f64> {
        &self.mean
    }

    /// Σ, D×D.
    pub fn covariance(&self) -> &DMatrix<f64> {
        self.covariance.dense()
    }

    /// Σ, in its structure.
    pub(crate) fn structured_covariance(&self) -> &Structured {
        &self.covariance
    }

    /// The Cholesky factor of Σ.
    pub fn factor(&self) -> &Cholesky {
        &self.factor
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// ln N(xₙ | μ, Σ) of every row of `x` (N×D), natural log (PRML 2.43).
    ///
    /// # Errors
    /// If `x` is empty, not finite, or of another dimension.
    pub fn log_density<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<DVector<f64>> {
        log_densities(&[self.score(0.0)], x.into())
    }

    /// KL(self ‖ other), natural log.
    ///
    /// # Errors
    /// If `other` has another dimension.
    pub fn kl(&self, other: &Gaussian) -> Result<f64> {
        let d = self.dimension();
        if other.dimension() != d {
            let expected = format!("of dimension {d}");
            let found = format!("of dimension {}", other.dimension());
            return Err(Error::shape("the other Gaussian", expected, found));
        }
        // R = L₂⁻¹ L₁, and R Rᵀ has the trace and determinant of Σ₂⁻¹ Σ₁.
        let relative = other.factor.inverse_root().product(self.factor.root());
        let shift = other.factor.whiten(&(&self.mean - &other.mean));
        Ok(0.5 * (stein_loss(&relative) + shift.norm_squared()))
    }

    /// `n` independent points (n×D): μ + L ε with ε standard normal.
    pub fn sample<R: rand::Rng + ?Sized>(
        &self,
        n: usize,
        rng: &mut R,
    ) -> DMatrix<f64> {
        rows((n, self.dimension()), || self.draw(rng))
    }

    /// One point: μ + L ε.
    pub(crate) fn draw<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> DVector<f64> {
        let noise =
            DVector::from_fn(self.dimension(), |_, _| rng.sample(StandardNormal));
        &self.mean + self.factor.root().times(&noise)
    }

    /// The score whose value at x is `log_weight` + ln N(x | μ, Σ).
    pub(crate) fn score(&self, log_weight: f64) -> Score {
        let d = self.dimension() as f64;
        let offset = log_weight - 0.5 * (self.factor.log_det() + d * LN_2_PI);
        Score::new(offset, self.mean.clone(), &self.factor, 1.0)
    }

    /// Moved by `shift` (length D).
    pub(crate) fn translated(mut self, shift: &DVector<f64>) -> Self {
        self.mean += shift;
        self
    }
}

/// The mean and the covariance, a line each row, with the precision asked for (`{:.8}`; 4 if none
/// is).
///
/// ```
/// use mixtures::{Gaussian, nalgebra::{dmatrix, dvector}};
///
/// let gaussian = Gaussian::new(dvector![1.0, -2.0], dmatrix![2.0, 0.5; 0.5, 1.0])?;
/// let text = "mean         1.00  -2.00\ncovariance   2.00   0.50\n             0.50   1.00";
/// assert_eq!(format!("{gaussian:.2}"), text);
/// # Ok::<(), mixtures::Error>(())
/// ```
impl fmt::Display for Gaussian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(4);
        let texts: Vec<String> = self
            .mean
            .iter()
            .chain(self.covariance())
            .map(|v| format!("{v:.digits$}"))
            .collect();
        let width = 2 + texts.iter().map(String::len).max().unwrap_or(0);
        let (mean, covariance) = texts.split_at(self.dimension());
        let mut labels = ["mean", "covariance"].into_iter();
        let rows: Vec<String> = std::iter::once(mean)
            .chain(covariance.chunks(self.dimension()))
            .map(|row| {
                let numbers: String =
                    row.iter().map(|text| format!("{text:>width$}")).collect();
                format!("{:<10}{numbers}", labels.next().unwrap_or(""))
            })
            .collect();
        f.write_str(&rows.join("\n"))
    }
}

impl TryFrom<Parts> for Gaussian {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        Gaussian::named(parts.mean, parts.covariance, "the covariance")
    }
}

impl From<Gaussian> for Parts {
    fn from(gaussian: Gaussian) -> Self {
        Parts { mean: gaussian.mean, covariance: gaussian.covariance }
    }
}

/// Refuses data without spread in some direction, judged free of units: a column that is constant,
/// or correlations with an eigenvalue below 1e-13.
///
/// Where only the variances count, dependent columns do no harm.
pub(crate) fn check_spread(covariance: &Structured) -> Result<()> {
    let sd = covariance.diagonal().map(f64::sqrt);
    if let Some(column) = sd.iter().position(|s| s.is_nan() || *s < 1e-150) {
        return Err(Error::Degenerate {
            direction: format!(
                "in column {column}, which is constant (or spread over less than 1e-150)"
            ),
        });
    }
    let Structured::Dense(covariance) = covariance else { return Ok(()) };
    let d = sd.len();
    let correlation =
        DMatrix::from_fn(d, d, |i, j| covariance[(i, j)] / sd[i] / sd[j]);
    let eigen = correlation.symmetric_eigen();
    let smallest = eigen.eigenvalues.imin();
    if eigen.eigenvalues[smallest] < 1e-13 {
        let direction = eigen.eigenvectors.column(smallest);
        let columns: Vec<String> = (0..d)
            .filter(|&j| direction[j].abs() > 1e-3)
            .map(|j| j.to_string())
            .collect();
        return Err(Error::Degenerate {
            direction: format!(
                "in one direction: columns {} are linearly dependent",
                columns.join(", ")
            ),
        });
    }
    Ok(())
}
