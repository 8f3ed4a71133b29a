use nalgebra::{DMatrix, DMatrixView, DVector};
use serde::{Deserialize, Serialize};

use crate::distribution::{GaussianWishart, Structure, StudentT, Weights, Wishart};
use crate::inference::belief::{Belief, Concentration};
use crate::inference::prior::Prior;
use crate::inference::shares::shares;
use crate::kernel::{Points, Score, most_probable, responsibilities};
use crate::math::{LN_2_PI, ln_gamma};
use crate::mixture::{Covariance, GaussianMixture, StudentTMixture};
use crate::{Error, Moments, Result};

/// What variational Bayes believes of a mixture after seeing data, beside what it believed
/// before: q(π) q(μ₁, Λ₁) … q(μ_K, Λ_K), a Dirichlet (or the sticks of a Dirichlet process) and K
/// Gaussian–Wisharts (PRML §10.2.1), on precisions of the shape that was asked for. If the shape is
/// tied there is one Λ, and q(Λ) q(μ₁ | Λ) … q(μ_K | Λ); every component then has the same Wishart.
/// In every shape E Λₖ = νₖ Wₖ.
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
    belief: Belief,
    weights: Weights,
    components: Vec<GaussianWishart>,
    /// Read-outs of the weights and components, for the accessors.
    alpha: DVector<f64>,
    beta: DVector<f64>,
    nu: DVector<f64>,
    means: DMatrix<f64>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    #[serde(flatten)]
    belief: Belief,
    weights: Weights,
    components: Vec<GaussianWishart>,
}

impl Posterior {
    /// From the prior, q(π), and q(μₖ, Λₖ) of each component, of full shape.
    ///
    /// # Errors
    /// If the prior is not one, there is no component, their numbers or dimensions disagree, or
    /// the weights are not a Dirichlet, as the prior's are.
    pub fn new(
        prior: Prior,
        weights: impl Into<Weights>,
        components: Vec<GaussianWishart>,
    ) -> Result<Self> {
        Posterior::checked(Belief::plain(prior), weights.into(), components)
    }

    fn checked(
        belief: Belief,
        weights: Weights,
        components: Vec<GaussianWishart>,
    ) -> Result<Self> {
        let before = belief.component()?;
        let (d, structure) = (before.dimension(), before.wishart().structure());
        let k = weights.component_count();
        belief.weights(k)?.kl(&weights)?; // of the same kind
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
        let first = components[0].wishart();
        let tied = belief.covariance.is_tied();
        let fits = |w: &Wishart| w.structure() == structure && (!tied || w == first);
        if let Some(k) = components.iter().position(|c| !fits(c.wishart())) {
            let expected =
                format!("of {} shape, as the posterior is", belief.covariance);
            let what = format!("the precision of component {k}");
            return Err(Error::shape(&what, expected, "of another"));
        }
        Ok(Posterior::of(belief, weights, components))
    }

    /// From parts that have been checked.
    pub(crate) fn of(
        belief: Belief,
        weights: Weights,
        components: Vec<GaussianWishart>,
    ) -> Self {
        let k = components.len();
        let beta = DVector::from_fn(k, |k, _| components[k].beta());
        let alpha = match &weights {
            Weights::Dirichlet(dirichlet) => dirichlet.concentration().clone(),
            // The last has no stick, but what a large β₀ leaves of Nₖ in βₖ.
            Weights::StickBreaking(sticks) => DVector::from_fn(k, |k, _| {
                let of_stick = sticks.a().get(k).copied();
                of_stick.unwrap_or_else(|| 1.0 + (beta[k] - belief.prior.beta0))
            }),
        };
        Posterior {
            alpha,
            beta,
            nu: DVector::from_fn(k, |k, _| components[k].wishart().nu()),
            means: DMatrix::from_fn(k, components[0].dimension(), |k, j| {
                components[k].m()[j]
            }),
            belief,
            weights,
            components,
        }
    }

