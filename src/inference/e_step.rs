//! The E-step: scores and rows in, a [`Summary`] out. The sums come in whitened coordinates, and
//! become moments in the data's own once, at the end.

use nalgebra::DVector;

use super::summary::Summary;
use crate::kernel::{Pass, Points, Score, Sums, gather};
use crate::{Moments, Result};

pub(crate) fn e_step(scores: &[Score], points: &Points) -> Result<Summary> {
    let whitened = gather(scores, points, Pass::Whitened)?;
    let pairs = whitened.sums.iter().zip(scores);
    let mut components: Vec<Moments> =
        pairs.map(|(sums, score)| unwhiten(sums, score)).collect();
    let far: Vec<Option<DVector<f64>>> = components
        .iter()
        .zip(&whitened.sums)
        .map(|(moments, sums)| moments.mean().filter(|_| sums.moved_too_far()))
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
