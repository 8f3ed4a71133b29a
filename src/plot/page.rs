//! The layout: sizes, margins, axes, headings; one chart or several on a page.

use plotters_backend::text_anchor::{HPos, VPos};

use super::axis::{Axis, Scale, Tick};
use super::chart::Chart;
use super::geometry::{self, Frame, Spot, px, snap};
use super::layer::Key;
use super::shape::{self, Face, Shape};
use super::{Legend, legend, render, text};

/// Widths of a whole figure with 1, 2 and more columns: as laid out, with text in its own size, and
/// as shown, in CSS pixels. At 360 pixels, on a phone, labels are at least 8 pixels high: 14 units
/// of 630.
const WIDTHS: [(f64, f64); 3] = [(560.0, 560.0), (600.0, 660.0), (620.0, 750.0)];
const GUTTER: f64 = 24.0;
const LINE: f64 = 22.0;

/// Space around the plot proper, in units of the figure.
#[derive(Clone, Copy, Debug)]
struct Margins {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// A chart whose axes and margins are settled, but not yet its height.
struct Panel<'c, 'a> {
    chart: &'c Chart<'a>,
    entries: Vec<(String, Key)>,
    x: Axis,
    y: Axis,
    width: f64,
    margins: Margins,
    /// Where the legend stands; while this is [`Legend::Auto`], the height has to settle first.
    legend: Legend,
}

/// The charts in rows of so many columns.
pub(super) fn draw(charts: &[Chart<'_>], columns: usize) -> Result<String, String> {
    if charts.is_empty() || columns == 0 {
        return Err("a figure needs at least one chart and one column".to_owned());
    }
    let columns = columns.min(charts.len());
    let (room, shown) = WIDTHS[columns.min(WIDTHS.len()) - 1];
    // A size of one's own is meant in CSS pixels.
    let sized = charts.iter().any(|chart| chart.size.is_some());
    let zoom = if sized { 1.0 } else { shown / room };
    let mut shapes = Vec::new();
    let mut top = 0.0;
    let mut full_width: f64 = 0.0;
    for row in charts.chunks(columns) {
        let mut panels = Vec::new();
        for chart in row {
            let free = room - GUTTER * (columns - 1) as f64;
            let width = chart.size.map_or(free / columns as f64, |(width, _)| width);
            panels.push(Panel::new(chart, width)?);
        }
        let (head, inner, foot) = settle(&mut panels)?;
        let mut left = 0.0;
        for panel in panels {
            shapes.extend(panel.draw(left, top, inner)?);
            left += panel.width + GUTTER;
        }
        full_width = full_width.max(left - GUTTER);
        top += head + inner + foot + GUTTER / 2.0;
    }
    Ok(shape::draw((px(full_width), px(top - GUTTER / 2.0)), zoom, &shapes))
}

/// Makes the panels of a row equally high and finds a place for each legend; returns the heights
/// above, of, and below the plots proper.
fn settle(panels: &mut [Panel<'_, '_>]) -> Result<(f64, f64, f64), String> {
    loop {
        let margin = |side: fn(&Margins) -> f64| {
            panels.iter().map(|p| side(&p.margins)).fold(0.0, f64::max)
        };
        let (head, foot) = (margin(|m| m.top), margin(|m| m.bottom));
        let inner =
            panels.iter().map(|p| p.inner_height(head + foot)).fold(0.0, f64::max);
        let mut corners = Vec::new();
        for panel in panels.iter_mut() {
            (panel.margins.top, panel.margins.bottom) = (head, foot);
            panel.fit_tick_labels(inner);
            corners.push(panel.place_legend(inner)?);
        }
        // A legend that finds no corner changes the heights, and so the corners of the others. It
        // stays above the plot for good, so that this ends.
        let moved = |(panel, corner): (&Panel<'_, '_>, &Legend)| {
            panel.legend != Legend::Above && *corner == Legend::Above
        };
        if !panels.iter().zip(&corners).any(moved) {
            for (panel, corner) in panels.iter_mut().zip(corners) {
                panel.legend = corner;
            }
            return Ok((head, inner, foot));
        }
        for (panel, corner) in panels.iter_mut().zip(corners) {
            if corner == Legend::Above {
                panel.legend = corner;
            }
            panel.measure(inner);
        }
    }
}

impl<'c, 'a> Panel<'c, 'a> {
    fn new(chart: &'c Chart<'a>, width: f64) -> Result<Self, String> {
        if let Some(problem) = &chart.problem {
            return Err(problem.clone());
        }
        let linear = chart.x.scale == Scale::Linear && chart.y.scale == Scale::Linear;
        if chart.equal && !linear {
            return Err(
                "equal_aspect: a logarithmic axis has no unit to compare".to_owned()
            );
        }
        let (x, y) = render::axes(chart)?;
        let mut panel = Panel {
            chart,
            entries: chart.entries(),
            x,
            y,
            width,
            margins: Margins { left: 0.0, right: 14.0, top: 0.0, bottom: 0.0 },
            legend: chart.legend,
        };
        if panel.entries.is_empty() {
            panel.legend = Legend::Hidden;
        }
        panel.measure(240.0);
        Ok(panel)
    }

    /// The place of the legend in a plot of this height, whose margins are settled.
    fn place_legend(&self, height: f64) -> Result<Legend, String> {
        if self.legend != Legend::Auto {
            return Ok(self.legend);
        }
        // Where the panel stands on the page shifts all alike.
        let frame = self.frame(0.0, 0.0, height);
        let drawn = render::shapes(self.chart, &frame)?;
        Ok(legend::free_corner(&self.entries, &frame, &drawn)
            .unwrap_or(Legend::Above))
    }

    /// Sets the margins for a plot of about this height.
    fn measure(&mut self, height: f64) {
        self.fit_tick_labels(height);
        let given = |text: &str| if text.is_empty() { 0.0 } else { LINE };
        let inner = self.inner_width();
        let legend = match self.legend {
            Legend::Above => legend::height_above(&self.entries, inner),
            _ => 0.0,
        };
        self.margins.top =
            8.0 + given(&self.chart.heading) + given(&self.chart.y.label) + legend;
        self.margins.bottom = 24.0 + given(&self.chart.x.label);
    }

    /// Makes room for the labels that a plot of this height has at its left.
    fn fit_tick_labels(&mut self, height: f64) {
        // With equal units the margin bears on the range and so on the labels: the second round
        // sees what the first has changed.
        for _ in 0..2 {
            let ticks = self.frame(0.0, 0.0, height).y.ticks(wanted_y(height));
            let widths =
                ticks.iter().map(|t| text::width(&t.label, Face::Tick.size()));
            self.margins.left = widths.fold(0.0, f64::max) + 10.0;
        }
    }

    fn inner_width(&self) -> f64 {
        (self.width - self.margins.left - self.margins.right).max(60.0)
    }

    /// The height the plot proper would like.
    fn inner_height(&self, around: f64) -> f64 {
        if let Some((_, height)) = self.chart.size {
            return (height - around).max(60.0);
        }
        let width = self.inner_width();
        if self.chart.equal {
            let natural = width * (self.y.hi - self.y.lo) / (self.x.hi - self.x.lo);
            return natural.clamp(0.5 * width, (1.05 * width).min(420.0));
        }
        if self.width > 400.0 { 380.0 - around } else { (0.82 * width).max(150.0) }
    }

    /// The frame at a place on the page, with equal units if wanted, and the final axes.
    fn frame(&self, left: f64, top: f64, height: f64) -> Frame {
        let (mut x, mut y) = (self.x, self.y);
        let width = self.inner_width();
        if self.chart.equal {
            // Widen the range of the axis that has room to spare.
            let unit = ((x.hi - x.lo) / width).max((y.hi - y.lo) / height);
            for (axis, length) in [(&mut x, width), (&mut y, height)] {
                let spare = unit * length - (axis.hi - axis.lo);
                axis.lo -= 0.5 * spare;
                axis.hi += 0.5 * spare;
            }
        }
        Frame {
            left: px(left + self.margins.left),
            top: px(top + self.margins.top),
            right: px(left + self.margins.left + width),
            bottom: px(top + self.margins.top + height),
            x,
            y,
        }
    }

    fn draw(&self, left: f64, top: f64, height: f64) -> Result<Vec<Shape>, String> {
        let frame = self.frame(left, top, height);
        let drawn = render::shapes(self.chart, &frame)?;
        let keys = &self.entries;
        let width = self.inner_width();
        let (key, boxed) = match self.legend {
            Legend::Hidden => (Vec::new(), None),
            Legend::Above => {
                let height = legend::height_above(keys, width);
                let at = (frame.left, frame.top - px(height));
                (legend::above(keys, at, width), None)
            }
            corner => (
                legend::in_corner(keys, &frame, corner),
                Some(legend::region(keys, &frame, corner)),
            ),
        };
        let captions = drawn.iter().filter_map(Shape::text_box);
        let gaps: Vec<_> = boxed.into_iter().chain(captions).collect();
        let mut shapes = self.axes(&frame, height, &gaps);
        shapes.extend(drawn);
        shapes.extend(key);
        let mut line = px(top + 4.0);
        for (text, face) in
            [(&self.chart.heading, Face::Heading), (&self.chart.y.label, Face::Label)]
        {
            if !text.is_empty() {
                // Over the tick labels: a label on its side is hard to read.
                let x = px(left + 2.0);
                shapes.push(Shape::text(
                    (x, line),
                    text,
                    face,
                    HPos::Left,
                    VPos::Top,
                ));
                line += px(LINE);
            }
        }
        Ok(shapes)
    }

    /// The grid, interrupted behind these boxes, the ticks' labels and the label of the x axis.
    fn axes(&self, frame: &Frame, height: f64, gaps: &[(Spot, Spot)]) -> Vec<Shape> {
        let outside = |from, to| {
            geometry::outside(from, to, gaps)
                .into_iter()
                .map(|(from, to)| Shape::hairline(from, to, 0.13))
        };
        let (mut lines, mut labels) = (Vec::new(), Vec::new());
        for tick in x_ticks(&frame.x, self.inner_width()) {
            let x = snap(frame.place_x(tick.at));
            lines.extend(outside((x, frame.top), (x, frame.bottom)));
            labels.push(Shape::text(
                (x, frame.bottom + px(7.0)),
                &tick.label,
                Face::Tick,
                HPos::Center,
                VPos::Top,
            ));
        }
        for tick in frame.y.ticks(wanted_y(height)) {
            let y = snap(frame.place_y(tick.at));
            lines.extend(outside((frame.left, y), (frame.right, y)));
            labels.push(Shape::text(
                (frame.left - px(7.0), y),
                &tick.label,
                Face::Tick,
                HPos::Right,
                VPos::Center,
            ));
        }
        lines.push(Shape::hairline(
            (frame.left, frame.bottom),
            (frame.right, frame.bottom),
            0.6,
        ));
        if !self.chart.x.label.is_empty() {
            let at = ((frame.left + frame.right) / 2, frame.bottom + px(28.0));
            labels.push(Shape::text(
                at,
                &self.chart.x.label,
                Face::Label,
                HPos::Center,
                VPos::Top,
            ));
        }
        lines.append(&mut labels);
        lines
    }
}

fn wanted_y(height: f64) -> usize {
    (height / 50.0) as usize
}

/// As many ticks as have room for their labels.
fn x_ticks(axis: &Axis, width: f64) -> Vec<Tick> {
    let mut wanted = (width / 85.0).max(3.0) as usize;
    loop {
        let ticks = axis.ticks(wanted);
        let taken: f64 = ticks
            .iter()
            .map(|t| text::width(&t.label, Face::Tick.size()) + 14.0)
            .sum();
        if taken <= width || wanted <= 2 {
            return ticks;
        }
        wanted -= 1;
    }
}
