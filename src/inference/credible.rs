use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::inference::posterior::Posterior;
use crate::mixture::GaussianMixture;
use crate::{Error, Result};

/// Beyond this many draws their memory, not their number, limits the accuracy.
const MOST_DRAWS: usize = 10_000_000;

/// Lower and upper ends, entry by entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interval<T> {
    /// The lower ends.
    pub lower: T,
    /// The upper ends.
    pub upper: T,
}

/// Intervals that hold each parameter of a mixture with a given probability; see
/// [`Posterior::credible`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Credible {
    /// The probability that each interval holds.
    pub level: f64,
    /// Of π, length K.
    pub weights: Interval<DVector<f64>>,
    /// Of the means, K×D.
    pub means: Interval<DMatrix<f64>>,
    /// Of each Σₖ, D×D.
    pub covariances: Vec<Interval<DMatrix<f64>>>,
}

impl Posterior {
    /// Equal-tailed credible intervals of every weight, mean and entry of a covariance, each by
    /// itself, from `draws` draws of the posterior.
    ///
    /// They are too narrow: variational Bayes leaves out that the labels and the parameters are
    /// uncertain together, the more so the more the components overlap, and it knows of one
    /// naming of the components only (chapter 15 measures both).
    ///
    /// # Errors
    /// If `level` is not between 0 and 1, `draws` is 0 or above ten million, or a drawn precision
    /// is singular (see [`Posterior::sample`]).
    ///
    /// ```
    /// use mixtures::{Vb, data, math};
    ///
    /// let posterior = Vb::new(2).seed(7).fit(&data::faithful())?.posterior;
    /// let credible = posterior.credible(0.95, 1000, &mut math::rng(1))?;
    /// let (low, high) = (credible.weights.lower[0], credible.weights.upper[0]);
    /// assert!(low < posterior.weights().mean()[0] && posterior.weights().mean()[0] < high);
    /// assert!(0.1 < high - low && high - low < 0.13);
    /// # Ok::<(), mixtures::Error>(())
    /// ```
    pub fn credible<R: rand::Rng + ?Sized>(
        &self,
        level: f64,
        draws: usize,
        rng: &mut R,
    ) -> Result<Credible> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::option("level", level, "it must lie between 0 and 1"));
        }
        if draws == 0 || draws > MOST_DRAWS {
            let reason = "1 to 10 million draws can be kept";
            return Err(Error::option("draws", draws, reason));
        }
        let mut drawn: Vec<Vec<f64>> = Vec::new();
        for _ in 0..draws {
            let values = parameters(&self.sample(rng)?);
            drawn.resize_with(values.len(), Vec::new);
            drawn.iter_mut().zip(values).for_each(|(of, value)| of.push(value));
        }
        drawn.iter_mut().for_each(|values| values.sort_by(f64::total_cmp));
        let at = |probability: f64| -> Vec<f64> {
            drawn.iter().map(|sorted| quantile(sorted, probability)).collect()
        };
        let tail = 0.5 * (1.0 - level);
        Ok(self.intervals(level, &at(tail), &at(1.0 - tail)))
    }

    /// Reads both ends as [`parameters`] wrote them.
    fn intervals(&self, level: f64, lower: &[f64], upper: &[f64]) -> Credible {
        let (k, d) = (self.component_count(), self.dimension());
        let matrix = |rows, columns, from: usize| {
            let part = from..from + rows * columns;
            Interval {
                lower: DMatrix::from_column_slice(
                    rows,
                    columns,
                    &lower[part.clone()],
                ),
                upper: DMatrix::from_column_slice(rows, columns, &upper[part]),
            }
        };
        Credible {
            level,
            weights: Interval {
                lower: DVector::from_column_slice(&lower[..k]),
                upper: DVector::from_column_slice(&upper[..k]),
            },
            means: matrix(k, d, k),
            covariances: (0..k)
                .map(|i| matrix(d, d, k + k * d + i * d * d))
                .collect(),
        }
    }
}

/// Weights, means by columns, and covariances.
fn parameters(mixture: &GaussianMixture) -> Vec<f64> {
    let covariances = mixture.components().iter().flat_map(|c| c.covariance().iter());
    mixture
        .weights()
        .iter()
        .chain(mixture.means())
        .chain(covariances)
        .copied()
        .collect()
}

/// Between the order statistics, in proportion (type 7 of Hyndman & Fan 1996).
fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let place = probability * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}
