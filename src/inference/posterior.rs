use nalgebra::{DMatrix, DMatrixView, DVector};
use serde::{Deserialize, Serialize};

use crate::distribution::{Dirichlet, GaussianWishart, StudentT};
use crate::finite::check_finite;
use crate::inference::prior::Prior;
use crate::kernel::{Score, most_probable, responsibilities};
use crate::math::LN_2_PI;
use crate::mixture::{GaussianMixture, StudentTMixture};
use crate::{Error, Moments, Result};

/// What variational Bayes believes of a mixture after seeing data, beside what it believed
/// before: q(π) q(μ₁, Λ₁) … q(μ_K, Λ_K), a Dirichlet and K Gaussian–Wisharts (PRML §10.2.1).
///
/// ```
/// use mixtures::{Vb, data};
///
/// let x = data::faithful();
/// let posterior = Vb::new(2).seed(7).fit(&x)?.posterior;
/// assert!((posterior.alpha().sum() - 272.02).abs() < 1e-9); // N + K α₀
/// let log_density = posterior.predictive().log_density(&x)?; // parameters integrated out
/// assert!(posterior.elbo(&x)? < log_density.sum());
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Posterior {
    prior: Prior,
    weights: Dirichlet,
    components: Vec<GaussianWishart>,
    /// Read-outs of the components, for the accessors.
    beta: DVector<f64>,
    nu: DVector<f64>,
    means: DMatrix<f64>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    prior: Prior,
    weights: Dirichlet,
    components: Vec<GaussianWishart>,
}

impl Posterior {
    /// From the prior, q(π), and q(μₖ, Λₖ) of each component.
    ///
    /// # Errors
    /// If the prior is not one, there is no component, or their numbers or dimensions disagree.
    pub fn new(
        prior: Prior,
        weights: Dirichlet,
        components: Vec<GaussianWishart>,
    ) -> Result<Self> {
        let d = prior.gaussian_wishart()?.dimension();
        prior.dirichlet(1)?;
        let k = weights.concentration().len();
        if components.len() != k {
            let expected = format!("{k}, as there are weights");
            return Err(Error::shape(
                "the number of components",
                expected,
                components.len(),
            ));
        }
        if let Some(k) = components.iter().position(|c| c.dimension() != d) {
            let found = format!("of dimension {}", components[k].dimension());
            let expected = format!("of dimension {d}, as the prior is");
            return Err(Error::shape(&format!("component {k}"), expected, found));
        }
        Ok(Posterior::of(prior, weights, components))
    }

    /// From parts that have been checked.
    pub(crate) fn of(
        prior: Prior,
        weights: Dirichlet,
        components: Vec<GaussianWishart>,
    ) -> Self {
        let k = components.len();
        Posterior {
            beta: DVector::from_fn(k, |k, _| components[k].beta()),
            nu: DVector::from_fn(k, |k, _| components[k].wishart().nu()),
            means: DMatrix::from_fn(k, prior.m0.len(), |k, j| components[k].m()[j]),
            prior,
            weights,
            components,
        }
    }

