//! What every fit needs beside a learner: where to start, how often, and when to stop.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::inference::accelerate::Acceleration;
use crate::inference::fit::{Learner, Run, climb};
use crate::inference::start::Start;
use crate::kernel::Points;
use crate::math::{Rng, rng_stream};
use crate::{Error, Result};

/// The options that all fits share; [`search_options`] makes the methods that set them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Search {
    pub start: Start,
    pub restarts: usize,
    pub seed: u64,
    pub max_iterations: usize,
    /// In units of the objective's gain divided by Σ wₙ; zero means never to stop before
    /// `max_iterations`.
    pub tolerance: f64,
    #[serde(default)]
    pub acceleration: Acceleration,
}

impl Default for Search {
    fn default() -> Self {
        Search {
            start: Start::default(),
            restarts: 1,
            seed: 0,
            max_iterations: 1000,
            tolerance: 1e-6,
            acceleration: Acceleration::None,
        }
    }
}

/// The methods of a builder with a field `search` that set its options; `$objective` is what the
/// fit climbs.
macro_rules! search_options {
    ($objective:literal) => {
        /// Where to start.
        pub fn start(mut self, start: crate::Start) -> Self {
            self.search.start = start;
            self
        }

        /// How many starts to run in all, of which the one that ends highest is returned.
        pub fn restarts(mut self, restarts: usize) -> Self {
            self.search.restarts = restarts;
            self
        }

        /// What the random starts are drawn from: the same seed gives the same fit.
        pub fn seed(mut self, seed: u64) -> Self {
            self.search.seed = seed;
            self
        }

        /// The most updates to make, leaps included; stopping there leaves `converged` false.
        pub fn max_iterations(mut self, max_iterations: usize) -> Self {
            self.search.max_iterations = max_iterations;
            self
        }

        #[doc = concat!("Stop when an update gains less than this in ", $objective)]
        /// per point (nats). With 0 exactly `max_iterations` updates are made. (Leaps are not asked.)
        pub fn tolerance(mut self, tolerance: f64) -> Self {
            self.search.tolerance = tolerance;
            self
        }

        /// Whether to leap ahead from where the last three updates lead, which saves most updates
        /// where they are slow.
        pub fn acceleration(mut self, acceleration: crate::Acceleration) -> Self {
            self.search.acceleration = acceleration;
            self
        }
    };
}
pub(crate) use search_options;

impl Search {
    /// Refuses options that contradict each other, or cannot be met by a fit of K components.
    pub fn check(&self, k: usize, points: &Points) -> Result<()> {
        if k == 0 {
            return Err(too_few_points(0, points.len()));
        }
        if self.start.is_random() && k > points.len() {
            return Err(too_few_points(k, points.len()));
        }
        self.start.check(k, points)?;
        if self.restarts > 1_000_000 {
            let reason = "a million starts are the most that are kept track of";
            return Err(Error::option("restarts", self.restarts, reason));
        }
        if self.restarts == 0 {
            return Err(Error::option("restarts", 0, "at least one run is needed"));
        }
        if self.restarts > 1 && !self.start.is_random() {
            let reason = "every restart from a given start would be the same run; use 1, or a random start";
            return Err(Error::option("restarts", self.restarts, reason));
        }
        if !(self.tolerance.is_finite() && self.tolerance >= 0.0) {
            let reason = "it must be finite and not negative; 0 runs all iterations";
            return Err(Error::option("tolerance", self.tolerance, reason));
        }
        Ok(())
    }

    /// The run that ends highest of all restarts, each from what `begin` makes of a generator of
    /// its own.
    ///
    /// # Errors
    /// A collapse is one start's bad luck, and an error only if all collapse. Any other error is
    /// a fault of the data or the fit, and goes before every result.
    pub fn best<L: Learner>(
        &self,
        learner: &L,
        points: &Points,
        begin: impl Fn(&mut Rng) -> Result<L::Model> + Sync,
    ) -> Result<Best<L::Model>> {
        let mut runs: Vec<Result<Run<L::Model>>> = (0..self.restarts)
            .into_par_iter()
            .map(|restart| {
                let start = begin(&mut rng_stream(self.seed, restart as u64))?;
                climb(learner, start, points, self)
            })
            .collect();
        let ends: Vec<Option<f64>> = runs.iter().map(ended_at).collect();
        let fault = |run: &Result<_>| match run {
            Ok(_) | Err(Error::Collapse { .. }) => false,
            Err(_) => true,
        };
        let decisive = runs.iter().position(fault).unwrap_or_else(|| {
            (0..runs.len())
                .filter(|&i| runs[i].is_ok())
                .reduce(|best, i| if ends[i] > ends[best] { i } else { best })
                .unwrap_or(0)
        });
        Ok(Best { run: runs.swap_remove(decisive)?, ends })
    }
}

/// The run that ended highest, and where all of them ended.
pub(crate) struct Best<M> {
    pub run: Run<M>,
    /// The objective at the end of each restart, in order; none for one that collapsed.
    pub ends: Vec<Option<f64>>,
}

/// No component, or more than there are points.
pub(crate) fn too_few_points(components: usize, points: usize) -> Error {
    Error::Components {
        components,
        available: format!("{points} points"),
        cure: format!("ask for 1 to {points}"),
    }
}

/// The objective that a run ended at.
fn ended_at<M>(run: &Result<Run<M>>) -> Option<f64> {
    run.as_ref().ok().and_then(|run| run.trace.last().copied())
}
