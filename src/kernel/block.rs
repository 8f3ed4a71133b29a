//! What the scores make of some rows: whitened residuals, responsibilities, log densities. All
//! arrays are by columns, each of as many vectors of eight rows as a block has.

use crate::math::Structured;
use crate::{Error, Result};

use super::elementary::{exp, ln};
use super::lanes::{LANES, Lanes};
use super::tiles::{Rows, whiten};
use super::{Points, Score, Tails};

/// A block's residuals fit into this many numbers, so that they are still in cache when they are
/// read again.
const CACHE: usize = 1 << 17;

/// The most and the fewest rows of a block.
const MOST: usize = 256;
const FEWEST: usize = 32;

/// Up to [`Block::capacity`] rows at a time, one block after the other.
pub(crate) struct Block {
    capacity: usize,
    /// Which of the points: `start` up to `start + rows`. What lies behind them in the arrays repeats the
    /// last row, with weight zero.
    pub start: usize,
    pub rows: usize,
    /// x − origin: D columns.
    x: Vec<Rows>,
    /// x − m of the component at hand: D columns (none if every A is diagonal).
    difference: Vec<Rows>,
    /// For each component the residuals A (x − m): K·D columns (none if A is diagonal: they cost
    /// less than the memory).
    residuals: Vec<Rows>,
    /// The scores, then the responsibilities times the weights: K columns.
    shares: Vec<Rows>,
    /// ln Σₖ exp scoreₖ; 0 for a row without weight.
    log_density: Vec<Rows>,
    weights: Vec<Rows>,
}

impl Block {
    pub fn new(scores: &[Score]) -> Self {
        let (k, d) = (scores.len(), scores[0].mean.len());
        let dense = scores.iter().filter(|s| !s.whitener.is_diagonal()).count();
        let fits = CACHE / (dense * d).max(1);
        let capacity = fits.clamp(FEWEST, MOST).next_multiple_of(LANES);
        let columns = |count: usize| vec![[0.0; LANES]; count * capacity / LANES];
        Block {
            capacity,
            start: 0,
            rows: 0,
            x: columns(d),
            difference: columns(if dense > 0 { d } else { 0 }),
            residuals: columns(if dense > 0 { k * d } else { 0 }),
            shares: columns(k),
            log_density: columns(1),
            weights: columns(1),
        }
    }

    /// How many rows a block has, but for the last.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Vectors to a column.
    fn vectors(&self) -> usize {
        self.capacity / LANES
    }

    /// Loads the points from `start` to `end`, as many as fit.
    pub fn load(&mut self, points: &Points, start: usize, end: usize) {
        (self.start, self.rows) = (start, self.capacity.min(end - start));
        let columns = self.x.as_flattened_mut().chunks_exact_mut(self.capacity);
        for ((to, from), origin) in
            columns.zip(points.x.column_iter()).zip(&points.origin)
        {
            let from = &from.as_slice()[start..start + self.rows];
            let (to, padding) = to.split_at_mut(self.rows);
            to.iter_mut().zip(from).for_each(|(to, x)| *to = x - origin);
            padding.fill(from[self.rows - 1] - origin);
        }
        let (weights, padding) =
            self.weights.as_flattened_mut().split_at_mut(self.rows);
        match &points.weights {
            Some(w) => {
                weights.copy_from_slice(&w.as_slice()[start..start + self.rows]);
            }
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

    #[inline(always)]
    fn score<L: Lanes>(&mut self, k: usize, score: &Score) {
        let (v, d) = (self.vectors(), score.mean.len());
        let values = &mut self.shares[k * v..][..v];
        values.fill([0.0; LANES]);
        match &score.whitener {
            Structured::Dense(a) => {
                let columns = self.difference.chunks_exact_mut(v);
                let columns = columns.zip(self.x.chunks_exact(v));
                for ((difference, x), m) in columns.zip(&score.mean) {
                    subtract::<L>(x, *m, difference);
                }
                let y = &mut self.residuals[k * d * v..][..d * v];
                whiten::<L>(a.as_slice(), &self.difference, y, values);
            }
            Structured::Diagonal { diagonal, .. } => match score.tails {
                Tails::Each(nu) => {
                    let columns = self.x.chunks_exact(v);
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
                            let y = L::load(&self.x[j * v + n]).minus(m).times(a);
                            sum = y.mul_add(y, sum);
                        }
                        sum.store(square);
                    }
                }
            },
        }
        let offset = score.offset;
        let values = &mut self.shares[k * v..][..v];
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
        let v = self.vectors();
        let smallest = L::splat(f64::from_bits(1)); // above zero
        let zero = L::splat(0.0);
        for n in 0..v {
            // Finite, so that −∞ less the largest is −∞.
            let mut largest = L::splat(f64::MIN);
            for k in 0..k {
                largest = L::load(&self.shares[k * v + n]).max(largest);
            }
            let mut sum = zero;
            for k in 0..k {
                let share = &mut self.shares[k * v + n];
                let e = exp(L::load(share).minus(largest));
                sum = sum.plus(e);
                e.store(share);
            }
            let weight = L::load(&self.weights[n]);
            let scale = weight.over(sum);
            for k in 0..k {
                let share = &mut self.shares[k * v + n];
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
        let v = self.vectors();
        &self.shares[k * v..][..v]
    }

    /// Component k's residuals A (x − m), D columns, if A is not diagonal.
    pub fn residuals(&self, k: usize, d: usize) -> &[Rows] {
        let v = self.vectors();
        &self.residuals[k * d * v..][..d * v]
    }

    /// x − origin, D columns.
    pub fn x(&self) -> &[Rows] {
        &self.x
    }

    /// Of each row, 0 for one without weight.
    pub fn log_density(&self) -> &[Rows] {
        &self.log_density
    }

    pub fn weights(&self) -> &[Rows] {
        &self.weights
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

/// x − m.
#[inline(always)]
pub(crate) fn subtract<L: Lanes>(x: &[Rows], m: f64, to: &mut [Rows]) {
    let m = L::splat(m);
    for (to, x) in to.iter_mut().zip(x) {
        L::load(x).minus(m).store(to);
    }
}
