//! The divergence of one mixture from another, which has no closed form: bounds, and
//! an estimate.

use nalgebra::{DMatrix, DVector};

use super::GaussianMixture;
use crate::distribution::Gaussian;
use crate::math::{Cholesky, Estimate, LN_2_PI, log_sum_exp, square};
use crate::{Error, Result};

/// The upper bound goes down at most so many steps.
const MOST_STEPS: usize = 1000;

/// The lower bound tries the powers t = 1, ½, ¼ … 2⁻¹⁰: small ones suit components
/// far apart.
const HALVINGS: std::ops::RangeInclusive<i32> = 0..=10;

/// The powers of the nearest component in the lower bound: 1 is exact where it is the
/// only one.
const SHARES: [f64; 4] = [0.5, 0.75, 0.875, 1.0];

impl GaussianMixture {
    /// KL(self ‖ other) lies between these two numbers, (lower, upper), natural logs
    /// (but for rounding). They are equal, and exact, where both have one component
    /// and where the mixtures are equal; they are close where the components of each
    /// overlap little. The lower one can be 0 for mixtures that differ, and is most
    /// often where `self` is the wider.
    ///
    /// Let f = Σₐ πₐ fₐ and g = Σ_b ω_b g_b. Then KL(f ‖ g) = Σₐ πₐ KL(fₐ ‖ g) − I,
    /// where I = Σₐ πₐ KL(fₐ ‖ f) is what a point tells of its component. Each part
    /// has bounds.
    ///
    /// - *KL(f ‖ g) from above.* Split both into pieces, f = Σₐ_b φₐ_b fₐ and g =
    ///   Σₐ_b ψₐ_b g_b, with Σ_b φₐ_b = πₐ and Σₐ ψₐ_b = ω_b. Forgetting which piece
    ///   a point came from cannot raise a divergence (the log-sum inequality): KL(f ‖
    ///   g) ≤ Σₐ_b φₐ_b (ln(φₐ_b/ψₐ_b) + KL(fₐ ‖ g_b)). φ = ψ = πₐω_b is the bound of
    ///   convexity; from there both are improved in turn (Hershey & Olsen 2007).
    /// - *KL(fₐ ‖ g) and I from above.* For one fₐ the best φ and ψ give KL(fₐ ‖ g) ≤
    ///   −ln Σ_b ω_b exp(−KL(fₐ ‖ g_b)), and the same with f in place of g.
    /// - *I from below.* I ≥ −Σₐ πₐ ln Σ_b π_b ∫ √(fₐ f_b) (Kolchinsky & Tracey
    ///   2017). For let r_b = π_b f_b/f: then I = E KL(r ‖ π) ≥ E(½ KL(r ‖ π) − ln
    ///   Σ_b √(r_b π_b)), as Jensen's inequality says of the other half; this is Σₐ
    ///   πₐ Eₐ ln(√fₐ/Σ_b π_b √f_b), the mean Eₐ taken under fₐ, and Jensen's again
    ///   takes that mean inside the logarithm.
    /// - *KL(fₐ ‖ g) from below.* That is Eₐ ln fₐ − Eₐ ln g, and Jensen's inequality
    ///   bounds Eₐ ln g in two ways: by (1/t) ln Σ_b ω_bᵗ Eₐ g_bᵗ for 0 < t ≤ 1, as
    ///   (u + v)ᵗ ≤ uᵗ + vᵗ, of which t = 1 is the bound of Durrieu, Thiran & Kelly
    ///   (2012); and by Eₐ ln h + ln Eₐ(g/h) for any positive h, here powers of the
    ///   nearest g_b. The best of all these is taken, or 0.
    ///
    /// # Errors
    /// If `other` has another dimension.
    ///
    /// ```
    /// use mixtures::{Em, data, math};
    ///
    /// let x = data::faithful();
    /// let two = Em::new(2).restarts(5).fit(&x)?.mixture;
    /// let one = Em::new(1).fit(&x)?.mixture;
    /// let (lower, upper) = two.kl_bounds(&one)?;
    /// let sampled = two.kl_estimate(&one, 10_000, &mut math::rng(1))?;
    /// assert!(upper - lower < 0.01); // of 0.58: these two components overlap little
    /// assert!((sampled.mean - lower).abs() < 5.0 * sampled.standard_error);
    /// # Ok::<(), mixtures::Error>(())
    /// ```
    pub fn kl_bounds(&self, other: &GaussianMixture) -> Result<(f64, f64)> {
        self.expect_alike(other)?;
        let (f, g) = (Parts::of(self), Parts::of(other));
        let (across, within) = (f.divergences(&g)?, f.divergences(&f)?);
        let told_at_most = f.mean_over(&softest(&f.log_weights, &within));
        let told_at_least =
            f.mean_over(&softest(&f.log_weights, &f.half_distances()?));
        let apart_at_most = f.mean_over(&softest(&g.log_weights, &across));
        let apart_at_least = f.mean_over(&jensen_bounds(&f, &g, &across));
        let upper = (apart_at_most - told_at_least).min(matched(&f, &g, &across));
        let upper = if upper.is_nan() { f64::INFINITY } else { upper.max(0.0) };
        Ok(((apart_at_least - told_at_most).clamp(0.0, upper), upper))
    }

