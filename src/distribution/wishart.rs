use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand::distr::Distribution;
use rand_distr::{ChiSquared, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::finite::check_positive;
use crate::math::{
    Cholesky, digamma, ln_gamma_bend, ln_multivariate_gamma, square, stein_loss,
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
    w: DMatrix<f64>,
    inverse_w: DMatrix<f64>,
    factor: Cholesky,
    /// L⁻¹.
    whitener: DMatrix<f64>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    nu: f64,
    w: DMatrix<f64>,
    inverse_w: DMatrix<f64>,
}

impl Wishart {
    /// From the degrees of freedom ν and the scale W (D×D).
    ///
    /// # Errors
    /// If ν ≤ D − 1, where no such density exists, or W is not symmetric and positive definite.
    pub fn new(nu: f64, w: DMatrix<f64>) -> Result<Self> {
        let inverse_w = inverse(&Cholesky::new(&w, "the scale W")?);
        let factor = Cholesky::new(&inverse_w, INVERSE_SCALE)?;
        let whitener = factor.whitener();
        Wishart::checked(nu, w, inverse_w, factor, whitener)
    }

    /// From the degrees of freedom ν and the inverse of the scale, W⁻¹ (D×D).
    ///
    /// # Errors
    /// As [`Wishart::new`].
    pub fn from_inverse(nu: f64, inverse_w: DMatrix<f64>) -> Result<Self> {
        let factor = Cholesky::new(&inverse_w, INVERSE_SCALE)?;
        let whitener = factor.whitener();
        Wishart::checked(
            nu,
            square(&whitener.transpose()),
            inverse_w,
            factor,
            whitener,
        )
    }

    fn checked(
        nu: f64,
        w: DMatrix<f64>,
        inverse_w: DMatrix<f64>,
        factor: Cholesky,
        whitener: DMatrix<f64>,
    ) -> Result<Self> {
        check_positive(nu, "nu")?;
        let lowest = w.nrows() as f64 - 1.0;
        if nu <= lowest {
            let reason = format!(
                "a Wishart distribution in {} dimensions needs more than {lowest} degrees of \
                 freedom",
                w.nrows()
            );
            return Err(Error::option("nu", nu, &reason));
        }
        if w.amax().max(inverse_w.amax()) > LARGEST {
            return Err(Error::NotPositiveDefinite {
                what: "the scale W, or its inverse,".into(),
                reason: "has entries above 1e200; rescale the data".into(),
            });
        }
        Ok(Wishart { nu, w, inverse_w, factor, whitener })
    }

    /// ν.
    pub fn nu(&self) -> f64 {
        self.nu
    }

    /// W, D×D.
    pub fn w(&self) -> &DMatrix<f64> {
        &self.w
    }

    /// W⁻¹, D×D.
    pub fn inverse_w(&self) -> &DMatrix<f64> {
        &self.inverse_w
    }

    /// The Cholesky factor of W⁻¹.
    pub fn factor(&self) -> &Cholesky {
        &self.factor
    }

    /// L⁻¹, where W⁻¹ = L Lᵀ.
    pub(crate) fn whitener(&self) -> &DMatrix<f64> {
        &self.whitener
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.w.nrows()
    }

    /// E Λ = ν W (PRML B.80).
    pub fn mean(&self) -> DMatrix<f64> {
        &self.w * self.nu
    }

    /// E ln det Λ = Σᵢ ψ((ν + 1 − i)/2) + D ln 2 + ln det W, for i from 1 to D (PRML B.81).
    // ANCHOR: expected_log_det
    pub fn expected_log_det(&self) -> f64 {
        let d = self.dimension();
        let digammas: f64 = (0..d).map(|i| digamma(0.5 * (self.nu - i as f64))).sum();
        digammas + d as f64 * LN_2 - self.factor.log_det()
    }
    // ANCHOR_END: expected_log_det

    /// ln B(W, ν) = −½ ν ln det W − ½ ν D ln 2 − ln Γ_D(ν/2) (PRML B.79).
    pub fn log_normaliser(&self) -> f64 {
        let d = self.dimension();
        0.5 * self.nu * (self.factor.log_det() - d as f64 * LN_2)
            - ln_multivariate_gamma(d, 0.5 * self.nu)
    }

    /// ln p(Λ), natural log, with respect to the D(D+1)/2 entries of Λ's lower triangle.
    ///
    /// # Errors
    /// If Λ (D×D) is of another size, or not symmetric and positive definite.
    pub fn log_density(&self, lambda: &DMatrix<f64>) -> Result<f64> {
        let precision = Cholesky::new(lambda, "the precision")?;
        self.expect_dimension(lambda.nrows(), "the precision")?;
        let trace = (self.factor.l().transpose() * precision.l()).norm_squared();
        Ok(self.log_normaliser() + self.power() * precision.log_det() - 0.5 * trace)
    }

    /// The differential entropy −E ln p(Λ) (PRML B.82).
    pub fn entropy(&self) -> f64 {
        let trace = self.nu * self.dimension() as f64;
        -self.log_normaliser() - self.power() * self.expected_log_det() + 0.5 * trace
    }

    /// KL(self ‖ other).
    ///
    /// # Errors
    /// If `other` has another dimension.
    pub fn kl(&self, other: &Wishart) -> Result<f64> {
        self.expect_dimension(other.dimension(), "the other scale")?;
        Ok(self.kl_terms(other).iter().sum())
    }

    /// The terms of KL(self ‖ other), which are of equal D: the scale of its rounding.
    pub(crate) fn kl_terms(&self, other: &Wishart) -> Vec<f64> {
        let d = self.dimension();
        let (a, b) = (0.5 * self.nu, 0.5 * other.nu);
        // R = L⁻¹ L₀, and R Rᵀ has the trace and determinant of W₀⁻¹ W.
        let relative = &self.whitener * other.factor.l();
        let mut terms = vec![a * stein_loss(&relative)];
        for i in 0..d {
            let half = 0.5 * i as f64;
            terms.push(-ln_gamma_bend(a - half, b - half));
            terms.push((a - b) * 2.0 * relative[(i, i)].ln());
        }
        terms
    }

    /// One draw of Λ, D×D, by Bartlett's decomposition.
    pub fn sample<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> DMatrix<f64> {
        self.precision(&self.bartlett(rng))
    }

    /// Λ = (L⁻ᵀ A)(L⁻ᵀ A)ᵀ.
    pub(crate) fn precision(&self, a: &DMatrix<f64>) -> DMatrix<f64> {
        square(&(self.whitener.transpose() * a))
    }

    /// A, lower triangular, with Λ = (L⁻ᵀ A)(L⁻ᵀ A)ᵀ a draw: Aᵢᵢ² is χ² with ν + 1 − i degrees
    /// of freedom, and what lies below is standard normal.
    // ANCHOR: bartlett
    pub(crate) fn bartlett<R: rand::Rng + ?Sized>(
        &self,
        rng: &mut R,
    ) -> DMatrix<f64> {
        let d = self.dimension();
        let mut a = DMatrix::zeros(d, d);
        for i in 0..d {
            for j in 0..i {
                a[(i, j)] = rng.sample(StandardNormal);
            }
            let chi_squared = ChiSquared::new(self.nu - i as f64);
            a[(i, i)] = chi_squared.expect("ν > D − 1").sample(rng).sqrt();
        }
        a
    }
    // ANCHOR_END: bartlett

    /// (ν − D − 1)/2.
    pub(crate) fn power(&self) -> f64 {
        0.5 * (self.nu - self.dimension() as f64 - 1.0)
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
    square(&factor.whitener().transpose())
}

/// How far Lᵀ W L may be from I when both W and W⁻¹ are given.
const INVERSE: f64 = 1e-6;

impl TryFrom<Parts> for Wishart {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        let d = parts.w.nrows();
        if parts.w.shape() != parts.inverse_w.shape() {
            let found =
                format!("{}×{}", parts.inverse_w.nrows(), parts.inverse_w.ncols());
            return Err(Error::shape(
                "the inverse scale",
                format!("{d}×{d}, as W is"),
                found,
            ));
        }
        Cholesky::new(&parts.w, "the scale W")?;
        let factor = Cholesky::new(&parts.inverse_w, INVERSE_SCALE)?;
        let (w, whitener) = (parts.w, factor.whitener());
        let wishart =
            Wishart::checked(parts.nu, w, parts.inverse_w, factor, whitener)?;
        let l = wishart.factor.l();
        let distance = l.transpose() * &wishart.w * l - DMatrix::identity(d, d);
        // W is rounded, which L magnifies.
        let size = l.abs().transpose() * wishart.w.abs() * l.abs();
        let allowed = INVERSE + 64.0 * d as f64 * f64::EPSILON * size.amax();
        if distance.iter().all(|v| v.abs() <= allowed) {
            return Ok(wishart);
        }
        Err(Error::NotPositiveDefinite {
            what: "the inverse scale".into(),
            reason: "is not the inverse of the scale".into(),
        })
    }
}

impl From<Wishart> for Parts {
    fn from(wishart: Wishart) -> Self {
        Parts { nu: wishart.nu, w: wishart.w, inverse_w: wishart.inverse_w }
    }
}

/// A draw of Gaussian noise with precision Λ = (L⁻ᵀ A)(L⁻ᵀ A)ᵀ, and the factor G = L A⁻ᵀ of its
/// covariance G Gᵀ; none if A is singular in double precision.
pub(crate) fn noise_with<R: rand::Rng + ?Sized>(
    factor: &Cholesky,
    a: &DMatrix<f64>,
    rng: &mut R,
) -> Option<(DVector<f64>, DMatrix<f64>)> {
    let d = a.nrows();
    // G = L A⁻ᵀ = (A⁻¹ Lᵀ)ᵀ
    let g = a.solve_lower_triangular(&factor.l().transpose())?.transpose();
    let noise = DVector::from_fn(d, |_, _| rng.sample(StandardNormal));
    let v = &g * noise;
    g.iter().all(|v| v.is_finite()).then_some((v, g))
}
