//! The two products of matrices in an E-step, in tiles that stay in registers: whitening the
//! residuals of some rows, and adding up their squares.
//!
//! Rows of the data lie eight to a vector, so that each product is of whole vectors: of entries of A with
//! residuals, or of residuals with one another. A tile reads a few vectors of each and multiplies each
//! with each. Tiles change the order in which numbers are visited, and not the order in which any one
//! number is added up.

use super::lanes::{LANES, Lanes};

/// Eight rows of a column.
pub(super) type Rows = [f64; LANES];

/// How many vectors a strip of rows has: all that is read again while it is whitened stays in the
/// nearest cache. A block is of whole strips.
pub(super) const STRIP: usize = 4;

/// As many columns, twice, as stay in the nearest cache while they are multiplied with one another.
pub(super) const BAND: usize = 16;

/// Columns of some vectors each, one after the other. Only the first `used` of each column's
/// `stride` vectors hold rows. With an odd stride the columns do not compete for the same places in the
/// cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub used: usize,
    pub stride: usize,
}

impl Layout {
    /// Column j of some.
    #[inline(always)]
    pub fn column(self, columns: &[Rows], j: usize) -> &[Rows] {
        &columns[j * self.stride..][..self.used]
    }
}

/// Calls `$f::<L, I, …>` for a constant I ≤ 4 that is known only when it runs.
macro_rules! sized {
    ($i:expr, $f:ident::<L $(, $more:tt)*> $arguments:tt) => {
        match $i {
            4 => $f::<L, 4 $(, $more)*> $arguments,
            3 => $f::<L, 3 $(, $more)*> $arguments,
            2 => $f::<L, 2 $(, $more)*> $arguments,
            _ => $f::<L, 1 $(, $more)*> $arguments,
        }
    };
}

/// Tiles of at most `tile` along `length`: where each begins, and its size.
#[inline(always)]
fn tiles(length: usize, tile: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..length).step_by(tile).map(move |at| (at, tile.min(length - at)))
}

/// Puts the lower triangle of A (D×D, by columns) in the order in which tiles read it: rows in tiles,
/// in each tile by columns.
pub(super) fn pack<L: Lanes>(a: &[f64], dimension: usize, packed: &mut Vec<f64>) {
    packed.clear();
    for (first, height) in tiles(dimension, L::TILE.0) {
        for j in 0..first + height {
            packed.extend_from_slice(&a[j * dimension + first..][..height]);
        }
    }
}

/// y = A (x − m) for each row, where `a` is A, [packed](pack), and `x` and `y` are D columns each; and
/// ‖y‖² into `squared`. `scratch` has room for D strips.
#[inline(always)]
pub(super) fn whiten<L: Lanes>(
    a: &[f64],
    mean: &[f64],
    x: &[Rows],
    y: &mut [Rows],
    squared: &mut [Rows],
    scratch: &mut [Rows],
    layout: Layout,
) {
    for n in (0..layout.used).step_by(L::TILE.1) {
        let at = (n, layout.stride);
        match L::TILE.1 {
            4 => whiten_strip::<L, 4>(a, mean, x, y, squared, scratch, at),
            _ => whiten_strip::<L, 2>(a, mean, x, y, squared, scratch, at),
        }
    }
}

/// J vectors from the n-th on.
#[inline(always)]
fn whiten_strip<L: Lanes, const J: usize>(
    a: &[f64],
    mean: &[f64],
    x: &[Rows],
    y: &mut [Rows],
    squared: &mut [Rows],
    scratch: &mut [Rows],
    (n, stride): (usize, usize),
) {
    let difference = scratch.as_chunks_mut::<J>().0;
    for ((to, x), m) in difference.iter_mut().zip(x.chunks_exact(stride)).zip(mean) {
        let (x, m) = (&x[n..][..J], L::splat(*m));
        for j in 0..J {
            L::load(&x[j]).minus(m).store(&mut to[j]);
        }
    }
    let mut squares = [L::splat(0.0); J];
    let mut a = a;
    for (i, height) in tiles(mean.len(), L::TILE.0) {
        let (tile, rest) = a.split_at(height * (i + height));
        a = rest;
        let y = &mut y[i * stride..];
        sized!(
            height,
            whiten_tile::<L, J>(tile, difference, y, &mut squares, (n, stride))
        );
    }
    for (to, square) in squared[n..].iter_mut().zip(squares) {
        square.store(to);
    }
}

