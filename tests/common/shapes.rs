//! What the checks of the shapes of covariance share: random problems of each shape, and the
//! exact evidences, as the formulas stand.

use mixtures::math::Rng;
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;
use mixtures::{Concentration, Covariance, GaussianMixture, Prior};
use statrs::function::gamma::ln_gamma;

use super::{noise, random_covariance};

pub const SHAPES: [Covariance; 4] =
    [Covariance::Full, Covariance::Tied, Covariance::Diagonal, Covariance::Spherical];

/// What is left of a covariance in this shape: itself, its diagonal, or its mean variance.
pub fn shaped(shape: Covariance, sigma: &DMatrix<f64>) -> DMatrix<f64> {
    let d = sigma.nrows();
    match shape {
        Covariance::Full | Covariance::Tied => sigma.clone(),
        Covariance::Diagonal => DMatrix::from_diagonal(&sigma.diagonal()),
        Covariance::Spherical => DMatrix::identity(d, d) * (sigma.trace() / d as f64),
        _ => unreachable!(),
    }
}

/// K random components of this shape at rows of `x`, as wide as its columns.
pub fn random_mixture(
    shape: Covariance,
    x: &DMatrix<f64>,
    k: usize,
    rng: &mut Rng,
) -> GaussianMixture {
    let d = x.ncols();
    let means = DMatrix::from_fn(k, d, |_, j| x[(rng.random_range(0..x.nrows()), j)]);
    let widths = DMatrix::from_diagonal(&DVector::from_fn(d, |j, _| {
        x.column(j).variance().sqrt()
    }));
    let draw = |rng: &mut Rng| {
        let sigma = &widths * random_covariance(d, rng) * &widths;
        shaped(shape, &((&sigma + sigma.transpose()) * 0.5))
    };
    let mut covariances: Vec<DMatrix<f64>> = (0..k).map(|_| draw(rng)).collect();
    if shape == Covariance::Tied {
        covariances = vec![covariances[0].clone(); k];
    }
    let weights = DVector::from_fn(k, |_, _| rng.random_range(0.2..1.0));
    GaussianMixture::with_shape(&weights / weights.sum(), means, covariances, shape)
        .unwrap()
}

/// Points in clumps, N×D.
pub fn clumps(n: usize, d: usize, clumps: usize, rng: &mut Rng) -> DMatrix<f64> {
    let centres = DMatrix::from_fn(clumps, d, |_, _| rng.random_range(-4.0..4.0));
    DMatrix::from_fn(n, d, |n, j| centres[(n % clumps, j)] + noise(1, rng)[0])
}

/// A prior with no number that is easy on a formula.
pub fn random_prior(d: usize, rng: &mut Rng) -> Prior {
    Prior {
        alpha0: rng.random_range(0.05..3.0),
        beta0: rng.random_range(0.05..4.0),
        m0: noise(d, rng),
        w0: random_covariance(d, rng),
        nu0: d as f64 - 0.9 + rng.random_range(0.0..5.0),
    }
}

/// The prior of a variance is Gamma(a₀, b₀): a₀, and b₀ of each coordinate.
pub fn gamma_of_variances(shape: Covariance, prior: &Prior) -> (f64, DVector<f64>) {
    let d = prior.m0.len() as f64;
    let inverse = prior.w0.clone().try_inverse().unwrap();
    let rates = match shape {
        Covariance::Diagonal => inverse.diagonal() * 0.5,
        Covariance::Spherical => {
            DVector::from_element(d as usize, inverse.trace() / (2.0 * d))
        }
        _ => unreachable!(),
    };
    ((prior.nu0 - d + 1.0) / 2.0, rates)
}

pub fn ln_multi_gamma(d: usize, a: f64) -> f64 {
    let pi = std::f64::consts::PI;
    let gammas: f64 = (0..d).map(|i| ln_gamma(a - i as f64 / 2.0)).sum();
    gammas + (d * (d.max(1) - 1)) as f64 / 4.0 * pi.ln()
}

