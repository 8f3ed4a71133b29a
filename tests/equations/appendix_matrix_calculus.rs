use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dvector};

use crate::common::*;

/// A square matrix of no symmetry, well away from singular, with a positive
/// determinant.
fn square(d: usize, rng: &mut Rng) -> DMatrix<f64> {
    let a = DMatrix::from_columns(&(0..d).map(|_| noise(d, rng)).collect::<Vec<_>>());
    a * 0.3 + DMatrix::identity(d, d) * 2.0
}

fn inverse(a: &DMatrix<f64>) -> DMatrix<f64> {
    a.clone().try_inverse().unwrap()
}

#[test]
fn grad_quadratic() {
    let mut rng = rng(101);
    let (a, v) = (square(4, &mut rng), noise(4, &mut rng));
    let numeric = gradient(|v| v.dot(&(&a * v)), &v);
    assert_relative_eq!(numeric, (&a + a.transpose()) * &v, epsilon = 1e-8);
    let s = random_covariance(4, &mut rng);
    assert_relative_eq!(
        gradient(|v| v.dot(&(&s * v)), &v),
        &s * &v * 2.0,
        epsilon = 1e-8
    );
}

#[test]
fn grad_trace() {
    let mut rng = rng(102);
    let (a, b) = (square(3, &mut rng), square(3, &mut rng));
    let numeric = matrix_gradient(|a| (a * &b).trace(), &a);
    assert_relative_eq!(numeric, b.transpose(), epsilon = 1e-8);
}

#[test]
fn differential_inverse() {
    let mut rng = rng(103);
    let (a, change) = (square(3, &mut rng), square(3, &mut rng));
    let numeric = |h: f64| {
        (inverse(&(&a + &change * h)) - inverse(&(&a - &change * h))) / (2.0 * h)
    };
    let formula = -inverse(&a) * &change * inverse(&a);
    assert_relative_eq!(numeric(1e-5), formula, epsilon = 1e-8);
}

#[test]
fn grad_log_det() {
    let mut rng = rng(104);
    let (a, change) = (square(4, &mut rng), square(4, &mut rng));
    let f = |a: &DMatrix<f64>| a.determinant().ln();
    assert_relative_eq!(
        matrix_gradient(f, &a),
        inverse(&a).transpose(),
        epsilon = 1e-8
    );
    let along =
        gradient(|t: &DVector<f64>| f(&(&a + &change * t[0])), &dvector![0.0])[0];
    assert_relative_eq!(along, (inverse(&a) * change).trace(), epsilon = 1e-8);
}

#[test]
fn grad_of_inverse() {
    let mut rng = rng(105);
    let (sigma, weights) = (random_covariance(3, &mut rng), square(3, &mut rng));
    // Any function will do: this one's gradient is not symmetric.
    let f = |precision: &DMatrix<f64>| {
        precision.determinant().ln() - (&weights * precision * precision).trace()
    };
    let precision = inverse(&sigma);
    let formula = -&precision * matrix_gradient(f, &precision) * &precision;
    let numeric = matrix_gradient(|sigma| f(&inverse(sigma)), &sigma);
    assert_relative_eq!(numeric, formula, epsilon = 1e-6 * formula.amax());
}

#[test]
fn symmetric_directions() {
    let mut rng = rng(106);
    let (g, half) = (square(4, &mut rng), square(4, &mut rng));
    let symmetric = &half + half.transpose();
    let whole = (g.transpose() * &symmetric).trace();
    let part = ((&g + g.transpose()) * 0.5 * &symmetric).trace();
    assert_relative_eq!(whole, part, epsilon = 1e-12);
    assert!(((&g - (&g + g.transpose()) * 0.5) * &half).trace().abs() > 1e-3);
}

#[test]
fn log_det_concave() {
    let mut rng = rng(107);
    let f = |a: &DMatrix<f64>| a.determinant().ln();
    for d in 1..=5 {
        for _ in 0..50 {
            let (a, b) =
                (random_covariance(d, &mut rng), random_covariance(d, &mut rng));
            for i in 1..10 {
                let t = f64::from(i) / 10.0;
                let between = f(&(&a * (1.0 - t) + &b * t));
                assert!(between > (1.0 - t) * f(&a) + t * f(&b));
            }
        }
    }
}

/// At the maximum found by brute force the partial derivatives agree; elsewhere they
/// do not.
#[test]
fn lagrange() {
    let f = |p: &DVector<f64>| 3.0 * p[0].ln() + 5.0 * p[1].ln() + 4.0 * p[2].sqrt();
    let steps = 500;
    let mut best = (f64::NEG_INFINITY, dvector![0.0, 0.0, 0.0]);
    for i in 1..steps {
        for j in 1..steps - i {
            let p =
                dvector![i as f64, j as f64, (steps - i - j) as f64] / steps as f64;
            if f(&p) > best.0 {
                best = (f(&p), p);
            }
        }
    }
    let g = gradient(f, &best.1);
    assert!(
        (g[0] - g[1]).abs() < 0.3 && (g[0] - g[2]).abs() < 0.3,
        "{g} at {}",
        best.1
    );
    let elsewhere = gradient(f, &dvector![0.3, 0.3, 0.4]);
    assert!((elsewhere[0] - elsewhere[1]).abs() > 1.0);
}
