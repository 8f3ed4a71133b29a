//! Converging faster: leaps along the curve that the last three updates follow.

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use crate::inference::coordinates::Units;
use crate::inference::e_step::e_step;
use crate::inference::fit::{Learner, Run};
use crate::inference::search::Search;
use crate::inference::summary::Summary;
use crate::kernel::Points;

/// How a fit gets from one model to the next.
///
/// ```
/// use mixtures::{Acceleration, Em, data};
///
/// let x = data::notebook();
/// let em = Em::new(3).seed(7).tolerance(1e-10);
/// let plain = em.clone().fit(&x)?;
/// let fast = em.acceleration(Acceleration::Squarem).fit(&x)?;
/// assert!((fast.log_likelihood() - plain.log_likelihood()).abs() < 1e-4);
/// assert!(fast.iterations < plain.iterations); // E-steps, those of refused leaps included
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Acceleration {
    /// By updates alone.
    #[default]
    None,
    /// By updates, and leaps from what the last three of them made: squared extrapolation (Roland &
    /// Varadhan 2005; Varadhan & Roland 2008, scheme S3), made monotone.
    ///
    /// The updates end at θ₁, θ₂, θ₃. Between them lie a step r = θ₂ − θ₁ and its change
    /// v = (θ₃ − θ₂) − r. If each step is ρ times the one before, then s = ‖r‖/‖v‖ is 1/(1 − ρ), and
    /// the steps lead to θ′ = θ₁ + 2 s r + s² v. The fit goes on from there if the objective is no
    /// lower than at θ₂, and else from θ₃, which is then the next θ₁: two updates later it leaps again.
    /// (Both cost an E-step, which counts as an iteration. Where s ≤ 1, or θ′ is no model however much
    /// the leap is shortened, there is none and it costs nothing.) The longest s allowed is 4 at first;
    /// it grows where it has done well, and shrinks where a leap was refused.
    ///
    /// For EM, θ is ln π, the means, and the Cholesky factors with the logarithms of their
    /// diagonals, in units of the columns' standard deviations. For [`Vb`](crate::Vb) it is the
    /// counts, sums and products that the prior's natural parameters grow by.
    ///
    /// From the same start it mostly ends at the same maximum as updates alone, but it need not.
    Squarem,
}

/// A leap of [`Acceleration::Squarem`] that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Extrapolation {
    /// Where in the trace its objective stands; if it was refused, the one before is repeated there.
    pub iteration: usize,
    /// s > 1: how far it went. (1 would be where two plain steps lead.)
    pub step: f64,
    /// Whether the fit went on from there.
    pub accepted: bool,
}

/// A leap to where there is no model is tried this often, half as far each time.
const ATTEMPTS: usize = 5;

/// What the longest step is multiplied by after one as long has done well.
const GROWTH: f64 = 4.0;

/// What a run remembers between its leaps.
pub(crate) struct Squarem {
    acceleration: Acceleration,
    max_iterations: usize,
    /// The coordinates of the models that the last updates made, at most three: θ₁, θ₂, θ₃.
    path: Vec<DVector<f64>>,
    /// The longest step allowed, 2 or more.
    longest: f64,
    /// Known from the first update on.
    units: Option<Units>,
}

impl Squarem {
    /// At the start of a run.
    pub fn new(search: &Search) -> Self {
        Squarem {
            acceleration: search.acceleration,
            max_iterations: search.max_iterations,
            path: Vec::new(),
            longest: GROWTH,
            units: None,
        }
    }

    /// To be called after each update, when `run` is at the model that the M-step has made of
    /// `summary`. If three updates have been made since the last leap, it leaps; and if it was right
    /// to, `run` is then at the model that the M-step makes from there.
    pub fn leap<L: Learner>(
        &mut self,
        run: &mut Run<L::Model>,
        learner: &L,
        summary: &Summary,
        points: &Points,
    ) {
        if self.acceleration == Acceleration::None {
            return;
        }
        self.follow(run, learner, summary);
        if self.path.len() < 3 || run.iterations == self.max_iterations {
            return;
        }
        let proposal = self.proposal(learner);
        self.path.drain(..2);
        let Some((step, model)) = proposal else { return };
        let before = *run.trace.last().expect("an update has an E-step before it");
        let landing = Landing::on(&model, learner, points);
        let objective = landing.as_ref().map_or(f64::NAN, |there| there.objective);
        let accepted = self.judge(step, objective, before);
        let iteration = run.iterations;
        run.extrapolations.push(Extrapolation { iteration, step, accepted });
        run.iterations += 1;
        run.trace.push(if accepted { objective } else { before });
        if let Some(there) = landing.filter(|_| accepted) {
            run.model = there.next;
            self.path.clear();
            self.follow(run, learner, &there.summary);
        }
    }

    /// Adds where the run is to the path. If an update has put a component elsewhere, or has left it
    /// empty, a new path begins.
    fn follow<L: Learner>(
        &mut self,
        run: &Run<L::Model>,
        learner: &L,
        summary: &Summary,
    ) {
        let units = self.units.get_or_insert_with(|| Units::of(summary));
        let here = learner.coordinates(&run.model, summary, units);
        if run.may_have_fallen || here.is_none() {
            self.path.clear();
        }
        self.path.extend(here);
    }

    // ANCHOR: squarem
    /// s, and the model at θ₁ + 2 s r + s² v; none if that is no further than θ₃.
    fn proposal<L: Learner>(&self, learner: &L) -> Option<(f64, L::Model)> {
        let [first, second, third] = &self.path[..] else { return None };
        let units = self.units.as_ref()?;
        let r = second - first;
        let v = (third - second) - &r;
        let step = (r.norm() / v.norm()).clamp(1.0, self.longest);
        let curve = |s: f64| first + &r * (2.0 * s) + &v * (s * s); // s = 1 is θ₃
        let halfway_back = |s: &f64| Some((s + 1.0) / 2.0);
        std::iter::successors(Some(step), halfway_back)
            .take_while(|s| *s > 1.0)
            .take(ATTEMPTS)
            .find_map(|s| Some((s, learner.model_at(&curve(s), units)?)))
    }

    /// Whether to go on from a leap; `before` is the objective at θ₂.
    fn judge(&mut self, step: f64, objective: f64, before: f64) -> bool {
        let accepted = objective >= before && objective.is_finite();
        if !accepted {
            self.longest = (self.longest / 2.0).max(2.0);
        } else if step == self.longest {
            self.longest *= GROWTH;
        }
        accepted
    }
    // ANCHOR_END: squarem
}

/// What the E-step of a leap's model found, and the update from there.
struct Landing<M> {
    objective: f64,
    summary: Summary,
    next: M,
}

impl<M> Landing<M> {
    /// None if a point is out of the model's reach, or a component collapses in its update: whether
    /// that is an end, or it is put elsewhere, is for plain steps to say.
    fn on<L: Learner<Model = M>>(
        model: &M,
        learner: &L,
        points: &Points,
    ) -> Option<Self> {
        let summary = e_step(&learner.scores(model), points).ok()?;
        let penalty: f64 = learner.penalty(model).iter().sum();
        let objective = summary.log_likelihood + penalty;
        let next = learner.m_step(&summary, 0).ok()?;
        let alive = learner.mended(&next).is_empty();
        alive.then_some(Landing { objective, summary, next })
    }
}

#[cfg(test)]
mod tests;
