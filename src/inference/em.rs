//! EM: maximum likelihood for a mixture of Gaussians.

use nalgebra::{DMatrix, DMatrixView, DVector, DVectorView};
use serde::{Deserialize, Serialize};

use crate::distribution::check_spread;
use crate::inference::fit::Learner;
use crate::inference::map::MaximumPosterior;
use crate::inference::prior::{Prior, spread};
use crate::inference::search::{Best, Search, search_options, too_few_points};
use crate::inference::summary::Summary;
use crate::kernel::{Points, Score};
use crate::math::Cholesky;
use crate::mixture::{Covariance, GaussianMixture};
use crate::{Error, Result};

/// A component whose covariance is this small relative to the data's, in some
/// direction, has collapsed onto too few points.
const COLLAPSED: f64 = 1e-10;

/// Fits a [`GaussianMixture`] by expectation–maximisation (Dempster, Laird & Rubin
/// 1977; PRML §9.2.2).
///
/// Nothing is added to the covariances: the likelihood climbs at every step, and a
/// component that collapses onto too few points stops the fit with an
/// [`Error::Collapse`]. With a prior ([`Em::prior`]) the posterior climbs, and none does.
///
/// ```
/// use mixtures::{Em, Start, data};
///
/// let x = data::faithful();
/// let fit = Em::new(2).start(Start::KMeansPlusPlus).restarts(10).seed(7).fit(&x)?;
/// assert!(fit.converged);
/// assert!((fit.log_likelihood() + 1130.264).abs() < 1e-2); // natural log, total over 272 points
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use = "nothing is fitted before `fit` is called"]
pub struct Em {
    components: usize,
    covariance: Covariance,
    prior: Option<Prior>,
    search: Search,
}

/// What [`Em::fit`] found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EmFit {
    /// The fitted mixture.
    pub mixture: GaussianMixture,
    /// Whether the gain fell below the tolerance before the iterations ran out.
    pub converged: bool,
    /// How many times the parameters were updated.
    pub iterations: usize,
    /// The total log likelihood (natural log, Σₙ wₙ ln p(xₙ)) before each update, and
    /// last that of the returned mixture: `iterations + 1` values. (It is computed relative
    /// to a data point, and so to more digits than the returned means may have.) With a prior it
    /// is the log posterior, ln p(X | θ) + ln p(θ), with every constant of ln p(θ).
    pub trace: Vec<f64>,
    /// ln p(θ) of the returned mixture; 0 without a prior.
    pub log_prior: f64,
    /// The log likelihood that each restart ended at, in order; none for one that
    /// collapsed.
    pub restarts: Vec<Option<f64>>,
}

impl EmFit {
    /// The total log likelihood of the returned mixture: the last of the trace, without the prior
    /// (NaN if somebody has emptied it).
    pub fn log_likelihood(&self) -> f64 {
        self.trace.last().copied().unwrap_or(f64::NAN) - self.log_prior
    }
}

impl Em {
    /// A fit of `components` Gaussians, with the defaults: full covariances, one
    /// start by k-means++ with seed 0, at most 1000 iterations, tolerance 1e-6.
    pub fn new(components: usize) -> Self {
        Em {
            components,
            covariance: Covariance::Full,
            prior: None,
            search: Search::default(),
        }
    }

    /// The shape of the covariances.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Maximises the posterior instead of the likelihood (MAP): the weights are Dirichlet with
    /// concentration α₀ ≥ 1, each mean N(m₀, Σ/β₀), and each covariance inverse-Wishart with scale
    /// W₀⁻¹ and ν₀ degrees of freedom. No component can collapse then, and none needs points.
    /// [`Prior::for_components`] is a default.
    ///
    /// The maximum is over (π, μ, Σ): Σₖ = Wₖ⁻¹/(νₖ + D + 2), with Wₖ and νₖ as in [`Vb`](crate::Vb).
    pub fn prior(mut self, prior: Prior) -> Self {
        self.prior = Some(prior);
        self
    }

    search_options!("log likelihood (or log posterior)");

