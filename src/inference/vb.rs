//! Variational Bayes for a mixture of Gaussians.

use std::borrow::Cow;

use nalgebra::{DMatrix, DMatrixView, DVector, DVectorView};
use serde::{Deserialize, Serialize};

use crate::distribution::{GaussianWishart, StickBreaking};
use crate::inference::accelerate::Extrapolation;
use crate::inference::belief::{Belief, Concentration};
use crate::inference::coordinates::{self, Units};
use crate::inference::e_step::e_step;
use crate::inference::fit::Learner;
use crate::inference::posterior::Posterior;
use crate::inference::prior::{Prior, spread};
use crate::inference::search::{Best, Search, search_options};
use crate::inference::shares::{check_columns, shares};
use crate::inference::start::Start;
use crate::inference::summary::Summary;
use crate::kernel::{Points, Score};
use crate::mixture::Covariance;
use crate::{Error, Moments, Result};

/// Fits a [`Posterior`] over mixtures by variational Bayes (Attias 2000; PRML §10.2).
///
/// Where EM finds one mixture, this finds how probable mixtures are: it climbs the evidence lower
/// bound, F(q) ≤ ln p(X), over all q(z) q(π, μ, Λ). The prior keeps every component from
/// collapsing (unless its W₀⁻¹ is below 1e-12 or so of the data's covariance in some direction,
/// which double precision cannot tell from nothing), and one that holds no points falls back to it.
///
/// [`Start::Means`] puts the means there and leaves all else at the prior. Every other start is a
/// mixture, whose responsibilities make the first posterior; the random ones give its components
/// the shape of the prior's W₀⁻¹ and the size of the data.
///
/// ```
/// use mixtures::{Vb, data};
///
/// let x = data::faithful();
/// let fit = Vb::new(6).restarts(10).seed(7).fit(&x)?; // Prior::from_data by default
/// assert!(fit.converged);
/// let used = fit.posterior.alpha().iter().filter(|&&alpha| alpha > 1.0).count();
/// assert_eq!(used, 2); // of six
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use = "nothing is fitted before `fit` is called"]
pub struct Vb {
    pub(super) components: usize,
    covariance: Covariance,
    concentration: Concentration,
    prior: Option<Prior>,
    search: Search,
}

/// What [`Vb::fit`] found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VbFit {
    /// q(π, μ, Λ).
    pub posterior: Posterior,
    /// Whether the gain fell below the tolerance before the iterations ran out.
    pub converged: bool,
    /// How many E-steps were made after the first: one for each update, and one for each leap,
    /// accepted or refused ([`Vb::acceleration`]).
    pub iterations: usize,
    /// The bound F(q) with every constant (natural log), the responsibilities at their best:
    /// before each update, and last that of the returned posterior: `iterations + 1` values, of which a refused
    /// leap repeats the one before.
    pub trace: Vec<f64>,
    /// The bound that each restart ended at, in order.
    pub restarts: Vec<Option<f64>>,
    /// The leaps that were tried, in order ([`Vb::acceleration`]).
    #[serde(default)]
    pub extrapolations: Vec<Extrapolation>,
}

impl VbFit {
    /// The bound of the returned posterior: the last of the trace (NaN if somebody has emptied
    /// it).
    pub fn elbo(&self) -> f64 {
        self.trace.last().copied().unwrap_or(f64::NAN)
    }
}

impl Vb {
    /// A fit of at most `components` Gaussians, with the defaults: [`Prior::from_data`], full
    /// covariances, one start by k-means++ with seed 0, at most 1000 iterations, tolerance 1e-6.
    pub fn new(components: usize) -> Self {
        Vb {
            components,
            covariance: Covariance::Full,
            concentration: Concentration::Dirichlet,
            prior: None,
            search: Search::default(),
        }
    }

    /// What is believed before the data.
    pub fn prior(mut self, prior: Prior) -> Self {
        self.prior = Some(prior);
        self
    }

    /// The shape of the covariances.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// What is believed of the weights: a Dirichlet with the prior's α₀, or a Dirichlet process.
    ///
    /// ```
    /// use mixtures::{Concentration, Vb, data};
    ///
    /// let process = Concentration::DirichletProcess { alpha: 1.0 };
    /// let fit = Vb::new(10).concentration(process).seed(1).fit(&data::galaxies())?;
    /// assert!(fit.posterior.counts()[0] > fit.posterior.counts()[5]); // by falling counts
    /// # Ok::<(), mixtures::Error>(())
    /// ```
    pub fn concentration(mut self, concentration: Concentration) -> Self {
        self.concentration = concentration;
        self
    }

