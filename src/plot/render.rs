//! From the layers of a chart, in data coordinates, to shapes inside a frame.

use plotters_backend::text_anchor::{HPos, VPos};

use super::axis::{Axis, Extent, Scale};
use super::chart::Chart;
use super::contour::Grid;
use super::geometry::{Frame, Point, px, snap, snapped};
use super::layer::{Dash, Layer, Line};
use super::shape::{Face, Shape};
use super::{Colour, colour, text};

/// Points on the graph of a function.
const SAMPLES: usize = 400;

/// Both axes: fixed ranges as given, the others from the data.
pub(super) fn axes(chart: &Chart<'_>) -> Result<(Axis, Axis), String> {
    if chart.layers.is_empty() {
        return Err(
            "there is nothing to draw; add a layer, such as `scatter` or `line`"
                .to_owned(),
        );
    }
    let x = axis(&chart.x, "x", |extent| {
        visit(chart, |(x, _), place| {
            if place.counts_x {
                extent.push(x, place.soft)
            }
        });
    })?;
    let mut failed = None;
    let y = axis(&chart.y, "y", |extent| {
        visit(chart, |(px, y), place| {
            let shown = chart.x.range.is_none()
                || !place.counts_x
                || (px >= x.lo && px <= x.hi);
            if place.counts_y && shown {
                extent.push(y, place.soft);
            }
        });
        for layer in &chart.layers {
            if let Layer::Curve { f, .. } = layer {
                match sample(f.as_ref(), &x) {
                    Ok(points) => points.iter().for_each(|p| extent.push(p.1, true)),
                    Err(reason) => failed = Some(reason),
                }
            }
        }
    });
    if let Some(reason) = failed {
        return Err(reason);
    }
    Ok((x, y?))
}

/// How a point bears on the ranges: `soft` points may lie off a logarithmic axis.
#[derive(Clone, Copy)]
struct Bearing {
    counts_x: bool,
    counts_y: bool,
    soft: bool,
}

fn visit(chart: &Chart<'_>, mut each: impl FnMut(Point, Bearing)) {
    let hard = Bearing { counts_x: true, counts_y: true, soft: false };
    for layer in &chart.layers {
        match layer {
            Layer::Marks { points, .. } | Layer::Path { points, .. } => {
                points.iter().for_each(|&p| each(p, hard))
            }
            Layer::Tinted { marks } => marks.iter().for_each(|&(p, _)| each(p, hard)),
            Layer::Area { outline, .. } => {
                outline.iter().for_each(|&p| each(p, Bearing { soft: true, ..hard }))
            }
            Layer::Text { at, .. } => each(*at, hard),
            Layer::Rule { at, upright, .. } => {
                each(
                    (*at, *at),
                    Bearing { counts_x: *upright, counts_y: !*upright, soft: false },
                );
            }
            Layer::Contours { .. } | Layer::Curve { .. } => {}
        }
    }
}

struct Collected {
    extent: Extent,
    scale: Scale,
    off_scale: Option<f64>,
}

impl Collected {
    fn push(&mut self, value: f64, soft: bool) {
        if !self.scale.holds(value) {
            if !soft {
                self.off_scale.get_or_insert(value);
            }
        } else {
            self.extent.include(value);
        }
    }
}

fn axis(
    spec: &super::chart::AxisSpec,
    name: &str,
    fill: impl FnOnce(&mut Collected),
) -> Result<Axis, String> {
    let mut collected =
        Collected { extent: Extent::EMPTY, scale: spec.scale, off_scale: None };
    fill(&mut collected);
    if let Some(value) = collected.off_scale {
        return Err(format!(
            "{name} = {value} has no place on a logarithmic axis; only positive values have"
        ));
    }
    let (lo, hi) = match spec.range {
        Some(range) => range,
        None if collected.extent.is_empty() => {
            return Err(format!(
                "nothing fixes the {name} axis; give its range with `{name}_range`"
            ));
        }
        None => {
            let extent = collected.extent.with_margin(spec.scale);
            (extent.lo, extent.hi)
        }
    };
    if !spec.scale.holds(lo) {
        return Err(format!(
            "{name}_range: {lo} is not positive, as a logarithmic axis needs"
        ));
    }
    // Beyond this, neighbouring positions on the axis have no different numbers, or no numbers.
    if !((hi - lo).is_finite()
        && hi - lo > 1e-12 * lo.abs().max(hi.abs())
        && hi - lo > 1e-290)
    {
        return Err(format!(
            "the {name} axis from {lo} to {hi} is too narrow or too wide to draw"
        ));
    }
    Ok(Axis { lo, hi, scale: spec.scale, whole: spec.whole })
}

fn sample(f: &dyn Fn(f64) -> f64, x: &Axis) -> Result<Vec<Point>, String> {
    (0..=SAMPLES)
        .map(|i| {
            let at = x.value(i as f64 / SAMPLES as f64);
            let value = f(at);
            if value.is_finite() {
                Ok((at, value))
            } else {
                Err(format!("curve: its value at {at} is {value}"))
            }
        })
        .collect()
}

