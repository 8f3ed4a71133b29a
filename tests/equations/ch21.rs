use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dvector};
use mixtures::rand::RngExt;

use crate::common::*;

/// Points of two standard normals at ±`mean`.
fn two_means(mean: f64) -> Vec<f64> {
    let mut rng = rng(210);
    (0..300)
        .map(|n| noise(1, &mut rng)[0] + if n % 2 == 0 { mean } else { -mean })
        .collect()
}

fn tanh_update(x: &[f64], mu: f64) -> f64 {
    x.iter().map(|x| x * (mu * x).tanh()).sum::<f64>() / x.len() as f64
}

fn bell(v: f64, variance: f64) -> f64 {
    (-0.5 * v * v / variance).exp() / (std::f64::consts::TAU * variance).sqrt()
}

/// Exact for a linear update; near a fixed point of any other the error is squared.
#[test]
fn summed_series() {
    for (lambda, end) in [(0.3, 2.0), (0.9, -1.0), (0.999, 5.0), (-0.5, 1.0)] {
        let update = |theta: f64| end + lambda * (theta - end);
        let first = end + 0.7;
        let (second, third) = (update(first), update(update(first)));
        let r = second - first;
        let v = (third - second) - r;
        let terms: f64 = (0..40_000).map(|t| r * f64::powi(lambda, t)).sum();
        assert_relative_eq!(first + terms, end, epsilon = 1e-9);
        assert_relative_eq!(first - r * r / v, end, epsilon = 1e-9);
    }
    let x = two_means(0.5);
    let peak = (0..20_000).fold(1.0, |mu, _| tanh_update(&x, mu));
    let after = |error: f64| {
        let first = peak + error;
        let second = tanh_update(&x, first);
        let third = tanh_update(&x, second);
        let r = second - first;
        first - r * r / (third - second - r) - peak
    };
    let constant = after(1e-3) / 1e-6;
    assert!(constant.abs() > 1e-2, "{constant}");
    assert_relative_eq!(after(1e-2) / 1e-4, constant, max_relative = 0.1);
    assert_relative_eq!(after(-1e-3) / 1e-6, constant, max_relative = 0.1);
}

/// A linear update with a symmetric slope: its shares, and its directions in columns.
struct Linear {
    lambda: DVector<f64>,
    directions: DMatrix<f64>,
    end: DVector<f64>,
}

impl Linear {
    fn random(rng: &mut Rng) -> Self {
        let square = DMatrix::from_columns(&[(); 5].map(|()| noise(5, rng)));
        Linear {
            lambda: DVector::from_fn(5, |_, _| rng.random_range(0.0..0.99)),
            directions: square.qr().q(),
            end: noise(5, rng),
        }
    }

    fn update(&self, theta: &DVector<f64>) -> DVector<f64> {
        let slope = &self.directions
            * DMatrix::from_diagonal(&self.lambda)
            * self.directions.transpose();
        &self.end + slope * (theta - &self.end)
    }

    /// The error along each direction.
    fn errors(&self, theta: &DVector<f64>) -> DVector<f64> {
        self.directions.transpose() * (theta - &self.end)
    }
}

#[test]
fn relaxed_step() {
    let mut rng = rng(211);
    for s in [0.5, 1.0, 4.0, 30.0] {
        let linear = Linear::random(&mut rng);
        let start = noise(5, &mut rng);
        let r = linear.update(&start) - &start;
        let after = linear.errors(&(&start + r * s));
        let factors = linear.lambda.map(|lambda| 1.0 - s * (1.0 - lambda));
        let expected = factors.component_mul(&linear.errors(&start));
        assert_relative_eq!(after, expected, epsilon = 1e-11);
    }
}

