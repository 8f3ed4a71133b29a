//! Steps 5 and 6, each by itself: the library's vectors, tiles and exponential over blocks of any
//! length, on one thread. The three files are the library's own.

use mixtures::nalgebra::DMatrix;

use super::elementary;
use super::lanes::{LANES, Lanes, Task};
use super::tiles::{BAND, Layout, Rows, STRIP, pack, square, whiten};
use crate::steps::{Component, Statistics, Sums};

/// An E-step over blocks.
pub struct Blocks<'a> {
    pub parts: &'a [Component],
    pub x: &'a DMatrix<f64>,
    pub workspace: &'a mut Workspace,
    /// Whether exp and ln are those of the kernel, or the C library's, eight times.
    pub by_vectors: bool,
}

/// What a block of so many rows needs, made beforehand: providing memory is not what is timed.
pub struct Workspace {
    rows: usize,
    layout: Layout,
    block: Vec<Rows>,
    difference: Vec<Rows>,
    residuals: Vec<Rows>,
    weighted: Vec<Rows>,
    shares: Vec<Rows>,
}

impl Workspace {
    /// Rows are a multiple of 32, as strips have them.
    pub fn new(parts: &[Component], rows: usize) -> Self {
        let (d, k) = (parts[0].mean.len(), parts.len());
        let used = rows / LANES;
        let layout = Layout { used, stride: used + 1 };
        let columns = |count: usize| vec![[0.0; LANES]; count * layout.stride];
        Workspace {
            rows,
            layout,
            block: columns(d),
            difference: vec![[0.0; LANES]; d * STRIP],
            residuals: columns(k * d),
            weighted: columns(BAND),
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
        let Workspace {
            rows,
            layout,
            block,
            difference,
            residuals,
            weighted,
            shares,
        } = workspace;
        let (rows, layout) = (*rows, *layout);
        let Layout { used, stride } = layout;
        let white = |part: &Component| {
            let by_columns = DMatrix::from_row_slice(d, d, &part.whitener);
            let mut packed = vec![];
            pack::<L>(by_columns.as_slice(), d, &mut packed);
            packed
        };
        let whiteners: Vec<Vec<f64>> = parts.iter().map(white).collect();
        let mut sums = Sums::nothing(d, k);
        for start in (0..x.nrows()).step_by(rows) {
            let filled = rows.min(x.nrows() - start);
            for (j, column) in block.chunks_exact_mut(stride).enumerate() {
                let from = &x.as_slice()[j * x.nrows() + start..][..filled];
                let column = column[..used].as_flattened_mut();
                let (to, padding) = column.split_at_mut(filled);
                to.copy_from_slice(from);
                padding.fill(from[filled - 1]);
            }
            for (k, part) in parts.iter().enumerate() {
                let y = &mut residuals[k * d * stride..][..d * stride];
                let scores = &mut shares[k * stride..][..used];
                let a = &whiteners[k];
                whiten::<L>(a, &part.mean, block, y, scores, difference, layout);
                for score in scores {
                    let half = L::splat(-0.5);
                    half.mul_add(L::load(score), L::splat(part.offset)).store(score);
                }
            }
            sums.log_likelihood +=
                share_out::<L>(shares, (k, layout, filled), by_vectors);
            for k in 0..k {
                let r = layout.column(shares, k);
                let mut count = L::splat(0.0);
                for r in r {
                    count = count.plus(L::load(r));
                }
                sums.counts[k] += L::totals([count])[0];
                let y = &residuals[k * d * stride..][..d * stride];
                let first = &mut sums.first[k * d..][..d];
                let second = &mut sums.second[k * d * d..][..d * d];
                square::<L>(r, y, first, second, weighted, layout);
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
    (k, layout, filled): (usize, Layout, usize),
    by_vectors: bool,
) -> f64 {
    let mut total = 0.0;
    let stride = layout.stride;
    for n in 0..layout.used {
        let mut largest = L::splat(f64::MIN);
        for k in 0..k {
            largest = L::load(&shares[k * stride + n]).max(largest);
        }
        let mut sum = L::splat(0.0);
        for k in 0..k {
            let share = &mut shares[k * stride + n];
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
            let share = &mut shares[k * stride + n];
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
