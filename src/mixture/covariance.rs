use serde::{Deserialize, Serialize};

use crate::distribution::Structure;
use crate::math::Structured;
use crate::{Error, Result};

/// The shape that the components' covariances share (chapter 8).
///
/// A shape is two choices: what a covariance looks like, and whether the components have one
/// together. Everything that shares a covariance pools its scatter, and the pool is divided by the
/// number of points that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Covariance {
    /// Each component has a D×D covariance of its own: K D(D+1)/2 parameters.
    #[default]
    Full,
    /// All components have the same D×D covariance: D(D+1)/2 parameters.
    Tied,
    /// Each component has a diagonal covariance of its own: K D parameters.
    Diagonal,
    /// Each component has a variance of its own, the same in all directions: K parameters.
    Spherical,
}

impl Covariance {
    /// All of them, from the most parameters to the fewest (unless K > (D+1)/2, where `Diagonal`
    /// has more than `Tied`).
    pub const ALL: [Covariance; 4] = [
        Covariance::Full,
        Covariance::Tied,
        Covariance::Diagonal,
        Covariance::Spherical,
    ];

    pub(crate) fn structure(self) -> Structure {
        match self {
            Covariance::Full | Covariance::Tied => Structure::Dense,
            Covariance::Diagonal => Structure::Diagonal,
            Covariance::Spherical => Structure::Spherical,
        }
    }

    /// Whether all components have one covariance together.
    pub(crate) fn is_tied(self) -> bool {
        self == Covariance::Tied
    }

    /// Whether every mixture of the `other` shape is one of this shape.
    pub(crate) fn includes(self, other: Covariance) -> bool {
        self == Covariance::Full
            || self == other
            || (self, other) == (Covariance::Diagonal, Covariance::Spherical)
    }

    /// How many numbers K covariances in D dimensions can choose freely.
    pub fn parameter_count(self, k: usize, d: usize) -> usize {
        self.structure().free(d) * if self.is_tied() { 1 } else { k }
    }

    /// What each component's covariance is learned from: counts and scatters, one a component, into
    /// those of the pool that it belongs to.
    // ANCHOR: pool
    pub(crate) fn pool(
        self,
        shares: impl Iterator<Item = (f64, Structured)>,
    ) -> Vec<(f64, Structured)> {
        let pools: Vec<(f64, Structured)> = shares
            .map(|(count, scatter)| self.structure().project(count, scatter))
            .collect();
        if !self.is_tied() {
            return pools;
        }
        let k = pools.len();
        let together = pools
            .into_iter()
            .reduce(|(n, s), (count, scatter)| (n + count, s.plus(&scatter)));
        vec![together.expect("there is a component"); k]
    }
    // ANCHOR_END: pool

    /// The covariances (K of D×D) as this shape keeps them.
    ///
    /// # Errors
    /// If one is not of this shape.
    pub(crate) fn keep(
        self,
        covariances: Vec<Structured>,
    ) -> Result<Vec<Structured>> {
        let first = covariances.first().cloned();
        let keep = |(k, sigma): (usize, Structured)| {
            let alike = !self.is_tied() || Some(&sigma) == first.as_ref();
            let kept = if alike { self.kept(sigma) } else { None };
            kept.ok_or_else(|| {
                let what = format!("the covariance of component {k}");
                let expected = match self {
                    Covariance::Full => unreachable!("any matrix is full"),
                    Covariance::Tied => "that of component 0, as the shape is tied",
                    Covariance::Diagonal => "square, and zero off the diagonal",
                    Covariance::Spherical => "a multiple of the identity",
                };
                Error::shape(&what, expected, "something else")
            })
        };
        covariances.into_iter().enumerate().map(keep).collect()
    }

    /// One covariance, if it looks like those of this shape.
    fn kept(self, sigma: Structured) -> Option<Structured> {
        let structure = self.structure();
        match sigma {
            Structured::Dense(m) if structure == Structure::Dense => Some(m.into()),
            Structured::Dense(m) => structure.admits(&m).then(|| m.diagonal().into()),
            diagonal if structure == Structure::Dense => {
                Some(diagonal.dense().clone().into())
            }
            diagonal => {
                structure.admits_diagonal(&diagonal.diagonal()).then_some(diagonal)
            }
        }
    }
}

impl std::fmt::Display for Covariance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Covariance::Full => "full",
            Covariance::Tied => "tied",
            Covariance::Diagonal => "diagonal",
            Covariance::Spherical => "spherical",
        })
    }
}
