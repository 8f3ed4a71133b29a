use nalgebra::{DMatrix, DMatrixView, DVector, DVectorView};
use serde::{Deserialize, Serialize};

use crate::distribution::{
    Dirichlet, GaussianWishart, Structure, Wishart, check_spread, inverse,
};
use crate::finite::{check_finite, check_positive};
use crate::kernel::Points;
use crate::math::{Cholesky, Structured};
use crate::{Error, Result};

/// Below this α₀ and ν₀ − (D − 1) say nothing more than at it, but the expectations of logarithms,
/// which grow like their inverses, drown all distances between points.
const SMALLEST: f64 = 1e-12;

/// What is believed of a mixture before any data (PRML 10.39, 10.40): its weights are Dirichlet
/// with concentration α₀ each, and each component's mean and precision Gaussian–Wishart,
/// p(μ, Λ) = N(μ | m₀, (β₀Λ)⁻¹) W(Λ | W₀, ν₀).
///
/// α₀ is worth so many points in each component, β₀ so many at m₀; ν₀ > D − 1 so many that have
/// the scatter W₀⁻¹ together. It is checked where it is used.
///
/// ```
/// use mixtures::{Prior, data, nalgebra::{DMatrix, dvector}};
///
/// let notebook = Prior {
///     alpha0: 1.5,
///     beta0: 1.5,
///     m0: dvector![1.0, 1.0],
///     w0: DMatrix::identity(2, 2),
///     nu0: 2.0,
/// };
/// let default = Prior::from_data(&data::notebook())?;
/// assert_eq!((default.alpha0, default.beta0, default.nu0), (0.01, 1.0, 4.0));
/// assert!(notebook.gaussian_wishart()?.dimension() == 2);
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// α₀, the concentration of each weight; below 1 it favours few components.
    pub alpha0: f64,
    /// β₀, how many points the belief about a mean is worth.
    pub beta0: f64,
    /// m₀, where means are believed to lie (length D).
    pub m0: DVector<f64>,
    /// W₀, the scale of the precisions (D×D): their mean is ν₀ W₀.
    pub w0: DMatrix<f64>,
    /// ν₀ > D − 1, how many points the belief about a precision is worth.
    pub nu0: f64,
}

