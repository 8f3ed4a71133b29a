//! The two products of matrices in an E-step, in tiles that stay in registers: whitening the
//! residuals of some rows, and adding up their squares.
//!
//! Columns are of `v` vectors of eight rows. Tiles change the order in which numbers are visited, and
//! not the order in which any one number is added up.

use super::lanes::{LANES, Lanes};

/// Eight rows of a column.
pub(crate) type Rows = [f64; LANES];

/// Calls `$f::<L, I, J>` for constants I ≤ 4 and J ≤ 4 that are known only when it runs.
macro_rules! sized {
    ($f:ident, $i:expr, $j:expr, $arguments:tt) => {
        match ($i, $j) {
            (4, 4) => $f::<L, 4, 4> $arguments,
            (4, 3) => $f::<L, 4, 3> $arguments,
            (4, 2) => $f::<L, 4, 2> $arguments,
            (4, 1) => $f::<L, 4, 1> $arguments,
            (3, 4) => $f::<L, 3, 4> $arguments,
            (3, 3) => $f::<L, 3, 3> $arguments,
            (3, 2) => $f::<L, 3, 2> $arguments,
            (3, 1) => $f::<L, 3, 1> $arguments,
            (2, 4) => $f::<L, 2, 4> $arguments,
            (2, 3) => $f::<L, 2, 3> $arguments,
            (2, 2) => $f::<L, 2, 2> $arguments,
            (2, 1) => $f::<L, 2, 1> $arguments,
            (1, 4) => $f::<L, 1, 4> $arguments,
            (1, 3) => $f::<L, 1, 3> $arguments,
            (1, 2) => $f::<L, 1, 2> $arguments,
            _ => $f::<L, 1, 1> $arguments,
        }
    };
}

/// Tiles of at most `tile` along `length`: where each begins, and its size.
#[inline(always)]
fn tiles(length: usize, tile: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..length).step_by(tile).map(move |at| (at, tile.min(length - at)))
}

/// y = A d for each row, where A (D×D, by columns) is lower triangular and `d` and `y` are D columns
/// each; and ‖y‖², added to `squared`.
#[inline(always)]
pub(crate) fn whiten<L: Lanes>(
    a: &[f64],
    d: &[Rows],
    y: &mut [Rows],
    squared: &mut [Rows],
) {
    let v = squared.len();
    let dimension = d.len() / v;
    let (rows, columns) = L::TILE;
    for (i, height) in tiles(dimension, rows) {
        for (n, width) in tiles(v, columns) {
            let at = (i, n, v, dimension);
            sized!(whiten_tile, height, width, (a, d, y, squared, at));
        }
    }
}

/// I rows of A for J vectors of rows of the data.
#[allow(clippy::needless_range_loop)] // constants, which iterators would hide
#[inline(always)]
fn whiten_tile<L: Lanes, const I: usize, const J: usize>(
    a: &[f64],
    d: &[Rows],
    y: &mut [Rows],
    squared: &mut [Rows],
    (first, n, v, dimension): (usize, usize, usize, usize),
) {
    // ANCHOR: whiten_tile
    // Loops over constants, which the compiler unrolls, so that the sums stay in registers.
    let mut sums = [[L::splat(0.0); J]; I];
    for j in 0..first + I {
        let column: &[f64; I] = a[j * dimension + first..][..I].try_into().unwrap();
        let d: &[Rows; J] = d[j * v + n..][..J].try_into().unwrap();
        let d: [L; J] = std::array::from_fn(|j| L::load(&d[j]));
        for i in 0..I {
            let a = L::splat(column[i]);
            for j in 0..J {
                sums[i][j] = a.mul_add(d[j], sums[i][j]);
            }
        }
    }
    // ANCHOR_END: whiten_tile
    let squared: &mut [Rows; J] = (&mut squared[n..][..J]).try_into().unwrap();
    for i in 0..I {
        let y: &mut [Rows; J] =
            (&mut y[(first + i) * v + n..][..J]).try_into().unwrap();
        for j in 0..J {
            sums[i][j].store(&mut y[j]);
        }
    }
    for j in 0..J {
        let mut square = L::load(&squared[j]);
        for i in 0..I {
            square = sums[i][j].mul_add(sums[i][j], square);
        }
        square.store(&mut squared[j]);
    }
}

/// Adds Σ wyᵢ yⱼ over all rows to `into` (D×D, by columns) for j ≤ i: the products of the D columns
/// `wy` and `y`. (What lies above the diagonal is arbitrary.)
#[inline(always)]
pub(crate) fn square<L: Lanes>(wy: &[Rows], y: &[Rows], into: &mut [f64], v: usize) {
    let dimension = y.len() / v;
    let (rows, columns) = L::TILE;
    for (i, height) in tiles(dimension, rows) {
        for (j, width) in tiles(i + height, columns) {
            let at = (i, j, v, dimension);
            sized!(square_tile, height, width, (wy, y, into, at));
        }
    }
}

/// I entries by J of the product.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn square_tile<L: Lanes, const I: usize, const J: usize>(
    wy: &[Rows],
    y: &[Rows],
    into: &mut [f64],
    (first_i, first_j, v, dimension): (usize, usize, usize, usize),
) {
    let rows: [&[Rows]; I] = std::array::from_fn(|i| &wy[(first_i + i) * v..][..v]);
    let columns: [&[Rows]; J] = std::array::from_fn(|j| &y[(first_j + j) * v..][..v]);
    let mut sums = [[L::splat(0.0); J]; I];
    for n in 0..v {
        let right: [L; J] = std::array::from_fn(|j| L::load(&columns[j][n]));
        for i in 0..I {
            let left = L::load(&rows[i][n]);
            for j in 0..J {
                sums[i][j] = left.mul_add(right[j], sums[i][j]);
            }
        }
    }
    for first in (0..I * J).step_by(LANES) {
        let eight = std::array::from_fn(|e| match first + e {
            e if e < I * J => sums[e / J][e % J],
            _ => L::splat(0.0),
        });
        let totals = L::sums(eight);
        for (e, total) in (first..I * J).zip(totals) {
            into[(first_j + e % J) * dimension + first_i + e / J] += total;
        }
    }
}
