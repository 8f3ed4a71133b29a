use std::f64::consts::{PI, TAU};

use approx::assert_relative_eq;
use mixtures::math::{Rng, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Em, Gaussian, GaussianMixture, Start, data};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::common::*;

/// A component split into two equal halves changes no density; EM from there can only climb.
#[test]
fn likelihood_never_falls() {
    let x = data::faithful();
    for k in 1..=4 {
        let best = Em::new(k).restarts(5).seed(1).fit(&x).unwrap();
        let m = &best.mixture;
        let last = k - 1;
        let mut weights = m.weights().clone().insert_row(k, m.weights()[last] / 2.0);
        weights[last] /= 2.0;
        let mut means = m.means().clone().insert_row(k, 0.0);
        means.set_row(k, &m.means().row(last));
        let mut covariances: Vec<_> =
            (0..k).map(|k| m.covariance(k).clone()).collect();
        covariances.push(m.covariance(last).clone());
        let more = GaussianMixture::new(weights, means, covariances).unwrap();
        assert_relative_eq!(
            more.log_density(&x).unwrap().sum(),
            best.log_likelihood(),
            max_relative = 1e-12
        );
        let climbed = Em::new(k + 1).start(Start::Given(more)).fit(&x).unwrap();
        assert!(climbed.log_likelihood() > best.log_likelihood() - 1e-9);
        let searched = Em::new(k + 1).restarts(10).seed(1).fit(&x).unwrap();
        assert!(searched.log_likelihood() > best.log_likelihood());
    }
}

/// The divergence by quadrature, against the two expectations.
#[test]
fn prediction_and_divergence() {
    let density = |mean: f64, variance: f64| {
        move |x: f64| {
            (-0.5 * (x - mean).powi(2) / variance).exp() / (TAU * variance).sqrt()
        }
    };
    let truth = |x: f64| 0.3 * density(-1.0, 0.5)(x) + 0.7 * density(2.0, 1.5)(x);
    let over = |f: &dyn Fn(f64) -> f64| integral(f, -12.0, 14.0, 4000);
    let own = over(&|x| truth(x) * truth(x).ln());
    for (mean, variance) in [(1.1, 2.96), (0.0, 2.0), (1.0, 5.0)] {
        let model = density(mean, variance);
        let kl = over(&|x| truth(x) * (truth(x) / model(x)).ln());
        // ln N has a closed expectation under the truth: its mean is 1.1, its variance 3.09.
        let squared = 0.3 * 0.5 + 0.7 * 1.5 + 0.21 * 9.0 + (1.1_f64 - mean).powi(2);
        let expected = -0.5 * ((TAU * variance).ln() + squared / variance);
        assert_relative_eq!(kl, own - expected, epsilon = 1e-10);
        assert!(kl > 0.0);
    }
    assert!(over(&|x| truth(x) * (truth(x) / truth(x)).ln()).abs() < 1e-15);
}

/// Over many data sets, the formula's mean is the variance of the total.
#[test]
fn paired_standard_error() {
    let mut rng = rng(91);
    let (mut totals, mut squares) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        let d: Vec<f64> =
            (0..12).map(|_| 0.3 + rng.random::<f64>().powi(2)).collect();
        let total: f64 = d.iter().sum();
        let mean = total / 12.0;
        squares.push(12.0 / 11.0 * d.iter().map(|d| (d - mean).powi(2)).sum::<f64>());
        totals.push(total);
    }
    // u² has mean 1/3 and variance 1/5 − 1/9.
    let (expected, variance) = (12.0 * (0.3 + 1.0 / 3.0), 12.0 * (0.2 - 1.0 / 9.0));
    assert_mean(&totals, expected);
    let deviations: Vec<f64> =
        totals.iter().map(|t| (t - expected).powi(2)).collect();
    assert_mean(&deviations, variance);
    assert_mean(&squares, variance);
}

