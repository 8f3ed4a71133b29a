use approx::assert_relative_eq;
use mixtures::math::{Cholesky, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Gaussian, GaussianWishart, Moments, Result, Wishart, data};

// ANCHOR: flat
#[test]
fn a_flat_prior_has_its_peak_at_maximum_likelihood() -> Result<()> {
    let moments = Moments::of(&data::faithful())?;
    let best = Gaussian::fit(&data::faithful())?;
    let mut evidence = Vec::new();
    for tiny in [1e-4, 1e-8, 1e-12] {
        let wishart = Wishart::from_inverse(2.0, DMatrix::identity(2, 2) * tiny)?;
        let prior = GaussianWishart::new(dvector![0.0, 0.0], tiny, wishart)?;
        let p = prior.posterior(&moments)?;
        // The peak: μ = m_N and Λ⁻¹ = W_N⁻¹/(ν_N − D).
        let sigma = p.wishart().inverse_w() / (p.wishart().nu() - 2.0);
        assert_relative_eq!(*p.m(), *best.mean(), max_relative = 10.0 * tiny);
        assert_relative_eq!(sigma, *best.covariance(), max_relative = 1e5 * tiny);
        // And yet the next point is not a Gaussian's.
        assert_relative_eq!(p.predictive().nu(), 273.0);
        evidence.push(prior.log_evidence(&moments)?);
    }
    // (D/2) ln β₀ and (ν₀/2) ln det W₀⁻¹: each factor of 10⁴ costs three times its
    // logarithm.
    let step = 1e4_f64.ln();
    assert_relative_eq!(evidence[0] - evidence[1], 3.0 * step, max_relative = 0.1);
    assert_relative_eq!(evidence[1] - evidence[2], 3.0 * step, max_relative = 1e-3);
    Ok(())
}
// ANCHOR_END: flat

// ANCHOR: kept
#[test]
fn promises_that_are_kept_for_every_gaussian() -> Result<()> {
    let truth = Gaussian::new(dvector![3.0, -7.0], dmatrix![4.0, 1.9; 1.9, 1.0])?;
    for (n, mass) in [(3, 0.9_f64), (5, 0.5), (5, 0.9), (8, 0.9)] {
        let (mut kept, mut plug_in) = (0.0, 0.0);
        let radius_squared = -2.0 * (1.0 - mass).ln();
        for set in 0..20_000 {
            let rng = &mut rng_stream(n as u64, set);
            let (x, next) = (truth.sample(n, rng), truth.sample(1, rng));
            let fit = Gaussian::fit(&x)?;
            let inverse_w = fit.covariance() * n as f64; // N S
            let wishart = Wishart::from_inverse(n as f64 - 1.0, inverse_w)?;
            let p = GaussianWishart::new(fit.mean().clone(), n as f64, wishart)?;
            let predictive = p.predictive();
            let nu = predictive.nu(); // N − 2
            let factor = Cholesky::new(predictive.scale(), "the scale")?;
            let gap = next.transpose() - fit.mean();
            let promised = nu * ((1.0 - mass).powf(-2.0 / nu) - 1.0);
            kept += f64::from(factor.whiten(&gap).norm_squared() <= promised);
            let squared = fit.factor().whiten(&gap).norm_squared();
            plug_in += f64::from(squared <= radius_squared);
        }
        let n = n as f64;
        let expected =
            1.0 - (1.0 + radius_squared / (n + 1.0)).powf(-0.5 * (n - 2.0));
        // Five standard errors of a share of 20 000.
        assert_relative_eq!(kept / 20_000.0, mass, epsilon = 0.018);
        assert_relative_eq!(plug_in / 20_000.0, expected, epsilon = 0.018);
    }
    Ok(())
}
// ANCHOR_END: kept

