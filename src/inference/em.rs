//! EM: maximum likelihood for a mixture of Gaussians.

use std::borrow::Cow;

use nalgebra::{DMatrixView, DVector, DVectorView};
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use serde::{Deserialize, Serialize};

use crate::distribution::{Gaussian, check_spread};
use crate::inference::accelerate::Extrapolation;
use crate::inference::coordinates::{self, Units};
use crate::inference::fit::{Learner, Reseeded};
use crate::inference::map::MaximumPosterior;
use crate::inference::prior::{Prior, location_and_spread, spread};
use crate::inference::search::{Best, Search, search_options, too_few_points};
use crate::inference::shares::shares;
use crate::inference::start::{Start, share_of_volume};
use crate::inference::summary::Summary;
use crate::kernel::{Points, Score};
use crate::math::{Cholesky, Rng, Structured, rng_stream, squared};
use crate::mixture::{Covariance, GaussianMixture};
use crate::{Error, Moments, Result};

/// A component whose covariance is this small relative to the data's, in some
/// direction, has collapsed onto too few points.
const COLLAPSED: f64 = 1e-10;

/// What a fit without a prior does when a component collapses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OnCollapse {
    /// It stops with an [`Error::Collapse`].
    #[default]
    Stop,
    /// It puts the component elsewhere, at a random point, as large as a component of a random
    /// start and as if it held N/K points beside those of the others, and goes on.
    /// [`EmFit::reseeded`] says where in the trace; there the likelihood may fall. After fifty times
    /// in one run it gives up, and stops.
    Reseed,
}

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
    pub(super) components: usize,
    covariance: Covariance,
    prior: Option<Prior>,
    on_collapse: OnCollapse,
    pub(super) search: Search,
}

/// What [`Em::fit`] found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EmFit {
    /// The fitted mixture.
    pub mixture: GaussianMixture,
    /// Whether the gain fell below the tolerance before the iterations ran out.
    pub converged: bool,
    /// How many E-steps were made after the first: one for each update, and one for each leap,
    /// accepted or refused ([`Em::acceleration`]).
    pub iterations: usize,
    /// The total log likelihood (natural log, Σₙ wₙ ln p(xₙ)) before each update, and
    /// last that of the returned mixture: `iterations + 1` values, of which a refused leap repeats
    /// the one before. (It is computed relative
    /// to a data point, and so to more digits than the returned means may have.) With a prior it
    /// is the log posterior, ln p(X | θ) + ln p(θ), with every constant of ln p(θ). It never
    /// falls, but where [`EmFit::reseeded`] says so, and at the first update of a given start
    /// that is of a richer shape than the fit.
    pub trace: Vec<f64>,
    /// ln p(θ) of the returned mixture; 0 without a prior.
    pub log_prior: f64,
    /// The log likelihood that each restart ended at, in order; none for one that
    /// collapsed.
    pub restarts: Vec<Option<f64>>,
    /// Where the trace may fall, in order: components that collapsed and were put elsewhere
    /// ([`OnCollapse::Reseed`]).
    pub reseeded: Vec<Reseeded>,
    /// The leaps that were tried, in order ([`Em::acceleration`]).
    #[serde(default)]
    pub extrapolations: Vec<Extrapolation>,
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
            on_collapse: OnCollapse::Stop,
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

    /// What to do when a component collapses. (With a prior none does.)
    pub fn on_collapse(mut self, on_collapse: OnCollapse) -> Self {
        self.on_collapse = on_collapse;
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

    pub(super) fn fit_points(&self, points: Points) -> Result<EmFit> {
        let (k, n) = (self.components, points.len());
        if k > n {
            return Err(too_few_points(k, n));
        }
        self.search.check(k, &points)?;
        match &self.prior {
            Some(prior) => {
                let learner =
                    MaximumPosterior::new(prior, self.covariance, k, &points)?;
                let spread = spread(learner.component(), &points)?;
                self.climb(&learner, &points, &spread, |mixture| mixture)
            }
            None => {
                let learner = MaximumLikelihood::new(self, &points)?;
                self.climb(&learner, &points, &learner.spread, Candidate::from)
            }
        }
    }

    /// Fits by `learner`, whose model `begin` makes of a mixture; `spread` factors Σ̂.
    fn climb<L: Learner>(
        &self,
        learner: &L,
        points: &Points,
        spread: &Cholesky,
        begin: impl Fn(GaussianMixture) -> L::Model + Sync,
    ) -> Result<EmFit>
    where
        L::Model: Into<GaussianMixture>,
    {
        let of = (self.components, self.covariance);
        let structure = self.covariance.structure();
        let Best { run, ends } =
            self.search.best(learner, points, |rng| match &self.search.start {
                Start::Responsibilities(r) => {
                    learner.m_step(&Summary::of(shares(points, r, structure)?), 0)
                }
                start => Ok(begin(start.mixture(of, points, spread, rng)?)),
            })?;
        let mixture: GaussianMixture = run.model.into();
        Ok(EmFit {
            mixture: mixture.translated(&points.origin),
            converged: run.converged,
            iterations: run.iterations,
            trace: run.trace,
            log_prior: run.penalty,
            restarts: ends,
            reseeded: run.reseeded,
            extrapolations: run.extrapolations,
        })
    }
}

/// Maximum likelihood for one shape of covariance; the data's own covariance, in that shape, is the
/// measure of collapse.
struct MaximumLikelihood<'a> {
    components: usize,
    shape: Covariance,
    /// Factors Σ̂.
    spread: Cholesky,
    whitener: Structured,
    /// What collapsed components are drawn anew from, and with which seed.
    reseed: Option<(&'a Points<'a>, u64)>,
}

