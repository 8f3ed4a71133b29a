//! What leaps may change of a fit: how many E-steps it takes.

mod common;

use approx::assert_relative_eq;
use common::noise;
use common::shapes::{SHAPES, clumps, random_mixture};
use mixtures::math::{Rng, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{
    Acceleration, Concentration, Covariance, Dirichlet, Em, EmFit, Error,
    Extrapolation, GaussianMixture, GaussianWishart, OnCollapse, Posterior, Prior,
    Result, Start, Vb, VbFit, Wishart, data,
};

const SQUAREM: Acceleration = Acceleration::Squarem;

/// Two components that lie on each other, 1000 points.
fn overlapping() -> DMatrix<f64> {
    let truth = GaussianMixture::new(
        dvector![0.5, 0.5],
        dmatrix![0.0, 0.0; 2.0, 0.0],
        vec![dmatrix![1.0, 0.0; 0.0, 1.0], dmatrix![1.0, 0.3; 0.3, 1.0]],
    );
    truth.unwrap().sample(1000, &mut rng(1)).0
}

/// One trace for EM and VB alike.
struct Climb {
    trace: Vec<f64>,
    iterations: usize,
    leaps: Vec<Extrapolation>,
}

impl From<EmFit> for Climb {
    fn from(fit: EmFit) -> Self {
        let EmFit { trace, iterations, extrapolations: leaps, .. } = fit;
        Climb { trace, iterations, leaps }
    }
}

impl From<VbFit> for Climb {
    fn from(fit: VbFit) -> Self {
        let VbFit { trace, iterations, extrapolations: leaps, .. } = fit;
        Climb { trace, iterations, leaps }
    }
}

/// Never down, one value an E-step, and each leap at its place.
fn check(climb: &Climb, seed: u64) {
    let Climb { trace, iterations, leaps } = climb;
    assert_eq!(trace.len(), iterations + 1, "{seed}");
    for (i, pair) in trace.windows(2).enumerate() {
        let allowed = 1e-11 * (100.0 + pair[0].abs());
        assert!(pair[1] >= pair[0] - allowed, "{seed}, {i}: {pair:?}");
    }
    for leap in leaps {
        let (before, here) = (trace[leap.iteration - 1], trace[leap.iteration]);
        assert!(leap.step > 1.0 && leap.step.is_finite(), "{seed}: {leap:?}");
        // Two plain steps before each leap, and one after the last.
        assert!(leap.iteration >= 3 && leap.iteration < *iterations, "{seed}");
        match leap.accepted {
            true => assert!(here >= before, "{seed}: {leap:?}"),
            false => assert!(here.to_bits() == before.to_bits(), "{seed}: {leap:?}"),
        }
    }
    for pair in leaps.windows(2) {
        assert!(pair[1].iteration >= pair[0].iteration + 3, "{seed}: {pair:?}");
    }
}

/// A random fit of one of four learners to random points, some of them weighted.
fn random_fit(seed: u64) -> Result<Climb> {
    let rng = &mut rng_stream(2100, seed);
    let (n, d) = (rng.random_range(20..120), rng.random_range(1..4));
    let (k, shape) = (rng.random_range(1..5), SHAPES[rng.random_range(0..4)]);
    let groups = rng.random_range(1..5);
    let x = clumps(n, d, groups, rng) * 10.0_f64.powi(rng.random_range(-3..4));
    let w = DVector::from_fn(n, |_, _| rng.random_range(0.0..2.0));
    let (updates, tolerance) =
        (rng.random_range(0..60), [0.0, 1e-7][seed as usize % 2]);
    let weighted = rng.random_range(0..2) == 0;
    let learner = seed % 4;
    if learner < 2 {
        let mut em = Em::new(k).covariance(shape).seed(seed).acceleration(SQUAREM);
        em = em.max_iterations(updates).tolerance(tolerance);
        if learner == 1 {
            em = em.prior(Prior::for_components(&x, k)?);
        }
        return Ok(
            if weighted { em.fit_weighted(&x, &w)? } else { em.fit(&x)? }.into()
        );
    }
    let mut vb = Vb::new(k).covariance(shape).seed(seed).acceleration(SQUAREM);
    vb = vb.max_iterations(updates).tolerance(tolerance);
    if learner == 3 {
        let alpha = rng.random_range(0.1..5.0);
        vb = vb.concentration(Concentration::DirichletProcess { alpha });
    }
    Ok(if weighted { vb.fit_weighted(&x, &w)? } else { vb.fit(&x)? }.into())
}

#[test]
fn the_objective_never_falls() {
    let mut leaps = [[0; 2]; 4]; // refused, accepted; by learner
    let mut fits = 0;
    for seed in 0..600 {
        match random_fit(seed) {
            Ok(climb) => {
                check(&climb, seed);
                fits += 1;
                for leap in climb.leaps {
                    leaps[seed as usize % 4][usize::from(leap.accepted)] += 1;
                }
            }
            Err(fault) => {
                assert!(matches!(fault, Error::Collapse { .. }), "{seed}: {fault}");
            }
        }
    }
    assert!(fits > 500, "{fits}");
    for [refused, accepted] in leaps {
        assert!(refused > 30 && accepted > 300, "{leaps:?}");
    }
}

/// ln π, then μ over the columns' standard deviations, then of each different covariance ln Lⱼⱼ
/// and below it Lᵢⱼ over the deviation of its row: in plain loops.
fn plain_coordinates(m: &GaussianMixture, sd: &[f64]) -> Vec<f64> {
    let (k, d) = (m.component_count(), m.dimension());
    let mut all: Vec<f64> = (0..k).map(|k| m.weights()[k].ln()).collect();
    for k in 0..k {
        all.extend((0..d).map(|j| m.means()[(k, j)] / sd[j]));
    }
    for k in 0..if m.shape() == Covariance::Tied { 1 } else { k } {
        let l = plain_cholesky(m.covariance(k));
        match m.shape() {
            Covariance::Diagonal => all.extend((0..d).map(|j| l[(j, j)].ln())),
            Covariance::Spherical => all.push(l[(0, 0)].ln()),
            _ => {
                for i in 0..d {
                    all.extend((0..i).map(|j| l[(i, j)] / sd[i]));
                    all.push(l[(i, i)].ln());
                }
            }
        }
    }
    all
}

fn plain_cholesky(sigma: &DMatrix<f64>) -> DMatrix<f64> {
    let d = sigma.nrows();
    let mut l = DMatrix::zeros(d, d);
    for i in 0..d {
        for j in 0..=i {
            let known: f64 = (0..j).map(|m| l[(i, m)] * l[(j, m)]).sum();
            let rest: f64 = sigma[(i, j)] - known;
            l[(i, j)] = if i == j { rest.sqrt() } else { rest / l[(j, j)] };
        }
    }
    l
}

fn plain_mixture(
    at: &[f64],
    like: &GaussianMixture,
    sd: &[f64],
) -> Result<GaussianMixture> {
    let (k, d, shape) = (like.component_count(), like.dimension(), like.shape());
    let weights = DVector::from_fn(k, |k, _| at[k].exp());
    let means = DMatrix::from_fn(k, d, |c, j| at[k + c * d + j] * sd[j]);
    let mut rest = &at[k + k * d..];
    let mut covariances: Vec<DMatrix<f64>> = Vec::new();
    for c in 0..k {
        if shape == Covariance::Tied && c > 0 {
            covariances.push(covariances[0].clone());
            continue;
        }
        let mut l = DMatrix::zeros(d, d);
        for i in 0..d {
            if matches!(shape, Covariance::Full | Covariance::Tied) {
                for j in 0..i {
                    l[(i, j)] = rest[0] * sd[i];
                    rest = &rest[1..];
                }
            }
            l[(i, i)] = rest[0].exp();
            if shape != Covariance::Spherical || i == d - 1 {
                rest = &rest[1..];
            }
        }
        let sigma = &l * l.transpose();
        covariances.push((&sigma + sigma.transpose()) * 0.5);
    }
    GaussianMixture::with_shape(&weights / weights.sum(), means, covariances, shape)
}

fn standard_deviations(x: &DMatrix<f64>) -> Vec<f64> {
    (0..x.ncols()).map(|j| x.column(j).variance().sqrt()).collect()
}

/// s, and what `make` makes of θ₁ + 2 s r + s² v: no longer than allowed, halfway back to s = 1 if
/// it makes nothing, and none if s = 1.
fn plain_leap<M>(
    path: &[Vec<f64>; 3],
    longest: f64,
    make: impl Fn(&[f64]) -> Result<M>,
) -> Option<(f64, M)> {
    let [a, b, c] = path;
    let r: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    let v: Vec<f64> = (0..a.len()).map(|i| (c[i] - b[i]) - r[i]).collect();
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut s = (norm(&r) / norm(&v)).min(longest);
    while s > 1.0 {
        let at: Vec<f64> =
            (0..a.len()).map(|i| a[i] + 2.0 * s * r[i] + s * s * v[i]).collect();
        if let Ok(model) = make(&at) {
            return Some((s, model));
        }
        s = (s + 1.0) / 2.0;
    }
    None
}

fn assert_close(a: &GaussianMixture, b: &GaussianMixture, tolerance: f64) {
    assert_relative_eq!(a.weights(), b.weights(), epsilon = tolerance);
    assert_relative_eq!(a.means(), b.means(), epsilon = tolerance * b.means().amax());
    for k in 0..b.component_count() {
        let size = b.covariance(k).amax();
        assert_relative_eq!(
            a.covariance(k),
            b.covariance(k),
            epsilon = tolerance * size
        );
    }
}

/// Three cycles, from updates by plain EM alone.
#[test]
fn a_cycle_is_the_one_of_the_paper() -> Result<()> {
    let rng = &mut rng(2101);
    let mut outcomes = [0; 2];
    for (i, x) in
        [data::notebook(), data::faithful(), data::iris()].iter().enumerate()
    {
        let sd = standard_deviations(x);
        for shape in SHAPES {
            let prior = Prior::for_components(x, 3)?;
            let em = Em::new(3).covariance(shape).tolerance(0.0);
            let em = if i == 1 { em.prior(prior) } else { em };
            let start = random_mixture(shape, x, 3, rng);
            let update = |m: &GaussianMixture| {
                em.clone().start(Start::Given(m.clone())).max_iterations(1).fit(x)
            };
            let fast =
                em.clone().start(Start::Given(start.clone())).acceleration(SQUAREM);
            let (mut longest, mut here) = (4.0_f64, update(&start)?.mixture);
            let (mut spent, mut leaps) = (1, 0);
            for _ in 0..3 {
                let second = update(&here)?;
                let third = update(&second.mixture)?;
                let path = [&here, &second.mixture, &third.mixture];
                let path = path.map(|m| plain_coordinates(m, &sd));
                let make = |at: &[f64]| plain_mixture(at, &start, &sd);
                let leap = plain_leap(&path, longest, make);
                spent += 2 + usize::from(leap.is_some());
                let fit = fast.clone().max_iterations(spent).fit(x)?;
                let Some((step, there)) = leap else {
                    here = third.mixture;
                    assert_close(&fit.mixture, &here, 1e-8);
                    continue;
                };
                let landing = update(&there)?;
                let accepted = landing.trace[0] >= third.trace[0];
                here = if accepted { landing } else { third }.mixture;
                leaps += 1;
                assert_eq!(fit.extrapolations.len(), leaps);
                let found = fit.extrapolations[leaps - 1];
                assert_eq!((found.iteration, found.accepted), (spent - 1, accepted));
                assert_relative_eq!(found.step, step, max_relative = 1e-7);
                assert_close(&fit.mixture, &here, 1e-8);
                outcomes[usize::from(accepted)] += 1;
                longest *= match accepted {
                    false => 0.5,
                    true if step == longest => 4.0,
                    true => 1.0,
                };
                longest = longest.max(2.0);
            }
        }
    }
    assert!(outcomes[0] >= 3 && outcomes[1] >= 10, "{outcomes:?}");
    Ok(())
}

/// Nₖ, Σ r (x − x̄)/s and Σ r (x − x̄)(x − x̄)ᵀ/(s sᵀ) of each component.
fn plain_statistics(r: &DMatrix<f64>, x: &DMatrix<f64>, sd: &[f64]) -> Vec<f64> {
    let (mean, mut all) = (x.row_mean(), Vec::new());
    let y = |n: usize, j: usize| (x[(n, j)] - mean[j]) / sd[j];
    for k in 0..r.ncols() {
        let sum = |f: &dyn Fn(usize) -> f64| {
            (0..x.nrows()).map(|n| r[(n, k)] * f(n)).sum::<f64>()
        };
        all.push(sum(&|_| 1.0));
        all.extend((0..x.ncols()).map(|j| sum(&|n| y(n, j))));
        for i in 0..x.ncols() {
            all.extend((0..=i).map(|j| sum(&|n| y(n, i) * y(n, j))));
        }
    }
    all
}

/// PRML 10.58–10.63 for these statistics.
fn plain_posterior(
    all: &[f64],
    prior: &Prior,
    x: &DMatrix<f64>,
    sd: &[f64],
) -> Result<Posterior> {
    let (d, mean) = (x.ncols(), x.row_mean().transpose());
    if all.chunks(1 + d + d * (d + 1) / 2).any(|part| part[0] < 0.0) {
        return Err(Error::Components {
            // any error will do
            components: 0,
            available: String::new(),
            cure: String::new(),
        });
    }
    let (mut alpha, mut components) = (Vec::new(), Vec::new());
    for part in all.chunks(1 + d + d * (d + 1) / 2) {
        let n = part[0];
        let sum = DVector::from_fn(d, |j, _| part[1 + j] * sd[j]);
        let products = DMatrix::from_fn(d, d, |i, j| {
            let (i, j) = (i.max(j), i.min(j));
            part[1 + d + i * (i + 1) / 2 + j] * sd[i] * sd[j]
        });
        let (beta, m0) = (prior.beta0 + n, &prior.m0 - &mean);
        let m = (&m0 * prior.beta0 + sum) / beta;
        let inverse = prior.w0.clone().try_inverse().unwrap()
            + products
            + &m0 * m0.transpose() * prior.beta0
            - &m * m.transpose() * beta;
        let w = inverse.try_inverse().unwrap();
        let wishart = Wishart::new(prior.nu0 + n, (&w + w.transpose()) * 0.5)?;
        components.push(GaussianWishart::new(m + &mean, beta, wishart)?);
        alpha.push(prior.alpha0 + n);
    }
    Posterior::new(
        prior.clone(),
        Dirichlet::new(DVector::from_vec(alpha))?,
        components,
    )
}

#[test]
fn a_cycle_of_variational_bayes() -> Result<()> {
    let rng = &mut rng(2102);
    for (x, k) in
        [(data::notebook(), 3), (data::faithful(), 4), (data::galaxies(), 3)]
    {
        let (sd, prior) = (standard_deviations(&x), Prior::from_data(&x)?);
        let start = random_mixture(Covariance::Full, &x, k, rng);
        let vb = Vb::new(k).start(Start::Given(start.clone())).tolerance(0.0);
        let vb = vb.acceleration(SQUAREM);
        let mut shares = Vec::new();
        for updates in 0..=2 {
            let q = vb.clone().max_iterations(updates).fit(&x)?.posterior;
            shares.push(q.responsibilities(&x)?);
        }
        let path = [0, 1, 2].map(|i| plain_statistics(&shares[i], &x, &sd));
        let make = |at: &[f64]| plain_posterior(at, &prior, &x, &sd);
        let (step, there) = plain_leap(&path, 4.0, make).expect("there is a leap");
        let fit = vb.clone().max_iterations(4).fit(&x)?;
        let leap = fit.extrapolations[0];
        assert!(leap.accepted && leap.iteration == 3, "{leap:?}");
        assert_relative_eq!(leap.step, step, max_relative = 1e-8);
        assert_relative_eq!(fit.trace[3], there.elbo(&x)?, max_relative = 1e-10);
        let next = Vb::new(k).prior(prior);
        let next = next.given_responsibilities(&x, &there.responsibilities(&x)?)?;
        let found = &fit.posterior;
        assert_relative_eq!(found.alpha(), next.alpha(), max_relative = 1e-8);
        assert_relative_eq!(found.means(), next.means(), max_relative = 1e-8);
        for k in 0..k {
            assert_relative_eq!(found.w(k), next.w(k), max_relative = 1e-7);
        }
    }
    Ok(())
}

#[test]
fn the_same_top_in_fewer_steps() -> Result<()> {
    let x = data::notebook();
    for seed in 0..5 {
        let em = Em::new(3).seed(seed).tolerance(1e-12);
        let (plain, fast) = (em.fit(&x)?, em.clone().acceleration(SQUAREM).fit(&x)?);
        assert!(fast.converged && fast.iterations < plain.iterations);
        assert_relative_eq!(
            fast.log_likelihood(),
            plain.log_likelihood(),
            epsilon = 1e-7
        );
        assert_close(&fast.mixture, &plain.mixture, 1e-5);
        let vb = Vb::new(3).seed(seed).tolerance(1e-12);
        let (plain, fast) = (vb.fit(&x)?, vb.clone().acceleration(SQUAREM).fit(&x)?);
        assert!(fast.converged && fast.iterations < plain.iterations);
        assert_relative_eq!(fast.elbo(), plain.elbo(), epsilon = 1e-7);
        let (fast, plain) = (fast.posterior, plain.posterior);
        assert_relative_eq!(fast.means(), plain.means(), max_relative = 1e-5);
    }
    Ok(())
}

#[test]
fn where_components_overlap_it_takes_a_third_of_the_steps() -> Result<()> {
    let x = overlapping();
    let reached = |trace: &[f64], level: f64| {
        trace.iter().position(|l| *l > level).expect("it gets there")
    };
    let em = Em::new(2).tolerance(1e-12).max_iterations(20_000);
    let (plain, fast) = (em.fit(&x)?, em.clone().acceleration(SQUAREM).fit(&x)?);
    let level = plain.log_likelihood() - 1e-4;
    let (slow, quick) = (reached(&plain.trace, level), reached(&fast.trace, level));
    assert!(slow > 300 && slow > 3 * quick, "EM: {slow} and {quick}");
    let vb = Vb::new(2).tolerance(1e-12).max_iterations(20_000);
    let (plain, fast) = (vb.fit(&x)?, vb.clone().acceleration(SQUAREM).fit(&x)?);
    let level = plain.elbo() - 1e-4;
    let (slow, quick) = (reached(&plain.trace, level), reached(&fast.trace, level));
    assert!(slow > 300 && slow > 3 * quick, "VB: {slow} and {quick}");
    Ok(())
}

#[test]
fn every_e_step_counts() -> Result<()> {
    let x = overlapping().rows(0, 200).into_owned();
    let mut spent = 0;
    for updates in 0..=20 {
        let em = Em::new(2).acceleration(SQUAREM).max_iterations(updates);
        let fit = em.clone().tolerance(0.0).fit(&x)?;
        assert_eq!((fit.iterations, fit.converged), (updates, false));
        let log_likelihood = fit.mixture.log_density(&x)?.sum();
        assert_relative_eq!(
            fit.log_likelihood(),
            log_likelihood,
            max_relative = 1e-10
        );
        check(&fit.into(), updates as u64);
        let vb = Vb::new(2).acceleration(SQUAREM).max_iterations(updates);
        let fit = vb.clone().tolerance(0.0).fit(&x)?;
        assert_eq!((fit.iterations, fit.converged), (updates, false));
        assert_relative_eq!(
            fit.elbo(),
            fit.posterior.elbo(&x)?,
            max_relative = 1e-10
        );
        spent = fit.extrapolations.len();
        check(&fit.into(), updates as u64);
        assert!(em.tolerance(1e-3).fit(&x)?.iterations <= updates);
        assert!(vb.tolerance(1e-3).fit(&x)?.iterations <= updates);
    }
    assert!(spent > 3);
    Ok(())
}

/// The gain that ends a fit is that of an update, and the fit ends after one.
#[test]
fn a_fit_ends_after_a_plain_step() -> Result<()> {
    let x = overlapping();
    for tolerance in [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8] {
        let fit = Em::new(2).tolerance(tolerance).acceleration(SQUAREM).fit(&x)?;
        let leaps: Vec<usize> =
            fit.extrapolations.iter().map(|e| e.iteration).collect();
        for i in (1..=fit.iterations).filter(|i| !leaps.contains(i)) {
            let gain = (fit.trace[i] - fit.trace[i - 1]) / x.nrows() as f64;
            assert_eq!(gain < tolerance, i == fit.iterations, "{tolerance}: {i}");
        }
        assert!(fit.converged && !leaps.contains(&fit.iterations));
    }
    Ok(())
}

/// In other units the same path: a power of two costs no digit of a column, a whole shift none of
/// the eighths that the data are rounded to.
#[test]
fn units_change_nothing() -> Result<()> {
    let x = overlapping().map(|v| (v * 8.0).round() / 8.0);
    for shape in SHAPES {
        let scales = match shape {
            Covariance::Spherical => [64.0; 2],
            _ => [1024.0, 0.125],
        };
        let shift = [512.0, -3.0];
        let there =
            DMatrix::from_fn(1000, 2, |n, j| (x[(n, j)] + shift[j]) * scales[j]);
        let volume = 1000.0 * scales.iter().map(|s: &f64| s.ln()).sum::<f64>();
        let em = Em::new(2).covariance(shape).max_iterations(25);
        let em = em.acceleration(SQUAREM);
        let vb = Vb::new(2).covariance(shape).max_iterations(25);
        let vb = vb.acceleration(SQUAREM);
        let pairs: [(Climb, Climb); 2] = [
            (em.fit(&x)?.into(), em.fit(&there)?.into()),
            (vb.fit(&x)?.into(), vb.fit(&there)?.into()),
        ];
        for (a, b) in pairs {
            assert_eq!(a.leaps.len(), b.leaps.len());
            assert!(a.leaps.len() >= 3, "{}", a.leaps.len());
            for (a, b) in a.leaps.iter().zip(&b.leaps) {
                assert_eq!((a.iteration, a.accepted), (b.iteration, b.accepted));
                assert_relative_eq!(a.step, b.step, max_relative = 1e-5);
            }
            for (a, b) in a.trace.iter().zip(&b.trace) {
                assert_relative_eq!(a - volume, *b, epsilon = 1e-6);
            }
        }
    }
    Ok(())
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() -> Result<()> {
    let (x, _) = data::sample_notebook(10_000, &mut rng(6))?;
    let fits = |threads| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let em = Em::new(4).restarts(2).max_iterations(13).acceleration(SQUAREM);
            let vb = Vb::new(4).restarts(2).max_iterations(13).acceleration(SQUAREM);
            (em.fit(&x).unwrap(), vb.fit(&x).unwrap())
        })
    };
    let one = fits(1);
    assert!(!one.0.extrapolations.is_empty() && !one.1.extrapolations.is_empty());
    for threads in [2, 8] {
        assert_eq!(fits(threads), one);
    }
    Ok(())
}

