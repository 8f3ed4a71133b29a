//! `peers FILE ROWS COLUMNS K ITERATIONS full|diagonal`: seconds of a fit by this library, from the
//! first K rows as means, equal weights and the data's covariance; and the log likelihood that it
//! reaches. `benches/peers/run.py` calls it beside the others.

use std::time::Instant;

use mixtures::nalgebra::DMatrix;
use mixtures::{Covariance, Em, Start};

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [file, n, d, k, iterations, shape] = arguments.as_slice() else {
        eprintln!(
            "peers FILE ROWS COLUMNS K ITERATIONS full|diagonal (see benches/peers/run.py)"
        );
        return;
    };
    let number = |text: &String| text.parse::<usize>().expect("a whole number");
    let (n, d, k) = (number(n), number(d), number(k));
    let bytes = std::fs::read(file).expect("the file of points");
    let values = bytes
        .chunks_exact(8)
        .map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight bytes")));
    let x = DMatrix::from_iterator(n, d, values);
    let em = Em::new(k)
        .covariance(if shape == "diagonal" {
            Covariance::Diagonal
        } else {
            Covariance::Full
        })
        .start(Start::Means(x.rows(0, k).into_owned()))
        .tolerance(0.0)
        .max_iterations(number(iterations));
    let begin = Instant::now();
    let fit = em.fit(&x).expect("a fit");
    let seconds = begin.elapsed().as_secs_f64();
    let reached = fit.log_likelihood();
    println!("{{\"seconds\": {seconds}, \"log_likelihood\": {reached}}}");
}
