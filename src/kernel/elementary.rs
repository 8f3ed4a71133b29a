//! exp and ln of eight numbers at a time, to within 2 units in the last place.

use super::lanes::{Lanes, ROUNDER};

/// ln 2 in two parts: the first has 32 bits, so that its product with a whole number below 2²¹ is
/// exact; the second is the rest.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// exp x for x ≤ 0: with n = x/ln 2, rounded, and t = x − n ln 2, it is 2ⁿ eᵗ, and |t| ≤ ½ ln 2, where
/// fourteen terms of the series are enough. Below −708, where exp x is no normal number, it is 0; NaN
/// stays NaN.
// ANCHOR: exp
#[inline(always)]
pub(crate) fn exp<L: Lanes>(x: L) -> L {
    let lowest = L::splat(-708.0);
    let clamped = lowest.max(x);
    let rounded =
        clamped.mul_add(L::splat(std::f64::consts::LOG2_E), L::splat(ROUNDER));
    let n = rounded.minus(L::splat(ROUNDER));
    let t = n.mul_add(L::splat(-LN_2_HIGH), clamped);
    let t = n.mul_add(L::splat(-LN_2_LOW), t);
    let mut sum = L::splat(INVERSE_FACTORIALS[13]);
    for i in (0..13).rev() {
        sum = sum.mul_add(t, L::splat(INVERSE_FACTORIALS[i]));
    }
    let value = sum.times(rounded.power_of_two());
    x.if_below(lowest, L::splat(0.0), value)
}
// ANCHOR_END: exp

/// 1/i!.
const INVERSE_FACTORIALS: [f64; 14] = [
    1.0,
    1.0,
    0.5,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// ln x for normal positive x (anything else gives nonsense): with x = f 2ᵉ and √½ ≤ f < √2 it is
/// e ln 2 + 2 artanh s, s = (f − 1)/(f + 1), and |s| ≤ 0.172, where twelve terms of the series are
/// enough.
#[inline(always)]
pub(crate) fn ln<L: Lanes>(x: L) -> L {
    let one = L::splat(1.0);
    let (e, f) = x.exponent_and_fraction();
    let root = L::splat(std::f64::consts::SQRT_2);
    let half = f.times(L::splat(0.5));
    let e = f.if_below(root, e, e.plus(one));
    let f = f.if_below(root, f, half);
    let g = f.minus(one); // exact
    let s = g.over(f.plus(one));
    let square = s.times(s);
    let mut sum = L::splat(1.0 / 23.0);
    for inverse_odd in [
        1.0 / 21.0,
        1.0 / 19.0,
        1.0 / 17.0,
        1.0 / 15.0,
        1.0 / 13.0,
        1.0 / 11.0,
        1.0 / 9.0,
        1.0 / 7.0,
        1.0 / 5.0,
        1.0 / 3.0,
    ] {
        sum = sum.mul_add(square, L::splat(inverse_odd));
    }
    // 2 artanh s = 2s + 2s³(1/3 + s²/5 + …), and 2s = g − s g, where g is exact.
    let tail = sum.times(square).times(L::splat(2.0));
    let correction = s.mul_add(tail.minus(g), e.times(L::splat(LN_2_LOW)));
    e.mul_add(L::splat(LN_2_HIGH), g.plus(correction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::lanes::{LANES, Task, dispatch, everywhere};

    struct Both<'a>(&'a [f64; LANES]);

    impl Task for Both<'_> {
        type Output = [[f64; LANES]; 2];
        #[inline(always)]
        fn run<L: Lanes>(self) -> Self::Output {
            let x = L::load(self.0);
            let mut out = [[0.0; LANES]; 2];
            exp(x).store(&mut out[0]);
            ln(x).store(&mut out[1]);
            out
        }
    }

    fn ulps(a: f64, b: f64) -> u64 {
        a.to_bits().abs_diff(b.to_bits())
    }

    /// Against libm, from tiny to huge, and bit for bit against the plain twin.
    #[test]
    fn elementary_functions_are_accurate_and_the_same_on_every_processor() {
        let (mut worst_exp, mut worst_ln) = (0, 0);
        for i in 0..200_000 {
            let u = (i as f64 + 0.5) / 200_000.0;
            let negative = std::array::from_fn(|j| -700.0 * u / (j * j + 1) as f64);
            let [exps, _] = dispatch(Both(&negative));
            let positive: [f64; LANES] = std::array::from_fn(|j| {
                (1.0 + u * j as f64) * 3.0_f64.powi(20 * j as i32 - 40)
            });
            let [_, lns] = dispatch(Both(&positive));
            for j in 0..LANES {
                worst_exp = worst_exp.max(ulps(exps[j], negative[j].exp()));
                if (positive[j] - 1.0).abs() > 1e-3 {
                    worst_ln = worst_ln.max(ulps(lns[j], positive[j].ln()));
                }
            }
            if i % 100 == 0 {
                let bits = |row: [f64; LANES]| row.map(f64::to_bits);
                for other in everywhere(|| Both(&negative)) {
                    assert_eq!(bits(other[0]), bits(exps));
                }
                for other in everywhere(|| Both(&positive)) {
                    assert_eq!(bits(other[1]), bits(lns));
                }
            }
        }
        assert!(worst_exp <= 2 && worst_ln <= 2, "{worst_exp} {worst_ln}");
    }

    #[test]
    fn special_cases_of_exp_and_ln() {
        let x =
            [0.0, -1e-300, -707.9, -708.1, -1e300, f64::NEG_INFINITY, f64::NAN, -0.0];
        let [e, _] = dispatch(Both(&x));
        assert_eq!((e[0], e[1], e[7]), (1.0, 1.0, 1.0));
        assert!(e[2] > 0.0 && e[6].is_nan());
        assert_eq!((e[3], e[4], e[5]), (0.0, 0.0, 0.0));
        let [_, l] =
            dispatch(Both(&[1.0, 2.0, 4.0, 0.5, 3.0, 1.0 + 1e-15, 10.0, 1e300]));
        assert_eq!(l[0], 0.0);
        assert_eq!(l[1], 2.0_f64.ln());
        assert!((l[5] / (1.0 + 1e-15_f64).ln() - 1.0).abs() < 1e-15);
    }
}
