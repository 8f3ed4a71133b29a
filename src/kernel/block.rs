//! What the scores make of some rows: whitened residuals, responsibilities, log densities. All
//! arrays are by columns, in one [`Layout`].

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::math::Structured;
use crate::{Error, Result};

use super::elementary::{exp, ln};
use super::lanes::{LANES, Lanes};
use super::tiles::{BAND, Layout, Rows, STRIP, pack, whiten};
use super::{Points, Score, Tails};

/// A block's residuals (or its points, where no A is dense) fit into this many numbers, so that they
/// are still in the second cache when they are read again.
const SECOND_CACHE: usize = 1 << 16;

/// And one component's into this many, or at least the columns that are multiplied at a time, so that
/// they stay in the first.
const FIRST_CACHE: usize = 1 << 11;

/// The most and the fewest rows of a block.
const MOST: usize = 256;
const FEWEST: usize = STRIP * LANES;

/// What the size of a block's arrays depends on.
#[derive(Clone, Copy, PartialEq)]
struct Shape {
    /// N in whole strips, or the most rows of a block.
    n: usize,
    k: usize,
    d: usize,
    /// How many of the A are dense.
    dense: usize,
}

impl Shape {
    fn of(scores: &[Score], n: usize) -> Self {
        let dense =
            scores.iter().filter(|score| !score.whitener.is_diagonal()).count();
        let n = n.min(MOST).next_multiple_of(FEWEST);
        Shape { n, k: scores.len(), d: scores[0].mean.len(), dense }
    }
}

/// Up to [`Block::capacity`] rows at a time, one block after the other.
pub(crate) struct Block {
    shape: Shape,
    capacity: usize,
    pub(super) layout: Layout,
    /// Which of the points: `start` up to `start + rows`. What lies behind them in the arrays repeats the
    /// last row, with weight zero.
    pub start: usize,
    pub rows: usize,
    /// The dense A, [packed](pack).
    whiteners: Vec<Vec<f64>>,
    /// x − origin: D columns.
    pub(super) x: Vec<Rows>,
    /// x − m of the component at hand: D columns of a strip.
    difference: Vec<Rows>,
    /// Some columns of residuals times shares.
    pub(super) weighted: Vec<Rows>,
    /// For each component the residuals A (x − m): K·D columns (none if A is diagonal: they cost
    /// less than the memory).
    pub(super) residuals: Vec<Rows>,
    /// The scores, then the responsibilities times the weights: K columns.
    pub(super) shares: Vec<Rows>,
    /// ln Σₖ exp scoreₖ; 0 for a row without weight.
    log_density: Vec<Rows>,
    weights: Vec<Rows>,
}

impl Block {
    fn new(shape: Shape) -> Self {
        let Shape { n, k, d, dense } = shape;
        let fits = if dense > 0 {
            (SECOND_CACHE / (dense * d)).min(FIRST_CACHE / d.min(BAND))
        } else {
            SECOND_CACHE / d
        };
        let capacity = fits.clamp(FEWEST, n) / FEWEST * FEWEST;
        let layout = Layout { used: 0, stride: capacity / LANES + 1 };
        let columns = |count: usize| vec![[0.0; LANES]; count * layout.stride];
        Block {
            shape,
            capacity,
            layout,
            start: 0,
            rows: 0,
            whiteners: vec![vec![]; k],
            x: columns(d),
            difference: vec![[0.0; LANES]; d * STRIP],
            weighted: columns(if dense > 0 { d.min(BAND) } else { 0 }),
            residuals: columns(if dense > 0 { k * d } else { 0 }),
            shares: columns(k),
            log_density: columns(1),
            weights: columns(1),
        }
    }

    #[inline(always)]
    fn pack<L: Lanes>(&mut self, scores: &[Score]) {
        for (to, score) in self.whiteners.iter_mut().zip(scores) {
            if let Structured::Dense(a) = &score.whitener {
                pack::<L>(a.as_slice(), self.shape.d, to);
            }
        }
    }

