use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Covariance, Em, GaussianMixture, Start, data};

use crate::common::*;

const K: usize = 2;
const D: usize = 3;

/// Points in three dimensions, shared out at random, and what the shares' moments are.
struct Problem {
    x: DMatrix<f64>,
    /// N×K, rows sum to 1.
    q: DMatrix<f64>,
    counts: DVector<f64>,
    /// x̄ₖ, K×D.
    means: DMatrix<f64>,
    /// Sₖ, with divisor Nₖ.
    sigmas: Vec<DMatrix<f64>>,
}

impl Problem {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let l = random_covariance(D, &mut rng).cholesky().unwrap().l();
        let rows: Vec<_> =
            (0..60).map(|_| (&l * noise(D, &mut rng)).transpose()).collect();
        let x = DMatrix::from_rows(&rows);
        let mut q = DMatrix::from_fn(60, K, |_, _| rng.random_range(0.05..1.0));
        for mut row in q.row_iter_mut() {
            let sum = row.sum();
            row /= sum;
        }
        let counts = q.row_sum().transpose();
        let means =
            DMatrix::from_fn(K, D, |k, j| q.column(k).dot(&x.column(j)) / counts[k]);
        let sigma = |k: usize| -> DMatrix<f64> {
            let terms = (0..60).map(|n| {
                let v = (x.row(n) - means.row(k)).transpose();
                &v * v.transpose() * (q[(n, k)] / counts[k])
            });
            terms.sum()
        };
        let sigmas = (0..K).map(sigma).collect();
        Problem { q, counts, sigmas, means, x }
    }

    /// F(q, θ), term by term, at the weights Nₖ/N.
    fn bound(&self, means: &DMatrix<f64>, sigmas: &[DMatrix<f64>]) -> f64 {
        let mut sum = 0.0;
        for (k, sigma) in sigmas.iter().enumerate() {
            let mean = means.row(k).transpose();
            for n in 0..self.x.nrows() {
                let x = self.x.row(n).transpose();
                let weight = self.counts[k] / self.x.nrows() as f64;
                let log_joint = weight.ln() + plain_log_density(&x, &mean, sigma);
                let q = self.q[(n, k)];
                sum += q * (log_joint - q.ln());
            }
        }
        sum
    }

    /// What the library's M-step makes of q.
    fn update(&self, shape: Covariance) -> GaussianMixture {
        let em = Em::new(K)
            .covariance(shape)
            .start(Start::Responsibilities(self.q.clone()))
            .max_iterations(0);
        em.fit(&self.x).unwrap().mixture
    }

    /// All checks of an M-step: the library's is `expected`; at it and the means x̄ₖ the
    /// bound has no slope in any free parameter, and is higher than elsewhere.
    fn check(&self, shape: Covariance, expected: &[DMatrix<f64>]) {
        let library = self.update(shape);
        assert_relative_eq!(*library.means(), self.means, max_relative = 1e-11);
        for (k, sigma) in expected.iter().enumerate() {
            assert_relative_eq!(*library.covariance(k), *sigma, max_relative = 1e-11);
        }
        let f = |p: &DVector<f64>| {
            let (means, sigmas) = from_free(shape, p);
            self.bound(&means, &sigmas)
        };
        let best = to_free(shape, &self.means, expected);
        assert_relative_eq!(f(&best), self.bound(&self.means, expected));
        let slope = gradient(f, &best);
        assert!(slope.amax() < 1e-6, "{shape}: {slope}");
        let mut rng = rng(80);
        for trial in 0..1000 {
            let size = 10.0_f64.powi(-(trial % 3));
            let p = &best + noise(best.len(), &mut rng) * size;
            assert!(f(&p) < f(&best));
        }
    }
}

/// A lower triangle with the logarithms of its diagonal, row by row.
fn from_triangle(p: &[f64]) -> DMatrix<f64> {
    let mut next = p.iter();
    let mut l = DMatrix::zeros(D, D);
    for i in 0..D {
        for j in 0..=i {
            let v = *next.next().unwrap();
            l[(i, j)] = if i == j { f64::exp(v) } else { v };
        }
    }
    &l * l.transpose()
}

