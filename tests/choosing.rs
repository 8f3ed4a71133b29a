//! Choosing the number of components and the shape: the table, held-out likelihood,
//! relabellings.

mod common;

use approx::assert_relative_eq;
use common::*;
use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{
    Choice, Choices, Concentration, Covariance, Criterion, Dirichlet, Em, EmFit,
    Error, Fitted, GaussianMixture, HeldOut, Posterior, Prior, Result, Start, Vb,
    choose, data,
};

const SHAPES: [Covariance; 4] = Covariance::ALL;

fn ln_factorial(n: usize) -> f64 {
    (1..=n).map(|i| (i as f64).ln()).sum()
}

fn fitted(row: &Choice) -> &Fitted {
    row.outcome.as_ref().unwrap()
}

/// ln π_k N(x_n | μ_k, Σ_k) of each row and component, as the formulas stand.
fn plain_log_joint(m: &GaussianMixture, x: &DMatrix<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(x.nrows(), m.weights().len(), |n, k| {
        let mean = m.means().row(k).transpose();
        let point = x.row(n).transpose();
        m.weights()[k].ln() + plain_log_density(&point, &mean, m.covariance(k))
    })
}

fn plain_log_densities(m: &GaussianMixture, x: &DMatrix<f64>) -> Vec<f64> {
    let joint = plain_log_joint(m, x).map(f64::exp);
    joint.row_iter().map(|row| row.sum().ln()).collect()
}

/// −2 Σ_n w_n ln max_k r_nk.
fn plain_doubt(m: &GaussianMixture, x: &DMatrix<f64>, w: &DVector<f64>) -> f64 {
    let joint = plain_log_joint(m, x).map(f64::exp);
    let terms = joint.row_iter().zip(w);
    terms.map(|(row, w)| -2.0 * w * (row.max() / row.sum()).ln()).sum()
}

/// By hand: weights, means and covariances in two dimensions.
fn plain_parameters(k: usize, shape: Covariance) -> usize {
    let covariances = match shape {
        Covariance::Full => 3 * k,
        Covariance::Tied => 3,
        Covariance::Diagonal => 2 * k,
        Covariance::Spherical => k,
        other => panic!("{other}"),
    };
    (k - 1) + 2 * k + covariances
}

#[test]
fn relabellings_count_the_components_that_differ() -> Result<()> {
    let x = data::faithful();
    let prior = Prior { alpha0: 0.7, ..Prior::from_data(&x)? };
    let posterior = |counts: &DVector<f64>| {
        let weights = Dirichlet::new(counts.add_scalar(prior.alpha0))?;
        let component = prior.gaussian_wishart()?;
        Posterior::new(prior.clone(), weights, vec![component; counts.len()])
    };
    for (counts, k, empty) in [
        (dvector![272.0], 1, 0),
        (dvector![0.0], 1, 1),
        (dvector![100.0, 72.0, 50.0, 50.0], 4, 0),
        (dvector![100.0, 0.0, 172.0, 0.49, 0.51], 5, 2),
        (dvector![0.0, 0.0, 0.0], 3, 3),
    ] {
        let found = posterior(&counts)?.log_relabellings().unwrap();
        let expected = ln_factorial(k) - ln_factorial(empty);
        assert_relative_eq!(found, expected, epsilon = 1e-12);
    }
    let r = DMatrix::from_fn(272, 3, |n, k| f64::from(u8::from(n % 2 == k)));
    let two = Posterior::from_responsibilities(&prior, &x, &r)?;
    let found = two.log_relabellings().unwrap();
    assert_relative_eq!(found, 6.0_f64.ln(), epsilon = 1e-12);
    Ok(())
}

