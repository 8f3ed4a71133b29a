//! Laws that every fit by EM obeys.

use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{
    Covariance, Em, Error, Gaussian, GaussianMixture, OnCollapse, Prior, Result,
    Start, Vb, data, e_step,
};
use proptest::prelude::*;

/// K random components over the range of `x`.
fn random_mixture(x: &DMatrix<f64>, k: usize, rng: &mut Rng) -> GaussianMixture {
    let d = x.ncols();
    let means = DMatrix::from_fn(k, d, |_, j| x[(rng.random_range(0..x.nrows()), j)]);
    let covariances = (0..k)
        .map(|_| {
            let a = DMatrix::from_fn(d, d, |_, j| {
                rng.random_range(-0.5..0.5) * x.column(j).variance().sqrt()
            });
            let scale = DMatrix::from_diagonal(&DVector::from_fn(d, |j, _| {
                x.column(j).variance()
            }));
            &a.transpose() * &a + scale * 0.3
        })
        .collect();
    let weights = DVector::from_fn(k, |_, _| rng.random_range(0.2..1.0));
    GaussianMixture::new(&weights / weights.sum(), means, covariances).unwrap()
}

/// One EM update straight from the formulas (PRML 9.23–9.27), sharing no code with
/// the library.
fn plain_update(m: &GaussianMixture, x: &DMatrix<f64>) -> (GaussianMixture, f64) {
    let (n, k, d) = (x.nrows(), m.weights().len(), x.ncols());
    let pdf = |k: usize, row: &DVector<f64>| {
        let v = row - m.means().row(k).transpose();
        let squared =
            (v.transpose() * m.covariance(k).clone().try_inverse().unwrap() * &v)[0];
        let volume = (std::f64::consts::TAU.powi(d as i32)
            * m.covariance(k).determinant())
        .sqrt();
        (-0.5 * squared).exp() / volume
    };
    let joint =
        DMatrix::from_fn(n, k, |n, k| m.weights()[k] * pdf(k, &x.row(n).transpose()));
    let evidence = joint.column_sum();
    let r = DMatrix::from_fn(n, k, |n, k| joint[(n, k)] / evidence[n]);
    let counts = r.row_sum().transpose();
    let means =
        DMatrix::from_fn(k, d, |k, j| r.column(k).dot(&x.column(j)) / counts[k]);
    let covariances = (0..k)
        .map(|k| {
            DMatrix::from_fn(d, d, |i, j| {
                let terms = (0..n).map(|n| {
                    r[(n, k)]
                        * (x[(n, i)] - means[(k, i)])
                        * (x[(n, j)] - means[(k, j)])
                });
                terms.sum::<f64>() / counts[k]
            })
        })
        .collect();
    let log_likelihood = evidence.iter().map(|p| p.ln()).sum();
    (
        GaussianMixture::new(counts / n as f64, means, covariances).unwrap(),
        log_likelihood,
    )
}

fn run_from(
    start: &GaussianMixture,
    x: &DMatrix<f64>,
    updates: usize,
) -> mixtures::EmFit {
    Em::new(start.weights().len())
        .start(Start::Given(start.clone()))
        .max_iterations(updates)
        .tolerance(0.0)
        .fit(x)
        .unwrap()
}

fn assert_close(a: &GaussianMixture, b: &GaussianMixture, tolerance: f64) {
    assert_relative_eq!(
        a.weights(),
        b.weights(),
        max_relative = tolerance,
        epsilon = tolerance
    );
    assert_relative_eq!(
        a.means(),
        b.means(),
        max_relative = tolerance,
        epsilon = tolerance
    );
    for k in 0..a.weights().len() {
        let size = b.covariance(k).amax();
        assert_relative_eq!(
            a.covariance(k),
            b.covariance(k),
            epsilon = tolerance * size
        );
    }
}