/// The same as two relaxed steps, the second with an update of its own.
#[test]
fn squared_step() {
    let mut rng = rng(212);
    for s in [0.5, 1.0, 4.0, 30.0] {
        let linear = Linear::random(&mut rng);
        let first = noise(5, &mut rng);
        let second = linear.update(&first);
        let third = linear.update(&second);
        let r = &second - &first;
        let v = (&third - &second) - &r;
        let there = &first + &r * (2.0 * s) + v * (s * s);
        let factors = linear.lambda.map(|lambda| (1.0 - s * (1.0 - lambda)).powi(2));
        let expected = factors.component_mul(&linear.errors(&first));
        assert_relative_eq!(linear.errors(&there), expected, epsilon = 1e-10);

        let once = &first + r * s;
        let twice = &once + (linear.update(&once) - &once) * s;
        assert_relative_eq!(there, twice, epsilon = 1e-10);
        if s == 1.0 {
            assert_relative_eq!(there, third, epsilon = 1e-13);
        }
    }
}

#[test]
fn step_length() {
    let mut rng = rng(213);
    let steps = |linear: &Linear, first: &DVector<f64>| {
        let second = linear.update(first);
        let third = linear.update(&second);
        let r = &second - first;
        let v = (third - second) - &r;
        (r.norm() / v.norm(), r, v)
    };
    for _ in 0..100 {
        let linear = Linear::random(&mut rng);
        let (s, r, _) = steps(&linear, &noise(5, &mut rng));
        let shares = linear.directions.transpose() * &r;
        let mean = (0..5)
            .map(|i| shares[i].powi(2) * (1.0 - linear.lambda[i]).powi(2))
            .sum::<f64>()
            / shares.norm_squared();
        assert_relative_eq!(1.0 / (s * s), mean, max_relative = 1e-8);
        assert!(s >= 1.0 && s >= 1.0 / (1.0 - linear.lambda.min()) - 1e-9);
        assert!(s <= 1.0 / (1.0 - linear.lambda.max()) + 1e-9);
        // One direction only: its own length, after which it is gone.
        let alone = &linear.end + linear.directions.column(2);
        let (s, r, v) = steps(&linear, &alone);
        assert_relative_eq!(s, 1.0 / (1.0 - linear.lambda[2]), max_relative = 1e-8);
        let there = &alone + r * (2.0 * s) + v * (s * s);
        assert!(linear.errors(&there).norm() < 1e-9);
    }
}

/// Weights, means and variances of a mixture in one dimension, in order.
type Plain = [Vec<f64>; 3];

fn log_likelihood(x: &[f64], [weights, means, variances]: &Plain) -> f64 {
    x.iter()
        .map(|x| {
            (0..weights.len())
                .map(|k| weights[k] * bell(x - means[k], variances[k]))
                .sum::<f64>()
                .ln()
        })
        .sum()
}

/// One update of EM, as chapter 4 has it.
fn em([weights, means, variances]: &Plain, x: &[f64]) -> Plain {
    let k = weights.len();
    let mut sums = vec![[0.0; 3]; k];
    for &x in x {
        let joint: Vec<f64> =
            (0..k).map(|k| weights[k] * bell(x - means[k], variances[k])).collect();
        let total: f64 = joint.iter().sum();
        for (sum, joint) in sums.iter_mut().zip(&joint) {
            let r = joint / total;
            *sum = [sum[0] + r, sum[1] + r * x, sum[2] + r * x * x];
        }
    }
    let mean = |s: &[f64; 3]| s[1] / s[0];
    [
        sums.iter().map(|s| s[0] / x.len() as f64).collect(),
        sums.iter().map(mean).collect(),
        sums.iter().map(|s| s[2] / s[0] - mean(s).powi(2)).collect(),
    ]
}

/// Three overlapping clumps in one dimension.
fn clumps() -> Vec<f64> {
    let mut rng = rng(214);
    (0..240).map(|n| noise(1, &mut rng)[0] * 0.8 + 2.0 * f64::from(n % 3)).collect()
}

/// Log weights, means and log standard deviations.
fn free([weights, means, variances]: &Plain) -> DVector<f64> {
    let logs = weights.iter().map(|w| w.ln());
    let sizes = variances.iter().map(|v| 0.5 * v.ln());
    DVector::from_iterator(9, logs.chain(means.iter().copied()).chain(sizes))
}

