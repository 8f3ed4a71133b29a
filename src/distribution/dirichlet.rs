use nalgebra::DVector;
use rand::RngExt;
use rand::distr::{Distribution, Open01};
use rand_distr::Gamma;
use serde::{Deserialize, Serialize};

use crate::finite::check_positive;
use crate::math::{digamma, ln_gamma, ln_gamma_bend};
use crate::{Error, Result};

/// The Dirichlet distribution of weights π on the simplex, with concentrations α₁ … α_K
/// (PRML B.16): p(π) = C(α) Πₖ πₖ^(αₖ − 1).
///
/// ```
/// use mixtures::{Dirichlet, math, nalgebra::dvector};
///
/// let dirichlet = Dirichlet::new(dvector![1.0, 1.0, 2.0])?;
/// assert_eq!(dirichlet.mean(), dvector![0.25, 0.25, 0.5]);
/// let pi = dirichlet.sample(&mut math::rng(1));
/// assert!((pi.sum() - 1.0).abs() < 1e-15);
/// // Γ(4)/(Γ(1) Γ(1) Γ(2)) π₃
/// assert!((dirichlet.log_density(&pi)? - (6.0 * pi[2]).ln()).abs() < 1e-12);
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Dirichlet {
    concentration: DVector<f64>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    concentration: DVector<f64>,
}

impl Dirichlet {
    /// From the concentrations α (length K).
    ///
    /// # Errors
    /// If there are none, or one is not positive and finite.
    pub fn new(concentration: DVector<f64>) -> Result<Self> {
        if concentration.is_empty() {
            return Err(Error::Empty {
                what: "the Dirichlet distribution".into(),
                missing: "concentration".into(),
            });
        }
        for (k, &alpha) in concentration.iter().enumerate() {
            check_positive(alpha, &format!("the concentration of component {k}"))?;
        }
        Ok(Dirichlet { concentration })
    }

    /// α, length K.
    pub fn concentration(&self) -> &DVector<f64> {
        &self.concentration
    }

    /// α̂ = Σₖ αₖ.
    fn total(&self) -> f64 {
        self.concentration.sum()
    }

    /// E π = α/α̂, length K (PRML B.17).
    pub fn mean(&self) -> DVector<f64> {
        &self.concentration / self.total()
    }

    /// E ln πₖ = ψ(αₖ) − ψ(α̂), length K (PRML B.21).
    // ANCHOR: expected_log
    pub fn expected_log(&self) -> DVector<f64> {
        let total = digamma(self.total());
        self.concentration.map(|alpha| digamma(alpha) - total)
    }
    // ANCHOR_END: expected_log

    /// ln C(α) = ln Γ(α̂) − Σₖ ln Γ(αₖ) (PRML B.23).
    pub fn log_normaliser(&self) -> f64 {
        let gammas: f64 = self.concentration.iter().map(|&a| ln_gamma(a)).sum();
        ln_gamma(self.total()) - gammas
    }

    /// ln p(π), natural log, with respect to the first K − 1 weights. At the edge of the
    /// simplex it may be infinite.
    ///
    /// # Errors
    /// If `weights` has another length, a negative entry, or another sum than 1 (to 1e-9); or if
    /// it lies where the edges of density 0 and of infinite density meet.
    pub fn log_density(&self, weights: &DVector<f64>) -> Result<f64> {
        self.check_count(weights.len(), "the vector of weights")?;
        check_weights(weights)?;
        let sum: f64 = self.log_powers(weights).sum();
        if sum.is_nan() {
            return Err(undecided());
        }
        Ok(self.log_normaliser() + sum)
    }

    /// The terms (αₖ − 1) ln πₖ of the log density, but for those with αₖ = 1: 0 · ln 0 is 0 here.
    pub(crate) fn log_powers(
        &self,
        weights: &DVector<f64>,
    ) -> impl Iterator<Item = f64> {
        let pairs = self.concentration.iter().zip(weights);
        pairs
            .filter(|(alpha, _)| **alpha != 1.0)
            .map(|(alpha, w)| (alpha - 1.0) * w.ln())
    }

    /// The differential entropy −E ln p(π) (PRML B.22).
    pub fn entropy(&self) -> f64 {
        let terms = self.concentration.map(|alpha| alpha - 1.0);
        -self.log_normaliser() - terms.dot(&self.expected_log())
    }

    /// KL(self ‖ other).
    ///
    /// # Errors
    /// If `other` has another number of weights.
    pub fn kl(&self, other: &Dirichlet) -> Result<f64> {
        other.check_count(self.concentration.len(), "the Dirichlet distribution")?;
        Ok(self.kl_terms(other).iter().sum())
    }

    /// The terms of KL(self ‖ other), which are of equal K: the scale of its rounding.
    pub(crate) fn kl_terms(&self, other: &Dirichlet) -> Vec<f64> {
        let pairs = self.concentration.iter().zip(&other.concentration);
        std::iter::once(ln_gamma_bend(self.total(), other.total()))
            .chain(pairs.map(|(a, b)| -ln_gamma_bend(*a, *b)))
            .collect()
    }

    /// One draw of π, length K: gamma variates divided by their sum (in logarithms, as
    /// those of small α underflow).
    // ANCHOR: sample
    pub fn sample<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> DVector<f64> {
        let logs = self.concentration.map(|alpha| {
            let gamma = Gamma::new(alpha + 1.0, 1.0).expect("α is positive");
            let uniform: f64 = rng.sample(Open01);
            // Gamma(α) = Gamma(α + 1) U^(1/α)
            gamma.sample(rng).ln() + uniform.ln() / alpha
        });
        // Not exp(log − log_sum_exp): subtracting a large logarithm rounds by more than
        // an ulp of the weights, whose sum must be 1.
        let shares = logs.map(|log| (log - logs.max()).exp());
        &shares / shares.sum()
    }
    // ANCHOR_END: sample

    fn check_count(&self, found: usize, what: &str) -> Result<()> {
        let k = self.concentration.len();
        if found == k {
            return Ok(());
        }
        Err(Error::shape(
            what,
            format!("of length {k}"),
            format!("of length {found}"),
        ))
    }
}

/// Where a density is 0 by one weight and infinite by another.
pub(crate) fn undecided() -> Error {
    Error::Weights {
        what: "the weights of the components".into(),
        reason: "some are 0 where the density is 0, others where it is infinite; together it has \
                 no value there"
            .into(),
    }
}

/// Refuses what is not a point of the simplex.
pub(crate) fn check_weights(weights: &DVector<f64>) -> Result<()> {
    let fault = |reason: String| {
        Err(Error::Weights {
            what: "the weights of the components".to_string(),
            reason,
        })
    };
    if let Some(k) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        return fault(format!(
            "component {k} has {}, but a weight is finite and not negative",
            weights[k]
        ));
    }
    let total = weights.sum();
    if (total - 1.0).abs() > 1e-9 {
        return fault(format!(
            "their sum is {total}, but must be 1; divide them by it"
        ));
    }
    Ok(())
}

impl TryFrom<Parts> for Dirichlet {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        Dirichlet::new(parts.concentration)
    }
}

impl From<Dirichlet> for Parts {
    fn from(dirichlet: Dirichlet) -> Self {
        Parts { concentration: dirichlet.concentration }
    }
}
