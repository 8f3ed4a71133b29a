use approx::assert_relative_eq;
use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, dmatrix, dvector};
use mixtures::rand_distr::{Distribution, StandardNormal};
use mixtures::{Em, GaussianMixture, Result, Start};

/// The number of labels that differ, for two groups under whichever names fit better.
fn wrong(z: &[usize], found: &[usize]) -> usize {
    let differ = z.iter().zip(found).filter(|(a, b)| a != b).count();
    differ.min(z.len() - differ)
}

// ANCHOR: border
#[test]
fn the_border_moves_half_way() -> Result<()> {
    let (light, heavy) = (0.1_f64, 0.9_f64);
    let means = dmatrix![1.0, 2.0; 4.0, 6.0];
    let apart = (means.row(1) - means.row(0)).norm();
    for sigma in [2.0, 1.0, 0.5, 0.1] {
        let sigma_squared = sigma * sigma;
        let m = GaussianMixture::new(
            dvector![heavy, light],
            means.clone(),
            vec![DMatrix::identity(2, 2) * sigma_squared; 2],
        )?;
        let shift = sigma_squared * (heavy / light).ln() / apart;
        let along = (means.row(1) - means.row(0)) / apart;
        let border = means.row(0) + &along * (0.5 * apart + shift);
        let r = m.responsibilities(&border)?;
        assert_relative_eq!(r[0], 0.5, epsilon = 1e-12);
    }
    Ok(())
}
// ANCHOR_END: border

// ANCHOR: k_means
/// Where K-means with two centres comes to rest: the centres, and the labels.
fn k_means(x: &DMatrix<f64>, start: &DMatrix<f64>) -> (DMatrix<f64>, Vec<usize>) {
    let mut centres = start.clone();
    let mut z = Vec::new();
    loop {
        let squared = |n: usize, k: usize| (x.row(n) - centres.row(k)).norm_squared();
        let next: Vec<usize> = (0..x.nrows())
            .map(|n| usize::from(squared(n, 1) < squared(n, 0)))
            .collect();
        if next == z {
            return (centres, z);
        }
        for k in 0..2 {
            let own: Vec<usize> = (0..x.nrows()).filter(|&n| next[n] == k).collect();
            centres.set_row(k, &x.select_rows(&own).row_mean());
        }
        z = next;
    }
}
// ANCHOR_END: k_means

// ANCHOR: blind
#[test]
fn k_means_cuts_the_loose_cluster() -> Result<()> {
    let truth = GaussianMixture::new(
        dvector![0.8, 0.2],
        dmatrix![0.0, 0.0; 5.0, 0.0],
        vec![DMatrix::identity(2, 2) * 4.0, DMatrix::identity(2, 2) * 0.04],
    )?;
    let (x, z) = truth.sample(500, &mut rng(1));
    let (_, cut) = k_means(&x, truth.means());
    assert_eq!(wrong(&z, &cut), 69);
    let fit = Em::new(2).restarts(10).fit(&x)?;
    assert_eq!(wrong(&z, &fit.mixture.predict(&x)?), 0);
    Ok(())
}
// ANCHOR_END: blind

// ANCHOR: rare
#[test]
fn a_rare_peak_needs_many_starts() {
    let needed = |p: f64, wanted: f64| ((1.0 - wanted).ln() / (1.0 - p).ln()).ceil();
    assert_eq!(needed(0.05, 0.95), 59.0);
    assert_eq!(needed(0.5, 0.95), 5.0);
    let ten_fail = (1.0 - 0.05_f64).powi(10);
    assert!(ten_fail > 0.59 && ten_fail < 0.6);
}
// ANCHOR_END: rare

// ANCHOR: whitened
/// Two clusters at ±`half` along the first axis, with standard normal noise in all.
fn two_along_one_axis(
    half: f64,
    n: usize,
    d: usize,
    seed: u64,
) -> (DMatrix<f64>, Vec<usize>) {
    let mut rng = rng(seed);
    let z: Vec<usize> = (0..n).map(|n| n % 2).collect();
    let x = DMatrix::from_fn(n, d, |n, j| {
        let noise: f64 = StandardNormal.sample(&mut rng);
        if j == 0 { noise + half * (2.0 * z[n] as f64 - 1.0) } else { noise }
    });
    (x, z)
}

#[test]
fn whitening_hides_a_gap() -> Result<()> {
    let (x, z) = two_along_one_axis(4.0, 200, 10, 1);
    let right = |labels: Vec<usize>| usize::from(wrong(&z, &labels) == 0);
    let (mut plain, mut library, mut fitted, mut given) = (0, 0, 0, 0);
    for seed in 0..100 {
        let em = Em::new(2).seed(seed);
        let seeds = em.clone().max_iterations(0).fit(&x)?.mixture;
        let (centres, labels) = k_means(&x, seeds.means());
        plain += right(labels);
        let em = em.start(Start::KMeans);
        library += right(em.clone().max_iterations(0).fit(&x)?.mixture.predict(&x)?);
        fitted += right(em.clone().fit(&x)?.mixture.predict(&x)?);
        given += right(em.start(Start::Means(centres)).fit(&x)?.mixture.predict(&x)?);
    }
    assert_eq!((plain, library, fitted, given), (100, 13, 37, 100));
    let best = Em::new(2).restarts(20).fit(&x)?.mixture;
    assert_eq!(wrong(&z, &best.predict(&x)?), 0);
    Ok(())
}
// ANCHOR_END: whitened
