//! The restaurant by limits and by simulation, sticks by sampling, the bound where it is
//! known, and the order by trying all.

use approx::assert_relative_eq;
use mixtures::math::{Rng, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Concentration, Posterior, Prior, Start, StickBreaking, Vb, Weights};
use statrs::function::gamma::{digamma, ln_gamma};

use crate::common::*;

/// ln p(z) of labels from a symmetric Dirichlet (chapter 13's result).
fn log_dirichlet_labels(counts: &[f64], alpha0: f64, k: f64) -> f64 {
    let n: f64 = counts.iter().sum();
    let used = counts.iter().map(|c| ln_gamma(alpha0 + c) - ln_gamma(alpha0));
    ln_gamma(k * alpha0) - ln_gamma(k * alpha0 + n) + used.sum::<f64>()
}

/// One seating: the tables' sizes in the order in which they were opened.
fn seat(alpha: f64, n: usize, rng: &mut Rng) -> Vec<f64> {
    let mut sizes: Vec<f64> = Vec::new();
    for n in 0..n {
        let mut u = rng.random::<f64>() * (alpha + n as f64);
        let table = sizes.iter().position(|size| {
            u -= size;
            u < 0.0
        });
        match table {
            Some(table) => sizes[table] += 1.0,
            None => sizes.push(1.0),
        }
    }
    sizes
}

#[test]
fn restaurant() {
    let k: f64 = 1e7;
    for alpha in [0.3, 2.0] {
        let counts = [5.0, 1.0, 2.0];
        let before = log_dirichlet_labels(&counts, alpha / k, k);
        let next = |counts: &[f64]| {
            (log_dirichlet_labels(counts, alpha / k, k) - before).exp()
        };
        assert_relative_eq!(
            next(&[6.0, 1.0, 2.0]),
            5.0 / (alpha + 8.0),
            max_relative = 1e-5
        );
        let new = (k - 3.0) * next(&[5.0, 1.0, 2.0, 1.0]);
        assert_relative_eq!(new, alpha / (alpha + 8.0), max_relative = 1e-5);
    }
}

/// All divisions of n points, as labels in the order of appearance.
fn divisions(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for _ in 0..n {
        all = all
            .iter()
            .flat_map(|z: &Vec<usize>| {
                let groups = z.iter().max().map_or(0, |k| k + 1);
                (0..=groups).map(move |k| [z.as_slice(), &[k]].concat())
            })
            .collect();
    }
    all
}

fn sizes(z: &[usize]) -> Vec<f64> {
    let groups = z.iter().max().map_or(0, |k| k + 1);
    (0..groups).map(|k| z.iter().filter(|l| **l == k).count() as f64).collect()
}

fn log_division(sizes: &[f64], alpha: f64) -> f64 {
    let n: f64 = sizes.iter().sum();
    let groups = sizes.iter().map(|size| alpha.ln() + ln_gamma(*size));
    ln_gamma(alpha) - ln_gamma(alpha + n) + groups.sum::<f64>()
}

#[test]
fn division_probability() {
    for alpha in [0.4, 1.0, 3.0] {
        let mut total = 0.0;
        for z in divisions(7) {
            let formula = log_division(&sizes(&z), alpha);
            total += formula.exp();
            // Guest by guest, first to last and last to first.
            let forwards: Vec<usize> = (0..7).collect();
            let backwards: Vec<usize> = (0..7).rev().collect();
            for order in [forwards, backwards] {
                let mut there = [0.0; 7];
                let steps = order.iter().enumerate().map(|(n, &guest)| {
                    let size = &mut there[z[guest]];
                    let odds = if *size == 0.0 { alpha } else { *size };
                    *size += 1.0;
                    odds / (alpha + n as f64)
                });
                let product: f64 = steps.product();
                assert_relative_eq!(formula.exp(), product, max_relative = 1e-10);
            }
        }
        assert_relative_eq!(total, 1.0, max_relative = 1e-10);
    }
}

