//! The one fitting loop. EM, and every learner after it, is a pair of maps (model →
//! scores, summary → model) and a penalty; this loop alternates them and watches the
//! objective.

use nalgebra::DVector;

use crate::inference::accelerate::{Extrapolation, Squarem};
use crate::inference::coordinates::Units;
use crate::inference::e_step::e_step;
use crate::inference::search::Search;
use crate::inference::summary::Summary;
use crate::kernel::{Points, Score};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The objective may fall by this much, relative to the size of its terms, before it
/// is an error: rounding does as much.
const ROUNDING: f64 = 1e-12;

/// What a learner must provide.
pub(crate) trait Learner: Sync {
    type Model: Send;

    /// One score a component, in coordinates relative to the points' origin.
    fn scores(&self, model: &Self::Model) -> Vec<Score>;

    /// What the objective adds to the log likelihood: its terms.
    fn penalty(&self, model: &Self::Model) -> Vec<f64>;

    /// The model that maximises the objective for these shares; `iteration` counts
    /// from 1 and stands in errors.
    fn m_step(&self, summary: &Summary, iteration: usize) -> Result<Self::Model>;

    /// Whether the M-step could have found this model: from any other the objective may fall.
    fn admits(&self, _: &Self::Model) -> bool {
        true
    }

    /// The collapses after which the M-step put components elsewhere than where the objective is
    /// highest: then it may fall.
    fn mended<'m>(&self, _: &'m Self::Model) -> &'m [Error] {
        &[]
    }

    /// Where the model is that the M-step has made of this summary, in coordinates that may be
    /// extrapolated; none if it has none.
    fn coordinates(
        &self,
        model: &Self::Model,
        summary: &Summary,
        units: &Units,
    ) -> Option<DVector<f64>>;

    /// The model at these coordinates; none if there is none.
    fn model_at(&self, at: &DVector<f64>, units: &Units) -> Option<Self::Model>;
}

/// A run that has put so many components elsewhere would go on doing so.
const MOST_RESEEDED: usize = 50;

/// A component that was put elsewhere by an update, after which the objective may be lower than
/// before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reseeded {
    /// The update, counted from 1: `trace[iteration]` may be below the one before. (0 is the one
    /// that made the first mixture of [`Start::Responsibilities`](crate::Start::Responsibilities).)
    pub iteration: usize,
    /// Which component.
    pub component: usize,
}

/// How a run ended.
pub(crate) struct Run<M> {
    pub model: M,
    pub converged: bool,
    pub iterations: usize,
    /// The objective before each update, and last that of `model`.
    pub trace: Vec<f64>,
    /// What the penalty adds to the last of the trace.
    pub penalty: f64,
    pub reseeded: Vec<Reseeded>,
    pub extrapolations: Vec<Extrapolation>,
    /// Whether the last update may have lowered the objective.
    pub may_have_fallen: bool,
}

impl<M> Run<M> {
    /// At its start.
    fn new<L: Learner<Model = M>>(learner: &L, start: M) -> Result<Self> {
        let mut run = Run {
            model: start,
            converged: false,
            iterations: 0,
            trace: Vec::new(),
            penalty: 0.0,
            reseeded: Vec::new(),
            extrapolations: Vec::new(),
            may_have_fallen: false,
        };
        run.mark(learner)?;
        Ok(run)
    }

    /// Goes on to the model that the M-step makes of these shares.
    fn update<L: Learner<Model = M>>(
        &mut self,
        learner: &L,
        summary: &Summary,
    ) -> Result<()> {
        self.iterations += 1;
        let stranger = !learner.admits(&self.model);
        self.model = learner.m_step(summary, self.iterations)?;
        self.may_have_fallen = self.mark(learner)? || stranger;
        Ok(())
    }

    /// What the objective may not fall below; none at the start, and where it may.
    fn floor(&self) -> Option<f64> {
        self.trace.last().copied().filter(|_| !self.may_have_fallen)
    }

    /// Notes which components of the model were put elsewhere; whether any was.
    fn mark<L: Learner<Model = M>>(&mut self, learner: &L) -> Result<bool> {
        let (mended, iteration) = (learner.mended(&self.model), self.iterations);
        for fault in mended {
            if self.reseeded.len() == MOST_RESEEDED {
                return Err(fault.clone());
            }
            if let Error::Collapse { component, .. } = *fault {
                self.reseeded.push(Reseeded { iteration, component });
            }
        }
        Ok(!mended.is_empty())
    }
}

/// Alternates E-step and M-step from `model` until the gain is small or the updates
/// run out.
///
/// # Errors
/// If an E-step or M-step fails, the objective overflows, or it falls by more than
/// rounding explains.
// ANCHOR: climb
pub(crate) fn climb<L: Learner>(
    learner: &L,
    start: L::Model,
    points: &Points,
    search: &Search,
) -> Result<Run<L::Model>> {
    let mut run = Run::new(learner, start)?;
    let mut squarem = Squarem::new(search);
    loop {
        let summary = e_step(&learner.scores(&run.model), points)?;
        let penalty = learner.penalty(&run.model);
        run.penalty = penalty.iter().sum();
        let objective = summary.log_likelihood + run.penalty;
        check_number(objective, run.iterations)?;
        if let Some(before) = run.floor() {
            // Each term of the penalty is a difference of numbers of size one or more.
            let terms: f64 = penalty.iter().map(|p| 1.0 + p.abs()).sum();
            let size = summary.magnitude + terms;
            check_climb(before, objective, ROUNDING * size, run.iterations)?;
            let gain = (objective - before) / points.total;
            run.converged = search.tolerance > 0.0 && gain < search.tolerance;
        }
        run.trace.push(objective);
        if run.converged || run.iterations == search.max_iterations {
            return Ok(run);
        }
        run.update(learner, &summary)?;
        squarem.leap(&mut run, learner, &summary, points);
    }
}
// ANCHOR_END: climb

/// Infinite or NaN: no climb can start, or go on, from there.
pub(crate) fn check_number(objective: f64, iteration: usize) -> Result<()> {
    if objective.is_finite() {
        return Ok(());
    }
    Err(Error::Overflow { iteration, value: objective.to_string() })
}

/// A fall within rounding is none; a real one means that the arithmetic, or a
/// formula, has failed.
fn check_climb(from: f64, to: f64, allowed: f64, iteration: usize) -> Result<()> {
    if to >= from - allowed {
        return Ok(());
    }
    Err(Error::ObjectiveFell { iteration, from, to, allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_forgiven_and_a_fall_is_not() {
        assert!(check_climb(-1.0, -1.0 - 1e-13, 1e-12, 4).is_ok());
        let fell = check_climb(-1.0, -1.1, 1e-12, 4).unwrap_err();
        assert!(matches!(fell, Error::ObjectiveFell { iteration: 4, .. }));
        assert!(check_climb(-1.0, f64::NAN, 1e-12, 4).is_err());
        for (bad, name) in [(f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
            let fault = check_number(bad, 3).unwrap_err().to_string();
            assert!(fault.contains(name) && fault.contains("iteration 3"), "{fault}");
        }
    }
}