    /// The best q(π, μ, Λ) for given responsibilities r (N×K): what an update makes of them
    /// (PRML 10.57–10.63), in full covariances and finitely many components; for others see
    /// [`Vb::given_responsibilities`](crate::Vb::given_responsibilities).
    ///
    /// # Errors
    /// If `x` is empty or not finite, a row of r does not sum to 1 (to 1e-9), the shapes disagree,
    /// or the prior is not one.
    pub fn from_responsibilities<'a>(
        prior: &Prior,
        x: impl Into<DMatrixView<'a, f64>>,
        r: &DMatrix<f64>,
    ) -> Result<Self> {
        let points = Points::new(x.into(), None)?;
        let origin = DVector::zeros(points.dimension());
        let shares = shares(&points.about(origin), r, Structure::Dense)?;
        Posterior::before(Belief::plain(prior.clone()), r.ncols())?.updated(&shares)
    }

    /// What is believed of K components before any data: the prior, of each.
    pub(crate) fn before(belief: Belief, k: usize) -> Result<Self> {
        let weights = belief.weights(k)?;
        let component = belief.component()?;
        Ok(Posterior::of(belief, weights, vec![component; k]))
    }

    /// The belief `self`, after seeing each component's share of the points: αₖ + Nₖ (PRML 10.58),
    /// and each Gaussian–Wishart's posterior (10.60–10.63).
    // ANCHOR: updated
    pub(crate) fn updated(&self, shares: &[Moments]) -> Result<Self> {
        let counts = shares.iter().map(Moments::count);
        let counts = DVector::from_iterator(shares.len(), counts);
        let weights = self.weights.posterior(&counts)?;
        let components = if self.belief.covariance.is_tied() {
            GaussianWishart::posteriors_sharing(&self.components, shares)?
        } else {
            let pairs = self.components.iter().zip(shares).enumerate();
            pairs
                .map(|(k, (q, share))| {
                    q.posterior(share).map_err(|fault| of_component(fault, k))
                })
                .collect::<Result<_>>()?
        };
        Ok(Posterior::of(self.belief.clone(), weights, components))
    }
    // ANCHOR_END: updated

    /// The prior.
    pub fn prior(&self) -> &Prior {
        &self.belief.prior
    }

    /// Prior, shape and kind of weights.
    pub(crate) fn belief(&self) -> &Belief {
        &self.belief
    }

    /// The shape of the covariances.
    pub fn shape(&self) -> Covariance {
        self.belief.covariance
    }

    /// What was believed of the weights.
    pub fn concentration(&self) -> Concentration {
        self.belief.concentration
    }

    /// q(π).
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// q(Λ), of each component, or the one that they share.
    pub(crate) fn precisions(&self) -> impl Iterator<Item = &Wishart> {
        let distinct = if self.shape().is_tied() { 1 } else { self.components.len() };
        self.components.iter().take(distinct).map(GaussianWishart::wishart)
    }

    /// q(μₖ, Λₖ) of each component.
    pub fn components(&self) -> &[GaussianWishart] {
        &self.components
    }

    /// αₖ, length K. (For a Dirichlet process aₖ = 1 + Nₖ, of the last component too, which has no
    /// stick of its own.)
    pub fn alpha(&self) -> &DVector<f64> {
        &self.alpha
    }

    /// Nₖ, length K: how many points each component holds.
    pub fn counts(&self) -> DVector<f64> {
        let before = match self.concentration() {
            Concentration::Dirichlet => self.prior().alpha0,
            Concentration::DirichletProcess { .. } => 1.0,
        };
        self.alpha.map(|alpha| (alpha - before).max(0.0))
    }

    /// ln(K!/m!), where m is the number of components that hold less than half a point: the
    /// logarithm of how many namings of the components differ. The bound knows of one of them, and
    /// all are equally good, so that the bound plus this is an estimate of ln p(X) if
    /// components are far apart or empty. Where they overlap it is mostly too low, since the
    /// labels are independent under q; but it is no bound, and where components are alike
    /// without being empty it is too high. None for a Dirichlet process, whose components
    /// are not interchangeable.
    ///
    /// ```
    /// use mixtures::{Vb, data};
    ///
    /// let posterior = Vb::new(4).seed(7).fit(&data::faithful())?.posterior;
    /// assert_eq!(posterior.counts().iter().filter(|&&n| n < 0.5).count(), 2);
    /// let relabellings = posterior.log_relabellings().unwrap();
    /// assert!((relabellings - (4.0 * 3.0_f64).ln()).abs() < 1e-12); // 4!/2!
    /// # Ok::<(), mixtures::Error>(())
    /// ```
    // ANCHOR: log_relabellings
    pub fn log_relabellings(&self) -> Option<f64> {
        let k = self.component_count();
        let empty = self.counts().iter().filter(|count| **count < 0.5).count();
        let log_factorial = |n: usize| ln_gamma(n as f64 + 1.0);
        match self.concentration() {
            Concentration::Dirichlet => Some(log_factorial(k) - log_factorial(empty)),
            Concentration::DirichletProcess { .. } => None,
        }
    }
    // ANCHOR_END: log_relabellings

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
        GaussianMixture::of(self.weights.mean(), components, self.shape())
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

    /// One draw of the mixture: π from its distribution, each component from its Gaussian–Wishart
    /// (with one Λ for all, if the shape is tied).
    ///
    /// # Errors
    /// If a νₖ is so close to D − 1 that a drawn precision is singular in double precision.
    pub fn sample<R: rand::Rng + ?Sized>(
        &self,
        rng: &mut R,
    ) -> Result<GaussianMixture> {
        let weights = self.weights.sample(rng);
        let mut root = self.components[0].wishart().draw_root(rng);
        let draw = |(k, c): (usize, &GaussianWishart)| {
            if k > 0 && !self.shape().is_tied() {
                root = c.wishart().draw_root(rng);
            }
            c.sample_gaussian_with(&root, rng)
        };
        let components = self.components.iter().enumerate().map(draw);
        let components = components.collect::<Result<_>>()?;
        Ok(GaussianMixture::of(weights, components, self.shape()))
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
            let white = (wishart.whitener(), wishart.factor().root());
            Score::whitened(offset, component.m().clone(), white, scale)
        };
        self.components.iter().enumerate().map(score).collect()
    }
    // ANCHOR_END: scores

    /// With the belief as it was given: moved there and back, its m₀ may have lost digits.
    pub(crate) fn believing(self, belief: Belief) -> Self {
        Posterior { belief, ..self }
    }

    /// Moved by `shift` (length D), prior and all.
    pub(crate) fn translated(self, shift: &DVector<f64>) -> Self {
        let components =
            self.components.into_iter().map(|c| c.translated(shift)).collect();
        Posterior::of(self.belief.translated(shift), self.weights, components)
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

impl TryFrom<Parts> for Posterior {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        Posterior::checked(parts.belief, parts.weights, parts.components)
    }
}

impl From<Posterior> for Parts {
    fn from(it: Posterior) -> Self {
        Parts { belief: it.belief, weights: it.weights, components: it.components }
    }
}
