use approx::assert_relative_eq;
use mixtures::math::{Rng, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Em, GaussianMixture, Prior, Start, data};
use statrs::function::gamma::ln_gamma;

use crate::common::*;

/// Weights, means and covariances, with nothing kept but the numbers.
struct Plain {
    weights: Vec<f64>,
    means: Vec<DVector<f64>>,
    covariances: Vec<DMatrix<f64>>,
}

impl Plain {
    fn of(m: &GaussianMixture) -> Self {
        Plain {
            weights: m.weights().iter().copied().collect(),
            means: points(m.means()),
            covariances: (0..m.weights().len())
                .map(|k| m.covariance(k).clone())
                .collect(),
        }
    }

    fn log_joint(&self, x: &DVector<f64>, k: usize) -> f64 {
        self.weights[k].ln()
            + plain_log_density(x, &self.means[k], &self.covariances[k])
    }

    fn log_density(&self, x: &DVector<f64>) -> f64 {
        let terms: Vec<f64> =
            (0..self.weights.len()).map(|k| self.log_joint(x, k)).collect();
        let top = terms.iter().copied().fold(f64::MIN, f64::max);
        top + terms.iter().map(|t| (t - top).exp()).sum::<f64>().ln()
    }

    fn log_likelihood(&self, x: &[DVector<f64>]) -> f64 {
        x.iter().map(|x| self.log_density(x)).sum()
    }
}

/// c points at a, 12 elsewhere; a needle at a, of covariance σ²A.
#[test]
fn singularity() {
    for (d, c, seed) in [(1, 1, 1), (2, 1, 2), (2, 3, 3), (3, 1, 4), (3, 2, 5)] {
        let mut rng = rng(seed);
        let a = noise(d, &mut rng);
        let shape = random_covariance(d, &mut rng);
        let others: Vec<_> = (0..12).map(|_| noise(d, &mut rng)).collect();
        let mut x = others.clone();
        x.extend(vec![a.clone(); c]);
        let rest = Plain {
            weights: vec![0.5, 0.3],
            means: vec![noise(d, &mut rng), noise(d, &mut rng)],
            covariances: vec![
                random_covariance(d, &mut rng),
                random_covariance(d, &mut rng),
            ],
        };
        let needle = |sigma: f64| Plain {
            weights: vec![0.5, 0.3, 0.2],
            means: vec![rest.means[0].clone(), rest.means[1].clone(), a.clone()],
            covariances: vec![
                rest.covariances[0].clone(),
                rest.covariances[1].clone(),
                &shape * (sigma * sigma),
            ],
        };
        let (cf, df) = (c as f64, d as f64);
        let at_a = 0.2_f64.ln()
            - 0.5 * df * std::f64::consts::TAU.ln()
            - 0.5 * shape.determinant().ln();
        let limit = cf * at_a + rest.log_likelihood(&others);
        let mut before = f64::INFINITY;
        for digits in [2, 4, 6, 8] {
            let sigma = 10.0_f64.powi(-digits);
            let l = needle(sigma).log_likelihood(&x) + cf * df * sigma.ln();
            let gap = (l - limit).abs();
            assert!(gap < 0.1 * before || gap < 1e-9, "{gap} after {before}");
            before = gap;
        }
        assert!(before < 1e-6, "{before}");
    }
}

/// Points in a flat of d of the D dimensions: the slope in ln σ is −c (D − d).
#[test]
fn flat_singularity() {
    for (dim, flat, c) in [(2, 1, 2), (2, 1, 5), (3, 1, 2), (3, 2, 3), (3, 2, 7)] {
        let mut rng = rng(70 + c as u64);
        let axes = random_covariance(dim, &mut rng).symmetric_eigen().eigenvectors;
        let a = noise(dim, &mut rng);
        let inside = |rng: &mut Rng| {
            let mut y = noise(dim, rng);
            y.rows_mut(flat, dim - flat).fill(0.0);
            &a + &axes * y
        };
        let mut x: Vec<_> = (0..c).map(|_| inside(&mut rng)).collect();
        x.extend((0..10).map(|_| noise(dim, &mut rng) * 2.0));
        let l = |sigma: f64| -> f64 {
            // The thin component in its own axes, where its covariance is diagonal.
            let thin = |x: &DVector<f64>| {
                let terms = (axes.transpose() * (x - &a))
                    .iter()
                    .enumerate()
                    .map(|(i, y)| {
                        let s = if i < flat { 1.0 } else { sigma * sigma };
                        -0.5 * (y * y / s + (std::f64::consts::TAU * s).ln())
                    })
                    .sum::<f64>();
                terms.exp()
            };
            let wide = DMatrix::identity(dim, dim) * 4.0;
            let rest = |x| plain_density(x, &DVector::zeros(dim), &wide);
            x.iter().map(|x| (0.7 * rest(x) + 0.3 * thin(x)).ln()).sum()
        };
        let slope = (l(1e-6) - l(1e-5)) / (1e-6_f64 / 1e-5).ln();
        let expected = -((c * (dim - flat)) as f64);
        assert_relative_eq!(slope, expected, max_relative = 1e-3);
    }
}