/// I rows of A.
// ANCHOR: whiten_tile
#[allow(clippy::needless_range_loop)] // constants, which iterators would hide
#[inline(always)]
fn whiten_tile<L: Lanes, const I: usize, const J: usize>(
    a: &[f64],
    difference: &[[Rows; J]],
    y: &mut [Rows],
    squares: &mut [L; J],
    (n, stride): (usize, usize),
) {
    // Loops over constants, which the compiler unrolls: sums stay in registers.
    let mut sums = [[L::splat(0.0); J]; I];
    for (a, d) in a.as_chunks::<I>().0.iter().zip(difference) {
        let d: [L; J] = std::array::from_fn(|j| L::load(&d[j]));
        for i in 0..I {
            let a = L::splat(a[i]);
            for j in 0..J {
                sums[i][j] = a.mul_add(d[j], sums[i][j]);
            }
        }
    }
    for i in 0..I {
        let y = &mut y[i * stride + n..][..J];
        for j in 0..J {
            sums[i][j].store(&mut y[j]);
            squares[j] = sums[i][j].mul_add(sums[i][j], squares[j]);
        }
    }
}
// ANCHOR_END: whiten_tile

/// Adds Σ r y and, for j ≤ i, Σ r yᵢ yⱼ over all rows to `first` (D) and `second` (D×D, by
/// columns), where `shares` has r and `y` is D columns. (What lies above the diagonal is arbitrary.)
/// `scratch` has room for [`BAND`] columns.
#[inline(always)]
pub(super) fn square<L: Lanes>(
    shares: &[Rows],
    y: &[Rows],
    first: &mut [f64],
    second: &mut [f64],
    scratch: &mut [Rows],
    layout: Layout,
) {
    let (rows, columns) = L::TILE;
    let (dimension, stride) = (first.len(), layout.stride);
    for (band, height) in tiles(dimension, BAND) {
        for (i, height) in tiles(height, rows) {
            let (y, first) = (&y[(band + i) * stride..], &mut first[band + i..]);
            let weighted = &mut scratch[i * stride..];
            sized!(height, weigh::<L>(shares, y, first, weighted, layout));
        }
        for (other, width) in tiles(band + height, BAND) {
            for (i, height) in tiles(height, rows) {
                let end = width.min(band + i + height - other);
                for (j, width) in tiles(end, columns) {
                    let weighted = &scratch[i * stride..];
                    let y = &y[(other + j) * stride..];
                    let into = &mut second[(other + j) * dimension + band + i..];
                    let sizes = (width, dimension);
                    sized!(
                        height,
                        square_rows::<L>(weighted, y, into, sizes, layout)
                    );
                }
            }
        }
    }
}

/// r y of I columns, and adds its sum.
#[inline(always)]
fn weigh<L: Lanes, const I: usize>(
    shares: &[Rows],
    y: &[Rows],
    first: &mut [f64],
    weighted: &mut [Rows],
    Layout { used, stride }: Layout,
) {
    let mut sums = [L::splat(0.0); I];
    for (n, share) in shares[..used].iter().enumerate() {
        let share = L::load(share);
        for i in 0..I {
            let weighed = share.times(L::load(&y[i * stride + n]));
            weighed.store(&mut weighted[i * stride + n]);
            sums[i] = sums[i].plus(weighed);
        }
    }
    for (first, sum) in first.iter_mut().zip(L::totals(sums)) {
        *first += sum;
    }
}

/// I columns by `width`.
#[inline(always)]
fn square_rows<L: Lanes, const I: usize>(
    weighted: &[Rows],
    y: &[Rows],
    into: &mut [f64],
    (width, dimension): (usize, usize),
    layout: Layout,
) {
    sized!(width, square_tile::<L, I>(weighted, y, into, dimension, layout));
}

/// I columns by J.
// ANCHOR: square_tile
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn square_tile<L: Lanes, const J: usize, const I: usize>(
    weighted: &[Rows],
    y: &[Rows],
    into: &mut [f64],
    dimension: usize,
    layout: Layout,
) {
    let left: [&[Rows]; I] = std::array::from_fn(|i| layout.column(weighted, i));
    let right: [&[Rows]; J] = std::array::from_fn(|j| layout.column(y, j));
    let mut sums = [[L::splat(0.0); I]; J];
    for n in 0..layout.used {
        let left: [L; I] = std::array::from_fn(|i| L::load(&left[i][n]));
        for j in 0..J {
            let right = L::load(&right[j][n]);
            for i in 0..I {
                sums[j][i] = left[i].mul_add(right, sums[j][i]);
            }
        }
    }
    // Now the lanes of each sum are added up, those of two columns of sums at a time.
    // ANCHOR_END: square_tile
    for j in (0..J).step_by(2) {
        let pair: [L; LANES] = std::array::from_fn(|e| match (j + e / I, e % I) {
            (j, i) if j < J && e < 2 * I => sums[j][i],
            _ => L::splat(0.0),
        });
        let totals = L::sums(pair);
        for (e, total) in totals[..I * (J - j).min(2)].iter().enumerate() {
            into[(j + e / I) * dimension + e % I] += total;
        }
    }
}