fn to_triangle(sigma: &DMatrix<f64>) -> Vec<f64> {
    let l = sigma.clone().cholesky().unwrap().l();
    let entry =
        |(i, j): (usize, usize)| if i == j { l[(i, i)].ln() } else { l[(i, j)] };
    (0..D).flat_map(|i| (0..=i).map(move |j| (i, j))).map(entry).collect()
}

/// Means and covariances of a shape from numbers without constraints.
fn from_free(
    shape: Covariance,
    p: &DVector<f64>,
) -> (DMatrix<f64>, Vec<DMatrix<f64>>) {
    let means = DMatrix::from_row_slice(K, D, p.rows(0, K * D).as_slice());
    let rest = &p.as_slice()[K * D..];
    let sigmas =
        (0..K).map(|k| match shape {
            Covariance::Full => from_triangle(&rest[6 * k..6 * k + 6]),
            Covariance::Tied => from_triangle(rest),
            Covariance::Diagonal => DMatrix::from_fn(D, D, |i, j| {
                if i == j { rest[D * k + i].exp() } else { 0.0 }
            }),
            Covariance::Spherical => DMatrix::identity(D, D) * rest[k].exp(),
            _ => unreachable!(),
        });
    (means, sigmas.collect())
}

fn to_free(
    shape: Covariance,
    means: &DMatrix<f64>,
    sigmas: &[DMatrix<f64>],
) -> DVector<f64> {
    let mut p: Vec<f64> = means.transpose().as_slice().to_vec();
    match shape {
        Covariance::Full => p.extend(sigmas.iter().flat_map(to_triangle)),
        Covariance::Tied => p.extend(to_triangle(&sigmas[0])),
        Covariance::Diagonal => p.extend(
            sigmas
                .iter()
                .flat_map(|s| s.diagonal().map(f64::ln).data.as_vec().clone()),
        ),
        Covariance::Spherical => p.extend(sigmas.iter().map(|s| s[(0, 0)].ln())),
        _ => unreachable!(),
    }
    DVector::from_vec(p)
}

fn log_det(m: &DMatrix<f64>) -> f64 {
    m.determinant().ln()
}

/// With any covariances, the bound is highest at the means x̄ₖ, and is the formula there.
#[test]
fn covariance_objective() {
    let problem = Problem::new(81);
    let mut rng = rng(82);
    let n = problem.x.nrows() as f64;
    for _ in 0..20 {
        let sigmas: Vec<_> = (0..K).map(|_| random_covariance(D, &mut rng)).collect();
        let mut formula = -0.5 * n * D as f64 * std::f64::consts::TAU.ln();
        for (k, sigma) in sigmas.iter().enumerate() {
            let count = problem.counts[k];
            let inverse = sigma.clone().try_inverse().unwrap();
            let trace = (inverse * &problem.sigmas[k]).trace();
            formula +=
                count * (count / n).ln() - 0.5 * count * (log_det(sigma) + trace);
        }
        formula -= problem.q.iter().map(|q| q * q.ln()).sum::<f64>();
        let highest = problem.bound(&problem.means, &sigmas);
        assert_relative_eq!(highest, formula, max_relative = 1e-12);
        for trial in 0..50 {
            let step = DMatrix::from_fn(K, D, |_, _| noise(1, &mut rng)[0]);
            let means = &problem.means + step * 10.0_f64.powi(-(trial % 3));
            assert!(problem.bound(&means, &sigmas) < highest);
        }
    }
}

/// A change that the shape permits of the precisions.
fn permitted(shape: Covariance, rng: &mut Rng) -> Vec<DMatrix<f64>> {
    let symmetric = |rng: &mut Rng| {
        let a = DMatrix::from_fn(D, D, |_, _| noise(1, rng)[0]);
        &a + a.transpose()
    };
    let first = symmetric(rng);
    (0..K)
        .map(|_| match shape {
            Covariance::Full => symmetric(rng),
            Covariance::Tied => first.clone(),
            Covariance::Diagonal => DMatrix::from_diagonal(&noise(D, rng)),
            _ => DMatrix::identity(D, D) * noise(1, rng)[0],
        })
        .collect()
}

