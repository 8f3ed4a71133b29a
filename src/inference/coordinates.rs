//! Where a model is, as one vector: what [`Squarem`](super::accelerate::Squarem) extrapolates.

use nalgebra::{DMatrix, DVector};

use crate::Moments;
use crate::distribution::{Gaussian, Structure};
use crate::inference::summary::Summary;
use crate::math::{Structured, squared};
use crate::mixture::{Covariance, GaussianMixture};

/// What the data are measured in, so that a change of units does not change the length of a step.
pub(crate) struct Units {
    /// The mean of all points, length D.
    centre: DVector<f64>,
    /// The standard deviation of each column; 1 for one that is constant.
    sd: DVector<f64>,
}

impl Units {
    /// The points' own, which any E-step knows: the shares of the components make up the whole.
    pub fn of(summary: &Summary) -> Self {
        let shares = summary.components();
        let total: f64 = shares.iter().map(Moments::count).sum();
        let means = || shares.iter().filter_map(|m| Some((m.count(), m.mean()?)));
        let d = shares[0].dimension();
        let mut centre = DVector::zeros(d);
        means().for_each(|(count, mean)| centre.axpy(count / total, &mean, 1.0));
        let mut variance = DVector::zeros(d);
        for moments in shares {
            variance += moments.structured_scatter().diagonal() / total;
        }
        for (count, mean) in means() {
            let shift = mean - &centre;
            variance += shift.component_mul(&shift) * (count / total);
        }
        let sd = variance.map(|v: f64| if v > 0.0 { v.sqrt() } else { 1.0 });
        Units { centre, sd }
    }
}

/// ln πₖ of each component and its mean in units; then, of each different covariance, the Cholesky
/// factor L by columns: ln Lⱼⱼ, and below it Lᵢⱼ in units. None if a weight is zero.
// ANCHOR: coordinates
pub(crate) fn of_mixture(
    mixture: &GaussianMixture,
    units: &Units,
) -> Option<DVector<f64>> {
    let shape = mixture.shape();
    let mut all: Vec<f64> = mixture.weights().iter().map(|w| w.ln()).collect();
    for component in mixture.components() {
        all.extend(component.mean().component_div(&units.sd).iter());
    }
    for component in different(mixture.components(), shape) {
        match component.factor().root() {
            Structured::Dense(l) => {
                for j in 0..l.ncols() {
                    all.push(l[(j, j)].ln());
                    all.extend((j + 1..l.nrows()).map(|i| l[(i, j)] / units.sd[i]));
                }
            }
            Structured::Diagonal { diagonal, .. } => {
                let free = shape.structure().free(diagonal.len()); // D, or 1
                all.extend(diagonal.iter().take(free).map(|sd| sd.ln()));
            }
        }
    }
    all.iter().all(|v| v.is_finite()).then(|| DVector::from_vec(all))
}
// ANCHOR_END: coordinates

/// One component for each covariance that the shape lets differ.
fn different<T>(components: &[T], shape: Covariance) -> &[T] {
    if shape.is_tied() { &components[..1] } else { components }
}

/// The mixture of K components at these coordinates, its weights normalised; none if a weight is
/// zero, or a covariance none.
pub(crate) fn mixture_at(
    coordinates: &DVector<f64>,
    (k, shape): (usize, Covariance),
    units: &Units,
) -> Option<GaussianMixture> {
    let d = units.sd.len();
    let (logs, rest) = coordinates.as_slice().split_at(k);
    let (means, roots) = rest.split_at(k * d);
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights = DVector::from_iterator(k, logs.iter().map(|l| (l - largest).exp()));
    let roots = roots.chunks_exact(shape.structure().free(d));
    let components = means
        .chunks_exact(d)
        .zip(roots.cycle())
        .map(|(mean, root)| {
            let mean = DVector::from_column_slice(mean).component_mul(&units.sd);
            let root = root_at(root, shape.structure(), units);
            Gaussian::named(mean, squared(&root), "the covariance").ok()
        })
        .collect::<Option<Vec<_>>>()?;
    let weights = &weights / weights.sum();
    let valid = weights.iter().all(|w| *w > 0.0);
    valid.then(|| GaussianMixture::of(weights, components, shape))
}

/// L from its part of the coordinates.
fn root_at(part: &[f64], structure: Structure, units: &Units) -> Structured {
    let d = units.sd.len();
    if structure != Structure::Dense {
        return DVector::from_fn(d, |j, _| part[j.min(part.len() - 1)].exp()).into();
    }
    let mut l = DMatrix::zeros(d, d);
    let mut part = part.iter();
    let mut next = || *part.next().expect("D(D + 1)/2 numbers");
    for j in 0..d {
        l[(j, j)] = next().exp();
        for i in j + 1..d {
            l[(i, j)] = next() * units.sd[i];
        }
    }
    l.into()
}

/// The statistics of each component's share of the points about one centre, in units: Nₖ,
/// Σ r (x − c)/s, and the products Σ r (x − c)(x − c)ᵀ/(s sᵀ) by columns (or their diagonal).
pub(crate) fn of_shares(shares: &[Moments], units: &Units) -> Option<DVector<f64>> {
    let mut all = Vec::new();
    for moments in shares {
        let count = moments.count();
        let mean = moments.mean().unwrap_or_else(|| units.centre.clone());
        let shift = (mean - &units.centre).component_div(&units.sd);
        all.push(count);
        all.extend((&shift * count).iter());
        match moments.structured_scatter() {
            Structured::Dense(scatter) => {
                for j in 0..shift.len() {
                    all.extend((j..shift.len()).map(|i| {
                        let about_mean = scatter[(i, j)] / units.sd[i] / units.sd[j];
                        about_mean + count * shift[i] * shift[j]
                    }));
                }
            }
            Structured::Diagonal { diagonal, .. } => {
                all.extend((0..shift.len()).map(|j| {
                    let about_mean = diagonal[j] / units.sd[j] / units.sd[j];
                    about_mean + count * shift[j] * shift[j]
                }));
            }
        }
    }
    all.iter().all(|v| v.is_finite()).then(|| DVector::from_vec(all))
}

/// The shares of K components at these coordinates; none if a count is negative.
pub(crate) fn shares_at(
    coordinates: &DVector<f64>,
    k: usize,
    units: &Units,
) -> Option<Vec<Moments>> {
    let (centre, sd) = (&units.centre, &units.sd);
    let d = sd.len();
    let share = |part: &[f64]| {
        let (count, sum) = (part[0], DVector::from_column_slice(&part[1..=d]));
        let products = &part[1 + d..];
        let second: Structured = if products.len() == d {
            let squares = DVector::from_column_slice(products);
            squares.component_mul(sd).component_mul(sd).into()
        } else {
            let mut products = products.iter();
            let mut next = || *products.next().expect("D(D + 1)/2 numbers");
            let mut m = DMatrix::zeros(d, d);
            for j in 0..d {
                (j..d).for_each(|i| m[(i, j)] = next() * sd[i] * sd[j]);
            }
            m.into()
        };
        let valid = count >= 0.0 && part.iter().all(|v| v.is_finite());
        let sum = sum.component_mul(sd);
        valid.then(|| Moments::from_parts(count, centre.clone(), &sum, second))
    };
    coordinates.as_slice().chunks_exact(coordinates.len() / k).map(share).collect()
}
