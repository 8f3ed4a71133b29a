use approx::assert_relative_eq;
use mixtures::math::{Cholesky, ln_gamma, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Gaussian, Result};

// ANCHOR: coins
/// F for two coins with means m, from the four faces. The joint is normalised.
fn coins_bound(c: f64, m: [f64; 2]) -> f64 {
    let mut total = 0.0;
    for h in [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]] {
        let p = if h[0] == h[1] { 0.5 * c } else { 0.5 * (1.0 - c) };
        let q = 0.25 * (1.0 + h[0] * m[0]) * (1.0 + h[1] * m[1]);
        total += q * (p / q).ln();
    }
    total
}

#[test]
fn coins_that_agree_often_have_two_peaks() {
    for (c, peaks) in [(0.85, 1), (0.95, 2)] {
        let a = 0.5 * (c / (1.0_f64 - c)).ln();
        let mut ends = Vec::new();
        for start in [-0.5, 0.5] {
            let mut m = [0.0, start];
            let mut height = coins_bound(c, m);
            for _ in 0..2000 {
                m[0] = (a * m[1]).tanh();
                m[1] = (a * m[0]).tanh();
                let next = coins_bound(c, m);
                assert!(next >= height - 1e-15);
                height = next;
            }
            ends.push(m[0]);
            assert!(height >= coins_bound(c, [0.0, 0.0]) - 1e-15 && height < 0.0);
        }
        let apart = ends[1] - ends[0];
        assert_eq!(if apart > 0.1 { 2 } else { 1 }, peaks);
    }
}
// ANCHOR_END: coins

// ANCHOR: diagonal
fn gap(lambda: &DMatrix<f64>) -> Result<f64> {
    let log_det = Cholesky::new(lambda, "the precision")?.log_det();
    Ok(0.5 * (lambda.diagonal().map(f64::ln).sum() - log_det))
}

#[test]
fn only_correlation_costs() -> Result<()> {
    let sigma = dmatrix![2.0, 0.9, -0.3; 0.9, 1.0, 0.4; -0.3, 0.4, 1.5];
    let whitener = Cholesky::new(&sigma, "the covariance")?.whitener();
    let lambda = whitener.transpose() * whitener;
    let variances = lambda.diagonal().map(|precision| 1.0 / precision);
    let p = Gaussian::new(DVector::zeros(3), sigma)?;
    let q = Gaussian::new(DVector::zeros(3), DMatrix::from_diagonal(&variances))?;
    // The divergence is the mean of ln q − ln p over draws of q.
    let draws = q.sample(100_000, &mut rng(1101));
    let terms = q.log_density(&draws)? - p.log_density(&draws)?;
    let error = (terms.variance() / 1e5).sqrt();
    assert!((terms.mean() - gap(&lambda)?).abs() < 5.0 * error && error < 0.01);

    let units = DMatrix::from_diagonal(&dvector![1e3, 0.1, 1e-4]);
    let again = gap(&(&units * &lambda * &units))?;
    assert_relative_eq!(again, gap(&lambda)?, max_relative = 1e-9);
    assert!(gap(&DMatrix::from_diagonal(&variances))?.abs() < 1e-15);
    Ok(())
}
// ANCHOR_END: diagonal

// ANCHOR: closing
#[test]
fn the_gap_is_about_one_over_two_nu() {
    let gap = |nu: f64| {
        ln_gamma(nu / 2.0) - ln_gamma((nu + 1.0) / 2.0)
            + 0.5 * (nu / 2.0).ln()
            + (nu + 1.0) / 2.0 * ((nu + 1.0) / nu).ln()
            - 0.5
    };
    for nu in [5.0, 10.0, 100.0, 1000.0] {
        let error = gap(nu) * 2.0 * nu - 1.0;
        assert!(error.abs() < 0.2 / nu, "{nu}: {error}");
        assert!(gap(nu + 1.0) < gap(nu));
    }
}
// ANCHOR_END: closing

// ANCHOR: at_once
#[test]
fn all_at_once_runs_away() -> Result<()> {
    let sigma = DMatrix::from_fn(3, 3, |i, j| if i == j { 1.0 } else { -0.45 });
    let whitener = Cholesky::new(&sigma, "the covariance")?.whitener();
    let lambda = whitener.transpose() * whitener;
    // What the means contribute to F.
    let height = |m: &DVector<f64>| -0.5 * m.dot(&(&lambda * m));
    let best = |m: &DVector<f64>, j: usize| {
        m[j] - lambda.row(j).transpose().dot(m) / lambda[(j, j)]
    };

    let mut together = DVector::from_element(3, 1.0);
    for _ in 0..10 {
        let next = DVector::from_fn(3, |j, _| best(&together, j));
        assert_relative_eq!(next, &together * (-0.9 / 0.55), max_relative = 1e-9);
        assert!(height(&next) < height(&together));
        together = next;
    }
    let mut in_turn = DVector::from_element(3, 1.0);
    for _ in 0..100 {
        for j in 0..3 {
            let before = height(&in_turn);
            in_turn[j] = best(&in_turn, j);
            assert!(height(&in_turn) >= before - 1e-15);
        }
    }
    assert!(in_turn.amax() < 1e-6);
    Ok(())
}
// ANCHOR_END: at_once
