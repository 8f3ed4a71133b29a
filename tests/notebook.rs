//! The notebook's own run: 1000 points, its start, 50 iterations, against an
//! independent implementation's results.

use approx::assert_relative_eq;
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::{Em, GaussianMixture, Start, data};
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
