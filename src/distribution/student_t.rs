use nalgebra::{DMatrix, DMatrixView, DVector};
use rand::RngExt;
use rand::distr::Distribution;
use rand_distr::{ChiSquared, StandardNormal};
use serde::{Deserialize, Serialize};

use super::{Gaussian, rows};
use crate::finite::check_positive;
use crate::kernel::{Score, Tails, log_densities};
use crate::math::{Structured, digamma_difference, ln_gamma_ratio};
use crate::{Error, Result};

const LN_PI: f64 = 1.144_729_885_849_400_2;

/// The multivariate Student-t distribution with ν degrees of freedom, location m and scale
/// matrix V (D×D): what a Gaussian becomes when its mean and precision are integrated out
/// (PRML B.68, with V⁻¹ for its precision).
///
/// Its covariance is V ν/(ν − 2), where that exists; for ν → ∞ it is N(m, V). If V is diagonal the
/// coordinates are uncorrelated and still depend on each other: they are far out together.
/// [`StudentT::independent`] has coordinates that do not.
///
/// ```
/// use mixtures::{StudentT, nalgebra::{dmatrix, dvector}};
///
/// let cauchy = StudentT::new(1.0, dvector![0.0], dmatrix![1.0])?;
/// let p = cauchy.log_density(&dmatrix![3.0])?[0].exp();
/// assert!((p - 1.0 / (std::f64::consts::PI * 10.0)).abs() < 1e-15);
/// assert!(cauchy.mean().is_none());
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct StudentT {
    nu: f64,
    /// N(m, V).
    core: Gaussian,
    /// Whether the coordinates are independent.
    independent: bool,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    nu: f64,
    location: DVector<f64>,
    scale: Structured,
    #[serde(default)]
    independent: bool,
}

impl StudentT {
    /// From the degrees of freedom ν, the location (length D) and the scale matrix (D×D).
    ///
    /// # Errors
    /// If ν is not positive, the location is not finite, the scale is not symmetric and positive
    /// definite, or their shapes disagree.
    pub fn new(nu: f64, location: DVector<f64>, scale: DMatrix<f64>) -> Result<Self> {
        check_positive(nu, "nu")?;
        StudentT::checked(nu, location, scale.into(), false)
    }

    /// Independent coordinates, each Student-t with ν degrees of freedom: from ν, their locations
    /// and their squared scales V₁₁ … V_DD (both of length D).
    ///
    /// # Errors
    /// As [`StudentT::new`].
    ///
    /// ```
    /// use mixtures::{StudentT, nalgebra::{dmatrix, dvector}};
    ///
    /// let both = StudentT::independent(3.0, dvector![0.0, 1.0], dvector![1.0, 4.0])?;
    /// let first = StudentT::new(3.0, dvector![0.0], dmatrix![1.0])?;
    /// let second = StudentT::new(3.0, dvector![1.0], dmatrix![4.0])?;
    /// let product = first.log_density(&dmatrix![2.0])?[0] + second.log_density(&dmatrix![-3.0])?[0];
    /// assert!((both.log_density(&dmatrix![2.0, -3.0])?[0] - product).abs() < 1e-14);
    /// # Ok::<(), mixtures::Error>(())
    /// ```
    pub fn independent(
        nu: f64,
        location: DVector<f64>,
        scales: DVector<f64>,
    ) -> Result<Self> {
        StudentT::checked(nu, location, scales.into(), true)
    }

    fn checked(
        nu: f64,
        location: DVector<f64>,
        scale: Structured,
        independent: bool,
    ) -> Result<Self> {
        check_positive(nu, "nu")?;
        if independent && !scale.is_diagonal() {
            let expected = "a diagonal, as the coordinates are independent";
            return Err(Error::shape("the scale", expected, "a matrix"));
        }
        let core = Gaussian::named(location, scale, "the scale matrix")?;
        Ok(StudentT { nu, core, independent })
    }

    /// With the location and scale of `core`, and ν > 0.
    pub(crate) fn of(nu: f64, core: Gaussian, independent: bool) -> Self {
        StudentT { nu, core, independent }
    }

    /// Whether its coordinates are independent of each other.
    pub fn is_independent(&self) -> bool {
        self.independent
    }

