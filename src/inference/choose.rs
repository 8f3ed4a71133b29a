//! Choosing the number of components and the shape of their covariances.

use nalgebra::{DMatrixView, DVectorView};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::inference::choices::{Choice, Choices, Fitted, costs_a_row};
use crate::inference::em::{Em, EmFit};
use crate::inference::vb::Vb;
use crate::kernel::Points;
use crate::mixture::Covariance;
use crate::{Error, Result};

/// A table has at most so many K.
const MOST: usize = 1000;

/// Compares mixtures of different numbers of components and shapes: AIC, BIC and ICL
/// of each and, if asked for, its held-out likelihood and the bound of variational
/// Bayes. Made by [`choose`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use = "nothing is fitted before `fit` is called"]
pub struct Choose {
    components: Vec<usize>,
    shapes: Vec<Covariance>,
    em: Em,
    vb: Option<Vb>,
    folds: Option<usize>,
}

/// A comparison of mixtures of so many `components` each, in each of these `shapes`.
///
/// ```
/// use mixtures::{Covariance, Criterion, Em, choose, data};
///
/// let choices = choose(1..=3, &[Covariance::Full])
///     .em(Em::new(1).restarts(5).seed(7))
///     .folds(5)
///     .fit(&data::faithful())?;
/// println!("{choices}");
/// let best = choices.best(Criterion::Bic).expect("not all of them collapsed");
/// assert_eq!(best.components, 2);
/// assert_eq!(best.outcome.as_ref().map(|fitted| fitted.parameters), Ok(11));
/// let chart = choices.chart(Criterion::HeldOut);
/// assert!(chart.to_svg()?.contains("larger is better"));
/// # Ok::<(), mixtures::Error>(())
/// ```
pub fn choose(
    components: impl IntoIterator<Item = usize>,
    shapes: &[Covariance],
) -> Choose {
    Choose {
        components: components.into_iter().take(MOST + 1).collect(),
        shapes: shapes.to_vec(),
        em: Em::new(1).restarts(10),
        vb: None,
        folds: None,
    }
}

impl Choose {
    /// How each mixture is fitted; its K and shape are set for each row. The default
    /// is `Em::new(1).restarts(10)`. With a prior, the rows hold the likelihood
    /// without it.
    pub fn em(mut self, em: Em) -> Self {
        self.em = em;
        self
    }

    /// Fits each also by variational Bayes with these options, whose K and shape are
    /// set for each row: for the bound, and the bound plus ln(K!/m!).
    pub fn vb(mut self, vb: Vb) -> Self {
        self.vb = Some(vb);
        self
    }

    /// Adds the held-out log likelihood by so many folds ([`Em::cross_validate`]).
    pub fn folds(mut self, folds: usize) -> Self {
        self.folds = Some(folds);
        self
    }

    /// Fits the rows of `x` (N×D) by every model.
    ///
    /// # Errors
    /// If there is no K or no shape, one stands twice, or a K is 0; else as
    /// [`Em::fit`], [`Vb::fit`] and [`Em::cross_validate`], but for a model that
    /// collapses in every restart or has more components than there are points: its
    /// row holds the error.
    pub fn fit<'a>(&self, x: impl Into<DMatrixView<'a, f64>>) -> Result<Choices> {
        self.fit_points(&Points::new(x.into(), None)?)
    }

    /// Fits the rows of `x` (N×D), each counted `weights[n]` times (length N).
    ///
    /// # Errors
    /// As [`Choose::fit`]; also if a weight is negative or not finite, or if their
    /// sum is not between 1e-100 and 1e20.
    pub fn fit_weighted<'a>(
        &self,
        x: impl Into<DMatrixView<'a, f64>>,
        weights: impl Into<DVectorView<'a, f64>>,
    ) -> Result<Choices> {
        self.fit_points(&Points::new(x.into(), Some(weights.into()))?)
    }

    fn fit_points(&self, points: &Points) -> Result<Choices> {
        self.check()?;
        let ks = || self.components.iter().copied();
        let models: Vec<(Covariance, usize)> = self
            .shapes
            .iter()
            .flat_map(|&shape| ks().map(move |k| (shape, k)))
            .collect();
        let rows: Vec<Result<Choice>> = models
            .into_par_iter()
            .map(|(shape, k)| self.row(k, shape, points))
            .collect();
        Ok(Choices { rows: rows.into_iter().collect::<Result<_>>()? })
    }

    fn row(&self, k: usize, shape: Covariance, points: &Points) -> Result<Choice> {
        let mut em = self.em.clone().covariance(shape);
        em.components = k;
        let outcome = in_row(
            em.fit_points(points.clone()).and_then(|fit| Fitted::new(fit, points)),
        )?;
        let held_out = match self.folds {
            Some(folds) if outcome.is_ok() => {
                Some(in_row(em.hold_out(points, folds))?)
            }
            _ => None,
        };
        let vb = match &self.vb {
            Some(vb) => {
                let mut vb = vb.clone().covariance(shape);
                vb.components = k;
                Some(in_row(vb.fit_points(points.clone()))?)
            }
            None => None,
        };
        Ok(Choice { components: k, covariance: shape, outcome, held_out, vb })
    }

    fn check(&self) -> Result<()> {
        let ks = &self.components;
        let fault = |what: &str, value: String, reason: &str| {
            Err(Error::option(what, value, reason))
        };
        if ks.is_empty() || self.shapes.is_empty() {
            let what = if ks.is_empty() { "components" } else { "shapes" };
            return fault(what, "none".into(), "there must be one to choose");
        }
        if ks.len() > MOST {
            let value = format!("more than {MOST}");
            return fault("components", value, "choose from fewer");
        }
        if ks.contains(&0) {
            return fault("components", "0".into(), "a mixture has at least one");
        }
        if let Some(k) = twice(ks) {
            return fault("components", format!("{k}, twice"), "name each once");
        }
        if let Some(shape) = twice(&self.shapes) {
            return fault("shapes", format!("{shape}, twice"), "name each once");
        }
        Ok(())
    }
}

impl Fitted {
    fn new(fit: EmFit, points: &Points) -> Result<Self> {
        let (mixture, log_likelihood) = (&fit.mixture, fit.log_likelihood());
        let bic = mixture.criterion(log_likelihood, points.total.ln());
        let sureness = mixture.sureness(points.x, |n| points.weight(n))?;
        Ok(Fitted {
            parameters: mixture.parameter_count(),
            log_likelihood,
            aic: mixture.criterion(log_likelihood, 2.0),
            bic,
            icl: bic - 2.0 * sureness,
            fit,
        })
    }
}

/// Keeps an error that costs one row in it, and passes others on.
fn in_row<T>(result: Result<T>) -> Result<Result<T, Error>> {
    match result {
        Err(fault) if !costs_a_row(&fault) => Err(fault),
        other => Ok(other),
    }
}

/// The first that stands twice.
fn twice<T: PartialEq + Copy>(list: &[T]) -> Option<T> {
    (1..list.len()).find(|&i| list[..i].contains(&list[i])).map(|i| list[i])
}
