//! What a user asks of a mixture: a log density or responsibilities for every row.

use std::ops::Range;

use nalgebra::{DMatrix, DMatrixView, DVector};
use rayon::prelude::*;

use super::lanes::{Lanes, Task, dispatch};
use super::{Block, LEAF, Points, Score, grain};
use crate::Result;

/// Calls `read` with each block of a leaf.
struct Reading<'a, F> {
    scores: &'a [Score],
    points: &'a Points<'a>,
    rows: Range<usize>,
    read: F,
}

impl<F: FnMut(&Block) -> Result<()>> Task for Reading<'_, F> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<L: Lanes>(mut self) -> Result<()> {
        let mut block = self.points.blocks.take::<L>(self.scores, self.points.len());
        for start in self.rows.clone().step_by(block.capacity()) {
            block.load(self.points, start, self.rows.end);
            block.evaluate::<L>(self.scores);
            (self.read)(&block)?;
        }
        self.points.blocks.put_back(block);
        Ok(())
    }
}

/// What `read` adds to a vector for each block of the rows of `x`, leaf by leaf.
fn map_leaves<T: Send>(
    scores: &[Score],
    points: &Points,
    read: impl Fn(&Block, &mut Vec<T>) -> Result<()> + Sync,
) -> Result<Vec<Vec<T>>> {
    (0..points.len().div_ceil(LEAF))
        .into_par_iter()
        .with_min_len(grain(scores))
        .map(|leaf| {
            let rows = leaf * LEAF..points.len().min((leaf + 1) * LEAF);
            let mut found = Vec::new();
            let read = |block: &Block| read(block, &mut found);
            dispatch(Reading { scores, points, rows, read })?;
            Ok(found)
        })
        .collect::<Vec<_>>() // in order, so that the first fault is always the same one
        .into_iter()
        .collect()
}

/// The rows of `x`, checked, in the coordinates of the scores.
fn rows<'a>(scores: &[Score], x: DMatrixView<'a, f64>) -> Result<Points<'a>> {
    let d = scores[0].mean.len();
    let points = Points::new(x, None)?;
    points.expect_dimension(d)?;
    Ok(points.about(DVector::zeros(d)))
}

/// ln Σₖ exp scoreₖ(xₙ) for every row of `x`.
pub(crate) fn log_densities(
    scores: &[Score],
    x: DMatrixView<'_, f64>,
) -> Result<DVector<f64>> {
    log_densities_of(scores, &rows(scores, x)?)
}

fn log_densities_of(scores: &[Score], points: &Points) -> Result<DVector<f64>> {
    let leaves = map_leaves(scores, points, |block, found: &mut Vec<f64>| {
        found.extend(&block.log_density().as_flattened()[..block.rows]);
        Ok(())
    })?;
    Ok(DVector::from_vec(leaves.concat()))
}

/// ‖A (x − m)‖² for every point (0 for one without weight), of a score with offset 0.
pub(crate) fn distances(score: Score, points: &Points) -> Result<DVector<f64>> {
    Ok(log_densities_of(&[score], points)? * -2.0)
}

/// r, N×K: each row's share of exp score. Rows sum to 1.
pub(crate) fn responsibilities(
    scores: &[Score],
    x: DMatrixView<'_, f64>,
) -> Result<DMatrix<f64>> {
    let k = scores.len();
    let leaves = map_leaves(scores, &rows(scores, x)?, |block, found| {
        block.check_reach()?;
        let columns =
            (0..k).flat_map(|k| &block.shares(k).as_flattened()[..block.rows]);
        found.push((
            block.start,
            DMatrix::from_iterator(block.rows, k, columns.copied()),
        ));
        Ok(())
    })?;
    let mut r = DMatrix::zeros(x.nrows(), k);
    for (start, block) in leaves.into_iter().flatten() {
        r.rows_mut(start, block.nrows()).copy_from(&block);
    }
    Ok(r)
}

/// maxₖ rₙₖ for every row of `x`.
pub(crate) fn largest_responsibilities(
    scores: &[Score],
    x: DMatrixView<'_, f64>,
) -> Result<DVector<f64>> {
    let leaves = map_leaves(scores, &rows(scores, x)?, |block, found| {
        block.check_reach()?;
        let shares = |k: usize| &block.shares(k).as_flattened()[..block.rows];
        let first = found.len();
        found.extend_from_slice(shares(0));
        for k in 1..scores.len() {
            for (largest, r) in found[first..].iter_mut().zip(shares(k)) {
                *largest = r.max(*largest);
            }
        }
        Ok(())
    })?;
    Ok(DVector::from_vec(leaves.concat()))
}

/// The column of the largest entry of each row; the first of equals.
pub(crate) fn most_probable(r: &DMatrix<f64>) -> Vec<usize> {
    r.row_iter()
        .map(|row| {
            (1..row.len())
                .fold(0, |best, k| if row[k] > row[best] { k } else { best })
        })
        .collect()
}
