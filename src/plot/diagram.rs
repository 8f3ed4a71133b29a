//! Graphical models: nodes, plates and arrows.

use std::path::Path;

use plotters_backend::text_anchor::{HPos, VPos};

use super::geometry::{Point, Spot, px};
use super::layer::{Dash, Line};
use super::shape::{self, Face, Shape};
use super::{Colour, output, text};
use crate::Error;

/// The length of a unit of the diagram's coordinates, the radii, and the room in a plate, in units
/// of the finished figure.
const UNIT: f64 = 76.0;
const NODE: f64 = 20.5;
const DOT: f64 = 3.8;
const PAD: f64 = 13.0;

/// A graphical model: circles for random variables, shaded if observed; dots for fixed parameters;
/// plates around what is repeated; arrows for dependence.
///
/// Positions are in units of about two circles, x to the right and y upwards. Labels set
/// subscripts and, as `**x**_n`, bold vectors as in a [`Chart`](super::Chart). A bad name or number
/// is reported by the call that draws.
///
/// ```
/// use mixtures::plot::Diagram;
///
/// let svg = Diagram::new()
///     .parameter("pi", "**π**", 0.0, 0.0)
///     .node("z", "z_n", 1.0, 0.0)
///     .observed("x", "**x**_n", 2.0, 0.0)
///     .plate(&["z", "x"], "N")
///     .arrow("pi", "z")
///     .arrow("z", "x")
///     .to_svg()?;
/// assert!(svg.contains("circle"));
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a diagram is drawn by `save`"]
pub struct Diagram {
    nodes: Vec<Node>,
    plates: Vec<Plate>,
    arrows: Vec<(usize, usize)>,
    problem: Option<String>,
}

#[derive(Clone, Debug)]
struct Node {
    name: String,
    label: String,
    at: Point,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Latent,
    Observed,
    Parameter,
}

#[derive(Clone, Debug)]
struct Plate {
    nodes: Vec<usize>,
    label: String,
}

/// Left, top, right, bottom.
type Bounds = [f64; 4];

impl Diagram {
    /// An empty diagram.
    pub fn new() -> Self {
        Diagram::default()
    }

    /// A latent variable: a circle.
    pub fn node(self, name: &str, label: &str, x: f64, y: f64) -> Self {
        self.add(name, label, (x, y), Kind::Latent)
    }

    /// An observed variable: a shaded circle.
    pub fn observed(self, name: &str, label: &str, x: f64, y: f64) -> Self {
        self.add(name, label, (x, y), Kind::Observed)
    }

    /// A fixed parameter: a dot, with its label on the side away from its arrows.
    pub fn parameter(self, name: &str, label: &str, x: f64, y: f64) -> Self {
        self.add(name, label, (x, y), Kind::Parameter)
    }

    /// A plate around nodes already added, with its count in the corner.
    pub fn plate(mut self, names: &[&str], label: &str) -> Self {
        let nodes: Option<Vec<usize>> =
            names.iter().map(|name| self.find("plate", name)).collect();
        match nodes {
            Some(nodes) if nodes.is_empty() => {
                self.fail(format!("plate `{label}` is around no nodes"))
            }
            Some(nodes) => self.plates.push(Plate { nodes, label: label.to_owned() }),
            None => {}
        }
        self
    }

    /// An arrow between nodes already added: the second depends on the first.
    pub fn arrow(mut self, from: &str, to: &str) -> Self {
        if let (Some(a), Some(b)) = (self.find("arrow", from), self.find("arrow", to))
        {
            let (p, q) = (self.nodes[a].at, self.nodes[b].at);
            if (p.0 - q.0).hypot(p.1 - q.1) < 0.7 {
                self.fail(format!(
                    "arrow: `{from}` and `{to}` are too close; set them at least 0.7 apart"
                ));
            } else {
                self.arrows.push((a, b));
            }
        }
        self
    }

    /// Writes `<name>.svg` where [`Chart::save`](super::Chart::save) would.
    ///
    /// # Errors
    /// If something added was bad, nothing was added, `name` is no plain file name, or the file
    /// cannot be written.
    pub fn save(&self, name: &str) -> Result<(), Error> {
        self.save_in(output::folder(), name)
    }

