use std::fmt;

use nalgebra::{DMatrix, DMatrixView, DVector};
use serde::{Deserialize, Serialize};

use super::{Covariance, sample_labelled};
use crate::distribution::{Gaussian, Structure, check_weights};
use crate::finite::check_finite;
use crate::kernel::{
    Score, largest_responsibilities, log_densities, most_probable, responsibilities,
};
use crate::math::Structured;
use crate::{Error, Result};

/// A mixture of K Gaussians in D dimensions: p(x) = Σₖ πₖ N(x | μₖ, Σₖ) (PRML 9.7).
///
/// Rows are points: `x` is N×D, and anything that turns into a `DMatrixView`. Log densities are
/// natural logs.
///
/// ```
/// use mixtures::{GaussianMixture, math, nalgebra::{dmatrix, dvector}};
///
/// let mixture = GaussianMixture::new(
///     dvector![0.25, 0.75],
///     dmatrix![0.0, 0.0; 4.0, 4.0],
///     vec![dmatrix![1.0, 0.0; 0.0, 1.0], dmatrix![1.0, 0.5; 0.5, 1.0]],
/// )?;
/// let (x, z) = mixture.sample(100, &mut math::rng(3));
/// let guessed = mixture.predict(&x)?;
/// assert!(guessed.iter().zip(&z).filter(|(a, b)| a == b).count() > 95);
/// assert_eq!(mixture.parameter_count(), 11);
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct GaussianMixture {
    weights: DVector<f64>,
    means: DMatrix<f64>,
    components: Vec<Gaussian>,
    shape: Covariance,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    weights: DVector<f64>,
    means: DMatrix<f64>,
    covariances: Vec<Structured>,
    shape: Covariance,
}

impl GaussianMixture {
    /// From the weights (K), the means (K×D) and the covariances (K of D×D), of full shape.
    ///
    /// # Errors
    /// If the shapes disagree, a weight is negative, the weights do not sum to 1 (to 1e-9), a mean
    /// is not finite, or a covariance is not symmetric and positive definite.
    pub fn new(
        weights: DVector<f64>,
        means: DMatrix<f64>,
        covariances: Vec<DMatrix<f64>>,
    ) -> Result<Self> {
        GaussianMixture::with_shape(weights, means, covariances, Covariance::Full)
    }

    /// The same where the covariances have a shape together, which [`GaussianMixture::parameter_count`]
    /// and with it the criteria depend on.
    ///
    /// # Errors
    /// As [`GaussianMixture::new`]; also if a covariance is not exactly of that shape.
    pub fn with_shape(
        weights: DVector<f64>,
        means: DMatrix<f64>,
        covariances: Vec<DMatrix<f64>>,
        shape: Covariance,
    ) -> Result<Self> {
        let covariances = covariances.into_iter().map(Structured::from).collect();
        GaussianMixture::checked(weights, means, covariances, shape)
    }

    fn checked(
        weights: DVector<f64>,
        means: DMatrix<f64>,
        covariances: Vec<Structured>,
        shape: Covariance,
    ) -> Result<Self> {
        let k = weights.len();
        if k == 0 {
            return Err(Error::Empty {
                what: "the mixture".into(),
                missing: "components".into(),
            });
        }
        if means.nrows() != k {
            let found = format!("{}×{}", means.nrows(), means.ncols());
            return Err(Error::shape(
                "the matrix of means",
                format!("{k}×D, one row a component"),
                found,
            ));
        }
        if covariances.len() != k {
            let found = format!("of length {}", covariances.len());
            return Err(Error::shape(
                "the list of covariances",
                format!("of length {k}"),
                found,
            ));
        }
        check_weights(&weights)?;
        check_finite(&means.as_view(), "the matrix of means")?;
        let components = shape
            .keep(covariances)?
            .into_iter()
            .enumerate()
            .map(|(k, sigma)| {
                let what = format!("the covariance of component {k}");
                Gaussian::named(means.row(k).transpose(), sigma, &what)
            })
            .collect::<Result<_>>()?;
        Ok(GaussianMixture { weights, means, components, shape })
    }

    /// From weights that sum to 1 and as many components of one dimension and this shape.
    pub(crate) fn of(
        weights: DVector<f64>,
        components: Vec<Gaussian>,
        shape: Covariance,
    ) -> Self {
        let (k, d) = (components.len(), components[0].dimension());
        let means = DMatrix::from_fn(k, d, |k, j| components[k].mean()[j]);
        GaussianMixture { weights, means, components, shape }
    }

    /// π, length K.
    pub fn weights(&self) -> &DVector<f64> {
        &self.weights
    }

    /// The means, K×D.
    pub fn means(&self) -> &DMatrix<f64> {
        &self.means
    }

    /// Σₖ, D×D.
    ///
    /// # Panics
    /// If there is no component k, as indexing does.
    pub fn covariance(&self, k: usize) -> &DMatrix<f64> {
        self.components[k].covariance()
    }

    /// The components, K Gaussians.
    pub fn components(&self) -> &[Gaussian] {
        &self.components
    }

    /// The shape of the covariances.
    pub fn shape(&self) -> Covariance {
        self.shape
    }

    /// K.
    pub fn component_count(&self) -> usize {
        self.components.len()
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.means.ncols()
    }

    /// How many numbers can be chosen freely: K − 1 weights, K·D means and the covariances'
    /// [`Covariance::parameter_count`].
    pub fn parameter_count(&self) -> usize {
        let (k, d) = (self.component_count(), self.dimension());
        k - 1 + k * d + self.shape.parameter_count(k, d)
    }

