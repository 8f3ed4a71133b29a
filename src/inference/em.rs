//! EM: maximum likelihood for a mixture of Gaussians.

use nalgebra::{DMatrix, DMatrixView, DVector, DVectorView};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::distribution::check_spread;
use crate::inference::fit::{Learner, Run, Stopping, climb};
use crate::inference::start::Start;
use crate::inference::summary::Summary;
use crate::kernel::{Points, Score};
use crate::math::{Cholesky, rng_stream};
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
/// [`Error::Collapse`].
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
    start: Start,
    restarts: usize,
    seed: u64,
    max_iterations: usize,
    tolerance: f64,
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
    /// to a data point, and so to more digits than the returned means may have.)
    pub trace: Vec<f64>,
    /// The log likelihood that each restart ended at, in order; none for one that
    /// collapsed.
    pub restarts: Vec<Option<f64>>,
}

impl EmFit {
    /// The total log likelihood of the returned mixture: the last of the trace (NaN
    /// if somebody has emptied it).
    pub fn log_likelihood(&self) -> f64 {
        self.trace.last().copied().unwrap_or(f64::NAN)
    }
}

impl Em {
    /// A fit of `components` Gaussians, with the defaults: full covariances, one
    /// start by k-means++ with seed 0, at most 1000 iterations, tolerance 1e-6.
    pub fn new(components: usize) -> Self {
        Em {
            components,
            covariance: Covariance::Full,
            start: Start::default(),
            restarts: 1,
            seed: 0,
            max_iterations: 1000,
            tolerance: 1e-6,
        }
    }

    /// The shape of the covariances.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Where to start.
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// How many starts to run in all, of which the one that ends highest is returned.
    pub fn restarts(mut self, restarts: usize) -> Self {
        self.restarts = restarts;
        self
    }

    /// What the random starts are drawn from: the same seed gives the same fit.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The most updates to make; stopping there leaves `converged` false.
    pub fn max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Stop when an update gains less than this in mean log likelihood per point
    /// (nats). With 0 exactly `max_iterations` updates are made.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Fits the rows of `x` (N×D).
    ///
    /// # Errors
    /// If `x` is empty or not finite; if K is 0 or above N; if the data have no
    /// spread in some direction; if an option contradicts another; if a component
    /// collapses in every restart; or if the log likelihood falls by more than
    /// rounding explains.
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
        let stopping = self.check(&points)?;
        let spread =
            points.moments()?.covariance().expect("the total weight is positive");
        check_spread(&spread)?;
        let spread = Cholesky::new(&spread, "the covariance of the data")?;
        let learner = MaximumLikelihood { whitener: spread.whitener() };
        let mut runs: Vec<Result<Run<GaussianMixture>>> = (0..self.restarts)
            .into_par_iter()
            .map(|restart| {
                let mut rng = rng_stream(self.seed, restart as u64);
                let start = self.start.mixture(
                    self.components,
                    &points,
                    &spread,
                    &mut rng,
                )?;
                climb(&learner, start, &points, stopping)
            })
            .collect();
        let restarts: Vec<Option<f64>> = runs.iter().map(ended_at).collect();
        // A collapse is one start's bad luck; any other error is a fault of the data or the
        // fit, and goes before every result.
        let fault = |run: &Result<_>| match run {
            Ok(_) | Err(Error::Collapse { .. }) => false,
            Err(_) => true,
        };
        let decisive = runs.iter().position(fault).unwrap_or_else(|| {
            (0..runs.len())
                .filter(|&i| runs[i].is_ok())
                .reduce(|best, i| if restarts[i] > restarts[best] { i } else { best })
                .unwrap_or(0)
        });
        let run = runs.swap_remove(decisive)?;
        Ok(EmFit {
            mixture: run.model.translated(&points.origin),
            converged: run.converged,
            iterations: run.iterations,
            trace: run.trace,
            restarts,
        })
    }

    /// Refuses options that cannot be met or contradict each other.
    fn check(&self, points: &Points) -> Result<Stopping> {
        let (k, n) = (self.components, points.len());
        if k == 0 || k > n {
            return Err(Error::Components {
                components: k,
                available: format!("{n} points"),
                cure: format!("ask for 1 to {n}"),
            });
        }
        self.start.check(k, points.dimension())?;
        if self.restarts > 1_000_000 {
            let reason = "a million starts are the most that are kept track of";
            return Err(Error::option("restarts", self.restarts, reason));
        }
        if self.restarts == 0 {
            return Err(Error::option("restarts", 0, "at least one run is needed"));
        }
        if self.restarts > 1 && !self.start.is_random() {
            let reason = "every restart from a given start would be the same run; use 1, or a random start";
            return Err(Error::option("restarts", self.restarts, reason));
        }
        let stopping = Stopping {
            max_iterations: self.max_iterations,
            tolerance: self.tolerance,
        };
        stopping.check()?;
        Ok(stopping)
    }
}

/// The objective that a run ended at.
fn ended_at<M>(run: &Result<Run<M>>) -> Option<f64> {
    run.as_ref().ok().and_then(|run| run.trace.last().copied())
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
