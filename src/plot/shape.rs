//! What a figure is made of, in backend units, and its drawing through plotters.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, Polygon, Text};
use plotters::style::{FontStyle, IntoFont, ShapeStyle, TextStyle};
use plotters_backend::BackendColor;
use plotters_backend::text_anchor::{HPos, Pos, VPos};

use super::Colour;
use super::geometry::{Spot, px, snap};
use super::layer::{Dash, Line, Marker};
use super::svg::{Crowd, Stroke, Svg};
use super::{crowd, text};

#[derive(Clone)]
pub(super) enum Shape {
    Dot {
        at: Spot,
        radius: i32,
        fill: BackendColor,
    },
    /// Dots that do not touch each other.
    Dots {
        at: Vec<Spot>,
        radius: i32,
        fill: BackendColor,
    },
    /// Copies of an outline, moved to places where they do not touch each other.
    Copies {
        at: Vec<Spot>,
        outline: Vec<Spot>,
        fill: BackendColor,
    },
    Fill {
        outline: Vec<Spot>,
        fill: BackendColor,
    },
    Stroke {
        points: Vec<Spot>,
        closed: bool,
        color: BackendColor,
        width: i32,
        dash: Dash,
    },
    Text {
        at: Spot,
        text: String,
        face: Face,
        h: HPos,
        v: VPos,
        color: BackendColor,
    },
}

/// The faces of text, with their sizes in units of the finished figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Face {
    Label,
    Tick,
    Heading,
    Maths,
}

impl Face {
    pub(super) fn size(self) -> f64 {
        match self {
            Face::Label => 15.0,
            Face::Tick => 14.0,
            Face::Heading => 15.0,
            Face::Maths => 18.0,
        }
    }
}

/// A dot's radius and the strength of its colour, such that crowds look darker.
const RADIUS: f64 = 2.6;
const DOT_ALPHA: f64 = 0.6;

/// The page's colour, white: in the dark theme the inversion turns it dark with everything else.
const PAGE: BackendColor = BackendColor { rgb: (255, 255, 255), alpha: 1.0 };

impl Shape {
    pub(super) fn stroke(points: Vec<Spot>, line: Line) -> Shape {
        Shape::Stroke {
            points,
            closed: line.closed,
            color: line.colour.with_alpha(line.alpha),
            width: px(line.width),
            dash: line.dash,
        }
    }

    /// What lies below a line that has to stand out from what it crosses.
    pub(super) fn halo(points: Vec<Spot>, line: Line, margin: f64) -> Shape {
        Shape::Stroke {
            points,
            closed: line.closed,
            color: PAGE,
            width: px(line.width + 2.0 * margin),
            dash: Dash::Solid,
        }
    }

    /// A thin line of ink.
    pub(super) fn hairline(from: Spot, to: Spot, alpha: f64) -> Shape {
        Shape::Stroke {
            points: vec![from, to],
            closed: false,
            color: Colour::Ink.with_alpha(alpha),
            width: 8,
            dash: Dash::Solid,
        }
    }

    pub(super) fn text(at: Spot, text: &str, face: Face, h: HPos, v: VPos) -> Shape {
        Shape::Text {
            at,
            text: text.to_owned(),
            face,
            h,
            v,
            color: Colour::Ink.with_alpha(1.0),
        }
    }

    /// Dots in colours of their own.
    pub(super) fn tinted(marks: &[((u8, u8, u8), Spot)]) -> Vec<Shape> {
        let radius = px(RADIUS);
        crowd::mixed_layers(marks, 2 * radius + 1)
            .into_iter()
            .map(|(rgb, at)| {
                let fill = BackendColor { rgb, alpha: 0.75 };
                Shape::Dots { at, radius, fill }
            })
            .collect()
    }

    /// The same mark at many points.
    pub(super) fn marks(at: &[Spot], marker: Marker, colour: Colour) -> Vec<Shape> {
        let fill = colour.with_alpha(DOT_ALPHA);
        let outline = match marker {
            Marker::Cross => {
                return at
                    .iter()
                    .flat_map(|&at| Shape::mark(at, marker, colour))
                    .collect();
            }
            Marker::Dot => Vec::new(),
            Marker::Shape(k) => outline(k),
        };
        let radius = px(RADIUS);
        let size = outline.iter().map(|(x, y)| snap(f64::from(x * x + y * y).sqrt()));
        let reach = 2 * size.max().unwrap_or(radius) + 2;
        crowd::layers(at, reach)
            .into_iter()
            .map(|at| match outline.is_empty() {
                true => Shape::Dots { at, radius, fill },
                false => Shape::Copies { at, outline: outline.clone(), fill },
            })
            .collect()
    }

