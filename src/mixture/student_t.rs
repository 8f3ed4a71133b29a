use nalgebra::{DMatrix, DMatrixView, DVector};
use serde::{Deserialize, Serialize};

use super::sample_labelled;
use crate::distribution::{StudentT, check_weights};
use crate::kernel::{Score, log_densities, most_probable, responsibilities};
use crate::{Error, Result};

/// A mixture of K Student-t distributions in D dimensions: p(x) = Σₖ πₖ St(x | mₖ, Vₖ, νₖ)
/// (PRML 10.81).
///
/// Rows are points: `x` is N×D, and anything that turns into a `DMatrixView`. Log densities are
/// natural logs.
///
/// ```
/// use mixtures::{StudentT, StudentTMixture, nalgebra::{dmatrix, dvector}};
///
/// let mixture = StudentTMixture::new(
///     dvector![0.5, 0.5],
///     vec![
///         StudentT::new(3.0, dvector![-4.0], dmatrix![1.0])?,
///         StudentT::new(9.0, dvector![4.0], dmatrix![1.0])?,
///     ],
/// )?;
/// assert_eq!(mixture.predict(&dmatrix![-3.0; 5.0])?, [0, 1]);
/// assert!(mixture.log_density(&dmatrix![40.0])?[0] > -20.0); // a Gaussian's would be -650
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct StudentTMixture {
    weights: DVector<f64>,
    components: Vec<StudentT>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    weights: DVector<f64>,
    components: Vec<StudentT>,
}

impl StudentTMixture {
    /// From the weights (K) and the components.
    ///
    /// # Errors
    /// If there are none, their numbers or dimensions disagree, a weight is negative, or the
    /// weights do not sum to 1 (to 1e-9).
    pub fn new(weights: DVector<f64>, components: Vec<StudentT>) -> Result<Self> {
        let Some(first) = components.first() else {
            return Err(Error::Empty {
                what: "the mixture".into(),
                missing: "components".into(),
            });
        };
        if weights.len() != components.len() {
            let expected = format!("of length {}, one a component", components.len());
            let found = format!("of length {}", weights.len());
            return Err(Error::shape("the vector of weights", expected, found));
        }
        let d = first.dimension();
        if let Some(k) = components.iter().position(|c| c.dimension() != d) {
            let found = format!("of dimension {}", components[k].dimension());
            let expected = format!("of dimension {d}, as component 0 is");
            return Err(Error::shape(&format!("component {k}"), expected, found));
        }
        check_weights(&weights)?;
        Ok(StudentTMixture { weights, components })
    }

    /// π, length K.
    pub fn weights(&self) -> &DVector<f64> {
        &self.weights
    }

    /// The components, K Student-t distributions.
    pub fn components(&self) -> &[StudentT] {
        &self.components
    }

    /// K.
    pub fn component_count(&self) -> usize {
        self.components.len()
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.components[0].dimension()
    }

    /// ln p(xₙ) of every row of `x` (N×D), length N.
    ///
    /// # Errors
    /// If `x` is empty, not finite, or of another dimension.
    pub fn log_density<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<DVector<f64>> {
        log_densities(&self.scores(), x.into())
    }

    /// r, N×K: the probability that each row came from each component. Rows sum to 1.
    ///
    /// # Errors
    /// As [`StudentTMixture::log_density`]; also if a row's squared distance from every component,
    /// in units of their scales, overflows.
    pub fn responsibilities<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<DMatrix<f64>> {
        responsibilities(&self.scores(), x.into())
    }

    /// The most probable component of every row of `x` (N×D), length N; the first of equals.
    ///
    /// # Errors
    /// As [`StudentTMixture::responsibilities`].
    pub fn predict<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
    ) -> Result<Vec<usize>> {
        Ok(most_probable(&self.responsibilities(x)?))
    }

    /// `n` points (n×D) and the component that each came from.
    pub fn sample<R: rand::Rng + ?Sized>(
        &self,
        n: usize,
        rng: &mut R,
    ) -> (DMatrix<f64>, Vec<usize>) {
        let draw = |k: usize, rng: &mut R| self.components[k].draw(rng);
        sample_labelled(&self.weights, (n, self.dimension()), rng, draw)
    }

    fn scores(&self) -> Vec<Score> {
        let weighted = self.components.iter().zip(&self.weights);
        weighted.map(|(component, w)| component.score(w.ln())).collect()
    }
}

impl TryFrom<Parts> for StudentTMixture {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        StudentTMixture::new(parts.weights, parts.components)
    }
}

impl From<StudentTMixture> for Parts {
    fn from(mixture: StudentTMixture) -> Self {
        Parts { weights: mixture.weights, components: mixture.components }
    }
}
