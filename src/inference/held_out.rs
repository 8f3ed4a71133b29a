//! Held-out likelihood: every row judged by a fit that has not seen it.

use nalgebra::{DMatrixView, DVector, DVectorView};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::inference::em::Em;
use crate::inference::start::Start;
use crate::kernel::Points;
use crate::math::{Estimate, rng_stream};
use crate::{Error, Result};

/// The stream of an [`Em`]'s seed that deals out the folds; restarts use the first
/// million, and reseeding the last ones.
const DEALER: u64 = 1 << 32;

/// What [`Em::cross_validate`] found: how well each row is predicted by the others
/// (Stone 1974; Smyth 2000).
///
/// Unlike the likelihood of the fitted rows it does not rise with every component,
/// and unlike AIC or BIC it counts no parameters. It is a little pessimistic, as each
/// fit has fewer rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeldOut {
    /// ln p(xₙ) of each row (natural log, length N) under the mixture fitted to the
    /// other folds.
    pub log_density: DVector<f64>,
    /// How often each row counts (length N): once, unless weights were given.
    pub weights: DVector<f64>,
    /// The fold that each row was held out in (length N), from 0.
    pub folds: Vec<usize>,
}

impl HeldOut {
    /// Σₙ wₙ ln p(xₙ), natural log: to be compared with [`EmFit`](crate::EmFit)'s log
    /// likelihood.
    pub fn total(&self) -> f64 {
        self.pairs().filter(|(_, w)| *w > 0.0).map(|(l, w)| w * l).sum()
    }

    /// [`HeldOut::total`] per point (divided by Σ wₙ), with its standard error.
    ///
    /// The error takes the rows for independent, and knows nothing of what else could
    /// have been fitted. To compare two models use [`HeldOut::compare`], which is
    /// several times more precise.
    pub fn per_point(&self) -> Estimate {
        Estimate::weighted(self.pairs())
    }

    /// The mean over the points of ln p(xₙ) − ln p′(xₙ), where p′ is the `other`
    /// model's, with its standard error: positive where `self` predicts better. Most
    /// of what makes a row improbable makes it so under both, and cancels. (Two fits
    /// of one seed and N have the same folds.)
    ///
    /// # Errors
    /// If the two are of different numbers of rows, or weights.
    pub fn compare(&self, other: &HeldOut) -> Result<Estimate> {
        let (mine, theirs) = (self.log_density.len(), other.log_density.len());
        if mine != theirs {
            let expected = format!("of {mine} rows, as the first is");
            let found = format!("of {theirs} rows");
            return Err(Error::shape("the other held-out result", expected, found));
        }
        if self.weights != other.weights {
            return Err(Error::Weights {
                what: "the weights of two held-out results".into(),
                reason:
                    "they differ; compare models of the same rows, weighted alike"
                        .into(),
            });
        }
        let pairs = self.pairs().zip(&other.log_density);
        Ok(Estimate::weighted(pairs.map(|((mine, w), theirs)| (mine - theirs, w))))
    }

    /// Each row's log density and weight.
    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.log_density.iter().copied().zip(self.weights.iter().copied())
    }
}

impl Em {
    /// Deals the rows of `x` (N×D) into `folds` folds at random (by the seed), whose
    /// sizes differ by one at most, and has each fold predicted by the mixture that
    /// these options fit to the rows of the others.
    ///
    /// The folds depend on the seed and N alone, so that models of any K and shape
    /// are judged by the same ones. Mind that a start or a prior made from all the
    /// rows has seen each of them.
    ///
    /// # Errors
    /// If there are fewer than 2 folds, or more than rows; or [`Error::Fold`] if a
    /// fit fails, with the first fold that it did for.
    ///
    /// ```
    /// use mixtures::{Em, data};
    ///
    /// let x = data::faithful();
    /// let two = Em::new(2).seed(7).cross_validate(&x, 10)?;
    /// let one = Em::new(1).seed(7).cross_validate(&x, 10)?;
    /// let gain = two.compare(&one)?; // per eruption, natural log
    /// assert!(gain.mean > 5.0 * gain.standard_error);
    /// # Ok::<(), mixtures::Error>(())
    /// ```
    pub fn cross_validate<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
        folds: usize,
    ) -> Result<HeldOut> {
        self.hold_out(&Points::new(x.into(), None)?, folds)
    }

    /// As [`Em::cross_validate`], with each row counted `weights[n]` times (length
    /// N), in the fits as in the result. A row is held out whole, whatever its
    /// weight; rows without weight are dealt last, and change nothing.
    ///
    /// # Errors
    /// As [`Em::cross_validate`], where the rows are those with weight; also if a
    /// weight is negative or not finite, or if their sum (in a fold, too) is not
    /// between 1e-100 and 1e20.
    pub fn cross_validate_weighted<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
        weights: impl Into<DVectorView<'a, f64>>,
        folds: usize,
    ) -> Result<HeldOut> {
        self.hold_out(&Points::new(x.into(), Some(weights.into()))?, folds)
    }

    pub(super) fn hold_out(&self, points: &Points, folds: usize) -> Result<HeldOut> {
        self.search.check(self.components, points)?;
        let fold_of = deal(points, folds, self.search.seed)?;
        let predictions: Vec<Result<(Vec<usize>, DVector<f64>)>> = (0..folds)
            .into_par_iter()
            .map(|fold| {
                let (held, kept): (Vec<usize>, Vec<usize>) =
                    (0..points.len()).partition(|&n| fold_of[n] == fold);
                let x = points.x.select_rows(&kept);
                let weights = points.weights.map(|w| w.select_rows(&kept));
                let fit =
                    Points::new(x.as_view(), weights.as_ref().map(|w| w.as_view()))
                        .and_then(|points| self.seeing(&kept).fit_points(points))?;
                let log_density =
                    fit.mixture.log_density(&points.x.select_rows(&held))?;
                Ok((held, log_density))
            })
            .collect();
        let mut log_density = DVector::zeros(points.len());
        for (fold, prediction) in predictions.into_iter().enumerate() {
            let (rows, values) = prediction.map_err(|fault| Error::Fold {
                fold,
                folds,
                fault: Box::new(fault),
            })?;
            for (n, value) in rows.into_iter().zip(&values) {
                log_density[n] = *value;
            }
        }
        let weights = DVector::from_fn(points.len(), |n, _| points.weight(n));
        Ok(HeldOut { log_density, weights, folds: fold_of })
    }

    /// The same options, where there are these rows alone.
    fn seeing(&self, rows: &[usize]) -> Em {
        let mut em = self.clone();
        if let Start::Responsibilities(r) = &mut em.search.start {
            *r = r.select_rows(rows);
        }
        em
    }
}

/// The fold of each row: the rows shuffled and dealt out in turn, those without
/// weight last.
fn deal(points: &Points, folds: usize, seed: u64) -> Result<Vec<usize>> {
    let (mut rows, idle): (Vec<usize>, Vec<usize>) =
        (0..points.len()).partition(|&n| points.weight(n) > 0.0);
    if !(2..=rows.len()).contains(&folds) {
        let reason = format!(
            "each needs a row, and the fits need others: 2 to {}",
            rows.len()
        );
        return Err(Error::option("folds", folds, &reason));
    }
    rows.shuffle(&mut rng_stream(seed, DEALER));
    rows.extend(idle);
    let mut fold_of = vec![0; rows.len()];
    for (turn, n) in rows.into_iter().enumerate() {
        fold_of[n] = turn % folds;
    }
    Ok(fold_of)
}
