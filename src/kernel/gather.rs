//! One pass over the data: for each component Σ r, Σ r y and Σ r y yᵀ of its whitened residuals
//! y = A (x − m), which the scores have already computed.
//!
//! A leaf is a few thousand rows, added up block by block; leaves add up along a binary tree that depends
//! on N alone, so that the sums are the same bits for any number of threads.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::lanes::{Lanes, Task, dispatch};
use super::sums::Sums;
use super::{Block, LEAF, Points, Score, grain};
use crate::Result;
use crate::math::Structured;

/// How rows are shared out, and from where they are measured.
#[derive(Clone, Copy)]
pub(crate) enum Pass<'a> {
    /// By responsibilities; y = A (x − m).
    Whitened,
    /// By responsibilities; x − centre as it is, for the components that have a centre. The others get
    /// nothing.
    About(&'a [Option<DVector<f64>>]),
    /// Each row whole to the component that scores highest (the first of equals); y = A (x − m).
    Nearest,
}

/// The sums over all points. In a pass [`Pass::Nearest`], the highest score stands for the log
/// density.
///
/// # Errors
/// If no component reaches a row of positive weight.
pub(crate) fn gather(
    scores: &[Score],
    points: &Points,
    pass: Pass,
) -> Result<Gathered> {
    let leaves = points.len().div_ceil(LEAF);
    fold(0..leaves, grain(scores), &|leaf| {
        dispatch(Leaf { scores, points, leaf, pass })
    })
}

/// Adds the leaves up along a binary tree. Branches of at most `grain` leaves stay on one
/// thread, which changes nothing but the time.
// ANCHOR: fold
fn fold<F>(leaves: Range<usize>, grain: usize, gather: &F) -> Result<Gathered>
where
    F: Fn(usize) -> Result<Gathered> + Sync,
{
    if leaves.len() == 1 {
        return gather(leaves.start);
    }
    let middle = leaves.start + leaves.len() / 2;
    let left = || fold(leaves.start..middle, grain, gather);
    let right = || fold(middle..leaves.end, grain, gather);
    let (left, right) = if leaves.len() <= grain {
        (left(), right())
    } else {
        rayon::join(left, right)
    };
    Ok(left?.plus(right?))
}
// ANCHOR_END: fold

/// Sums over some rows: for several components, and of the log density.
pub(crate) struct Gathered {
    pub sums: Vec<Sums>,
    /// Σ w ln Σₖ exp scoreₖ.
    pub log_likelihood: f64,
    /// Σ w (1 + |ln Σₖ exp scoreₖ|): what rounding errors are measured by.
    pub magnitude: f64,
}

impl Gathered {
    fn nothing(scores: &[Score]) -> Self {
        let of = |score: &Score| {
            let d = score.mean.len();
            let second = match score.whitener {
                Structured::Dense(_) => DMatrix::zeros(d, d).into(),
                Structured::Diagonal { .. } => DVector::zeros(d).into(),
            };
            Sums { count: 0.0, first: DVector::zeros(d), second }
        };
        let sums = scores.iter().map(of).collect();
        Gathered { sums, log_likelihood: 0.0, magnitude: 0.0 }
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

/// The sums of one leaf.
struct Leaf<'a> {
    scores: &'a [Score],
    points: &'a Points<'a>,
    leaf: usize,
    pass: Pass<'a>,
}

impl Task for Leaf<'_> {
    type Output = Result<Gathered>;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Result<Gathered> {
        let Leaf { scores, points, leaf, pass } = self;
        let rows = leaf * LEAF..points.len().min((leaf + 1) * LEAF);
        let mut block = points.blocks.take::<L>(scores, points.len());
        let mut gathered = Gathered::nothing(scores);
        for start in rows.clone().step_by(block.capacity()) {
            block.load(points, start, rows.end);
            match pass {
                Pass::Nearest => block.assign::<L>(scores),
                _ => block.evaluate::<L>(scores),
            }
            gathered.add_log_density::<L>(&block)?;
            let components = scores.iter().zip(&mut gathered.sums);
            for (k, (score, sums)) in components.enumerate() {
                let centre = match pass {
                    Pass::About(centres) => match &centres[k] {
                        None => continue,
                        centre => centre.as_ref(),
                    },
                    _ => None,
                };
                sums.add::<L>(&mut block, k, score, centre);
            }
        }
        points.blocks.put_back(block);
        Ok(gathered)
    }
}

impl Gathered {
    /// Σ w l and Σ w (1 + |l|) of a block's log densities l.
    #[inline(always)]
    fn add_log_density<L: Lanes>(&mut self, block: &Block) -> Result<()> {
        let zero = L::splat(0.0);
        let (mut total, mut magnitude, mut flaw) = (zero, zero, zero);
        for (l, w) in block.log_density().iter().zip(block.weights()) {
            let (l, w) = (L::load(l), L::load(w));
            let size = zero.minus(l).max(l).plus(L::splat(1.0));
            total = w.mul_add(l, total);
            magnitude = w.mul_add(size, magnitude);
            flaw = flaw.plus(l.minus(l)); // 0, or NaN
        }
        let [total, magnitude, flaw] = L::totals([total, magnitude, flaw]);
        if flaw != 0.0 {
            block.check_reach()?;
        }
        self.log_likelihood += total;
        self.magnitude += magnitude;
        Ok(())
    }
}