/// Everything in the frame, bottom first.
pub(super) fn shapes(chart: &Chart<'_>, frame: &Frame) -> Result<Vec<Shape>, String> {
    let mut out = Vec::new();
    let mut captions = Vec::new();
    for layer in &chart.layers {
        match layer {
            Layer::Marks { points, marker, colour } => {
                let spots: Vec<_> =
                    points.iter().filter_map(|&p| frame.spot(p)).collect();
                out.extend(Shape::marks(&spots, *marker, *colour));
            }
            Layer::Tinted { marks } => {
                let marks: Vec<_> = marks
                    .iter()
                    .filter_map(|&(p, tint)| {
                        Some((colour::few(tint), frame.spot(p)?))
                    })
                    .collect();
                out.extend(Shape::tinted(&marks));
            }
            Layer::Path { points, line } => {
                path(frame, points.iter().copied(), *line, &mut out)
            }
            Layer::Curve { f, line } => path(
                frame,
                sample(f.as_ref(), &frame.x)?.into_iter(),
                *line,
                &mut out,
            ),
            Layer::Area { outline, colour, outlined } => {
                let placed: Vec<Point> =
                    outline.iter().map(|&p| frame.place(p)).collect();
                let cut = frame.clip_polygon(&placed);
                if cut.len() > 2 {
                    out.push(Shape::Fill {
                        outline: snapped(&cut),
                        fill: colour.with_alpha(0.22),
                    });
                }
                if *outlined {
                    let line = Line {
                        width: 1.0,
                        alpha: 0.55,
                        ..Line::new(*colour, Dash::Solid)
                    };
                    path(frame, outline.iter().copied(), line, &mut out);
                }
            }
            Layer::Contours { f, levels, line } => {
                contours(frame, f.as_ref(), levels, *line, &mut out)?
            }
            Layer::Rule { at, upright, label } => {
                rule(frame, *at, *upright, label, &mut out, &mut captions)
            }
            Layer::Text { at, text } => {
                let placed = frame.place(*at);
                if frame.holds(placed) {
                    let spot = (snap(placed.0), snap(placed.1));
                    captions.push(Shape::text(
                        spot,
                        text,
                        Face::Tick,
                        HPos::Center,
                        VPos::Center,
                    ));
                }
            }
        }
    }
    out.append(&mut captions);
    Ok(out)
}

fn path(
    frame: &Frame,
    points: impl Iterator<Item = Point>,
    line: Line,
    out: &mut Vec<Shape>,
) {
    let mut placed: Vec<Point> = points.map(|p| frame.place(p)).collect();
    let (pieces, line) = if placed.iter().all(|&p| frame.holds(p)) {
        (vec![snapped(&placed)], line)
    } else {
        if line.closed {
            placed.extend(placed.first().copied());
        }
        let pieces = frame.clip_line(&placed);
        let pieces = pieces.iter().map(|piece| snapped(piece)).collect();
        (pieces, Line { closed: false, ..line })
    };
    if line.halo {
        out.extend(pieces.iter().map(|p| Shape::halo(p.clone(), line, 1.0)));
    }
    out.extend(pieces.into_iter().map(|p| Shape::stroke(p, line)));
}

fn contours(
    frame: &Frame,
    f: &dyn Fn(f64, f64) -> f64,
    levels: &[f64],
    line: Line,
    out: &mut Vec<Shape>,
) -> Result<(), String> {
    let mut bad = None;
    let grid = Grid::sample(200, 150, |u, v| {
        let (x, y) = (frame.x.value(u), frame.y.value(v));
        let value = f(x, y);
        if value.is_nan() || value == f64::INFINITY {
            bad.get_or_insert(format!(
                "contours: the value at ({x}, {y}) is {value}"
            ));
        }
        // The log of a density may be −∞; a finite floor keeps the interpolation finite.
        value.max(-1e300)
    });
    if let Some(reason) = bad {
        return Err(reason);
    }
    let (width, height) =
        (f64::from(frame.right - frame.left), f64::from(frame.bottom - frame.top));
    for &level in levels {
        for points in grid.contour(level) {
            let closed = points.len() > 2 && points.first() == points.last();
            let count = points.len() - usize::from(closed);
            let placed: Vec<Point> = points[..count]
                .iter()
                .map(|&(u, v)| {
                    (
                        f64::from(frame.left) + u * width,
                        f64::from(frame.bottom) - v * height,
                    )
                })
                .collect();
            out.push(Shape::stroke(snapped(&placed), Line { closed, ..line }));
        }
    }
    Ok(())
}

fn rule(
    frame: &Frame,
    at: f64,
    upright: bool,
    label: &str,
    out: &mut Vec<Shape>,
    captions: &mut Vec<Shape>,
) {
    let line =
        Line { width: 1.25, alpha: 0.65, ..Line::new(Colour::Ink, Dash::Dashed) };
    let gap = px(5.0);
    if upright {
        let x = frame.place_x(at);
        if !frame.holds((x, f64::from(frame.top))) {
            return;
        }
        let x = snap(x);
        out.push(Shape::stroke(vec![(x, frame.bottom), (x, frame.top)], line));
        if !label.is_empty() {
            let width = px(text::width(label, Face::Tick.size()));
            let fits = x + gap + width <= frame.right;
            let (at, h) =
                if fits { (x + gap, HPos::Left) } else { (x - gap, HPos::Right) };
            captions.push(Shape::text(
                (at, frame.top + px(2.0)),
                label,
                Face::Tick,
                h,
                VPos::Top,
            ));
        }
    } else {
        let y = frame.place_y(at);
        if !frame.holds((f64::from(frame.left), y)) {
            return;
        }
        let y = snap(y);
        out.push(Shape::stroke(vec![(frame.left, y), (frame.right, y)], line));
        if !label.is_empty() {
            // Over the frame is room as well: only the label of the axis starts there, at the left.
            let above = y - px(18.0) >= frame.top - px(16.0);
            let (at, v) = if above {
                (y - px(2.0), VPos::Bottom)
            } else {
                (y + gap, VPos::Top)
            };
            captions.push(Shape::text(
                (frame.right, at),
                label,
                Face::Tick,
                HPos::Right,
                v,
            ));
        }
    }
}