/// A mixture, and the collapses after which components have been put elsewhere to make it.
struct Candidate {
    mixture: GaussianMixture,
    mended: Vec<Error>,
}

impl From<GaussianMixture> for Candidate {
    fn from(mixture: GaussianMixture) -> Self {
        Candidate { mixture, mended: Vec::new() }
    }
}

impl From<Candidate> for GaussianMixture {
    fn from(candidate: Candidate) -> Self {
        candidate.mixture
    }
}

impl Learner for MaximumLikelihood<'_> {
    type Model = Candidate;

    fn scores(&self, model: &Candidate) -> Vec<Score> {
        model.mixture.scores_for(self.shape.structure())
    }

    fn penalty(&self, _: &Candidate) -> Vec<f64> {
        Vec::new()
    }

    fn m_step(&self, summary: &Summary, iteration: usize) -> Result<Candidate> {
        let mut summary = Cow::Borrowed(summary);
        let mut mended = Vec::new();
        loop {
            let fault = match self.update(&summary, iteration) {
                Ok(mixture) => return Ok(Candidate { mixture, mended }),
                Err(fault) => fault,
            };
            let (&Error::Collapse { component, .. }, Some((points, seed))) =
                (&fault, self.reseed)
            else {
                return Err(fault);
            };
            let shares = &mut summary.to_mut().components;
            if mended.len() == shares.len() {
                return Err(fault);
            }
            let stream = (iteration as u64) << 32 | component as u64;
            let mut rng = rng_stream(seed, !stream);
            shares[component] = self.anew(points, shares.len(), &mut rng);
            mended.push(fault);
        }
    }

    fn admits(&self, model: &Candidate) -> bool {
        self.shape.includes(model.mixture.shape())
    }

    fn mended<'m>(&self, model: &'m Candidate) -> &'m [Error] {
        &model.mended
    }

    fn coordinates(
        &self,
        model: &Candidate,
        _: &Summary,
        units: &Units,
    ) -> Option<DVector<f64>> {
        coordinates::of_mixture(&model.mixture, units)
    }

    fn model_at(&self, at: &DVector<f64>, units: &Units) -> Option<Candidate> {
        let of = (self.components, self.shape);
        coordinates::mixture_at(at, of, units).map(Candidate::from)
    }
}

impl<'a> MaximumLikelihood<'a> {
    fn new(em: &Em, points: &'a Points<'a>) -> Result<Self> {
        let (_, sigma) = location_and_spread(points, em.covariance.structure())?;
        check_spread(&sigma)?;
        let spread = Cholesky::of(&sigma, "the covariance of the data")?;
        Ok(MaximumLikelihood {
            components: em.components,
            shape: em.covariance,
            whitener: spread.inverse_root(),
            spread,
            reseed: match em.on_collapse {
                OnCollapse::Stop => None,
                OnCollapse::Reseed => Some((points, em.search.seed)),
            },
        })
    }

    /// πₖ = Nₖ/N, μₖ = x̄ₖ, Σₖ = scatterₖ/Nₖ (PRML 9.22, 9.17, 9.19), or the scatter and the count
    /// of all that shares the covariance.
    // ANCHOR: m_step
    fn update(&self, summary: &Summary, iteration: usize) -> Result<GaussianMixture> {
        let shares = summary.components();
        let total: f64 = shares.iter().map(Moments::count).sum();
        let scatters = shares.iter().map(|m| (m.count(), m.structured_scatter()));
        let pools = self.shape.pool(scatters); // a full shape leaves them as they are
        let mut weights = DVector::zeros(shares.len());
        let mut components = Vec::with_capacity(shares.len());
        for (k, (moments, (count, scatter))) in shares.iter().zip(pools).enumerate() {
            weights[k] = moments.count() / total;
            let Some(mean) = moments.mean() else {
                return Err(collapse(k, iteration, weights[k], 0.0));
            };
            let covariance = scatter.divided(count);
            self.check_alive(&covariance)
                .map_err(|ratio| collapse(k, iteration, weights[k], ratio))?;
            components.push(Gaussian::named(mean, covariance, "a covariance")?);
        }
        Ok(GaussianMixture::of(weights, components, self.shape))
    }
    // ANCHOR_END: m_step

    /// A share of the points for a component that has lost its own: as many as if all had equally
    /// many, about a random point, and as far from it as in a random start.
    fn anew(&self, points: &Points, k: usize, rng: &mut Rng) -> Moments {
        let weights = (0..points.len()).map(|n| points.weight(n));
        let lottery =
            WeightedIndex::new(weights).expect("checked points have weight");
        let centre = points.row(lottery.sample(rng));
        let count = points.total / k as f64;
        let size = share_of_volume(k, points.dimension()) * count;
        let scatter = squared(self.spread.root()).scaled(size);
        Moments::from_parts(
            count,
            centre,
            &DVector::zeros(points.dimension()),
            scatter,
        )
    }

    /// Compares a covariance with the data's; the error is its smallest eigenvalue
    /// relative to it.
    fn check_alive(&self, covariance: &Structured) -> Result<(), f64> {
        let relative = match self.whitener.congruence(covariance) {
            Structured::Dense(relative) => relative,
            diagonal => {
                let smallest = diagonal.diagonal().min();
                return if smallest > COLLAPSED { Ok(()) } else { Err(smallest) };
            }
        };
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
