//! What is believed of a mixture before any data, in full: the prior of its parameters, the shape
//! of its covariances, and what kind of weights it has.

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::distribution::{GaussianWishart, StickBreaking, Weights};
use crate::inference::prior::Prior;
use crate::mixture::Covariance;

/// What is believed of the weights of a mixture before any data.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Concentration {
    /// A symmetric Dirichlet with the prior's α₀ for each component. Small α₀ leaves components
    /// empty that are not needed; the order of the components means nothing.
    #[default]
    Dirichlet,
    /// A Dirichlet process, truncated at K (Blei & Jordan 2006): the larger `alpha`, the more
    /// components. Components are kept in the order in which their counts are most probable; the
    /// prior's α₀ is not used.
    DirichletProcess {
        /// α: with it ever more points bring about α ln N components, a priori.
        alpha: f64,
    },
}

/// A prior, for what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Belief {
    pub prior: Prior,
    #[serde(default)]
    pub covariance: Covariance,
    #[serde(default)]
    pub concentration: Concentration,
}

impl Belief {
    /// In full covariances and finitely many components.
    pub fn plain(prior: Prior) -> Self {
        let (covariance, concentration) = Default::default();
        Belief { prior, covariance, concentration }
    }

    /// p(π) of K components.
    ///
    /// # Errors
    /// If K = 0 or the concentration is not one.
    pub fn weights(&self, k: usize) -> Result<Weights> {
        Ok(match self.concentration {
            Concentration::Dirichlet => self.prior.dirichlet(k)?.into(),
            Concentration::DirichletProcess { alpha } => {
                StickBreaking::process(alpha, k)?.into()
            }
        })
    }

    /// p(μ, Λ) of each component.
    ///
    /// # Errors
    /// If the prior is not one.
    pub fn component(&self) -> Result<GaussianWishart> {
        self.prior.component(self.covariance.structure())
    }

    /// Moved by `shift` (length D).
    pub fn translated(mut self, shift: &DVector<f64>) -> Self {
        self.prior.m0 += shift;
        self
    }
}
