//! The truncated Dirichlet process: its distribution of the weights by quadrature and sampling, and
//! the order in which a fit keeps its components.

mod common;

use approx::assert_relative_eq;
use common::shapes::*;
use common::*;
use mixtures::math::{rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dvector};
use mixtures::rand::RngExt;
use mixtures::{
    Concentration, Dirichlet, Error, Result, Start, StickBreaking, Vb, Weights, data,
};

fn sticks() -> [StickBreaking; 2] {
    let q = StickBreaking::new(dvector![2.5, 1.3, 4.0], dvector![3.0, 2.2, 1.7]);
    let p = StickBreaking::new(dvector![1.0, 2.0, 1.1], dvector![0.7, 3.0, 5.0]);
    [q.unwrap(), p.unwrap()]
}

#[test]
fn moments_by_sampling() -> Result<()> {
    let [q, p] = sticks();
    let mut rng = rng(610);
    let draws: Vec<DVector<f64>> = (0..40_000).map(|_| q.sample(&mut rng)).collect();
    let (mean, expected_log) = (q.mean(), q.expected_log());
    for k in 0..4 {
        let of = |f: &dyn Fn(f64) -> f64| -> Vec<f64> {
            draws.iter().map(|w| f(w[k])).collect()
        };
        assert_mean(&of(&|w| w), mean[k]);
        assert_mean(&of(&f64::ln), expected_log[k]);
    }
    let log = |of: &StickBreaking, w| of.log_density(w).unwrap();
    let entropy: Vec<f64> = draws.iter().map(|w| -log(&q, w)).collect();
    assert_mean(&entropy, q.entropy());
    let divergence: Vec<f64> =
        draws.iter().map(|w| log(&q, w) - log(&p, w)).collect();
    assert_mean(&divergence, q.kl(&p)?);
    assert_eq!(q.kl(&q)?, 0.0);
    for w in &draws {
        assert!((w.sum() - 1.0).abs() < 1e-12 && w.min() >= 0.0);
    }
    Ok(())
}

/// ∫ f over the triangle of (π₁, π₂), by the midpoint rule in logistic coordinates.
fn over_simplex(f: impl Fn(&DVector<f64>) -> f64) -> f64 {
    let logistic = |t: f64| 1.0 / (1.0 + (-t).exp());
    let (steps, end) = (400, 30.0);
    let h = 2.0 * end / steps as f64;
    let at = |i: usize| logistic(-end + h * (i as f64 + 0.5));
    let (mut total, slope) = (0.0, |v: f64| v * (1.0 - v));
    for (u, v) in (0..steps).flat_map(|i| (0..steps).map(move |j| (at(i), at(j)))) {
        let w = dvector![u, (1.0 - u) * v, (1.0 - u) * (1.0 - v)];
        total += f(&w) * (1.0 - u) * slope(u) * slope(v);
    }
    total * h * h
}

#[test]
fn the_density_by_quadrature() -> Result<()> {
    let q = StickBreaking::new(dvector![2.5, 1.3], dvector![3.0, 2.2])?;
    let p = StickBreaking::process(1.7, 3)?;
    for (q, other) in [(&q, &p), (&p, &q)] {
        let density = |w: &DVector<f64>| q.log_density(w).unwrap();
        let mass = over_simplex(|w| density(w).exp());
        assert_relative_eq!(mass, 1.0, epsilon = 1e-8);
        for k in 0..3 {
            let mean = over_simplex(|w| density(w).exp() * w[k]);
            assert_relative_eq!(q.mean()[k], mean, epsilon = 1e-8);
            let log = over_simplex(|w| density(w).exp() * w[k].ln());
            assert_relative_eq!(q.expected_log()[k], log, epsilon = 1e-8);
        }
        let entropy = over_simplex(|w| -density(w).exp() * density(w));
        assert_relative_eq!(q.entropy(), entropy, epsilon = 1e-8);
        let kl = over_simplex(|w| {
            density(w).exp() * (density(w) - other.log_density(w).unwrap())
        });
        assert_relative_eq!(q.kl(other)?, kl, epsilon = 1e-8);
        // As a kind of weights it is the same.
        let weights = Weights::from(q.clone());
        assert_eq!(weights.mean(), q.mean());
        assert_eq!(weights.expected_log(), q.expected_log());
        assert_eq!(weights.entropy(), q.entropy());
        assert_eq!(weights.kl(&other.clone().into())?, q.kl(other)?);
        let w = dvector![0.2, 0.5, 0.3];
        assert_eq!(weights.log_density(&w)?, q.log_density(&w)?);
    }
    Ok(())
}