#[test]
fn expected_groups() {
    let mut rng = rng(170);
    for (alpha, n) in [(0.5, 30), (1.0, 82), (6.0, 50)] {
        let formula: f64 = (0..n).map(|n| alpha / (alpha + n as f64)).sum();
        let seen: Vec<f64> =
            (0..4000).map(|_| seat(alpha, n, &mut rng).len() as f64).collect();
        assert_mean(&seen, formula);
        let low = alpha * (1.0 + n as f64 / alpha).ln();
        assert!(low < formula && formula < low + 1.0);
    }
}

#[test]
fn first_table() {
    // With v = sin² t the integrand vanishes smoothly at both ends.
    for (alpha, j, m) in [(2.5, 3, 2), (1.7, 1, 6), (4.0, 5, 1)] {
        let mut product = 1.0;
        for i in 0..j + m {
            let seated = alpha + 1.0 + i as f64;
            let odds = if i < j { 1.0 + i as f64 } else { alpha + (i - j) as f64 };
            product *= odds / seated;
        }
        let f = |t: f64| {
            let (s, c) = t.sin_cos();
            let v = s * s;
            let beta = alpha * (c * c).powf(alpha - 1.0);
            v.powi(j) * (c * c).powi(m) * beta * 2.0 * s * c
        };
        let half = std::f64::consts::FRAC_PI_2;
        assert_relative_eq!(
            integral(f, 0.0, half, 20_000),
            product,
            max_relative = 1e-6
        );
    }
}

/// A draw of Beta(1, α): the inverse of its distribution function.
fn fraction(alpha: f64, rng: &mut Rng) -> f64 {
    1.0 - rng.random::<f64>().powf(1.0 / alpha)
}

/// One label, breaking sticks as far as needed.
fn label(sticks: &mut Vec<f64>, alpha: f64, rng: &mut Rng) -> usize {
    let mut k = 0;
    loop {
        if k == sticks.len() {
            sticks.push(fraction(alpha, rng));
        }
        if rng.random::<f64>() < sticks[k] {
            return k;
        }
        k += 1;
    }
}

/// Labels by sticks divide four points as the restaurant does, and the second table's
/// share is what is left of the first, broken again.
#[test]
fn sticks() {
    let mut rng = rng(171);
    for alpha in [0.6, 2.0] {
        let drawn: Vec<Vec<usize>> = (0..40_000)
            .map(|_| {
                let mut sticks = Vec::new();
                (0..4).map(|_| label(&mut sticks, alpha, &mut rng)).collect()
            })
            .collect();
        for division in divisions(4) {
            let same = |z: &Vec<usize>| {
                (0..4).all(|i| {
                    (0..4).all(|j| (z[i] == z[j]) == (division[i] == division[j]))
                })
            };
            let hits: Vec<f64> =
                drawn.iter().map(|z| f64::from(u8::from(same(z)))).collect();
            assert_mean(&hits, log_division(&sizes(&division), alpha).exp());
        }
        let n = 2000;
        let shares: Vec<f64> = (0..2000)
            .map(|_| {
                let sizes = seat(alpha, n, &mut rng);
                sizes.get(1).unwrap_or(&0.0) / (n as f64 - sizes[0]).max(1.0)
            })
            .collect();
        let (mean, error) = mean_and_error(&shares);
        let fraction = 1.0 / (1.0 + alpha);
        assert!((mean - fraction).abs() < 5.0 * error + 0.01, "{mean} {fraction}");
    }
}

#[test]
fn stick_means() {
    let mut rng = rng(172);
    let alpha: f64 = 1.7;
    let draws: Vec<Vec<f64>> = (0..40_000)
        .map(|_| (0..4).map(|_| fraction(alpha, &mut rng)).collect())
        .collect();
    let rest = alpha / (1.0 + alpha);
    let library = StickBreaking::process(alpha, 5).unwrap().mean();
    for k in 0..4 {
        let left = |v: &Vec<f64>, k: usize| -> f64 {
            v[..k].iter().map(|v| 1.0 - v).product()
        };
        let weights: Vec<f64> = draws.iter().map(|v| v[k] * left(v, k)).collect();
        let formula = rest.powi(k as i32) / (1.0 + alpha);
        assert_mean(&weights, formula);
        assert_relative_eq!(library[k], formula, max_relative = 1e-12);
        let after: Vec<f64> = draws.iter().map(|v| left(v, k + 1)).collect();
        assert_mean(&after, rest.powi(k as i32 + 1));
    }
    assert_relative_eq!(library[4], rest.powi(4), max_relative = 1e-12);
}

