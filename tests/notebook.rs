//! The notebook's own run: 1000 points, its start, 50 iterations, against an
//! independent implementation's results.

use approx::assert_relative_eq;
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::{Em, GaussianMixture, Posterior, Prior, Start, Vb, data};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("../data/notebook_reference.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// The mixture under the keys "pi", "mu" and "Sigma".
fn mixture(value: &Value) -> GaussianMixture {
    GaussianMixture::new(
        DVector::from_vec(numbers(&value["pi"])),
        DMatrix::from_row_slice(3, 2, &numbers(&value["mu"])),
        numbers(&value["Sigma"])
            .chunks(4)
            .map(|s| DMatrix::from_row_slice(2, 2, s))
            .collect(),
    )
    .unwrap()
}

#[test]
fn em_gives_the_notebooks_parameters_and_trace() {
    let reference = &reference()["em"];
    let fit = Em::new(3)
        .start(Start::Given(mixture(&reference["init"])))
        .max_iterations(50)
        .tolerance(0.0)
        .fit(&data::notebook())
        .unwrap();
    assert_eq!((fit.iterations, fit.converged), (50, false));

    let expected = mixture(reference);
    assert_relative_eq!(fit.mixture.weights(), expected.weights(), epsilon = 1e-10);
    assert_relative_eq!(fit.mixture.means(), expected.means(), epsilon = 1e-10);
    for k in 0..3 {
        assert_relative_eq!(
            fit.mixture.covariance(k),
            expected.covariance(k),
            epsilon = 1e-10
        );
    }
    let trace = numbers(
        &reference["log_likelihood_before_each_iteration_and_after_the_last"],
    );
    assert_eq!((fit.trace.len(), trace.len()), (51, 51));
    for (ours, theirs) in fit.trace.iter().zip(&trace) {
        assert_relative_eq!(ours, theirs, max_relative = 1e-12);
    }
}

fn prior(value: &Value) -> Prior {
    Prior {
        alpha0: numbers(&value["alpha0"])[0],
        beta0: numbers(&value["beta0"])[0],
        m0: DVector::from_vec(numbers(&value["m0"])),
        w0: DMatrix::from_row_slice(2, 2, &numbers(&value["W0"])),
        nu0: numbers(&value["nu0"])[0],
    }
}

#[test]
fn vb_gives_the_notebooks_posterior_trace_and_predictive() {
    let reference = &reference()["vb"];
    let vector = |key: &str| DVector::from_vec(numbers(&reference[key]));
    let matrix =
        |value: &Value, rows| DMatrix::from_row_slice(rows, 2, &numbers(value));
    let x = data::notebook();
    let vb = Vb::new(3)
        .prior(prior(&reference["prior"]))
        .start(Start::Means(matrix(&reference["init_m"], 3)))
        .tolerance(0.0);
    let fit = vb.clone().max_iterations(50).fit(&x).unwrap();
    assert_eq!((fit.iterations, fit.converged), (50, false));

    let q = &fit.posterior;
    assert_relative_eq!(*q.alpha(), vector("alpha"), epsilon = 1e-9);
    assert_relative_eq!(*q.beta(), vector("beta"), epsilon = 1e-9);
    assert_relative_eq!(*q.nu(), vector("nu"), epsilon = 1e-9);
    assert_relative_eq!(*q.means(), matrix(&reference["m"], 3), epsilon = 1e-9);
    let mixture = q.expected_mixture();
    assert_relative_eq!(*mixture.weights(), vector("expected_pi"), epsilon = 1e-10);
    for k in 0..3 {
        let w = matrix(&reference["W"][k], 2);
        assert_relative_eq!(*q.w(k), w, epsilon = 1e-9);
        let precision = matrix(&reference["expected_precision"][k], 2);
        let ours = mixture.covariance(k).clone().try_inverse().unwrap();
        assert_relative_eq!(ours, precision, epsilon = 1e-9);
    }

    let trace =
        vector("elbo_with_optimal_r_before_each_iteration_and_after_the_last");
    let ours = DVector::from_vec(fit.trace.clone());
    assert_relative_eq!(ours, trace, epsilon = 1e-8);

    // After each update the responsibilities that made it are no longer the best.
    let after = vector("elbo_after_each_iteration");
    let mut posterior = vb.clone().max_iterations(0).fit(&x).unwrap().posterior;
    for expected in after.iter() {
        let r = posterior.responsibilities(&x).unwrap();
        posterior =
            Posterior::from_responsibilities(posterior.prior(), &x, &r).unwrap();
        let ours = posterior.elbo_with(&x, &r).unwrap();
        assert_relative_eq!(ours, *expected, epsilon = 1e-8);
    }

    let predictive = &reference["predictive"];
    let at = matrix(&predictive["points"], 5);
    let expected = DVector::from_vec(numbers(&predictive["log_density"]));
    let ours = q.predictive().log_density(&at).unwrap();
    assert_relative_eq!(ours, expected, epsilon = 1e-9);
}

#[test]
fn the_evidence_of_one_gaussian() {
    let reference = &reference()["one_gaussian"];
    let expected = reference["log_evidence"].as_f64().unwrap();
    let fit = Vb::new(1).prior(prior(&reference["prior"])).fit(&data::notebook());
    assert_relative_eq!(fit.unwrap().elbo(), expected, max_relative = 1e-12);
}