    /// KL(self ‖ other), natural log, as the mean of ln p(x) − ln p′(x) over `n`
    /// points drawn from `self`, with its standard error. (It is infinite where a
    /// point is out of the reach of `other` even as a logarithm.)
    ///
    /// # Errors
    /// If `other` has another dimension, or n < 2.
    pub fn kl_estimate<R: rand::Rng + ?Sized>(
        &self,
        other: &GaussianMixture,
        n: usize,
        rng: &mut R,
    ) -> Result<Estimate> {
        self.expect_alike(other)?;
        if n < 2 {
            let reason = "a mean and its standard error take at least 2 points";
            return Err(Error::option("n", n, reason));
        }
        let (x, _) = self.sample(n, rng);
        let log_ratio = self.log_density(&x)? - other.log_density(&x)?;
        Ok(Estimate::of(log_ratio.as_slice()))
    }

    fn expect_alike(&self, other: &GaussianMixture) -> Result<()> {
        let (d, found) = (self.dimension(), other.dimension());
        if d == found {
            return Ok(());
        }
        let expected = format!("of dimension {d}, as the first is");
        Err(Error::shape(
            "the other mixture",
            expected,
            format!("of dimension {found}"),
        ))
    }
}

/// The components that have weight, with its logarithm.
struct Parts<'a> {
    log_weights: Vec<f64>,
    components: Vec<&'a Gaussian>,
}

impl<'a> Parts<'a> {
    fn of(mixture: &'a GaussianMixture) -> Self {
        let weights = mixture.weights().iter().map(|w| w.ln());
        let (log_weights, components) = weights
            .zip(mixture.components())
            .filter(|(log_weight, _)| *log_weight > f64::NEG_INFINITY)
            .unzip();
        Parts { log_weights, components }
    }

    /// Σₐ πₐ vₐ.
    fn mean_over(&self, values: &DVector<f64>) -> f64 {
        self.log_weights.iter().zip(values).map(|(log, v)| log.exp() * v).sum()
    }

    /// −ln ∫ √(fₐ f_b) of each pair (Bhattacharyya 1943).
    fn half_distances(&self) -> Result<DMatrix<f64>> {
        let k = self.components.len();
        let mut all = DMatrix::zeros(k, k);
        for (a, one) in self.components.iter().enumerate() {
            for (b, two) in self.components.iter().enumerate().take(a) {
                let middle = (one.covariance() + two.covariance()) / 2.0;
                let middle = Cholesky::new(&middle, "a mean of covariances")?;
                let shift = middle.whiten(&(one.mean() - two.mean()));
                let apart = (one.factor().log_det() + two.factor().log_det()) / 2.0;
                let log_ratio = middle.log_det() - apart;
                all[(a, b)] = shift.norm_squared() / 8.0 + log_ratio / 2.0;
                all[(b, a)] = all[(a, b)];
            }
        }
        Ok(all)
    }

