use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use super::{Dirichlet, StickBreaking};
use crate::{Error, Result};

/// A distribution of the weights π of K components.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Weights {
    /// Of a finite mixture.
    Dirichlet(Dirichlet),
    /// Of a truncated Dirichlet process.
    StickBreaking(StickBreaking),
}

impl Weights {
    /// K.
    pub fn component_count(&self) -> usize {
        match self {
            Weights::Dirichlet(q) => q.concentration().len(),
            Weights::StickBreaking(q) => q.component_count(),
        }
    }

    /// E π, length K.
    pub fn mean(&self) -> DVector<f64> {
        match self {
            Weights::Dirichlet(q) => q.mean(),
            Weights::StickBreaking(q) => q.mean(),
        }
    }

    /// E ln π, length K.
    pub fn expected_log(&self) -> DVector<f64> {
        match self {
            Weights::Dirichlet(q) => q.expected_log(),
            Weights::StickBreaking(q) => q.expected_log(),
        }
    }

    /// ln p(π), natural log, with respect to the first K − 1 weights.
    ///
    /// # Errors
    /// As [`Dirichlet::log_density`].
    pub fn log_density(&self, weights: &DVector<f64>) -> Result<f64> {
        match self {
            Weights::Dirichlet(q) => q.log_density(weights),
            Weights::StickBreaking(q) => q.log_density(weights),
        }
    }

    /// The differential entropy −E ln p(π).
    pub fn entropy(&self) -> f64 {
        match self {
            Weights::Dirichlet(q) => q.entropy(),
            Weights::StickBreaking(q) => q.entropy(),
        }
    }

    /// KL(self ‖ other).
    ///
    /// # Errors
    /// If `other` is of another kind or number of components.
    pub fn kl(&self, other: &Weights) -> Result<f64> {
        match (self, other) {
            (Weights::Dirichlet(q), Weights::Dirichlet(p)) => q.kl(p),
            (Weights::StickBreaking(q), Weights::StickBreaking(p)) => q.kl(p),
            _ => {
                let expected = format!("{}, as the first is", self.kind());
                let what = "the other distribution of weights";
                Err(Error::shape(what, expected, other.kind()))
            }
        }
    }

    /// What errors call it.
    fn kind(&self) -> &'static str {
        match self {
            Weights::Dirichlet(_) => "a Dirichlet",
            Weights::StickBreaking(_) => "the sticks of a Dirichlet process",
        }
    }

    /// One draw of π, length K.
    pub fn sample<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> DVector<f64> {
        match self {
            Weights::Dirichlet(q) => q.sample(rng),
            Weights::StickBreaking(q) => q.sample(rng),
        }
    }

    /// What is known of π after `counts` points of each component (length K).
    pub(crate) fn posterior(&self, counts: &DVector<f64>) -> Result<Weights> {
        Ok(match self {
            Weights::Dirichlet(q) => {
                Dirichlet::new(q.concentration() + counts)?.into()
            }
            Weights::StickBreaking(q) => q.posterior(counts)?.into(),
        })
    }

    /// The terms of KL(self ‖ other), which are of the same kind and K.
    pub(crate) fn kl_terms(&self, other: &Weights) -> Vec<f64> {
        match (self, other) {
            (Weights::Dirichlet(q), Weights::Dirichlet(p)) => q.kl_terms(p),
            (Weights::StickBreaking(q), Weights::StickBreaking(p)) => q.kl_terms(p),
            _ => unreachable!("a posterior is of its prior's kind"),
        }
    }

    /// E_q ln p, where q is `self` and p is `prior`, of the same kind and K (PRML 10.73).
    pub(crate) fn expected_log_density(&self, prior: &Weights) -> f64 {
        match (self, prior) {
            (Weights::Dirichlet(q), Weights::Dirichlet(p)) => {
                let powers = p.concentration().map(|alpha| alpha - 1.0);
                p.log_normaliser() + powers.dot(&q.expected_log())
            }
            (Weights::StickBreaking(q), Weights::StickBreaking(p)) => {
                q.expected_log_density(p)
            }
            _ => unreachable!("a posterior is of its prior's kind"),
        }
    }
}

impl From<Dirichlet> for Weights {
    fn from(dirichlet: Dirichlet) -> Self {
        Weights::Dirichlet(dirichlet)
    }
}

impl From<StickBreaking> for Weights {
    fn from(sticks: StickBreaking) -> Self {
        Weights::StickBreaking(sticks)
    }
}
