//! Scales: from data to the unit interval, with few and round ticks.

use super::text;

/// One axis: its ends in data units, mapped to 0 and 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub lo: f64,
    pub hi: f64,
    pub log: bool,
    /// Ticks only at whole numbers.
    pub whole: bool,
}

#[derive(Debug)]
pub(super) struct Tick {
    pub at: f64,
    pub label: String,
}

impl Axis {
    /// Where `value` lies between the ends; on a log axis what is not positive lies far below.
    pub(super) fn unit(&self, value: f64) -> f64 {
        if !self.log {
            return (value - self.lo) / (self.hi - self.lo);
        }
        if value <= 0.0 {
            return -1e3;
        }
        (value.ln() - self.lo.ln()) / (self.hi.ln() - self.lo.ln())
    }

    /// The value at a fraction of the way between the ends.
    pub(super) fn value(&self, unit: f64) -> f64 {
        if self.log {
            (self.lo.ln() + unit * (self.hi.ln() - self.lo.ln())).exp()
        } else {
            self.lo + unit * (self.hi - self.lo)
        }
    }

    /// About `wanted` ticks at round values.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let wanted = wanted.max(2);
        if self.log { self.log_ticks(wanted) } else { self.linear_ticks(wanted) }
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<Tick> {
        let rough = (self.hi - self.lo) / wanted as f64;
        let mut power = rough.log10().floor() as i32;
        let mut mantissa = [1i64, 2, 5, 10]
            .into_iter()
            .find(|&m| m as f64 * 10f64.powi(power) >= 0.8 * rough)
            .unwrap_or(10);
        if mantissa == 10 {
            (mantissa, power) = (1, power + 1);
        }
        if self.whole && power < 0 {
            (mantissa, power) = (1, 0);
        }
        let step = mantissa as f64 * 10f64.powi(power);
        let first = (self.lo / step - 1e-9).ceil() as i64;
        let last = (self.hi / step + 1e-9).floor() as i64;
        (first..=last)
            .map(|i| Tick {
                at: i as f64 * step,
                label: text::number(i, mantissa, power),
            })
            .collect()
    }

    fn log_ticks(&self, wanted: usize) -> Vec<Tick> {
        let first = (self.lo.log10() - 1e-9).ceil() as i32;
        let last = (self.hi.log10() + 1e-9).floor() as i32;
        let stride = (last - first + 1).max(1).unsigned_abs().div_ceil(wanted as u32);
        if last > first {
            let powers = (first..=last).step_by(stride as usize);
            let plain = first >= -3 && last <= 4;
            return powers
                .map(|p| Tick {
                    at: 10f64.powi(p),
                    label: text::power_of_ten(p, plain),
                })
                .collect();
        }
        // Less than two decades: 1, 2 and 5 times the powers of ten.
        (first - 1..=last + 1)
            .flat_map(|power| [1, 2, 5].map(|m| (m, power)))
            .map(|(m, power)| Tick {
                at: m as f64 * 10f64.powi(power),
                label: text::number(1, m, power),
            })
            .filter(|tick| (-1e-9..=1.0 + 1e-9).contains(&self.unit(tick.at)))
            .collect()
    }
}

/// The least and the greatest of what an axis has to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub lo: f64,
    pub hi: f64,
}

impl Extent {
    pub(super) const EMPTY: Extent =
        Extent { lo: f64::INFINITY, hi: f64::NEG_INFINITY };

    pub(super) fn include(&mut self, value: f64) {
        self.lo = self.lo.min(value);
        self.hi = self.hi.max(value);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lo > self.hi
    }

    /// With room at both ends, but none below an exact zero: densities and counts start on the axis.
    pub(super) fn with_margin(self, log: bool) -> Extent {
        if log {
            let factor = (self.hi / self.lo).powf(0.04).max(1.05);
            return Extent { lo: self.lo / factor, hi: self.hi * factor };
        }
        let size = self.lo.abs().max(self.hi.abs());
        let span = self.hi - self.lo;
        let margin = if span > 1e-9 * size {
            0.045 * span
        } else if size > 0.0 {
            0.1 * size
        } else {
            1.0
        };
        Extent {
            lo: if self.lo == 0.0 && span > 0.0 { 0.0 } else { self.lo - margin },
            hi: self.hi + margin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(lo: f64, hi: f64, log: bool, wanted: usize) -> Vec<String> {
        Axis { lo, hi, log, whole: false }
            .ticks(wanted)
            .into_iter()
            .map(|t| t.label)
            .collect()
    }

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(labels(-0.3, 1.1, false, 5), ["0", "0.5", "1.0"]);
        assert_eq!(
            labels(40.0, 100.0, false, 6),
            ["40", "50", "60", "70", "80", "90", "100"]
        );
        assert_eq!(
            labels(0.1, 0.35, false, 5),
            ["0.10", "0.15", "0.20", "0.25", "0.30", "0.35"]
        );
        assert_eq!(
            labels(1e-8, 1.0, true, 5),
            ["10^{−8}", "10^{−6}", "10^{−4}", "10^{−2}", "10^{0}"]
        );
        assert_eq!(labels(1.5, 30.0, true, 5), ["2", "5", "10", "20"]);
        assert_eq!(labels(0.009, 11.0, true, 5), ["0.01", "0.1", "1", "10"]);
        let whole = Axis { lo: 0.0, hi: 2.0, log: false, whole: true };
        assert_eq!(whole.ticks(6).len(), 3);
    }

    #[test]
    fn unit_and_value_undo_each_other() {
        for log in [false, true] {
            let axis = Axis { lo: 0.5, hi: 80.0, log, whole: false };
            assert!((axis.unit(axis.value(0.3)) - 0.3).abs() < 1e-12);
            assert_eq!(axis.unit(0.5), 0.0);
        }
    }
}