    /// KL(fₐ ‖ g_b) of each pair.
    fn divergences(&self, other: &Parts) -> Result<DMatrix<f64>> {
        let (rows, columns) = (self.components.len(), other.components.len());
        let mut all = DMatrix::zeros(rows, columns);
        for (a, one) in self.components.iter().enumerate() {
            for (b, two) in other.components.iter().enumerate() {
                all[(a, b)] = one.kl(two)?;
            }
        }
        Ok(all)
    }
}

/// −ln Σ_b w_b exp(−Dₐ_b) for each row of D, w given by its logarithms.
fn softest(log_weights: &[f64], distances: &DMatrix<f64>) -> DVector<f64> {
    let of_row = |a: usize| {
        let terms: Vec<f64> = log_weights
            .iter()
            .zip(distances.row(a).iter())
            .map(|(log_weight, distance)| log_weight - distance)
            .collect();
        -log_sum_exp(&terms)
    };
    DVector::from_fn(distances.nrows(), |a, _| of_row(a))
}

/// The least Σₐ_b φₐ_b (ln(φₐ_b/ψₐ_b) + KLₐ_b) found from two starts: pieces in
/// proportion, and each piece of g given to the nearest component of f (which is the
/// best if f = g).
fn matched(f: &Parts, g: &Parts, divergences: &DMatrix<f64>) -> f64 {
    if divergences.iter().any(|kl| !kl.is_finite()) {
        return f64::INFINITY;
    }
    let from = |sharpness: f64| {
        let log_phi =
            DMatrix::from_fn(f.log_weights.len(), g.log_weights.len(), |a, b| {
                f.log_weights[a] - sharpness * divergences[(a, b)]
            });
        descend(f, g, divergences, log_phi)
    };
    from(0.0).min(from(1e6))
}

/// The bound after the best ψ for φ and the best φ for ψ in turn, until it goes down
/// no more. The problem is convex, and each step is exact. (The columns of the first
/// φ need not sum to anything: ψ takes only their proportions.)
fn descend(
    f: &Parts,
    g: &Parts,
    divergences: &DMatrix<f64>,
    mut log_phi: DMatrix<f64>,
) -> f64 {
    let mut bound = f64::INFINITY;
    for _ in 0..MOST_STEPS {
        // ψₐ_b = ω_b φₐ_b/Σₐ φₐ_b
        for (b, mut column) in log_phi.column_iter_mut().enumerate() {
            let total = log_sum_exp(column.as_slice());
            column.add_scalar_mut(g.log_weights[b] - total);
        }
        // φₐ_b = πₐ ψₐ_b exp(−KLₐ_b)/Σ_b …, and with it the bound is Σₐ πₐ (ln πₐ −
        // ln Σ_b …).
        let mut next = 0.0;
        log_phi -= divergences;
        for (a, mut row) in log_phi.row_iter_mut().enumerate() {
            let scores: Vec<f64> = row.iter().copied().collect();
            let gain = f.log_weights[a] - log_sum_exp(&scores);
            row.add_scalar_mut(gain);
            next += f.log_weights[a].exp() * gain;
        }
        let done = bound - next <= 1e-12 * (1.0 + next.abs());
        bound = bound.min(next);
        if done {
            break;
        }
    }
    bound
}

