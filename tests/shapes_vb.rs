//! Variational Bayes in the four shapes of covariance and with both kinds of weights: the bound
//! is exact where it can be, never falls, and the predictive is a density.

mod common;

use approx::assert_relative_eq;
use common::shapes::*;
use common::*;
use mixtures::math::rng_stream;
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;
use mixtures::{
    Concentration, Covariance, Prior, Result, Start, StudentTMixture, Vb,
};

const PROCESS: Concentration = Concentration::DirichletProcess { alpha: 0.8 };

/// Each shape with each kind of weights.
fn families() -> impl Iterator<Item = (Covariance, Concentration)> {
    let kinds = [Concentration::Dirichlet, PROCESS];
    SHAPES.into_iter().flat_map(move |shape| kinds.map(|kind| (shape, kind)))
}

fn vb((shape, kind): (Covariance, Concentration), k: usize, prior: &Prior) -> Vb {
    Vb::new(k).covariance(shape).concentration(kind).prior(prior.clone())
}

#[test]
fn with_one_component_the_bound_is_the_evidence() -> Result<()> {
    let mut worst: f64 = 0.0;
    for family in families() {
        for (d, n) in [(1, 1), (1, 30), (2, 1), (2, 40), (4, 3), (4, 100)] {
            for seed in 0..4 {
                let mut rng = rng_stream(510, seed);
                let prior = random_prior(d, &mut rng);
                let x = clumps(n, d, 2, &mut rng);
                let fit = vb(family, 1, &prior).fit(&x)?;
                let exact = plain_log_evidence(family.0, &prior, &[points(&x)]);
                let r = DMatrix::from_element(n, 1, 1.0);
                let q = &fit.posterior;
                for bound in [
                    fit.elbo(),
                    q.elbo(&x)?,
                    q.elbo_with(&x, &r)?,
                    q.elbo_terms(&x, &r)?.total(),
                ] {
                    assert_relative_eq!(bound, exact, max_relative = 1e-9);
                    worst = worst.max((bound / exact - 1.0).abs());
                }
            }
        }
    }
    println!("worst relative difference: {worst:e}");
    Ok(())
}

/// Six points in two or three components, all 64 or 729 assignments: with labels that are known the
/// bound is ln p(X, z).
#[test]
fn one_hot_assignments_are_exact() -> Result<()> {
    let (n, mut worst) = (6, 0.0_f64);
    for (family, k) in families().flat_map(|f| [(f, 2), (f, 3)]) {
        for (d, seed) in [(2, 0), (2, 1), (3, 2)] {
            let mut rng = rng_stream(520, seed);
            let prior = random_prior(d, &mut rng);
            let x = clumps(n, d, 2, &mut rng);
            let vb = vb(family, k, &prior);
            for code in 0..k.pow(n as u32) {
                let label = move |i: usize| code / k.pow(i as u32) % k;
                let r =
                    DMatrix::from_fn(n, k, |i, k| f64::from(u8::from(label(i) == k)));
                let groups: Vec<Vec<DVector<f64>>> = (0..k)
                    .map(|k| (0..n).filter(move |&i| label(i) == k))
                    .map(|rows| rows.map(|i| x.row(i).transpose()).collect())
                    .collect();
                let counts: Vec<f64> =
                    groups.iter().map(|g| g.len() as f64).collect();
                let exact = plain_log_evidence(family.0, &prior, &groups)
                    + plain_log_labels(family.1, prior.alpha0, &counts);
                let q = vb.given_responsibilities(&x, &r)?;
                let bound = q.elbo_with(&x, &r)?;
                let seven = q.elbo_terms(&x, &r)?.total();
                worst = worst.max((bound - exact).abs()).max((seven - exact).abs());
                assert_relative_eq!(bound, exact, epsilon = 1e-10);
                assert_relative_eq!(seven, exact, epsilon = 1e-10);
                for (count, expected) in q.counts().iter().zip(&counts) {
                    assert_relative_eq!(count, expected, epsilon = 1e-12);
                }
            }
        }
    }
    println!("worst difference: {worst:e}");
    Ok(())
}