fn mixture_of(free: &DVector<f64>) -> Plain {
    let total: f64 = (0..3).map(|k| free[k].exp()).sum();
    [
        (0..3).map(|k| free[k].exp() / total).collect(),
        (3..6).map(|k| free[k]).collect(),
        (6..9).map(|k| (2.0 * free[k]).exp()).collect(),
    ]
}

/// The guarded cycle from many starts: no part of it falls, and it ends where an update
/// changes nothing. Without the guard some parts do.
#[test]
fn limit_points() {
    let x = clumps();
    let step = |t: &DVector<f64>| free(&em(&mixture_of(t), &x));
    let height = |t: &DVector<f64>| log_likelihood(&x, &mixture_of(t));
    let run = |rng: &mut Rng, guarded: bool| {
        let mut first = dvector![0.0, 0.0, 0.0, 0.0, 2.0, 4.0, 0.0, 0.0, 0.0];
        first += noise(9, rng);
        let mut heights = Vec::new();
        let mut refused = 0;
        for _ in 0..4000 {
            let second = step(&first);
            let third = step(&second);
            heights.extend([&first, &second].map(height));
            let r = &second - &first;
            if r.norm() < 1e-9 {
                break;
            }
            let v = (&third - &second) - &r;
            let s = (r.norm() / v.norm()).max(1.0);
            let there = &first + &r * (2.0 * s) + v * (s * s);
            first = if !guarded || height(&there) >= height(&second) {
                heights.push(height(&there));
                step(&there)
            } else {
                refused += 1;
                third
            };
        }
        let falls = heights.windows(2).filter(|h| h[1] < h[0] - 1e-9).count();
        (falls, refused, (step(&first) - first).norm())
    };
    let mut rng = rng(215);
    let mut refused_in_all = 0;
    for _ in 0..20 {
        let (falls, refused, left) = run(&mut rng, true);
        assert_eq!(falls, 0);
        assert!(left < 1e-7, "{left}");
        refused_in_all += refused;
    }
    assert!(refused_in_all > 0, "the guard had nothing to do");
    assert!((0..20).any(|_| run(&mut rng, false).0 > 0));
}

/// Any numbers give weights and covariances, and these give the numbers back.
#[test]
fn any_numbers() {
    let mut rng = rng(216);
    for _ in 0..300 {
        let logs = noise(3, &mut rng) * 4.0;
        let weights = logs.map(f64::exp) / logs.map(f64::exp).sum();
        assert!(weights.iter().all(|w| *w > 0.0 && *w < 1.0));
        assert_relative_eq!(weights.sum(), 1.0, max_relative = 1e-14);
        let back = weights.map(f64::ln);
        // Up to a constant, which the weights do not see.
        let constant = logs[0] - back[0];
        assert_relative_eq!(back.add_scalar(constant), logs, epsilon = 1e-12);

        let numbers = noise(6, &mut rng);
        let l = DMatrix::from_row_slice(
            3,
            3,
            &[
                numbers[0].exp(),
                0.0,
                0.0,
                numbers[1],
                numbers[2].exp(),
                0.0,
                numbers[3],
                numbers[4],
                numbers[5].exp(),
            ],
        );
        let sigma = &l * l.transpose();
        assert_relative_eq!(sigma, sigma.transpose());
        assert!(sigma.clone().symmetric_eigenvalues().min() > 0.0);
        let u = noise(3, &mut rng);
        assert!((u.transpose() * &sigma * &u)[0] > 0.0);
        // The factor is determined by the covariance: the recursion of its columns.
        let mut back = DMatrix::<f64>::zeros(3, 3);
        for j in 0..3 {
            for i in j..3 {
                let done: f64 = (0..j).map(|k| back[(i, k)] * back[(j, k)]).sum();
                let left = sigma[(i, j)] - done;
                back[(i, j)] = if i == j { left.sqrt() } else { left / back[(j, j)] };
            }
        }
        assert_relative_eq!(back, l, epsilon = 1e-6 * l.amax());
    }
}