    /// Writes `<name>.svg` into `folder`.
    ///
    /// # Errors
    /// As [`Diagram::save`].
    pub fn save_in(&self, folder: impl AsRef<Path>, name: &str) -> Result<(), Error> {
        output::write(folder.as_ref(), name, self.draw())
    }

    /// The figure itself.
    ///
    /// # Errors
    /// If something added was bad, or nothing was added.
    pub fn to_svg(&self) -> Result<String, Error> {
        output::unnamed(self.draw())
    }

    fn add(mut self, name: &str, label: &str, at: Point, kind: Kind) -> Self {
        if !(at.0.abs() <= 100.0 && at.1.abs() <= 100.0) {
            self.fail(format!(
                "node `{name}`: the position {at:?} is not within ±100"
            ));
        }
        if self.nodes.iter().any(|node| node.name == name) {
            self.fail(format!("node `{name}` is there already; names are used once"));
        }
        self.nodes.push(Node {
            name: name.to_owned(),
            label: label.to_owned(),
            at,
            kind,
        });
        self
    }

    fn find(&mut self, call: &str, name: &str) -> Option<usize> {
        let found = self.nodes.iter().position(|node| node.name == name);
        if found.is_none() {
            let known: Vec<_> =
                self.nodes.iter().map(|node| node.name.as_str()).collect();
            self.fail(format!(
                "{call}: there is no node `{name}` among {known:?}; add nodes first"
            ));
        }
        found
    }

    fn fail(&mut self, reason: String) {
        self.problem.get_or_insert(reason);
    }

    fn draw(&self) -> Result<String, String> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        if self.nodes.is_empty() {
            return Err("there is nothing to draw; add a node".to_owned());
        }
        let plates: Vec<Bounds> =
            self.plates.iter().map(|plate| self.plate_bounds(plate)).collect();
        let nodes = (0..self.nodes.len()).map(|i| self.node_bounds(i));
        let around =
            nodes.chain(plates.iter().copied()).reduce(join).unwrap_or_default();
        let origin = (around[0] - 4.0, around[1] - 4.0);
        let spot = |(x, y): Point| (px(x - origin.0), px(y - origin.1));

