use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::wishart::noise_with;
use super::{Gaussian, Structure, StudentT, Wishart};
use crate::finite::{check_finite, check_positive};
use crate::math::{LN_2_PI, Structured};
use crate::{Error, Moments, Result};

/// The Gaussian–Wishart distribution of the mean μ and the precision Λ of a Gaussian
/// (PRML 2.157, B.53): p(μ, Λ) = N(μ | m, (βΛ)⁻¹) W(Λ | W, ν).
///
/// It is the conjugate prior: [`GaussianWishart::posterior`] is one again, and
/// [`GaussianWishart::log_evidence`] is exact.
///
/// ```
/// use mixtures::{GaussianWishart, Moments, Wishart, data, nalgebra::{DMatrix, dvector}};
///
/// let wishart = Wishart::new(2.0, DMatrix::identity(2, 2))?;
/// let prior = GaussianWishart::new(dvector![1.0, 1.0], 1.5, wishart)?;
/// let moments = Moments::of(&data::notebook())?;
/// let posterior = prior.posterior(&moments)?;
/// assert_eq!(posterior.beta(), 1001.5);
/// assert!((prior.log_evidence(&moments)? + 4163.677965161234).abs() < 1e-6);
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct GaussianWishart {
    m: DVector<f64>,
    beta: f64,
    wishart: Wishart,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    m: DVector<f64>,
    beta: f64,
    wishart: Wishart,
}

impl GaussianWishart {
    /// From the mean's mean m (length D), how many points β it is worth, and the distribution of
    /// the precision.
    ///
    /// # Errors
    /// If m has another dimension or is not finite, or β is not positive.
    pub fn new(m: DVector<f64>, beta: f64, wishart: Wishart) -> Result<Self> {
        let d = wishart.dimension();
        if m.len() != d {
            let expected = format!("of length {d}, as W is {d}×{d}");
            return Err(Error::shape(
                "the mean m",
                expected,
                format!("of length {}", m.len()),
            ));
        }
        check_finite(&m.as_view(), "the mean m")?;
        check_positive(beta, "beta")?;
        Ok(GaussianWishart { m, beta, wishart })
    }

    /// m, length D.
    pub fn m(&self) -> &DVector<f64> {
        &self.m
    }

    /// β.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// The distribution of Λ.
    pub fn wishart(&self) -> &Wishart {
        &self.wishart
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.m.len()
    }

    /// What is known of μ and Λ after seeing points with these moments (PRML 10.60–10.63, with
    /// the responsibilities as weights). No weight at all leaves it as it is.
    ///
    /// # Errors
    /// If the moments are of another dimension, or so large that W⁻¹ is not finite.
    // ANCHOR: posterior
    pub fn posterior(&self, moments: &Moments) -> Result<GaussianWishart> {
        self.expect_dimension(moments.dimension(), "the moments")?;
        let (m, scatter) = self.pulled(moments);
        let wishart = self.wishart.observed(moments.count(), scatter)?;
        GaussianWishart::new(m, self.beta + moments.count(), wishart)
    }

    /// The posterior's m, and what the points' scatter adds to W⁻¹, the pull to m₀ included.
    fn pulled(&self, moments: &Moments) -> (DVector<f64>, Structured) {
        let scatter = moments.structured_scatter();
        let (Some(mean), Some(shift)) = (moments.mean(), moments.mean_from(&self.m))
        else {
            return (self.m.clone(), scatter);
        };
        let count = moments.count();
        let beta = self.beta + count;
        // From the nearer end, so that a distant one costs no digits.
        let m = if count > self.beta {
            mean - &shift * (self.beta / beta)
        } else {
            &self.m + &shift * (count / beta)
        };
        (m, scatter.plus_square(self.beta * (count / beta), &shift))
    }
    // ANCHOR_END: posterior

    /// The same for several means that share one Λ, as their priors `before` do: each mean learns
    /// from its own points (`shares`, one a mean), and Λ from all of them.
    ///
    /// # Errors
    /// As [`GaussianWishart::posterior`].
    pub(crate) fn posteriors_sharing(
        before: &[GaussianWishart],
        shares: &[Moments],
    ) -> Result<Vec<GaussianWishart>> {
        let pairs = || before.iter().zip(shares);
        let pulled: Vec<_> = pairs().map(|(q, share)| q.pulled(share)).collect();
        let count = shares.iter().map(Moments::count).sum();
        let scatters = pulled.iter().map(|(_, scatter)| scatter.clone());
        let together = scatters.reduce(|sum, scatter| sum.plus(&scatter));
        let together = together.expect("there is a component");
        let wishart = before[0].wishart.observed(count, together)?;
        pairs()
            .zip(pulled)
            .map(|((q, share), (m, _))| {
                GaussianWishart::new(m, q.beta + share.count(), wishart.clone())
            })
            .collect()
    }