/// The Jacobian of one update in two systems of coordinates.
#[test]
fn same_rate() {
    let x: Vec<f64> = clumps();
    // Two components: weight, means, and variances, raw, and with logarithms.
    let raw = |p: &DVector<f64>| {
        [vec![p[0], 1.0 - p[0]], vec![p[1], p[2]], vec![p[3], p[4]]]
    };
    let into_raw = |[w, m, v]: Plain| dvector![w[0], m[0], m[1], v[0], v[1]];
    let to_free = |p: &DVector<f64>| {
        dvector![(p[0] / (1.0 - p[0])).ln(), p[1], p[2], 0.5 * p[3].ln(), p[4].ln()]
    };
    let from_free = |p: &DVector<f64>| {
        dvector![
            1.0 / (1.0 + (-p[0]).exp()),
            p[1],
            p[2],
            (2.0 * p[3]).exp(),
            p[4].exp()
        ]
    };
    let update = |p: &DVector<f64>| into_raw(em(&raw(p), &x));
    let start = dvector![0.5, 0.5, 3.5, 1.0, 1.0];
    let peak = (0..20_000).fold(start, |p, _| update(&p));
    let jacobian = |f: &dyn Fn(&DVector<f64>) -> DVector<f64>, at: &DVector<f64>| {
        let rows: Vec<_> =
            (0..5).map(|i| gradient(|p| f(p)[i], at).transpose()).collect();
        DMatrix::from_rows(&rows)
    };
    let one = jacobian(&update, &peak);
    let other = jacobian(&|p| to_free(&update(&from_free(p))), &to_free(&peak));
    assert!((&one - &other).amax() > 0.01, "the matrices are different");
    let change = jacobian(&to_free, &peak);
    let inverse = change.clone().try_inverse().unwrap();
    assert_relative_eq!(&change * &one * inverse, other, epsilon = 1e-6);
    let sorted = |m: &DMatrix<f64>| {
        let mut values: Vec<f64> =
            m.complex_eigenvalues().iter().map(|l| l.re).collect();
        values.sort_by(f64::total_cmp);
        DVector::from_vec(values)
    };
    assert_relative_eq!(sorted(&one), sorted(&other), epsilon = 1e-5);
}

/// Three sets of responsibilities, each with its posterior by the formulas of chapter
/// 12: their combination is the posterior of the combined sums.
#[test]
fn natural_parameters() {
    let mut rng = rng(217);
    let x: Vec<DVector<f64>> = (0..30).map(|_| noise(2, &mut rng)).collect();
    let (alpha0, beta0, nu0) = (0.3, 0.7, 4.5);
    let m0 = dvector![0.4, -1.0];
    let w0_inverse = random_covariance(2, &mut rng);
    let outer = |v: &DVector<f64>| v * v.transpose();

    struct Sums(f64, DVector<f64>, DMatrix<f64>);
    struct Belief {
        alpha: f64,
        beta: f64,
        nu: f64,
        m: DVector<f64>,
        w_inverse: DMatrix<f64>,
    }
    let sums = |r: &[f64]| {
        Sums(
            r.iter().sum(),
            x.iter().zip(r).map(|(x, r)| x * *r).sum(),
            x.iter().zip(r).map(|(x, r)| outer(x) * *r).sum(),
        )
    };
    let belief = |Sums(n, s, t): &Sums| {
        let mean = s / *n;
        let scatter = t - outer(&mean) * *n;
        Belief {
            alpha: alpha0 + n,
            beta: beta0 + n,
            nu: nu0 + n,
            m: (&m0 * beta0 + &mean * *n) / (beta0 + n),
            w_inverse: &w0_inverse
                + scatter
                + outer(&(&mean - &m0)) * (beta0 * n / (beta0 + n)),
        }
    };
    let natural = |b: &Belief| {
        let product = &b.m * b.beta;
        (b.alpha, b.beta, b.nu, product, &b.w_inverse + outer(&b.m) * b.beta)
    };
    // θ₁ + 2 s r + s² v in θ₁, θ₂, θ₃: the coefficients sum to one.
    let s: f64 = 2.5;
    let weights = [(1.0 - s).powi(2), 2.0 * s * (1.0 - s), s * s];
    assert_relative_eq!(weights.iter().sum::<f64>(), 1.0, epsilon = 1e-12);
    for _ in 0..20 {
        let base: Vec<f64> = (0..30).map(|_| rng.random_range(0.3..0.7)).collect();
        let all = [0.0, 0.1, 0.15].map(|push| {
            sums(
                &base
                    .iter()
                    .enumerate()
                    .map(|(n, r)| r + push * f64::from(n as u32 % 5) / 5.0)
                    .collect::<Vec<_>>(),
            )
        });
        let sums = Sums(
            (0..3).map(|i| all[i].0 * weights[i]).sum(),
            (0..3).map(|i| &all[i].1 * weights[i]).sum(),
            (0..3).map(|i| &all[i].2 * weights[i]).sum(),
        );
        let combined = natural(&belief(&sums));
        let each = all.map(|s| natural(&belief(&s)));
        let number = |of: &dyn Fn(usize) -> f64| -> f64 {
            (0..3).map(|i| of(i) * weights[i]).sum()
        };
        assert_relative_eq!(combined.0, number(&|i| each[i].0), epsilon = 1e-11);
        assert_relative_eq!(combined.1, number(&|i| each[i].1), epsilon = 1e-11);
        assert_relative_eq!(combined.2, number(&|i| each[i].2), epsilon = 1e-11);
        let vector: DVector<f64> = (0..3).map(|i| &each[i].3 * weights[i]).sum();
        assert_relative_eq!(combined.3, vector, epsilon = 1e-11);
        let matrix: DMatrix<f64> = (0..3).map(|i| &each[i].4 * weights[i]).sum();
        assert_relative_eq!(combined.4, matrix, epsilon = 1e-11);
        // The prior's plus the sums.
        let prior = (&m0 * beta0, &w0_inverse + outer(&m0) * beta0);
        assert_relative_eq!(combined.0, alpha0 + sums.0, epsilon = 1e-11);
        assert_relative_eq!(combined.1, beta0 + sums.0, epsilon = 1e-11);
        assert_relative_eq!(combined.2, nu0 + sums.0, epsilon = 1e-11);
        assert_relative_eq!(combined.3, prior.0 + &sums.1, epsilon = 1e-11);
        assert_relative_eq!(combined.4, prior.1 + &sums.2, epsilon = 1e-10);
    }
}

