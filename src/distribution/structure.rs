use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::math::Structured;

/// What a precision (or covariance) may look like. It says which of a matrix's entries are free, and
/// with it what a scatter tells about them; all that the shapes of covariance differ by, beside
/// whether the components share one, is here.
///
/// A D×D matrix falls into blocks along its diagonal, of equal size, which are either independent
/// of each other or all the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Structure {
    /// One block, any positive definite matrix.
    #[default]
    Dense,
    /// D blocks of size one, independent: a diagonal matrix.
    Diagonal,
    /// D blocks of size one, all the same: a multiple of the identity.
    Spherical,
}

impl Structure {
    /// The size of a block of a D×D matrix.
    pub fn block(self, d: usize) -> usize {
        match self {
            Structure::Dense => d,
            Structure::Diagonal | Structure::Spherical => 1,
        }
    }

    /// How many times the same block is repeated. (`block` × `copies` × independent blocks is D.)
    pub fn copies(self, d: usize) -> usize {
        match self {
            Structure::Dense | Structure::Diagonal => 1,
            Structure::Spherical => d,
        }
    }

    /// How many blocks are independent of each other.
    pub fn blocks(self, d: usize) -> usize {
        d / self.block(d) / self.copies(d)
    }

    /// How many entries of a D×D matrix are free.
    pub fn free(self, d: usize) -> usize {
        self.blocks(d) * self.block(d) * (self.block(d) + 1) / 2
    }

    /// Whether a symmetric matrix is such a one, to the last bit.
    pub fn admits(self, m: &DMatrix<f64>) -> bool {
        let diagonal = || {
            let off = |j: usize| (0..m.nrows()).filter(move |&i| i != j);
            (0..m.ncols()).all(|j| off(j).all(|i| m[(i, j)] == 0.0))
        };
        match self {
            Structure::Dense => true,
            Structure::Diagonal => diagonal(),
            Structure::Spherical => {
                diagonal() && m.diagonal().iter().all(|v| *v == m[(0, 0)])
            }
        }
    }

    /// What each block learns from `count` points with this scatter: as many points of the block's
    /// size, and their scatter. Copies of a block learn the same from D times as many numbers.
    // ANCHOR: project
    pub fn project(self, count: f64, scatter: Structured) -> (f64, Structured) {
        let scatter = match self {
            Structure::Dense => scatter,
            Structure::Diagonal => scatter.diagonal().into(),
            Structure::Spherical => {
                let d = scatter.dimension();
                DVector::from_element(d, scatter.diagonal().sum()).into()
            }
        };
        (count * self.copies(scatter.dimension()) as f64, scatter)
    }
    // ANCHOR_END: project
}