    /// How many rows a block has, but for the last.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Loads the points from `start` to `end`, as many as fit.
    pub fn load(&mut self, points: &Points, start: usize, end: usize) {
        (self.start, self.rows) = (start, self.capacity.min(end - start));
        self.layout.used = self.rows.div_ceil(FEWEST) * STRIP;
        let (rows, used) = (self.rows, self.layout.used);
        let columns = self.x.chunks_exact_mut(self.layout.stride);
        for ((to, from), origin) in
            columns.zip(points.x.column_iter()).zip(&points.origin)
        {
            let from = &from.as_slice()[start..start + rows];
            let (to, padding) = to[..used].as_flattened_mut().split_at_mut(rows);
            to.iter_mut().zip(from).for_each(|(to, x)| *to = x - origin);
            padding.fill(from[rows - 1] - origin);
        }
        let weights = self.weights[..used].as_flattened_mut();
        let (weights, padding) = weights.split_at_mut(rows);
        match &points.weights {
            Some(w) => weights.copy_from_slice(&w.as_slice()[start..start + rows]),
            None => weights.fill(1.0),
        }
        padding.fill(0.0);
    }

    /// Scores, shares and log densities of the rows that are loaded.
    #[inline(always)]
    pub fn evaluate<L: Lanes>(&mut self, scores: &[Score]) {
        for (k, score) in scores.iter().enumerate() {
            self.score::<L>(k, score);
        }
        self.normalise::<L>(scores.len());
    }

    /// The same with each row's share undivided, to the component that scores highest, and with
    /// that score in the log density's place.
    #[inline(always)]
    pub fn assign<L: Lanes>(&mut self, scores: &[Score]) {
        for (k, score) in scores.iter().enumerate() {
            self.score::<L>(k, score);
        }
        let Layout { used, stride } = self.layout;
        let zero = L::splat(0.0);
        for n in 0..used {
            let largest = self.largest::<L>(n, scores.len());
            let mut left = L::load(&self.weights[n]);
            for k in 0..scores.len() {
                let share = &mut self.shares[k * stride + n];
                let taken = L::load(share).if_below(largest, zero, left);
                left = left.minus(taken);
                taken.store(share);
            }
            largest.store(&mut self.log_density[n]);
        }
    }

    /// The highest score of each row; finite, even if all are −∞.
    #[inline(always)]
    fn largest<L: Lanes>(&self, n: usize, k: usize) -> L {
        (0..k).fold(L::splat(f64::MIN), |largest, k| {
            L::load(&self.shares[k * self.layout.stride + n]).max(largest)
        })
    }

    #[inline(always)]
    fn score<L: Lanes>(&mut self, k: usize, score: &Score) {
        let Layout { used, stride } = self.layout;
        let d = score.mean.len();
        let values = &mut self.shares[k * stride..][..used];
        match &score.whitener {
            Structured::Dense(_) => whiten::<L>(
                &self.whiteners[k],
                score.mean.as_slice(),
                &self.x,
                &mut self.residuals[k * d * stride..][..d * stride],
                values,
                &mut self.difference,
                self.layout,
            ),
            Structured::Diagonal { diagonal, .. } => match score.tails {
                Tails::Each(nu) => {
                    values.fill([0.0; LANES]);
                    let columns = self.x.chunks_exact(stride);
                    for ((x, m), a) in columns.zip(&score.mean).zip(diagonal) {
                        let rows = values.as_flattened_mut().iter_mut();
                        for (sum, x) in rows.zip(x.as_flattened()) {
                            let y = (x - m) * a;
                            *sum += (y * y / nu).ln_1p();
                        }
                    }
                }
                Tails::Gaussian | Tails::Joint(_) => {
                    for (n, square) in values.iter_mut().enumerate() {
                        let mut sum = L::splat(0.0);
                        for j in 0..d {
                            let (m, a) =
                                (L::splat(score.mean[j]), L::splat(diagonal[j]));
                            let x = L::load(&self.x[j * stride + n]);
                            let y = x.minus(m).times(a);
                            sum = y.mul_add(y, sum);
                        }
                        sum.store(square);
                    }
                }
            },
        }
        let offset = score.offset;
        match score.tails {
            Tails::Gaussian => {
                let (offset, half) = (L::splat(offset), L::splat(-0.5));
                for s in values {
                    half.mul_add(L::load(s), offset).store(s);
                }
            }
            Tails::Joint(nu) => values.as_flattened_mut().iter_mut().for_each(|s| {
                *s = offset - 0.5 * (nu + d as f64) * (*s / nu).ln_1p();
            }),
            Tails::Each(nu) => values.as_flattened_mut().iter_mut().for_each(|s| {
                *s = offset - 0.5 * (nu + 1.0) * *s;
            }),
        }
    }

