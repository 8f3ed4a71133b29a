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
        let mut shares = summary.components().iter().filter(|m| m.count() > 0.0);
        let mut all = shares.next().expect("some point has weight").clone();
        for share in shares {
            all.merge(share).expect("shares of the same points");
        }
        let centre = all.mean().expect("some point has weight");
        let variance = all.structured_scatter().diagonal() / all.count();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;
    use crate::inference::e_step;
    use crate::math::rng;
    use approx::assert_relative_eq;
    use rand::RngExt;

    /// Three components of this shape, in four dimensions of different units.
    fn mixture(shape: Covariance) -> GaussianMixture {
        let (rng, d) = (&mut rng(2110), 4);
        let x = data::iris();
        let mut random = |_| {
            let widths = [2.0, 0.5, 7.0, 0.1];
            let a = DMatrix::from_fn(d, d, |_, _| rng.random_range(-1.0..1.0));
            let a = a + DMatrix::identity(d, d);
            let root: Structured = match shape.structure() {
                Structure::Dense => {
                    (DMatrix::from_diagonal(&widths.to_vec().into()) * a).into()
                }
                Structure::Diagonal => DVector::from(widths.to_vec()).into(),
                Structure::Spherical => DVector::from_element(d, 0.7).into(),
            };
            let row = rng.random_range(0..150);
            Gaussian::with_root(x.row(row).transpose(), &root)
        };
        let mut components: Vec<Gaussian> = (0..3).map(&mut random).collect();
        if shape.is_tied() {
            let root = components[0].factor().root().clone();
            for component in &mut components[1..] {
                *component = Gaussian::with_root(component.mean().clone(), &root);
            }
        }
        GaussianMixture::of(vec![0.2, 0.7, 0.1].into(), components, shape)
    }

    #[test]
    fn units_are_the_columns_means_and_deviations() {
        let x = data::iris();
        for shape in Covariance::ALL {
            let summary = e_step(&mixture(shape), &x, None).unwrap();
            let units = Units::of(&summary);
            let sd = x.row_variance().transpose().map(f64::sqrt);
            assert_relative_eq!(units.sd, sd, max_relative = 1e-12);
            let mean = x.row_mean().transpose();
            assert_relative_eq!(units.centre, mean, max_relative = 1e-12);
        }
    }

    #[test]
    fn there_and_back() {
        let x = data::iris();
        for shape in Covariance::ALL {
            let here = mixture(shape);
            let summary = e_step(&here, &x, None).unwrap();
            let units = Units::of(&summary);
            let coordinates = of_mixture(&here, &units).unwrap();
            assert_eq!(coordinates.len(), here.parameter_count() + 1); // π's sum
            let there = mixture_at(&coordinates, (3, shape), &units).unwrap();
            assert_eq!(there.shape(), shape);
            assert_relative_eq!(there.weights(), here.weights(), epsilon = 1e-15);
            assert_relative_eq!(there.means(), here.means(), max_relative = 1e-15);
            for k in 0..3 {
                let (a, b) = (there.covariance(k), here.covariance(k));
                assert_relative_eq!(a, b, epsilon = 1e-14 * b.amax());
            }
            let shares = summary.components();
            let coordinates = of_shares(shares, &units).unwrap();
            let there = shares_at(&coordinates, 3, &units).unwrap();
            for (a, b) in there.iter().zip(shares) {
                assert_eq!(a.count(), b.count());
                let (mean, scatter) = (b.mean().unwrap(), b.scatter());
                assert_relative_eq!(a.mean().unwrap(), mean, max_relative = 1e-14);
                let size = b.count() * units.sd.amax().powi(2);
                assert_relative_eq!(a.scatter(), scatter, epsilon = 1e-14 * size);
            }
        }
    }

    /// Weights that have run apart, infinite deviations, negative counts: no model.
    #[test]
    fn there_is_not_a_model_everywhere() {
        let x = data::iris();
        for shape in Covariance::ALL {
            let mut here = mixture(shape);
            let summary = e_step(&here, &x, None).unwrap();
            let units = Units::of(&summary);
            let good = of_mixture(&here, &units).unwrap();
            let last = good.len() - 1;
            let moved = |at: usize, by: f64| {
                let mut coordinates = good.clone();
                coordinates[at] += by;
                mixture_at(&coordinates, (3, shape), &units)
            };
            assert!(moved(0, 1.0).is_some() && moved(last, 1.0).is_some());
            for (at, by) in [
                (0, 1e4),
                (1, f64::NAN),
                (2, f64::NEG_INFINITY),
                (5, f64::INFINITY),
                (6, f64::NAN),
                (last, 1e4),
                (last, f64::NAN),
            ] {
                assert!(moved(at, by).is_none(), "{shape}: {at}, {by}");
            }
            here = GaussianMixture::of(
                vec![0.0, 0.7, 0.3].into(),
                here.components().to_vec(),
                shape,
            );
            assert!(of_mixture(&here, &units).is_none());
            let good = of_shares(summary.components(), &units).unwrap();
            for (at, by) in [(0, -1e3), (1, f64::NAN), (last, f64::INFINITY)] {
                let mut coordinates = good.clone();
                coordinates[at] += by;
                assert!(shares_at(&coordinates, 3, &units).is_none(), "{at}, {by}");
            }
        }
    }
}
