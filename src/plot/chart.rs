//! The chart: what is to be drawn, checked as it is added.

use std::borrow::Borrow;
use std::ops::Range;
use std::path::Path;

use nalgebra::DMatrixView;

use super::colour::{Colour, blend};
use super::geometry::Point;
use super::layer::{Dash, Key, Layer, Line, Marker};
use super::{Legend, output, page};
use crate::Error;

/// One set of axes with everything drawn on it, in the order in which it was added.
///
/// Bad input (a coordinate that is not finite, a wrong shape, a covariance that is not positive
/// definite) is remembered and reported by the call that draws, so that calls can be chained.
///
/// In every text `x_n` and `x_{10}` set a subscript and `10^3` a superscript; `\_` is a plain
/// underscore. A label that is empty makes no entry in the legend.
///
/// ```
/// use mixtures::plot::{Chart, Colour};
/// use nalgebra::{dmatrix, dvector};
///
/// let x = dmatrix![1.8, 54.0; 3.6, 79.0; 4.5, 85.0];
/// let (mean, covariance) = (dvector![3.3, 72.7], dmatrix![1.9, 21.0; 21.0, 271.0]);
/// let svg = Chart::new("eruption (min)", "waiting (min)")
///     .scatter(&x, Colour::Grey)
///     .ellipse(&mean, &covariance, 0.9, Colour::component(0))
///     .cross(&mean, Colour::component(0))
///     .to_svg()?;
/// assert!(svg.starts_with("<svg"));
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a chart is drawn by `save`"]
pub struct Chart<'a> {
    pub(super) x: AxisSpec,
    pub(super) y: AxisSpec,
    pub(super) heading: String,
    pub(super) equal: bool,
    pub(super) size: Option<(f64, f64)>,
    pub(super) legend: Legend,
    pub(super) layers: Vec<Layer<'a>>,
    pub(super) keys: Vec<(String, Key)>,
    /// The first thing found wrong.
    pub(super) problem: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct AxisSpec {
    pub label: String,
    pub range: Option<(f64, f64)>,
    pub log: bool,
    pub whole: bool,
}

impl<'a> Chart<'a> {
    /// An empty chart; the labels say what the axes show, with units.
    pub fn new(x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        let axis = |label| AxisSpec { label, range: None, log: false, whole: false };
        Chart {
            x: axis(x_label.into()),
            y: axis(y_label.into()),
            heading: String::new(),
            equal: false,
            size: None,
            legend: Legend::Auto,
            layers: Vec::new(),
            keys: Vec::new(),
            problem: None,
        }
    }

    /// Fixes the horizontal range, which otherwise follows from the data with a small margin.
    pub fn x_range(mut self, range: Range<f64>) -> Self {
        self.check_range("x_range", &range);
        self.x.range = Some((range.start, range.end));
        self
    }

    /// Fixes the vertical range.
    pub fn y_range(mut self, range: Range<f64>) -> Self {
        self.check_range("y_range", &range);
        self.y.range = Some((range.start, range.end));
        self
    }

    /// Makes a unit of x as long as a unit of y, so that a round Gaussian looks round.
    pub fn equal_aspect(mut self) -> Self {
        self.equal = true;
        self
    }

    /// A logarithmic horizontal axis.
    pub fn log_x(mut self) -> Self {
        self.x.log = true;
        self
    }

    /// A logarithmic vertical axis.
    pub fn log_y(mut self) -> Self {
        self.y.log = true;
        self
    }

    /// A small heading over the chart, as for the panels of a row.
    pub fn heading(mut self, heading: impl Into<String>) -> Self {
        self.heading = heading.into();
        self
    }

    /// The size of the whole figure in CSS pixels; text stays as it is. The default is 560 × 380.
    pub fn size(mut self, width: f64, height: f64) -> Self {
        if !(200.0..=2000.0).contains(&width) || !(160.0..=2000.0).contains(&height) {
            self.fail(format!(
                "a size of {width} × {height} is not between 200 × 160 and 2000 × 2000"
            ));
        }
        self.size = Some((width, height));
        self
    }

    /// Where the legend stands; by default where nothing is drawn.
    pub fn legend(mut self, place: Legend) -> Self {
        self.legend = place;
        self
    }