/// One update of EM in one dimension, written out, from a needle on a point.
#[test]
fn collapse_speed() {
    let x = [-1.3, -0.4, 0.0, 0.9, 1.1, 2.5];
    let on = 2;
    let bell = |x: f64, mu: f64, s: f64| {
        (-0.5 * (x - mu).powi(2) / s).exp() / (std::f64::consts::TAU * s).sqrt()
    };
    let rest = |x: f64| 0.8 * bell(x, 0.5, 2.0);
    let mut before = f64::INFINITY;
    for s in [0.01, 0.004, 0.001, 0.0004, 0.00015] {
        let r = x.map(|x| {
            let needle = 0.2 * bell(x, 0.0, s);
            needle / (needle + rest(x))
        });
        let count: f64 = r.iter().sum();
        let mean = r.iter().zip(&x).map(|(r, x)| r * x).sum::<f64>() / count;
        let scatter: f64 =
            r.iter().zip(&x).map(|(r, x)| r * (x - mean).powi(2)).sum();
        let predicted: f64 = (0..x.len())
            .filter(|&n| n != on)
            .map(|n| x[n] * x[n] * 0.2 * bell(x[n], 0.0, s) / rest(x[n]))
            .sum();
        let gap = (scatter / count / predicted - 1.0).abs();
        assert!(gap < before, "{gap} after {before}");
        before = gap;
    }
    // What is left comes from the point's own share, 1 − r = O(√s).
    assert!(before < 0.04, "{before}");
}

#[test]
fn optimism_of_a_mean() {
    let mut rng = rng(74);
    let sigma = random_covariance(3, &mut rng);
    let mean = noise(3, &mut rng);
    let l = sigma.clone().cholesky().unwrap().l();
    let (mut gains, mut losses) = (Vec::new(), Vec::new());
    let draw = |rng: &mut Rng| &mean + &l * noise(3, rng);
    for _ in 0..30_000 {
        let x: Vec<_> = (0..7).map(|_| draw(&mut rng)).collect();
        let fresh: Vec<_> = (0..7).map(|_| draw(&mut rng)).collect();
        let estimate = x.iter().sum::<DVector<f64>>() / 7.0;
        let gain = |x: &[DVector<f64>]| {
            x.iter()
                .map(|x| {
                    plain_log_density(x, &estimate, &sigma)
                        - plain_log_density(x, &mean, &sigma)
                })
                .sum::<f64>()
        };
        gains.push(gain(&x));
        losses.push(-gain(&fresh));
    }
    assert_mean(&gains, 1.5);
    assert_mean(&losses, 1.5);
}

/// Two Gaussians on a line, five parameters: the gain, and the loss by quadrature.
#[test]
fn optimism() {
    let truth = GaussianMixture::new(
        dvector![0.4, 0.6],
        dmatrix![-2.0; 2.0],
        vec![dmatrix![0.5], dmatrix![1.0]],
    )
    .unwrap();
    let density = |m: &GaussianMixture, x: f64| {
        (0..2)
            .map(|k| {
                let (mu, s) = (m.means()[(k, 0)], m.covariance(k)[(0, 0)]);
                m.weights()[k] * (-0.5 * (x - mu).powi(2) / s).exp()
                    / (std::f64::consts::TAU * s).sqrt()
            })
            .sum::<f64>()
    };
    let (mut gains, mut losses, mut apart) = (Vec::new(), Vec::new(), Vec::new());
    let n = 4000;
    for sample in 0..400 {
        let x = truth.sample(n, &mut rng_stream(75, sample)).0;
        let em = Em::new(2).start(Start::Given(truth.clone())).tolerance(1e-9);
        let fit = em.fit(&x).unwrap().mixture;
        let gain = |x: f64| (density(&fit, x) / density(&truth, x)).ln();
        gains.push(x.iter().map(|x| gain(*x)).sum::<f64>());
        let loss = integral(|x| -density(&truth, x) * gain(x), -9.0, 9.0, 600);
        losses.push(loss * n as f64);
        apart.push((gains[gains.len() - 1] - losses[losses.len() - 1]).abs());
    }
    for values in [&gains, &losses] {
        assert_mean(values, 2.5);
        let squares: Vec<f64> = values.iter().map(|v| (v - 2.5).powi(2)).collect();
        assert_mean(&squares, 2.5);
    }
    // They are nearly the same number, sample by sample.
    assert!(mean_and_error(&apart).0 < 0.25, "{}", mean_and_error(&apart).0);
}