/// The mean of a Gaussian with known covariance: D = 3, N = 4, by plain densities.
#[test]
fn training_minus_fresh() {
    let mut rng = rng(92);
    let sigma = random_covariance(3, &mut rng);
    let mu = dvector![1.0, -2.0, 0.5];
    let l = sigma.clone().cholesky().unwrap().l();
    let (mut optimism, mut above, mut below) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..20_000 {
        let mut draw = || &mu + &l * noise(3, &mut rng);
        let (x, y): (Vec<_>, Vec<_>) = (0..4).map(|_| (draw(), draw())).unzip();
        let mean = x.iter().sum::<DVector<f64>>() / 4.0;
        let log = |points: &[DVector<f64>], at: &DVector<f64>| -> f64 {
            points.iter().map(|p| plain_log_density(p, at, &sigma)).sum()
        };
        // Less what both have at the truth, which has mean zero and would drown the rest.
        let chance = log(&x, &mu) - log(&y, &mu);
        optimism.push(log(&x, &mean) - log(&y, &mean) - chance);
        above.push(log(&x, &mean) - log(&x, &mu));
        below.push(log(&y, &mu) - log(&y, &mean));
    }
    assert_mean(&optimism, 3.0);
    assert_mean(&above, 1.5);
    assert_mean(&below, 1.5);
}

/// A Gaussian's mean and variance, fitted to data of three kinds: tr(I⁻¹ G) with both
/// matrices by finite differences and sampling, against training minus fresh.
#[test]
fn takeuchi() {
    type Draw = fn(&mut Rng) -> f64;
    let normal: Draw = |rng| noise(1, rng)[0];
    let uniform: Draw = |rng| rng.random::<f64>();
    let two: Draw =
        |rng| noise(1, rng)[0] + if rng.random::<f64>() < 0.05 { 4.0 } else { 0.0 };
    let log = |x: f64, p: &DVector<f64>| {
        -0.5 * ((TAU * p[1]).ln() + (x - p[0]).powi(2) / p[1])
    };
    let cases = [(normal, 0.0, 1.0), (uniform, 0.5, 1.0 / 12.0), (two, 0.2, 1.76)];
    for (i, (draw, mean, variance)) in cases.into_iter().enumerate() {
        let mut rng = rng_stream(93, i as u64);
        let best = dvector![mean, variance];
        let mut information = DMatrix::<f64>::zeros(2, 2);
        let mut spread = DMatrix::zeros(2, 2);
        let draws = 20_000;
        for _ in 0..draws {
            let x = draw(&mut rng);
            let slope = gradient(|p| log(x, p), &best);
            spread += &slope * slope.transpose() / f64::from(draws);
            for i in 0..2 {
                let by_i = |p: &DVector<f64>| gradient(|p| log(x, p), p)[i];
                let row = gradient(by_i, &best) / f64::from(draws);
                for j in 0..2 {
                    information[(i, j)] -= row[j];
                }
            }
        }
        let trace = (information.try_inverse().unwrap() * spread).trace();
        let n = 400;
        let optimism: Vec<f64> = (0..4000)
            .map(|_| {
                let x: Vec<f64> = (0..n).map(|_| draw(&mut rng)).collect();
                let m = x.iter().sum::<f64>() / f64::from(n);
                let v = x.iter().map(|x| (x - m).powi(2)).sum::<f64>() / f64::from(n);
                let fit = dvector![m, v];
                let trained: f64 = x.iter().map(|x| log(*x, &fit)).sum();
                // Expected on fresh points; and the luck of these, whose mean is zero.
                let fresh =
                    -0.5 * ((TAU * v).ln() + (variance + (mean - m).powi(2)) / v);
                let luck: f64 = x.iter().map(|x| log(*x, &best)).sum::<f64>()
                    + 0.5 * f64::from(n) * ((TAU * variance).ln() + 1.0);
                trained - luck - f64::from(n) * fresh
            })
            .collect();
        let (measured, error) = mean_and_error(&optimism);
        assert!(
            (measured - trace).abs() < 5.0 * error + 0.05 * trace,
            "{measured} ± {error} against {trace}"
        );
        if i == 0 {
            assert!((trace - 2.0).abs() < 0.1, "{trace}");
        } else {
            assert!((trace - 2.0).abs() > 0.3, "{trace}");
        }
    }
}

