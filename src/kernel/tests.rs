//! Tiles and blocks against what they stand for, and vectors against their plain twin.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::lanes::{LANES, Lanes, Task, dispatch, everywhere};
use super::tiles::{BAND, Layout, Rows, STRIP, packed, square, whiten};
use crate::math::{Rng, rng};

fn columns(d: usize, v: usize, rng: &mut Rng) -> Vec<Rows> {
    (0..d * v).map(|_| std::array::from_fn(|_| rng.sample(StandardNormal))).collect()
}

/// As a matrix, a row of the data a row.
fn matrix(columns: &[Rows], layout: Layout) -> DMatrix<f64> {
    let columns: Vec<&[f64]> = columns
        .chunks_exact(layout.stride)
        .map(|column| column[..layout.used].as_flattened())
        .collect();
    DMatrix::from_fn(columns[0].len(), columns.len(), |i, j| columns[j][i])
}

struct Products<'a> {
    a: &'a DMatrix<f64>,
    mean: &'a [f64],
    x: &'a [Rows],
    shares: &'a [Rows],
    layout: Layout,
}

impl Task for Products<'_> {
    /// y, ‖y‖², Σ r y and Σ r yᵢ yⱼ.
    type Output = (DMatrix<f64>, DMatrix<f64>, Vec<f64>, DMatrix<f64>);

    #[inline(always)]
    fn run<L: Lanes>(self) -> Self::Output {
        let Products { a, mean, x, shares, layout } = self;
        let d = mean.len();
        let columns = |count: usize| vec![[f64::NAN; LANES]; count];
        let (mut y, mut squared) =
            (columns(d * layout.stride), columns(layout.stride));
        let mut scratch = columns(d.max(BAND) * layout.stride.max(STRIP));
        let a = packed::<L>(a.as_slice(), d);
        let values = &mut squared[..layout.used];
        whiten::<L>(&a, mean, x, &mut y, values, &mut scratch, layout);
        let (mut first, mut second) = (vec![0.0; d], DMatrix::zeros(d, d));
        let products = second.as_mut_slice();
        square::<L>(shares, &y, &mut first, products, &mut scratch, layout);
        second.fill_upper_triangle(0.0, 1);
        (matrix(&y, layout), matrix(&squared, layout), first, second)
    }
}

#[test]
fn tiles_are_products_of_matrices() {
    let mut rng = rng(31);
    for d in [1, 2, 3, 4, 5, 7, 8, 11, 16, 17, 31, 33] {
        for used in [4, 8, 12, 20] {
            let layout = Layout { used, stride: used + 1 };
            let mut a = DMatrix::from_fn(d, d, |_, _| rng.sample(StandardNormal));
            a.fill_upper_triangle(0.0, 1);
            let mean: Vec<f64> = (0..d).map(|_| rng.sample(StandardNormal)).collect();
            let x = columns(d, layout.stride, &mut rng);
            let shares = columns(1, layout.stride, &mut rng);
            let (mean, x, shares) = (&mean, &x, &shares);
            let task = || Products { a: &a, mean, x, shares, layout };
            let found = dispatch(task());
            let (y, squared, first, second) = &found;
            let near = |found: &DMatrix<f64>, expected: &DMatrix<f64>| {
                (found - expected).amax() < 1e-12 * (1.0 + expected.amax())
            };
            let mut residuals = matrix(x, layout);
            for mut row in residuals.row_iter_mut() {
                row -= DVector::from_column_slice(mean).transpose();
            }
            let expected = residuals * a.transpose();
            assert!(near(y, &expected));
            let lengths = DMatrix::from_fn(expected.nrows(), 1, |n, _| {
                expected.row(n).norm_squared()
            });
            assert!(near(squared, &lengths));
            let shares = matrix(shares, layout);
            let sums = expected.transpose() * &shares;
            assert!(near(&DMatrix::from_column_slice(d, 1, first), &sums));
            let mut weighted = expected.clone();
            for (n, mut row) in weighted.row_iter_mut().enumerate() {
                row *= shares[n];
            }
            let mut plain = weighted.transpose() * &expected;
            plain.fill_upper_triangle(0.0, 1);
            assert!(near(second, &plain));
            // To the last bit, whatever the processor has.
            assert!(everywhere(task).into_iter().all(|other| other == found));
        }
    }
}

#[test]
fn sums_are_of_the_vectors_in_their_order() {
    struct Sums<'a>(&'a [Rows; LANES]);
    impl Task for Sums<'_> {
        type Output = [f64; LANES];
        #[inline(always)]
        fn run<L: Lanes>(self) -> [f64; LANES] {
            L::sums(self.0.each_ref().map(L::load))
        }
    }
    let mut rng = rng(32);
    let of: Vec<Rows> = columns(LANES, 1, &mut rng);
    let of: &[Rows; LANES] = of.as_slice().try_into().unwrap();
    let sums = dispatch(Sums(of));
    assert!(everywhere(|| Sums(of)).into_iter().all(|other| other == sums));
    for (sum, of) in sums.iter().zip(of) {
        assert!((sum - of.iter().sum::<f64>()).abs() < 1e-14 * 8.0);
    }
}