    search_options!("the bound");

    /// Fits the rows of `x` (N×D).
    ///
    /// # Errors
    /// If `x` is empty or not finite; if K is 0; with a random start if K is above N, and with
    /// k-means++ if it is above the number of different rows of positive weight
    /// ([`Start::Means`] has no such limit); if the prior is not one, or of another dimension; if
    /// there is none and the data have no spread in some direction; if an option contradicts
    /// another; if the data, the prior and the start differ so widely in scale that W⁻¹ is not
    /// positive definite in double precision or the bound overflows; or if the bound falls by more
    /// than rounding explains.
    pub fn fit<'a>(&self, x: impl Into<DMatrixView<'a, f64>>) -> Result<VbFit> {
        self.fit_points(Points::new(x.into(), None)?)
    }

    /// Fits the rows of `x` (N×D), each counted `weights[n]` times (length N).
    ///
    /// # Errors
    /// As [`Vb::fit`]; also if a weight is negative or not finite, or if their sum is not between
    /// 1e-100 and 1e20.
    pub fn fit_weighted<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
        weights: impl Into<DVectorView<'a, f64>>,
    ) -> Result<VbFit> {
        self.fit_points(Points::new(x.into(), Some(weights.into()))?)
    }

    /// The best posterior for given responsibilities r (N×K) of the rows of `x` (N×D): what an update
    /// makes of them, with this prior, shape and concentration. Its components are in the order of
    /// the columns of r, whatever the concentration.
    ///
    /// # Errors
    /// If `x` is empty or not finite, r is not N×K, a row of it does not sum to 1 (to 1e-9), or the
    /// prior is not one or of another dimension.
    pub fn given_responsibilities<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
        r: &DMatrix<f64>,
    ) -> Result<Posterior> {
        let points = Points::new(x.into(), None)?;
        check_columns(r, self.components)?;
        let shares = shares(&points, r, self.covariance.structure())?;
        let (belief, learner) = self.learner(&points)?;
        let updated = learner.before.updated(&shares)?;
        Ok(updated.translated(&points.origin).believing(belief))
    }

    /// What is believed before the data, as it was given and relative to the points' origin.
    fn learner(&self, points: &Points) -> Result<(Belief, VariationalBayes)> {
        let prior = match &self.prior {
            Some(prior) => prior.clone(),
            None => Prior::from_points(points, self.covariance.structure())?,
        };
        let belief = Belief {
            prior,
            covariance: self.covariance,
            concentration: self.concentration,
        };
        let before = Posterior::before(belief.clone(), self.components)?;
        points.expect_dimension(before.dimension())?;
        let before = before.translated(&-&points.origin);
        Ok((belief, VariationalBayes { before }))
    }

    pub(super) fn fit_points(&self, points: Points) -> Result<VbFit> {
        self.search.check(self.components, &points)?;
        let (belief, learner) = self.learner(&points)?;
        let structure = self.covariance.structure();
        let Best { run, ends } = match &self.search.start {
            Start::Means(means) => {
                let first = learner.with_means(means, &points)?;
                self.search.best(&learner, &points, |_| Ok(first.clone()))?
            }
            Start::Responsibilities(r) => {
                let shares = shares(&points, r, structure)?;
                let first = learner.m_step(&Summary::of(shares), 0)?;
                self.search.best(&learner, &points, |_| Ok(first.clone()))?
            }
            start => {
                let spread = spread(learner.component(), &points)?;
                self.search.best(&learner, &points, |rng| {
                    let of = (self.components, self.covariance);
                    let mixture = start.mixture(of, &points, &spread, rng)?;
                    let scores = mixture.scores_for(structure);
                    learner.m_step(&e_step(&scores, &points)?, 0)
                })?
            }
        };
        Ok(VbFit {
            posterior: run.model.translated(&points.origin).believing(belief),
            converged: run.converged,
            iterations: run.iterations,
            trace: run.trace,
            restarts: ends,
            extrapolations: run.extrapolations,
        })
    }
}