#[test]
fn truncation() {
    let mut rng = rng(173);
    for (alpha, n, k) in [(1.0, 20, 8), (0.5, 10, 4), (3.0, 5, 12)] {
        let late: Vec<f64> = (0..20_000)
            .map(|_| {
                let mut sticks = Vec::new();
                let any =
                    (0..n).any(|_| label(&mut sticks, alpha, &mut rng) >= k - 1);
                f64::from(u8::from(any))
            })
            .collect();
        let bound = n as f64 * (alpha / (1.0 + alpha)).powi(k as i32 - 1);
        let (seen, error) = mean_and_error(&late);
        assert!(seen < bound + 5.0 * error, "{seen} ± {error} above {bound}");
        assert!(seen > 0.2 * bound, "{seen}: {bound} says little");
    }
}

fn plain_log_beta(v: f64, a: f64, b: f64) -> f64 {
    ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)
        + (a - 1.0) * v.ln()
        + (b - 1.0) * (1.0 - v).ln()
}

fn log_weights(v: &[f64]) -> Vec<f64> {
    let mut left: f64 = 0.0;
    let mut logs: Vec<f64> = Vec::new();
    for v in v {
        logs.push(left + v.ln());
        left += (1.0 - v).ln();
    }
    logs.push(left);
    logs
}

struct Problem {
    x: DMatrix<f64>,
    r: DMatrix<f64>,
    prior: Prior,
}

const ALPHA: f64 = 1.7;

fn problem() -> Problem {
    let mut rng = rng(174);
    let prior = Prior {
        alpha0: 1.0,
        beta0: 0.8,
        m0: dvector![0.3],
        w0: dmatrix![0.9],
        nu0: 2.7,
    };
    let x = DMatrix::from_fn(9, 1, |_, _| 2.0 * noise(1, &mut rng)[0]);
    let mut r = DMatrix::from_fn(9, 4, |_, _| rng.random_range(0.05..1.0));
    for mut row in r.row_iter_mut() {
        let total: f64 = row.sum();
        row /= total;
    }
    Problem { x, r, prior }
}

fn vb(p: &Problem, k: usize, alpha: f64) -> Vb {
    let process = Concentration::DirichletProcess { alpha };
    Vb::new(k).prior(p.prior.clone()).concentration(process)
}

fn given(p: &Problem) -> (Posterior, StickBreaking) {
    let q = vb(p, 4, ALPHA).given_responsibilities(&p.x, &p.r).unwrap();
    match q.weights().clone() {
        Weights::StickBreaking(sticks) => (q, sticks),
        other => panic!("{other:?}"),
    }
}

/// ln p(v) + Σ N_k ln π_k − ln q(v) is the same everywhere.
#[test]
fn stick_factor() {
    let p = problem();
    let (_, sticks) = given(&p);
    let counts: Vec<f64> = p.r.column_iter().map(|c| c.sum()).collect();
    let mut rng = rng(175);
    let constants: Vec<f64> = (0..20)
        .map(|_| {
            let v: Vec<f64> = (0..3).map(|_| rng.random_range(0.02..0.98)).collect();
            let logs = log_weights(&v);
            let joint: f64 = (0..3)
                .map(|k| plain_log_beta(v[k], 1.0, ALPHA))
                .chain((0..4).map(|k| counts[k] * logs[k]))
                .sum();
            let q: f64 = (0..3)
                .map(|k| plain_log_beta(v[k], sticks.a()[k], sticks.b()[k]))
                .sum();
            joint - q
        })
        .collect();
    for constant in &constants {
        assert_relative_eq!(*constant, constants[0], epsilon = 1e-10);
    }
}

