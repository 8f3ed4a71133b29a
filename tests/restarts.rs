//! Restarts, and components put elsewhere when they collapse: what they are for, and that neither
//! depends on the number of threads.

mod common;

use common::shapes::*;
use common::*;
use mixtures::math::{rng, rng_stream};
use mixtures::nalgebra::{DMatrix, dmatrix, dvector};
use mixtures::{
    Covariance, Em, EmFit, Error, GaussianMixture, OnCollapse, Prior, Result, Start,
    Vb, data,
};

/// One, two and eight threads.
fn on_threads<T: Send + PartialEq + std::fmt::Debug>(
    fit: impl Fn() -> T + Sync,
) -> T {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(&fit)
    };
    let one = on(1);
    for threads in [2, 8] {
        assert_eq!(on(threads), one);
    }
    one
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() -> Result<()> {
    let x = clumps(3000, 4, 5, &mut rng(700));
    for shape in SHAPES {
        let em = Em::new(4).covariance(shape).restarts(3).seed(1).max_iterations(10);
        on_threads(|| em.fit(&x).unwrap());
        let map = em.prior(Prior::for_components(&x, 4)?);
        on_threads(|| map.fit(&x).unwrap());
        let vb = Vb::new(4).covariance(shape).restarts(3).seed(1).max_iterations(10);
        on_threads(|| vb.fit(&x).unwrap());
    }
    Ok(())
}

/// Two wide clumps, and within them three rows that are the same: a component that starts on those
/// alone collapses.
fn trap() -> (DMatrix<f64>, GaussianMixture) {
    let mut x = clumps(80, 2, 2, &mut rng(701));
    let first = x.row(0).into_owned();
    (1..3).for_each(|n| x.set_row(n, &first));
    let eye = DMatrix::identity(2, 2);
    let start = GaussianMixture::new(
        dvector![0.4, 0.4, 0.2],
        dmatrix![1.0, 1.0; -1.0, -1.0; first[0], first[1]],
        vec![&eye * 9.0, &eye * 8.0, &eye * 1e-6],
    );
    (x, start.unwrap())
}

/// The trace falls at marks alone, and ends at the mixture that is returned.
fn assert_marked(fit: &EmFit, x: &DMatrix<f64>) {
    for (i, pair) in fit.trace.windows(2).enumerate() {
        let marked = fit.reseeded.iter().any(|r| r.iteration == i + 1);
        let allowed = 1e-12 * (80.0 + pair[0].abs());
        assert!(marked || pair[1] >= pair[0] - allowed, "{i}: {pair:?}");
    }
    assert!(fit.reseeded.is_sorted_by_key(|r| r.iteration));
    let end: f64 = fit.mixture.log_density(x).unwrap().sum();
    assert!((end - fit.log_likelihood()).abs() < 1e-9 * end.abs());
}

#[test]
fn a_collapse_stops_or_is_reseeded() -> Result<()> {
    let (x, start) = trap();
    let em = Em::new(3).start(Start::Given(start.clone())).seed(5);
    let fault = em.fit(&x).unwrap_err();
    assert!(matches!(fault, Error::Collapse { component: 2, .. }), "{fault}");
    let em = em.on_collapse(OnCollapse::Reseed);
    let fit = on_threads(|| em.fit(&x).unwrap());
    assert_marked(&fit, &x);
    let first = fit.reseeded[0];
    assert_eq!(first.component, 2);
    assert!(fit.converged, "{:?}", fit.reseeded.len());
    assert!(fit.mixture.weights().min() > 0.05);
    // It begins anew with N/K points, at a row.
    let counts = start.responsibilities(&x)?.row_sum();
    let m = em.clone().max_iterations(1).fit(&x)?.mixture;
    let share = m.weights()[2] / (m.weights()[0] + m.weights()[1]);
    assert!((share - 80.0 / 3.0 / (counts[0] + counts[1])).abs() < 1e-12);
    let near = |row: usize| (x.row(row) - m.means().row(2)).amax() < 1e-12;
    assert!((0..80).any(near));
    // A fit without a collapse is the same with or without.
    let calm = Em::new(2).seed(1);
    let iris = data::iris();
    let same = calm.clone().on_collapse(OnCollapse::Reseed).fit(&iris)?;
    assert!(same.reseeded.is_empty());
    assert_eq!(calm.fit(&iris)?, same);
    Ok(())
}