/// ln IW(Σ | W₀⁻¹, ν₀), as it stands.
fn log_inverse_wishart(sigma: &DMatrix<f64>, w0: &DMatrix<f64>, nu0: f64) -> f64 {
    let d = sigma.nrows() as f64;
    let ln_gamma_d = 0.25 * d * (d - 1.0) * std::f64::consts::PI.ln()
        + (1..=sigma.nrows())
            .map(|i| ln_gamma(0.5 * nu0 + 0.5 * (1.0 - i as f64)))
            .sum::<f64>();
    let inverse_w0 = w0.clone().try_inverse().unwrap();
    -0.5 * nu0 * w0.determinant().ln()
        - 0.5 * nu0 * d * 2.0_f64.ln()
        - ln_gamma_d
        - 0.5 * (nu0 + d + 1.0) * sigma.determinant().ln()
        - 0.5 * (inverse_w0 * sigma.clone().try_inverse().unwrap()).trace()
}

/// It integrates to one, over positive definite matrices of one and two dimensions.
#[test]
fn inverse_wishart() {
    let on_the_line = |u: f64| {
        let variance = u.exp();
        (log_inverse_wishart(&dmatrix![variance], &dmatrix![0.7], 2.5) + u).exp()
    };
    assert_relative_eq!(
        integral(on_the_line, -12.0, 40.0, 2000),
        1.0,
        max_relative = 1e-8
    );
    let w0 = dmatrix![0.8, 0.3; 0.3, 0.5];
    let nu0 = 9.5;
    // Σ = (a, b; b, e), with a and e on logarithmic scales and b = ρ√(ae), ρ = tanh t.
    let over_t = |u: f64, v: f64| {
        integral(
            |t| {
                let (a, e, rho) = (u.exp(), v.exp(), t.tanh());
                let root = (a * e).sqrt();
                let sigma = dmatrix![a, rho * root; rho * root, e];
                let volume = a * e * root * (1.0 - rho * rho);
                log_inverse_wishart(&sigma, &w0, nu0).exp() * volume
            },
            -7.0,
            7.0,
            70,
        )
    };
    let total =
        integral(|u| integral(|v| over_t(u, v), -5.0, 5.0, 70), -5.0, 5.0, 70);
    assert_relative_eq!(total, 1.0, max_relative = 1e-5);
}

/// ln p(θ), as it stands.
fn log_prior(m: &Plain, prior: &Prior) -> f64 {
    let k = m.weights.len() as f64;
    let mut log = ln_gamma(k * prior.alpha0) - k * ln_gamma(prior.alpha0);
    for ((weight, mean), sigma) in m.weights.iter().zip(&m.means).zip(&m.covariances)
    {
        log += (prior.alpha0 - 1.0) * weight.ln();
        log += plain_log_density(mean, &prior.m0, &(sigma / prior.beta0));
        log += log_inverse_wishart(sigma, &prior.w0, prior.nu0);
    }
    log
}

fn prior() -> Prior {
    Prior {
        alpha0: 1.7,
        beta0: 0.6,
        m0: dvector![0.5, -0.3],
        w0: dmatrix![0.9, 0.2; 0.2, 0.6],
        nu0: 3.4,
    }
}

/// The bound of the chapter, of which `constant` are the terms free of θ.
fn ceiling(prior: &Prior, n: f64, k: f64) -> f64 {
    let d = 2.0;
    let inverse = prior.w0.clone().try_inverse().unwrap();
    let g = |a: f64| -0.5 * a * (inverse.determinant().ln() - d * a.ln() + d);
    let a = prior.nu0 + d + 2.0;
    let identity = DMatrix::identity(2, 2);
    // ln of the normalisers: the prior at Σ = I without its trace.
    let of_wishart =
        log_inverse_wishart(&identity, &prior.w0, prior.nu0) + 0.5 * inverse.trace();
    let of_mean = 0.5 * d * (prior.beta0 / std::f64::consts::TAU).ln();
    let of_weights = ln_gamma(k * prior.alpha0) - k * ln_gamma(prior.alpha0);
    of_weights + k * (of_wishart + of_mean) - 0.5 * n * d * std::f64::consts::TAU.ln()
        + g(n + a)
        + (k - 1.0) * g(a)
}

