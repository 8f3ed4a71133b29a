use approx::assert_relative_eq;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Em, GaussianMixture, Result, Start, data};

// ANCHOR: half
#[test]
fn half_a_step_climbs_too() -> Result<()> {
    let x: Vec<f64> =
        data::faithful().column(1).iter().map(|wait| (wait - 67.0) / 6.0).collect();
    let log_likelihood = |mu: f64| -> Result<f64> {
        let model = GaussianMixture::new(
            dvector![0.5, 0.5],
            dmatrix![-mu; mu],
            vec![dmatrix![1.0]; 2],
        )?;
        Ok(model.log_density(&DMatrix::from_column_slice(x.len(), 1, &x))?.sum())
    };
    let mut mu = 0.1;
    for _ in 0..20 {
        let update =
            x.iter().map(|x| x * (mu * x).tanh()).sum::<f64>() / x.len() as f64;
        let half = 0.5 * (mu + update);
        assert!(log_likelihood(half)? > log_likelihood(mu)?);
        mu = half;
    }
    Ok(())
}
// ANCHOR_END: half

/// The notebook's start.
fn notebook_start() -> Result<GaussianMixture> {
    let means = dmatrix![0.0, 0.0; 1.0, 1.0; 2.0, 2.0];
    GaussianMixture::new(
        dvector![0.4, 0.3, 0.3],
        means,
        vec![dmatrix![1.0, 0.5; 0.5, 1.0]; 3],
    )
}

// ANCHOR: aitken
#[test]
fn three_values_tell_the_end() -> Result<()> {
    let em = Em::new(3)
        .start(Start::Given(notebook_start()?))
        .max_iterations(50)
        .tolerance(0.0);
    let trace = em.fit(&data::notebook())?.trace;
    let (first, second) = (trace[19] - trace[18], trace[20] - trace[19]);
    let rho = second / first;
    let guess = trace[20] + second * rho / (1.0 - rho);
    let left = trace[50] - trace[20];
    assert_relative_eq!(left, 0.0013, epsilon = 1e-4);
    assert!(
        (trace[50] - guess).abs() < left / 100.0,
        "{} of {left}",
        trace[50] - guess
    );
    Ok(())
}
// ANCHOR_END: aitken

// ANCHOR: bug
/// One update with a bug: `about_old` takes the covariances about the old means;
/// `minus` is taken off the divisor.
fn buggy(
    m: &GaussianMixture,
    x: &DMatrix<f64>,
    about_old: bool,
    minus: f64,
) -> Result<GaussianMixture> {
    let r = m.responsibilities(x)?;
    let counts: DVector<f64> = r.row_sum().transpose();
    let mut means = m.means().clone();
    let mut covariances = Vec::new();
    for k in 0..counts.len() {
        let mean = (r.column(k).transpose() * x) / counts[k];
        let centre =
            if about_old { m.means().row(k).into_owned() } else { mean.clone() };
        let scatter: DMatrix<f64> = (0..x.nrows())
            .map(|n| {
                let v = (x.row(n) - &centre).transpose();
                &v * v.transpose() * r[(n, k)]
            })
            .sum();
        means.set_row(k, &mean);
        covariances.push(scatter / (counts[k] - minus));
    }
    GaussianMixture::new(&counts / counts.sum(), means, covariances)
}

#[test]
fn one_bug_is_slow_and_the_other_falls() -> Result<()> {
    let x = data::notebook();
    let log_likelihood = |m: &GaussianMixture| m.log_density(&x).map(|l| l.sum());
    let em = Em::new(3).start(Start::Given(notebook_start()?)).tolerance(0.0);
    let right = em.max_iterations(50).fit(&x)?;
    let mut slow = notebook_start()?;
    for update in 1..=60 {
        let next = buggy(&slow, &x, true, 0.0)?;
        assert!(log_likelihood(&next)? > log_likelihood(&slow)? - 1e-9);
        if update == 20 {
            assert!(log_likelihood(&next)? < right.trace[20]);
        }
        slow = next;
    }
    let peak = right.mixture;
    assert_relative_eq!(
        log_likelihood(&slow)?,
        log_likelihood(&peak)?,
        epsilon = 1e-3
    );
    let next = buggy(&peak, &x, false, 1.0)?;
    assert!(log_likelihood(&next)? < log_likelihood(&peak)? - 1e-3);
    Ok(())
}
// ANCHOR_END: bug