impl Prior {
    /// The default: m₀ = x̄, W₀⁻¹ = Σ̂ (the covariance of the data, divisor N), ν₀ = D + 2,
    /// β₀ = 1, α₀ = 0.01. Then E Σ = Σ̂, and the weight of one point lies on the mean. Any change
    /// of units, axes or origin of the data changes the prior, and so the fit, in the same way.
    ///
    /// # Errors
    /// If `x` (N×D) is empty or not finite, or its covariance is singular: then say what you
    /// believe in a [`Prior`] of your own. (W₀ is Σ̂ inverted, to a relative accuracy of 1e-16 times
    /// the condition number of the columns' correlations.)
    pub fn from_data<'a>(x: impl Into<DMatrixView<'a, f64>>) -> Result<Self> {
        Prior::from_points(&Points::new(x.into(), None)?, Structure::Dense)
    }

    /// The default for rows that count `weights[n]` times each (length N).
    ///
    /// # Errors
    /// As [`Prior::from_data`]; also if a weight is negative or not finite, or if their sum is
    /// not between 1e-100 and 1e20.
    pub fn from_weighted_data<'a>(
        x: impl Into<DMatrixView<'a, f64>>,
        weights: impl Into<DVectorView<'a, f64>>,
    ) -> Result<Self> {
        Prior::from_points(
            &Points::new(x.into(), Some(weights.into()))?,
            Structure::Dense,
        )
    }

    /// For maximum a posteriori fits of K components by [`Em::prior`](crate::Em::prior): as
    /// [`Prior::from_data`], but with W₀⁻¹ = Σ̂/K^(2/D), the size of one of K components that share
    /// the data's volume, β₀ = 0.01, and α₀ = 1 (after Fraley & Raftery 2007).
    ///
    /// # Errors
    /// As [`Prior::from_data`]; also if K = 0.
    pub fn for_components<'a>(
        x: impl Into<DMatrixView<'a, f64>>,
        k: usize,
    ) -> Result<Self> {
        if k == 0 {
            return Err(Error::option("k", 0, "at least one component is needed"));
        }
        let prior = Prior::from_data(x)?;
        let shrink = (k as f64).powf(2.0 / prior.m0.len() as f64);
        Ok(Prior { alpha0: 1.0, beta0: 0.01, w0: &prior.w0 * shrink, ..prior })
    }

    /// The default for precisions of this structure, which needs Σ̂ in that structure only.
    pub(crate) fn from_points(points: &Points, structure: Structure) -> Result<Self> {
        let (mean, covariance) = location_and_spread(points, structure)?;
        check_spread(&covariance)?;
        let factor = Cholesky::of(&covariance, "the covariance of the data")?;
        let prior = Prior {
            alpha0: 0.01,
            beta0: 1.0,
            m0: mean + &points.origin,
            w0: inverse(&factor),
            nu0: points.dimension() as f64 + 2.0,
        };
        prior.component(structure)?;
        Ok(prior)
    }

    /// p(μ, Λ) of each component.
    ///
    /// # Errors
    /// If β₀ is not between 1e-24 and 1e24, ν₀ ≤ D − 1 (or above it by less than 1e-12), m₀ is not
    /// finite, W₀ is not symmetric and positive definite, or their shapes disagree.
    pub fn gaussian_wishart(&self) -> Result<GaussianWishart> {
        self.component(Structure::Dense)
    }

    /// p(μ, Λ) of each component whose Λ has this structure. Each variance has the same
    /// distribution under all of them: a diagonal entry of an inverse Wishart has D − 1 degrees of
    /// freedom fewer than the matrix.
    pub(crate) fn component(&self, structure: Structure) -> Result<GaussianWishart> {
        self.check()?;
        // ANCHOR: smaller
        let wishart = if structure == Structure::Dense {
            Wishart::new(self.nu0, self.w0.clone())?
        } else {
            let d = self.m0.len();
            let scales = inverse(&Cholesky::new(&self.w0, "w0")?).diagonal();
            let (_, sums) = structure.project(1.0, scales.into());
            let inverse_w = sums.divided(structure.copies(d) as f64);
            Wishart::structured(self.nu0 - (d as f64 - 1.0), structure, inverse_w)?
        };
        // ANCHOR_END: smaller
        GaussianWishart::new(self.m0.clone(), self.beta0, wishart)
    }

    /// Names the field at fault.
    fn check(&self) -> Result<()> {
        Cholesky::new(&self.w0, "w0")?;
        check_finite(&self.m0.as_view(), "m0")?;
        let d = self.w0.nrows();
        if self.m0.len() != d {
            let expected = format!("of length {d}, as w0 is {d}×{d}");
            let found = format!("of length {}", self.m0.len());
            return Err(Error::shape("m0", expected, found));
        }
        check_positive(self.beta0, "beta0")?;
        check_positive(self.nu0, "nu0")?;
        let lowest = d as f64 - 1.0;
        if self.nu0 - lowest < SMALLEST {
            let value = format!("{:?}", self.nu0);
            let reason = format!(
                "in {d} dimensions it must be above {lowest}, by 1e-12 at least"
            );
            return Err(Error::option("nu0", value, &reason));
        }
        Ok(())
    }

    /// p(π) of the weights of K components.
    ///
    /// # Errors
    /// If K = 0, or α₀ is not between 1e-12 and 1e24.
    ///
    /// # Panics
    /// If K numbers do not fit into memory.
    pub fn dirichlet(&self, k: usize) -> Result<Dirichlet> {
        check_positive(self.alpha0, "alpha0")?;
        if self.alpha0 < SMALLEST {
            let value = format!("{:?}", self.alpha0);
            return Err(Error::option("alpha0", value, "it must be at least 1e-12"));
        }
        Dirichlet::new(DVector::from_element(k, self.alpha0))
    }
}

/// x̄, relative to the points' origin, and Σ̂ in this structure.
pub(crate) fn location_and_spread(
    points: &Points,
    structure: Structure,
) -> Result<(DVector<f64>, Structured)> {
    let moments = points.moments(structure != Structure::Dense)?;
    let mean = moments.mean().expect("checked points have weight");
    let (count, scatter) =
        structure.project(moments.count(), moments.structured_scatter());
    Ok((mean, scatter.divided(count)))
}

/// The factor of W₀⁻¹ tr(W₀ Σ̂)/D: the prior's ellipsoid, as large as the data. (It is W₀⁻¹ itself
/// for the default prior, and for data that are all one point.)
pub(crate) fn spread(
    component: &GaussianWishart,
    points: &Points,
) -> Result<Cholesky> {
    let wishart = component.wishart();
    let (_, sigma) = location_and_spread(points, wishart.structure())?;
    let relative = wishart.whitener().congruence(&sigma).diagonal();
    let size = relative.sum() / points.dimension() as f64;
    let size = if size > 0.0 { size } else { 1.0 };
    let shape = wishart.structured_inverse_w().scaled(size);
    Cholesky::of(&shape, "the starting covariance")
}