/// The slope of the bound along a change of the precisions is ½ Σₖ Nₖ tr((Σₖ − Sₖ) dΛₖ),
/// and is zero at the library's M-step for every change that the shape permits.
#[test]
fn shape_condition() {
    let problem = Problem::new(83);
    let mut rng = rng(84);
    let slope = |sigmas: &[DMatrix<f64>], change: &[DMatrix<f64>]| {
        let along = |p: &DVector<f64>| {
            let moved: Vec<_> = sigmas
                .iter()
                .zip(change)
                .map(|(s, d)| {
                    let precision = s.clone().try_inverse().unwrap() + d * p[0];
                    precision.try_inverse().unwrap()
                })
                .collect();
            problem.bound(&problem.means, &moved)
        };
        gradient(along, &dvector![0.0])[0]
    };
    let formula = |sigmas: &[DMatrix<f64>], change: &[DMatrix<f64>]| -> f64 {
        let term = |k: usize| {
            let gap = &sigmas[k] - &problem.sigmas[k];
            0.5 * problem.counts[k] * (gap * &change[k]).trace()
        };
        (0..K).map(term).sum()
    };
    for shape in Covariance::ALL {
        let fit = problem.update(shape);
        let best: Vec<_> = (0..K).map(|k| fit.covariance(k).clone()).collect();
        for _ in 0..20 {
            let change = permitted(shape, &mut rng);
            assert!(slope(&best, &change).abs() < 1e-6);
            assert!(formula(&best, &change).abs() < 1e-10);
            let elsewhere: Vec<_> =
                (0..K).map(|_| random_covariance(D, &mut rng)).collect();
            let small: Vec<_> = change.iter().map(|c| c * 0.1).collect();
            assert_relative_eq!(
                slope(&elsewhere, &small),
                formula(&elsewhere, &small),
                max_relative = 1e-6,
                epsilon = 1e-7
            );
        }
    }
}

#[test]
fn tied_update() {
    let problem = Problem::new(85);
    let pool: DMatrix<f64> =
        (0..K).map(|k| &problem.sigmas[k] * problem.counts[k]).sum();
    problem.check(Covariance::Tied, &vec![pool / 60.0; K]);
    // Chapter 4's, by the same tools.
    problem.check(Covariance::Full, &problem.sigmas);
}

#[test]
fn diagonal_update() {
    let problem = Problem::new(86);
    let variance = |k: usize, j: usize| {
        let terms = (0..60).map(|n| {
            let v = problem.x[(n, j)] - problem.means[(k, j)];
            problem.q[(n, k)] * v * v
        });
        terms.sum::<f64>() / problem.counts[k]
    };
    let expected: Vec<_> = (0..K)
        .map(|k| {
            DMatrix::from_fn(D, D, |i, j| if i == j { variance(k, j) } else { 0.0 })
        })
        .collect();
    problem.check(Covariance::Diagonal, &expected);
}

#[test]
fn spherical_update() {
    let problem = Problem::new(87);
    let variance = |k: usize| {
        let terms = (0..60).map(|n| {
            let v = problem.x.row(n) - problem.means.row(k);
            problem.q[(n, k)] * v.norm_squared()
        });
        terms.sum::<f64>() / (D as f64 * problem.counts[k])
    };
    let expected: Vec<_> =
        (0..K).map(|k| DMatrix::identity(D, D) * variance(k)).collect();
    problem.check(Covariance::Spherical, &expected);
}