/// In all shapes, from random starts on points of which many are equal, and components without
/// points: it goes on to the end of the iterations, converges, or gives up after fifty, and falls at
/// marks alone.
#[test]
fn reseeding_goes_on_in_every_shape() -> Result<()> {
    let (mut reseeded, mut fell, mut ends, mut gave_up) = (0, 0, 0, 0);
    for (shape, seed) in SHAPES.into_iter().flat_map(|s| (0..40).map(move |i| (s, i)))
    {
        let mut rng = rng_stream(702, seed);
        let mut x = clumps(40, 2, 4, &mut rng).map(|v| v.round());
        x.row_mut(0).fill(0.3);
        let em = Em::new(6).covariance(shape).seed(seed).max_iterations(150);
        let em = em.start(Start::RandomPoints).tolerance(1e-9);
        let stop = em.fit(&x);
        let fit = match em.on_collapse(OnCollapse::Reseed).fit(&x) {
            Err(Error::Collapse { .. }) => {
                gave_up += 1;
                continue;
            }
            found => found?,
        };
        assert_marked(&fit, &x);
        assert!(fit.reseeded.len() <= 50);
        assert_eq!(stop.is_err(), !fit.reseeded.is_empty(), "{shape}, {seed}");
        reseeded += fit.reseeded.len();
        ends += usize::from(fit.converged);
        let falls = |i: &usize| fit.trace[*i] < fit.trace[i - 1];
        fell += fit.reseeded.iter().map(|r| r.iteration).filter(falls).count();
    }
    println!(
        "{reseeded} reseeded, {fell} falls; of 160 {ends} converged, {gave_up} gave up"
    );
    assert!(reseeded > 20 && fell > 20 && ends > 20);
    assert!(gave_up > 0 && gave_up < 120);
    Ok(())
}

/// Nine small clumps in three groups: from most starts two components share a group that wants
/// three, and no update can move one across.
fn hard() -> DMatrix<f64> {
    let mut rng = rng(703);
    DMatrix::from_fn(180, 2, |n, j| {
        let (group, clump) = (n % 3, n / 3 % 3);
        let centre = [[0.0, 0.0], [40.0, 0.0], [0.0, 40.0]][group][j];
        let aside = [[0.0, 0.0], [6.0, 1.0], [2.0, 7.0]][clump][j];
        centre + aside + noise(1, &mut rng)[0]
    })
}

#[test]
fn restarts_find_what_one_start_misses() -> Result<()> {
    let x = hard();
    let em =
        Em::new(9).covariance(Covariance::Spherical).start(Start::KMeansPlusPlus);
    let em = em.on_collapse(OnCollapse::Reseed).tolerance(1e-5).max_iterations(200);
    // The best known: from the truth.
    let r = DMatrix::from_fn(180, 9, |n, k| f64::from(u8::from(n % 9 == k)));
    let truth =
        em.clone().start(Start::Responsibilities(r)).fit(&x)?.log_likelihood();
    let found = |restarts: usize| -> Result<usize> {
        let mut found = 0;
        for seed in 0..100 {
            let end =
                em.clone().seed(seed).restarts(restarts).fit(&x)?.log_likelihood();
            assert!(end < truth + 1.0, "better than the truth: {end}");
            found += usize::from(end > truth - 1.0);
        }
        Ok(found)
    };
    let (one, twenty) = (found(1)?, found(20)?);
    println!("{one} of 100 with one start, {twenty} with twenty");
    assert!(one <= 60 && twenty >= 95);
    Ok(())
}

/// Each restart is a climb of its own, the best is kept, and a collapse is one start's bad luck.
#[test]
fn restarts_of_every_shape_restart() -> Result<()> {
    let x = data::iris();
    for shape in SHAPES {
        let em = Em::new(4).covariance(shape).start(Start::RandomPoints).seed(2);
        let em = em.max_iterations(12);
        let many = em.clone().restarts(12).fit(&x)?;
        let mut ends: Vec<f64> = many.restarts.iter().flatten().copied().collect();
        ends.sort_by(f64::total_cmp);
        assert_eq!(many.log_likelihood(), *ends.last().unwrap());
        ends.dedup();
        assert!(ends.len() > 6, "{shape}: {ends:?}");
        let vb = Vb::new(4).covariance(shape).start(Start::RandomPoints).seed(2);
        let many = vb.max_iterations(5).restarts(12).fit(&x)?;
        let mut ends: Vec<f64> = many.restarts.iter().flatten().copied().collect();
        ends.sort_by(f64::total_cmp);
        assert_eq!(many.elbo(), *ends.last().unwrap());
        ends.dedup();
        assert!(ends.len() > 6, "{shape}: {ends:?}");
    }
    let given = Start::Responsibilities(DMatrix::from_element(150, 4, 0.25));
    let fault = Em::new(4).start(given).restarts(2).fit(&x).unwrap_err();
    assert!(matches!(fault, Error::Option { .. }), "{fault}");
    Ok(())
}