/// Where Dirichlets and sticks meet: the Dirichlet's own sticks are Beta(αₖ, αₖ₊₁ + … + α_K).
#[test]
fn a_dirichlet_breaks_a_stick_too() -> Result<()> {
    let dirichlet = Dirichlet::new(dvector![0.7, 2.0, 1.5, 3.0])?;
    let sticks =
        StickBreaking::new(dvector![0.7, 2.0, 1.5], dvector![6.5, 4.5, 3.0])?;
    let w = dvector![0.1, 0.2, 0.3, 0.4];
    let densities = (dirichlet.log_density(&w)?, sticks.log_density(&w)?);
    assert_relative_eq!(densities.0, densities.1, max_relative = 1e-13);
    assert_relative_eq!(dirichlet.mean(), sticks.mean(), max_relative = 1e-14);
    let logs = (dirichlet.expected_log(), sticks.expected_log());
    assert_relative_eq!(logs.0, logs.1, max_relative = 1e-13);
    assert_relative_eq!(dirichlet.entropy(), sticks.entropy(), max_relative = 1e-12);
    let other = Weights::from(sticks);
    assert!(Weights::from(dirichlet).kl(&other).is_err());
    Ok(())
}

#[test]
fn counts_add_to_the_sticks() -> Result<()> {
    let before = StickBreaking::process(0.5, 4)?;
    let after = before.posterior(&dvector![3.0, 0.0, 2.5, 7.0])?;
    assert_eq!(*after.a(), dvector![4.0, 1.0, 3.5]);
    assert_eq!(*after.b(), dvector![10.0, 10.0, 7.5]);
    let one = StickBreaking::process(2.0, 1)?;
    assert_eq!((one.mean(), one.expected_log()), (dvector![1.0], dvector![0.0]));
    assert_eq!((one.entropy(), one.log_density(&dvector![1.0])?), (0.0, 0.0));
    assert_eq!(one.sample(&mut rng(1)), dvector![1.0]);
    for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        let fault = StickBreaking::process(bad, 3).unwrap_err();
        assert!(fault.to_string().contains("alpha"), "{fault}");
        assert!(StickBreaking::new(dvector![1.0], dvector![bad]).is_err());
        assert!(
            before.posterior(&dvector![1.0, bad.abs() - 1.0, bad, -1.0]).is_err()
        );
    }
    assert!(StickBreaking::process(1.0, 0).is_err());
    assert!(StickBreaking::new(dvector![1.0], dvector![1.0, 2.0]).is_err());
    assert!(before.posterior(&dvector![1.0]).is_err());
    assert!(before.log_density(&dvector![0.5, 0.5]).is_err());
    assert!(before.log_density(&dvector![0.5, 0.5, 0.5, -0.5]).is_err());
    assert!(before.kl(&one).is_err());
    Ok(())
}

/// All orders of 0 … k − 1.
fn permutations(k: usize) -> Vec<Vec<usize>> {
    if k == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(k - 1);
    let inserted = |p: &Vec<usize>, at: usize| {
        let mut p = p.clone();
        p.insert(at, k - 1);
        p
    };
    shorter.iter().flat_map(|p| (0..k).map(move |at| inserted(p, at))).collect()
}