/// Counted, from a gap on the straight line to one a million times smaller. The second form
/// is nearly the first where λ is close to 1, and is not elsewhere.
#[test]
fn updates_needed() {
    let mut shares = Vec::new();
    // The closer the mean square is to 1, the closer is the peak to 0, and λ to 1.
    for square in [1.03, 1.3, 3.0] {
        let mut x = two_means(0.5);
        let scale = (square / x.iter().map(|x| x * x / 300.0).sum::<f64>()).sqrt();
        x.iter_mut().for_each(|x| *x *= scale);
        let height = |mu: f64| {
            x.iter()
                .map(|x| (0.5 * bell(x - mu, 1.0) + 0.5 * bell(x + mu, 1.0)).ln())
                .sum::<f64>()
        };
        let peak = (0..20_000).fold(1.0, |mu, _| tanh_update(&x, mu));
        let lambda = gradient(|p| tanh_update(&x, p[0]), &dvector![peak])[0];
        let gap = |mu: f64| height(peak) - height(mu);
        let mut mu = peak * 1.05;
        let first = gap(mu);
        let mut updates = 0;
        while gap(mu) > first * 1e-6 {
            mu = tanh_update(&x, mu);
            updates += 1;
        }
        let expected = 1e6_f64.ln() / (2.0 * -lambda.ln());
        assert!(
            (f64::from(updates) - expected).abs() < 1.0 + 0.05 * expected,
            "{updates} for {expected}"
        );
        let second = 1e6_f64.ln() / (2.0 * (1.0 - lambda));
        let excess = (second - expected) / expected;
        // −ln λ is 1 − λ and half its square, and more.
        assert!(excess > 0.5 * (1.0 - lambda), "{lambda}: {excess}");
        assert!(lambda < 0.9 || excess < 0.6 * (1.0 - lambda), "{lambda}: {excess}");
        shares.push(lambda);
    }
    assert!(shares[0] > 0.9 && shares[2] < 0.5, "{shares:?}");
}