/// A lower bound of KL(fₐ ‖ g) for each a.
fn jensen_bounds(f: &Parts, g: &Parts, divergences: &DMatrix<f64>) -> DVector<f64> {
    let of_one = |a: usize| {
        let near: Vec<Relative> = g
            .components
            .iter()
            .map(|component| Relative::new(f.components[a], component))
            .collect();
        let entropy = 0.5 * near[0].shift.len() as f64 * (1.0 + LN_2_PI);
        let cost = |b: usize| divergences[(a, b)] - g.log_weights[b];
        let c = (1..near.len())
            .fold(0, |best, b| if cost(b) < cost(best) { b } else { best });
        let powers = HALVINGS.filter_map(|i| {
            let t = 0.5_f64.powi(i);
            let integral =
                |b: usize| Some(t * g.log_weights[b] + near[b].log_mean_power(t)?);
            Some(-entropy - log_sum(near.len(), integral)? / t)
        });
        let ratios = SHARES.iter().filter_map(|&s| {
            let integral = |b: usize| {
                let log_mean = if b == c {
                    near[c].log_mean_power(1.0 - s)?
                } else {
                    near[b].log_mean_ratio(&near[c], s)?
                };
                Some(g.log_weights[b] + log_mean)
            };
            let of_nearest = s * (entropy + divergences[(a, c)]); // −s Eₐ ln g_c
            Some(of_nearest - entropy - log_sum(near.len(), integral)?)
        });
        powers.chain(ratios).filter(|bound| bound.is_finite()).fold(0.0, f64::max)
    };
    DVector::from_fn(f.components.len(), |a, _| of_one(a))
}

/// ln Σ_b exp of each term; none if one is none.
fn log_sum(terms: usize, term: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let terms: Vec<f64> = (0..terms).map(term).collect::<Option<_>>()?;
    Some(log_sum_exp(&terms))
}

/// A Gaussian g seen from another, f, in coordinates y where f is N(0, I): there g
/// has the density |det R| (2π)^(−D/2) exp(−½ ‖R y − v‖²).
struct Relative {
    /// R, lower triangular.
    whitener: DMatrix<f64>,
    /// v.
    shift: DVector<f64>,
    /// ln |det R| − (D/2) ln 2π.
    log_peak: f64,
}

impl Relative {
    fn new(f: &Gaussian, g: &Gaussian) -> Self {
        let whitener = g.factor().whitener() * f.factor().l();
        let shift = g.factor().whiten(&(g.mean() - f.mean()));
        let log_det: f64 = whitener.diagonal().iter().map(|v| v.ln()).sum();
        let log_peak = log_det - 0.5 * shift.len() as f64 * LN_2_PI;
        Relative { whitener, shift, log_peak }
    }

    /// ln E gᵗ under f: the Gaussian integral, with det(I + t R Rᵀ) and vᵀ (I + t R
    /// Rᵀ)⁻¹ v.
    fn log_mean_power(&self, t: f64) -> Option<f64> {
        let d = self.shift.len();
        let sum = DMatrix::identity(d, d) + square(&self.whitener) * t;
        let sum = Cholesky::new(&sum, "I + t R Rᵀ").ok()?;
        let distance = sum.whiten(&self.shift).norm_squared();
        Some(t * self.log_peak - 0.5 * (sum.log_det() + t * distance))
    }

    /// ln E g/hˢ under f; none where it is infinite, or may be as far as rounding can
    /// tell. The product f g is a multiple, E g, of a Gaussian with the precision C
    /// Cᵀ = I + Rᵀ R and the mean (C Cᵀ)⁻¹ Rᵀ v; under it the mean of h⁻ˢ is finite
    /// where I − s Q (C Cᵀ)⁻¹ Qᵀ is positive definite, Q being h's R.
    fn log_mean_ratio(&self, h: &Relative, s: f64) -> Option<f64> {
        let log_mean = self.log_mean_power(1.0)?;
        let d = self.shift.len();
        let identity = || DMatrix::identity(d, d);
        let precision = identity() + square(&self.whitener.transpose());
        let c = Cholesky::new(&precision, "I + Rᵀ R").ok()?.whitener();
        let spread = &h.whitener * c.transpose();
        let mean = &spread * (&c * self.whitener.tr_mul(&self.shift));
        let rest = identity() - square(&spread) * s;
        Cholesky::new(&(&rest - identity() * 1e-6), "the margin").ok()?;
        let rest = Cholesky::new(&rest, "I − s Q (C Cᵀ)⁻¹ Qᵀ").ok()?;
        let distance = rest.whiten(&(mean - &h.shift)).norm_squared();
        Some(log_mean - s * h.log_peak - 0.5 * rest.log_det() + 0.5 * s * distance)
    }
}