    /// The best q(π, μ, Λ) for given responsibilities r (N×K): what an update makes of them
    /// (PRML 10.57–10.63).
    ///
    /// # Errors
    /// If `x` is empty or not finite, a row of r does not sum to 1 (to 1e-9), the shapes disagree,
    /// or the prior is not one.
    pub fn from_responsibilities<'a>(
        prior: &Prior,
        x: impl Into<DMatrixView<'a, f64>>,
        r: &DMatrix<f64>,
    ) -> Result<Self> {
        let shares = shares(x.into(), r)?;
        Posterior::before(prior.clone(), r.ncols())?.updated(&shares)
    }

    /// What is believed of K components before any data: the prior, of each.
    pub(crate) fn before(prior: Prior, k: usize) -> Result<Self> {
        let weights = prior.dirichlet(k)?;
        let component = prior.gaussian_wishart()?;
        Ok(Posterior::of(prior, weights, vec![component; k]))
    }

    /// The belief `self`, after seeing each component's share of the points: αₖ + Nₖ (PRML 10.58),
    /// and each Gaussian–Wishart's posterior (10.60–10.63).
    // ANCHOR: updated
    pub(crate) fn updated(&self, shares: &[Moments]) -> Result<Self> {
        let counts = shares.iter().map(Moments::count);
        let counts = DVector::from_iterator(shares.len(), counts);
        let weights = Dirichlet::new(self.alpha() + counts)?;
        let pairs = self.components.iter().zip(shares).enumerate();
        let components = pairs
            .map(|(k, (q, share))| {
                q.posterior(share).map_err(|fault| of_component(fault, k))
            })
            .collect::<Result<_>>()?;
        Ok(Posterior::of(self.prior.clone(), weights, components))
    }
    // ANCHOR_END: updated

    /// The prior.
    pub fn prior(&self) -> &Prior {
        &self.prior
    }

    /// q(π).
    pub fn weights(&self) -> &Dirichlet {
        &self.weights
    }

    /// q(μₖ, Λₖ) of each component.
    pub fn components(&self) -> &[GaussianWishart] {
        &self.components
    }

    /// αₖ, length K.
    pub fn alpha(&self) -> &DVector<f64> {
        self.weights.concentration()
    }

    /// βₖ, length K.
    pub fn beta(&self) -> &DVector<f64> {
        &self.beta
    }

    /// νₖ, length K.
    pub fn nu(&self) -> &DVector<f64> {
        &self.nu
    }

    /// mₖ, one a row: K×D.
    pub fn means(&self) -> &DMatrix<f64> {
        &self.means
    }

    /// Wₖ, D×D.
    ///
    /// # Panics
    /// If there is no component k, as indexing does.
    pub fn w(&self, k: usize) -> &DMatrix<f64> {
        self.components[k].wishart().w()
    }

    /// K.
    pub fn component_count(&self) -> usize {
        self.components.len()
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.means.ncols()
    }

    /// The best responsibilities for this q(π, μ, Λ), N×K (PRML 10.46, 10.49). Rows sum to 1.
    ///
    /// # Errors
    /// If `x` is empty, not finite, of another dimension, or a row is so far away that its
    /// density underflows even as a logarithm.
    pub fn responsibilities<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<DMatrix<f64>> {
        responsibilities(&self.scores(), x.into())
    }

    /// The most probable component of every row of `x` (N×D), length N; the first of equals.
    ///
    /// # Errors
    /// As [`Posterior::responsibilities`].
    pub fn predict<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<Vec<usize>> {
        Ok(most_probable(&self.responsibilities(x)?))
    }

    /// The mixture at the expected parameters: weights E π, means mₖ, and covariances
    /// (νₖ Wₖ)⁻¹ = (E Λₖ)⁻¹. It knows nothing of the uncertainty; for a density of new points use
    /// [`Posterior::predictive`].
    pub fn expected_mixture(&self) -> GaussianMixture {
        let expected = |c: &GaussianWishart| c.gaussian(1.0 / c.wishart().nu());
        let components = self.components.iter().map(expected).collect();
        GaussianMixture::of(self.weights.mean(), components)
    }

    /// p(x | X) of the next point with all parameters integrated out: a mixture of Student-t
    /// distributions (PRML 10.81, 10.82).
    // ANCHOR: predictive
    pub fn predictive(&self) -> StudentTMixture {
        let components: Vec<StudentT> =
            self.components.iter().map(GaussianWishart::predictive).collect();
        StudentTMixture::new(self.weights.mean(), components)
            .expect("expected weights sum to one")
    }
    // ANCHOR_END: predictive

    /// One draw of the mixture: π from the Dirichlet, each component from its Gaussian–Wishart.
    ///
    /// # Errors
    /// If a νₖ is so close to D − 1 that a drawn precision is singular in double precision.
    pub fn sample<R: rand::Rng + ?Sized>(
        &self,
        rng: &mut R,
    ) -> Result<GaussianMixture> {
        let weights = self.weights.sample(rng);
        let components = self.components.iter().map(|c| c.sample_gaussian(rng));
        Ok(GaussianMixture::of(weights, components.collect::<Result<_>>()?))
    }

    /// One score a component: E ln πₖ + E ln N(x | μₖ, Λₖ⁻¹), with all its constants.
    // ANCHOR: scores
    pub(crate) fn scores(&self) -> Vec<Score> {
        let log_weights = self.weights.expected_log();
        let d = self.dimension() as f64;
        let score = |(k, component): (usize, &GaussianWishart)| {
            let wishart = component.wishart();
            let constants =
                wishart.expected_log_det() - d * LN_2_PI - d / component.beta();
            let offset = log_weights[k] + 0.5 * constants;
            let scale = wishart.nu().sqrt();
            let white = (wishart.whitener(), wishart.factor().l());
            Score::whitened(offset, component.m().clone(), white, scale)
        };
        self.components.iter().enumerate().map(score).collect()
    }
    // ANCHOR_END: scores

    /// Moved by `shift` (length D), prior and all.
    pub(crate) fn translated(self, shift: &DVector<f64>) -> Self {
        let components =
            self.components.into_iter().map(|c| c.translated(shift)).collect();
        Posterior::of(self.prior.translated(shift), self.weights, components)
    }
}

/// Says whose update failed.
fn of_component(fault: Error, component: usize) -> Error {
    match fault {
        Error::NotPositiveDefinite { what, reason } => {
            let what = format!("{what} of component {component}");
            Error::NotPositiveDefinite { what, reason }
        }
        other => other,
    }
}

/// Refuses what is not a share of every row of `x` (N×D) in each component (N×K).
pub(crate) fn check_responsibilities(
    x: &DMatrixView<'_, f64>,
    r: &DMatrix<f64>,
) -> Result<()> {
    check_finite(x, "x")?;
    check_finite(&r.as_view(), "the matrix of responsibilities")?;
    if r.nrows() != x.nrows() {
        let found = format!("{}×{}", r.nrows(), r.ncols());
        let expected = format!("{}×K, a row for each row of x", x.nrows());
        return Err(Error::shape("the matrix of responsibilities", expected, found));
    }
    let sound = |row: nalgebra::RowDVector<f64>| {
        row.iter().all(|v| *v >= 0.0) && (row.sum() - 1.0).abs() <= 1e-9
    };
    match r.row_iter().position(|row| !sound(row.into_owned())) {
        None => Ok(()),
        Some(n) => Err(Error::Weights {
            what: format!("the responsibilities for row {n}"),
            reason: "they must be shares: none negative, and with the sum 1".into(),
        }),
    }
}

/// The moments of each component's share of the rows of `x`, about the first row.
fn shares(x: DMatrixView<'_, f64>, r: &DMatrix<f64>) -> Result<Vec<Moments>> {
    check_responsibilities(&x, r)?;
    let share = |of: nalgebra::DVectorView<'_, f64>| {
        let mut moments = Moments::about(x.row(0).transpose());
        for (n, r) in of.iter().enumerate() {
            moments.push(x.row(n), *r)?;
        }
        Ok(moments)
    };
    r.column_iter().map(|column| share(column.as_view())).collect()
}

impl TryFrom<Parts> for Posterior {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        Posterior::new(parts.prior, parts.weights, parts.components)
    }
}

impl From<Posterior> for Parts {
    fn from(it: Posterior) -> Self {
        Parts { prior: it.prior, weights: it.weights, components: it.components }
    }
}
