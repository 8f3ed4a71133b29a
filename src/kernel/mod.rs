//! The kernel: every density and every E-step is made of scores, evaluated a block of rows at a
//! time.

mod block;
mod points;

pub(crate) use block::{
    BLOCK, Block, Score, Tails, grain, log_densities, most_probable, responsibilities,
};
pub(crate) use points::Points;
