//! What [`Choose`](crate::Choose) found: a table, with a row for each model.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::inference::em::EmFit;
use crate::inference::held_out::HeldOut;
use crate::inference::vb::VbFit;
use crate::mixture::Covariance;
use crate::plot::{Chart, Colour};

/// What models are compared by. All are totals over the points, in natural logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Criterion {
    /// Akaike's, −2 ln p(X) + 2P for P parameters (Akaike 1974); smaller is better.
    Aic,
    /// Schwarz's, −2 ln p(X) + P ln N (Schwarz 1978); smaller is better.
    Bic,
    /// BIC − 2 Σₙ ln maxₖ rₙₖ (Biernacki, Celeux & Govaert 2000); smaller is better.
    Icl,
    /// The log likelihood of rows that the fit has not seen; larger is better.
    HeldOut,
    /// The evidence lower bound; larger is better.
    Elbo,
    /// The evidence lower bound and ln(K!/m!), the logarithm of the namings that it
    /// does not see
    /// ([`Posterior::log_relabellings`](crate::Posterior::log_relabellings)); larger
    /// is better.
    RelabelledElbo,
}

impl Criterion {
    /// In the order of the table's columns.
    const ALL: [Criterion; 6] = [
        Criterion::Aic,
        Criterion::Bic,
        Criterion::Icl,
        Criterion::HeldOut,
        Criterion::Elbo,
        Criterion::RelabelledElbo,
    ];

    /// Whether the best model has the smallest value; else it has the largest.
    pub fn smaller_is_better(self) -> bool {
        matches!(self, Criterion::Aic | Criterion::Bic | Criterion::Icl)
    }

    /// Whether `a` is better than `b`.
    fn prefers(self, a: f64, b: f64) -> bool {
        if self.smaller_is_better() { a < b } else { a > b }
    }
}

/// The heading of its column.
impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Criterion::Aic => "AIC",
            Criterion::Bic => "BIC",
            Criterion::Icl => "ICL",
            Criterion::HeldOut => "held-out",
            Criterion::Elbo => "ELBO",
            Criterion::RelabelledElbo => "+ ln(K!/m!)",
        })
    }
}

/// The mixture that EM found for one K and shape, and what it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fitted {
    /// How many numbers the mixture chooses freely.
    pub parameters: usize,
    /// ln p(X) = Σₙ wₙ ln p(xₙ), natural log, without any prior.
    pub log_likelihood: f64,
    /// See [`Criterion::Aic`].
    pub aic: f64,
    /// See [`Criterion::Bic`]; N is Σ wₙ.
    pub bic: f64,
    /// See [`Criterion::Icl`]; the sum is of wₙ ln maxₖ rₙₖ.
    pub icl: f64,
    /// The fit itself.
    pub fit: EmFit,
}

/// One row of the table: a number of components, a shape, and how well they do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Choice {
    /// K.
    pub components: usize,
    /// The shape of the covariances.
    pub covariance: Covariance,
    /// What EM found; or the error, if every restart collapsed or there are fewer
    /// points than components.
    pub outcome: Result<Fitted, Error>,
    /// The held-out likelihood; or the error of the first fold whose fit failed in
    /// this way. None if it was not asked for, or EM failed on all the rows.
    pub held_out: Option<Result<HeldOut, Error>>,
    /// What variational Bayes found, or that there are fewer points than components.
    /// None if it was not asked for.
    pub vb: Option<Result<VbFit, Error>>,
}

impl Choice {
    /// The criterion's value; none if it was not asked for, or its fit failed.
    pub fn value(&self, criterion: Criterion) -> Option<f64> {
        let fitted = || self.outcome.as_ref().ok();
        match criterion {
            Criterion::Aic => fitted().map(|fitted| fitted.aic),
            Criterion::Bic => fitted().map(|fitted| fitted.bic),
            Criterion::Icl => fitted().map(|fitted| fitted.icl),
            Criterion::HeldOut => self.held_out()?.ok().map(HeldOut::total),
            Criterion::Elbo => self.vb()?.ok().map(VbFit::elbo),
            Criterion::RelabelledElbo => {
                let fit = self.vb()?.ok()?;
                Some(fit.elbo() + fit.posterior.log_relabellings()?)
            }
        }
    }

    /// Why there is no value, in two words.
    fn fault(&self, criterion: Criterion) -> Option<&'static str> {
        let fault = match criterion {
            Criterion::HeldOut => self.held_out()?.err()?,
            Criterion::Elbo => self.vb()?.err()?,
            _ => return None,
        };
        Some(in_short(fault))
    }

    fn held_out(&self) -> Option<Result<&HeldOut, &Error>> {
        self.held_out.as_ref().map(Result::as_ref)
    }

    fn vb(&self) -> Option<Result<&VbFit, &Error>> {
        self.vb.as_ref().map(Result::as_ref)
    }

    fn shape(&self) -> String {
        self.covariance.to_string()
    }
}

/// A fit that fails in one of these ways costs a row, and not the table.
pub(super) fn costs_a_row(fault: &Error) -> bool {
    match fault {
        Error::Collapse { .. } | Error::Components { .. } => true,
        Error::Fold { fault, .. } => costs_a_row(fault),
        _ => false,
    }
}

