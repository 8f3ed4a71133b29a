mod draws;
mod parts;

pub(crate) use draws::noise_with;

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use self::parts::Parts;
use super::Structure;
use crate::finite::check_positive;
use crate::math::{
    Cholesky, Structured, digamma, ln_gamma_bend, ln_multivariate_gamma, squared,
    stein_loss,
};
use crate::{Error, Result};

/// What W and W⁻¹ may hold, so that no multiple of them overflows.
const LARGEST: f64 = 1e200;

/// What errors call W⁻¹.
const INVERSE_SCALE: &str = "the inverse scale W⁻¹";

const LN_2: f64 = std::f64::consts::LN_2;

/// The Wishart distribution of a D×D precision Λ, with scale W and ν > D − 1 degrees of freedom
/// (PRML B.78): p(Λ) = B(W, ν) det Λ^((ν − D − 1)/2) exp(−½ tr(W⁻¹ Λ)).
///
/// It is kept as W⁻¹ = L Lᵀ, which is what observations add to; W stands beside it to be read.
///
/// The same family exists on smaller sets of precisions: on the diagonal matrices
/// ([`Wishart::diagonal`]) it is D independent distributions in one dimension, each a
/// Gamma(ν/2, (W⁻¹)ⱼⱼ/2), and on the multiples of the identity ([`Wishart::spherical`]) one of
/// them. On all three E Λ = ν W.
///
/// ```
/// use mixtures::{Wishart, math, nalgebra::dmatrix};
///
/// let wishart = Wishart::new(5.0, dmatrix![0.5, 0.1; 0.1, 0.2])?;
/// assert_eq!(wishart.mean(), dmatrix![2.5, 0.5; 0.5, 1.0]);
/// let lambda = wishart.sample(&mut math::rng(2));
/// assert!(wishart.log_density(&lambda)?.is_finite());
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Wishart {
    nu: f64,
    structure: Structure,
    w: Structured,
    inverse_w: Structured,
    factor: Cholesky,
    /// L⁻¹.
    whitener: Structured,
}

impl Wishart {
    /// From the degrees of freedom ν and the scale W (D×D).
    ///
    /// # Errors
    /// If ν ≤ D − 1, where no such density exists, or W is not symmetric and positive definite.
    pub fn new(nu: f64, w: DMatrix<f64>) -> Result<Self> {
        let inverse_w = inverse(&Cholesky::new(&w, "the scale W")?);
        let factor = Cholesky::new(&inverse_w, INVERSE_SCALE)?;
        let whitener = factor.inverse_root();
        Wishart {
            nu,
            structure: Structure::Dense,
            w: w.into(),
            inverse_w: inverse_w.into(),
            factor,
            whitener,
        }
        .checked()
    }

    /// From the degrees of freedom ν and the inverse of the scale, W⁻¹ (D×D).
    ///
    /// # Errors
    /// As [`Wishart::new`].
    pub fn from_inverse(nu: f64, inverse_w: DMatrix<f64>) -> Result<Self> {
        Wishart::structured(nu, Structure::Dense, inverse_w.into())
    }

    /// Of a diagonal precision, whose entries are independent: from ν > 0 and the diagonal of W⁻¹
    /// (length D).
    ///
    /// # Errors
    /// If ν or an entry is not positive and finite, or there are none.
    ///
    /// ```
    /// use mixtures::{Wishart, nalgebra::dvector};
    ///
    /// let wishart = Wishart::diagonal(3.0, dvector![1.0, 2.0])?; // Gamma(1.5, 0.5), Gamma(1.5, 1)
    /// assert!((wishart.mean().diagonal() - dvector![3.0, 1.5]).amax() < 1e-14);
    /// # Ok::<(), mixtures::Error>(())
    /// ```
    pub fn diagonal(nu: f64, inverse_w: DVector<f64>) -> Result<Self> {
        Wishart::structured(nu, Structure::Diagonal, inverse_w.into())
    }

    /// Of a precision λ I in `d` dimensions: λ is Gamma(ν/2, `inverse_w`/2), ν > 0.
    ///
    /// # Errors
    /// As [`Wishart::diagonal`].
    pub fn spherical(nu: f64, d: usize, inverse_w: f64) -> Result<Self> {
        let inverse_w = DVector::from_element(d, inverse_w);
        Wishart::structured(nu, Structure::Spherical, inverse_w.into())
    }

    pub(crate) fn structured(
        nu: f64,
        structure: Structure,
        inverse_w: Structured,
    ) -> Result<Self> {
        let factor = Cholesky::of(&inverse_w, INVERSE_SCALE)?;
        let whitener = factor.inverse_root();
        let w = squared(&whitener.transposed());
        Wishart { nu, structure, w, inverse_w, factor, whitener }.checked()
    }

