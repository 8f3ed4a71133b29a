//! A Wishart distribution in a file.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::{INVERSE_SCALE, Wishart};
use crate::distribution::Structure;
use crate::math::{Cholesky, Structured};
use crate::{Error, Result};

/// How far Lᵀ W L may be from I when both W and W⁻¹ are given.
const INVERSE: f64 = 1e-6;

#[derive(Serialize, Deserialize)]
pub(crate) struct Parts {
    nu: f64,
    #[serde(default)]
    structure: Structure,
    w: Structured,
    inverse_w: Structured,
}

impl TryFrom<Parts> for Wishart {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        let d = parts.w.dimension();
        let diagonal = parts.structure != Structure::Dense;
        let fits = |m: &Structured| m.dimension() == d && m.is_diagonal() == diagonal;
        if !fits(&parts.w) || !fits(&parts.inverse_w) {
            let rows = parts.inverse_w.dimension();
            let expected = format!("{d}×{d}, as W is, and diagonal if that is");
            let found = format!("{rows}×{rows}");
            return Err(Error::shape("the inverse scale", expected, found));
        }
        Cholesky::of(&parts.w, "the scale W")?;
        let factor = Cholesky::of(&parts.inverse_w, INVERSE_SCALE)?;
        let Parts { nu, structure, w, inverse_w } = parts;
        let whitener = factor.inverse_root();
        let wishart =
            Wishart { nu, structure, w, inverse_w, factor, whitener }.checked()?;
        if diagonal && !structure.admits_diagonal(&wishart.inverse_w.diagonal()) {
            let expected = "the same along the diagonal";
            return Err(Error::shape("the inverse scale", expected, "not"));
        }
        // Lᵀ W L − I, and the size of the terms of Lᵀ W L: W is rounded, which L magnifies.
        let (distance, size): (Structured, f64) =
            match (wishart.factor.root(), &wishart.w) {
                (Structured::Dense(l), w) => {
                    let size = l.abs().transpose() * w.dense().abs() * l.abs();
                    let product = l.transpose() * w.dense() * l;
                    ((product - DMatrix::identity(d, d)).into(), size.amax())
                }
                (l, w) => {
                    let product = l.congruence(w).diagonal();
                    (product.add_scalar(-1.0).into(), product.amax())
                }
            };
        let allowed = INVERSE + 64.0 * d as f64 * f64::EPSILON * size;
        if distance.is_finite() && distance.amax() <= allowed {
            return Ok(wishart);
        }
        Err(Error::NotPositiveDefinite {
            what: "the inverse scale".into(),
            reason: "is not the inverse of the scale".into(),
        })
    }
}

impl From<Wishart> for Parts {
    fn from(wishart: Wishart) -> Self {
        Parts {
            nu: wishart.nu,
            structure: wishart.structure,
            w: wishart.w,
            inverse_w: wishart.inverse_w,
        }
    }
}
