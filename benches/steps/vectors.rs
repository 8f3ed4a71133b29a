//! Steps 5 and 6, each by itself: the library's vectors, tiles and exponential over blocks of any
//! length, on one thread. The three files are the library's own.

use mixtures::nalgebra::DMatrix;

use super::kernel::elementary;
use super::kernel::lanes::{LANES, Lanes, Task};
use super::kernel::tiles::{Rows, square, whiten};
use super::steps::{Component, Statistics, Sums};

/// An E-step over blocks of so many rows, a multiple of eight.
pub struct Blocks<'a> {
    pub parts: &'a [Component],
    pub x: &'a DMatrix<f64>,
    pub workspace: &'a mut Workspace,
    /// Whether exp and ln are those of the kernel, or the C library's, eight times.
    pub by_vectors: bool,
}

/// What a block needs, made beforehand: providing memory is not what is timed.
pub struct Workspace {
    rows: usize,
    block: Vec<Rows>,
    difference: Vec<Rows>,
    residuals: Vec<Rows>,
    weighted: Vec<Rows>,
    shares: Vec<Rows>,
}

impl Workspace {
    pub fn new(parts: &[Component], rows: usize) -> Self {
        let (d, k) = (parts[0].mean.len(), parts.len());
        let columns = |count: usize| vec![[0.0; LANES]; count * rows / LANES];
        Workspace {
            rows,
            block: columns(d),
            difference: columns(d),
            residuals: columns(k * d),
            weighted: columns(d),
            shares: columns(k),
        }
    }
}

impl Task for Blocks<'_> {
    type Output = Statistics;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Statistics {
        let Blocks { parts, x, workspace, by_vectors } = self;
        let (d, k) = (x.ncols(), parts.len());
        let Workspace { rows, block, difference, residuals, weighted, shares } =
            workspace;
        let rows = *rows;
        let v = rows / LANES;
        // By columns, as the tiles have it.
        let by_columns = |part: &Component| {
            DMatrix::from_row_slice(d, d, &part.whitener).as_slice().to_vec()
        };
        let whiteners: Vec<Vec<f64>> = parts.iter().map(by_columns).collect();
        let mut sums = Sums::nothing(d, k);
        for start in (0..x.nrows()).step_by(rows) {
            let filled = rows.min(x.nrows() - start);
            for (j, column) in block.chunks_exact_mut(v).enumerate() {
                let from = &x.as_slice()[j * x.nrows() + start..][..filled];
                let (to, padding) = column.as_flattened_mut().split_at_mut(filled);
                to.copy_from_slice(from);
                padding.fill(from[filled - 1]);
            }
            shares.fill([0.0; LANES]);
            for (k, part) in parts.iter().enumerate() {
                let from = block.chunks_exact(v).zip(&part.mean);
                for (to, (from, m)) in difference.chunks_exact_mut(v).zip(from) {
                    for (to, from) in to.iter_mut().zip(from) {
                        L::load(from).minus(L::splat(*m)).store(to);
                    }
                }
                let y = &mut residuals[k * d * v..][..d * v];
                let scores = &mut shares[k * v..][..v];
                whiten::<L>(&whiteners[k], difference, y, scores);
                for score in scores {
                    let half = L::splat(-0.5);
                    half.mul_add(L::load(score), L::splat(part.offset)).store(score);
                }
            }
            sums.log_likelihood += share_out::<L>(shares, (k, v, filled), by_vectors);
            for k in 0..k {
                let r = &shares[k * v..][..v];
                let y = &residuals[k * d * v..][..d * v];
                let mut count = L::splat(0.0);
                for r in r {
                    count = count.plus(L::load(r));
                }
                sums.counts[k] += L::totals([count])[0];
                let columns = y.chunks_exact(v).zip(weighted.chunks_exact_mut(v));
                for (j, (y, weighted)) in columns.enumerate() {
                    let mut first = L::splat(0.0);
                    for ((y, to), r) in y.iter().zip(weighted).zip(r) {
                        let ry = L::load(r).times(L::load(y));
                        ry.store(to);
                        first = first.plus(ry);
                    }
                    sums.first[k * d + j] += L::totals([first])[0];
                }
                let second = &mut sums.second[k * d * d..][..d * d];
                square::<L>(weighted, y, second, v);
            }
        }
        // The tiles' triangle is lower by columns: by rows it is upper.
        for t in sums.second.chunks_exact_mut(d * d) {
            for i in 0..d {
                (0..i).for_each(|j| t[i * d + j] = t[j * d + i]);
            }
        }
        sums.unwhiten(parts);
        sums.about(parts)
    }
}

/// Scores into shares; the sum of the log densities of the rows that are filled.
#[inline(always)]
fn share_out<L: Lanes>(
    shares: &mut [Rows],
    (k, v, filled): (usize, usize, usize),
    by_vectors: bool,
) -> f64 {
    let mut total = 0.0;
    for n in 0..v {
        let mut largest = L::splat(f64::MIN);
        for k in 0..k {
            largest = L::load(&shares[k * v + n]).max(largest);
        }
        let mut sum = L::splat(0.0);
        for k in 0..k {
            let share = &mut shares[k * v + n];
            let shifted = L::load(share).minus(largest);
            let e = match by_vectors {
                true => elementary::exp(shifted),
                false => each(shifted, f64::exp),
            };
            sum = sum.plus(e);
            e.store(share);
        }
        let log = match by_vectors {
            true => elementary::ln(sum),
            false => each(sum, f64::ln),
        };
        let mut log_density = [0.0; LANES];
        largest.plus(log).store(&mut log_density);
        let inside = filled.saturating_sub(n * LANES).min(LANES);
        total += log_density[..inside].iter().sum::<f64>();
        let scale = L::splat(1.0).over(sum);
        for k in 0..k {
            let share = &mut shares[k * v + n];
            L::load(share).times(scale).store(share);
            share[inside..].fill(0.0);
        }
    }
    total
}

/// `f` of each of the eight, one after the other.
#[inline(always)]
fn each<L: Lanes>(x: L, f: impl Fn(f64) -> f64) -> L {
    let mut lanes = [0.0; LANES];
    x.store(&mut lanes);
    L::load(&lanes.map(f))
}

/// Multiply–adds on registers alone: operations a second at best.
pub struct Peak(pub usize);

impl Task for Peak {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self) -> f64 {
        let factor = L::splat(std::hint::black_box(0.999_999));
        let mut sums: [L; 12] = std::array::from_fn(|i| L::splat(i as f64));
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, factor);
            }
        }
        sums.map(|sum| L::totals([sum])[0]).iter().sum()
    }
}

impl Peak {
    pub fn operations(&self) -> f64 {
        2.0 * (12 * LANES * self.0) as f64
    }
}

/// A sum over numbers that lie in memory.
pub struct Stream<'a>(pub &'a [Rows]);

impl Task for Stream<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self) -> f64 {
        let mut sums = [L::splat(0.0); 8];
        for rows in self.0.chunks_exact(8) {
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum = sum.plus(L::load(row));
            }
        }
        L::totals(sums).iter().sum()
    }
}