    /// The same, if ν and the entries are within bounds.
    fn checked(self) -> Result<Self> {
        check_positive(self.nu, "nu")?;
        let (block, _) = self.blocks();
        let lowest = block as f64 - 1.0;
        if self.nu <= lowest {
            let reason = format!(
                "a Wishart distribution in {block} dimensions needs more than {lowest} degrees of \
                 freedom"
            );
            return Err(Error::option("nu", self.nu, &reason));
        }
        if self.w.amax().max(self.inverse_w.amax()) > LARGEST {
            return Err(Error::NotPositiveDefinite {
                what: "the scale W, or its inverse,".into(),
                reason: "has entries above 1e200; rescale the data".into(),
            });
        }
        Ok(self)
    }

    /// What is known of Λ after seeing `count` points with this scatter about their known mean:
    /// ν + count and W⁻¹ + scatter, of each block.
    pub(crate) fn observed(&self, count: f64, scatter: Structured) -> Result<Self> {
        if count == 0.0 {
            return Ok(self.clone());
        }
        let (count, scatter) = self.structure.project(count, scatter);
        let inverse_w = self.inverse_w.clone().plus(&scatter);
        Wishart::structured(self.nu + count, self.structure, inverse_w)
    }

    /// Which precisions it is a distribution of.
    pub(crate) fn structure(&self) -> Structure {
        self.structure
    }

    /// The size of a block, and how many are independent.
    fn blocks(&self) -> (usize, f64) {
        let d = self.dimension();
        (self.structure.block(d), self.structure.blocks(d) as f64)
    }

    /// How many times each block of Λ is repeated.
    fn copies(&self) -> f64 {
        self.structure.copies(self.dimension()) as f64
    }

    /// ν.
    pub fn nu(&self) -> f64 {
        self.nu
    }

    /// W, D×D.
    pub fn w(&self) -> &DMatrix<f64> {
        self.w.dense()
    }

    /// W⁻¹, D×D.
    pub fn inverse_w(&self) -> &DMatrix<f64> {
        self.inverse_w.dense()
    }

    /// W⁻¹, in its structure.
    pub(crate) fn structured_inverse_w(&self) -> &Structured {
        &self.inverse_w
    }

    /// The Cholesky factor of W⁻¹.
    pub fn factor(&self) -> &Cholesky {
        &self.factor
    }

    /// L⁻¹, where W⁻¹ = L Lᵀ.
    pub(crate) fn whitener(&self) -> &Structured {
        &self.whitener
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.w.dimension()
    }

    /// E Λ = ν W (PRML B.80).
    pub fn mean(&self) -> DMatrix<f64> {
        self.w.scaled(self.nu).dense().clone()
    }

    /// E ln det Λ = Σᵢ ψ((ν + 1 − i)/2) + D ln 2 + ln det W, for i from 1 to D (PRML B.81). (Where
    /// Λ has blocks of size 1, every ψ is ψ(ν/2).)
    // ANCHOR: expected_log_det
    pub fn expected_log_det(&self) -> f64 {
        let d = self.dimension();
        let block = self.structure.block(d); // D, or 1 if Λ is diagonal
        let digammas: f64 =
            (0..d).map(|i| digamma(0.5 * (self.nu - (i % block) as f64))).sum();
        digammas + d as f64 * LN_2 - self.factor.log_det()
    }
    // ANCHOR_END: expected_log_det

    /// ln B(W, ν) = −½ ν ln det W − ½ ν D ln 2 − ln Γ_D(ν/2) (PRML B.79), of each block.
    pub fn log_normaliser(&self) -> f64 {
        let (block, blocks) = self.blocks();
        let log_det = self.factor.log_det() / self.copies();
        0.5 * self.nu * (log_det - blocks * block as f64 * LN_2)
            - blocks * ln_multivariate_gamma(block, 0.5 * self.nu)
    }

    /// ln p(Λ), natural log, with respect to the free entries of Λ: the D(D+1)/2 of its lower
    /// triangle, the D of its diagonal, or the one number.
    ///
    /// # Errors
    /// If Λ (D×D) is of another size, not symmetric and positive definite, or not such a matrix
    /// as this is a distribution of.
    pub fn log_density(&self, lambda: &DMatrix<f64>) -> Result<f64> {
        let precision = Cholesky::new(lambda, "the precision")?;
        self.expect_dimension(lambda.nrows(), "the precision")?;
        if !self.structure.admits(lambda) {
            let expected = match self.structure {
                Structure::Diagonal => "zero off the diagonal, as W is",
                _ => "a multiple of the identity, as W is",
            };
            return Err(Error::shape("the precision", expected, "something else"));
        }
        let trace = (self.factor.l().transpose() * precision.l()).norm_squared();
        Ok(self.log_normaliser() + self.power() * precision.log_det()
            - 0.5 * trace / self.copies())
    }

