//! Series and functions of x: lines, traces, histograms, bands, and marks beside them.

use std::borrow::Borrow;
use std::rc::Rc;

use super::Chart;
use crate::plot::colour::Colour;
use crate::plot::geometry::Point;
use crate::plot::layer::{self, Dash, Layer, Line, Marker};

impl<'a> Chart<'a> {
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
        let points: Vec<Point> = values
            .into_iter()
            .enumerate()
            .map(|(i, v)| (i as f64, *v.borrow()))
            .collect();
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
            self.key(label);
        }
        self
    }

    /// The graph of `f` over the whole horizontal range.
    pub fn curve(
        mut self,
        label: &str,
        f: impl Fn(f64) -> f64 + 'a,
        colour: Colour,
    ) -> Self {
        let line = Line::new(colour, Dash::Solid);
        self.layers.push(Layer::Curve { f: Rc::new(f), line });
        self.key(label);
        self
    }

    /// A histogram of the values in `bins` equal bins, as a density: its area is 1.
    pub fn histogram<I>(
        mut self,
        label: &str,
        values: I,
        bins: usize,
        colour: Colour,
    ) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<f64>,
    {
        let values: Vec<f64> = values.into_iter().map(|v| *v.borrow()).collect();
        match layer::histogram(&values, bins) {
            Ok(outline) => {
                self.layers.push(Layer::Area { outline, colour, outlined: true });
                self.key(label);
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
            self.key(label);
        }
        self
    }

    /// A thin vertical line at `x`, with a label beside its top.
    pub fn vertical(mut self, x: f64, label: &str) -> Self {
        self.check_finite("vertical", x);
        self.layers.push(Layer::Rule {
            at: x,
            upright: true,
            label: label.to_owned(),
        });
        self
    }

    /// A thin horizontal line at `y`, with a label over its right end.
    pub fn horizontal(mut self, y: f64, label: &str) -> Self {
        self.check_finite("horizontal", y);
        self.layers.push(Layer::Rule {
            at: y,
            upright: false,
            label: label.to_owned(),
        });
        self
    }

    /// A text centred on a point.
    pub fn text(mut self, x: f64, y: f64, text: &str) -> Self {
        self.check_finite("text", x);
        self.check_finite("text", y);
        self.layers.push(Layer::Text { at: (x, y), text: text.to_owned() });
        self
    }

    fn path<I>(
        mut self,
        call: &str,
        label: &str,
        points: I,
        colour: Colour,
        dash: Dash,
    ) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<Point>,
    {
        let line = Line::new(colour, dash);
        if let Some(points) = self.points(call, points) {
            self.layers.push(Layer::Path { points, line });
            self.key(label);
        }
        self
    }

    pub(super) fn points<I>(&mut self, call: &str, points: I) -> Option<Vec<Point>>
    where
        I: IntoIterator,
        I::Item: Borrow<Point>,
    {
        let points: Vec<Point> = points.into_iter().map(|p| *p.borrow()).collect();
        if points.is_empty() {
            self.fail(format!("{call}: there are no points"));
            return None;
        }
        if let Some(n) =
            points.iter().position(|(x, y)| !x.is_finite() || !y.is_finite())
        {
            self.fail(format!(
                "{call}: point {n} is {:?}; leave out what is not finite",
                points[n]
            ));
            return None;
        }
        Some(points)
    }
}
