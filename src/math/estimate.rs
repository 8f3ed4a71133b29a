use serde::{Deserialize, Serialize};

/// A sample mean with its standard error.
///
/// ```
/// use mixtures::math::Estimate;
///
/// let four = Estimate::of(&[1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(four.mean, 2.5);
/// assert!((four.standard_error - (5.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Estimate {
    /// x̄, the mean of the sample.
    pub mean: f64,
    /// √(s²/N), where s² has the divisor N − 1: how far the mean is likely to be off.
    /// NaN where N ≤ 1, as nothing can be said then.
    pub standard_error: f64,
}

impl Estimate {
    /// Of independent values, each once.
    pub fn of(values: &[f64]) -> Self {
        Estimate::weighted(values.iter().map(|&value| (value, 1.0)))
    }

    /// Of (value, weight), each value counted `weight` times: N is the sum of the
    /// weights. What counts for nothing need not be finite.
    pub(crate) fn weighted(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let pairs = pairs.filter(|(_, weight)| *weight > 0.0);
        let n: f64 = pairs.clone().map(|(_, weight)| weight).sum();
        let sum: f64 = pairs.clone().map(|(value, weight)| weight * value).sum();
        let mean = sum / n;
        let squares: f64 =
            pairs.map(|(value, weight)| weight * (value - mean).powi(2)).sum();
        let variance = if n > 1.0 { squares / (n - 1.0) } else { f64::NAN };
        Estimate { mean, standard_error: (variance / n).sqrt() }
    }
}
