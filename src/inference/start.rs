//! Where a fit starts.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use serde::{Deserialize, Serialize};

use crate::distribution::Gaussian;
use crate::finite::check_finite;
use crate::inference::shares::check_columns;
use crate::kernel::Points;
use crate::math::{Cholesky, Rng, squared};
use crate::mixture::{Covariance, GaussianMixture};
use crate::{Error, Result};

/// K-means makes at most this many rounds; it needs no more to be a good start.
const MOST_ROUNDS: usize = 100;

/// Where a fit starts.
///
/// The random starts choose K of the points as means (or, with K-means, go on from there), and give
/// every component the same weight and the covariance Σ̂/K^(2/D): the data's own ellipsoid, shrunk
/// so that K of them have its volume. Distances are measured in the data's own units of spread
/// (Mahalanobis, under Σ̂), so that rescaling or mixing the columns changes nothing. (With a prior
/// the shape is that of its W₀⁻¹, in both, and the size that of the data: W₀⁻¹ tr(W₀ Σ̂)/D in Σ̂'s
/// place. For diagonal and spherical shapes Σ̂ has their shape, too.)
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Start {
    /// K different rows, each set of K as likely as any other. (If two of them are equal, so are
    /// their components, and EM never separates them.)
    RandomPoints,
    /// K rows far apart: each next one is drawn with probability proportional to its weight times
    /// its squared distance from the nearest one so far (Arthur & Vassilvitskii 2007).
    #[default]
    KMeansPlusPlus,
    /// The means that K-means reaches from a k-means++ start (Lloyd 1982).
    KMeans,
    /// These means (K×D), with weights 1/K and each covariance that of the data; for
    /// [`Vb`](crate::Vb), with all else at the prior.
    Means(DMatrix<f64>),
    /// This mixture, of any shape; for [`Vb`](crate::Vb) its responsibilities make the first
    /// posterior.
    Given(GaussianMixture),
    /// What an update makes of these responsibilities (N×K; rows sum to 1).
    Responsibilities(DMatrix<f64>),
}

impl Start {
    /// Whether another seed would start elsewhere.
    pub(crate) fn is_random(&self) -> bool {
        matches!(self, Start::RandomPoints | Start::KMeansPlusPlus | Start::KMeans)
    }

    /// Refuses a start of another K or D than the fit's. (Responsibilities are checked row by row
    /// where they are dealt out.)
    pub(crate) fn check(&self, k: usize, points: &Points) -> Result<()> {
        let d = points.dimension();
        if let Start::Responsibilities(r) = self {
            check_columns(r, k)?;
        }
        let (what, found) = match self {
            Start::Given(mixture) => {
                ("Start::Given", (mixture.component_count(), mixture.dimension()))
            }
            Start::Means(means) => ("Start::Means", means.shape()),
            _ => return Ok(()),
        };
        if found == (k, d) {
            return Ok(());
        }
        let expected = format!("of {k} components in {d} dimensions, as the fit is");
        Err(Error::shape(what, expected, format!("of {} in {}", found.0, found.1)))
    }

    /// The mixture of this `shape` to start from, in coordinates relative to the points' origin;
    /// `spread` factors Σ̂, and `rng` is used by the random starts alone. Not for
    /// [`Start::Responsibilities`], of which an update makes a model.
    pub(crate) fn mixture(
        &self,
        (k, shape): (usize, Covariance),
        points: &Points,
        spread: &Cholesky,
        rng: &mut Rng,
    ) -> Result<GaussianMixture> {
        let white = || -> Vec<DVector<f64>> {
            (0..points.len()).map(|n| spread.whiten(&points.row(n))).collect()
        };
        let means: Vec<DVector<f64>> = match self {
            Start::Given(mixture) => {
                return Ok(mixture.clone().translated(&-&points.origin));
            }
            Start::Responsibilities(_) => {
                unreachable!("an update makes the model of them")
            }
            Start::Means(means) => {
                let origin = &points.origin;
                let moved = DMatrix::from_fn(k, origin.len(), |k, j| {
                    means[(k, j)] - origin[j]
                });
                return alike(moved, spread, 1.0, shape);
            }
            Start::RandomPoints => {
                let rows = random_points(k, points, rng)?;
                rows.into_iter().map(|n| points.row(n)).collect()
            }
            Start::KMeansPlusPlus => {
                let rows = plus_plus(k, points, &white(), rng)?;
                rows.into_iter().map(|n| points.row(n)).collect()
            }
            Start::KMeans => {
                let white = white();
                let rows = plus_plus(k, points, &white, rng)?;
                let seeds = rows.into_iter().map(|n| white[n].clone()).collect();
                let centres = lloyd(seeds, points, &white);
                centres.into_iter().map(|c| spread.root().times(&c)).collect()
            }
        };
        let means = DMatrix::from_fn(k, points.dimension(), |k, j| means[k][j]);
        alike(means, spread, share_of_volume(k, points.dimension()), shape)
    }
}