#[test]
fn updates_equal_the_plain_formulas() {
    let mut rng = rng(5);
    for x in [data::notebook(), data::faithful()] {
        for k in [1, 2, 5] {
            let start = random_mixture(&x, k, &mut rng);
            let mut plain = start.clone();
            for updates in 1..=5 {
                let (next, log_likelihood) = plain_update(&plain, &x);
                let fit = run_from(&start, &x, updates);
                assert_relative_eq!(
                    fit.trace[updates - 1],
                    log_likelihood,
                    max_relative = 1e-11
                );
                assert_close(&fit.mixture, &next, 1e-9);
                plain = next;
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let (x, _) = data::sample_notebook(40_000, &mut rng(6)).unwrap();
    let fits: Vec<_> = [1, 2, 3, 8]
        .into_iter()
        .map(|threads| {
            let pool =
                rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                Em::new(3).restarts(3).seed(1).max_iterations(20).fit(&x).unwrap()
            })
        })
        .collect();
    for fit in &fits[1..] {
        assert_eq!(fit, &fits[0]);
    }
}

#[test]
fn blocks_merge_to_the_whole() {
    let x = data::notebook();
    let mixture = random_mixture(&x, 3, &mut rng(7));
    let whole = e_step(&mixture, &x, None).unwrap();
    let mut parts = e_step(&mixture, &x.rows(0, 137), None).unwrap();
    parts.merge(&e_step(&mixture, &x.rows(137, 863), None).unwrap()).unwrap();
    assert_relative_eq!(
        parts.log_likelihood(),
        whole.log_likelihood(),
        max_relative = 1e-14
    );
    for (a, b) in parts.components().iter().zip(whole.components()) {
        assert_relative_eq!(a.count(), b.count(), max_relative = 1e-13);
        assert_relative_eq!(
            a.mean().unwrap(),
            b.mean().unwrap(),
            max_relative = 1e-13
        );
        assert_relative_eq!(a.scatter(), b.scatter(), max_relative = 1e-12);
    }
    let again = mixtures::Summary::unflatten(&whole.flatten()).unwrap();
    assert_eq!(again, whole);
}

/// On a 2⁻²⁰ grid a shift by 2²⁷ and a scale by a power of two are exact, so that the
/// only difference they could make is the library's own rounding.
#[test]
fn offset_and_scale_change_nothing_but_units() {
    let to_grid = |v: f64| (v * 2.0_f64.powi(20)).round() / 2.0_f64.powi(20);
    let x = data::notebook().map(to_grid);
    let start = random_mixture(&x, 3, &mut rng(8));
    // The same mixture with each number of the means and covariances changed.
    let changed = |m: &GaussianMixture, mean: &dyn Fn(f64) -> f64, squared: f64| {
        let covariances = (0..3).map(|k| m.covariance(k) * squared).collect();
        GaussianMixture::new(m.weights().clone(), m.means().map(mean), covariances)
            .unwrap()
    };
    let start = changed(&start, &to_grid, 1.0);
    let here = run_from(&start, &x, 40).mixture;
    for (shift, scale) in
        [(2.0_f64.powi(27), 1.0), (0.0, 2.0_f64.powi(20)), (0.0, 2.0_f64.powi(-20))]
    {
        let there = |v: f64| (v + shift) * scale;
        let moved_start = changed(&start, &there, scale * scale);
        let fit = run_from(&moved_start, &x.map(there), 40).mixture;
        let back = changed(&fit, &|v| v / scale - shift, 1.0 / (scale * scale));
        // The means come back through numbers of size 2²⁷, whose spacing is 2⁻²⁶.
        assert_relative_eq!(back.means(), here.means(), epsilon = 2e-8);
        assert_relative_eq!(back.weights(), here.weights(), epsilon = 1e-10);
        for k in 0..3 {
            assert_relative_eq!(
                back.covariance(k),
                here.covariance(k),
                epsilon = 1e-10
            );
        }
    }
}

#[test]
fn a_weight_of_two_is_the_row_twice() {
    let x = data::faithful();
    let start = random_mixture(&x, 2, &mut rng(9));
    let weights = DVector::from_fn(x.nrows(), |n, _| (n % 3) as f64);
    let repeated: Vec<usize> =
        (0..x.nrows()).flat_map(|n| std::iter::repeat_n(n, n % 3)).collect();
    let rows = x.select_rows(&repeated);
    let em = Em::new(2).start(Start::Given(start)).max_iterations(30).tolerance(0.0);
    let (weighted, doubled) =
        (em.fit_weighted(&x, &weights).unwrap(), em.fit(&rows).unwrap());
    assert_close(&weighted.mixture, &doubled.mixture, 1e-12);
    for (a, b) in weighted.trace.iter().zip(&doubled.trace) {
        assert_relative_eq!(a, b, max_relative = 1e-12);
    }
}

/// A start a thousand of its own standard deviations away and a thousand times too
/// wide: the whitened sums alone would lose eleven digits of the scatter.
#[test]
fn a_component_that_moves_far_and_shrinks_keeps_its_digits() {
    let x = data::notebook();
    let far = GaussianMixture::new(
        dvector![1.0],
        dmatrix![1e6, -1e6],
        vec![DMatrix::identity(2, 2) * 1e6],
    )
    .unwrap();
    let moved = run_from(&far, &x, 1).mixture;
    let exact = mixtures::Gaussian::fit(&x).unwrap();
    assert_relative_eq!(
        moved.covariance(0),
        exact.covariance(),
        max_relative = 1e-13
    );
    assert_relative_eq!(
        moved.means().transpose().column(0).into_owned(),
        *exact.mean(),
        max_relative = 1e-13
    );
}

#[test]
fn restarts_restart_and_the_best_is_kept() {
    let x = data::notebook();
    for start in [Start::RandomPoints, Start::KMeansPlusPlus] {
        let em = Em::new(4).start(start).seed(3).max_iterations(15);
        let many = em.clone().restarts(8).fit(&x).unwrap();
        assert_eq!(many.restarts.len(), 8);
        let mut ends: Vec<f64> = many.restarts.iter().map(|l| l.unwrap()).collect();
        assert_eq!(em.fit(&x).unwrap().restarts[0].unwrap(), ends[0]);
        ends.sort_by(f64::total_cmp);
        assert_eq!(many.log_likelihood(), ends[7]);
        ends.dedup();
        assert_eq!(ends.len(), 8, "every restart must begin elsewhere");
        assert_ne!(em.clone().seed(4).fit(&x).unwrap(), em.fit(&x).unwrap());
    }
}

#[test]
fn stopping_means_what_it_says() {
    let x = data::faithful();
    let em = Em::new(2).seed(1);
    let fit = em.clone().tolerance(1e-8).fit(&x).unwrap();
    assert!(fit.converged);
    assert_eq!(fit.trace.len(), fit.iterations + 1);
    let gains: Vec<f64> =
        fit.trace.windows(2).map(|t| (t[1] - t[0]) / 272.0).collect();
    let (last, earlier) = gains.split_last().unwrap();
    assert!(*last < 1e-8 && earlier.iter().all(|g| *g >= 1e-8));
    let density: f64 = fit.mixture.log_density(&x).unwrap().sum();
    assert_relative_eq!(density, fit.log_likelihood(), max_relative = 1e-13);

    let none = em.clone().max_iterations(0).fit(&x).unwrap();
    assert_eq!((none.iterations, none.trace.len(), none.converged), (0, 1, false));
    let all = em.max_iterations(300).tolerance(0.0).fit(&x).unwrap();
    assert_eq!((all.iterations, all.converged), (300, false));
}

/// The criteria by their definitions, with the parameters counted by hand.
#[test]
fn criteria_count_the_parameters() {
    let x = data::faithful();
    let fit = Em::new(2).restarts(3).fit(&x).unwrap();
    let (m, l) = (&fit.mixture, fit.log_likelihood());
    assert_relative_eq!(
        m.aic(&x).unwrap(),
        -2.0 * l + 2.0 * 11.0,
        max_relative = 1e-12
    );
    let bic = -2.0 * l + 272.0_f64.ln() * 11.0;
    assert_relative_eq!(m.bic(&x).unwrap(), bic, max_relative = 1e-12);

    // ICL is BIC of the likelihood with labels, each point given to its best component.
    let log_joint: f64 = (0..272)
        .map(|n| {
            let point = x.rows(n, 1);
            let joint = |k: usize| {
                let density = m.components()[k].log_density(&point).unwrap()[0];
                m.weights()[k].ln() + density
            };
            joint(0).max(joint(1))
        })
        .sum();
    let icl = -2.0 * log_joint + 272.0_f64.ln() * 11.0;
    assert_relative_eq!(m.icl(&x).unwrap(), icl, max_relative = 1e-12);
    assert!(m.icl(&x).unwrap() > bic);
}

/// Rows of weight zero are no starting points: with no updates, every mean is a
/// weighted row.
#[test]
fn rows_without_weight_start_nothing() {
    let x = data::faithful();
    let weights = DVector::from_fn(272, |n, _| if n % 40 == 0 { 1.0 } else { 0.0 });
    for start in [Start::RandomPoints, Start::KMeansPlusPlus] {
        for seed in 0..20 {
            let em = Em::new(4).start(start.clone()).seed(seed).max_iterations(0);
            let means =
                em.fit_weighted(&x, &weights).unwrap().mixture.means().clone();
            for mean in means.row_iter() {
                let near = |n: &usize| (x.row(*n) - mean).norm() < 1e-9;
                assert!((0..272).step_by(40).any(|n| near(&n)), "{mean}");
            }
        }
    }
}

/// The notebook's sampler draws from the mixture that it names.
#[test]
fn the_sampler_has_the_moments_of_the_truth() {
    let (weights, means, covariances) = data::notebook_truth();
    let (x, z) = data::sample_notebook(30_000, &mut rng(10)).unwrap();
    for k in 0..3 {
        let rows: Vec<usize> = (0..z.len()).filter(|&n| z[n] == k).collect();
        let group = mixtures::Gaussian::fit(&x.select_rows(&rows)).unwrap();
        let share = rows.len() as f64 / z.len() as f64;
        assert_relative_eq!(share, weights[k], epsilon = 0.012);
        assert_relative_eq!(*group.mean(), means.row(k).transpose(), epsilon = 0.07);
        assert_relative_eq!(*group.covariance(), covariances[k], epsilon = 0.12);
    }
}

/// A mixture of a richer shape may be more likely than all that the fit may choose from: then the
/// first update falls, and no other. The first responsibilities are the given mixture's own.
#[test]
fn a_given_start_of_any_shape_starts_a_fit_of_any_shape() {
    let x = data::faithful();
    for from in Covariance::ALL {
        let given = Em::new(2).covariance(from).fit(&x).unwrap().mixture;
        let r = given.responsibilities(&x).unwrap();
        for shape in Covariance::ALL {
            let em = Em::new(2).covariance(shape).tolerance(0.0);
            let one = em.clone().start(Start::Given(given.clone())).max_iterations(1);
            let same = em.clone().start(Start::Responsibilities(r.clone()));
            let one = one.fit(&x).unwrap();
            let same = same.max_iterations(0).fit(&x).unwrap();
            assert_eq!(one.mixture.shape(), shape);
            for k in 0..2 {
                let (a, b) = (one.mixture.covariance(k), same.mixture.covariance(k));
                assert_relative_eq!(a, b, max_relative = 1e-9);
            }
            let prior = mixtures::Prior::for_components(&x, 2).unwrap();
            let start = Start::Given(given.clone());
            for em in [em.clone(), em.clone().prior(prior)] {
                let fit = em.start(start.clone()).max_iterations(50).fit(&x).unwrap();
                assert!(fit.trace[1..].windows(2).all(|t| t[1] > t[0] - 1e-8));
                assert!(fit.trace.len() == 51 && fit.mixture.shape() == shape);
            }
        }
    }
}

#[test]
fn a_collapse_names_the_component() {
    let mut x = data::notebook().rows(0, 60).into_owned();
    for n in 0..10 {
        x.set_row(n, &dmatrix![50.0, 50.0].row(0));
    }
    let start = GaussianMixture::new(
        dvector![0.5, 0.5],
        dmatrix![1.0, 1.0; 50.0, 50.0],
        vec![DMatrix::identity(2, 2) * 9.0, DMatrix::identity(2, 2)],
    )
    .unwrap();
    let error = Em::new(2).start(Start::Given(start)).fit(&x).unwrap_err();
    let Error::Collapse { component, iteration, weight, ratio, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((component, iteration), (1, 1));
    assert!((weight - 1.0 / 6.0).abs() < 1e-6 && ratio < 1e-10);
}

#[test]
fn a_fit_survives_json_bit_for_bit() {
    let fit = Em::new(3).seed(2).fit(&data::notebook()).unwrap();
    let json = serde_json::to_string(&fit).unwrap();
    assert_eq!(serde_json::from_str::<mixtures::EmFit>(&json).unwrap(), fit);
    let broken = json.replacen("\"weights\":[[", "\"weights\":[[-", 1);
    assert_ne!(broken, json);
    assert!(serde_json::from_str::<mixtures::EmFit>(&broken).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    /// No input makes the objective fall: a fit climbs, or stops with an error other
    /// than a fall.
    #[test]
    fn the_log_likelihood_climbs(
        n in 2_usize..60, d in 1_usize..5, k in 1_usize..5,
        scale in -6_i32..7, duplicates in 0_usize..3, seed in 0_u64..1 << 40,
    ) {
        let mut rng = rng(seed);
        let clumps = DMatrix::from_fn(3, d, |_, _| rng.random_range(-5.0..5.0));
        let mut x = DMatrix::from_fn(n, d, |n, j| {
            (clumps[(n % 3, j)] + rng.random_range(-1.0..1.0)) * 10.0_f64.powi(scale)
        });
        for copy in 0..duplicates.min(n - 1) {
            let row = x.row(copy).into_owned();
            x.set_row(n - 1 - copy, &row);
        }
        match Em::new(k).seed(seed).tolerance(0.0).max_iterations(60).fit(&x) {
            Ok(fit) => prop_assert!(fit.trace.iter().all(|l| l.is_finite())),
            Err(e) => prop_assert!(
                matches!(e, Error::Collapse { .. } | Error::Degenerate { .. } | Error::Components { .. }),
                "{e}"
            ),
        }
    }
}

/// K-means ends where every mean is that of the points nearest to it, measured in the data's own
/// spread, and no farther from its points than k-means++ was; weights count rows.
#[test]
fn k_means_starts_at_rest() {
    let x = data::faithful();
    let spread = Gaussian::fit(&x).unwrap();
    let white: Vec<DVector<f64>> = (0..x.nrows())
        .map(|n| spread.factor().whiten(&x.row(n).transpose()))
        .collect();
    let nearest = |means: &DMatrix<f64>, n: usize| {
        let distance = |k: usize| {
            let centre = spread.factor().whiten(&means.row(k).transpose());
            (&white[n] - centre).norm_squared()
        };
        (0..means.nrows())
            .map(|k| (distance(k), k))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap()
    };
    let start = |start: Start, seed: u64| {
        let em = Em::new(4).start(start).seed(seed).max_iterations(0).tolerance(0.0);
        em.fit(&x).unwrap().mixture.means().clone()
    };
    let mut all = Vec::new();
    for seed in 0..5 {
        let means = start(Start::KMeans, seed);
        for k in 0..4 {
            let mine: Vec<usize> =
                (0..x.nrows()).filter(|&n| nearest(&means, n).1 == k).collect();
            let mean = x.select_rows(&mine).row_mean();
            assert_relative_eq!(means.row(k).into_owned(), mean, max_relative = 1e-9);
        }
        let spent = |means: &DMatrix<f64>| -> f64 {
            (0..x.nrows()).map(|n| nearest(means, n).0).sum()
        };
        assert!(spent(&means) < spent(&start(Start::KMeansPlusPlus, seed)));
        all.push(means);
    }
    assert!(all.iter().any(|means| *means != all[0]));

    let twice = DMatrix::from_fn(2 * x.nrows(), 2, |n, j| x[(n / 2, j)]);
    let fit = Em::new(2).start(Start::KMeans).seed(3).fit(&twice).unwrap();
    let weights = DVector::from_element(x.nrows(), 2.0);
    let same = Em::new(2).start(Start::KMeans).seed(3).fit_weighted(&x, &weights);
    assert_relative_eq!(
        fit.log_likelihood(),
        same.unwrap().log_likelihood(),
        max_relative = 1e-9
    );
}

/// A row of weight zero is no row, wherever it lies: not even the first, about which the shares of
/// given responsibilities might be measured.
#[test]
fn a_distant_row_without_weight_costs_given_responsibilities_nothing() -> Result<()> {
    let x = data::faithful();
    let n = x.nrows();
    let r = DMatrix::from_fn(n, 2, |i, k| f64::from((x[(i, 0)] > 3.0) == (k == 1)));
    let mut w = DVector::from_element(n + 1, 1.0);
    w[0] = 0.0;
    let (far, shared) = (x.clone().insert_row(0, 1e12), r.clone().insert_row(0, 0.5));
    let em = |r: DMatrix<f64>| Em::new(2).start(Start::Responsibilities(r));
    let (plain, padded) =
        (em(r.clone()).fit(&x)?, em(shared.clone()).fit_weighted(&far, &w)?);
    assert_close(&plain.mixture, &padded.mixture, 1e-12);
    let prior = Prior::from_data(&x)?;
    let vb = |r: DMatrix<f64>| {
        Vb::new(2).prior(prior.clone()).start(Start::Responsibilities(r))
    };
    let (plain, padded) = (vb(r).fit(&x)?, vb(shared).fit_weighted(&far, &w)?);
    assert_relative_eq!(plain.elbo(), padded.elbo(), max_relative = 1e-12);
    Ok(())
}

/// A component that given responsibilities leave empty is put elsewhere before the first mixture,
/// and the fit says so.
#[test]
fn a_start_that_was_reseeded_says_so() -> Result<()> {
    let x = data::faithful();
    let r = DMatrix::from_fn(x.nrows(), 2, |_, k| if k == 0 { 1.0 } else { 0.0 });
    let em = Em::new(2).start(Start::Responsibilities(r)).max_iterations(5);
    assert!(matches!(em.fit(&x), Err(Error::Collapse { component: 1, .. })));
    let fit = em.on_collapse(OnCollapse::Reseed).fit(&x)?;
    let first = fit.reseeded.first().expect("component 1 had no points");
    assert_eq!((first.iteration, first.component), (0, 1));
    Ok(())
}

/// A diagonal mixture costs K·D numbers, in a file as in a fit: with all D² of them written out
/// this one would take 7 GB.
#[test]
fn a_diagonal_mixture_of_many_dimensions_stays_small() -> Result<()> {
    let mut rng = rng(5);
    let x = DMatrix::from_fn(4, 30_000, |_, _| rng.random::<f64>());
    for shape in [Covariance::Diagonal, Covariance::Spherical] {
        let fit = Em::new(1).covariance(shape).fit(&x)?;
        let text = serde_json::to_string(&fit.mixture).expect("it is finite");
        let back: GaussianMixture = serde_json::from_str(&text).expect("it is one");
        assert_eq!(back.means().ncols(), 30_000);
        assert_eq!(back.shape(), shape);
    }
    Ok(())
}
