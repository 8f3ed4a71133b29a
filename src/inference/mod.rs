//! Inference: the E-step, the one loop that every learner climbs with, and the learners.

mod e_step;
mod em;
mod fit;
mod start;
mod summary;

pub use em::{Em, EmFit};
pub use start::Start;
pub use summary::{Summary, e_step};
