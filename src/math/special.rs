use statrs::function::gamma;

use crate::math::Structured;

/// ln Γ(x), for x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    gamma::ln_gamma(x)
}

/// ψ(x) = d/dx ln Γ(x), for x > 0.
pub fn digamma(x: f64) -> f64 {
    gamma::digamma(x)
}

/// ln Γ_D(a), the multivariate gamma function of a > (D − 1)/2:
/// Γ_D(a) = π^(D(D−1)/4) Πᵢ Γ(a − (i − 1)/2), for i from 1 to D.
///
/// ```
/// use mixtures::math::{ln_gamma, ln_multivariate_gamma};
///
/// assert_eq!(ln_multivariate_gamma(1, 2.5), ln_gamma(2.5));
/// ```
pub fn ln_multivariate_gamma(d: usize, a: f64) -> f64 {
    let pi_power = (d * d.saturating_sub(1)) as f64 / 4.0;
    let gammas: f64 = (0..d).map(|i| ln_gamma(a - 0.5 * i as f64)).sum();
    pi_power * std::f64::consts::PI.ln() + gammas
}

/// ln Γ(a + h) − ln Γ(a) for a, h > 0, which for large a is far smaller than either:
/// there it is the difference of two Stirling series, taken term by term.
// ANCHOR: ln_gamma_ratio
pub(crate) fn ln_gamma_ratio(a: f64, h: f64) -> f64 {
    if a < 40.0 {
        return ln_gamma(a + h) - ln_gamma(a);
    }
    let b = a + h;
    let tail = |x: f64| {
        let y = 1.0 / (x * x);
        (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1260.0 - y / 1680.0))) / x
    };
    (a - 0.5) * (h / a).ln_1p() + h * (b.ln() - 1.0) + tail(b) - tail(a)
}
// ANCHOR_END: ln_gamma_ratio

/// ψ(a + h) − ψ(a) for a, h > 0, likewise.
pub(crate) fn digamma_difference(a: f64, h: f64) -> f64 {
    if a < 40.0 {
        return digamma(a + h) - digamma(a);
    }
    let b = a + h;
    let tail = |x: f64| {
        let y = 1.0 / (x * x);
        y * (1.0 / 12.0 - y * (1.0 / 120.0 - y / 252.0))
    };
    (h / a).ln_1p() + 0.5 * (h / a) / b + tail(a) - tail(b)
}

/// ln Γ(a) − ln Γ(b) − (a − b) ψ(a): how far ln Γ(b) lies above its tangent at a, with a minus, so
/// never positive. It is what gamma functions contribute to a divergence, and far smaller than
/// they are.
pub(crate) fn ln_gamma_bend(a: f64, b: f64) -> f64 {
    let h = a - b;
    if h == 0.0 {
        return 0.0;
    }
    let ratio = if h > 0.0 { ln_gamma_ratio(b, h) } else { -ln_gamma_ratio(a, -h) };
    ratio - h * digamma(a)
}

/// tr(R Rᵀ) − D − ln det(R Rᵀ) ≥ 0 for a lower triangular R (D×D) with a positive diagonal: what
/// scale matrices contribute to a divergence (Stein's loss). Near R = I without cancellation
/// between D and the trace.
pub(crate) fn stein_loss(r: &Structured) -> f64 {
    let of_diagonal = |x: &f64| (x - 1.0) * (x + 1.0) - 2.0 * x.ln();
    let diagonal: f64 = r.diagonal().iter().map(of_diagonal).sum();
    let below = match r {
        Structured::Diagonal { .. } => 0.0,
        Structured::Dense(r) => {
            (1..r.nrows()).map(|i| r.view((i, 0), (1, i)).norm_squared()).sum()
        }
    };
    diagonal + below
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// Against the remainder of Taylor's series, ½ ψ′ h² for close arguments.
    #[test]
    fn bends_keep_their_digits() {
        for a in [1e3, 1e8, 1e12] {
            let h = a * 1e-6;
            let trigamma = 1.0 / a + 0.5 / (a * a);
            let expected = -0.5 * trigamma * h * h * (1.0 + 1e-6 / 3.0);
            assert_relative_eq!(
                ln_gamma_bend(a, a - h),
                expected,
                max_relative = 1e-3
            );
            assert!(ln_gamma_bend(a - h, a) < 0.0);
        }
        assert_eq!(ln_gamma_bend(3.5, 3.5), 0.0);
        let (a, b) = (2.5, 7.0);
        let plain = ln_gamma(a) - ln_gamma(b) - (a - b) * digamma(a);
        assert_relative_eq!(ln_gamma_bend(a, b), plain, max_relative = 1e-13);
        let excess = |x: f64| stein_loss(&nalgebra::dmatrix![x].into());
        assert_relative_eq!(excess(1.0 + 1e-9), 2e-18, max_relative = 1e-6);
        assert_relative_eq!(excess(3.0), 8.0 - 9.0_f64.ln(), max_relative = 1e-15);
        assert!(excess(1e-200).is_finite());
    }

    /// Γ(a + 1) = a Γ(a), which the series knows nothing of; and both branches agree.
    #[test]
    fn ratios_of_gammas_keep_their_digits() {
        for a in [0.3, 7.0, 39.9, 40.1, 1e3, 1e8, 1e15] {
            assert_relative_eq!(ln_gamma_ratio(a, 1.0), a.ln(), max_relative = 1e-13);
            let three = a.ln() + (a + 1.0).ln() + (a + 2.0).ln();
            assert_relative_eq!(ln_gamma_ratio(a, 3.0), three, max_relative = 1e-13);
        }
        let (a, h) = (50.0, 2.5);
        assert_relative_eq!(
            ln_gamma_ratio(a, h),
            ln_gamma(a + h) - ln_gamma(a),
            max_relative = 1e-13
        );
    }

    /// ψ(a + 1) = ψ(a) + 1/a, likewise.
    #[test]
    fn differences_of_digammas_keep_their_digits() {
        for a in [0.3, 7.0, 39.9, 40.1, 1e3, 1e8, 1e15] {
            let two = 1.0 / a + 1.0 / (a + 1.0);
            let accuracy = if a < 40.0 { 1e-13 } else { 1e-15 };
            assert_relative_eq!(
                digamma_difference(a, 2.0),
                two,
                max_relative = accuracy
            );
        }
        let (a, h) = (40.0, 2.5);
        assert_relative_eq!(
            digamma_difference(a, h),
            digamma(a + h) - digamma(a),
            max_relative = 1e-13
        );
    }
}
