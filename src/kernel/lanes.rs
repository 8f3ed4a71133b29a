//! Eight numbers at a time, on whatever the processor has.
//!
//! The kernel is written once, over [`Lanes`]; [`dispatch`] runs it with the widest vectors that the
//! processor has, found out when the program runs. Every implementation makes the same eight results with
//! the same roundings, so that the bits of a fit do not depend on which one it was: products and
//! sums are fused where the text says `mul_add`, and nowhere else. (On an x86-64 without FMA they
//! are rounded twice.)

#[cfg(target_arch = "x86_64")]
mod x86;

/// How many numbers a vector holds.
pub(crate) const LANES: usize = 8;

/// A vector of eight numbers.
///
/// An implementation may use instructions that not every processor has: values of it are made within
/// [`dispatch`] only.
pub(crate) trait Lanes: Copy {
    /// How many rows and columns of vectors fit into the registers in a product of matrices.
    const TILE: (usize, usize);

    fn splat(v: f64) -> Self;
    fn load(from: &[f64; LANES]) -> Self;
    fn store(self, to: &mut [f64; LANES]);
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn over(self, other: Self) -> Self;
    /// self · a + b, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// The larger of each pair; `other` if one is NaN.
    fn max(self, other: Self) -> Self;
    /// `yes` where self < bound, else `no` (also if one is NaN).
    fn if_below(self, bound: Self, yes: Self, no: Self) -> Self;
    /// 2ⁿ, where self = [`ROUNDER`] + n for a whole number n from −1022 to 1023.
    fn power_of_two(self) -> Self;
    /// e and f with self = f 2ᵉ and 1 ≤ f < 2, for a normal positive number.
    fn exponent_and_fraction(self) -> (Self, Self);

    /// The sum of each of eight vectors: of the halves first, then of their halves.
    #[inline(always)]
    fn sums(of: [Self; LANES]) -> [f64; LANES] {
        let mut totals = [0.0; LANES];
        for (total, vector) in totals.iter_mut().zip(of) {
            let mut lanes = [0.0; LANES];
            vector.store(&mut lanes);
            let [a, b, c, d, e, f, g, h] = lanes;
            *total = ((a + e) + (c + g)) + ((b + f) + (d + h));
        }
        totals
    }

    /// The same of at most eight.
    #[inline(always)]
    fn totals<const N: usize>(of: [Self; N]) -> [f64; N] {
        let zero = Self::splat(0.0);
        let eight = std::array::from_fn(|i| if i < N { of[i] } else { zero });
        let sums = Self::sums(eight);
        std::array::from_fn(|i| sums[i])
    }
}

/// 1.5·2⁵²: what is added to it is rounded to a whole number, which its last bits then hold.
pub(crate) const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Work that is written over vectors.
pub(crate) trait Task {
    type Output;
    /// Every implementation, and all that it calls with `L`, must be `#[inline(always)]`: only then
    /// is it compiled for the processor that `L` needs. (A closure is inlined or not as the compiler
    /// likes. Where it is not, the results are the same and take long.)
    fn run<L: Lanes>(self) -> Self::Output;
}

/// Runs the task with the widest vectors that this processor has.
// ANCHOR: dispatch
pub(crate) fn dispatch<T: Task>(task: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if x86::has_avx512() {
            // SAFETY: the processor has these instructions.
            return unsafe { x86::with_avx512(task) };
        }
        if x86::has_avx2() {
            // SAFETY: the processor has these instructions.
            return unsafe { x86::with_avx2(task) };
        }
    }
    task.run::<Plain>()
}
// ANCHOR_END: dispatch

/// What the task makes of every kind of vector that this processor has: the plain twin first.
#[cfg(test)]
pub(crate) fn everywhere<T: Task>(task: impl Fn() -> T) -> Vec<T::Output> {
    let mut found = vec![task().run::<Plain>()];
    #[cfg(target_arch = "x86_64")]
    {
        if x86::has_avx2() {
            // SAFETY: the processor has these instructions.
            found.push(unsafe { x86::with_avx2(task()) });
        }
        if x86::has_avx512() {
            // SAFETY: the processor has these instructions.
            found.push(unsafe { x86::with_avx512(task()) });
        }
    }
    found
}

/// The twin of all others, in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Plain([f64; LANES]);

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Plain(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Lanes for Plain {
    const TILE: (usize, usize) = (2, 2);

    #[inline(always)]
    fn splat(v: f64) -> Self {
        Plain([v; LANES])
    }
    #[inline(always)]
    fn load(from: &[f64; LANES]) -> Self {
        Plain(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut [f64; LANES]) {
        *to = self.0;
    }
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn over(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        Plain(std::array::from_fn(|i| fused(self.0[i], a.0[i], b.0[i])))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn if_below(self, bound: Self, yes: Self, no: Self) -> Self {
        Plain(std::array::from_fn(|i| {
            if self.0[i] < bound.0[i] { yes.0[i] } else { no.0[i] }
        }))
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        Plain(self.0.map(|v| f64::from_bits(v.to_bits().wrapping_add(1023) << 52)))
    }
    #[inline(always)]
    fn exponent_and_fraction(self) -> (Self, Self) {
        let exponent = |v: f64| (v.to_bits() >> 52) as f64 - 1023.0;
        let fraction =
            |v: f64| f64::from_bits(v.to_bits() & MANTISSA | 1.0_f64.to_bits());
        (Plain(self.0.map(exponent)), Plain(self.0.map(fraction)))
    }
}

/// The bits of a number that are not its sign or exponent.
const MANTISSA: u64 = (1 << 52) - 1;

/// a · b + c. The processors of the x86 family that have no fused products would emulate them, at a
/// hundred times the cost.
#[inline(always)]
fn fused(a: f64, b: f64, c: f64) -> f64 {
    if cfg!(test) || cfg!(not(any(target_arch = "x86", target_arch = "x86_64"))) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}
