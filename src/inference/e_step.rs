//! The E-step: scores and rows in, a [`Summary`] out.
//!
//! Each block of rows gathers, for each component, Σ r, Σ r y and Σ r y yᵀ of its
//! whitened residuals y = A (x − m), which the scores have already computed. Blocks
//! add up along a binary tree that depends on N alone, so that the sums are the same
//! bits for any number of threads.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::summary::Summary;
use crate::kernel::{BLOCK, Block, Points, Score, grain};
use crate::math::Structured;
use crate::{Moments, Result};

/// A component whose whitened mean shift exceeds this many times the smallest
/// eigenvalue of its new scatter is gathered again about its new mean: the shift's
/// square would cost the scatter that many times the rounding error.
const FAR: f64 = 1e3;

pub(crate) fn e_step(scores: &[Score], points: &Points) -> Result<Summary> {
    let blocks = points.len().div_ceil(BLOCK);
    let grain = grain(scores);
    let whitened =
        fold(0..blocks, grain, &|b| Gathered::whitened(scores, points, b * BLOCK))?;
    let mut components: Vec<Moments> = whitened
        .sums
        .iter()
        .zip(scores)
        .map(|(sums, score)| sums.unwhiten(score))
        .collect();
    let far: Vec<usize> =
        (0..scores.len()).filter(|&k| moved_too_far(&whitened.sums[k])).collect();
    if !far.is_empty() {
        let centres: Vec<DVector<f64>> = far
            .iter()
            .map(|&k| components[k].mean().expect("far implies weight"))
            .collect();
        let again = fold(0..blocks, grain, &|b| {
            Gathered::about(scores, points, b * BLOCK, &far, &centres)
        })?;
        for ((k, centre), sums) in far.into_iter().zip(centres).zip(again.sums) {
            components[k] =
                Moments::from_parts(sums.count, centre, &sums.first, sums.second);
        }
    }
    Ok(Summary {
        components,
        log_likelihood: whitened.log_likelihood,
        magnitude: whitened.magnitude,
    })
}

/// Adds the blocks up along a binary tree. Branches of at most `grain` blocks stay on one
/// thread, which changes nothing but the time.
// ANCHOR: fold
fn fold<F>(blocks: Range<usize>, grain: usize, gather: &F) -> Result<Gathered>
where
    F: Fn(usize) -> Result<Gathered> + Sync,
{
    if blocks.len() == 1 {
        return gather(blocks.start);
    }
    let middle = blocks.start + blocks.len() / 2;
    let left = || fold(blocks.start..middle, grain, gather);
    let right = || fold(middle..blocks.end, grain, gather);
    let (left, right) = if blocks.len() <= grain {
        (left(), right())
    } else {
        rayon::join(left, right)
    };
    Ok(left?.plus(right?))
}
// ANCHOR_END: fold

/// Sums over some rows for one component: Σ r, Σ r y and Σ r y yᵀ (lower triangle, or diagonal).
struct Sums {
    count: f64,
    first: DVector<f64>,
    second: Structured,
}

/// Sums over some rows: for several components, and of the log density.
struct Gathered {
    sums: Vec<Sums>,
    log_likelihood: f64,
    magnitude: f64,
}

impl Gathered {
    /// The sums of one block in each component's whitened coordinates.
    fn whitened(scores: &[Score], points: &Points, start: usize) -> Result<Self> {
        let mut block = Block::new(scores, points, start);
        block.weigh(points);
        block.check_reach()?;
        let size = block.rows * points.dimension();
        let sums = block
            .residuals
            .chunks_exact(size)
            .enumerate()
            .map(|(k, residuals)| {
                let diagonal = scores[k].whitener.is_diagonal();
                Sums::of(block.responsibility(k), residuals, diagonal)
            })
            .collect();
        let (mut log_likelihood, mut magnitude) = (0.0, 0.0);
        for (n, l) in block.log_density.iter().enumerate() {
            let w = points.weight(start + n);
            log_likelihood += w * l;
            magnitude += w * (1.0 + l.abs());
        }
        Ok(Gathered { sums, log_likelihood, magnitude })
    }

