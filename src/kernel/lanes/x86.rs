//! The vectors of x86-64 processors.

use super::{LANES, Lanes, MANTISSA, Task};
use std::arch::x86_64::*;

/// Whether [`with_avx512`] may be called.
pub fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")
}

/// Whether [`with_avx2`] may be called.
pub fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[target_feature(enable = "avx512f,avx512dq")]
pub fn with_avx512<T: Task>(task: T) -> T::Output {
    task.run::<Avx512>()
}

#[target_feature(enable = "avx2,fma")]
pub fn with_avx2<T: Task>(task: T) -> T::Output {
    task.run::<Avx2>()
}

// SAFETY, of every `unsafe` below: values of these types are made by `with_avx512` and
// `with_avx2` only, on processors that have the instructions; loads and stores are of arrays of
// the length that they read or write.

#[derive(Clone, Copy)]
pub struct Avx512(__m512d);

impl Lanes for Avx512 {
    const TILE: (usize, usize) = (4, 4);

    #[inline(always)]
    fn splat(v: f64) -> Self {
        Avx512(unsafe { _mm512_set1_pd(v) })
    }
    #[inline(always)]
    fn load(from: &[f64; LANES]) -> Self {
        Avx512(unsafe { _mm512_loadu_pd(from.as_ptr()) })
    }
    #[inline(always)]
    fn store(self, to: &mut [f64; LANES]) {
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_add_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_sub_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_mul_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn over(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_div_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        Avx512(unsafe { _mm512_fmadd_pd(self.0, a.0, b.0) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_max_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn if_below(self, bound: Self, yes: Self, no: Self) -> Self {
        Avx512(unsafe {
            let below = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, bound.0);
            _mm512_mask_blend_pd(below, no.0, yes.0)
        })
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        Avx512(unsafe {
            let n = _mm512_castpd_si512(self.0);
            let biased = _mm512_add_epi64(n, _mm512_set1_epi64(1023));
            _mm512_castsi512_pd(_mm512_slli_epi64::<52>(biased))
        })
    }
    #[inline(always)]
    fn exponent_and_fraction(self) -> (Self, Self) {
        unsafe {
            let bits = _mm512_castpd_si512(self.0);
            let exponent = _mm512_cvtepi64_pd(_mm512_srli_epi64::<52>(bits));
            let mantissa = _mm512_and_si512(bits, _mm512_set1_epi64(MANTISSA as i64));
            let one = _mm512_castpd_si512(_mm512_set1_pd(1.0));
            let fraction = _mm512_castsi512_pd(_mm512_or_si512(mantissa, one));
            let exponent = _mm512_sub_pd(exponent, _mm512_set1_pd(1023.0));
            (Avx512(exponent), Avx512(fraction))
        }
    }
    #[inline(always)]
    fn sums(of: [Self; LANES]) -> [f64; LANES] {
        let mut totals = [0.0; LANES];
        unsafe {
            // The halves of two vectors, then of four, then of eight.
            let two = |p: Avx512, q: Avx512| {
                let low = _mm512_shuffle_f64x2::<0x44>(p.0, q.0);
                _mm512_add_pd(low, _mm512_shuffle_f64x2::<0xee>(p.0, q.0))
            };
            let four = |p: __m512d, q: __m512d| {
                let low = _mm512_shuffle_f64x2::<0x88>(p, q);
                _mm512_add_pd(low, _mm512_shuffle_f64x2::<0xdd>(p, q))
            };
            let [a, b, c, d, e, f, g, h] = of;
            let even = four(two(a, c), two(e, g));
            let odd = four(two(b, d), two(f, h));
            let sum = _mm512_add_pd(
                _mm512_unpacklo_pd(even, odd),
                _mm512_unpackhi_pd(even, odd),
            );
            _mm512_storeu_pd(totals.as_mut_ptr(), sum);
        }
        totals
    }
}

/// The first four and the last four.
#[derive(Clone, Copy)]
pub struct Avx2(__m256d, __m256d);

impl Avx2 {
    #[inline(always)]
    fn both(self, f: impl Fn(__m256d) -> __m256d) -> Self {
        Avx2(f(self.0), f(self.1))
    }
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(__m256d, __m256d) -> __m256d) -> Self {
        Avx2(f(self.0, other.0), f(self.1, other.1))
    }
}

impl Lanes for Avx2 {
    const TILE: (usize, usize) = (2, 2);

    #[inline(always)]
    fn splat(v: f64) -> Self {
        let v = unsafe { _mm256_set1_pd(v) };
        Avx2(v, v)
    }
    #[inline(always)]
    fn load(from: &[f64; LANES]) -> Self {
        let (first, last) = from.split_at(LANES / 2);
        unsafe {
            Avx2(_mm256_loadu_pd(first.as_ptr()), _mm256_loadu_pd(last.as_ptr()))
        }
    }
    #[inline(always)]
    fn store(self, to: &mut [f64; LANES]) {
        let (first, last) = to.split_at_mut(LANES / 2);
        unsafe {
            _mm256_storeu_pd(first.as_mut_ptr(), self.0);
            _mm256_storeu_pd(last.as_mut_ptr(), self.1);
        }
    }
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_add_pd(a, b) })
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_sub_pd(a, b) })
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_mul_pd(a, b) })
    }
    #[inline(always)]
    fn over(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_div_pd(a, b) })
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        unsafe {
            Avx2(_mm256_fmadd_pd(self.0, a.0, b.0), _mm256_fmadd_pd(self.1, a.1, b.1))
        }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_max_pd(a, b) })
    }
    #[inline(always)]
    fn if_below(self, bound: Self, yes: Self, no: Self) -> Self {
        let blend = |v, bound, yes, no| unsafe {
            _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_LT_OQ>(v, bound))
        };
        Avx2(blend(self.0, bound.0, yes.0, no.0), blend(self.1, bound.1, yes.1, no.1))
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        self.both(|v| unsafe {
            let n = _mm256_castpd_si256(v);
            let biased = _mm256_add_epi64(n, _mm256_set1_epi64x(1023));
            _mm256_castsi256_pd(_mm256_slli_epi64::<52>(biased))
        })
    }
    #[inline(always)]
    fn exponent_and_fraction(self) -> (Self, Self) {
        let exponent = self.both(|v| unsafe {
            // The last bits of 2⁵² + n are n.
            let whole = _mm256_set1_pd(4_503_599_627_370_496.0);
            let n = _mm256_srli_epi64::<52>(_mm256_castpd_si256(v));
            let sum = _mm256_or_si256(n, _mm256_castpd_si256(whole));
            let n = _mm256_sub_pd(_mm256_castsi256_pd(sum), whole);
            _mm256_sub_pd(n, _mm256_set1_pd(1023.0))
        });
        let fraction = self.both(|v| unsafe {
            let mantissa = _mm256_set1_epi64x(MANTISSA as i64);
            let bits = _mm256_and_si256(_mm256_castpd_si256(v), mantissa);
            let one = _mm256_castpd_si256(_mm256_set1_pd(1.0));
            _mm256_castsi256_pd(_mm256_or_si256(bits, one))
        });
        (exponent, fraction)
    }
    #[inline(always)]
    fn sums(of: [Self; LANES]) -> [f64; LANES] {
        let mut totals = [0.0; LANES];
        unsafe {
            // The halves of a vector, then their halves for two of them, then all for four.
            let two = |p: Avx2, q: Avx2| {
                let (p, q) = (_mm256_add_pd(p.0, p.1), _mm256_add_pd(q.0, q.1));
                let low = _mm256_permute2f128_pd::<0x20>(p, q);
                _mm256_add_pd(low, _mm256_permute2f128_pd::<0x31>(p, q))
            };
            let [a, b, c, d, e, f, g, h] = of;
            for (to, [a, b, c, d]) in [(0, [a, b, c, d]), (4, [e, f, g, h])] {
                let (even, odd) = (two(a, c), two(b, d));
                let sum = _mm256_add_pd(
                    _mm256_unpacklo_pd(even, odd),
                    _mm256_unpackhi_pd(even, odd),
                );
                _mm256_storeu_pd(totals[to..to + 4].as_mut_ptr(), sum);
            }
        }
        totals
    }
}
