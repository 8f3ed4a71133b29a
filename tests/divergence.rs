//! The divergence of mixtures: its bounds are bounds, and exact where they can be.

mod common;

use approx::assert_relative_eq;
use common::*;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Gaussian, GaussianMixture, Result};

fn random_mixture(k: usize, d: usize, spread: f64, rng: &mut Rng) -> GaussianMixture {
    let sigma = (0..k)
        .map(|_| random_covariance(d, rng) * rng.random_range(0.1..2.0))
        .collect();
    let weights = DVector::from_fn(k, |_, _| rng.random_range(0.01..1.0));
    let means = DMatrix::from_fn(k, d, |_, _| spread * noise(1, rng)[0]);
    GaussianMixture::new(&weights / weights.sum(), means, sigma).unwrap()
}

/// In one dimension, from (weight, mean, standard deviation) of each component.
fn line(parts: &[(f64, f64, f64)]) -> GaussianMixture {
    let column =
        |of: fn(&(f64, f64, f64)) -> f64| parts.iter().map(of).collect::<Vec<_>>();
    GaussianMixture::new(
        DVector::from_vec(column(|p| p.0)),
        DMatrix::from_vec(parts.len(), 1, column(|p| p.1)),
        parts.iter().map(|p| dmatrix![p.2 * p.2]).collect(),
    )
    .unwrap()
}

/// ∫ p ln(p/q) by quadrature, in pieces that are as fine as each component near its
/// mean.
fn plain_divergence(p: &[(f64, f64, f64)], q: &[(f64, f64, f64)]) -> f64 {
    let log_density = |of: &[(f64, f64, f64)], x: f64| {
        let logs: Vec<f64> = of
            .iter()
            .filter(|c| c.0 > 0.0)
            .map(|&(w, m, s)| {
                w.ln()
                    + plain_log_density(&dvector![x], &dvector![m], &dmatrix![s * s])
            })
            .collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + logs.iter().map(|l| (l - largest).exp()).sum::<f64>().ln()
    };
    let mut ends: Vec<f64> = p
        .iter()
        .chain(q)
        .flat_map(|&(_, m, s)| {
            [0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0].map(|y| [m - s * y, m + s * y])
        })
        .flatten()
        .collect();
    ends.sort_by(f64::total_cmp);
    let at = |x: f64| {
        let log_p = log_density(p, x);
        if log_p < -600.0 { 0.0 } else { log_p.exp() * (log_p - log_density(q, x)) }
    };
    ends.windows(2)
        .map(|piece| {
            // Simpson's rule
            let h = (piece[1] - piece[0]) / 400.0;
            let value = |i: i32| match i {
                0 | 400 => at(piece[0] + h * f64::from(i)),
                i => f64::from(2 + 2 * (i % 2)) * at(piece[0] + h * f64::from(i)),
            };
            (0..=400).map(value).sum::<f64>() * h / 3.0
        })
        .sum()
}

#[test]
fn the_divergence_lies_between_its_bounds() -> Result<()> {
    let mut rng = rng(70);
    let (mut zeros, mut gaps) = (0, Vec::new());
    for case in 0..120 {
        let (d, spread) = (1 + case % 3, [0.3, 1.5, 5.0][case / 3 % 3]);
        let sizes = (rng.random_range(1..5), rng.random_range(1..5));
        let f = random_mixture(sizes.0, d, spread, &mut rng);
        let g = random_mixture(sizes.1, d, spread, &mut rng);
        let (lower, upper) = f.kl_bounds(&g)?;
        let sampled = f.kl_estimate(&g, 5000, &mut rng)?;
        let slack = 5.0 * sampled.standard_error;
        assert!(lower >= 0.0 && lower <= upper && upper.is_finite());
        assert!(lower < sampled.mean + slack, "{case}: {lower} above {sampled:?}");
        assert!(upper > sampled.mean - slack, "{case}: {upper} below {sampled:?}");

        let mut convex = 0.0;
        for (a, wa) in f.components().iter().zip(f.weights()) {
            for (b, wb) in g.components().iter().zip(g.weights()) {
                convex += wa * wb * a.kl(b)?;
            }
        }
        assert!(upper <= convex * (1.0 + 1e-12));
        zeros += usize::from(lower == 0.0);
        gaps.push((upper - lower) / sampled.mean);
    }
    // Bounds that say nothing would be bounds, too.
    gaps.sort_by(f64::total_cmp);
    assert!(zeros < 20 && gaps[60] < 0.7, "{zeros} zeros, median gap {}", gaps[60]);
    Ok(())
}

