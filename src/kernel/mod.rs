//! The kernel: every density and every E-step is made of scores, evaluated a block of rows at a
//! time, eight rows at once.

mod block;
mod elementary;
mod gather;
mod lanes;
mod points;
mod read;
mod score;
mod sums;
#[cfg(test)]
mod tests;
mod tiles;

use block::{Block, Blocks};
pub(crate) use gather::{Pass, gather};
pub(crate) use points::Points;
pub(crate) use read::{
    distances, largest_responsibilities, log_densities, most_probable,
    responsibilities,
};
pub(crate) use score::{Score, Tails};
pub(crate) use sums::Sums;

/// Rows to a leaf of the tree along which sums are added up: what one thread does in one go.
const LEAF: usize = 2048;

/// How many leaves make up work enough to hand to another thread: some tenths of a
/// millisecond, where handing over takes some hundredths.
fn grain(scores: &[Score]) -> usize {
    let of_point = |score: &Score| {
        let d = score.mean.len();
        8 + if score.whitener.is_diagonal() { d } else { d * d }
    };
    let work: usize = scores.iter().map(of_point).sum();
    ((1 << 20) / LEAF / work).max(1) // times LEAF it might not fit into 32 bits
}
