//! Scales: from data to the unit interval, with few and round ticks.

use super::text;

/// How equal steps along an axis change the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Linear,
    Log,
    /// Logarithmic away from zero in both directions, linear within this distance of it.
    Signed(f64),
}

impl Scale {
    /// To where equal steps look equal.
    fn bend(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log => value.ln(),
            Scale::Signed(near) => (value.abs() / near).ln_1p().copysign(value),
        }
    }

    fn unbend(self, bent: f64) -> f64 {
        match self {
            Scale::Linear => bent,
            Scale::Log => bent.exp(),
            Scale::Signed(near) => (near * bent.abs().exp_m1()).copysign(bent),
        }
    }

    /// Whether a value has a place on the axis.
    pub(super) fn holds(self, value: f64) -> bool {
        self != Scale::Log || value > 0.0
    }
}

/// One axis: its ends in data units, mapped to 0 and 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub lo: f64,
    pub hi: f64,
    pub scale: Scale,
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
        if !self.scale.holds(value) {
            return -1e3;
        }
        let (lo, hi) = (self.scale.bend(self.lo), self.scale.bend(self.hi));
        (self.scale.bend(value) - lo) / (hi - lo)
    }

    /// The value at a fraction of the way between the ends.
    pub(super) fn value(&self, unit: f64) -> f64 {
        let (lo, hi) = (self.scale.bend(self.lo), self.scale.bend(self.hi));
        self.scale.unbend(lo + unit * (hi - lo))
    }

    /// About `wanted` ticks at round values.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let wanted = wanted.max(2);
        match self.scale {
            Scale::Linear => self.linear_ticks(wanted),
            Scale::Log => self.log_ticks(wanted),
            Scale::Signed(near) => self.signed_ticks(near, wanted),
        }
    }

    /// Zero, and powers of ten on both sides of it.
    fn signed_ticks(&self, near: f64, wanted: usize) -> Vec<Tick> {
        let first = near.log10().ceil() as i32;
        let last = self.hi.max(-self.lo).log10().floor() as i32;
        let sides = if self.lo < 0.0 && self.hi > 0.0 { 2 } else { 1 };
        let each_side = wanted.div_ceil(sides) as u32;
        let stride = (last - first + 1).max(1).unsigned_abs().div_ceil(each_side);
        let powers: Vec<i32> =
            (first..=last).rev().step_by(stride as usize).collect();
        let power = |sign: f64, mark: &str, p: i32| Tick {
            at: sign * 10f64.powi(p),
            label: format!(
                "{mark}{}",
                text::power_of_ten(p, first >= -3 && last <= 4)
            ),
        };
        let below = powers.iter().map(|&p| power(-1.0, "−", p));
        let above = powers.iter().rev().map(|&p| power(1.0, "", p));
        let zero = Tick { at: 0.0, label: "0".to_string() };
        below
            .chain(std::iter::once(zero))
            .chain(above)
            .filter(|tick| (-1e-9..=1.0 + 1e-9).contains(&self.unit(tick.at)))
            .collect()
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
    pub(super) fn with_margin(self, scale: Scale) -> Extent {
        match scale {
            Scale::Linear => self.with_linear_margin(),
            Scale::Log => {
                let factor = (self.hi / self.lo).powf(0.04).max(1.05);
                Extent { lo: self.lo / factor, hi: self.hi * factor }
            }
            Scale::Signed(_) => {
                let bent =
                    Extent { lo: scale.bend(self.lo), hi: scale.bend(self.hi) };
                let wider = bent.with_linear_margin();
                Extent { lo: scale.unbend(wider.lo), hi: scale.unbend(wider.hi) }
            }
        }
    }

    fn with_linear_margin(self) -> Extent {
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
        let scale = if log { Scale::Log } else { Scale::Linear };
        on(scale, lo, hi, wanted)
    }

    fn on(scale: Scale, lo: f64, hi: f64, wanted: usize) -> Vec<String> {
        Axis { lo, hi, scale, whole: false }
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
        let whole = Axis { lo: 0.0, hi: 2.0, scale: Scale::Linear, whole: true };
        assert_eq!(whole.ticks(6).len(), 3);
    }

    #[test]
    fn unit_and_value_undo_each_other() {
        for scale in [Scale::Linear, Scale::Log, Scale::Signed(1e-6)] {
            let axis = Axis { lo: 0.5, hi: 80.0, scale, whole: false };
            assert!((axis.unit(axis.value(0.3)) - 0.3).abs() < 1e-12);
            assert_eq!(axis.unit(0.5), 0.0);
        }
    }

    #[test]
    fn a_signed_axis_shows_both_sides_of_zero() {
        let scale = Scale::Signed(1e-6);
        assert_eq!(
            on(scale, -100.0, 100.0, 7),
            ["−10^{2}", "−10^{−1}", "−10^{−4}", "0", "10^{−4}", "10^{−1}", "10^{2}"]
        );
        assert_eq!(on(Scale::Signed(1.0), -20.0, 0.5, 4), ["−10", "−1", "0"]);
        let axis = Axis { lo: -100.0, hi: 100.0, scale, whole: false };
        assert_eq!(axis.unit(0.0), 0.5);
        assert!((axis.unit(-3.0) + axis.unit(3.0) - 1.0).abs() < 1e-12);
        let wider = Extent { lo: -100.0, hi: 100.0 }.with_margin(scale);
        assert!(wider.lo < -100.0 && wider.hi > 100.0);
    }
}
