use nalgebra::DMatrixView;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::inference::belief::Belief;
use crate::inference::posterior::Posterior;
use crate::inference::prior::Prior;
use crate::kernel::Points;
use crate::mixture::GaussianMixture;
use crate::{Error, Moments, Result};

/// A Gibbs sampler for the mixture that [`Vb`](crate::Vb) approximates: a chain of draws from the
/// exact posterior p(π, μ, Λ, z | X) (Diebolt & Robert 1994; PRML §11.3).
///
/// It is small and plain, a referee rather than a learner. What it holds are the labels z. Each
/// [`Gibbs::sweep`] draws the parameters given the labels, then the labels given the parameters;
/// after many, (mixture, labels) is a draw from the posterior, correlated with the draws before.
/// The data are passed to each sweep and not kept.
///
/// The posterior is symmetric in the K! names of the components, and the chain may change them on
/// the way: sort the components before averaging anything that depends on a name.
///
/// ```
/// use mixtures::{Gibbs, Prior, data, math, nalgebra::dvector};
///
/// let x = data::faithful();
/// let prior = Prior { alpha0: 1.0, ..Prior::from_data(&x)? };
/// let begin = (0..x.nrows()).map(|n| usize::from(x[(n, 0)] > 3.0)).collect();
/// let (mut gibbs, mut rng) = (Gibbs::new(prior, 2, begin)?, math::rng(1));
/// let mut mean = 0.0;
/// for _ in 0..200 {
///     mean += gibbs.sweep(&x, &mut rng)?.means()[(1, 0)] / 200.0;
/// }
/// assert!((mean - 4.29).abs() < 0.02); // minutes, of the long eruptions
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Gibbs {
    /// Before the data: every component is the prior's.
    before: Posterior,
    labels: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    prior: Prior,
    components: usize,
    labels: Vec<usize>,
}

impl Gibbs {
    /// A chain for K = `components`, begun at these labels (one a row, from 0 to K − 1). Where it
    /// begins is forgotten after a while, sooner if the labels are plausible ones.
    ///
    /// # Errors
    /// If the prior is not one, K = 0, there is no label, or one is not below K.
    pub fn new(prior: Prior, components: usize, labels: Vec<usize>) -> Result<Self> {
        let before = Posterior::before(Belief::plain(prior), components)?;
        if labels.is_empty() {
            let (what, missing) = ("the vector of labels".into(), "entries".into());
            return Err(Error::Empty { what, missing });
        }
        if let Some(n) = labels.iter().position(|&k| k >= components) {
            let reason = format!(
                "labels of {components} components are 0 to {}",
                components - 1
            );
            return Err(Error::option(
                &format!("the label of row {n}"),
                labels[n],
                &reason,
            ));
        }
        Ok(Gibbs { before, labels })
    }

    /// z, one label a row.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// p(π, μ, Λ | z, X) for the present labels, which is exact: a Dirichlet and a Gaussian–Wishart
    /// for each component, the prior's for one without points. `x` is N×D.
    ///
    /// # Errors
    /// If `x` is empty, not finite, of another dimension than the prior, or has not as many rows
    /// as there are labels.
    // ANCHOR: given_labels
    pub fn given_labels<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<Posterior> {
        let x = self.check(x.into())?;
        let k = self.before.component_count();
        let mut groups = vec![Moments::about(x.row(0).transpose()); k];
        for (row, &label) in x.row_iter().zip(&self.labels) {
            groups[label].push(row, 1.0)?;
        }
        self.before.updated(&groups)
    }
    // ANCHOR_END: given_labels

    /// One sweep: draws π, and μₖ and Λₖ of every component, given the labels; then every label
    /// given those. Returns the drawn mixture; [`Gibbs::labels`] has the labels.
    ///
    /// # Errors
    /// As [`Gibbs::given_labels`]; also if ν₀ is so close to D − 1 that a drawn precision is
    /// singular, or a row so far from every drawn component that its density underflows even as
    /// a logarithm. The labels are then what they were.
    // ANCHOR: sweep
    pub fn sweep<'a, R: rand::Rng + ?Sized>(
        &mut self,
        x: impl Into<DMatrixView<'a, f64>>,
        rng: &mut R,
    ) -> Result<GaussianMixture> {
        let x = x.into();
        let mixture = self.given_labels(x)?.sample(rng)?;
        let r = mixture.responsibilities(x)?;
        for (label, probabilities) in self.labels.iter_mut().zip(r.row_iter()) {
            *label = draw(probabilities.iter().copied(), rng.random());
        }
        Ok(mixture)
    }
    // ANCHOR_END: sweep

    fn check<'a>(&self, x: DMatrixView<'a, f64>) -> Result<DMatrixView<'a, f64>> {
        let points = Points::new(x, None)?;
        points.expect_dimension(self.before.dimension())?;
        if points.len() != self.labels.len() {
            let expected = format!("{} rows, as there are labels", self.labels.len());
            return Err(Error::shape(
                "x",
                expected,
                format!("{} rows", points.len()),
            ));
        }
        Ok(x)
    }
}

/// The index into which the number `at`, uniform on [0, 1), falls; never one of probability zero.
fn draw(probabilities: impl Iterator<Item = f64>, at: f64) -> usize {
    let (mut sum, mut last) = (0.0, 0);
    for (k, p) in probabilities.enumerate().filter(|(_, p)| *p > 0.0) {
        (sum, last) = (sum + p, k);
        if at < sum {
            break;
        }
    }
    last // also where rounding leaves the sum below `at`
}

impl TryFrom<Parts> for Gibbs {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        Gibbs::new(parts.prior, parts.components, parts.labels)
    }
}

impl From<Gibbs> for Parts {
    fn from(it: Gibbs) -> Self {
        Parts {
            prior: it.before.prior().clone(),
            components: it.before.component_count(),
            labels: it.labels,
        }
    }
}
