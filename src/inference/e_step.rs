//! The E-step: scores and rows in, a [`Summary`] out. The sums come in whitened coordinates, and
//! become moments in the data's own once, at the end.

use nalgebra::DVector;

use super::summary::Summary;
use crate::kernel::{Pass, Points, Score, Sums, gather};
use crate::math::Structured;
use crate::{Moments, Result};

/// A component whose whitened mean shift exceeds this many times the smallest
/// eigenvalue of its new scatter is gathered again about its new mean: the shift's
/// square would cost the scatter that many times the rounding error.
const FAR: f64 = 1e3;

pub(crate) fn e_step(scores: &[Score], points: &Points) -> Result<Summary> {
    let whitened = gather(scores, points, Pass::Whitened)?;
    let pairs = whitened.sums.iter().zip(scores);
    let mut components: Vec<Moments> =
        pairs.map(|(sums, score)| unwhiten(sums, score)).collect();
    let far: Vec<Option<DVector<f64>>> = components
        .iter()
        .zip(&whitened.sums)
        .map(|(moments, sums)| moments.mean().filter(|_| moved_too_far(sums)))
        .collect();
    if far.iter().any(Option::is_some) {
        let again = gather(scores, points, Pass::About(&far))?;
        let pairs = again.sums.into_iter().zip(far);
        for (moments, (sums, centre)) in components.iter_mut().zip(pairs) {
            if let Some(centre) = centre {
                *moments =
                    Moments::from_parts(sums.count, centre, &sums.first, sums.second);
            }
        }
    }
    Ok(Summary {
        components,
        log_likelihood: whitened.log_likelihood,
        magnitude: whitened.magnitude,
    })
}

/// Back from y = A (x − m) to x: the moments about m are A⁻¹ Σ r y and A⁻¹ (Σ r y
/// yᵀ) A⁻ᵀ.
fn unwhiten(sums: &Sums, score: &Score) -> Moments {
    let back = &score.unwhitener;
    Moments::from_parts(
        sums.count,
        score.mean.clone(),
        &back.times(&sums.first),
        back.congruence(&sums.second.clone().mirrored()),
    )
}

/// Whether ‖ȳ‖² > FAR · λ_min, where ȳ is the mean and λ_min the smallest eigenvalue
/// of the covariance of the whitened residuals: whether covariance − ‖ȳ‖²/FAR is not
/// positive definite. (Of independent coordinates, each is judged by itself.)
fn moved_too_far(sums: &Sums) -> bool {
    let shift = &sums.first / sums.count;
    let distance = shift.norm_squared();
    if sums.count == 0.0 || distance == 0.0 {
        return false;
    }
    match &sums.second {
        Structured::Diagonal { diagonal, .. } => {
            let mut pairs = diagonal.iter().zip(&shift);
            pairs.any(|(t, s)| s * s > FAR * (t / sums.count - s * s))
        }
        Structured::Dense(second) => {
            let mut covariance = second / sums.count - &shift * shift.transpose();
            for i in 0..shift.len() {
                covariance[(i, i)] -= distance / FAR;
            }
            nalgebra::Cholesky::new(covariance).is_none()
        }
    }
}