    /// The rows of `x` (N × 2) as dots.
    pub fn scatter<'m>(mut self, x: impl Into<DMatrixView<'m, f64>>, colour: Colour) -> Self {
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
            let points =
                points.iter().zip(labels).filter(|(_, l)| **l == k).map(|(p, _)| *p).collect();
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
        match (mean, super::layer::ellipse_axes(covariance.into(), mass)) {
            (Some(mean), Ok(factor)) => {
                let points = super::layer::ellipse(mean, factor);
                let line = Line {
                    colour,
                    dash: Dash::Solid,
                    width: Line::WIDTH,
                    alpha: 1.0,
                    closed: true,
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
        covariances: &[nalgebra::DMatrix<f64>],
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
            let colour = Colour::component(k);
            self =
                self.ellipse(&means.row(k), covariance, mass, colour).cross(&means.row(k), colour);
        }
        self
    }

    /// A cross at a mean (2 numbers, in a row or a column).
    pub fn cross<'m>(mut self, mean: impl Into<DMatrixView<'m, f64>>, colour: Colour) -> Self {
        if let Some(at) = self.pair("cross: the mean", mean.into()) {
            self.layers.push(Layer::Marks { points: vec![at], marker: Marker::Cross, colour });
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
            self.fail("contours: give at least one level, and only finite ones".to_owned());
        }
        self.layers.push(Layer::Contours {
            f: std::rc::Rc::new(f),
            levels: levels.to_vec(),
            colour,
        });
        self
    }

    /// A line through the points.
    pub fn line<I>(self, label: &str, points: I, colour: Colour) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<Point>,
    {
        self.path("line", label, points, colour, Dash::Solid)
    }

    /// A dashed line through the points.
    pub fn dashed<I>(self, label: &str, points: I, colour: Colour) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<Point>,
    {
        self.path("dashed", label, points, colour, Dash::Dashed)
    }

    /// A dotted line through the points.
    pub fn dotted<I>(self, label: &str, points: I, colour: Colour) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<Point>,
    {
        self.path("dotted", label, points, colour, Dash::Dotted)
    }

    /// A staircase: each point's height is kept until the next.
    pub fn steps<I>(mut self, label: &str, points: I, colour: Colour) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<Point>,
    {
        let Some(points) = self.points("steps", points) else {
            return self;
        };
        let corners = points.windows(2).flat_map(|p| [p[0], (p[1].0, p[0].1)]);
        let stairs: Vec<Point> = corners.chain(points.last().copied()).collect();
        self.path("steps", label, stairs, colour, Dash::Solid)
    }

    /// The values over their indices 0, 1, 2, …: the trace of a fit.
    pub fn trace<I>(mut self, label: &str, values: I, colour: Colour) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<f64>,
    {
        self.x.whole = true;
        let points: Vec<Point> =
            values.into_iter().enumerate().map(|(i, v)| (i as f64, *v.borrow())).collect();
        self.path("trace", label, points, colour, Dash::Solid)
    }

    /// Dots at the points.
    pub fn dots<I>(mut self, label: &str, points: I, colour: Colour) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<Point>,
    {
        if let Some(points) = self.points("dots", points) {
            self.layers.push(Layer::Marks { points, marker: Marker::Dot, colour });
            self.key(label, Key::Mark(Marker::Dot, colour));
        }
        self
    }

    /// The graph of `f` over the whole horizontal range.
    pub fn curve(mut self, label: &str, f: impl Fn(f64) -> f64 + 'a, colour: Colour) -> Self {
        let line = Line::new(colour, Dash::Solid);
        self.layers.push(Layer::Curve { f: std::rc::Rc::new(f), line });
        self.key(label, Key::Line(line));
        self
    }

    /// A histogram of the values in `bins` equal bins, as a density: its area is 1.
    pub fn histogram<I>(mut self, label: &str, values: I, bins: usize, colour: Colour) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<f64>,
    {
        let values: Vec<f64> = values.into_iter().map(|v| *v.borrow()).collect();
        match super::layer::histogram(&values, bins) {
            Ok(outline) => {
                self.layers.push(Layer::Area { outline, colour, outlined: true });
                self.key(label, Key::Area(colour));
            }
            Err(reason) => self.fail(reason),
        }
        self
    }

    /// The area between two curves, given as (x, low, high).
    pub fn band<I>(mut self, label: &str, points: I, colour: Colour) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<(f64, f64, f64)>,
    {
        let (mut low, mut high) = (Vec::new(), Vec::new());
        for point in points {
            let &(x, from, to) = point.borrow();
            low.push((x, from));
            high.push((x, to));
        }
        high.reverse();
        low.append(&mut high);
        if let Some(outline) = self.points("band", low) {
            self.layers.push(Layer::Area { outline, colour, outlined: false });
            self.key(label, Key::Area(colour));
        }
        self
    }

    /// A thin vertical line at `x`, with a label beside its top.
    pub fn vertical(mut self, x: f64, label: &str) -> Self {
        self.check_finite("vertical", x);
        self.layers.push(Layer::Rule { at: x, upright: true, label: label.to_owned() });
        self
    }

    /// A thin horizontal line at `y`, with a label over its right end.
    pub fn horizontal(mut self, y: f64, label: &str) -> Self {
        self.check_finite("horizontal", y);
        self.layers.push(Layer::Rule { at: y, upright: false, label: label.to_owned() });
        self
    }

    /// A text centred on a point.
    pub fn text(mut self, x: f64, y: f64, text: &str) -> Self {
        self.check_finite("text", x);
        self.check_finite("text", y);
        self.layers.push(Layer::Text { at: (x, y), text: text.to_owned() });
        self
    }

    /// Writes `<name>.svg` into the folder named by the environment variable `MIXTURES_FIGURES` or,
    /// where that is not set, into the book's own `book/figures`.
    ///
    /// # Errors
    /// If something added to the chart was bad, nothing was added, `name` is no plain file name, or
    /// the file cannot be written.
    pub fn save(&self, name: &str) -> Result<(), Error> {
        super::save_row(name, std::slice::from_ref(self))
    }

    /// Writes `<name>.svg` into `folder`, which is made if need be.
    ///
    /// # Errors
    /// As [`Chart::save`].
    pub fn save_in(&self, folder: impl AsRef<Path>, name: &str) -> Result<(), Error> {
        output::write(folder.as_ref(), name, page::draw(std::slice::from_ref(self), 1))
    }

    /// The figure itself.
    ///
    /// # Errors
    /// If something added to the chart was bad, or nothing was added.
    pub fn to_svg(&self) -> Result<String, Error> {
        output::unnamed(page::draw(std::slice::from_ref(self), 1))
    }

    fn path<I>(mut self, call: &str, label: &str, points: I, colour: Colour, dash: Dash) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<Point>,
    {
        let line = Line::new(colour, dash);
        if let Some(points) = self.points(call, points) {
            self.layers.push(Layer::Path { points, line });
            self.key(label, Key::Line(line));
        }
        self
    }

    fn key(&mut self, label: &str, key: Key) {
        if !label.is_empty() {
            self.keys.push((label.to_owned(), key));
        }
    }

    fn fail(&mut self, reason: String) {
        self.problem.get_or_insert(reason);
    }

    fn check_finite(&mut self, call: &str, value: f64) {
        if !value.is_finite() {
            self.fail(format!("{call}: {value} is not finite"));
        }
    }

    fn check_range(&mut self, call: &str, range: &Range<f64>) {
        let span = range.end - range.start;
        if !(span.is_finite() && span > 0.0) {
            self.fail(format!("{call}: {}..{} must be finite and rise", range.start, range.end));
        }
    }

    fn points<I>(&mut self, call: &str, points: I) -> Option<Vec<Point>>
    where
        I: IntoIterator,
        I::Item: Borrow<Point>,
    {
        let points: Vec<Point> = points.into_iter().map(|p| *p.borrow()).collect();
        if points.is_empty() {
            self.fail(format!("{call}: there are no points"));
            return None;
        }
        if let Some(n) = points.iter().position(|(x, y)| !x.is_finite() || !y.is_finite()) {
            self.fail(format!(
                "{call}: point {n} is {:?}; leave out what is not finite",
                points[n]
            ));
            return None;
        }
        Some(points)
    }

    fn rows(&mut self, call: &str, x: DMatrixView<'_, f64>) -> Option<Vec<Point>> {
        if x.ncols() != 2 {
            self.fail(format!("{call}: x has {} columns; choose the two to show", x.ncols()));
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