#[test]
fn it_is_exact_for_single_gaussians_and_equal_mixtures() -> Result<()> {
    let mut rng = rng(71);
    for d in [1, 2, 5] {
        let one = random_mixture(1, d, 1.0, &mut rng);
        let two = random_mixture(1, d, 1.0, &mut rng);
        let exact = one.components()[0].kl(&two.components()[0])?;
        let (lower, upper) = one.kl_bounds(&two)?;
        assert_relative_eq!(lower, exact, max_relative = 1e-11);
        assert_relative_eq!(upper, exact, max_relative = 1e-11);
    }
    for spread in [0.1, 1.0, 10.0] {
        let f = random_mixture(4, 2, spread, &mut rng);
        let (lower, upper) = f.kl_bounds(&f.sorted())?;
        assert!(lower <= upper && upper < 1e-12, "{upper}");
    }
    let f = line(&[(0.5, 1.0, 2.0), (0.5, 2.0, 2.0), (0.0, 7.0, 1.0)]);
    assert!(f.kl_bounds(&f)?.1 < 1e-12);
    // Two components that are the same one, and one that has no weight.
    let f = line(&[(0.5, 1.0, 2.0), (0.5, 1.0, 2.0), (0.0, 7.0, 1.0)]);
    let g = line(&[(1.0, 1.0, 2.0)]);
    for (a, b) in [(&f, &g), (&g, &f), (&f, &f)] {
        let (lower, upper) = a.kl_bounds(b)?;
        assert!(lower <= upper && upper < 1e-12, "{upper}");
    }
    Ok(())
}

/// Of all ways to split two mixtures of two into pieces that match, on a grid, none
/// is better.
#[test]
fn the_pieces_match_as_well_as_they_can() -> Result<()> {
    const STEPS: usize = 24;
    let mut rng = rng(75);
    let shares: Vec<f64> = (1..STEPS).map(|i| i as f64 / STEPS as f64).collect();
    for _ in 0..8 {
        let f = random_mixture(2, 1, 0.5, &mut rng);
        let g = random_mixture(2, 1, 0.5, &mut rng);
        let kl = DMatrix::from_fn(2, 2, |a, b| {
            f.components()[a].kl(&g.components()[b]).unwrap()
        });
        let (pi, omega) = (f.weights(), g.weights());
        // The share of each component of f that goes to g's first, and of g to f's
        // first.
        let cost = |f0: f64, f1: f64, g0: f64, g1: f64| {
            [
                (pi[0] * f0, omega[0] * g0, kl[(0, 0)]),
                (pi[0] * (1.0 - f0), omega[1] * g1, kl[(0, 1)]),
                (pi[1] * f1, omega[0] * (1.0 - g0), kl[(1, 0)]),
                (pi[1] * (1.0 - f1), omega[1] * (1.0 - g1), kl[(1, 1)]),
            ]
            .map(|(phi, psi, kl)| phi * ((phi / psi).ln() + kl))
            .iter()
            .sum::<f64>()
        };
        let mut best = f64::INFINITY;
        for (f0, f1) in shares.iter().flat_map(|a| shares.iter().map(move |b| (a, b)))
        {
            for (g0, g1) in
                shares.iter().flat_map(|a| shares.iter().map(move |b| (a, b)))
            {
                best = best.min(cost(*f0, *f1, *g0, *g1));
            }
        }
        let upper = f.kl_bounds(&g)?.1;
        assert!(upper < best + 1e-9, "{upper} above {best}");
    }
    Ok(())
}

/// Far apart, the mixture's labels are as good as known, and everything is in closed
/// form.
#[test]
fn it_is_close_where_components_overlap_little() -> Result<()> {
    let f = [(0.3, -50.0, 1.0), (0.6, 0.0, 2.0), (0.1, 70.0, 3.0)];
    let g = [(0.5, -49.0, 2.0), (0.2, 0.0, 1.5), (0.3, 69.0, 2.0)];
    let exact = plain_divergence(&f, &g);
    let (lower, upper) = line(&f).kl_bounds(&line(&g))?;
    assert_relative_eq!(upper, exact, max_relative = 1e-9);
    assert!(exact - lower < 0.04 * exact, "{lower} against {exact}");
    // One that covers all of f: only what a point tells of its component matters.
    let wide = [(1.0, 0.0, 60.0)];
    let exact = plain_divergence(&f, &wide);
    let (lower, upper) = line(&f).kl_bounds(&line(&wide))?;
    assert_relative_eq!(upper, exact, max_relative = 1e-9);
    assert_relative_eq!(lower, exact, max_relative = 1e-9);
    Ok(())
}