    /// ln p(X), natural log, of points with these moments, all parameters integrated out.
    ///
    /// # Errors
    /// As [`GaussianWishart::posterior`].
    // ANCHOR: log_evidence
    pub fn log_evidence(&self, moments: &Moments) -> Result<f64> {
        let posterior = self.posterior(moments)?;
        let d = self.dimension() as f64;
        Ok(self.wishart.log_normaliser() - posterior.wishart.log_normaliser()
            + 0.5 * d * (self.beta / posterior.beta).ln()
            - 0.5 * d * moments.count() * LN_2_PI)
    }
    // ANCHOR_END: log_evidence

    /// p(x) of the next point, with μ and Λ integrated out: a Student-t with location m, scale
    /// (β + 1)/(β (ν + 1 − D)) W⁻¹, and ν + 1 − D degrees of freedom (PRML 10.81, 10.82). (If Λ
    /// is diagonal or spherical, D = 1 in both, and if it is diagonal the coordinates are
    /// independent.)
    // ANCHOR: predictive
    pub fn predictive(&self) -> StudentT {
        let structure = self.wishart.structure();
        let d = structure.block(self.dimension()) as f64; // D, or 1 if Λ is diagonal
        let degrees = self.wishart.nu() - (d - 1.0); // exactly > 0
        let widened = (self.beta + 1.0) / self.beta / degrees;
        let independent = structure == Structure::Diagonal;
        StudentT::of(degrees, self.gaussian(widened), independent)
    }
    // ANCHOR_END: predictive

    /// N(m, `s` W⁻¹).
    pub(crate) fn gaussian(&self, s: f64) -> Gaussian {
        let inverse_w = self.wishart.structured_inverse_w();
        Gaussian::scaled(self.m.clone(), inverse_w, self.wishart.factor(), s)
    }

    /// ln p(μ, Λ), natural log.
    ///
    /// # Errors
    /// If the shapes differ, μ is not finite, or Λ is not symmetric and positive definite.
    pub fn log_density(
        &self,
        mu: &DVector<f64>,
        lambda: &DMatrix<f64>,
    ) -> Result<f64> {
        self.expect_dimension(mu.len(), "the mean")?;
        check_finite(&mu.as_view(), "the mean")?;
        let of_lambda = self.wishart.log_density(lambda)?;
        let precision = crate::math::Cholesky::new(lambda, "the precision")?;
        let shift = mu - &self.m;
        let squared = self.beta * (precision.l().transpose() * shift).norm_squared();
        let d = self.dimension() as f64;
        let scale = d * (self.beta.ln() - LN_2_PI) + precision.log_det();
        Ok(of_lambda + 0.5 * (scale - squared))
    }

    /// E[(x − μ)ᵀ Λ (x − μ)] = D/β + ν (x − m)ᵀ W (x − m) (PRML 10.64).
    ///
    /// # Panics
    /// If `x` does not have D entries.
    // ANCHOR: expected_distance
    pub fn expected_distance(&self, x: &DVector<f64>) -> f64 {
        let squared = self.wishart.factor().whiten(&(x - &self.m)).norm_squared();
        self.dimension() as f64 / self.beta + self.wishart.nu() * squared
    }
    // ANCHOR_END: expected_distance

    /// The differential entropy −E ln p(μ, Λ).
    pub fn entropy(&self) -> f64 {
        self.wishart.entropy() + self.entropy_of_mean()
    }

    /// −E ln p(μ | Λ).
    pub(crate) fn entropy_of_mean(&self) -> f64 {
        let d = self.dimension() as f64;
        let scale = d * (LN_2_PI + 1.0 - self.beta.ln());
        0.5 * (scale - self.wishart.expected_log_det())
    }

