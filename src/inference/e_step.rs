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
    Block, LANES, LEAF, Lanes, Points, Rows, Score, Task, dispatch, grain, square,
    subtract,
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
    let gather = |leaf, about| dispatch(Leaf { scores, points, leaf, about });
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
    scores: &'a [Score],
    points: &'a Points<'a>,
    leaf: usize,
    about: Option<&'a [Option<DVector<f64>>]>,
}

impl Task for Leaf<'_> {
    type Output = Result<Gathered>;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Result<Gathered> {
        let Leaf { scores, points, leaf, about } = self;
        let rows = leaf * LEAF..points.len().min((leaf + 1) * LEAF);
        let mut block = Block::new(scores);
        let columns = 2 * points.dimension() * block.capacity() / LANES;
        let mut scratch = vec![[0.0; LANES]; columns];
        let mut gathered = Gathered::nothing(scores);
        for start in rows.clone().step_by(block.capacity()) {
            block.load(points, start, rows.end);
            block.evaluate::<L>(scores);
            gathered.add_log_density::<L>(&block)?;
            for (k, (score, sums)) in
                scores.iter().zip(&mut gathered.sums).enumerate()
            {
                let centre = about.map(|centres| centres[k].as_ref());
                if centre != Some(None) {
                    let centre = centre.flatten();
                    sums.add::<L>(&block, k, score, centre, &mut scratch);
                }
            }
        }
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
    /// `scratch` has room for 2D columns.
    #[inline(always)]
    fn add<L: Lanes>(
        &mut self,
        block: &Block,
        k: usize,
        score: &Score,
        centre: Option<&DVector<f64>>,
        scratch: &mut [Rows],
    ) {
        let shares = block.shares(k);
        let mut count = L::splat(0.0);
        for share in shares {
            count = count.plus(L::load(share));
        }
        self.count += L::totals([count])[0];
        match (&score.whitener, centre) {
            (Structured::Dense(_), None) => {
                let y = block.residuals(k, score.mean.len());
                self.add_products::<L>(shares, y, scratch);
            }
            (Structured::Dense(_), Some(centre)) => {
                let v = shares.len();
                let (y, scratch) = scratch.split_at_mut(centre.len() * v);
                let columns = y.chunks_exact_mut(v).zip(block.x().chunks_exact(v));
                for ((y, x), c) in columns.zip(centre) {
                    subtract::<L>(x, *c, y);
                }
                self.add_products::<L>(shares, y, scratch);
            }
            (Structured::Diagonal { diagonal, .. }, None) => {
                let places = score.mean.iter().copied().zip(diagonal.iter().copied());
                self.add_squares::<L>(shares, block.x(), places);
            }
            (Structured::Diagonal { .. }, Some(centre)) => {
                let places = centre.iter().map(|c| (*c, 1.0));
                self.add_squares::<L>(shares, block.x(), places);
            }
        }
    }

    /// Σ r y and Σ r y yᵀ of the D columns `y`; `weighted` has room for as many.
    #[inline(always)]
    fn add_products<L: Lanes>(
        &mut self,
        shares: &[Rows],
        y: &[Rows],
        weighted: &mut [Rows],
    ) {
        let (v, zero) = (shares.len(), L::splat(0.0));
        let columns = y.chunks_exact(v).zip(weighted.chunks_exact_mut(v));
        for (total, (y, weighted)) in self.first.iter_mut().zip(columns) {
            let mut first = zero;
            for ((y, weighted), share) in y.iter().zip(weighted).zip(shares) {
                let wy = L::load(share).times(L::load(y));
                wy.store(weighted);
                first = first.plus(wy);
            }
            *total += L::totals([first])[0];
        }
        if let Structured::Dense(second) = &mut self.second {
            square::<L>(&weighted[..y.len()], y, second.as_mut_slice(), v);
        }
    }

    /// Σ r y and Σ r y² of each column y = a (x − m), given (m, a).
    #[inline(always)]
    fn add_squares<L: Lanes>(
        &mut self,
        shares: &[Rows],
        x: &[Rows],
        places: impl Iterator<Item = (f64, f64)>,
    ) {
        let Structured::Diagonal { diagonal, .. } = &mut self.second else { return };
        let zero = L::splat(0.0);
        let totals = self.first.iter_mut().zip(diagonal);
        let columns = x.chunks_exact(shares.len()).zip(places);
        for ((total, squares), (x, (m, a))) in totals.zip(columns) {
            let (m, a) = (L::splat(m), L::splat(a));
            let (mut first, mut second) = (zero, zero);
            for (x, share) in x.iter().zip(shares) {
                let y = L::load(x).minus(m).times(a);
                let wy = L::load(share).times(y);
                first = first.plus(wy);
                second = wy.mul_add(y, second);
            }
            let [first, second] = L::totals([first, second]);
            *total += first;
            *squares += second;
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
