//! Points of the plane and what describes them: scatters, ellipses, contours.

use std::rc::Rc;

use nalgebra::{DMatrix, DMatrixView};

use super::Chart;
use crate::plot::colour::{Colour, blend};
use crate::plot::geometry::Point;
use crate::plot::layer::{self, Dash, Layer, Line, Marker};

impl<'a> Chart<'a> {
    /// The rows of `x` (N × 2) as dots.
    pub fn scatter<'m>(
        mut self,
        x: impl Into<DMatrixView<'m, f64>>,
        colour: Colour,
    ) -> Self {
        if let Some(points) = self.rows("scatter", x.into()) {
            self.layers.push(Layer::Marks { points, marker: Marker::Dot, colour });
        }
        self
    }

    /// The rows of `x`, each in the colour and with the mark of its component.
    pub fn scatter_by_label<'m>(
        mut self,
        x: impl Into<DMatrixView<'m, f64>>,
        labels: &[usize],
    ) -> Self {
        let Some(points) = self.rows("scatter_by_label", x.into()) else {
            return self;
        };
        if labels.len() != points.len() {
            self.fail(format!(
                "scatter_by_label: {} labels for {} points",
                labels.len(),
                points.len()
            ));
            return self;
        }
        let mut present = labels.to_vec();
        present.sort_unstable();
        present.dedup();
        for k in present {
            let points = points
                .iter()
                .zip(labels)
                .filter(|(_, l)| **l == k)
                .map(|(p, _)| *p)
                .collect();
            self.layers.push(Layer::Marks {
                points,
                marker: Marker::of(k),
                colour: Colour::component(k),
            });
        }
        self
    }

    /// The rows of `x`, each in a blend of the components' colours: row n of `r` (N × K) says how
    /// much of each.
    pub fn scatter_by_responsibility<'m, 'r>(
        mut self,
        x: impl Into<DMatrixView<'m, f64>>,
        r: impl Into<DMatrixView<'r, f64>>,
    ) -> Self {
        let r = r.into();
        let Some(points) = self.rows("scatter_by_responsibility", x.into()) else {
            return self;
        };
        if r.nrows() != points.len() || r.ncols() == 0 {
            let (rows, columns) = r.shape();
            self.fail(format!(
                "scatter_by_responsibility: r is {rows} × {columns} for {} points; it needs one row per point",
                points.len()
            ));
            return self;
        }
        for (n, row) in r.row_iter().enumerate() {
            let weights = row.iter().all(|w| (-1e-9..=1.0 + 1e-9).contains(w));
            if !weights || (row.sum() - 1.0).abs() > 1e-6 {
                self.fail(format!("scatter_by_responsibility: row {n} of r is not a distribution: its entries must be ≥ 0 and sum to 1"));
                return self;
            }
        }
        let tints = r.row_iter().map(|row| blend(row.iter().copied()));
        let marks = points.into_iter().zip(tints).collect();
        self.layers.push(Layer::Tinted { marks });
        self
    }

    /// The boundary of the set that holds `mass` of a Gaussian with this mean (2 numbers, in a row
    /// or a column) and covariance (2 × 2): squared Mahalanobis distance −2 ln(1 − mass).
    pub fn ellipse<'m, 'c>(
        mut self,
        mean: impl Into<DMatrixView<'m, f64>>,
        covariance: impl Into<DMatrixView<'c, f64>>,
        mass: f64,
        colour: Colour,
    ) -> Self {
        let mean = self.pair("ellipse: the mean", mean.into());
        match (mean, layer::ellipse_axes(covariance.into(), mass)) {
            (Some(mean), Ok(factor)) => {
                let points = layer::ellipse(mean, factor);
                let line = Line {
                    closed: true,
                    halo: true,
                    ..Line::new(colour, Dash::Solid)
                };
                self.layers.push(Layer::Path { points, line });
            }
            (_, Err(reason)) => self.fail(reason),
            (None, _) => {}
        }
        self
    }

    /// An ellipse and a cross for each component, in its colour: `means` is K × 2.
    pub fn components<'m>(
        mut self,
        means: impl Into<DMatrixView<'m, f64>>,
        covariances: &[DMatrix<f64>],
        mass: f64,
    ) -> Self {
        let means = means.into();
        if means.nrows() != covariances.len() {
            self.fail(format!(
                "components: {} means and {} covariances",
                means.nrows(),
                covariances.len()
            ));
            return self;
        }
        for (k, covariance) in covariances.iter().enumerate() {
            self =
                self.ellipse(&means.row(k), covariance, mass, Colour::component(k));
        }
        // Last, so that no ellipse passes over a cross.
        for k in 0..covariances.len() {
            self = self.cross(&means.row(k), Colour::component(k));
        }
        self
    }

    /// A cross at a mean (2 numbers, in a row or a column).
    pub fn cross<'m>(
        mut self,
        mean: impl Into<DMatrixView<'m, f64>>,
        colour: Colour,
    ) -> Self {
        if let Some(at) = self.pair("cross: the mean", mean.into()) {
            self.layers.push(Layer::Marks {
                points: vec![at],
                marker: Marker::Cross,
                colour,
            });
        }
        self
    }

    /// The lines on which `f` takes each of the levels.
    pub fn contours(
        mut self,
        f: impl Fn(f64, f64) -> f64 + 'a,
        levels: &[f64],
        colour: Colour,
    ) -> Self {
        if levels.is_empty() || levels.iter().any(|l| !l.is_finite()) {
            self.fail(
                "contours: give at least one level, and only finite ones".to_owned(),
            );
        }
        let line = Line { width: 1.25, ..Line::new(colour, Dash::Solid) };
        self.layers.push(Layer::Contours {
            f: Rc::new(f),
            levels: levels.to_vec(),
            line,
        });
        self
    }

    fn rows(&mut self, call: &str, x: DMatrixView<'_, f64>) -> Option<Vec<Point>> {
        if x.ncols() != 2 {
            self.fail(format!(
                "{call}: x has {} columns; choose the two to show",
                x.ncols()
            ));
            return None;
        }
        self.points(call, x.row_iter().map(|row| (row[0], row[1])))
    }

    fn pair(&mut self, what: &str, x: DMatrixView<'_, f64>) -> Option<Point> {
        if x.len() != 2 || x.iter().any(|v| !v.is_finite()) {
            self.fail(format!(
                "{what} must be 2 finite numbers, not {:?}",
                x.iter().collect::<Vec<_>>()
            ));
            return None;
        }
        Some((x[0], x[1]))
    }
}