#[test]
fn every_number_of_the_table_is_its_formula() -> Result<()> {
    let x = data::faithful();
    let em = Em::new(9).restarts(3).seed(7);
    let prior = Prior { alpha0: 0.3, ..Prior::from_data(&x)? };
    let vb = Vb::new(9).prior(prior).restarts(2).seed(5);
    let choices =
        choose(1..=3, &SHAPES).em(em.clone()).vb(vb.clone()).folds(4).fit(&x)?;
    let models: Vec<(Covariance, usize)> =
        choices.rows().iter().map(|row| (row.covariance, row.components)).collect();
    let expected: Vec<(Covariance, usize)> =
        SHAPES.iter().flat_map(|&shape| (1..=3).map(move |k| (shape, k))).collect();
    assert_eq!(models, expected);

    let ones = DVector::from_element(272, 1.0);
    for row in choices.rows() {
        let (k, shape) = (row.components, row.covariance);
        let em = Em::new(k).covariance(shape).restarts(3).seed(7);
        let found = fitted(row);
        assert_eq!(found.fit, em.fit(&x)?);

        let m = &found.fit.mixture;
        let l: f64 = plain_log_densities(m, &x).iter().sum();
        let p = plain_parameters(k, shape) as f64;
        assert_eq!(found.parameters as f64, p);
        assert_relative_eq!(found.log_likelihood, l, max_relative = 1e-11);
        assert_relative_eq!(found.aic, -2.0 * l + 2.0 * p, max_relative = 1e-11);
        let bic = -2.0 * l + p * 272.0_f64.ln();
        assert_relative_eq!(found.bic, bic, max_relative = 1e-11);
        let icl = bic + plain_doubt(m, &x, &ones);
        assert_relative_eq!(found.icl, icl, max_relative = 1e-11);

        let held_out = row.held_out.as_ref().unwrap().as_ref().unwrap();
        assert_eq!(held_out, &em.cross_validate(&x, 4)?);

        let prior = Prior { alpha0: 0.3, ..Prior::from_data(&x)? };
        let vb =
            Vb::new(k).covariance(shape).prior(prior).restarts(2).seed(5).fit(&x)?;
        assert_eq!(row.vb.as_ref().unwrap().as_ref().unwrap(), &vb);
        let counts = vb.posterior.alpha().add_scalar(-0.3);
        let empty = counts.iter().filter(|count| **count < 0.5).count();
        let namings = ln_factorial(k) - ln_factorial(empty);
        for (criterion, value) in [
            (Criterion::Aic, found.aic),
            (Criterion::Bic, found.bic),
            (Criterion::Icl, found.icl),
            (Criterion::HeldOut, held_out.log_density.sum()),
            (Criterion::Elbo, vb.elbo()),
            (Criterion::RelabelledElbo, vb.elbo() + namings),
        ] {
            let found = row.value(criterion).unwrap();
            assert_relative_eq!(found, value, max_relative = 1e-13);
        }
    }
    Ok(())
}

#[test]
fn the_best_is_the_smallest_or_the_largest() -> Result<()> {
    let x = data::faithful();
    let choices = choose(1..=4, &SHAPES)
        .em(Em::new(1).restarts(2))
        .vb(Vb::new(1))
        .folds(2)
        .fit(&x)?;
    for (criterion, sign) in [
        (Criterion::Aic, 1.0),
        (Criterion::Bic, 1.0),
        (Criterion::Icl, 1.0),
        (Criterion::HeldOut, -1.0),
        (Criterion::Elbo, -1.0),
        (Criterion::RelabelledElbo, -1.0),
    ] {
        let cost = |row: &Choice| sign * row.value(criterion).unwrap();
        let best = choices.best(criterion).unwrap();
        assert!(choices.rows().iter().all(|row| cost(row) >= cost(best)));
        assert_eq!(criterion.smaller_is_better(), sign > 0.0);
    }
    let few = choose([2, 1], &[Covariance::Full]).em(Em::new(1)).fit(&x)?;
    assert!(few.best(Criterion::HeldOut).is_none());
    assert!(few.best(Criterion::Elbo).is_none());
    assert_eq!(few.rows()[0].components, 2);
    let twice = choose([1], &[Covariance::Tied, Covariance::Full]).fit(&x)?;
    // Of one component, tied and full are the same.
    assert_eq!(twice.best(Criterion::Bic).unwrap().covariance, Covariance::Tied);
    Ok(())
}

