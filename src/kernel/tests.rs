//! Tiles and blocks against what they stand for, and vectors against their plain twin.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::lanes::{LANES, Lanes, Task, dispatch, everywhere};
use super::tiles::{Rows, square, whiten};
use crate::math::{Rng, rng};

fn columns(d: usize, v: usize, rng: &mut Rng) -> Vec<Rows> {
    (0..d * v).map(|_| std::array::from_fn(|_| rng.sample(StandardNormal))).collect()
}

/// As a matrix, a row of the data a row.
fn matrix(columns: &[Rows], d: usize) -> DMatrix<f64> {
    let flat = columns.as_flattened();
    DMatrix::from_column_slice(flat.len() / d, d, flat)
}

struct Products<'a> {
    a: &'a DMatrix<f64>,
    difference: &'a [Rows],
    weighted: &'a [Rows],
    v: usize,
}

impl Task for Products<'_> {
    /// y, ‖y‖² and Σ wyᵢ yⱼ.
    type Output = (Vec<Rows>, Vec<Rows>, DMatrix<f64>);

    #[inline(always)]
    fn run<L: Lanes>(self) -> Self::Output {
        let d = self.a.nrows();
        let mut y = vec![[0.0; LANES]; d * self.v];
        let mut squared = vec![[0.0; LANES]; self.v];
        whiten::<L>(self.a.as_slice(), self.difference, &mut y, &mut squared);
        let mut products = DMatrix::zeros(d, d);
        square::<L>(self.weighted, &y, products.as_mut_slice(), self.v);
        products.fill_upper_triangle(0.0, 1);
        (y, squared, products)
    }
}

#[test]
fn tiles_are_products_of_matrices() {
    let mut rng = rng(31);
    for d in [1, 2, 3, 4, 5, 7, 8, 11, 16] {
        for v in [1, 2, 3, 4, 5, 9] {
            let mut a = DMatrix::from_fn(d, d, |_, _| rng.sample(StandardNormal));
            a.fill_upper_triangle(0.0, 1);
            let difference = columns(d, v, &mut rng);
            let weighted = columns(d, v, &mut rng);
            let task = || Products {
                a: &a,
                difference: &difference,
                weighted: &weighted,
                v,
            };
            let (y, squared, products) = dispatch(task());
            let expected = matrix(&difference, d) * a.transpose();
            assert!(
                (matrix(&y, d) - &expected).amax() < 1e-13 * (1.0 + expected.amax())
            );
            let lengths = DVector::from_iterator(
                expected.nrows(),
                expected.row_iter().map(|row| row.norm_squared()),
            );
            assert!((matrix(&squared, 1) - lengths).amax() < 1e-12 * d as f64);
            let mut plain = matrix(&weighted, d).transpose() * matrix(&y, d);
            plain.fill_upper_triangle(0.0, 1);
            assert!((&products - &plain).amax() < 1e-12 * (1.0 + plain.amax()));
            // To the last bit, whatever the processor has.
            let found = (y, squared, products);
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
