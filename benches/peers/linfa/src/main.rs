//! `peer-linfa FILE ROWS COLUMNS K ITERATIONS`: seconds of a fit from the first K rows by linfa, whose
//! Gaussian mixtures start where its own K-means ends; one iteration of that, so little.

use std::time::Instant;

use linfa::traits::Fit;
use linfa::DatasetBase;
use linfa_clustering::{GaussianMixtureModel, GmmInitMethod};
use ndarray::{Array2, ShapeBuilder};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize| arguments[i].parse::<usize>().unwrap();
    let (n, d, k, iterations) = (number(2), number(3), number(4), number(5));
    let bytes = std::fs::read(&arguments[1]).unwrap();
    let values: Vec<f64> =
        bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    let x = Array2::from_shape_vec((n, d).f(), values).unwrap();
    let dataset = DatasetBase::from(x.as_standard_layout().into_owned());
    let begin = Instant::now();
    let fit = GaussianMixtureModel::params(k)
        .init_method(GmmInitMethod::Random)
        .n_runs(1)
        .max_n_iterations(iterations as u64)
        .tolerance(1e-300)
        .reg_covariance(1e-6)
        .fit(&dataset);
    let seconds = begin.elapsed().as_secs_f64();
    // A fit that has not converged is an error there, with the same work done.
    println!("{{\"seconds\": {seconds}, \"converged\": {}}}", fit.is_ok());
}