    /// The sums of one block for the components `which`, of x − centre as it is.
    fn about(
        scores: &[Score],
        points: &Points,
        start: usize,
        which: &[usize],
        centres: &[DVector<f64>],
    ) -> Result<Self> {
        let mut block = Block::new(scores, points, start);
        block.weigh(points);
        let sums = which
            .iter()
            .zip(centres)
            .map(|(&k, centre)| {
                let columns = block.x.chunks_exact(block.rows).zip(centre);
                let residuals: Vec<f64> =
                    columns.flat_map(|(x, c)| x.iter().map(move |x| x - c)).collect();
                let diagonal = scores[k].whitener.is_diagonal();
                Sums::of(block.responsibility(k), &residuals, diagonal)
            })
            .collect();
        Ok(Gathered { sums, log_likelihood: 0.0, magnitude: 0.0 })
    }

    fn plus(self, other: Gathered) -> Self {
        let pairs = self.sums.into_iter().zip(other.sums);
        let plus = |(mine, theirs): (Sums, Sums)| Sums {
            count: mine.count + theirs.count,
            first: mine.first + theirs.first,
            second: mine.second.plus(&theirs.second),
        };
        Gathered {
            sums: pairs.map(plus).collect(),
            log_likelihood: self.log_likelihood + other.log_likelihood,
            magnitude: self.magnitude + other.magnitude,
        }
    }
}

impl Sums {
    // ANCHOR: gather
    /// Of the columns `residuals`, each row counted `share[n]` times.
    fn of(share: &[f64], residuals: &[f64], diagonal: bool) -> Self {
        let rows = share.len();
        let d = residuals.len() / rows;
        let column = |j: usize| &residuals[j * rows..(j + 1) * rows];
        let mut first = DVector::zeros(d);
        let mut products = DMatrix::zeros(d, if diagonal { 1 } else { d });
        let mut shared = Vec::with_capacity(rows);
        for j in 0..d {
            shared.clear();
            shared.extend(share.iter().zip(column(j)).map(|(r, y)| r * y));
            first[j] = sum(&shared);
            if diagonal {
                products[j] = dot(&shared, column(j));
                continue;
            }
            for i in j..d {
                products[(i, j)] = dot(&shared, column(i));
            }
        }
        let second = if diagonal {
            products.column(0).into_owned().into()
        } else {
            products.into()
        };
        Sums { count: sum(share), first, second }
    }
    // ANCHOR_END: gather

    /// Back from y = A (x − m) to x: the moments about m are A⁻¹ Σ r y and A⁻¹ (Σ r y
    /// yᵀ) A⁻ᵀ.
    fn unwhiten(&self, score: &Score) -> Moments {
        let back = &score.unwhitener;
        Moments::from_parts(
            self.count,
            score.mean.clone(),
            &back.times(&self.first),
            back.congruence(&self.second.mirrored()),
        )
    }
}

/// Whether ‖ȳ‖² > FAR · λ_min, where ȳ is the mean and λ_min the smallest eigenvalue
/// of the covariance of the whitened residuals: whether covariance − ‖ȳ‖²/FAR is not
/// positive definite. (Of independent coordinates, each is judged by itself.)
fn moved_too_far(sums: &Sums) -> bool {
    let shift = &sums.first / sums.count;
    let distance = shift.norm_squared();
    if sums.count == 0.0 || distance == 0.0 {
        return false;
    }
    match &sums.second {
        Structured::Diagonal { diagonal, .. } => {
            let mut pairs = diagonal.iter().zip(&shift);
            pairs.any(|(t, s)| s * s > FAR * (t / sums.count - s * s))
        }
        Structured::Dense(second) => {
            let mut covariance = second / sums.count - &shift * shift.transpose();
            for i in 0..shift.len() {
                covariance[(i, i)] -= distance / FAR;
            }
            nalgebra::Cholesky::new(covariance).is_none()
        }
    }
}

/// Independent partial sums, so that the additions need not wait for each other.
const LANES: usize = 8;

fn sum(a: &[f64]) -> f64 {
    let mut acc = [0.0; LANES];
    let chunks = a.chunks_exact(LANES);
    let tail: f64 = chunks.remainder().iter().sum();
    for a in chunks {
        acc.iter_mut().zip(a).for_each(|(acc, a)| *acc += a);
    }
    acc.iter().sum::<f64>() + tail
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut acc = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f64 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            acc[lane] += a[lane] * b[lane];
        }
    }
    acc.iter().sum::<f64>() + tail
}