/// N, x̄ and scatter + βN/(β + N) (x̄ − m₀)(x̄ − m₀)ᵀ of one group of points.
fn group(prior: &Prior, points: &[DVector<f64>]) -> (f64, DMatrix<f64>) {
    let (n, d) = (points.len() as f64, prior.m0.len());
    if points.is_empty() {
        return (0.0, DMatrix::zeros(d, d));
    }
    let mean = points.iter().sum::<DVector<f64>>() / n;
    let mut s = DMatrix::zeros(d, d);
    for x in points {
        s += (x - &mean) * (x - &mean).transpose();
    }
    let shift = mean - &prior.m0;
    let pull = prior.beta0 * n / (prior.beta0 + n);
    (n, s + &shift * shift.transpose() * pull)
}

/// ln p(X | z), natural log, of the points in K groups, all parameters integrated out.
pub fn plain_log_evidence(
    shape: Covariance,
    prior: &Prior,
    groups: &[Vec<DVector<f64>>],
) -> f64 {
    let (pi, d) = (std::f64::consts::PI, prior.m0.len());
    let dim = d as f64;
    let groups: Vec<_> = groups.iter().map(|g| group(prior, g)).collect();
    let shrink = |n: f64| 0.5 * dim * (prior.beta0 / (prior.beta0 + n)).ln();
    let inverse = prior.w0.clone().try_inverse().unwrap();
    let wishart = |n: f64, s: &DMatrix<f64>| {
        let nu = prior.nu0 + n;
        ln_multi_gamma(d, nu / 2.0) - ln_multi_gamma(d, prior.nu0 / 2.0)
            + 0.5 * prior.nu0 * inverse.determinant().ln()
            - 0.5 * nu * (&inverse + s).determinant().ln()
            - 0.5 * n * dim * pi.ln()
    };
    let gamma = |(a0, b0): (f64, f64), n: f64, s: f64| {
        let (a, b) = (a0 + n / 2.0, b0 + s / 2.0);
        ln_gamma(a) - ln_gamma(a0) + a0 * b0.ln()
            - a * b.ln()
            - 0.5 * n * (2.0 * pi).ln()
    };
    let pulls: f64 = groups.iter().map(|(n, _)| shrink(*n)).sum();
    pulls
        + match shape {
            Covariance::Full => {
                groups.iter().map(|(n, s)| wishart(*n, s)).sum::<f64>()
            }
            Covariance::Tied => {
                let n = groups.iter().map(|(n, _)| n).sum();
                wishart(n, &groups.iter().map(|(_, s)| s).sum())
            }
            Covariance::Diagonal => {
                let (a, b) = gamma_of_variances(shape, prior);
                let of = |(n, s): &(f64, DMatrix<f64>)| -> f64 {
                    (0..d).map(|j| gamma((a, b[j]), *n, s[(j, j)])).sum()
                };
                groups.iter().map(of).sum()
            }
            Covariance::Spherical => {
                let (a, b) = gamma_of_variances(shape, prior);
                let of = |(n, s): &(f64, DMatrix<f64>)| {
                    gamma((a, b[0]), n * dim, s.trace())
                };
                groups.iter().map(of).sum()
            }
            _ => unreachable!(),
        }
}

/// ln p(z) of labels with these counts.
pub fn plain_log_labels(of: Concentration, alpha0: f64, counts: &[f64]) -> f64 {
    let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    match of {
        Concentration::Dirichlet => {
            let (k, n) = (counts.len() as f64, counts.iter().sum::<f64>());
            let each = counts.iter().map(|c| ln_gamma(alpha0 + c) - ln_gamma(alpha0));
            ln_gamma(k * alpha0) - ln_gamma(k * alpha0 + n) + each.sum::<f64>()
        }
        Concentration::DirichletProcess { alpha } => (0..counts.len() - 1)
            .map(|k| {
                let later: f64 = counts[k + 1..].iter().sum();
                ln_beta(1.0 + counts[k], alpha + later) - ln_beta(1.0, alpha)
            })
            .sum(),
        _ => unreachable!(),
    }
}