/// The plain loop: fit to the others, judge the fold.
#[test]
fn held_out_rows_are_judged_by_the_others() -> Result<()> {
    let x = data::faithful();
    for (em, folds) in [
        (Em::new(2).restarts(3).seed(7), 5),
        (Em::new(3).seed(1).covariance(Covariance::Diagonal), 3),
        (Em::new(1), 272),
    ] {
        let found = em.cross_validate(&x, folds)?;
        let sizes: Vec<usize> = (0..folds)
            .map(|fold| found.folds.iter().filter(|&&f| f == fold).count())
            .collect();
        let (least, most) =
            (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        assert!(*least > 0 && most - least <= 1, "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 272);

        for fold in (0..folds).step_by(folds.div_ceil(5)) {
            let of = |held: bool| -> Vec<usize> {
                (0..272).filter(|&n| (found.folds[n] == fold) == held).collect()
            };
            let fit = em.fit(&x.select_rows(&of(false)))?;
            let plain = plain_log_densities(&fit.mixture, &x.select_rows(&of(true)));
            for (n, log_density) in of(true).into_iter().zip(plain) {
                let found = found.log_density[n];
                assert_relative_eq!(found, log_density, max_relative = 1e-10);
            }
        }
        let values = found.log_density.as_slice();
        let (mean, error) = mean_and_error(values);
        assert_relative_eq!(found.total(), 272.0 * mean, max_relative = 1e-12);
        assert_relative_eq!(found.per_point().mean, mean, max_relative = 1e-12);
        let per_point = found.per_point().standard_error;
        assert_relative_eq!(per_point, error, max_relative = 1e-12);
    }
    Ok(())
}

#[test]
fn folds_are_dealt_by_the_seed_alone() -> Result<()> {
    let x = data::faithful();
    let (one, two) = (Em::new(1).seed(3), Em::new(2).seed(3).restarts(2));
    let (a, b) = (one.cross_validate(&x, 10)?, two.cross_validate(&x, 10)?);
    assert_eq!(a.folds, b.folds);
    assert_ne!(a.folds, one.clone().seed(4).cross_validate(&x, 10)?.folds);
    assert_ne!(a.folds, (0..272).map(|n| n % 10).collect::<Vec<_>>());

    let gain = b.compare(&a)?;
    let differences = &b.log_density - &a.log_density;
    let (mean, error) = mean_and_error(differences.as_slice());
    assert_relative_eq!(gain.mean, mean, max_relative = 1e-12);
    assert_relative_eq!(gain.standard_error, error, max_relative = 1e-12);
    assert!(gain.mean > 5.0 * gain.standard_error);
    assert_relative_eq!(a.compare(&b)?.mean, -mean, max_relative = 1e-12);
    Ok(())
}

#[test]
fn starts_that_are_given_are_used_in_each_fold() -> Result<()> {
    let x = data::faithful();
    let means = dmatrix![2.0, 54.0; 4.3, 80.0];
    let given = Em::new(2).max_iterations(0);
    let by_means = given.clone().start(Start::Means(means.clone()));
    let found = by_means.cross_validate(&x, 3)?;
    let start = GaussianMixture::new(
        dvector![0.5, 0.5],
        means,
        vec![DMatrix::identity(2, 2) * 3.0; 2],
    )?;
    let by_mixture = given.clone().start(Start::Given(start.clone()));
    let same = by_mixture.cross_validate(&x, 3)?;
    assert_relative_eq!(
        same.log_density,
        start.log_density(&x)?,
        max_relative = 1e-12
    );
    assert_ne!(same.log_density, found.log_density);

    // Responsibilities: each fit sees those of its rows.
    let r = start.responsibilities(&x)?;
    let by_shares = given.start(Start::Responsibilities(r.clone()));
    let found = by_shares.cross_validate(&x, 3)?;
    let kept: Vec<usize> = (0..272).filter(|&n| found.folds[n] != 0).collect();
    let held: Vec<usize> = (0..272).filter(|&n| found.folds[n] == 0).collect();
    let start = Start::Responsibilities(r.select_rows(&kept));
    let fit = Em::new(2).max_iterations(0).start(start).fit(&x.select_rows(&kept))?;
    let log_density = fit.mixture.log_density(&x.select_rows(&held))?;
    assert_eq!(log_density, found.log_density.select_rows(&held));
    Ok(())
}

/// A weight of two is the row twice, in everything but the folds.
#[test]
fn integer_weights_are_repeated_rows() -> Result<()> {
    let x = data::faithful();
    let weights = DVector::from_fn(272, |n, _| (n % 4) as f64);
    let repeated: Vec<usize> =
        (0..272).flat_map(|n| std::iter::repeat_n(n, n % 4)).collect();
    let rows = x.select_rows(&repeated);
    let start = Start::Given(Em::new(2).fit(&x)?.mixture);
    let prior = Prior::from_data(&x)?;
    for shape in SHAPES {
        let em = Em::new(1).start(start.clone()).max_iterations(20).tolerance(0.0);
        let vb = Vb::new(1).start(start.clone()).max_iterations(20).tolerance(0.0);
        let table = choose([2], &[shape]).em(em).vb(vb.prior(prior.clone()));
        let (one, two) = (table.fit_weighted(&x, &weights)?, table.fit(&rows)?);
        let (one, two) = (&one.rows()[0], &two.rows()[0]);
        let (a, b) = (fitted(one), fitted(two));
        assert_eq!(a.parameters, b.parameters);
        let l = b.log_likelihood;
        assert_relative_eq!(a.log_likelihood, l, max_relative = 1e-11);
        for criterion in [
            Criterion::Aic,
            Criterion::Bic,
            Criterion::Icl,
            Criterion::Elbo,
            Criterion::RelabelledElbo,
        ] {
            let (a, b) =
                (one.value(criterion).unwrap(), two.value(criterion).unwrap());
            assert_relative_eq!(a, b, max_relative = 1e-11);
        }
        let bic = -2.0 * l + b.parameters as f64 * (repeated.len() as f64).ln();
        assert_relative_eq!(a.bic, bic, max_relative = 1e-11);
        let icl = bic + plain_doubt(&a.fit.mixture, &x, &weights);
        assert_relative_eq!(a.icl, icl, max_relative = 1e-11);
    }
    Ok(())
}

#[test]
fn weights_count_in_the_held_out_likelihood() -> Result<()> {
    let x = data::faithful();
    let weights = DVector::from_fn(272, |n, _| 0.5 * (n % 4) as f64);
    let start = Start::Given(Em::new(2).fit(&x)?.mixture);
    let em = Em::new(2).start(start).seed(2);
    let found = em.cross_validate_weighted(&x, &weights, 6)?;
    assert_eq!(found.weights, weights);
    for fold in 0..6 {
        let kept: Vec<usize> = (0..272).filter(|&n| found.folds[n] != fold).collect();
        let w = weights.select_rows(&kept);
        let fit = em.fit_weighted(&x.select_rows(&kept), &w)?;
        let all = fit.mixture.log_density(&x)?;
        for n in (0..272).filter(|&n| found.folds[n] == fold) {
            assert_relative_eq!(found.log_density[n], all[n], max_relative = 1e-12);
        }
    }
    let total: f64 = found.log_density.dot(&weights);
    assert_relative_eq!(found.total(), total, max_relative = 1e-12);
    let per_point = found.per_point();
    assert_relative_eq!(per_point.mean, total / weights.sum(), max_relative = 1e-12);

    // The error is that of the rows repeated, had the weights been whole numbers.
    let mut doubled: HeldOut = found.clone();
    doubled.weights *= 2.0;
    let repeated: Vec<f64> = (0..272)
        .flat_map(|n| std::iter::repeat_n(found.log_density[n], n % 4))
        .collect();
    let (mean, error) = mean_and_error(&repeated);
    assert_relative_eq!(doubled.per_point().mean, mean, max_relative = 1e-12);
    let found_error = doubled.per_point().standard_error;
    assert_relative_eq!(found_error, error, max_relative = 1e-12);

    // So is that of a difference; and rows without weight may be as improbable as
    // they like.
    let mut other = doubled.clone();
    for n in 0..272 {
        other.log_density[n] +=
            if n % 4 == 0 { f64::NEG_INFINITY } else { x[(n, 0)] };
    }
    let gain = other.compare(&doubled)?;
    let repeated: Vec<f64> =
        (0..272).flat_map(|n| std::iter::repeat_n(x[(n, 0)], n % 4)).collect();
    let (mean, error) = mean_and_error(&repeated);
    assert_relative_eq!(gain.mean, mean, max_relative = 1e-12);
    assert_relative_eq!(gain.standard_error, error, max_relative = 1e-12);
    assert!(other.total().is_finite() && other.per_point().mean.is_finite());

    // Rows without weight change nothing: not the folds of the others, and no fit.
    let more = x.clone().insert_rows(272, 30, 1000.0);
    let with_zeros = weights.clone().insert_rows(272, 30, 0.0);
    let again = em.cross_validate_weighted(&more, &with_zeros, 6)?;
    for n in (0..272).filter(|n| weights[*n] > 0.0) {
        assert_eq!(again.folds[n], found.folds[n]);
        let (a, b) = (again.log_density[n], found.log_density[n]);
        assert_relative_eq!(a, b, max_relative = 1e-10);
    }
    assert_relative_eq!(again.total(), found.total(), max_relative = 1e-11);
    Ok(())
}

/// With a prior the fit climbs the posterior, but the table compares likelihoods.
#[test]
fn a_prior_stays_out_of_the_likelihood() -> Result<()> {
    let x = data::faithful();
    let em = Em::new(1).prior(Prior::for_components(&x, 2)?);
    let choices = choose([2, 20], &SHAPES).em(em.clone()).fit(&x)?;
    for row in choices.rows() {
        let found = fitted(row);
        let l: f64 = plain_log_densities(&found.fit.mixture, &x).iter().sum();
        assert_relative_eq!(found.log_likelihood, l, max_relative = 1e-11);
        let aic = -2.0 * l + 2.0 * found.parameters as f64;
        assert_relative_eq!(found.aic, aic, max_relative = 1e-11);
        assert!(found.fit.log_prior.abs() > 1.0);
    }
    Ok(())
}

/// Thirty rows, three of them the same: K = 8 collapses, K = 40 is too many.
fn with_failures() -> Result<Choices> {
    let mut x = data::faithful().rows(0, 30).into_owned();
    for n in 1..3 {
        let row = x.row(0).into_owned();
        x.set_row(n, &row);
    }
    choose([1, 2, 12, 40], &[Covariance::Full])
        .em(Em::new(1).restarts(2))
        .vb(Vb::new(1).seed(3))
        .folds(3)
        .fit(&x)
}

#[test]
fn a_failure_costs_a_row_and_not_the_table() -> Result<()> {
    let choices = with_failures()?;
    let [one, two, collapsed, too_many] = choices.rows() else { panic!() };
    assert!(one.outcome.is_ok() && two.outcome.is_ok());
    assert!(matches!(collapsed.outcome, Err(Error::Collapse { .. })));
    assert!(matches!(too_many.outcome, Err(Error::Components { .. })));
    assert!(collapsed.held_out.is_none() && too_many.held_out.is_none());
    assert!(matches!(too_many.vb, Some(Err(Error::Components { .. }))));
    // No prior collapses.
    assert!(collapsed.value(Criterion::Elbo).is_some());
    assert_eq!(collapsed.value(Criterion::Aic), None);
    for criterion in
        [Criterion::Aic, Criterion::Bic, Criterion::Icl, Criterion::HeldOut]
    {
        assert!(choices.best(criterion).unwrap().components <= 2);
    }
    let text = choices.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[3].contains(" collapsed "), "{text}");
    assert!(
        lines[4].contains(" too few points ") && !lines[4].contains('*'),
        "{text}"
    );
    assert_eq!(lines[4].matches("too few points").count(), 2, "{text}");

    // All of them: there is a table, and no best.
    let x = data::faithful().rows(0, 5).into_owned();
    let none = choose(6..=7, &SHAPES).fit(&x)?;
    assert!(none.best(Criterion::Aic).is_none() && none.rows().len() == 8);
    assert!(none.chart(Criterion::Aic).to_svg().is_err());
    Ok(())
}

/// A fit that succeeds on all rows and collapses without those of a fold.
#[test]
fn a_fold_that_fails_is_named() -> Result<()> {
    // Four points far away: three of them are the same.
    let mut x = data::faithful().rows(0, 60).into_owned();
    for n in 0..4 {
        x[(n, 0)] = 100.0;
        x[(n, 1)] = 1000.0 - 0.5 * f64::from(u8::from(n == 0));
    }
    x[(1, 0)] = 100.5;
    let em = Em::new(2);
    let fault = em.cross_validate(&x, 60).unwrap_err();
    let Error::Fold { fold, folds: 60, fault } = &fault else { panic!("{fault}") };
    let all = Em::new(1).cross_validate(&x, 60)?;
    let row = all.folds.iter().position(|f| f == fold).unwrap();
    assert!(row < 2, "without row {row} the others lie on a line");
    assert!(matches!(**fault, Error::Collapse { .. }));
    let text = em.cross_validate(&x, 60).unwrap_err().to_string();
    assert!(
        text.contains(&format!("fold {fold} of 60 held out: component")),
        "{text}"
    );
    let first = (0..2).map(|n| all.folds[n]).min();
    assert_eq!(first, Some(*fold));

    let choices = choose(1..=2, &[Covariance::Full]).em(em).folds(60).fit(&x)?;
    let row = &choices.rows()[1];
    assert!(row.outcome.is_ok());
    assert!(matches!(row.held_out, Some(Err(Error::Fold { .. }))));
    assert_eq!(choices.best(Criterion::HeldOut).unwrap().components, 1);
    assert_eq!(choices.best(Criterion::Bic).unwrap().components, 2);
    assert!(choices.to_string().lines().nth(2).unwrap().ends_with(" collapsed"));
    Ok(())
}

#[test]
fn other_failures_are_errors() {
    let x = data::faithful();
    let says = |result: Result<Choices>, words: &[&str]| {
        let text = result.unwrap_err().to_string();
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    };
    let full = [Covariance::Full];
    says(choose([], &full).fit(&x), &["components", "none"]);
    says(choose([1], &[]).fit(&x), &["shapes", "none"]);
    says(choose(0..3, &full).fit(&x), &["components = 0", "at least one"]);
    says(choose([1, 2, 1], &full).fit(&x), &["1, twice"]);
    says(choose([1], &[full[0], full[0]]).fit(&x), &["full, twice"]);
    says(choose(1.., &full).fit(&x), &["more than 1000"]);
    says(choose([1], &full).folds(1).fit(&x), &["folds = 1", "2 to 272"]);
    says(choose([1], &full).folds(273).fit(&x), &["folds = 273"]);
    says(choose([1], &full).em(Em::new(1).restarts(0)).fit(&x), &["restarts"]);
    says(choose([1], &full).vb(Vb::new(1).restarts(0)).fit(&x), &["restarts"]);
    let start = Start::Means(dmatrix![1.0, 2.0]);
    says(choose([2], &full).em(Em::new(1).start(start)).fit(&x), &["Start::Means"]);
    let mut bad = x.clone();
    bad[(3, 1)] = f64::NAN;
    says(choose([1], &full).fit(&bad), &["NaN", "row 3"]);
    bad.column_mut(1).fill(1.0);
    says(choose([1], &full).fit(&bad), &["constant"]);
    says(choose([1], &full).fit_weighted(&x, &dvector![1.0]), &["weights"]);

    let few = |folds| Em::new(1).cross_validate(&x, folds).unwrap_err().to_string();
    assert!(few(0).contains("folds = 0") && few(273).contains("2 to 272"));
    let weights = DVector::from_fn(272, |n, _| f64::from(u8::from(n < 9)));
    let text = Em::new(1).cross_validate_weighted(&x, &weights, 10).unwrap_err();
    assert!(text.to_string().contains("2 to 9"), "{text}");
    assert!(Em::new(1).cross_validate_weighted(&x, &weights, 3).is_ok());

    let a = Em::new(1).cross_validate(&x, 2).unwrap();
    let b = Em::new(1).cross_validate(&x.rows(0, 100), 2).unwrap();
    assert!(a.compare(&b).unwrap_err().to_string().contains("100 rows"));
    let c = Em::new(1).cross_validate_weighted(&x, &weights, 2).unwrap();
    assert!(a.compare(&c).unwrap_err().to_string().contains("weighted alike"));
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() -> Result<()> {
    let (x, _) = data::sample_notebook(3000, &mut rng(6))?;
    let table = choose([1, 3], &SHAPES)
        .em(Em::new(1).restarts(3).seed(1).max_iterations(10))
        .vb(Vb::new(1).restarts(2).max_iterations(10))
        .folds(5);
    let one = |threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| table.fit(&x))
    };
    let first = one(1)?;
    for threads in [2, 3, 8] {
        assert_eq!(one(threads)?, first);
    }
    Ok(())
}