    /// How many coordinates have their tails together, and how many such groups there are: D and
    /// 1, or 1 and D.
    fn groups(&self) -> (usize, usize) {
        let d = self.dimension();
        if self.independent { (1, d) } else { (d, 1) }
    }

    /// ν.
    pub fn nu(&self) -> f64 {
        self.nu
    }

    /// m, length D.
    pub fn location(&self) -> &DVector<f64> {
        self.core.mean()
    }

    /// V, D×D.
    pub fn scale(&self) -> &DMatrix<f64> {
        self.core.covariance()
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.core.dimension()
    }

    /// m if ν > 1 (PRML B.69); else there is none.
    pub fn mean(&self) -> Option<DVector<f64>> {
        (self.nu > 1.0).then(|| self.location().clone())
    }

    /// V ν/(ν − 2) if ν > 2 (PRML B.70); else there is none.
    pub fn covariance(&self) -> Option<DMatrix<f64>> {
        (self.nu > 2.0).then(|| self.scale() * (self.nu / (self.nu - 2.0)))
    }

    /// ln p(xₙ) of every row of `x` (N×D), natural log.
    ///
    /// # Errors
    /// If `x` is empty, not finite, or of another dimension.
    pub fn log_density<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<DVector<f64>> {
        log_densities(&[self.score(0.0)], x.into())
    }

    /// The differential entropy −E ln p(x).
    pub fn entropy(&self) -> f64 {
        let (d, groups) = self.groups();
        let (d, nu) = (d as f64, self.nu);
        let digammas = digamma_difference(0.5 * nu, 0.5 * d);
        0.5 * (nu + d) * digammas * groups as f64 - self.log_normaliser()
    }

    /// `n` independent points (n×D): m + L ε/√g with ε standard normal, V = L Lᵀ, and g a χ²
    /// variate divided by its ν degrees of freedom (one for each coordinate, if they are
    /// independent). With ν below about 0.1 some draws are infinite,
    /// as they are beyond the largest number.
    pub fn sample<R: rand::Rng + ?Sized>(
        &self,
        n: usize,
        rng: &mut R,
    ) -> DMatrix<f64> {
        rows((n, self.dimension()), || self.draw(rng))
    }

    /// One point.
    pub(crate) fn draw<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> DVector<f64> {
        let chi_squared = ChiSquared::new(self.nu).expect("ν is positive");
        let mut shrink = || (chi_squared.sample(rng) / self.nu).sqrt();
        let (_, groups) = self.groups();
        let shrinks: Vec<f64> = (0..groups).map(|_| shrink()).collect();
        let noise = DVector::from_fn(self.dimension(), |j, _| {
            let noise: f64 = rng.sample(StandardNormal);
            noise / shrinks[j % groups]
        });
        self.location() + self.core.factor().root().times(&noise)
    }

    /// The score whose value at x is `log_weight` + ln p(x).
    pub(crate) fn score(&self, log_weight: f64) -> Score {
        let offset = log_weight + self.log_normaliser();
        let factor = self.core.factor();
        let tails = if self.independent {
            Tails::Each(self.nu)
        } else {
            Tails::Joint(self.nu)
        };
        Score::new(offset, self.location().clone(), factor, 1.0).with_tails(tails)
    }

    /// ln p at the location: ln Γ((ν + D)/2) − ln Γ(ν/2) − ½ D ln(π ν) − ½ ln det V, the gammas of
    /// each group of coordinates.
    fn log_normaliser(&self) -> f64 {
        let (each, groups) = self.groups();
        let d = self.dimension() as f64;
        groups as f64 * ln_gamma_ratio(0.5 * self.nu, 0.5 * each as f64)
            - 0.5 * (d * (LN_PI + self.nu.ln()) + self.core.factor().log_det())
    }
}

impl TryFrom<Parts> for StudentT {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        StudentT::checked(parts.nu, parts.location, parts.scale, parts.independent)
    }
}

impl From<StudentT> for Parts {
    fn from(it: StudentT) -> Self {
        Parts {
            nu: it.nu,
            location: it.location().clone(),
            scale: it.core.structured_covariance().clone(),
            independent: it.independent,
        }
    }
}
