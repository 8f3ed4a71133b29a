//! What a leap does, of learners that leap well and badly.

use approx::assert_relative_eq;

use super::*;
use crate::inference::Prior;
use crate::inference::fit::climb;
use crate::inference::map::MaximumPosterior;
use crate::{Covariance, Em, GaussianMixture, Result, data};

/// MAP, but a leap ends where `lands` says, of where it would and of θ₁.
struct Astray<F> {
    within: MaximumPosterior,
    lands: F,
}

impl<F> Learner for Astray<F>
where
    F: Fn(GaussianMixture) -> Option<GaussianMixture> + Sync,
{
    type Model = GaussianMixture;

    fn scores(&self, model: &GaussianMixture) -> Vec<crate::kernel::Score> {
        self.within.scores(model)
    }

    fn penalty(&self, model: &GaussianMixture) -> Vec<f64> {
        self.within.penalty(model)
    }

    fn m_step(&self, summary: &Summary, at: usize) -> Result<GaussianMixture> {
        self.within.m_step(summary, at)
    }

    fn coordinates(
        &self,
        model: &GaussianMixture,
        summary: &Summary,
        units: &Units,
    ) -> Option<DVector<f64>> {
        self.within.coordinates(model, summary, units)
    }

    fn model_at(&self, at: &DVector<f64>, units: &Units) -> Option<GaussianMixture> {
        self.within.model_at(at, units).and_then(&self.lands)
    }
}

fn run(
    acceleration: Acceleration,
    max_iterations: usize,
    lands: impl Fn(GaussianMixture) -> Option<GaussianMixture> + Sync,
) -> Run<GaussianMixture> {
    let x = data::notebook();
    let points = Points::new((&x).into(), None).unwrap();
    let prior = Prior::for_components(&x, 3).unwrap();
    let within = MaximumPosterior::new(&prior, Covariance::Full, 3, &points).unwrap();
    let learner = Astray { within, lands };
    let start = Em::new(3).max_iterations(0).seed(1).fit(&x).unwrap().mixture;
    let start = start.translated(&-&points.origin);
    let search =
        Search { max_iterations, tolerance: 0.0, acceleration, ..Search::default() };
    climb(&learner, start, &points, &search).unwrap()
}

/// No model, no E-step.
#[test]
fn what_is_no_model_costs_nothing() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let plain = run(Acceleration::None, 20, Some);
    let blind = run(Acceleration::Squarem, 20, |_| {
        asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        None
    });
    assert!(blind.extrapolations.is_empty());
    assert_eq!(blind.trace, plain.trace);
    assert_eq!(blind.model, plain.model);
    assert!(asked.into_inner() >= 5 * ATTEMPTS);
}

/// Lower, infinitely far, or so that a component is left without a point.
#[test]
fn what_is_worse_costs_an_e_step() {
    let lower =
        |m: GaussianMixture| Some(m.translated(&DVector::from_vec(vec![1.0, -1.0])));
    let away =
        |m: GaussianMixture| Some(m.translated(&DVector::from_element(2, 1e200)));
    for lands in [
        &lower as &(dyn Fn(GaussianMixture) -> Option<GaussianMixture> + Sync),
        &away,
    ] {
        let astray = run(Acceleration::Squarem, 20, lands);
        let leaps = &astray.extrapolations;
        assert!(leaps.len() >= 4 && leaps.iter().all(|leap| !leap.accepted));
        assert!(leaps.iter().skip(1).all(|leap| leap.step <= 2.0));
        let plain = run(Acceleration::None, 20 - leaps.len(), Some);
        assert_eq!(astray.model, plain.model);
        let mut trace = astray.trace;
        for leap in leaps.iter().rev() {
            let repeated = trace.remove(leap.iteration);
            assert_eq!(repeated, trace[leap.iteration - 1]);
        }
        assert_eq!(trace, plain.trace);
    }
}

/// The longest step: 4, half as long after each refusal but no shorter than 2, and four times as
/// long where it was reached.
#[test]
fn the_longest_step() {
    let mut squarem = Squarem::new(&Search::default());
    for (step, objective, longest) in [
        (3.0, 1.0, 4.0),
        (4.0, 1.0, 16.0),
        (4.0, 0.9, 8.0),
        (8.0, f64::NAN, 4.0),
        (4.0, f64::INFINITY, 2.0),
        (2.0, f64::NEG_INFINITY, 2.0),
        (2.0, 1.5, 8.0),
    ] {
        let accepted = squarem.judge(step, objective, 1.0);
        assert_eq!(accepted, objective.is_finite() && objective >= 1.0);
        assert_eq!(squarem.longest, longest);
    }
}

/// Each step ρ times the one before: the leap ends where they would, whatever ρ, if it may be as long.
#[test]
fn a_geometric_path_is_leapt_to_its_end() {
    let x = data::notebook();
    let points = Points::new((&x).into(), None).unwrap();
    let prior = Prior::for_components(&x, 3).unwrap();
    let learner =
        MaximumPosterior::new(&prior, Covariance::Full, 3, &points).unwrap();
    let mixture = Em::new(3).fit(&x).unwrap().mixture;
    let summary = crate::e_step(&mixture, &x, None).unwrap();
    let units = Units::of(&summary);
    let end = learner.coordinates(&mixture, &summary, &units).unwrap();
    let away = DVector::from_fn(end.len(), |i, _| 0.01 * ((i % 5) as f64 - 2.0));
    for rho in [0.3_f64, 0.9, 0.99] {
        let squarem = Squarem {
            path: (0..3).map(|i| &end - &away * rho.powi(i)).collect(),
            longest: 1e3,
            units: Some(Units::of(&summary)),
            ..Squarem::new(&Search::default())
        };
        let (step, model) = squarem.proposal(&learner).unwrap();
        assert_relative_eq!(step, 1.0 / (1.0 - rho), max_relative = 1e-9);
        let there = learner.coordinates(&model, &summary, &units).unwrap();
        assert_relative_eq!(there, end, epsilon = 1e-9);
    }
}
