//! Inference: the E-step, the one loop that every learner climbs with, and the learners.

mod accelerate;
mod belief;
mod choices;
mod choose;
mod coordinates;
mod credible;
mod e_step;
mod elbo;
mod em;
mod fit;
mod gibbs;
mod held_out;
mod map;
mod posterior;
mod prior;
mod search;
mod shares;
mod start;
mod summary;
mod vb;

pub use accelerate::{Acceleration, Extrapolation};
pub use belief::Concentration;
pub use choices::{Choice, Choices, Criterion, Fitted};
pub use choose::{Choose, choose};
pub use credible::{Credible, Interval};
pub use elbo::ElboTerms;
pub use em::{Em, EmFit, OnCollapse};
pub use fit::Reseeded;
pub use gibbs::Gibbs;
pub use held_out::HeldOut;
pub use posterior::Posterior;
pub use prior::Prior;
pub use start::Start;
pub use summary::{Summary, e_step};
pub use vb::{Vb, VbFit};