#[test]
fn posterior_bounded() {
    let mut rng = rng(77);
    let prior = prior();
    for trial in 0..20_000 {
        let k = 1 + trial % 3;
        let mut x: Vec<_> = (0..5).map(|_| noise(2, &mut rng)).collect();
        x.push(x[0].clone());
        let weights: Vec<f64> = (0..k).map(|_| rng.random_range(0.01..1.0)).collect();
        let total: f64 = weights.iter().sum();
        // Means on points, of any size of covariance.
        let m = Plain {
            weights: weights.iter().map(|w| w / total).collect(),
            means: (0..k).map(|i| x[i].clone()).collect(),
            covariances: (0..k)
                .map(|_| {
                    let size = 10.0_f64.powf(rng.random_range(-8.0..2.0));
                    random_covariance(2, &mut rng) * size
                })
                .collect(),
        };
        let value = m.log_likelihood(&x) + log_prior(&m, &prior);
        assert!(value < ceiling(&prior, 6.0, k as f64), "{value}");
    }
    // One component, all points at m0: the bound is reached.
    let x = vec![prior.m0.clone(); 6];
    let a = 6.0 + prior.nu0 + 4.0;
    let m = Plain {
        weights: vec![1.0],
        means: vec![prior.m0.clone()],
        covariances: vec![prior.w0.clone().try_inverse().unwrap() / a],
    };
    let value = m.log_likelihood(&x) + log_prior(&m, &prior);
    assert_relative_eq!(value, ceiling(&prior, 6.0, 1.0), max_relative = 1e-12);
}

/// Points, responsibilities, and the parameters that the formulas give.
struct Step {
    x: Vec<DVector<f64>>,
    r: DMatrix<f64>,
    counts: Vec<f64>,
    best: Plain,
    /// W_k⁻¹.
    scatters: Vec<DMatrix<f64>>,
}

fn step() -> Step {
    let mut rng = rng(78);
    let prior = prior();
    let x: Vec<_> = (0..25).map(|_| noise(2, &mut rng) * 1.5).collect();
    let mut r = DMatrix::from_fn(25, 2, |_, _| rng.random_range(0.05..1.0));
    for mut row in r.row_iter_mut() {
        let total = row.sum();
        row /= total;
    }
    let (n, d, k) = (25.0, 2.0, 2.0);
    let mut step = Step {
        x,
        r,
        counts: vec![],
        best: Plain { weights: vec![], means: vec![], covariances: vec![] },
        scatters: vec![],
    };
    for j in 0..2 {
        let share = step.r.column(j);
        let count = share.sum();
        let pairs = || step.x.iter().zip(share.iter());
        let mean = pairs().map(|(x, r)| x * *r).sum::<DVector<f64>>() / count;
        let scatter: DMatrix<f64> =
            pairs().map(|(x, r)| (x - &mean) * (x - &mean).transpose() * *r).sum();
        let shift = &mean - &prior.m0;
        let w = prior.w0.clone().try_inverse().unwrap()
            + scatter
            + &shift
                * shift.transpose()
                * (prior.beta0 * count / (prior.beta0 + count));
        step.best
            .weights
            .push((count + prior.alpha0 - 1.0) / (n + k * (prior.alpha0 - 1.0)));
        let m = (mean * count + &prior.m0 * prior.beta0) / (count + prior.beta0);
        step.best.means.push(m);
        step.best.covariances.push(&w / (prior.nu0 + count + d + 2.0));
        step.counts.push(count);
        step.scatters.push(w);
    }
    step
}

/// Σ_nk r_nk ln π_k N(x_n | μ_k, Σ_k) + ln p(θ).
fn expected(step: &Step, m: &Plain) -> f64 {
    let likelihood: f64 = step
        .x
        .iter()
        .enumerate()
        .map(|(n, x)| (0..2).map(|k| step.r[(n, k)] * m.log_joint(x, k)).sum::<f64>())
        .sum();
    likelihood + log_prior(m, &prior())
}