/// The trace is N D in every shape, and two shapes' bounds differ by their volumes.
#[test]
fn shape_price() {
    let problem = Problem::new(88);
    let volume = |m: &GaussianMixture| -> f64 {
        (0..K).map(|k| problem.counts[k] * log_det(m.covariance(k))).sum()
    };
    let bound = |m: &GaussianMixture| {
        let sigmas: Vec<_> = (0..K).map(|k| m.covariance(k).clone()).collect();
        problem.bound(m.means(), &sigmas)
    };
    let full = problem.update(Covariance::Full);
    for shape in Covariance::ALL {
        let fit = problem.update(shape);
        let trace: f64 = (0..K)
            .map(|k| {
                let inverse = fit.covariance(k).clone().try_inverse().unwrap();
                problem.counts[k] * (inverse * &problem.sigmas[k]).trace()
            })
            .sum();
        assert_relative_eq!(trace, 60.0 * D as f64, max_relative = 1e-11);
        let price = 0.5 * (volume(&fit) - volume(&full));
        assert_relative_eq!(bound(&full) - bound(&fit), price, epsilon = 1e-9);
        assert!(price > 0.0 || shape == Covariance::Full);
    }
}

/// The rank of the map from unconstrained numbers (some redundant) to all weights, means
/// and covariances is the number of parameters.
#[test]
fn shape_parameters() {
    let mut rng = rng(89);
    for shape in Covariance::ALL {
        let problem = Problem::new(89);
        let fit = problem.update(shape);
        let sigmas: Vec<_> = (0..K).map(|k| fit.covariance(k).clone()).collect();
        let free = to_free(shape, fit.means(), &sigmas);
        let mut p = DVector::zeros(K + free.len());
        p.rows_mut(0, K).copy_from(&noise(K, &mut rng));
        p.rows_mut(K, free.len()).copy_from(&free);
        let flat = |p: &DVector<f64>| -> Vec<f64> {
            let raw = p.rows(0, K).map(f64::exp);
            let weights = &raw / raw.sum();
            let (means, sigmas) =
                from_free(shape, &p.rows(K, p.len() - K).into_owned());
            let sigmas = sigmas.iter().flat_map(|s| s.as_slice().to_vec());
            weights.iter().chain(means.as_slice()).copied().chain(sigmas).collect()
        };
        let outputs = flat(&p).len();
        let rows: Vec<_> =
            (0..outputs).map(|i| gradient(|p| flat(p)[i], &p).transpose()).collect();
        let rank = DMatrix::from_rows(&rows).rank(1e-6);
        let own = match shape {
            Covariance::Full => K * D * (D + 1) / 2,
            Covariance::Tied => D * (D + 1) / 2,
            Covariance::Diagonal => K * D,
            _ => K,
        };
        assert_eq!(rank, K - 1 + K * D + own, "{shape}");
        assert_eq!(fit.parameter_count(), rank, "{shape}");
    }
}

#[test]
fn gaussian_affine() {
    let mut rng = rng(90);
    for _ in 0..20 {
        let a = DMatrix::from_fn(D, D, |_, _| noise(1, &mut rng)[0]);
        let (b, x, mean) =
            (noise(D, &mut rng), noise(D, &mut rng), noise(D, &mut rng));
        let sigma = random_covariance(D, &mut rng);
        let moved = &a * &sigma * a.transpose();
        let there = plain_log_density(&(&a * &x + &b), &(&a * &mean + &b), &moved);
        let here = plain_log_density(&x, &mean, &sigma);
        assert_relative_eq!(
            there,
            here - a.determinant().abs().ln(),
            max_relative = 1e-8,
            epsilon = 1e-8
        );
    }
}