/// What is believed before the data, in coordinates relative to the points' origin.
struct VariationalBayes {
    before: Posterior,
}

impl Learner for VariationalBayes {
    type Model = Posterior;

    fn scores(&self, model: &Posterior) -> Vec<Score> {
        model.scores()
    }

    fn penalty(&self, model: &Posterior) -> Vec<f64> {
        model.penalty(&self.before)
    }

    fn m_step(&self, summary: &Summary, iteration: usize) -> Result<Posterior> {
        let shares = self.ordered(summary.components());
        self.before.updated(&shares).map_err(|fault| at(fault, iteration))
    }

    fn coordinates(
        &self,
        _: &Posterior,
        summary: &Summary,
        units: &Units,
    ) -> Option<DVector<f64>> {
        coordinates::of_shares(&self.ordered(summary.components()), units)
    }

    fn model_at(&self, at: &DVector<f64>, units: &Units) -> Option<Posterior> {
        let k = self.before.component_count();
        let shares = coordinates::shares_at(at, k, units)?;
        self.m_step(&Summary::of(shares), 0).ok()
    }
}

impl VariationalBayes {
    /// The shares in the order in which the components are kept.
    fn ordered<'a>(&self, shares: &'a [Moments]) -> Cow<'a, [Moments]> {
        let Concentration::DirichletProcess { alpha } = self.before.concentration()
        else {
            return Cow::Borrowed(shares);
        };
        let counts = shares.iter().map(Moments::count);
        let counts = DVector::from_iterator(shares.len(), counts);
        let order = StickBreaking::best_order(&counts, alpha);
        order.iter().map(|&k| shares[k].clone()).collect()
    }

    /// The prior of each component, which is the same.
    fn component(&self) -> &GaussianWishart {
        &self.before.components()[0]
    }

    /// The prior, but for these means (K×D).
    fn with_means(&self, means: &DMatrix<f64>, points: &Points) -> Result<Posterior> {
        let before = &self.before;
        let components = means
            .row_iter()
            .map(|mean| {
                let m = mean.transpose() - &points.origin;
                let wishart = self.component().wishart().clone();
                GaussianWishart::new(m, self.component().beta(), wishart)
            })
            .collect::<Result<_>>()?;
        Ok(Posterior::of(
            before.belief().clone(),
            before.weights().clone(),
            components,
        ))
    }
}

/// Says when an update failed, and what to do.
pub(crate) fn at(fault: Error, iteration: usize) -> Error {
    match fault {
        Error::NotPositiveDefinite { what, reason } => Error::NotPositiveDefinite {
            what: format!("{what} at iteration {iteration}"),
            reason: format!(
                "{reason} (raise the prior's W₀⁻¹, bring m0 closer to the data or lower beta0, or \
                 remove a column that depends on others)"
            ),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GaussianMixture, data};

    /// Components change places by their counts, and their statistics with them.
    #[test]
    fn the_sticks_of_a_process_and_its_coordinates_are_in_one_order() -> Result<()> {
        let x = data::notebook();
        let (_, means, covariances) = data::notebook_truth();
        let weights = DVector::from_vec(vec![0.05, 0.15, 0.8]);
        let mixture = GaussianMixture::new(weights, means, covariances)?;
        let points = Points::new((&x).into(), None)?;
        let summary =
            e_step(&mixture.translated(&-&points.origin).scores(), &points)?;
        let process = Concentration::DirichletProcess { alpha: 1.0 };
        let (_, learner) = Vb::new(3).concentration(process).learner(&points)?;
        let model = learner.m_step(&summary, 1)?;
        let units = Units::of(&summary);
        let coordinates = learner.coordinates(&model, &summary, &units).unwrap();
        let counts = coordinates.as_slice().chunks(6).map(|part| part[0]);
        let counts = DVector::from_iterator(3, counts);
        approx::assert_relative_eq!(counts, model.counts(), max_relative = 1e-12);
        let given = summary.components().iter().map(Moments::count);
        assert!(!given.is_sorted_by(|a, b| a >= b));
        let there = learner.model_at(&coordinates, &units).unwrap();
        approx::assert_relative_eq!(there.means(), model.means(), epsilon = 1e-12);
        Ok(())
    }
}
