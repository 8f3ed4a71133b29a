//! What can be made of a mixture: its components in a fixed order, its marginals and conditionals.

use nalgebra::{DMatrix, DVector};

use super::GaussianMixture;
use crate::distribution::Gaussian;
use crate::math::log_sum_exp;
use crate::{Error, Result};

impl GaussianMixture {
    /// E x = Σₖ πₖ μₖ, length D.
    pub fn mean(&self) -> DVector<f64> {
        self.means().tr_mul(self.weights())
    }

    /// The same mixture with its components in an order of their own, so that two fits can be
    /// compared: by falling weight, and equal weights by rising means, coordinate by coordinate.
    pub fn sorted(&self) -> Self {
        let mut order: Vec<usize> = (0..self.component_count()).collect();
        order.sort_by(|&a, &b| {
            let by_mean = || {
                let (a, b) = (self.means().row(a), self.means().row(b));
                let differences = a.iter().zip(b.iter()).map(|(a, b)| a.total_cmp(b));
                differences
                    .fold(std::cmp::Ordering::Equal, |all, next| all.then(next))
            };
            self.weights()[b].total_cmp(&self.weights()[a]).then_with(by_mean)
        });
        let components =
            order.iter().map(|&k| self.components()[k].clone()).collect();
        let weights = DVector::from_fn(order.len(), |i, _| self.weights()[order[i]]);
        GaussianMixture::of(weights, components, self.shape())
    }

    /// The mixture of the chosen `columns` alone, in the order given (PRML 2.98).
    ///
    /// # Errors
    /// If there is no column, or one is out of range or named twice.
    pub fn marginal(&self, columns: &[usize]) -> Result<Self> {
        self.check_columns(columns)?;
        let part = |component: &Gaussian| {
            let sigma = component.structured_covariance().select(columns);
            Gaussian::named(
                component.mean().select_rows(columns),
                sigma,
                "a marginal covariance",
            )
        };
        let components = self.components().iter().map(part).collect::<Result<_>>()?;
        Ok(GaussianMixture::of(self.weights().clone(), components, self.shape()))
    }

    /// The mixture of the other columns, in their order, if the chosen `columns` have these
    /// `values` (as many): each component's conditional (PRML 2.81, 2.82), weighted by how well
    /// the component explains the values. Its [`GaussianMixture::mean`] is a regression.
    ///
    /// # Errors
    /// As [`GaussianMixture::marginal`]; also if no column is left, the numbers of columns and
    /// values differ, a value is not finite, or all components are out of reach.
    ///
    /// ```
    /// use mixtures::{Em, data, nalgebra::dvector};
    ///
    /// let fit = Em::new(2).restarts(10).seed(7).fit(&data::faithful())?;
    /// let wait = |eruption: f64| {
    ///     Ok::<f64, mixtures::Error>(fit.mixture.conditional(&[0], &dvector![eruption])?.mean()[0])
    /// };
    /// assert!((wait(2.0)? - 54.5).abs() < 1.0 && (wait(4.5)? - 81.0).abs() < 1.0); // minutes
    /// # Ok::<(), mixtures::Error>(())
    /// ```
    pub fn conditional(
        &self,
        columns: &[usize],
        values: &DVector<f64>,
    ) -> Result<Self> {
        let known = self.marginal(columns)?;
        let rest: Vec<usize> =
            (0..self.dimension()).filter(|j| !columns.contains(j)).collect();
        if rest.is_empty() {
            let reason = "a column must be left to have a distribution";
            return Err(Error::option("columns", format!("{columns:?}"), reason));
        }
        if values.len() != columns.len() {
            let expected = format!("of length {}, one a column", columns.len());
            let found = format!("of length {}", values.len());
            return Err(Error::shape("the vector of values", expected, found));
        }
        let row = DMatrix::from_row_slice(1, values.len(), values.as_slice());
        let scores: Vec<f64> = known
            .components()
            .iter()
            .zip(self.weights())
            .map(|(c, w)| Ok(w.ln() + c.log_density(&row)?[0]))
            .collect::<Result<_>>()?;
        let total = log_sum_exp(&scores);
        if !total.is_finite() {
            return Err(Error::OutOfReach { row: 0 });
        }
        let weights = DVector::from_iterator(
            scores.len(),
            scores.iter().map(|s| (s - total).exp()),
        );
        let components = self
            .components()
            .iter()
            .zip(known.components())
            .map(|(whole, known)| {
                let what = "a conditional covariance";
                let covariance = whole.structured_covariance();
                if covariance.is_diagonal() {
                    let mean = whole.mean().select_rows(&rest);
                    return Gaussian::named(mean, covariance.select(&rest), what);
                }
                let across =
                    whole.covariance().select_rows(columns).select_columns(&rest);
                let inside =
                    whole.covariance().select_rows(&rest).select_columns(&rest);
                // V = L⁻¹ Σ_ab, where Σ_aa = L Lᵀ
                let v = known.factor().whitener() * across;
                let shift = known.factor().whiten(&(values - known.mean()));
                let mean = whole.mean().select_rows(&rest) + v.tr_mul(&shift);
                Gaussian::named(mean, inside - v.tr_mul(&v), what)
            })
            .collect::<Result<_>>()?;
        Ok(GaussianMixture::of(&weights / weights.sum(), components, self.shape()))
    }

    fn check_columns(&self, columns: &[usize]) -> Result<()> {
        let d = self.dimension();
        let fault = |reason: &str| {
            Err(Error::option("columns", format!("{columns:?}"), reason))
        };
        if columns.is_empty() {
            return fault("choose at least one");
        }
        if columns.iter().any(|j| *j >= d) {
            return fault(&format!("there are columns 0 to {} only", d - 1));
        }
        if columns.iter().enumerate().any(|(i, j)| columns[..i].contains(j)) {
            return fault("each may be chosen once");
        }
        Ok(())
    }
}