/// Three hundred random problems a family: few points in many dimensions, repeated points, more
/// components than are needed.
#[test]
fn the_bound_never_falls_and_its_forms_agree() -> Result<()> {
    let (mut fall, mut apart) = (0.0_f64, 0.0_f64);
    for family in families() {
        for seed in 0..300 {
            let mut rng = rng_stream(530, seed);
            let (n, d) = (rng.random_range(1..30), rng.random_range(1..5));
            let k = rng.random_range(1..6);
            let mut x = clumps(n, d, 3, &mut rng);
            for copy in 0..rng.random_range(0..n) {
                let row = x.row(rng.random_range(0..n)).into_owned();
                x.set_row(copy, &row);
            }
            let prior = random_prior(d, &mut rng);
            let kind = match family.1 {
                PROCESS => Concentration::DirichletProcess {
                    alpha: 10.0_f64.powf(rng.random_range(-2.0..1.5)),
                },
                kind => kind,
            };
            let mut r = DMatrix::from_fn(n, k, |_, _| rng.random_range(1e-6..1.0));
            for mut row in r.row_iter_mut() {
                let total: f64 = row.sum();
                row /= total;
            }
            let vb =
                vb((family.0, kind), k, &prior).tolerance(0.0).max_iterations(25);
            let fit = vb.start(Start::Responsibilities(r)).fit(&x)?;
            let size = |f: f64| 1.0 + f.abs();
            for pair in fit.trace.windows(2) {
                fall = fall.max((pair[0] - pair[1]) / size(pair[0]));
            }
            let q = &fit.posterior;
            let r = q.responsibilities(&x)?;
            let elbo = fit.elbo();
            let terms = q.elbo_terms(&x, &r)?.total();
            for other in [q.elbo(&x)?, q.elbo_with(&x, &r)?, terms] {
                apart = apart.max((other - elbo).abs() / size(elbo));
            }
            assert!(
                fall < 1e-12 && apart < 1e-11,
                "{family:?}, {seed}: {fall:e}, {apart:e}"
            );
            let all = q.counts().sum();
            assert_relative_eq!(all, n as f64, max_relative = 1e-12);
        }
    }
    println!("worst fall: {fall:e}; the forms are apart by {apart:e}");
    Ok(())
}

/// ∫ p over the line or the plane, by the substitution x = c + w tan t.
fn mass(p: &StudentTMixture, centre: &DVector<f64>, width: f64) -> f64 {
    let half = std::f64::consts::FRAC_PI_2;
    let steps = 600;
    let h = 2.0 * half / steps as f64;
    let nodes: Vec<(f64, f64)> = (0..steps)
        .map(|i| -half + h * (i as f64 + 0.5))
        .map(|t| (width * t.tan(), h * width / t.cos().powi(2)))
        .collect();
    let (x, weights): (DMatrix<f64>, Vec<f64>) = match centre.len() {
        1 => (
            DMatrix::from_fn(steps, 1, |n, _| centre[0] + nodes[n].0),
            nodes.iter().map(|node| node.1).collect(),
        ),
        _ => (
            DMatrix::from_fn(steps * steps, 2, |n, j| {
                centre[j] + nodes[if j == 0 { n / steps } else { n % steps }].0
            }),
            (0..steps * steps)
                .map(|n| nodes[n / steps].1 * nodes[n % steps].1)
                .collect(),
        ),
    };
    let p = p.log_density(&x).unwrap();
    p.iter().zip(weights).map(|(p, w)| p.exp() * w).sum()
}

#[test]
fn the_predictive_is_a_density() -> Result<()> {
    let mut worst: f64 = 0.0;
    for (family, d) in families().flat_map(|f| [(f, 1), (f, 2)]) {
        let mut rng = rng_stream(540, d as u64);
        let x = clumps(12, d, 2, &mut rng);
        let prior = Prior { nu0: d as f64 + 2.0, ..random_prior(d, &mut rng) };
        let fit = vb(family, 3, &prior).seed(2).fit(&x)?;
        let centre = x.row_mean().transpose();
        let mass = mass(&fit.posterior.predictive(), &centre, 3.0);
        worst = worst.max((mass - 1.0).abs());
        assert_relative_eq!(mass, 1.0, epsilon = 1e-4);
    }
    println!("worst mass: 1 ± {worst:e}");
    Ok(())
}

/// With one component p(x | X) = p(x, X)/p(X), and the coordinates of a diagonal one are
/// independent.
#[test]
fn the_predictive_is_a_ratio_of_evidences() -> Result<()> {
    for (family, d) in families().flat_map(|f| [(f, 1), (f, 2), (f, 4)]) {
        let mut rng = rng_stream(550, d as u64);
        let x = clumps(9, d, 2, &mut rng);
        let prior = random_prior(d, &mut rng);
        let predictive = vb(family, 1, &prior).fit(&x)?.posterior.predictive();
        let without = plain_log_evidence(family.0, &prior, &[points(&x)]);
        for _ in 0..10 {
            let next = clumps(1, d, 1, &mut rng) * 3.0;
            let mut all = points(&x);
            all.extend(points(&next));
            let with = plain_log_evidence(family.0, &prior, &[all]);
            let found = predictive.log_density(&next)?[0];
            assert_relative_eq!(found, with - without, epsilon = 1e-10);
        }
        let independent = predictive.components()[0].is_independent();
        assert_eq!(independent, family.0 == Covariance::Diagonal);
    }
    Ok(())
}