fn draw_fractions(sticks: &StickBreaking, rng: &mut Rng) -> Vec<f64> {
    let pi = sticks.sample(rng);
    let mut left = 1.0;
    (0..sticks.a().len())
        .map(|k| {
            let v = pi[k] / left;
            left -= pi[k];
            v
        })
        .collect()
}

#[test]
fn expected_log_stick() {
    let (_, sticks) = given(&problem());
    let mut rng = rng(176);
    let draws: Vec<Vec<f64>> = (0..20_000)
        .map(|_| log_weights(&draw_fractions(&sticks, &mut rng)))
        .collect();
    let library = sticks.expected_log();
    for k in 0..4 {
        let (a, b) = (sticks.a(), sticks.b());
        let mut formula: f64 =
            (0..k).map(|j| digamma(b[j]) - digamma(a[j] + b[j])).sum();
        if k < 3 {
            formula += digamma(a[k]) - digamma(a[k] + b[k]);
        }
        assert_relative_eq!(library[k], formula, max_relative = 1e-10);
        let logs: Vec<f64> = draws.iter().map(|logs| logs[k]).collect();
        assert_mean(&logs, formula);
    }
}

fn divergence(sticks: &StickBreaking, alpha: f64) -> f64 {
    let pairs = sticks.a().iter().zip(sticks.b());
    pairs
        .map(|(a, b)| {
            let whole = digamma(a + b);
            ln_gamma(a + b) - alpha.ln() - ln_gamma(*a) - ln_gamma(*b)
                + (a - 1.0) * (digamma(*a) - whole)
                + (b - alpha) * (digamma(*b) - whole)
        })
        .sum()
}

#[test]
fn stick_divergence() {
    let (q, sticks) = given(&problem());
    let formula = divergence(&sticks, ALPHA);
    let before = StickBreaking::process(ALPHA, 4).unwrap();
    assert_relative_eq!(sticks.kl(&before).unwrap(), formula, max_relative = 1e-10);
    let mut rng = rng(177);
    let ratios: Vec<f64> = (0..20_000)
        .map(|_| {
            let v = draw_fractions(&sticks, &mut rng);
            (0..3)
                .map(|k| {
                    plain_log_beta(v[k], sticks.a()[k], sticks.b()[k])
                        - plain_log_beta(v[k], 1.0, ALPHA)
                })
                .sum()
        })
        .collect();
    assert_mean(&ratios, formula);
    // The collapsed bound has it in the Dirichlet's place.
    let p = problem();
    let best = q.responsibilities(&p.x).unwrap();
    let both = (q.elbo(&p.x).unwrap(), q.elbo_with(&p.x, &best).unwrap());
    assert_relative_eq!(both.0, both.1, max_relative = 1e-12);
}

fn log_labels(counts: &[f64], alpha: f64) -> f64 {
    (0..counts.len() - 1)
        .map(|k| {
            let later: f64 = counts[k + 1..].iter().sum();
            alpha.ln() + ln_gamma(1.0 + counts[k]) + ln_gamma(alpha + later)
                - ln_gamma(1.0 + alpha + counts[k] + later)
        })
        .sum()
}

#[test]
fn weights_in_the_bound() {
    let p = problem();
    let (_, sticks) = given(&p);
    let counts: Vec<f64> = p.r.column_iter().map(|c| c.sum()).collect();
    let logs = sticks.expected_log();
    let labels: f64 = (0..4).map(|k| counts[k] * logs[k]).sum();
    let left =
        labels - sticks.kl(&StickBreaking::process(ALPHA, 4).unwrap()).unwrap();
    assert_relative_eq!(left, log_labels(&counts, ALPHA), max_relative = 1e-10);
    // Certain labels: the average of Π π_z over the prior's sticks.
    let mut rng = rng(178);
    let draws: Vec<Vec<f64>> = (0..40_000)
        .map(|_| {
            let v: Vec<f64> = (0..2).map(|_| fraction(ALPHA, &mut rng)).collect();
            log_weights(&v)
        })
        .collect();
    let mut total = 0.0;
    for code in 0..27_usize {
        let z = [code % 3, code / 3 % 3, code / 9];
        let counts: Vec<f64> =
            (0..3).map(|k| z.iter().filter(|l| **l == k).count() as f64).collect();
        let formula = log_labels(&counts, ALPHA).exp();
        total += formula;
        let drawn: Vec<f64> = draws
            .iter()
            .map(|logs| z.iter().map(|k| logs[*k]).sum::<f64>().exp())
            .collect();
        assert_mean(&drawn, formula);
    }
    assert_relative_eq!(total, 1.0, max_relative = 1e-12);
}