/// Some points in one place, and a component that finds them, sooner or later.
fn collapsing(rng: &mut Rng) -> (DMatrix<f64>, GaussianMixture) {
    let x = DMatrix::from_fn(60, 2, |n, _| match n {
        0..3 => 6.0,
        _ => noise(1, rng)[0],
    });
    let sigma = DMatrix::identity(2, 2);
    let wide = rng.random_range(0.1..1.5);
    let start = GaussianMixture::new(
        dvector![0.4, 0.3, 0.3],
        dmatrix![-0.5, 0.0; 6.0, 6.1; 0.5, 0.0],
        vec![sigma.clone(), sigma.clone() * wide, sigma],
    );
    (x, start.unwrap())
}

#[test]
fn a_collapse_is_a_collapse() -> Result<()> {
    let (mut falls, mut leaps) = (0, 0);
    for seed in 0..40 {
        let (x, start) = collapsing(&mut rng_stream(2104, seed));
        let em = Em::new(3).start(Start::Given(start)).acceleration(SQUAREM);
        let Err(fault) = em.fit(&x) else { continue };
        assert!(matches!(fault, Error::Collapse { component: 1, .. }), "{fault}");
        let em = em.on_collapse(OnCollapse::Reseed).tolerance(1e-9).seed(seed);
        let Ok(fit) = em.fit(&x) else { continue }; // fifty were enough
        let at: Vec<usize> = fit.reseeded.iter().map(|r| r.iteration).collect();
        for i in 1..fit.trace.len() {
            if fit.trace[i] < fit.trace[i - 1] - 1e-9 {
                assert!(at.contains(&i), "{i}");
                falls += 1;
            }
        }
        // There a cycle starts afresh: a leap needs that update and two more.
        for leap in &fit.extrapolations {
            let far = |i: &usize| *i > leap.iteration || i + 2 <= leap.iteration;
            assert!(at.iter().all(far), "{seed}: {at:?} and {leap:?}");
        }
        leaps += fit.extrapolations.len();
    }
    assert!(falls > 10 && leaps > 100, "{falls}, {leaps}");
    Ok(())
}

