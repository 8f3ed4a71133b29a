//! Maximum a posteriori: EM with a prior on (π, μ, Σ).

use nalgebra::DVector;

use crate::distribution::{Gaussian, GaussianWishart, Weights};
use crate::inference::belief::Belief;
use crate::inference::coordinates::{self, Units};
use crate::inference::fit::Learner;
use crate::inference::posterior::Posterior;
use crate::inference::prior::Prior;
use crate::inference::summary::Summary;
use crate::inference::vb::at;
use crate::kernel::{Points, Score};
use crate::math::LN_2_PI;
use crate::mixture::{Covariance, GaussianMixture};
use crate::{Error, Result};

/// What is believed before the data, in coordinates relative to the points' origin: Dirichlet
/// weights, and for each component N(μ | m₀, Σ/β₀) and Σ inverse-Wishart with scale W₀⁻¹ and ν₀
/// degrees of freedom.
pub(crate) struct MaximumPosterior {
    before: Posterior,
}

impl MaximumPosterior {
    pub fn new(
        prior: &Prior,
        covariance: Covariance,
        k: usize,
        points: &Points,
    ) -> Result<Self> {
        if prior.alpha0 < 1.0 {
            let reason = "below 1 the posterior has no maximum inside the simplex; use 1 or more";
            return Err(Error::option("alpha0", prior.alpha0, reason));
        }
        let belief = Belief { covariance, ..Belief::plain(prior.clone()) };
        let before = Posterior::before(belief, k)?;
        points.expect_dimension(before.dimension())?;
        Ok(MaximumPosterior { before: before.translated(&-&points.origin) })
    }

    /// The prior of each component, which is the same.
    pub fn component(&self) -> &GaussianWishart {
        &self.before.components()[0]
    }

    /// The terms of ln N(μ | m₀, Σ/β₀).
    fn log_density_of_mean(&self, of: &Gaussian) -> [f64; 2] {
        let (d, beta) = (of.dimension() as f64, self.component().beta());
        let shift = of.factor().whiten(&(of.mean() - self.component().m()));
        [
            0.5 * (d * (beta.ln() - LN_2_PI) - of.factor().log_det()),
            -0.5 * beta * shift.norm_squared(),
        ]
    }
}

impl Learner for MaximumPosterior {
    type Model = GaussianMixture;

    fn scores(&self, model: &GaussianMixture) -> Vec<Score> {
        model.scores_for(self.before.shape().structure())
    }

    fn admits(&self, model: &GaussianMixture) -> bool {
        self.before.shape().includes(model.shape())
    }

    fn penalty(&self, model: &GaussianMixture) -> Vec<f64> {
        let Weights::Dirichlet(weights) = self.before.weights() else {
            unreachable!("a plain belief has Dirichlet weights")
        };
        let components = || model.components().iter();
        let of_means = components().flat_map(|c| self.log_density_of_mean(c));
        let priors = self.before.precisions(); // one for each distinct covariance
        let of_covariances = priors
            .zip(components())
            .flat_map(|(prior, c)| prior.log_density_of_inverse(c.factor()));
        std::iter::once(weights.log_normaliser())
            .chain(weights.log_powers(model.weights()))
            .chain(of_means)
            .chain(of_covariances)
            .collect()
    }

    /// πₖ = (Nₖ + α₀ − 1)/(N + K(α₀ − 1)), μₖ = mₖ, Σₖ = Wₖ⁻¹/(νₖ + D + 2) (or what takes the
    /// place of D + 2 in other shapes).
    // ANCHOR: m_step
    fn m_step(&self, summary: &Summary, iteration: usize) -> Result<GaussianMixture> {
        let shares = summary.components();
        let alpha0 = self.before.prior().alpha0;
        let counts = shares.iter().map(|share| share.count() + (alpha0 - 1.0));
        let counts = DVector::from_iterator(shares.len(), counts);
        let posterior =
            self.before.updated(shares).map_err(|fault| at(fault, iteration))?;
        let sharing = if posterior.shape().is_tied() { shares.len() } else { 1 };
        let components = posterior.components().iter();
        let modes = components
            .map(|c| c.gaussian(1.0 / c.wishart().mode_divisor(sharing)))
            .collect();
        let total = counts.sum();
        Ok(GaussianMixture::of(counts / total, modes, posterior.shape()))
    }
    // ANCHOR_END: m_step

    fn coordinates(
        &self,
        model: &GaussianMixture,
        _: &Summary,
        units: &Units,
    ) -> Option<DVector<f64>> {
        coordinates::of_mixture(model, units)
    }

    fn model_at(&self, at: &DVector<f64>, units: &Units) -> Option<GaussianMixture> {
        let of = (self.before.component_count(), self.before.shape());
        coordinates::mixture_at(at, of, units)
    }
}
