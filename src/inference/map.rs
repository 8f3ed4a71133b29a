//! Maximum a posteriori: EM with a prior on (π, μ, Σ).

use nalgebra::DVector;

use crate::distribution::{Dirichlet, Gaussian, GaussianWishart};
use crate::inference::fit::Learner;
use crate::inference::prior::Prior;
use crate::inference::summary::Summary;
use crate::inference::vb::at;
use crate::kernel::{Points, Score};
use crate::math::LN_2_PI;
use crate::mixture::GaussianMixture;
use crate::{Error, Result};

/// The prior, in coordinates relative to the points' origin: Dirichlet weights, and for each
/// component N(μ | m₀, Σ/β₀) and Σ inverse-Wishart with scale W₀⁻¹ and ν₀ degrees of freedom,
/// whose numbers `component` holds.
pub(crate) struct MaximumPosterior {
    weights: Dirichlet,
    component: GaussianWishart,
}

impl MaximumPosterior {
    pub fn new(prior: &Prior, k: usize, points: &Points) -> Result<Self> {
        if prior.alpha0 < 1.0 {
            let reason = "below 1 the posterior has no maximum inside the simplex; use 1 or more";
            return Err(Error::option("alpha0", prior.alpha0, reason));
        }
        let component = prior.gaussian_wishart()?;
        points.expect_dimension(component.dimension())?;
        let component = component.translated(&-&points.origin);
        Ok(MaximumPosterior { weights: prior.dirichlet(k)?, component })
    }

    pub fn component(&self) -> &GaussianWishart {
        &self.component
    }

    /// The terms of ln N(μ | m₀, Σ/β₀) + ln IW(Σ | W₀⁻¹, ν₀).
    fn log_density(&self, of: &Gaussian) -> [f64; 4] {
        let (d, beta) = (of.dimension() as f64, self.component.beta());
        let wishart = self.component.wishart();
        let shift = of.factor().whiten(&(of.mean() - self.component.m()));
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
        let powers = self.weights.concentration().iter().zip(model.weights());
        let of_weights = powers
            .filter(|(alpha, _)| **alpha != 1.0) // 0 · ln 0 is 0 here
            .map(|(alpha, w)| (alpha - 1.0) * w.ln());
        let of_components =
            model.components().iter().flat_map(|c| self.log_density(c));
        std::iter::once(self.weights.log_normaliser())
            .chain(of_weights)
            .chain(of_components)
            .collect()
    }

    /// πₖ = (Nₖ + α₀ − 1)/(N + K(α₀ − 1)), μₖ = mₖ, Σₖ = Wₖ⁻¹/(νₖ + D + 2).
    fn m_step(&self, summary: &Summary, iteration: usize) -> Result<GaussianMixture> {
        let shares = summary.components();
        let excess = DVector::from_iterator(
            shares.len(),
            shares
                .iter()
                .zip(self.weights.concentration())
                .map(|(share, alpha)| share.count() + (alpha - 1.0)),
        );
        let components = shares
            .iter()
            .enumerate()
            .map(|(k, share)| {
                let posterior = self.component.posterior(share);
                let posterior = posterior.map_err(|fault| at(fault, k, iteration))?;
                let d = posterior.dimension() as f64;
                Ok(posterior.gaussian(1.0 / (posterior.wishart().nu() + d + 2.0)))
            })
            .collect::<Result<_>>()?;
        let total = excess.sum();
        Ok(GaussianMixture::of(excess / total, components))
    }
}