/// By what a covariance is multiplied so that K such ellipsoids have the volume of one.
pub(crate) fn share_of_volume(k: usize, d: usize) -> f64 {
    (k as f64).powf(-2.0 / d as f64)
}

/// Equal weights, these means (K×D), and `shrink`·Σ̂ for every component.
// ANCHOR: alike
fn alike(
    means: DMatrix<f64>,
    spread: &Cholesky,
    shrink: f64,
    shape: Covariance,
) -> Result<GaussianMixture> {
    check_finite(&means.as_view(), "the matrix of means")?;
    let k = means.nrows();
    let covariance = squared(spread.root()).scaled(shrink);
    let components = means
        .row_iter()
        .map(|mean| {
            let what = "the starting covariance";
            Gaussian::named(mean.transpose(), covariance.clone(), what)
        })
        .collect::<Result<_>>()?;
    Ok(GaussianMixture::of(
        DVector::from_element(k, 1.0 / k as f64),
        components,
        shape,
    ))
}
// ANCHOR_END: alike

/// K different rows of positive weight.
fn random_points(k: usize, points: &Points, rng: &mut Rng) -> Result<Vec<usize>> {
    let mut rows: Vec<usize> =
        (0..points.len()).filter(|&n| points.weight(n) > 0.0).collect();
    if rows.len() < k {
        return Err(too_few(k, rows.len(), "rows of positive weight"));
    }
    for i in 0..k {
        let j = rng.random_range(i..rows.len());
        rows.swap(i, j);
    }
    rows.truncate(k);
    Ok(rows)
}

/// K rows by k-means++; `white` holds the points in units of the spread.
// ANCHOR: plus_plus
fn plus_plus(
    k: usize,
    points: &Points,
    white: &[DVector<f64>],
    rng: &mut Rng,
) -> Result<Vec<usize>> {
    let mut rows = Vec::with_capacity(k);
    let mut distance = vec![1.0; points.len()];
    while rows.len() < k {
        let chances = (0..points.len()).map(|n| match points.weight(n) {
            0.0 => 0.0,
            w => w * distance[n],
        });
        let Ok(lottery) = WeightedIndex::new(chances) else {
            return Err(too_few(k, rows.len(), "different points"));
        };
        let chosen = lottery.sample(rng);
        for (nearest, y) in distance.iter_mut().zip(white) {
            let squared = squared_distance(y, &white[chosen]);
            *nearest = if rows.is_empty() { squared } else { nearest.min(squared) };
        }
        rows.push(chosen);
    }
    Ok(rows)
}
// ANCHOR_END: plus_plus

/// The centres (in units of the spread) that Lloyd's iteration reaches from `centres`: each point
/// goes to the nearest one, and each centre to the mean of its points, until no point changes its
/// centre. A centre that loses all points stays where it is.
fn lloyd(
    mut centres: Vec<DVector<f64>>,
    points: &Points,
    white: &[DVector<f64>],
) -> Vec<DVector<f64>> {
    // ANCHOR: lloyd
    let nearest = |y: &DVector<f64>, centres: &[DVector<f64>]| {
        let distances = centres.iter().map(|c| squared_distance(y, c)).enumerate();
        let nearer = |best: (usize, f64), next: (usize, f64)| {
            if next.1 < best.1 { next } else { best }
        };
        distances.reduce(nearer).map_or(0, |(k, _)| k)
    };
    let mut labels: Vec<usize> = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let next: Vec<usize> = white.iter().map(|y| nearest(y, &centres)).collect();
        if next == labels {
            break;
        }
        labels = next;
        let mut sums = vec![(0.0, DVector::zeros(points.dimension())); centres.len()];
        for (n, (&k, y)) in labels.iter().zip(white).enumerate() {
            let w = points.weight(n);
            sums[k].0 += w;
            sums[k].1.axpy(w, y, 1.0);
        }
        for (centre, (count, sum)) in centres.iter_mut().zip(sums) {
            if count > 0.0 {
                *centre = sum / count;
            }
        }
    }
    // ANCHOR_END: lloyd
    centres
}

/// ‖a − b‖², without a vector to hold the difference.
fn squared_distance(a: &DVector<f64>, b: &DVector<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn too_few(components: usize, found: usize, what: &str) -> Error {
    Error::Components {
        components,
        available: format!("{found} {what}"),
        cure: "ask for fewer components, or add points".to_string(),
    }
}