    /// KL(self ‖ other).
    ///
    /// # Errors
    /// If `other` has another dimension, or is a distribution of other precisions.
    pub fn kl(&self, other: &GaussianWishart) -> Result<f64> {
        self.expect_dimension(other.dimension(), "the other distribution")?;
        self.wishart.expect_alike(&other.wishart)?;
        Ok(self.kl_terms(other).iter().sum())
    }

    /// The terms of KL(self ‖ other), which are of equal D: the scale of its rounding.
    pub(crate) fn kl_terms(&self, other: &GaussianWishart) -> Vec<f64> {
        let mut terms = self.wishart.kl_terms(&other.wishart);
        terms.extend(self.kl_terms_of_mean(other));
        terms
    }

    /// Those of the divergence between the means given Λ, on the average over Λ.
    pub(crate) fn kl_terms_of_mean(&self, other: &GaussianWishart) -> [f64; 2] {
        let d = self.dimension() as f64;
        let ratio = other.beta / self.beta;
        let shift = self.wishart.factor().whiten(&(&self.m - &other.m));
        [
            0.5 * d * (ratio - 1.0 - ratio.ln()),
            0.5 * other.beta * self.wishart.nu() * shift.norm_squared(),
        ]
    }

    /// One draw of (μ, Λ), of length D and D×D.
    ///
    /// # Errors
    /// If ν is so close to D − 1 that the drawn Λ is singular in double precision.
    pub fn sample<R: rand::Rng + ?Sized>(
        &self,
        rng: &mut R,
    ) -> Result<(DVector<f64>, DMatrix<f64>)> {
        let a = self.wishart.draw_root(rng);
        let (mean, _) = self.draw(&a, rng)?;
        Ok((mean, self.wishart.precision(&a)))
    }

    /// One draw of the Gaussian N(μ, Λ⁻¹) that μ and Λ describe.
    ///
    /// # Errors
    /// As [`GaussianWishart::sample`].
    pub fn sample_gaussian<R: rand::Rng + ?Sized>(
        &self,
        rng: &mut R,
    ) -> Result<Gaussian> {
        let a = self.wishart.draw_root(rng);
        self.sample_gaussian_with(&a, rng)
    }

    /// The same for the precision drawn as `a`.
    pub(crate) fn sample_gaussian_with<R: rand::Rng + ?Sized>(
        &self,
        a: &Structured,
        rng: &mut R,
    ) -> Result<Gaussian> {
        let (mean, g) = self.draw(a, rng)?;
        Ok(Gaussian::with_root(mean, &g))
    }

    /// μ, and the factor G of Λ⁻¹ = G Gᵀ, for the precision drawn as `a`.
    fn draw<R: rand::Rng + ?Sized>(
        &self,
        a: &Structured,
        rng: &mut R,
    ) -> Result<(DVector<f64>, Structured)> {
        let Some((noise, g)) = noise_with(self.wishart.factor(), a, rng) else {
            let reason = "it is so close to D − 1 that the drawn precision is singular; raise it";
            return Err(Error::option("nu", self.wishart.nu(), reason));
        };
        Ok((&self.m + noise / self.beta.sqrt(), g))
    }

    /// E_q ln p(μ | Λ), where q is `self` and p is `prior`, of equal D (PRML 10.74).
    pub(crate) fn expected_log_density_of_mean(
        &self,
        prior: &GaussianWishart,
    ) -> f64 {
        let d = self.dimension() as f64;
        let distance = prior.beta * self.expected_distance(&prior.m);
        let log_det = self.wishart.expected_log_det();
        0.5 * (d * (prior.beta.ln() - LN_2_PI) + log_det - distance)
    }

    /// Moved by `shift` (length D).
    pub(crate) fn translated(mut self, shift: &DVector<f64>) -> Self {
        self.m += shift;
        self
    }

    fn expect_dimension(&self, found: usize, what: &str) -> Result<()> {
        let d = self.dimension();
        if found == d {
            return Ok(());
        }
        let expected = format!("of dimension {d}, as W is {d}×{d}");
        Err(Error::shape(what, expected, format!("of dimension {found}")))
    }
}

impl TryFrom<Parts> for GaussianWishart {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        GaussianWishart::new(parts.m, parts.beta, parts.wishart)
    }
}

impl From<GaussianWishart> for Parts {
    fn from(it: GaussianWishart) -> Self {
        Parts { m: it.m, beta: it.beta, wishart: it.wishart }
    }
}