/// ln p of points on a line, one Gaussian's parameters integrated out.
fn plain_log_evidence(prior: &Prior, x: &[f64]) -> f64 {
    let n = x.len() as f64;
    if x.is_empty() {
        return 0.0;
    }
    let mean = x.iter().sum::<f64>() / n;
    let scatter: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
    let shift = mean - prior.m0[0];
    let before = 1.0 / prior.w0[0];
    let after =
        before + scatter + prior.beta0 * n / (prior.beta0 + n) * shift * shift;
    let nu = prior.nu0 + n;
    ln_gamma(0.5 * nu)
        - ln_gamma(0.5 * prior.nu0)
        - 0.5 * n * std::f64::consts::PI.ln()
        + 0.5 * prior.nu0 * before.ln()
        - 0.5 * nu * after.ln()
        + 0.5 * (prior.beta0 / (prior.beta0 + n)).ln()
}

#[test]
fn certain_sticks() {
    let p = problem();
    let one = vb(&p, 1, ALPHA).fit(&p.x).unwrap();
    let exact = plain_log_evidence(&p.prior, p.x.as_slice());
    assert_relative_eq!(one.elbo(), exact, max_relative = 1e-12);

    let (n, k) = (6, 3_usize);
    let x = p.x.rows(0, n).into_owned();
    for alpha in [0.3, 1.0, 4.0] {
        for code in 0..k.pow(n as u32) {
            let z: Vec<usize> = (0..n).map(|i| code / k.pow(i as u32) % k).collect();
            let r = DMatrix::from_fn(n, k, |n, k| f64::from(u8::from(z[n] == k)));
            let q = vb(&p, k, alpha).given_responsibilities(&x, &r).unwrap();
            let groups: Vec<Vec<f64>> = (0..k)
                .map(|k| (0..n).filter(|&n| z[n] == k).map(|n| x[n]).collect())
                .collect();
            let counts: Vec<f64> = groups.iter().map(|g| g.len() as f64).collect();
            let of_points = groups.iter().map(|g| plain_log_evidence(&p.prior, g));
            let exact = log_labels(&counts, alpha) + of_points.sum::<f64>();
            let bound = q.elbo_with(&x, &r).unwrap();
            assert_relative_eq!(bound, exact, epsilon = 1e-10);
        }
    }
}

#[test]
fn sticks_and_tables() {
    let mut rng = rng(179);
    for alpha in [0.3, 1.0, 4.0] {
        // Any counts, whole or not.
        let counts: Vec<f64> = (0..5).map(|_| rng.random_range(0.0..9.0)).collect();
        let n: f64 = counts.iter().sum();
        let mut formula = ln_gamma(alpha + counts[4]) - ln_gamma(alpha + n);
        for k in 0..4 {
            let from: f64 = counts[k..].iter().sum();
            formula += alpha.ln() + ln_gamma(1.0 + counts[k]) - (alpha + from).ln();
        }
        assert_relative_eq!(formula, log_labels(&counts, alpha), epsilon = 1e-10);
        // Spare sticks.
        let used = [6.0, 3.0, 1.0];
        let mut tables = log_division(&used, alpha);
        for k in 0..3 {
            let from: f64 = used[k..].iter().sum();
            tables += (used[k] / (alpha + from)).ln();
        }
        for spare in 1..5 {
            let counts = [used.as_slice(), &vec![0.0; spare]].concat();
            assert_relative_eq!(tables, log_labels(&counts, alpha), epsilon = 1e-10);
        }
    }
    // The library's bound does not depend on spare sticks either.
    let p = problem();
    let bound = |k: usize| {
        let r = p.r.clone().resize_horizontally(k, 0.0);
        let q = vb(&p, k, ALPHA).given_responsibilities(&p.x, &r).unwrap();
        q.elbo_with(&p.x, &r).unwrap()
    };
    assert_relative_eq!(bound(5), bound(12), max_relative = 1e-12);
    assert!((bound(4) - bound(5)).abs() > 0.1);
}

