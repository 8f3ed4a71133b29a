//! Sums over the rows of a block for one component: Σ r, and of the residuals y = A (x − m) Σ r y
//! and Σ r y yᵀ.

use nalgebra::{Cholesky, DVector};

use super::lanes::Lanes;
use super::tiles::{Layout, square};
use super::{Block, Score};
use crate::math::Structured;

/// Where the whitened mean shift exceeds this many times the smallest eigenvalue of the scatter, the
/// sums are gathered again about the new mean: the shift's square would cost the scatter that many times
/// the rounding error.
const FAR: f64 = 1e3;

/// Sums over some rows for one component: Σ r, Σ r y and Σ r y yᵀ (lower triangle, or diagonal).
pub(crate) struct Sums {
    pub count: f64,
    pub first: DVector<f64>,
    pub second: Structured,
}

impl Sums {
    /// Adds component k's share of a block: of y = A (x − m), or of x − centre as it is.
    #[inline(always)]
    pub fn add<L: Lanes>(
        &mut self,
        block: &mut Block,
        k: usize,
        score: &Score,
        centre: Option<&DVector<f64>>,
    ) {
        self.count += block.count::<L>(k);
        let first = self.first.as_mut_slice();
        match (&mut self.second, &score.whitener) {
            (
                Structured::Diagonal { diagonal: second, .. },
                Structured::Diagonal { diagonal: a, .. },
            ) => {
                let (m, a) = match centre {
                    Some(centre) => (centre, None),
                    None => (&score.mean, Some(a)),
                };
                block.add_squares::<L>(k, (m, a), first, second.as_mut_slice());
            }
            (Structured::Dense(second), _) => {
                if let Some(centre) = centre {
                    block.recentre::<L>(k, centre.as_slice());
                }
                block.add_products::<L>(k, first, second.as_mut_slice());
            }
            (Structured::Diagonal { .. }, Structured::Dense(_)) => {
                unreachable!("sums have the structure of their whitener")
            }
        }
    }

    /// Whether the mean ȳ of the residuals lies so far out that its square swamps the scatter about
    /// it: further than the spread in some coordinate (else its square is no larger than those that
    /// are summed in any case), and with ‖ȳ‖² > FAR · λ_min, where λ_min is the smallest eigenvalue
    /// of the residuals' covariance: covariance − ‖ȳ‖²/FAR is not positive definite. (Of independent
    /// coordinates, each is judged by itself.)
    pub fn moved_too_far(&self) -> bool {
        if self.count == 0.0 {
            return false;
        }
        let shift = &self.first / self.count;
        match &self.second {
            Structured::Diagonal { diagonal, .. } => {
                let mut pairs = diagonal.iter().zip(&shift);
                pairs.any(|(t, s)| s * s > FAR * (t / self.count - s * s))
            }
            Structured::Dense(second) => {
                let mut covariance = second / self.count - &shift * shift.transpose();
                if (0..shift.len()).all(|i| shift[i] * shift[i] <= covariance[(i, i)])
                {
                    return false;
                }
                let distance = shift.norm_squared();
                for i in 0..shift.len() {
                    covariance[(i, i)] -= distance / FAR;
                }
                Cholesky::new(covariance).is_none()
            }
        }
    }
}

impl Block {
    /// Σ r.
    #[inline(always)]
    fn count<L: Lanes>(&self, k: usize) -> f64 {
        let mut count = L::splat(0.0);
        for share in self.shares(k) {
            count = count.plus(L::load(share));
        }
        L::totals([count])[0]
    }

    /// Adds Σ r y to `first` (length D) and Σ r y yᵀ to `second` (the lower triangle of D×D, by
    /// columns), where A is dense.
    #[inline(always)]
    fn add_products<L: Lanes>(
        &mut self,
        k: usize,
        first: &mut [f64],
        second: &mut [f64],
    ) {
        let Layout { used, stride } = self.layout;
        let columns = first.len() * stride;
        let shares = &self.shares[k * stride..][..used];
        let y = &self.residuals[k * columns..][..columns];
        square::<L>(shares, y, first, second, &mut self.weighted, self.layout);
    }

    /// Puts x − centre in place of component k's residuals.
    #[inline(always)]
    fn recentre<L: Lanes>(&mut self, k: usize, centre: &[f64]) {
        let stride = self.layout.stride;
        let columns = centre.len() * stride;
        let y = self.residuals[k * columns..].chunks_exact_mut(stride);
        for ((y, x), c) in y.zip(self.x.chunks_exact(stride)).zip(centre) {
            let c = L::splat(*c);
            for (y, x) in y.iter_mut().zip(x) {
                L::load(x).minus(c).store(y);
            }
        }
    }

    /// Adds Σ r y to `first` and Σ r y² to `second` (length D each) where y = a (x − m) in each
    /// coordinate (a = 1 if there is none).
    #[inline(always)]
    fn add_squares<L: Lanes>(
        &self,
        k: usize,
        (m, a): (&DVector<f64>, Option<&DVector<f64>>),
        first: &mut [f64],
        second: &mut [f64],
    ) {
        let zero = L::splat(0.0);
        let shares = self.shares(k);
        let columns = self.x.chunks_exact(self.layout.stride).zip(m).enumerate();
        for ((total, squares), (j, (x, m))) in
            first.iter_mut().zip(second).zip(columns)
        {
            let (m, a) = (L::splat(*m), L::splat(a.map_or(1.0, |a| a[j])));
            let (mut first, mut second) = (zero, zero);
            for (x, share) in x.iter().zip(shares) {
                let y = L::load(x).minus(m).times(a);
                let weighted = L::load(share).times(y);
                first = first.plus(weighted);
                second = weighted.mul_add(y, second);
            }
            let [first, second] = L::totals([first, second]);
            *total += first;
            *squares += second;
        }
    }
}
