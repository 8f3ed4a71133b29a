//! The chart: what is to be drawn, checked as it is added.

mod points;
mod series;

use std::ops::Range;
use std::path::Path;

use super::axis::Scale;
use super::layer::{Dash, Key, Layer};
use super::{Legend, output, page};
use crate::Error;

/// One set of axes with everything drawn on it, in the order in which it was added.
///
/// Bad input (a coordinate that is not finite, a wrong shape, a covariance that is not positive
/// definite) is remembered and reported by the call that draws, so that calls can be chained.
///
/// In every text `x_n` and `x_{10}` set a subscript, `10^3` a superscript, and `**x**_n` a bold x;
/// `\_` is a plain underscore. A label that is empty makes no entry in the legend.
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
    /// The legend: labels, and the layers that they name.
    keys: Vec<(String, usize)>,
    /// The first thing found wrong.
    pub(super) problem: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct AxisSpec {
    pub label: String,
    pub range: Option<(f64, f64)>,
    pub scale: Scale,
    pub whole: bool,
}

impl<'a> Chart<'a> {
    /// An empty chart; the labels say what the axes show, with units.
    pub fn new(x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        let axis = |label| AxisSpec {
            label,
            range: None,
            scale: Scale::Linear,
            whole: false,
        };
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

    /// Ticks of the horizontal axis at whole numbers only.
    pub fn whole_x(mut self) -> Self {
        self.x.whole = true;
        self
    }

    /// A logarithmic horizontal axis.
    pub fn log_x(mut self) -> Self {
        self.x.scale = Scale::Log;
        self
    }

    /// A logarithmic vertical axis.
    pub fn log_y(mut self) -> Self {
        self.y.scale = Scale::Log;
        self
    }

    /// A vertical axis that is logarithmic on both sides of zero, and linear within `near` of it.
    pub fn signed_log_y(mut self, near: f64) -> Self {
        if !(near.is_finite() && near > 0.0) {
            let problem = format!("signed_log_y: {near} is not a positive distance");
            self.problem.get_or_insert(problem);
            return self;
        }
        self.y.scale = Scale::Signed(near);
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

    /// Enters what was added last into the legend: for the calls that take no label.
    pub fn with_label(mut self, label: &str) -> Self {
        if self.layers.last().and_then(Layer::key).is_some() {
            self.key(label);
        } else {
            self.fail(format!(
                "with_label: nothing before `{label}` can stand in a legend"
            ));
        }
        self
    }

    /// Dashes the line that was added last: an ellipse, a curve, contours.
    pub fn with_dashes(mut self) -> Self {
        match self.layers.last_mut().and_then(Layer::line_mut) {
            Some(line) => line.dash = Dash::Dashed,
            None => self
                .fail("with_dashes: there is no line before it to dash".to_owned()),
        }
        self
    }

    /// Thins the line that was added last, and parts it from nothing below it: for one of many
    /// ellipses that nearly coincide.
    pub fn with_thin_line(mut self) -> Self {
        match self.layers.last_mut().and_then(Layer::line_mut) {
            Some(line) => {
                line.halo = false;
                line.width = 1.0;
            }
            None => self.fail(
                "with_thin_line: there is no line before it to thin".to_owned(),
            ),
        }
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
        output::write(
            folder.as_ref(),
            name,
            page::draw(std::slice::from_ref(self), 1),
        )
    }

    /// The figure itself.
    ///
    /// # Errors
    /// If something added to the chart was bad, or nothing was added.
    pub fn to_svg(&self) -> Result<String, Error> {
        output::unnamed(page::draw(std::slice::from_ref(self), 1))
    }

    /// Enters the last layer into the legend.
    fn key(&mut self, label: &str) {
        if let (false, Some(last)) =
            (label.is_empty(), self.layers.len().checked_sub(1))
        {
            self.keys.push((label.to_owned(), last));
        }
    }

    /// The entries of the legend.
    pub(super) fn entries(&self) -> Vec<(String, Key)> {
        let entry = |(label, layer): &(String, usize)| {
            Some((label.clone(), self.layers[*layer].key()?))
        };
        self.keys.iter().filter_map(entry).collect()
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
            self.fail(format!(
                "{call}: {}..{} must be finite and rise",
                range.start, range.end
            ));
        }
    }
}