    /// The differential entropy −E ln p(Λ) (PRML B.82).
    pub fn entropy(&self) -> f64 {
        let trace = self.nu * self.dimension() as f64 / self.copies();
        -self.log_normaliser() - self.power() * self.expected_log_det() + 0.5 * trace
    }

    /// KL(self ‖ other).
    ///
    /// # Errors
    /// If `other` has another dimension, or is a distribution of other precisions.
    pub fn kl(&self, other: &Wishart) -> Result<f64> {
        self.expect_alike(other)?;
        Ok(self.kl_terms(other).iter().sum())
    }

    /// Refuses what has no density with respect to the same entries. (In one dimension there is
    /// one entry.)
    pub(crate) fn expect_alike(&self, other: &Wishart) -> Result<()> {
        self.expect_dimension(other.dimension(), "the other scale")?;
        if self.structure == other.structure || self.dimension() == 1 {
            return Ok(());
        }
        let kind = |of: &Wishart| match of.structure {
            Structure::Dense => "of any precision",
            Structure::Diagonal => "of diagonal precisions",
            Structure::Spherical => "of multiples of the identity",
        };
        Err(Error::shape("the other distribution", kind(self), kind(other)))
    }

    /// The terms of KL(self ‖ other), which are of equal D: the scale of its rounding.
    pub(crate) fn kl_terms(&self, other: &Wishart) -> Vec<f64> {
        let (block, _) = self.blocks();
        let (a, b) = (0.5 * self.nu, 0.5 * other.nu);
        // R = L⁻¹ L₀, and R Rᵀ has the trace and determinant of W₀⁻¹ W.
        let relative = self.whitener.product(other.factor.root());
        let mut terms = vec![a * stein_loss(&relative) / self.copies()];
        let independent = self.dimension() / self.copies() as usize;
        for (i, r) in relative.diagonal().iter().take(independent).enumerate() {
            let half = 0.5 * (i % block) as f64;
            terms.push(-ln_gamma_bend(a - half, b - half));
            terms.push((a - b) * 2.0 * r.ln());
        }
        terms
    }

    /// The power of det Λ in the density: (ν − D − 1)/2, with a block's size for D.
    fn power(&self) -> f64 {
        let (block, _) = self.blocks();
        0.5 * (self.nu - block as f64 - 1.0) / self.copies()
    }

    /// E_q ln p(Λ), where q is `self` and p is `prior`, of equal D and structure.
    pub(crate) fn expected_log_density(&self, prior: &Wishart) -> f64 {
        let trace = self.whitener.product(prior.factor.root()).norm_squared();
        prior.log_normaliser() + prior.power() * self.expected_log_det()
            - 0.5 * self.nu * trace / self.copies()
    }

    /// The terms of ln p(Σ) of a covariance with this factor whose inverse is so distributed (an
    /// inverse Wishart, with respect to the free entries of Σ).
    pub(crate) fn log_density_of_inverse(&self, covariance: &Cholesky) -> [f64; 3] {
        let (block, _) = self.blocks();
        let relative = covariance.inverse_root().product(self.factor.root());
        let trace = relative.norm_squared(); // tr(W⁻¹ Σ⁻¹) = ‖L_Σ⁻¹ L‖²
        let power = 0.5 * (self.nu + block as f64 + 1.0) / self.copies();
        [
            self.log_normaliser(),
            -power * covariance.log_det(),
            -0.5 * trace / self.copies(),
        ]
    }

    /// Where p(Σ) times `means` densities N(μ | m, Σ/β) of D coordinates is highest: Σ = W⁻¹
    /// divided by this.
    pub(crate) fn mode_divisor(&self, means: usize) -> f64 {
        let (block, _) = self.blocks();
        self.nu + block as f64 + 1.0 + self.copies() * means as f64
    }

    fn expect_dimension(&self, found: usize, what: &str) -> Result<()> {
        let d = self.dimension();
        if found == d {
            return Ok(());
        }
        let expected = format!("{d}×{d}, as W is");
        Err(Error::shape(what, expected, format!("{found}×{found}")))
    }
}

/// (L Lᵀ)⁻¹.
pub(crate) fn inverse(factor: &Cholesky) -> DMatrix<f64> {
    squared(&factor.inverse_root().transposed()).dense().clone()
}