/// The information per point of two components in one dimension, by quadrature: singular
/// where the second is superfluous, and not where it is needed.
#[test]
fn information_singular() {
    // π₂, μ₁, ln σ₁, μ₂, ln σ₂
    let log = |x: f64, p: &DVector<f64>| {
        let bell = |mean: f64, log_sd: f64| {
            (-0.5 * ((x - mean) / log_sd.exp()).powi(2) - log_sd).exp() / TAU.sqrt()
        };
        ((1.0 - p[0]) * bell(p[1], p[2]) + p[0] * bell(p[3], p[4])).ln()
    };
    let eigenvalues = |at: DVector<f64>| {
        let mut information = DMatrix::<f64>::zeros(5, 5);
        let step = 0.05;
        for i in -160..=160 {
            let x = step * f64::from(i);
            let slope = gradient(|p| log(x, p), &at);
            information += &slope * slope.transpose() * (step * log(x, &at).exp());
        }
        let mut values: Vec<f64> =
            information.symmetric_eigenvalues().iter().copied().collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let absent = eigenvalues(dvector![0.0, 0.0, 0.0, 1.0, -0.2]);
    assert!(absent[1].abs() < 1e-9 && absent[2] > 1e-3, "{absent:?}");
    // Twins: the weight says nothing, and means and deviations only by their sums.
    let twins = eigenvalues(dvector![0.3, 0.5, 0.1, 0.5, 0.1]);
    assert!(twins[2].abs() < 1e-9 && twins[3] > 1e-3, "{twins:?}");
    let needed = eigenvalues(dvector![0.4, -1.5, 0.0, 1.5, 0.2]);
    assert!(needed[0] > 1e-2, "{needed:?}");
}

/// One free mean too many: how often each criterion wants it.
#[test]
fn aic_overshoots() {
    let share = 2.0 * (1.0 - Normal::new(0.0, 1.0).unwrap().cdf(2.0_f64.sqrt()));
    assert!((share - 0.157).abs() < 5e-4, "{share}");
    for n in [5, 50, 500] {
        let mut rng = rng_stream(95, n);
        let (mut by_aic, mut by_bic) = (Vec::new(), Vec::new());
        for _ in 0..4000 {
            let x = noise(n as usize, &mut rng);
            let log = |mean: f64| -> f64 {
                x.iter().map(|x| -0.5 * (TAU.ln() + (x - mean).powi(2))).sum()
            };
            let (zero, free) = (-2.0 * log(0.0), -2.0 * log(x.mean()));
            by_aic.push(f64::from(u8::from(free + 2.0 < zero)));
            by_bic.push(f64::from(u8::from(free + (n as f64).ln() < zero)));
        }
        assert_mean(&by_aic, share);
        let tail = Normal::new(0.0, 1.0).unwrap().cdf((n as f64).ln().sqrt());
        assert_mean(&by_bic, 2.0 * (1.0 - tail));
    }
}

/// ∫∫ exp(N f) over the plane by quadrature, for an f that is not quadratic.
#[test]
fn laplace() {
    let f = |a: f64, b: f64| {
        -(a * a + a * b + b * b) + 0.4 * (a + 0.5 * b).sin().powi(3) - 0.1 * a.powi(4)
    };
    let prior = |a: f64, b: f64| 1.0 / (1.0 + (a - 1.0).powi(2) + b * b);
    // The peak is at 0: the cubic and quartic terms have no slope or curvature there.
    let curvature = dmatrix![2.0, 1.0; 1.0, 2.0];
    let gap = |n: f64| {
        let width = 12.0 / n.sqrt();
        let line = |a: f64| {
            integral(|b| (n * f(a, b)).exp() * prior(a, b), -width, width, 400)
        };
        let exact = integral(line, -width, width, 400);
        let formula = prior(0.0, 0.0).ln() + TAU.ln()
            - 0.5 * (&curvature * n).determinant().ln();
        exact.ln() - formula
    };
    let (coarse, fine, finest) = (gap(100.0), gap(1000.0), gap(10_000.0));
    assert!(coarse.abs() < 0.05 && coarse.abs() > 1e-4, "{coarse}");
    // The error falls like 1/N.
    assert_relative_eq!(fine / finest, 10.0, max_relative = 0.1);
}

/// Mean and variance of a Gaussian: the evidence by quadrature, under a prior that is
/// not conjugate, minus −BIC/2, tends to ln p(θ*) + ln 2π − ½ ln det I.
#[test]
fn bic() {
    // Known moments stand for data: mean 0.3 and variance 1.2, whatever N.
    let (mean, variance) = (0.3_f64, 1.2_f64);
    let prior = |mu: f64, v: f64| (-mu.abs() - v).exp() / 2.0;
    let gap = |n: f64| {
        let log = |mu: f64, v: f64| {
            -0.5 * n * ((TAU * v).ln() + (variance + (mean - mu).powi(2)) / v)
        };
        let best = log(mean, variance);
        let width = 10.0 * (variance / n).sqrt();
        let (low, high) =
            (variance * (-14.0 / n.sqrt()).exp(), variance * (14.0 / n.sqrt()).exp());
        let over_mean = |v: f64| {
            let f = |mu: f64| (log(mu, v) - best).exp() * prior(mu, v);
            integral(f, mean - width, mean + width, 400)
        };
        // −BIC/2 = best − (2/2) ln N
        integral(over_mean, low, high, 1000).ln() + n.ln()
    };
    let information: f64 = 1.0 / variance * (0.5 / variance.powi(2));
    let limit = prior(mean, variance).ln() + (2.0 * PI).ln() - 0.5 * information.ln();
    assert!((gap(1e4) - limit).abs() < 1e-3, "{} {limit}", gap(1e4));
    assert!((gap(1e2) - limit).abs() < 0.1, "{} {limit}", gap(1e2));
    // The library's number is that BIC.
    let x = data::faithful();
    let m = Em::new(2).restarts(5).fit(&x).unwrap().mixture;
    let parameters = 11.0; // a weight, two means of two, two covariances of three
    let plain = -2.0 * plain_log_likelihood(&m, &x) + parameters * 272.0_f64.ln();
    assert_relative_eq!(m.bic(&x).unwrap(), plain, max_relative = 1e-12);
    assert_relative_eq!(
        m.aic(&x).unwrap(),
        plain - parameters * (272.0_f64.ln() - 2.0),
        max_relative = 1e-12
    );
}

fn log_joint(m: &GaussianMixture, x: &DVector<f64>, k: usize) -> f64 {
    let mean = m.means().row(k).transpose();
    m.weights()[k].ln() + plain_log_density(x, &mean, m.covariance(k))
}

fn plain_log_likelihood(m: &GaussianMixture, x: &DMatrix<f64>) -> f64 {
    let of = |x: &DVector<f64>| {
        (0..m.weights().len()).map(|k| log_joint(m, x, k).exp()).sum::<f64>().ln()
    };
    points(x).iter().map(of).sum()
}

/// The evidence for a mean in the plane, by quadrature and by its limit.
#[test]
fn evidence_of_a_mean() {
    let mut rng = rng(97);
    let sigma = random_covariance(2, &mut rng);
    let l = sigma.clone().cholesky().unwrap().l();
    let (m0, beta0) = (dvector![0.4, -0.3], 0.7);
    let x: Vec<_> =
        (0..5).map(|_| dvector![1.0, 0.5] + &l * noise(2, &mut rng)).collect();
    let mean = x.iter().sum::<DVector<f64>>() / 5.0;
    let log = |at: &DVector<f64>| -> f64 {
        x.iter().map(|p| plain_log_density(p, at, &sigma)).sum()
    };
    let wide = &sigma / beta0;
    let over = |a: f64| {
        let f = |b: f64| {
            let mu = dvector![a, b];
            (log(&mu) - log(&mean)).exp() * plain_density(&mu, &m0, &wide)
        };
        integral(f, -12.0, 12.0, 300)
    };
    let exact = log(&mean) + integral(over, -12.0, 12.0, 300).ln();
    let shift = &mean - &m0;
    let squared = shift.dot(&(sigma.clone().try_inverse().unwrap() * &shift));
    let formula = |n: f64| {
        let share: f64 = beta0 / (beta0 + n);
        share.ln() - 0.5 * n * share * squared // D/2 = 1
    };
    assert_relative_eq!(exact, log(&mean) + formula(5.0), max_relative = 1e-10);
    // With −BIC/2 = best − ln N:
    let limit = beta0.ln() - 0.5 * beta0 * squared;
    assert_relative_eq!(formula(1e8) + 1e8_f64.ln(), limit, max_relative = 1e-6);
}

/// The density of points and their most probable labels, written out.
#[test]
fn icl() {
    let x = data::notebook().rows(0, 200).into_owned();
    let m = Em::new(3).restarts(5).fit(&x).unwrap().mixture;
    let with_labels: f64 = points(&x)
        .iter()
        .map(|x| (0..3).map(|k| log_joint(&m, x, k)).fold(f64::MIN, f64::max))
        .sum();
    let plain = -2.0 * with_labels + 17.0 * 200.0_f64.ln();
    assert_relative_eq!(m.icl(&x).unwrap(), plain, max_relative = 1e-12);
    assert!(m.icl(&x).unwrap() > m.bic(&x).unwrap());
    let one = Gaussian::fit(&x).unwrap();
    let alone = Em::new(1).fit(&x).unwrap().mixture;
    assert_relative_eq!(
        alone.icl(&x).unwrap(),
        -2.0 * one.log_density(&x).unwrap().sum() + 5.0 * 200.0_f64.ln(),
        max_relative = 1e-12
    );
}
