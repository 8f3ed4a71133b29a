//! Maximum a posteriori: EM with a prior on (π, μ, Σ).

use nalgebra::DVector;

use crate::distribution::{Gaussian, GaussianWishart};
use crate::inference::fit::Learner;
use crate::inference::posterior::Posterior;
use crate::inference::prior::Prior;
use crate::inference::summary::Summary;
use crate::inference::vb::at;
use crate::kernel::{Points, Score};
use crate::math::LN_2_PI;
use crate::mixture::GaussianMixture;
use crate::{Error, Result};

/// What is believed before the data, in coordinates relative to the points' origin: Dirichlet
/// weights, and for each component N(μ | m₀, Σ/β₀) and Σ inverse-Wishart with scale W₀⁻¹ and ν₀
/// degrees of freedom.
pub(crate) struct MaximumPosterior {
    before: Posterior,
}

impl MaximumPosterior {
    pub fn new(prior: &Prior, k: usize, points: &Points) -> Result<Self> {
        if prior.alpha0 < 1.0 {
            let reason = "below 1 the posterior has no maximum inside the simplex; use 1 or more";
            return Err(Error::option("alpha0", prior.alpha0, reason));
        }
        let before = Posterior::before(prior.clone(), k)?;
        points.expect_dimension(before.dimension())?;
        Ok(MaximumPosterior { before: before.translated(&-&points.origin) })
    }

    /// The prior of each component, which is the same.
    pub fn component(&self) -> &GaussianWishart {
        &self.before.components()[0]
    }

    /// The terms of ln N(μ | m₀, Σ/β₀) + ln IW(Σ | W₀⁻¹, ν₀).
    fn log_density(&self, of: &Gaussian) -> [f64; 4] {
        let (d, beta) = (of.dimension() as f64, self.component().beta());
        let wishart = self.component().wishart();
        let shift = of.factor().whiten(&(of.mean() - self.component().m()));
        // tr(W₀⁻¹ Σ⁻¹) = ‖L⁻¹ L₀‖²
        let relative = of.factor().whitener() * wishart.factor().l();
        [
            wishart.log_normaliser() + 0.5 * d * (beta.ln() - LN_2_PI),
            -0.5 * (wishart.nu() + d + 2.0) * of.factor().log_det(),
            -0.5 * beta * shift.norm_squared(),
            -0.5 * relative.norm_squared(),
        ]
    }
}

impl Learner for MaximumPosterior {
    type Model = GaussianMixture;

    fn scores(&self, model: &GaussianMixture) -> Vec<Score> {
        model.scores()
    }

    fn penalty(&self, model: &GaussianMixture) -> Vec<f64> {
        let weights = self.before.weights();
        let of_components =
            model.components().iter().flat_map(|c| self.log_density(c));
        std::iter::once(weights.log_normaliser())
            .chain(weights.log_powers(model.weights()))
            .chain(of_components)
            .collect()
    }

    /// πₖ = (Nₖ + α₀ − 1)/(N + K(α₀ − 1)), μₖ = mₖ, Σₖ = Wₖ⁻¹/(νₖ + D + 2).
    fn m_step(&self, summary: &Summary, iteration: usize) -> Result<GaussianMixture> {
        let shares = summary.components();
        let alpha0 = self.before.prior().alpha0;
        let counts = shares.iter().map(|share| share.count() + (alpha0 - 1.0));
        let counts = DVector::from_iterator(shares.len(), counts);
        let posterior =
            self.before.updated(shares).map_err(|fault| at(fault, iteration))?;
        let d = posterior.dimension() as f64;
        let components = posterior.components().iter();
        let modes =
            components.map(|c| c.gaussian(1.0 / (c.wishart().nu() + d + 2.0)));
        let total = counts.sum();
        Ok(GaussianMixture::of(counts / total, modes.collect()))
    }
}