/// A component without points has no ln π: the others go on by plain steps.
#[test]
fn an_empty_component_has_no_coordinates() -> Result<()> {
    let x = data::notebook();
    let (weights, means, covariances) = data::notebook_truth();
    let far = GaussianMixture::new(
        dvector![0.3, 0.3, 0.3, 0.1],
        DMatrix::from_fn(4, 2, |k, j| if k < 3 { means[(k, j)] } else { 1e4 }),
        [&covariances[..], &covariances[..1]].concat(),
    )?;
    assert_eq!(weights.len(), 3);
    let prior = Prior { alpha0: 1.0, ..Prior::for_components(&x, 4)? };
    let em = Em::new(4).start(Start::Given(far)).prior(prior);
    let (plain, fast) = (em.fit(&x)?, em.clone().acceleration(SQUAREM).fit(&x)?);
    assert_eq!(fast.mixture.weights()[3], 0.0);
    assert_eq!(fast, plain);
    Ok(())
}

#[test]
fn in_a_file() -> Result<()> {
    let x = data::notebook();
    let em = Em::new(3).acceleration(SQUAREM).max_iterations(9).tolerance(0.0);
    let fit = em.fit(&x)?;
    assert_eq!(fit.extrapolations.len(), 2);
    let text = serde_json::to_string(&fit).unwrap();
    assert_eq!(serde_json::from_str::<EmFit>(&text).unwrap(), fit);
    assert_eq!(
        serde_json::from_str::<Em>(&serde_json::to_string(&em).unwrap()).unwrap(),
        em
    );
    // From before there were leaps.
    let plain = Vb::new(3).max_iterations(4);
    let text = serde_json::to_string(&plain).unwrap();
    let old = text.replace(r#","acceleration":"None""#, "");
    assert!(old.len() < text.len());
    assert_eq!(serde_json::from_str::<Vb>(&old).unwrap(), plain);
    let fit = plain.fit(&x)?;
    let text = serde_json::to_string(&fit).unwrap();
    let old = text.replace(r#","extrapolations":[]"#, "");
    assert!(old.len() < text.len());
    assert_eq!(serde_json::from_str::<VbFit>(&old).unwrap(), fit);
    Ok(())
}