fn in_short(fault: &Error) -> &'static str {
    match fault {
        Error::Collapse { .. } => "collapsed",
        Error::Components { .. } => "too few points",
        Error::Fold { fault, .. } => in_short(fault),
        _ => "failed",
    }
}

/// The rows that [`Choose::fit`](crate::Choose::fit) found: shape by shape, and K by
/// K.
///
/// It prints as a table, the best value of each criterion marked with a star. (The
/// log likelihood is not one: more parameters always raise it.)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    pub(super) rows: Vec<Choice>,
}

impl Choices {
    /// The rows, in the order of the table.
    pub fn rows(&self) -> &[Choice] {
        &self.rows
    }

    /// The row that is best by the criterion, the first of equals; none if it was not
    /// asked for, or all failed.
    pub fn best(&self, criterion: Criterion) -> Option<&Choice> {
        self.best_at(criterion).map(|i| &self.rows[i])
    }

    fn best_at(&self, criterion: Criterion) -> Option<usize> {
        let values = self.rows.iter().map(|row| row.value(criterion)).enumerate();
        let values = values.filter_map(|(i, value)| Some((i, value?)));
        values
            .filter(|(_, value)| !value.is_nan())
            .reduce(
                |best, next| {
                    if criterion.prefers(next.1, best.1) { next } else { best }
                },
            )
            .map(|(i, _)| i)
    }

    /// The criterion against K, from left to right, a line for each shape; rows
    /// without a value are left out. (With no value at all there is nothing to draw,
    /// which drawing reports.)
    pub fn chart(&self, criterion: Criterion) -> Chart<'static> {
        let better = if criterion.smaller_is_better() { "smaller" } else { "larger" };
        let name = match criterion {
            Criterion::HeldOut => "held-out log likelihood".to_string(),
            Criterion::RelabelledElbo => "ELBO + ln(K!/m!)".to_string(),
            other => other.to_string(),
        };
        let label = format!("{name} ({better} is better)");
        let mut chart = Chart::new("number of components K", label).whole_x();
        let mut shapes: Vec<Covariance> = Vec::new();
        for row in &self.rows {
            if !shapes.contains(&row.covariance) {
                shapes.push(row.covariance);
            }
        }
        for (i, &shape) in shapes.iter().enumerate() {
            let of_shape = self.rows.iter().filter(|row| row.covariance == shape);
            let mut points: Vec<(f64, f64)> = of_shape
                .filter_map(|row| {
                    Some((row.components as f64, row.value(criterion)?))
                })
                .filter(|(_, value)| value.is_finite())
                .collect();
            if points.is_empty() {
                continue;
            }
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let name = shape.to_string();
            let label = if shapes.len() > 1 { name.as_str() } else { "" };
            let colour = Colour::component(i);
            chart = chart.line(label, &points, colour).dots("", &points, colour);
        }
        chart
    }
}

/// A table, with the precision asked for (`{:.1}`; 2 if none is).
impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let fitted = |read: &dyn Fn(&Fitted) -> String| {
            let cell = |row: &Choice| match &row.outcome {
                Ok(fitted) => read(fitted),
                Err(_) => NOTHING.to_string(),
            };
            self.rows.iter().map(cell).collect::<Vec<_>>()
        };
        let column = |heading: &str, cells: Vec<String>| {
            std::iter::once(heading.to_string()).chain(cells).collect::<Vec<_>>()
        };
        let each = |cell: &dyn Fn(&Choice) -> String| {
            self.rows.iter().map(cell).collect::<Vec<_>>()
        };
        let log_likelihood = each(&|row| match &row.outcome {
            Ok(fitted) => format!("{:.digits$}", fitted.log_likelihood),
            Err(fault) => in_short(fault).to_string(),
        });
        let mut columns = vec![
            column("shape", each(&Choice::shape)),
            column("K", each(&|row| row.components.to_string())),
            column("parameters", fitted(&|fitted| fitted.parameters.to_string())),
            column("ln p(X)", log_likelihood),
        ];
        for criterion in Criterion::ALL {
            let asked = |row: &Choice| {
                row.value(criterion).is_some() || row.fault(criterion).is_some()
            };
            if !self.rows.iter().any(asked) {
                continue;
            }
            let best = self.best_at(criterion);
            let cell = |(i, row): (usize, &Choice)| {
                let mark = if Some(i) == best { '*' } else { ' ' };
                match row.value(criterion) {
                    Some(value) => format!("{value:.digits$}{mark}"),
                    None => format!("{} ", row.fault(criterion).unwrap_or(NOTHING)),
                }
            };
            let cells = self.rows.iter().enumerate().map(cell).collect();
            columns.push(column(&format!("{criterion} "), cells));
        }
        let width =
            |column: &Vec<String>| column.iter().map(|c| c.chars().count()).max();
        let widths: Vec<usize> = columns.iter().filter_map(width).collect();
        let lines: Vec<String> = (0..=self.rows.len())
            .map(|i| {
                let cells = columns.iter().zip(&widths).enumerate();
                let line: Vec<String> = cells
                    .map(|(j, (column, &width))| match j {
                        0 => format!("{:<width$}", column[i]),
                        _ => format!("{:>width$}", column[i]),
                    })
                    .collect();
                line.join("  ").trim_end().to_string()
            })
            .collect();
        f.write_str(&lines.join("\n"))
    }
}

/// A cell without a value.
const NOTHING: &str = "–";