/// All orders of 0..n.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(n - 1);
    (0..n)
        .flat_map(|place| {
            shorter.iter().map(move |order| {
                let mut order = order.clone();
                order.insert(place, n - 1);
                order
            })
        })
        .collect()
}

#[test]
fn neighbours() {
    let mut rng = rng_stream(17, 1);
    for alpha in [0.3, 1.0, 2.0, 6.0] {
        let counts: Vec<f64> = (0..5).map(|_| rng.random_range(0.0..12.0)).collect();
        for k in 0..4 {
            let mut exchanged = counts.clone();
            exchanged.swap(k, k + 1);
            let ratio = log_labels(&exchanged, alpha) - log_labels(&counts, alpha);
            let (i, j) = (counts[k], counts[k + 1]);
            let rest: f64 = counts[k + 2..].iter().sum();
            let formula = if k < 3 {
                ((alpha + j + rest) / (alpha + i + rest)).ln()
            } else {
                ln_gamma(alpha + i) + ln_gamma(1.0 + j)
                    - ln_gamma(alpha + j)
                    - ln_gamma(1.0 + i)
            };
            assert_relative_eq!(ratio, formula, epsilon = 1e-10);
        }
    }
}

/// The order that an update chooses is the best of all, and the bound climbs.
#[test]
fn best_order() {
    let p = problem();
    let mut last_is_large = 0;
    for (stream, alpha) in [0.3, 1.0, 2.0, 6.0, 20.0].into_iter().enumerate() {
        for trial in 0..10 {
            let mut rng = rng_stream(170 + trial, stream as u64);
            let mut r =
                DMatrix::from_fn(9, 4, |_, _| rng.random_range(0.0..1.0_f64).powi(4));
            for mut row in r.row_iter_mut() {
                let total: f64 = row.sum();
                row /= total;
            }
            let start = Start::Responsibilities(r.clone());
            let fit = vb(&p, 4, alpha).start(start).max_iterations(0).fit(&p.x);
            let chosen = fit.unwrap().posterior.counts();
            let counts: DVector<f64> =
                DVector::from_iterator(4, r.column_iter().map(|c| c.sum()));
            let probability = |order: &[usize]| {
                let counts: Vec<f64> = order.iter().map(|&k| counts[k]).collect();
                log_labels(&counts, alpha)
            };
            let highest = permutations(4)
                .iter()
                .map(|order| probability(order))
                .fold(f64::NEG_INFINITY, f64::max);
            let of_chosen = log_labels(chosen.as_slice(), alpha);
            assert_relative_eq!(of_chosen, highest, epsilon = 1e-9);
            let falling = chosen.as_slice().is_sorted_by(|a, b| a >= b);
            assert!(falling || alpha > 0.999);
            last_is_large += usize::from(!falling && alpha > 1.0);
        }
    }
    assert!(last_is_large > 10);
    let x = mixtures::data::galaxies();
    for alpha in [0.1, 1.0, 5.0] {
        let process = Concentration::DirichletProcess { alpha };
        let vb = Vb::new(6).concentration(process).start(Start::RandomPoints);
        for seed in 0..5 {
            let vb = vb.clone().seed(seed).tolerance(0.0).max_iterations(100);
            let trace = vb.fit(&x).unwrap().trace;
            assert!(trace.windows(2).all(|f| f[1] >= f[0] - 1e-9));
        }
    }
}