    /// Log-sum-exp along each row, and the scores into shares. A row whose scores are all −∞ has
    /// log density −∞: callers check.
    #[inline(always)]
    fn normalise<L: Lanes>(&mut self, k: usize) {
        let Layout { used, stride } = self.layout;
        let smallest = L::splat(f64::from_bits(1)); // above zero
        let zero = L::splat(0.0);
        for n in 0..used {
            let largest = self.largest::<L>(n, k); // finite: −∞ less it is −∞
            let mut sum = zero;
            for k in 0..k {
                let share = &mut self.shares[k * stride + n];
                let e = exp(L::load(share).minus(largest));
                sum = sum.plus(e);
                e.store(share);
            }
            let weight = L::load(&self.weights[n]);
            let scale = weight.over(sum);
            for k in 0..k {
                let share = &mut self.shares[k * stride + n];
                let weighted = L::load(share).times(scale);
                weight.if_below(smallest, zero, weighted).store(share);
            }
            let nothing = L::splat(f64::NEG_INFINITY);
            let flaw = sum.minus(sum); // NaN, if it is
            let log = largest.plus(ln(sum)).plus(flaw);
            let log = sum.if_below(L::splat(0.5), nothing, log);
            weight.if_below(smallest, zero, log).store(&mut self.log_density[n]);
        }
    }

    /// Component k's share of each row, times the row's weight.
    pub fn shares(&self, k: usize) -> &[Rows] {
        self.layout.column(&self.shares, k)
    }

    /// Of each row, 0 for one without weight.
    pub fn log_density(&self) -> &[Rows] {
        self.layout.column(&self.log_density, 0)
    }

    pub fn weights(&self) -> &[Rows] {
        self.layout.column(&self.weights, 0)
    }

    /// The first row that no component reaches.
    pub fn check_reach(&self) -> Result<()> {
        let values = &self.log_density.as_flattened()[..self.rows];
        match values.iter().position(|l| !l.is_finite()) {
            Some(n) => Err(Error::OutOfReach { row: self.start + n }),
            None => Ok(()),
        }
    }
}

/// Blocks at rest. To fill new memory for every leaf would cost more than small leaves themselves.
#[derive(Default)]
pub(crate) struct Blocks(Mutex<Vec<Block>>);

impl Blocks {
    /// One for these scores and N points.
    #[inline(always)]
    pub fn take<L: Lanes>(&self, scores: &[Score], n: usize) -> Block {
        let shape = Shape::of(scores, n);
        let idle = self.idle().pop().filter(|block| block.shape == shape);
        let mut block = idle.unwrap_or_else(|| Block::new(shape));
        block.pack::<L>(scores);
        block
    }

    pub fn put_back(&self, block: Block) {
        self.idle().push(block);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Block>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each copy of the points has blocks of its own.
impl Clone for Blocks {
    fn clone(&self) -> Self {
        Blocks::default()
    }
}