        let mut shapes = Vec::new();
        for (plate, &[left, top, right, bottom]) in self.plates.iter().zip(&plates) {
            let line = Line {
                width: 1.25,
                closed: true,
                alpha: 0.8,
                ..Line::new(Colour::Ink, Dash::Solid)
            };
            shapes.push(Shape::stroke(
                shape::rounded_box(spot((left, top)), spot((right, bottom))),
                line,
            ));
            let corner = spot((right - 8.0, bottom - 4.0));
            shapes.push(Shape::text(
                corner,
                &plate.label,
                Face::Maths,
                HPos::Right,
                VPos::Bottom,
            ));
        }
        for &(from, to) in &self.arrows {
            shapes.extend(self.arrow_shapes(from, to, spot));
        }
        for (i, node) in self.nodes.iter().enumerate() {
            let centre = spot(place(node.at));
            if node.kind == Kind::Parameter {
                shapes.push(Shape::Dot {
                    at: centre,
                    radius: px(DOT),
                    fill: Colour::Ink.with_alpha(1.0),
                });
                let (dx, dy) = self.label_side(i);
                let h = [HPos::Right, HPos::Center, HPos::Left][(dx + 1) as usize];
                let v = [VPos::Bottom, VPos::Center, VPos::Top][(dy + 1) as usize];
                let at =
                    (centre.0 + dx * px(DOT + 4.5), centre.1 + dy * px(DOT + 2.5));
                shapes.push(Shape::text(at, &node.label, Face::Maths, h, v));
                continue;
            }
            let outline = shape::circle(centre, px(NODE));
            if node.kind == Kind::Observed {
                shapes.push(Shape::Fill {
                    outline: outline.clone(),
                    fill: Colour::Ink.with_alpha(0.16),
                });
            }
            shapes.push(Shape::stroke(
                outline,
                Line {
                    width: 1.5,
                    closed: true,
                    ..Line::new(Colour::Ink, Dash::Solid)
                },
            ));
            shapes.push(Shape::text(
                centre,
                &node.label,
                Face::Maths,
                HPos::Center,
                VPos::Center,
            ));
        }
        let size = (px(around[2] - around[0] + 8.0), px(around[3] - around[1] + 8.0));
        Ok(shape::draw(size, 1.0, &shapes))
    }

    fn radius(&self, i: usize) -> f64 {
        if self.nodes[i].kind == Kind::Parameter { DOT } else { NODE }
    }

    /// The direction of a parameter's label: opposite to the mean direction of its arrows.
    fn label_side(&self, i: usize) -> (i32, i32) {
        let (x, y) = place(self.nodes[i].at);
        let (mut dx, mut dy) = (0.0, 0.0);
        for &(from, to) in &self.arrows {
            let other = if from == i { to } else { from };
            if from == i || to == i {
                let end = place(self.nodes[other].at);
                dx += end.0 - x;
                dy += end.1 - y;
            }
        }
        if dx.abs() > dy.abs() + 1e-6 {
            (if dx > 0.0 { -1 } else { 1 }, 0)
        } else {
            (0, if dy < 0.0 { 1 } else { -1 })
        }
    }

    fn node_bounds(&self, i: usize) -> Bounds {
        let (x, y) = place(self.nodes[i].at);
        let r = self.radius(i) + 1.0;
        let own = [x - r, y - r, x + r, y + r];
        if self.nodes[i].kind != Kind::Parameter {
            return own;
        }
        let (dx, dy) = self.label_side(i);
        let size = Face::Maths.size();
        let width = text::width(&self.nodes[i].label, size);
        let middle = (
            x + f64::from(dx) * (r + 4.0 + 0.5 * width),
            y + f64::from(dy) * (r + 2.0 + 0.5 * size),
        );
        join(
            own,
            [
                middle.0 - 0.5 * width,
                middle.1 - 0.55 * size,
                middle.0 + 0.5 * width,
                middle.1 + 0.55 * size,
            ],
        )
    }

    /// Around the plate's nodes, with more room if other plates lie inside.
    fn plate_bounds(&self, plate: &Plate) -> Bounds {
        let within = |other: &&Plate| {
            other.nodes.len() < plate.nodes.len()
                && other.nodes.iter().all(|n| plate.nodes.contains(n))
        };
        let inner =
            self.plates.iter().filter(within).map(|other| self.plate_bounds(other));
        let nodes = plate.nodes.iter().map(|&n| self.node_bounds(n));
        let [left, top, right, bottom] =
            nodes.chain(inner).reduce(join).unwrap_or_default();
        // A circle leaves the corner free for the count; a label beside a dot does not.
        let dots = plate.nodes.iter().any(|&n| self.nodes[n].kind == Kind::Parameter);
        let count = if dots { 18.0 } else { 10.0 };
        [left - PAD, top - PAD, right + PAD, bottom + PAD + count]
    }

    fn arrow_shapes(
        &self,
        from: usize,
        to: usize,
        spot: impl Fn(Point) -> Spot,
    ) -> [Shape; 2] {
        let (a, b) = (place(self.nodes[from].at), place(self.nodes[to].at));
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        let (ux, uy) = ((b.0 - a.0) / length, (b.1 - a.1) / length);
        let on = |distance: f64, aside: f64| {
            (a.0 + ux * distance - uy * aside, a.1 + uy * distance + ux * aside)
        };
        let start = self.radius(from);
        let tip = length - self.radius(to) - 1.0;
        let line = Line { width: 1.4, ..Line::new(Colour::Ink, Dash::Solid) };
        let head = [
            on(tip, 0.0),
            on(tip - 10.0, 4.0),
            on(tip - 8.0, 0.0),
            on(tip - 10.0, -4.0),
        ];
        [
            Shape::stroke(vec![spot(on(start, 0.0)), spot(on(tip - 8.0, 0.0))], line),
            Shape::Fill {
                outline: head.map(spot).to_vec(),
                fill: Colour::Ink.with_alpha(1.0),
            },
        ]
    }
}

/// From the diagram's coordinates to those of the figure, whose y runs downwards.
fn place((x, y): Point) -> Point {
    (UNIT * x, -UNIT * y)
}

fn join(a: Bounds, b: Bounds) -> Bounds {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}