// ANCHOR: judge
#[test]
fn the_evidence_can_prefer_a_prior_only_so_far() -> Result<()> {
    let faithful = data::faithful();
    let waits: Vec<f64> = (0..faithful.nrows())
        .filter(|&n| faithful[(n, 0)] > 3.0)
        .map(|n| faithful[(n, 1)])
        .collect();
    let prior = |m0: f64| {
        let wishart = Wishart::from_inverse(3.0, dmatrix![100.0])?;
        GaussianWishart::new(dvector![m0], 1.0, wishart)
    };
    let (ours, other) = (prior(75.0)?, prior(60.0)?);
    let lead = |moments: &Moments| -> Result<f64> {
        Ok(ours.log_evidence(moments)? - other.log_evidence(moments)?)
    };
    let first =
        |n: usize| Moments::of(&DMatrix::from_column_slice(n, 1, &waits[..n]));
    let x = DMatrix::from_column_slice(175, 1, &waits);
    let best = Gaussian::fit(&x)?;
    let (mu, lambda) = (best.mean(), dmatrix![1.0 / best.covariance()[(0, 0)]]);
    let limit = ours.log_density(mu, &lambda)? - other.log_density(mu, &lambda)?;
    assert_relative_eq!(limit, 5.24, epsilon = 0.01);
    for (n, expected) in [(1, 1.91), (5, 3.44), (20, 5.31), (175, 5.05)] {
        assert_relative_eq!(lead(&first(n)?)?, expected, epsilon = 0.01);
    }
    // A thousand times the same evidence.
    let mut many = first(175)?;
    many.scale(1000.0)?;
    assert_relative_eq!(lead(&many)?, limit, epsilon = 0.001);
    Ok(())
}
// ANCHOR_END: judge

// ANCHOR: conflict
#[test]
fn a_prior_in_the_wrong_place_widens_the_thin_direction() -> Result<()> {
    let (x, z) = data::sample_notebook(1000, &mut rng(3))?;
    let rows: Vec<usize> = (0..1000).filter(|&n| z[n] == 1).collect();
    let moments = Moments::of(&x.select_rows(&rows))?;
    // The first diagonal entry of E Λ; the truth's is 32.5.
    let found = |beta0: f64, w0: f64| -> Result<f64> {
        let wishart = Wishart::new(2.0, DMatrix::identity(2, 2) * w0)?;
        let prior = GaussianWishart::new(dvector![1.0, 1.0], beta0, wishart)?;
        Ok(prior.posterior(&moments)?.wishart().mean()[(0, 0)])
    };
    // Along the thin direction: what the points have, and what the prior adds.
    let eigen = moments.scatter().symmetric_eigen();
    let thin = eigen.eigenvectors.column(eigen.eigenvalues.imin()).into_owned();
    let mean = moments.mean().expect("there are points");
    let away = thin.dot(&(mean - dvector![1.0, 1.0]));
    let added = 1.5 * moments.count() / (1.5 + moments.count()) * away * away;
    assert_relative_eq!(eigen.eigenvalues.min(), 5.9, epsilon = 0.1);
    assert_relative_eq!(added, 13.2, epsilon = 0.1);
    assert_relative_eq!(found(1.5, 1.0)?, 10.4, epsilon = 0.1);
    assert_relative_eq!(found(1.5, 1e6)?, 11.0, epsilon = 0.1);
    assert_relative_eq!(found(1e-3, 1.0)?, 30.3, epsilon = 0.1);
    assert_relative_eq!(found(1e-3, 1e6)?, 35.5, epsilon = 0.1);
    Ok(())
}
// ANCHOR_END: conflict

// ANCHOR: average
#[test]
fn a_student_t_is_an_average_of_gaussians() -> Result<()> {
    let moments = Moments::of(data::faithful().rows(0, 6))?;
    let wishart = Wishart::new(4.0, dmatrix![4.0, 0.0; 0.0, 0.01])?;
    let prior = GaussianWishart::new(dvector![4.0, 75.0], 1.0, wishart)?;
    let posterior = prior.posterior(&moments)?;
    let at = dmatrix![3.5, 70.0; 5.0, 90.0; 2.5, 95.0];
    let exact = posterior.predictive().log_density(&at)?.map(f64::exp);
    let rng = &mut rng(10);
    let draws = 20_000;
    let mut sum = DVector::zeros(3);
    let mut squares = DVector::zeros(3);
    for _ in 0..draws {
        let p = posterior.sample_gaussian(rng)?.log_density(&at)?.map(f64::exp);
        squares += p.component_mul(&p);
        sum += p;
    }
    let mean = sum / draws as f64;
    for i in 0..3 {
        let variance = squares[i] / draws as f64 - mean[i] * mean[i];
        let error = (variance / draws as f64).sqrt();
        assert!((mean[i] - exact[i]).abs() < 5.0 * error, "{mean} {exact}");
    }
    Ok(())
}
// ANCHOR_END: average
