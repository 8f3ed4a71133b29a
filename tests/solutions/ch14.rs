use std::f64::consts::TAU;

use approx::assert_relative_eq;
use mixtures::math::{log_sum_exp, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Em, Gaussian, Moments, Posterior, Prior, Result, Vb, data};

// ANCHOR: labels
#[test]
fn the_predictive_knows_how_often_a_label_comes() -> Result<()> {
    let x = data::sample_notebook(20, &mut rng(3))?.0;
    let posterior = Vb::new(3).restarts(5).fit(&x)?.posterior;
    let predictive = posterior.predictive();
    let k = (0..3).filter(|&k| posterior.alpha()[k] > 1.0);
    let k = k.min_by(|&i, &j| posterior.alpha()[i].total_cmp(&posterior.alpha()[j]));
    let k = k.expect("some component has points"); // the smallest of those
    // Draws from q: a mixture, then a label and a point.
    let (mut came, mut predicted, mut e_step, mut variance) = (0.0, 0.0, 0.0, 0.0);
    let mut rng = rng(4);
    for _ in 0..20_000 {
        let (x, z) = posterior.sample(&mut rng)?.sample(1, &mut rng);
        let p = predictive.responsibilities(&x)?[(0, k)];
        came += f64::from(u8::from(z[0] == k));
        predicted += p;
        variance += p * (1.0 - p);
        e_step += posterior.responsibilities(&x)?[(0, k)];
    }
    assert!((came - predicted).abs() < 5.0 * variance.sqrt());
    assert!((came - e_step).abs() > 10.0 * variance.sqrt());
    Ok(())
}
// ANCHOR_END: labels

// ANCHOR: monte_carlo
#[test]
fn the_mass_by_sampling() -> Result<()> {
    let posterior = Vb::new(1).fit(data::faithful().rows(0, 30))?.posterior;
    let component = &posterior.components()[0];
    let wishart = component.wishart();
    let score = |x: &DVector<f64>| {
        let distance = component.expected_distance(x);
        0.5 * (wishart.expected_log_det() - 2.0 * TAU.ln() - distance)
    };
    let predictive = posterior.predictive();
    let (x, _) = predictive.sample(20_000, &mut rng(5));
    let log_density = predictive.log_density(&x)?;
    let ratios: Vec<f64> = (0..x.nrows())
        .map(|n| (score(&x.row(n).transpose()) - log_density[n]).exp())
        .collect();
    assert!(ratios.iter().all(|ratio| *ratio < 1.0));
    let mass = ratios.iter().sum::<f64>() / 20_000.0;

    let log_height = wishart.expected_log_det() - 2.0 / component.beta();
    let volume = (wishart.w() * wishart.nu()).determinant().powf(-0.5);
    let exact = (0.5 * log_height).exp() * volume;
    assert_relative_eq!(mass, exact, epsilon = 0.005);
    Ok(())
}
// ANCHOR_END: monte_carlo

// ANCHOR: exact
#[test]
fn ten_eruptions_predicted_exactly() -> Result<()> {
    let all = data::faithful();
    let (x, fresh) = (all.rows(0, 10), all.rows(10, 262));
    let prior = Prior {
        alpha0: 1.0,
        beta0: 0.1,
        m0: dvector![3.5, 70.0],
        w0: dmatrix![4.0, 0.0; 0.0, 0.01],
        nu0: 3.0,
    };
    // ln p(X, z) of all labellings, and ln p(X, z, x) for each fresh point x.
    let (mut joint, mut with_fresh) = (Vec::new(), vec![Vec::new(); 262]);
    for code in 0..1 << 10 {
        let label = |n: usize| code >> n & 1;
        let r = DMatrix::from_fn(10, 2, |n, k| f64::from(u8::from(label(n) == k)));
        let given = Posterior::from_responsibilities(&prior, x, &r)?;
        let log_joint = given.elbo_with(x, &r)?;
        joint.push(log_joint);
        let next = given.predictive().log_density(fresh)?;
        for (series, next) in with_fresh.iter_mut().zip(&next) {
            series.push(log_joint + next);
        }
    }
    let exact: f64 = with_fresh
        .iter()
        .map(|series| log_sum_exp(series) - log_sum_exp(&joint))
        .sum::<f64>()
        / 262.0;
    let fit = Vb::new(2).prior(prior).restarts(10).fit(x)?;
    let vb = fit.posterior.predictive().log_density(fresh)?.mean();
    let plug_in = fit.posterior.expected_mixture().log_density(fresh)?.mean();
    let em = Em::new(2).restarts(10).fit(x)?.mixture.log_density(fresh)?.mean();
    assert_relative_eq!(exact, -4.736, epsilon = 5e-4);
    assert_relative_eq!(vb, -4.696, epsilon = 5e-4);
    assert_relative_eq!(plug_in, -4.797, epsilon = 5e-4);
    assert_relative_eq!(em, -5.892, epsilon = 5e-4);
    Ok(())
}
// ANCHOR_END: exact

// ANCHOR: one
#[test]
fn the_constant_for_one_component() -> Result<()> {
    let x = data::faithful();
    let prior = Prior {
        alpha0: 1.0,
        beta0: 2.0,
        m0: dvector![4.0, 75.0],
        w0: dmatrix![4.0, 0.0; 0.0, 0.01],
        nu0: 4.0,
    };
    let em = Gaussian::fit(&x)?;
    let mean = em.mean();
    let at = dmatrix![3.0, 60.0; 3.0, 90.0];
    let mut moments = Moments::of(&x)?;
    moments.scale(1e4)?; // every eruption ten thousand times
    let n = moments.count();
    let posterior = prior.gaussian_wishart()?.posterior(&moments)?;
    let apart = posterior.predictive().log_density(&at)? - em.log_density(&at)?;
    // In whitened coordinates, where S is the identity.
    let a = em.factor().whitener();
    let d = &a * (mean - &prior.m0);
    let inverse0 = prior.w0.clone().try_inverse().unwrap();
    let widened = &a * inverse0 * a.transpose() + &d * d.transpose() * prior.beta0
        - DMatrix::identity(2, 2) * prior.nu0;
    for (row, apart) in at.row_iter().zip(&apart) {
        let u = em.factor().whiten(&(row.transpose() - mean));
        let squared = u.norm_squared();
        let constant = -prior.beta0 * u.dot(&d)
            + 0.5 * (u.dot(&(&widened * &u)) - widened.trace())
            + 0.25 * (squared * squared - 8.0);
        assert_relative_eq!(n * apart, constant, max_relative = 1e-4);
    }
    Ok(())
}
// ANCHOR_END: one
