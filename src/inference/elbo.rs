//! The evidence lower bound of a posterior, F(q) = E ln p(X, z, π, μ, Λ) − E ln q, with every
//! constant: collapsed (the responsibilities at their best), and term by term for any.

use nalgebra::{DMatrix, DMatrixView};
use serde::{Deserialize, Serialize};

use crate::finite::check_finite;
use crate::inference::e_step::e_step;
use crate::inference::fit::check_number;
use crate::inference::posterior::Posterior;
use crate::inference::shares::check_responsibilities;
use crate::kernel::Points;
use crate::math::LN_2_PI;
use crate::{Error, Result};

/// The seven terms of the bound (PRML 10.70), natural logs; their sum is the bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ElboTerms {
    /// E ln p(X | z, μ, Λ) (PRML 10.71).
    pub points: f64,
    /// E ln p(z | π) (10.72).
    pub labels: f64,
    /// E ln p(π) (10.73).
    pub weights: f64,
    /// E ln p(μ, Λ) (10.74).
    pub components: f64,
    /// −E ln q(z), the entropy of the labels (10.75).
    pub label_entropy: f64,
    /// −E ln q(π) (10.76).
    pub weight_entropy: f64,
    /// −E ln q(μ, Λ) (10.77).
    pub component_entropy: f64,
}

impl ElboTerms {
    /// F(q). With tiny α₀ or ν₀ − (D − 1) large terms cancel here, at a cost of 1e-16/α₀ or so;
    /// [`Posterior::elbo_with`] pairs them before they are added.
    pub fn total(&self) -> f64 {
        self.points
            + self.labels
            + self.weights
            + self.components
            + self.label_entropy
            + self.weight_entropy
            + self.component_entropy
    }
}

impl Posterior {
    /// F(q) on the rows of `x` (N×D), the responsibilities at their best for this q(π, μ, Λ):
    /// Σₙ ln Σₖ exp scoreₖ(xₙ) − KL(q(π) ‖ p(π)) − Σₖ KL(q(μₖ, Λₖ) ‖ p(μ, Λ)). It lies below
    /// ln p(X), and below it by the divergence of q from the exact posterior. Every row counts once;
    /// the bound of a weighted fit is the last of its trace.
    ///
    /// # Errors
    /// If `x` is empty, not finite, of another dimension, or out of every component's reach; or if
    /// the bound overflows.
    pub fn elbo<'a>(&self, x: impl Into<DMatrixView<'a, f64>>) -> Result<f64> {
        let points = Points::new(x.into(), None)?;
        points.expect_dimension(self.dimension())?;
        let near = self.clone().translated(&-&points.origin);
        let summary = e_step(&near.scores(), &points)?;
        let penalty = near.penalty(&near.at_first()?);
        let bound = summary.log_likelihood + penalty.iter().sum::<f64>();
        check_number(bound, 0)?;
        Ok(bound)
    }

    /// F(q) for any responsibilities r (N×K), good or bad: the first terms of
    /// [`Posterior::elbo_terms`], and the divergences from the prior.
    ///
    /// # Errors
    /// As [`Posterior::elbo_terms`].
    pub fn elbo_with<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
        r: &DMatrix<f64>,
    ) -> Result<f64> {
        let terms = self.elbo_terms(x, r)?;
        let penalty = self.penalty(&self.at_first()?);
        let of_labels = terms.points + terms.labels + terms.label_entropy;
        let bound = of_labels + penalty.iter().sum::<f64>();
        check_number(bound, 0)?;
        Ok(bound)
    }

    /// The seven terms of F(q) for any responsibilities r (N×K).
    ///
    /// # Errors
    /// If `x` is empty or not finite, a row of r does not sum to 1 (to 1e-9), or the shapes
    /// disagree.
    pub fn elbo_terms<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
        r: &DMatrix<f64>,
    ) -> Result<ElboTerms> {
        let x = x.into();
        check_finite(&x, "x")?;
        check_responsibilities(x.nrows(), r)?;
        self.expect_shape(r.ncols(), x.ncols())?;
        // ANCHOR: elbo_terms
        let d = self.dimension() as f64;
        let before = self.at_first()?;
        let log_weights = self.weights().expected_log();

        let (mut points, mut labels, mut components, mut component_entropy) =
            (0.0, 0.0, 0.0, 0.0);
        for (k, q) in self.components().iter().enumerate() {
            let share = r.column(k);
            let constants = q.wishart().expected_log_det() - d * LN_2_PI;
            for (row, r) in x.row_iter().zip(&share) {
                let distance = q.expected_distance(&row.transpose());
                points += 0.5 * r * (constants - distance);
            }
            labels += share.sum() * log_weights[k];
            components += q.expected_log_density_of_mean(&before.components()[k]);
            component_entropy += q.entropy_of_mean();
        }
        for (q, p) in self.precisions().zip(before.precisions()) {
            components += q.expected_log_density(p);
            component_entropy += q.entropy();
        }
        let shared = |r: &f64| if *r > 0.0 { -r * r.ln() } else { 0.0 };
        Ok(ElboTerms {
            points,
            labels,
            weights: self.weights().expected_log_density(before.weights()),
            components,
            label_entropy: r.iter().map(shared).sum(),
            weight_entropy: self.weights().entropy(),
            component_entropy,
        })
        // ANCHOR_END: elbo_terms
    }

    /// The terms of −KL(q(π) ‖ p(π)) − Σₖ KL(q(μₖ, Λₖ) ‖ p(μ, Λ)), where p is `before`.
    // ANCHOR: penalty
    pub(crate) fn penalty(&self, before: &Posterior) -> Vec<f64> {
        let of_weights = self.weights().kl_terms(before.weights());
        let means = self.components().iter().zip(before.components());
        let of_means = means.flat_map(|(q, p)| q.kl_terms_of_mean(p));
        let precisions = self.precisions().zip(before.precisions());
        let of_precisions = precisions.flat_map(|(q, p)| q.kl_terms(p));
        let terms = of_weights.into_iter().chain(of_means).chain(of_precisions);
        terms.map(|term| -term).collect()
    }
    // ANCHOR_END: penalty

    /// What was believed before the data.
    fn at_first(&self) -> Result<Posterior> {
        Posterior::before(self.belief().clone(), self.component_count())
    }

    fn expect_shape(&self, k: usize, d: usize) -> Result<()> {
        if (k, d) == (self.component_count(), self.dimension()) {
            return Ok(());
        }
        let expected = format!(
            "for {} components in {} dimensions, as the posterior is",
            self.component_count(),
            self.dimension()
        );
        Err(Error::shape(
            "x and its responsibilities",
            expected,
            format!("for {k} in {d}"),
        ))
    }
}