#[test]
fn a_table_survives_json_bit_for_bit() -> Result<()> {
    let choices = with_failures()?;
    let json = serde_json::to_string(&choices).unwrap();
    assert_eq!(serde_json::from_str::<Choices>(&json).unwrap(), choices);
    let table = choose(1..3, &SHAPES).folds(4).vb(Vb::new(1));
    let json = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<mixtures::Choose>(&json).unwrap(), table);
    let fit: EmFit = fitted(&choices.rows()[0]).fit.clone();
    assert!(json.len() > 10 && fit.converged);
    Ok(())
}

#[test]
fn it_prints_as_a_table() -> Result<()> {
    let x = data::faithful();
    let table = choose(1..=2, &[Covariance::Full, Covariance::Tied]).em(Em::new(1));
    assert_eq!(
        format!("{:.1}", table.fit(&x)?),
        "\
shape  K  parameters  ln p(X)     AIC      BIC      ICL
full   1           5  -1289.8  2589.6   2607.6   2607.6
full   2          11  -1130.3  2282.5*  2322.2*  2322.7*
tied   1           5  -1289.8  2589.6   2607.6   2607.6
tied   2           8  -1140.2  2296.4   2325.2   2326.7"
    );
    let all = table.vb(Vb::new(1)).folds(5).fit(&x)?;
    assert_eq!(
        format!("{all:.0}"),
        "\
shape  K  parameters  ln p(X)   AIC    BIC    ICL   held-out    ELBO   + ln(K!/m!)
full   1           5    -1290  2590   2608   2608      -1294   -1305         -1305
full   2          11    -1130  2283*  2322*  2323*     -1144*  -1179         -1178
tied   1           5    -1290  2590   2608   2608      -1294   -1305         -1305
tied   2           8    -1140  2296   2325   2327      -1148   -1177*        -1176*"
    );
    let default = all.to_string();
    assert_eq!(default, format!("{all:.2}"));
    let widths: Vec<usize> = default.lines().map(|line| line.len()).collect();
    assert!(widths.iter().all(|w| widths[0].abs_diff(*w) <= 1), "{default}");

    // A Dirichlet process has no relabellings, and so no column of them.
    let process = Concentration::DirichletProcess { alpha: 1.0 };
    let all = choose([2], &[Covariance::Full])
        .vb(Vb::new(1).concentration(process))
        .fit(&x)?;
    assert!(all.best(Criterion::RelabelledElbo).is_none());
    assert!(all.to_string().lines().next().unwrap().ends_with("ELBO"));
    Ok(())
}

