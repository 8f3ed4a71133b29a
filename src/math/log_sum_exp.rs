/// ln Σₖ exp vₖ, without overflow or underflow.
///
/// The largest term is taken out first, so that the sum is of terms between 0 and 1,
/// one of which is 1. Terms of −∞ (a component of weight zero) count for nothing; if
/// all are −∞, so is the result, as it is of no terms at all.
///
/// ```
/// use mixtures::math::log_sum_exp;
///
/// assert_eq!(log_sum_exp(&[-1000.0, -1000.0]), -1000.0 + 2.0_f64.ln());
/// assert_eq!(log_sum_exp(&[f64::NEG_INFINITY, 3.0]), 3.0);
/// assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
/// ```
// ANCHOR: log_sum_exp
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest.is_infinite() {
        return largest;
    }
    largest + values.iter().map(|v| (v - largest).exp()).sum::<f64>().ln()
}
// ANCHOR_END: log_sum_exp

#[cfg(test)]
mod tests {
    use super::log_sum_exp;

    #[test]
    fn extremes_survive() {
        assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 2]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f64::INFINITY, 0.0]), f64::INFINITY);
        assert_eq!(log_sum_exp(&[1e300]), 1e300);
        assert_eq!(log_sum_exp(&[800.0, 0.0]), 800.0);
        assert!(log_sum_exp(&[f64::NAN, 0.0]).is_nan());
    }
}
