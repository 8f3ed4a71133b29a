//! The legend: in the corner where least is drawn, or in a row over the plot.

use plotters_backend::text_anchor::{HPos, VPos};

use super::geometry::{Frame, Spot, px};
use super::layer::Key;
use super::shape::{Face, Shape};
use super::text;

/// Where a legend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Legend {
    /// In a corner that nothing drawn passes through, or else above the plot; above it too where
    /// the sample of a mark in the legend could be taken for one of the data.
    Auto,
    /// In the top left corner of the plot.
    TopLeft,
    /// In the top right corner.
    TopRight,
    /// In the bottom left corner.
    BottomLeft,
    /// In the bottom right corner.
    BottomRight,
    /// In a row over the plot.
    Above,
    /// Nowhere.
    Hidden,
}

const LINE: f64 = 21.0;
const SAMPLE: f64 = 24.0;
const MARK: f64 = 10.0;
const GAP: f64 = 7.0;
const INSET: f64 = 8.0;

type Entry = (String, Key);

fn entry_width((label, key): &Entry) -> f64 {
    sample_width(*key) + GAP + text::width(label, Face::Tick.size())
}

fn sample_width(key: Key) -> f64 {
    if matches!(key, Key::Mark(..)) { MARK } else { SAMPLE }
}

fn widest_sample(entries: &[Entry]) -> f64 {
    entries.iter().map(|(_, key)| sample_width(*key)).fold(0.0, f64::max)
}

/// Rows of entries that fit into `width`, each entry with its offset from the left.
fn rows(entries: &[Entry], width: f64) -> Vec<Vec<(f64, usize)>> {
    let mut rows: Vec<Vec<(f64, usize)>> = vec![Vec::new()];
    let mut x = 0.0;
    for (i, entry) in entries.iter().enumerate() {
        let own = entry_width(entry);
        if x > 0.0 && x + own > width {
            rows.push(Vec::new());
            x = 0.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((x, i));
        }
        x += own + 14.0;
    }
    rows
}

/// The height of a legend over a plot of this width, in units of the figure.
pub(super) fn height_above(entries: &[Entry], width: f64) -> f64 {
    if entries.is_empty() {
        0.0
    } else {
        rows(entries, width).len() as f64 * LINE + 4.0
    }
}

/// The corner of the plot to use, or `None` if something is drawn in each, or if a sample in it
/// would look like data.
pub(super) fn free_corner(
    entries: &[Entry],
    frame: &Frame,
    drawn: &[Shape],
) -> Option<Legend> {
    if entries.iter().any(|(_, key)| matches!(key, Key::Mark(..))) {
        return None;
    }
    [Legend::TopRight, Legend::TopLeft, Legend::BottomRight, Legend::BottomLeft]
        .into_iter()
        .find(|&place| {
            let (from, to) = region(entries, frame, place);
            from.0 >= frame.left
                && from.1 >= frame.top
                && !drawn.iter().any(|shape| touches(shape, from, to))
        })
}

/// The corners of the legend's box, in backend units.
pub(super) fn region(
    entries: &[Entry],
    frame: &Frame,
    place: Legend,
) -> (Spot, Spot) {
    let label = |entry: &Entry| entry_width(entry) - sample_width(entry.1);
    let widest =
        widest_sample(entries) + entries.iter().map(label).fold(0.0, f64::max);
    let (width, height) = (px(widest), px(LINE * entries.len() as f64));
    let inset = px(INSET);
    let x = match place {
        Legend::TopLeft | Legend::BottomLeft => frame.left + inset,
        _ => frame.right - inset - width,
    };
    let y = match place {
        Legend::TopLeft | Legend::TopRight => frame.top + inset / 2,
        _ => frame.bottom - inset - height,
    };
    ((x, y), (x + width, y + height))
}

/// The entries in a corner of the frame.
pub(super) fn in_corner(
    entries: &[Entry],
    frame: &Frame,
    place: Legend,
) -> Vec<Shape> {
    let ((x, y), _) = region(entries, frame, place);
    entries
        .iter()
        .enumerate()
        .flat_map(|(i, entry)| {
            draw((x, y + px(LINE * (i as f64 + 0.5))), widest_sample(entries), entry)
        })
        .collect()
}

/// The entries in rows whose first starts at `at`.
pub(super) fn above(entries: &[Entry], at: Spot, width: f64) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (j, row) in rows(entries, width).into_iter().enumerate() {
        for (x, i) in row {
            shapes.extend(draw(
                (at.0 + px(x), at.1 + px(LINE * (j as f64 + 0.5))),
                sample_width(entries[i].1),
                &entries[i],
            ));
        }
    }
    shapes
}

fn draw((x, y): Spot, sample: f64, (label, key): &Entry) -> Vec<Shape> {
    let (from, to) = (x, x + px(sample));
    let mut shapes = match *key {
        Key::Line(line) => vec![Shape::stroke(vec![(from, y), (to, y)], line)],
        Key::Mark(marker, colour) => {
            Shape::mark(((from + to) / 2, y), marker, colour)
        }
        Key::Area(colour) => {
            let (top, bottom) = (y - px(5.0), y + px(5.0));
            let outline = vec![(from, top), (to, top), (to, bottom), (from, bottom)];
            vec![Shape::Fill { outline, fill: colour.with_alpha(0.35) }]
        }
    };
    shapes.push(Shape::text(
        (to + px(GAP), y),
        label,
        Face::Tick,
        HPos::Left,
        VPos::Center,
    ));
    shapes
}

/// Whether a shape reaches into the box.
fn touches(shape: &Shape, from: Spot, to: Spot) -> bool {
    let margin = px(7.0);
    let inside = |(x, y): Spot| {
        x >= from.0 - margin
            && x <= to.0 + margin
            && y >= from.1 - margin
            && y <= to.1 + margin
    };
    match shape {
        Shape::Dot { at, .. } => inside(*at),
        Shape::Dots { at, .. } | Shape::Copies { at, .. } => {
            at.iter().copied().any(inside)
        }
        Shape::Stroke { points, closed, .. } => {
            let back = if *closed { points.first() } else { None };
            let ends = points.iter().skip(1).chain(back);
            points.iter().zip(ends).any(|(a, b)| along(*a, *b).any(inside))
        }
        Shape::Fill { outline, .. } => {
            let sides = outline.iter().zip(outline.iter().cycle().skip(1));
            let middle = ((from.0 + to.0) / 2, (from.1 + to.1) / 2);
            sides.clone().any(|(a, b)| along(*a, *b).any(inside)) || {
                // Even–odd: sides to the right of the box's middle.
                let crossings = sides.filter(|(a, b)| {
                    (a.1 > middle.1) != (b.1 > middle.1) && {
                        let t = f64::from(middle.1 - a.1) / f64::from(b.1 - a.1);
                        f64::from(a.0) + t * f64::from(b.0 - a.0)
                            > f64::from(middle.0)
                    }
                });
                crossings.count() % 2 == 1
            }
        }
        Shape::Text { .. } => shape.text_box().is_some_and(|(a, b)| {
            a.0 <= to.0 + margin
                && b.0 >= from.0 - margin
                && a.1 <= to.1 + margin
                && b.1 >= from.1 - margin
        }),
    }
}

/// Points from a to b, no further apart than the lines of a legend.
fn along(a: Spot, b: Spot) -> impl Iterator<Item = Spot> {
    let steps = (b.0 - a.0).abs().max((b.1 - a.1).abs()) / px(5.0) + 1;
    (0..=steps)
        .map(move |i| (a.0 + (b.0 - a.0) * i / steps, a.1 + (b.1 - a.1) * i / steps))
}