    /// ln p(xₙ) of every row of `x` (N×D), length N.
    ///
    /// # Errors
    /// If `x` is empty, not finite, or of another dimension.
    pub fn log_density<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<DVector<f64>> {
        log_densities(&self.scores(), x.into())
    }

    /// r, N×K: the probability that each row came from each component (PRML 9.13). Rows sum to 1.
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`]; also if a row is so far away that its density
    /// underflows even as a logarithm.
    pub fn responsibilities<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<DMatrix<f64>> {
        responsibilities(&self.scores(), x.into())
    }

    /// The most probable component of every row of `x` (N×D), length N; the first of equals.
    ///
    /// # Errors
    /// As [`GaussianMixture::responsibilities`].
    pub fn predict<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<Vec<usize>> {
        Ok(most_probable(&self.responsibilities(x)?))
    }

    /// `n` points (n×D) and the component that each came from.
    pub fn sample<R: rand::Rng + ?Sized>(
        &self,
        n: usize,
        rng: &mut R,
    ) -> (DMatrix<f64>, Vec<usize>) {
        let draw = |k: usize, rng: &mut R| self.components[k].draw(rng);
        sample_labelled(&self.weights, (n, self.dimension()), rng, draw)
    }

    /// Akaike's criterion, −2 ln p(X) + 2 × [`GaussianMixture::parameter_count`]; smaller is
    /// better.
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`].
    pub fn aic<'a>(&self, x: impl Into<DMatrixView<'a, f64>>) -> Result<f64> {
        Ok(self.criterion(self.log_density(x)?.sum(), 2.0))
    }

    /// Schwarz's criterion, −2 ln p(X) + ln N × [`GaussianMixture::parameter_count`]; smaller is
    /// better.
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`].
    pub fn bic<'a>(&self, x: impl Into<DMatrixView<'a, f64>>) -> Result<f64> {
        let log_density = self.log_density(x)?;
        let n = log_density.len() as f64;
        Ok(self.criterion(log_density.sum(), n.ln()))
    }

    /// The integrated completed likelihood, BIC − 2 Σₙ ln maxₖ rₙₖ (Biernacki, Celeux & Govaert
    /// 2000): BIC with a fine for every point whose component is in doubt; smaller is better.
    ///
    /// # Errors
    /// As [`GaussianMixture::responsibilities`].
    pub fn icl<'a>(&self, x: impl Into<DMatrixView<'a, f64>>) -> Result<f64> {
        let x = x.into();
        Ok(self.bic(x)? - 2.0 * self.sureness(x, |_| 1.0)?)
    }

    /// Σₙ wₙ ln maxₖ rₙₖ ≤ 0, which is 0 if no row's component is in doubt.
    pub(crate) fn sureness(
        &self,
        x: DMatrixView<'_, f64>,
        weight: impl Fn(usize) -> f64,
    ) -> Result<f64> {
        let largest = largest_responsibilities(&self.scores(), x)?;
        Ok(largest.iter().enumerate().map(|(n, r)| weight(n) * r.ln()).sum())
    }

    /// −2 ln p(X), given that, and this `price` for each parameter.
    pub(crate) fn criterion(&self, log_likelihood: f64, price: f64) -> f64 {
        -2.0 * log_likelihood + price * self.parameter_count() as f64
    }

    /// One score a component: ln πₖ + ln N(x | μₖ, Σₖ).
    pub(crate) fn scores(&self) -> Vec<Score> {
        self.components
            .iter()
            .zip(&self.weights)
            .map(|(c, w)| c.score(w.ln()))
            .collect()
    }

    /// The same for a fit of components of this structure, which may need more of the points than
    /// diagonal components would.
    pub(crate) fn scores_for(&self, structure: Structure) -> Vec<Score> {
        let scores = self.scores().into_iter();
        match structure {
            Structure::Dense => scores.map(Score::dense).collect(),
            Structure::Diagonal | Structure::Spherical => scores.collect(),
        }
    }

    /// Every mean moved by `shift` (length D).
    pub(crate) fn translated(mut self, shift: &DVector<f64>) -> Self {
        for mut row in self.means.row_iter_mut() {
            row += shift.transpose();
        }
        self.components =
            self.components.into_iter().map(|c| c.translated(shift)).collect();
        self
    }
}

/// Each component's weight, mean and covariance, with the precision asked for (`{:.8}`; 4 if none
/// is).
impl fmt::Display for GaussianMixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(4);
        for (k, component) in self.components.iter().enumerate() {
            let end = if k + 1 < self.components.len() { "\n" } else { "" };
            let weight = self.weights[k];
            write!(
                f,
                "component {k}, weight {weight:.digits$}\n{component:.digits$}{end}"
            )?;
        }
        Ok(())
    }
}

impl TryFrom<Parts> for GaussianMixture {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        let Parts { weights, means, covariances, shape } = parts;
        GaussianMixture::checked(weights, means, covariances, shape)
    }
}

impl From<GaussianMixture> for Parts {
    fn from(mixture: GaussianMixture) -> Self {
        let covariances =
            mixture.components.iter().map(|c| c.structured_covariance().clone());
        Parts {
            weights: mixture.weights,
            means: mixture.means,
            covariances: covariances.collect(),
            shape: mixture.shape,
        }
    }
}