#[test]
fn bounds_hold_at_extremes() -> Result<()> {
    let thin = [(0.5, 0.0, 1e-7), (0.5, 1e-3, 1.0)];
    let wide = [(1e-9, 0.3, 1e4), (1.0 - 1e-9, 0.0, 0.5)];
    let far = [(0.2, 1e4, 1e-3), (0.8, -1e4, 1e-3)];
    let plain = [(0.4, -1.0, 1.0), (0.6, 1.0, 0.7)];
    let none = [(0.0, 1e4, 1e-3), (1.0, 1.0, 0.7)];
    let all: [&[(f64, f64, f64)]; 5] = [&thin, &wide, &far, &plain, &none];
    for (i, f) in all.iter().enumerate() {
        for (j, g) in all.iter().enumerate() {
            let exact = plain_divergence(f, g);
            let (lower, upper) = line(f).kl_bounds(&line(g))?;
            let slack = 1e-7 * (1.0 + exact.abs());
            assert!(lower < exact + slack, "{i}, {j}: {lower} above {exact}");
            assert!(upper > exact - slack, "{i}, {j}: {upper} below {exact}");
        }
    }
    // In forty dimensions, at scales far from 1.
    let mut rng = rng(72);
    let f = random_mixture(2, 40, 1.0, &mut rng);
    let g = random_mixture(3, 40, 1.0, &mut rng);
    let bounds = f.kl_bounds(&g)?;
    let scaled = |m: &GaussianMixture, s: f64| {
        let sigma = m.components().iter().map(|c| c.covariance() * (s * s)).collect();
        GaussianMixture::new(m.weights().clone(), m.means() * s, sigma)
    };
    for s in [1e-100, 1e100] {
        let same = scaled(&f, s)?.kl_bounds(&scaled(&g, s)?)?;
        assert_relative_eq!(same.0, bounds.0, max_relative = 1e-9);
        assert_relative_eq!(same.1, bounds.1, max_relative = 1e-9);
    }
    let sampled = f.kl_estimate(&g, 20_000, &mut rng)?;
    let slack = 5.0 * sampled.standard_error;
    assert!(bounds.0 < sampled.mean + slack && bounds.1 > sampled.mean - slack);
    Ok(())
}

#[test]
fn an_estimate_is_a_mean_with_its_error() -> Result<()> {
    let f = [(0.4, -1.0, 1.0), (0.6, 1.0, 0.7)];
    let g = [(0.7, -0.5, 1.5), (0.3, 2.0, 1.0)];
    let exact = plain_divergence(&f, &g);
    let (f, g) = (line(&f), line(&g));
    let found = f.kl_estimate(&g, 20_000, &mut rng(73))?;
    assert!((found.mean - exact).abs() < 5.0 * found.standard_error);
    assert!(found.standard_error < 0.02 * exact);

    let (x, _) = f.sample(20_000, &mut rng(73));
    let log_ratio = f.log_density(&x)? - g.log_density(&x)?;
    let (mean, error) = mean_and_error(log_ratio.as_slice());
    assert_relative_eq!(found.mean, mean, max_relative = 1e-12);
    assert_relative_eq!(found.standard_error, error, max_relative = 1e-12);
    Ok(())
}

#[test]
fn what_cannot_be_compared() {
    let (one, two) =
        (line(&[(1.0, 0.0, 1.0)]), random_mixture(2, 2, 1.0, &mut rng(74)));
    let text = one.kl_bounds(&two).unwrap_err().to_string();
    assert!(text.contains("dimension 2") && text.contains("dimension 1"), "{text}");
    assert!(one.kl_estimate(&two, 10, &mut rng(1)).is_err());
    let text = one.kl_estimate(&one, 1, &mut rng(1)).unwrap_err().to_string();
    assert!(text.contains("at least 2"), "{text}");
    let exact = Gaussian::new(dvector![0.0], dmatrix![1.0]).unwrap();
    assert_eq!(one.components()[0].kl(&exact).unwrap(), 0.0);
}
