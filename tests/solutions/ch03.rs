use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, dmatrix, dvector};
use mixtures::{GaussianMixture, Result, data};

// ANCHOR: humps
#[test]
fn two_components_need_two_standard_deviations_for_two_humps() -> Result<()> {
    for (distance, humps) in [(1.9, 1), (2.1, 2), (4.0, 2)] {
        let means = dmatrix![-distance / 2.0; distance / 2.0];
        let mixture =
            GaussianMixture::new(dvector![0.5, 0.5], means, vec![dmatrix![1.0]; 2])?;
        let x = DMatrix::from_fn(4001, 1, |i, _| (i as f64 - 2000.0) / 400.0);
        let density = mixture.log_density(&x)?;
        let peak =
            |i: &usize| density[*i] > density[i - 1] && density[*i] > density[i + 1];
        assert_eq!((1..4000).filter(peak).count(), humps);
    }
    Ok(())
}
// ANCHOR_END: humps

// ANCHOR: count
#[test]
fn parameters_are_mostly_covariances() -> Result<()> {
    let mixture = |k: usize, d: usize| {
        let weights = mixtures::nalgebra::DVector::from_element(k, 1.0 / k as f64);
        GaussianMixture::new(
            weights,
            DMatrix::zeros(k, d),
            vec![DMatrix::identity(d, d); k],
        )
    };
    assert_eq!(mixture(3, 2)?.parameter_count(), 17);
    assert_eq!(mixture(10, 50)?.parameter_count(), 13_259);
    Ok(())
}
// ANCHOR_END: count

// ANCHOR: label
#[test]
fn seventy_percent_means_seventy_percent() -> Result<()> {
    let (weights, means, covariances) = data::notebook_truth();
    let truth = GaussianMixture::new(weights, means, covariances)?;
    let (x, z) = truth.sample(50_000, &mut rng(1));
    let r = truth.responsibilities(&x)?;
    let mut checked = 0;
    for k in 0..3 {
        let given: Vec<usize> =
            (0..z.len()).filter(|&n| (0.65..0.75).contains(&r[(n, k)])).collect();
        if given.len() > 300 {
            let hits = given.iter().filter(|&&n| z[n] == k).count();
            let share = hits as f64 / given.len() as f64;
            assert!((share - 0.7).abs() < 0.08, "{share} of {}", given.len());
            checked += 1;
        }
    }
    assert_eq!(checked, 2);
    Ok(())
}
// ANCHOR_END: label