/// Fits to moved points from the moved start are the moved fits, if the map is one that
/// the shape permits, and otherwise are not.
#[test]
fn shape_invariance() {
    let x = data::notebook().rows(0, 300).into_owned();
    let b = dvector![3.0, -7.0];
    let (s, c) = 0.4_f64.sin_cos();
    let turn = dmatrix![c, -s; s, c] * 2.5;
    let flip = dmatrix![0.0, -0.2; 3.0, 0.0];
    let shear = dmatrix![1.0, 0.7; -2.0, 0.5];
    let start = |a: &DMatrix<f64>, b: &DVector<f64>| {
        let means = dmatrix![-3.0, 1.0; 2.0, 2.0; 4.0, 0.0];
        let rows: Vec<_> =
            means.row_iter().map(|m| (a * m.transpose() + b).transpose()).collect();
        let sigma = a * a.transpose() * 1.3;
        GaussianMixture::new(
            dvector![0.3, 0.3, 0.4],
            DMatrix::from_rows(&rows),
            vec![sigma; 3],
        )
        .unwrap()
    };
    let fit = |shape: Covariance, a: &DMatrix<f64>, b: &DVector<f64>| {
        let rows: Vec<_> =
            x.row_iter().map(|x| (a * x.transpose() + b).transpose()).collect();
        Em::new(3)
            .covariance(shape)
            .start(Start::Given(start(a, b)))
            .max_iterations(15)
            .tolerance(0.0)
            .fit(&DMatrix::from_rows(&rows))
            .unwrap()
    };
    for shape in Covariance::ALL {
        let here = fit(shape, &DMatrix::identity(2, 2), &dvector![0.0, 0.0]);
        for a in [&shear, &flip, &turn] {
            let permits = match shape {
                Covariance::Full | Covariance::Tied => true,
                Covariance::Diagonal => a == &flip,
                _ => a == &turn,
            };
            let there = fit(shape, a, &b);
            let volume = 300.0 * a.determinant().abs().ln();
            let mut apart = 0.0_f64;
            for (t, moved) in here.trace.iter().zip(&there.trace) {
                apart = apart.max((t - volume - moved).abs() / t.abs());
            }
            let (m, n) = (&here.mixture, &there.mixture);
            apart = apart.max((m.weights() - n.weights()).amax());
            for k in 0..3 {
                let mean = a * m.means().row(k).transpose() + &b;
                apart = apart.max((mean.transpose() - n.means().row(k)).amax());
                let sigma = a * m.covariance(k) * a.transpose();
                apart = apart.max((sigma - n.covariance(k)).amax());
            }
            if permits {
                assert!(apart < 1e-9, "{shape}, {a}: {apart}");
            } else {
                assert!(apart > 1e-3, "{shape}, {a}: {apart}");
            }
        }
    }
}

/// ln rⱼ/rₖ is the quadratic form for any covariances; its second derivatives are Λₖ − Λⱼ,
/// zero if and only if the covariances are the same; and then it is the line.
#[test]
fn log_odds() {
    let mut rng = rng(92);
    let (weights, means) = (dvector![0.3, 0.7], dmatrix![0.0, 1.0; 2.0, -0.5]);
    for tied in [true, false] {
        let first = random_covariance(2, &mut rng);
        let second =
            if tied { first.clone() } else { random_covariance(2, &mut rng) };
        let sigmas = vec![first, second];
        let lambda: Vec<_> =
            sigmas.iter().map(|s| s.clone().try_inverse().unwrap()).collect();
        let m = GaussianMixture::new(weights.clone(), means.clone(), sigmas.clone())
            .unwrap();
        let odds = |x: &DVector<f64>| {
            let r =
                m.responsibilities(&DMatrix::from_rows(&[x.transpose()])).unwrap();
            (r[(0, 0)] / r[(0, 1)]).ln()
        };
        let mu: Vec<_> = means.row_iter().map(|m| m.transpose()).collect();
        let at_zero = (weights[0] / weights[1]).ln()
            - 0.5 * (log_det(&sigmas[0]) - log_det(&sigmas[1]))
            - 0.5
                * (mu[0].dot(&(&lambda[0] * &mu[0]))
                    - mu[1].dot(&(&lambda[1] * &mu[1])));
        let slope = &lambda[0] * &mu[0] - &lambda[1] * &mu[1];
        for _ in 0..20 {
            let x = noise(2, &mut rng);
            let quadratic = -0.5 * x.dot(&((&lambda[0] - &lambda[1]) * &x));
            assert_relative_eq!(
                odds(&x),
                quadratic + slope.dot(&x) + at_zero,
                max_relative = 1e-9,
                epsilon = 1e-9
            );
            let rows: Vec<_> = (0..2)
                .map(|i| gradient(|p| gradient(odds, p)[i], &x).transpose())
                .collect();
            let hessian = DMatrix::from_rows(&rows);
            assert_relative_eq!(hessian, &lambda[1] - &lambda[0], epsilon = 1e-5);
            assert_eq!(hessian.amax() < 1e-5, tied);
        }
    }
}