/// The order of the components is the best of all K!: among α and counts that put the falling
/// order, or another component last.
#[test]
fn components_are_kept_in_the_best_order() -> Result<()> {
    let mut not_falling = 0;
    for seed in 0..400 {
        let mut rng = rng_stream(620, seed);
        let k = rng.random_range(1..=6);
        let alpha = 10.0_f64.powf(rng.random_range(-1.0..1.0));
        let n = rng.random_range(k..40);
        let power = rng.random_range(0.0..4.0);
        let mut r = DMatrix::from_fn(n, k, |_, _| {
            rng.random_range(0.0_f64..1.0).powf(power) + 1e-9
        });
        for mut row in r.row_iter_mut() {
            let total: f64 = row.sum();
            row /= total;
        }
        let x = clumps(n, 1, 2, &mut rng);
        let vb = Vb::new(k)
            .concentration(Concentration::DirichletProcess { alpha })
            .prior(random_prior(1, &mut rng))
            .start(Start::Responsibilities(r.clone()))
            .max_iterations(0);
        let found = vb.fit(&x)?.posterior.counts();
        let counts = r.row_sum().transpose();
        let of = Concentration::DirichletProcess { alpha };
        let best = permutations(k)
            .into_iter()
            .map(|order| {
                let counts: Vec<f64> = order.iter().map(|&k| counts[k]).collect();
                plain_log_labels(of, 0.0, &counts)
            })
            .fold(f64::NEG_INFINITY, f64::max);
        let found: Vec<f64> = found.iter().copied().collect();
        let value = plain_log_labels(of, 0.0, &found);
        assert_relative_eq!(value, best, epsilon = 1e-10);
        // The same counts, in another order.
        let sorted = |mut v: Vec<f64>| {
            v.sort_by(f64::total_cmp);
            DVector::from_vec(v)
        };
        let all = sorted(counts.iter().copied().collect());
        assert_relative_eq!(sorted(found.clone()), all, epsilon = 1e-9);
        not_falling += usize::from(!found.is_sorted_by(|a, b| a >= b));
    }
    // Small α prefers to have the last one large.
    println!("{not_falling} of 400 do not fall");
    assert!((20..380).contains(&not_falling));
    Ok(())
}

/// For α = 1 the last two may change places: rounding does not decide.
#[test]
fn equal_orders_fall() -> Result<()> {
    for seed in 0..300 {
        let mut rng = rng_stream(625, seed);
        let k = rng.random_range(2..=6);
        let n = rng.random_range(k..200);
        let x = clumps(n, 1, 2, &mut rng);
        let lean = DVector::from_fn(k, |_, _| rng.random_range(0.1..1.0));
        let mut r =
            DMatrix::from_fn(n, k, |_, k| lean[k] * rng.random_range(0.0..1.0));
        for mut row in r.row_iter_mut() {
            let total: f64 = row.sum();
            row /= total;
        }
        let vb = Vb::new(k)
            .concentration(Concentration::DirichletProcess { alpha: 1.0 })
            .prior(random_prior(1, &mut rng))
            .start(Start::Responsibilities(r))
            .max_iterations(0);
        let counts = vb.fit(&x)?.posterior.counts();
        assert!(counts.as_slice().is_sorted_by(|a, b| a >= b), "{counts}");
    }
    Ok(())
}

/// Truncated far out, the fit does not depend on where; and the process is no Dirichlet.
#[test]
fn the_truncation_does_not_matter_where_it_is_far() -> Result<()> {
    let x = data::faithful();
    let fit = |k: usize, alpha: f64| {
        let process = Concentration::DirichletProcess { alpha };
        let vb = Vb::new(k).concentration(process).seed(1).tolerance(1e-10);
        vb.start(Start::KMeans).restarts(5).fit(&x)
    };
    let (ten, twenty) = (fit(10, 0.5)?, fit(20, 0.5)?);
    for fit in [&ten, &twenty] {
        let counts = fit.posterior.counts();
        assert_eq!(counts.iter().filter(|&&n| n > 1.0).count(), 2, "{counts}");
        assert!(fit.posterior.log_relabellings().is_none());
        assert_relative_eq!(counts.sum(), 272.0, max_relative = 1e-9);
    }
    assert_relative_eq!(ten.elbo(), twenty.elbo(), epsilon = 0.05);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let fault = fit(3, bad).unwrap_err();
        assert!(matches!(fault, Error::Option { .. }), "{fault}");
        assert!(fault.to_string().contains("alpha"), "{fault}");
    }
    Ok(())
}

/// The stick product is the probability of labels that the sampled weights give.
#[test]
fn sticks_are_what_the_process_draws() -> Result<()> {
    // p(all N points in the first of K) = Π (1 + n)/(1 + α + n), by sampling the weights.
    let (alpha, n) = (1.5, 4);
    let process = StickBreaking::process(alpha, 5)?;
    let mut rng = rng(630);
    let all: Vec<f64> =
        (0..50_000).map(|_| process.sample(&mut rng)[0].powi(n)).collect();
    let exact: f64 =
        (0..n).map(f64::from).map(|n| (1.0 + n) / (1.0 + alpha + n)).product();
    assert_mean(&all, exact);
    let labels = plain_log_labels(
        Concentration::DirichletProcess { alpha },
        0.0,
        &[f64::from(n), 0.0, 0.0, 0.0, 0.0],
    );
    assert_relative_eq!(labels.exp(), exact, max_relative = 1e-12);
    Ok(())
}
