//! Against scikit-learn 1.9.1: what it says, recorded in `data/scikit_learn.json`, where it is
//! right, and what explains the difference where it is not.

mod common;

use approx::assert_relative_eq;
use common::scikit_learn::{equal_parts, number, recorded};
use mixtures::nalgebra::dmatrix;
use mixtures::{Covariance, Em, Prior, Result, Start, Vb, data};

#[test]
fn em_without_its_ridge_is_the_same_in_every_shape() -> Result<()> {
    let recorded = recorded();
    for shape in Covariance::ALL {
        let theirs = recorded["em"][shape.to_string()].as_array().unwrap();
        for (iterations, theirs) in [1, 5, 50].into_iter().zip(theirs) {
            let fit = Em::new(2)
                .covariance(shape)
                .start(Start::Means(dmatrix![2.0, 55.0; 4.5, 80.0]))
                .tolerance(0.0)
                .max_iterations(iterations)
                .fit(&data::faithful())?;
            let (ours, theirs) = (fit.log_likelihood(), number(theirs));
            assert_relative_eq!(ours, theirs, max_relative = 1e-9);
        }
    }
    Ok(())
}

/// A Wishart that K components share has seen all N points, and not N/K; a variance of its own
/// has another prior than a D×D matrix, and a spherical one sees D N_k numbers.
#[test]
fn shared_and_diagonal_precisions_count_their_points() -> Result<()> {
    let x = data::faithful();
    let recorded = recorded();
    let prior = Prior { alpha0: 1.0, beta0: 0.1, nu0: 4.0, ..Prior::from_data(&x)? };
    let counts = |shape| -> Result<(f64, f64, f64)> {
        let start = Start::Responsibilities(equal_parts(&x, 2));
        let vb = Vb::new(2).prior(prior.clone()).covariance(shape).start(start);
        let q = vb.tolerance(0.0).max_iterations(1000).fit(&x)?.posterior;
        Ok((q.nu()[0], q.counts()[0], q.counts()[1]))
    };
    assert_eq!(number(&recorded["vb_tied_nu"]).round(), 4.0 + 272.0 / 2.0);
    assert_relative_eq!(counts(Covariance::Tied)?.0, 4.0 + 272.0, epsilon = 1e-9);
    let (nu, first, _) = counts(Covariance::Diagonal)?;
    assert_relative_eq!(nu, 3.0 + first, epsilon = 1e-9);
    let theirs = recorded["vb_diagonal_nu"].as_array().unwrap();
    let total: f64 = theirs.iter().map(number).sum();
    assert_relative_eq!(total, 2.0 * 4.0 + 272.0, epsilon = 1e-9);
    let (nu, first, second) = counts(Covariance::Spherical)?;
    assert_relative_eq!(nu, 3.0 + 2.0 * first, epsilon = 1e-9);
    assert_relative_eq!(first + second, 272.0, epsilon = 1e-9);
    Ok(())
}

/// What the appendix shows as scikit-learn's is what was recorded.
#[test]
fn the_page_shows_what_was_recorded() {
    let page = include_str!("../book/output/appendix_scikit_learn.txt");
    let recorded = recorded();
    let shapes = Covariance::ALL.map(|shape| shape.to_string());
    let mut shown: Vec<String> = Vec::new();
    for shape in &shapes {
        shown.push(format!("{:.6}", number(&recorded["em"][shape][2])));
        shown.push(format!("{:.6}", number(&recorded["offset"][shape][0])));
        assert_eq!(recorded["offset"][shape][1].is_null(), shape != "full");
    }
    for ridge in recorded["ridge"].as_array().unwrap() {
        let per_minute = 544.0 * number(&ridge["unit"]).ln();
        shown.push(format!("{:.4}", number(&ridge["log_likelihood"]) + per_minute));
    }
    shown.push(format!("in days = {}", recorded["ridge"][2]["steps_down"]));
    for vb in recorded["vb"].as_array().unwrap() {
        shown.push(format!("{:.4}", number(&vb["bound"])));
    }
    for mass in recorded["mass"].as_array().unwrap() {
        shown.push(format!("{:.6}", number(&mass["mass"])));
    }
    for text in shown {
        assert!(page.contains(&text), "{text}");
    }
}
