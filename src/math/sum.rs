use std::ops::{AddAssign, MulAssign};

use serde::{Deserialize, Serialize};

/// A running sum that keeps its rounding error beside it, so that the order of its
/// terms does not matter to the last bit of [`Sum::value`] (but for the rare sum that
/// lies on a rounding tie).
///
/// The error of each addition is found exactly (Knuth's two-sum, TAOCP vol. 2,
/// §4.2.2) and added up in a second number: about 106 bits in all.
///
/// ```
/// use mixtures::math::Sum;
///
/// let mut sum = Sum::default();
/// for term in [1e16, 1.0, -1e16] {
///     sum += term;
/// }
/// assert_eq!(sum.value(), 1.0);
/// assert_eq!(1e16 + 1.0 - 1e16, 0.0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    pub(crate) high: f64,
    pub(crate) low: f64,
}

impl Sum {
    /// The sum, rounded once.
    pub fn value(self) -> f64 {
        self.high + self.low
    }

    /// The quotient, with what its rounding leaves over beside it: q = s/W, and (s −
    /// q W)/W.
    pub fn divided_by(self, divisor: Sum) -> Sum {
        let high = self.value() / divisor.value();
        let rest =
            high.mul_add(-divisor.high, self.high) + (self.low - high * divisor.low);
        Sum { high, low: rest / divisor.value() }
    }
}

impl From<f64> for Sum {
    fn from(high: f64) -> Self {
        Sum { high, low: 0.0 }
    }
}

// ANCHOR: two_sum
impl AddAssign<f64> for Sum {
    fn add_assign(&mut self, term: f64) {
        let total = self.high + term;
        let term_kept = total - self.high;
        let high_kept = total - term_kept;
        self.low += (self.high - high_kept) + (term - term_kept);
        self.high = total;
    }
}
// ANCHOR_END: two_sum

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Sum) {
        *self += other.high;
        self.low += other.low;
    }
}

impl MulAssign<f64> for Sum {
    /// Each part is rounded once: exact when `factor` is a power of two.
    fn mul_assign(&mut self, factor: f64) {
        self.high *= factor;
        self.low *= factor;
    }
}
