//! Choosing the number of components: the table, held-out likelihood, relabellings.

use approx::assert_relative_eq;
use mixtures::math::ln_gamma;
use mixtures::nalgebra::{DMatrix, DVector, dvector};
use mixtures::{Dirichlet, Posterior, Prior, Result, data};

fn ln_factorial(n: usize) -> f64 {
    (1..=n).map(|i| (i as f64).ln()).sum()
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
    assert_relative_eq!(ln_gamma(5.0), ln_factorial(4), max_relative = 1e-14);
    let r = DMatrix::from_fn(272, 3, |n, k| f64::from(u8::from(n % 2 == k)));
    let two = Posterior::from_responsibilities(&prior, &x, &r)?;
    let found = two.log_relabellings().unwrap();
    assert_relative_eq!(found, 6.0_f64.ln(), epsilon = 1e-12);
    Ok(())
}
