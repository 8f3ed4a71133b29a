//! The E-step: scores and rows in, a [`Summary`] out.
//!
//! Each block of rows gathers, for each component, Σ r, Σ r y and Σ r y yᵀ of its
//! whitened residuals y = A (x − m), which the scores have already computed. A leaf is
//! a few thousand rows, added up block by block; leaves add up along a binary tree that
//! depends on N alone, so that the sums are the same bits for any number of threads.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::summary::Summary;
use crate::kernel::{
    Block, Blocks, LEAF, Lanes, Points, Score, Task, dispatch, grain,
};
use crate::math::Structured;
use crate::{Moments, Result};

/// A component whose whitened mean shift exceeds this many times the smallest
/// eigenvalue of its new scatter is gathered again about its new mean: the shift's
/// square would cost the scatter that many times the rounding error.
const FAR: f64 = 1e3;

pub(crate) fn e_step(scores: &[Score], points: &Points) -> Result<Summary> {
    let leaves = points.len().div_ceil(LEAF);
    let grain = grain(scores);
    let blocks = &Blocks::new(scores);
    let gather = |leaf, about| dispatch(Leaf { blocks, points, leaf, about });
    let whitened = fold(0..leaves, grain, &|leaf| gather(leaf, None))?;
    let mut components: Vec<Moments> = whitened
        .sums
        .iter()
        .zip(scores)
        .map(|(sums, score)| sums.unwhiten(score))
        .collect();
    let far: Vec<Option<DVector<f64>>> = components
        .iter()
        .zip(&whitened.sums)
        .map(|(moments, sums)| moments.mean().filter(|_| moved_too_far(sums)))
        .collect();
    if far.iter().any(Option::is_some) {
        let again = fold(0..leaves, grain, &|leaf| gather(leaf, Some(&far)))?;
        let pairs = again.sums.into_iter().zip(far);
        for (moments, (sums, centre)) in components.iter_mut().zip(pairs) {
            if let Some(centre) = centre {
                *moments =
                    Moments::from_parts(sums.count, centre, &sums.first, sums.second);
            }
        }
    }
    Ok(Summary {
        components,
        log_likelihood: whitened.log_likelihood,
        magnitude: whitened.magnitude,
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

/// The sums of one leaf: of the whitened residuals, or `about` other centres of x − centre as it is,
/// for the components that have one.
struct Leaf<'a> {
    blocks: &'a Blocks<'a>,
    points: &'a Points<'a>,
    leaf: usize,
    about: Option<&'a [Option<DVector<f64>>]>,
}

impl Task for Leaf<'_> {
    type Output = Result<Gathered>;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Result<Gathered> {
        let Leaf { blocks, points, leaf, about } = self;
        let rows = leaf * LEAF..points.len().min((leaf + 1) * LEAF);
        let mut block = blocks.take::<L>();
        let mut gathered = Gathered::nothing(blocks.scores);
        for start in rows.clone().step_by(block.capacity()) {
            block.load(points, start, rows.end);
            block.evaluate::<L>(blocks.scores);
            gathered.add_log_density::<L>(&block)?;
            let components = blocks.scores.iter().zip(&mut gathered.sums);
            for (k, (score, sums)) in components.enumerate() {
                let centre = about.map(|centres| centres[k].as_ref());
                if centre != Some(None) {
                    sums.add::<L>(&mut block, k, score, centre.flatten());
                }
            }
        }
        blocks.put_back(block);
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

impl Sums {
    /// Adds component k's share of a block: of y = A (x − m), or of x − centre as it is.
    #[inline(always)]
    fn add<L: Lanes>(
        &mut self,
        block: &mut Block,
        k: usize,
        score: &Score,
        centre: Option<&DVector<f64>>,
    ) {
        self.count += block.count::<L>(k);
        let first = self.first.as_mut_slice();
        match (&mut self.second, &score.whitener) {
            (
                Structured::Diagonal { diagonal: second, .. },
                Structured::Diagonal { diagonal: a, .. },
            ) => {
                let (m, a) = match centre {
                    Some(centre) => (centre, None),
                    None => (&score.mean, Some(a)),
                };
                block.add_squares::<L>(k, (m, a), first, second.as_mut_slice());
            }
            (Structured::Dense(second), _) => {
                if let Some(centre) = centre {
                    block.recentre::<L>(k, centre.as_slice());
                }
                block.add_products::<L>(k, first, second.as_mut_slice());
            }
            (Structured::Diagonal { .. }, Structured::Dense(_)) => {
                unreachable!("sums have the structure of their whitener")
            }
        }
    }

    /// Back from y = A (x − m) to x: the moments about m are A⁻¹ Σ r y and A⁻¹ (Σ r y
    /// yᵀ) A⁻ᵀ.
    fn unwhiten(&self, score: &Score) -> Moments {
        let back = &score.unwhitener;
        Moments::from_parts(
            self.count,
            score.mean.clone(),
            &back.times(&self.first),
            back.congruence(&self.second.clone().mirrored()),
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