#[test]
fn a_chart_has_a_line_for_each_shape() -> Result<()> {
    let x = data::faithful();
    let one = choose([3, 1, 2], &[Covariance::Full]).folds(3).fit(&x)?;
    let svg = one.chart(Criterion::HeldOut).to_svg()?;
    assert!(svg.contains("held-out log likelihood (larger is better)"), "{svg}");
    assert!(!svg.contains(">full<"));
    assert!(svg.contains(">2<") && !svg.contains(">1.5<"));
    let ordered = choose([1, 2, 3], &[Covariance::Full]).folds(3).fit(&x)?;
    assert_eq!(ordered.chart(Criterion::HeldOut).to_svg()?, svg);
    let svg = choose(1..=3, &SHAPES).fit(&x)?.chart(Criterion::Icl).to_svg()?;
    for text in ["ICL (smaller is better)", "full", "tied", "diagonal", "spherical"] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(one.chart(Criterion::Elbo).to_svg().is_err());
    with_failures()?.chart(Criterion::Bic).to_svg()?;
    Ok(())
}

/// Each option does something, and nothing else.
#[test]
fn options_reach_the_fits() -> Result<()> {
    let x = data::faithful();
    let full = [Covariance::Full];
    let fit_of = |choices: Choices| fitted(&choices.rows()[0]).fit.clone();
    assert_eq!(fit_of(choose([2], &full).fit(&x)?).restarts.len(), 10);
    let em = Em::new(1).restarts(4).max_iterations(3);
    let fit = fit_of(choose([2], &full).em(em).fit(&x)?);
    assert_eq!((fit.restarts.len(), fit.iterations), (4, 3));
    let row = choose([2], &full).fit(&x)?.rows()[0].clone();
    assert!(row.held_out.is_none() && row.vb.is_none());
    let folds = |n| {
        let choices = choose([2], &full).folds(n).fit(&x)?;
        let found = choices.rows()[0].held_out.clone().unwrap()?;
        Ok::<usize, Error>(*found.folds.iter().max().unwrap())
    };
    assert_eq!((folds(3)?, folds(7)?), (2, 6));
    let vb = Vb::new(1).prior(Prior { beta0: 0.2, ..Prior::from_data(&x)? });
    let choices = choose([3], &[Covariance::Tied]).vb(vb).fit(&x)?;
    let posterior = choices.rows()[0].vb.clone().unwrap()?.posterior;
    assert_eq!(posterior.prior().beta0, 0.2);
    assert_eq!(
        (posterior.component_count(), posterior.shape()),
        (3, Covariance::Tied)
    );
    Ok(())
}