    /// The mark at a point, as one shape or, for a cross, its two bars above their halos.
    pub(super) fn mark((x, y): Spot, marker: Marker, colour: Colour) -> Vec<Shape> {
        if marker != Marker::Cross {
            return Shape::marks(&[(x, y)], marker, colour);
        }
        let arm = px(6.0);
        let line = Line { width: 3.25, ..Line::new(colour, Dash::Solid) };
        let bars =
            [1, -1].map(|s| vec![(x - arm, y - s * arm), (x + arm, y + s * arm)]);
        let halo = |bar: &Vec<_>| Shape::halo(bar.clone(), line, 1.75);
        let mut shapes = bars.iter().map(halo).collect::<Vec<_>>();
        shapes.extend(bars.into_iter().map(|bar| Shape::stroke(bar, line)));
        shapes
    }

    /// The corners of the box around a text; nothing for other shapes.
    pub(super) fn text_box(&self) -> Option<(Spot, Spot)> {
        let Shape::Text { at, text, face, h, v, .. } = self else {
            return None;
        };
        if text.is_empty() {
            return None;
        }
        let (width, height) = (px(text::width(text, face.size())), px(face.size()));
        let left = match h {
            HPos::Left => at.0,
            HPos::Center => at.0 - width / 2,
            HPos::Right => at.0 - width,
        };
        let top = match v {
            VPos::Top => at.1,
            VPos::Center => at.1 - height / 2,
            VPos::Bottom => at.1 - height,
        };
        Some(((left, top), (left + width, top + height)))
    }

    fn draw(&self, area: &DrawingArea<Svg<'_>, Shift>) {
        let drawn = match self {
            Shape::Dot { at, radius, fill } => {
                area.draw(&Circle::new(*at, *radius, style(*fill, 0).filled()))
            }
            Shape::Dots { at, radius, fill } => {
                area.draw(&Crowd { at, radius: *radius, outline: &[], color: *fill })
            }
            Shape::Copies { at, outline, fill } => {
                area.draw(&Crowd { at, radius: 0, outline, color: *fill })
            }
            Shape::Fill { outline, fill } => {
                area.draw(&Polygon::new(outline.clone(), style(*fill, 0)))
            }
            Shape::Stroke { points, closed, color, width, dash } => {
                area.draw(&Stroke {
                    points,
                    closed: *closed,
                    color: *color,
                    width: width.unsigned_abs(),
                    dash: match dash {
                        Dash::Solid => "",
                        Dash::Dashed => "48 36",
                        Dash::Dotted => "0 32",
                    },
                })
            }
            Shape::Text { at, text, face, h, v, color } => {
                let size = face.size() * f64::from(super::svg::SCALE);
                let (family, slant) = match face {
                    Face::Heading => ("sans-serif", FontStyle::Bold),
                    Face::Maths => ("serif", FontStyle::Italic),
                    _ => ("sans-serif", FontStyle::Normal),
                };
                let font = (family, size, slant).into_font();
                let style = TextStyle { font, color: *color, pos: Pos::new(*h, *v) };
                area.draw(&Text::new(text.as_str(), *at, style))
            }
        };
        // The backend writes to a string and has no errors.
        drawn.unwrap_or_else(|error| unreachable!("{error}"));
    }
}

fn style(color: BackendColor, width: u32) -> ShapeStyle {
    let (r, g, b) = color.rgb;
    ShapeStyle {
        color: plotters::style::RGBAColor(r, g, b, color.alpha),
        filled: true,
        stroke_width: width,
    }
}

/// The finished SVG of this size (in backend units), shown so many times as large.
pub(super) fn draw(size: (i32, i32), zoom: f64, shapes: &[Shape]) -> String {
    use plotters::drawing::IntoDrawingArea;
    let mut out = String::new();
    let area =
        Svg::new(&mut out, (size.0.unsigned_abs(), size.1.unsigned_abs()), zoom)
            .into_drawing_area();
    for shape in shapes {
        shape.draw(&area);
    }
    area.present().unwrap_or_else(|error| unreachable!("{error}"));
    drop(area);
    out
}

/// The outline of a labelled component's mark around the origin; empty for a dot.
fn outline(k: usize) -> Vec<Spot> {
    Marker::SHAPES[k]
        .iter()
        .map(|&(dx, dy)| (px(RADIUS * dx), px(RADIUS * dy)))
        .collect()
}

/// A circle as a polygon.
pub(super) fn circle((x, y): Spot, radius: i32) -> Vec<Spot> {
    arc((x, y), radius, 0, 64)
}

/// Points on a circle, by 64ths of the whole turn.
fn arc((x, y): Spot, radius: i32, from: i32, to: i32) -> Vec<Spot> {
    (from..to)
        .map(|i| {
            let (sin, cos) = (f64::from(i) * std::f64::consts::TAU / 64.0).sin_cos();
            let r = f64::from(radius);
            (x + snap(r * cos), y + snap(r * sin))
        })
        .collect()
}

/// A box with rounded corners.
pub(super) fn rounded_box((x0, y0): Spot, (x1, y1): Spot) -> Vec<Spot> {
    let r = px(9.0);
    let corners = [
        (x1 - r, y1 - r, 0),
        (x0 + r, y1 - r, 16),
        (x0 + r, y0 + r, 32),
        (x1 - r, y0 + r, 48),
    ];
    corners
        .into_iter()
        .flat_map(|(x, y, from)| arc((x, y), r, from, from + 17))
        .collect()
}