    /// Fits the rows of `x` (N×D).
    ///
    /// # Errors
    /// If `x` is empty or not finite; if K is 0 or above N; if an option contradicts
    /// another; without a prior, if the data have no spread in some direction or a
    /// component collapses in every restart; with one, if it is not one, or of another
    /// dimension; or if the objective falls by more than rounding explains.
    pub fn fit<'a>(&self, x: impl Into<DMatrixView<'a, f64>>) -> Result<EmFit> {
        self.fit_points(Points::new(x.into(), None)?)
    }

    /// Fits the rows of `x` (N×D), each counted `weights[n]` times (length N).
    ///
    /// # Errors
    /// As [`Em::fit`]; also if a weight is negative or not finite, or if their sum is not between
    /// 1e-100 and 1e20.
    pub fn fit_weighted<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
        weights: impl Into<DVectorView<'a, f64>>,
    ) -> Result<EmFit> {
        self.fit_points(Points::new(x.into(), Some(weights.into()))?)
    }

    fn fit_points(&self, points: Points) -> Result<EmFit> {
        let (k, n) = (self.components, points.len());
        if k > n {
            return Err(too_few_points(k, n));
        }
        self.search.check(k, &points)?;
        let Best { run, ends } = match &self.prior {
            Some(prior) => {
                let learner = MaximumPosterior::new(prior, k, &points)?;
                let spread = spread(learner.component(), &points)?;
                self.search.best(&learner, &points, |rng| {
                    self.search.start.mixture(k, &points, &spread, rng)
                })?
            }
            None => {
                let spread = points
                    .moments()?
                    .covariance()
                    .expect("the total weight is positive");
                check_spread(&spread)?;
                let spread = Cholesky::new(&spread, "the covariance of the data")?;
                let learner = MaximumLikelihood { whitener: spread.whitener() };
                self.search.best(&learner, &points, |rng| {
                    self.search.start.mixture(k, &points, &spread, rng)
                })?
            }
        };
        Ok(EmFit {
            mixture: run.model.translated(&points.origin),
            converged: run.converged,
            iterations: run.iterations,
            trace: run.trace,
            log_prior: run.penalty,
            restarts: ends,
        })
    }
}

/// Maximum likelihood with full covariances; the whitener of the data's covariance is
/// the measure of collapse.
struct MaximumLikelihood {
    whitener: DMatrix<f64>,
}

impl Learner for MaximumLikelihood {
    type Model = GaussianMixture;

    fn scores(&self, model: &GaussianMixture) -> Vec<Score> {
        model.scores()
    }

    fn penalty(&self, _: &GaussianMixture) -> Vec<f64> {
        Vec::new()
    }

    /// πₖ = Nₖ/N, μₖ = x̄ₖ, Σₖ = scatterₖ/Nₖ (PRML 9.22, 9.17, 9.19).
    // ANCHOR: m_step
    fn m_step(&self, summary: &Summary, iteration: usize) -> Result<GaussianMixture> {
        let total: f64 = summary.components().iter().map(|c| c.count()).sum();
        let k = summary.components().len();
        let mut weights = DVector::zeros(k);
        let mut means = DMatrix::zeros(k, self.whitener.nrows());
        let mut covariances = Vec::with_capacity(k);
        for (k, moments) in summary.components().iter().enumerate() {
            weights[k] = moments.count() / total;
            let (Some(mean), Some(covariance)) =
                (moments.mean(), moments.covariance())
            else {
                return Err(collapse(k, iteration, weights[k], 0.0));
            };
            self.check_alive(&covariance)
                .map_err(|ratio| collapse(k, iteration, weights[k], ratio))?;
            means.row_mut(k).copy_from(&mean.transpose());
            covariances.push(covariance);
        }
        GaussianMixture::new(weights, means, covariances)
    }
    // ANCHOR_END: m_step
}

impl MaximumLikelihood {
    /// Compares a covariance with the data's; the error is its smallest eigenvalue
    /// relative to it.
    fn check_alive(&self, covariance: &DMatrix<f64>) -> Result<(), f64> {
        let relative = &self.whitener * covariance * self.whitener.transpose();
        let mut margin = relative.clone();
        for i in 0..margin.nrows() {
            margin[(i, i)] -= COLLAPSED;
        }
        if nalgebra::Cholesky::new(margin).is_some() {
            return Ok(());
        }
        Err(relative.symmetric_eigenvalues().min())
    }
}

fn collapse(component: usize, iteration: usize, weight: f64, ratio: f64) -> Error {
    Error::Collapse { component, iteration, weight, ratio, limit: COLLAPSED }
}