/// Ten numbers: two means, and the lower triangles of two covariances.
fn with_components(weights: &[f64], v: &DVector<f64>) -> Plain {
    let sigma = |i: usize| dmatrix![v[i], v[i + 1]; v[i + 1], v[i + 2]];
    Plain {
        weights: weights.to_vec(),
        means: vec![dvector![v[0], v[1]], dvector![v[2], v[3]]],
        covariances: vec![sigma(4), sigma(7)],
    }
}

fn flat(m: &Plain, matrices: &[DMatrix<f64>]) -> DVector<f64> {
    let mut v: Vec<f64> = m.means.iter().flat_map(|m| m.iter().copied()).collect();
    for s in matrices {
        v.extend([s[(0, 0)], s[(1, 0)], s[(1, 1)]]);
    }
    DVector::from_vec(v)
}

#[test]
fn map_update_components() {
    let step = step();
    let at = flat(&step.best, &step.best.covariances);
    let height =
        |v: &DVector<f64>| expected(&step, &with_components(&step.best.weights, v));
    let slope = gradient(height, &at);
    assert!(slope.amax() < 1e-6, "{slope}");
    let mut rng = rng(79);
    for trial in 0..2000 {
        let moved = &at + noise(10, &mut rng) * 0.1_f64.powi(1 + trial % 3);
        let m = with_components(&step.best.weights, &moved);
        if m.covariances.iter().all(|s| s.clone().cholesky().is_some()) {
            assert!(height(&moved) < height(&at));
        }
    }
}

#[test]
fn map_update_weights() {
    let step = step();
    let at = flat(&step.best, &step.best.covariances);
    let height = |w: f64| expected(&step, &with_components(&[w, 1.0 - w], &at));
    let best = step.best.weights[0];
    let slope = gradient(|v| height(v[0]), &dvector![best])[0];
    assert!(slope.abs() < 1e-7, "{slope}");
    assert!((1..1000).all(|i| height(f64::from(i) / 1000.0) <= height(best)));
}

/// Over (μ, Λ) the same density has its mode elsewhere: the Jacobian of the inverse.
#[test]
fn mode_of_the_precision() {
    let step = step();
    let d = 2.0_f64;
    let precisions: Vec<_> = (0..2)
        .map(|k| {
            let divisor = prior().nu0 + step.counts[k] - d;
            (&step.scatters[k] / divisor).try_inverse().unwrap()
        })
        .collect();
    let height = |v: &DVector<f64>| {
        let mut m = with_components(&step.best.weights, v);
        // What v holds are precisions; p(Λ) = p(Σ) |∂Σ/∂Λ| = p(Σ) det Σ^(D + 1).
        m.covariances =
            m.covariances.into_iter().map(|l| l.try_inverse().unwrap()).collect();
        let jacobian: f64 =
            m.covariances.iter().map(|s| (d + 1.0) * s.determinant().ln()).sum();
        expected(&step, &m) + jacobian
    };
    // That power, by differences.
    let of_entries = |v: &DVector<f64>| {
        let s = dmatrix![v[0], v[1]; v[1], v[2]].try_inverse().unwrap();
        dvector![s[(0, 0)], s[(1, 0)], s[(1, 1)]]
    };
    let at = dvector![1.3, 0.2, 0.7];
    let jacobian =
        DMatrix::from_fn(3, 3, |i, j| gradient(|v| of_entries(v)[i], &at)[j]);
    let sigma: DMatrix<f64> = dmatrix![1.3, 0.2; 0.2, 0.7].try_inverse().unwrap();
    assert_relative_eq!(
        jacobian.determinant().abs(),
        sigma.determinant().powf(d + 1.0),
        max_relative = 1e-6
    );
    let slope = gradient(height, &flat(&step.best, &precisions));
    assert!(slope.amax() < 1e-5, "{slope}");
}

/// The library's trace is the log posterior as it stands here, and climbs.
#[test]
fn map_climbs() {
    let x = data::notebook().rows(0, 40).into_owned();
    let rows = points(&x);
    for k in 1..=4 {
        let mut last = f64::NEG_INFINITY;
        for updates in 0..8 {
            let em = Em::new(k).seed(3).prior(prior()).tolerance(0.0);
            let fit = em.max_iterations(updates).fit(&x).unwrap();
            let m = Plain::of(&fit.mixture);
            let value = m.log_likelihood(&rows) + log_prior(&m, &prior());
            assert_relative_eq!(fit.trace[updates], value, max_relative = 1e-11);
            assert!(value > last - 1e-9, "{value} after {last}");
            last = value;
        }
    }
}
