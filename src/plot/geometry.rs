//! From data to backend units, and clipping to the plot's frame.

use super::axis::Axis;
use super::svg::SCALE;

pub(super) type Point = (f64, f64);
pub(super) type Spot = (i32, i32);

/// The plot proper: its edges in backend units, and what they mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
    pub x: Axis,
    pub y: Axis,
}

/// Rounds to a whole unit. What is a half in exact arithmetic may be a hair more or less on another
/// processor: the boundary lies a little aside, so that such values round alike.
pub(super) fn snap(value: f64) -> i32 {
    (value + 0.5 + 1e-4).floor() as i32
}

pub(super) fn snapped(points: &[Point]) -> Vec<Spot> {
    points.iter().map(|&(x, y)| (snap(x), snap(y))).collect()
}

/// The parts of an upright or level line, given from its lesser end, outside these boxes.
pub(super) fn outside(
    from: Spot,
    to: Spot,
    boxes: &[(Spot, Spot)],
) -> Vec<(Spot, Spot)> {
    let margin = px(2.0);
    let mut parts = vec![(from, to)];
    for &((left, top), (right, bottom)) in boxes {
        let (left, top) = (left - margin, top - margin);
        let (right, bottom) = (right + margin, bottom + margin);
        let cut = |((x0, y0), (x1, y1)): (Spot, Spot)| {
            if x1 <= left || x0 >= right || y1 <= top || y0 >= bottom {
                return vec![((x0, y0), (x1, y1))];
            }
            let (before, after) = if x0 == x1 {
                ((x0, top), (x0, bottom))
            } else {
                ((left, y0), (right, y0))
            };
            let mut rest = vec![((x0, y0), before), (after, (x1, y1))];
            // Stubs would look like ticks; a part that would end before it starts lies in the box.
            rest.retain(|(a, b)| b.0 - a.0 + b.1 - a.1 > px(6.0));
            rest
        };
        parts = parts.into_iter().flat_map(cut).collect();
    }
    parts
}

/// Units of the finished figure to units of the backend.
pub(super) fn px(units: f64) -> i32 {
    snap(units * f64::from(SCALE))
}

impl Frame {
    pub(super) fn place_x(&self, x: f64) -> f64 {
        f64::from(self.left) + self.x.unit(x) * f64::from(self.right - self.left)
    }

    pub(super) fn place_y(&self, y: f64) -> f64 {
        f64::from(self.bottom) - self.y.unit(y) * f64::from(self.bottom - self.top)
    }

    pub(super) fn place(&self, (x, y): Point) -> Point {
        // Far outside any figure, yet safe to compute with.
        let bounded = |value: f64| value.clamp(-1e9, 1e9);
        (bounded(self.place_x(x)), bounded(self.place_y(y)))
    }

    /// Whether a placed point is in the frame or on its edge.
    pub(super) fn holds(&self, (x, y): Point) -> bool {
        let slack = 0.5;
        x >= f64::from(self.left) - slack
            && x <= f64::from(self.right) + slack
            && y >= f64::from(self.top) - slack
            && y <= f64::from(self.bottom) + slack
    }

    /// Where a point is drawn, if it lies in the frame.
    pub(super) fn spot(&self, point: Point) -> Option<Spot> {
        let placed = self.place(point);
        self.holds(placed).then(|| (snap(placed.0), snap(placed.1)))
    }

    /// The edges as half planes `a·x + b·y ≤ c`.
    fn edges(&self) -> [(f64, f64, f64); 4] {
        [
            (-1.0, 0.0, -f64::from(self.left)),
            (1.0, 0.0, f64::from(self.right)),
            (0.0, -1.0, -f64::from(self.top)),
            (0.0, 1.0, f64::from(self.bottom)),
        ]
    }

    /// The parts of a placed polyline inside the frame.
    pub(super) fn clip_line(&self, points: &[Point]) -> Vec<Vec<Point>> {
        let mut pieces: Vec<Vec<Point>> = Vec::new();
        let mut joined = false;
        for pair in points.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let (mut enter, mut leave) = (0.0f64, 1.0f64);
            for (p, q, c) in self.edges() {
                let (at_a, at_b) = (p * a.0 + q * a.1 - c, p * b.0 + q * b.1 - c);
                if at_a > 0.0 && at_b > 0.0 {
                    leave = -1.0;
                } else if at_a > 0.0 {
                    enter = enter.max(at_a / (at_a - at_b));
                } else if at_b > 0.0 {
                    leave = leave.min(at_a / (at_a - at_b));
                }
            }
            if enter > leave {
                joined = false;
                continue;
            }
            let between = |t: f64| (a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1));
            let end = if leave < 1.0 { between(leave) } else { b };
            match pieces.last_mut() {
                Some(piece) if joined && enter == 0.0 => piece.push(end),
                _ => pieces
                    .push(vec![if enter > 0.0 { between(enter) } else { a }, end]),
            }
            joined = leave == 1.0;
        }
        pieces
    }

    /// A placed polygon cut to the frame, edge by edge.
    pub(super) fn clip_polygon(&self, points: &[Point]) -> Vec<Point> {
        let mut polygon = points.to_vec();
        for (p, q, c) in self.edges() {
            let outside = |point: Point| p * point.0 + q * point.1 - c;
            let mut kept = Vec::with_capacity(polygon.len());
            for (i, &b) in polygon.iter().enumerate() {
                let a = polygon[(i + polygon.len() - 1) % polygon.len()];
                let (at_a, at_b) = (outside(a), outside(b));
                if (at_a > 0.0) != (at_b > 0.0) {
                    let t = at_a / (at_a - at_b);
                    kept.push((a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1)));
                }
                if at_b <= 0.0 {
                    kept.push(b);
                }
            }
            polygon = kept;
        }
        polygon
    }
}

#[cfg(test)]
mod tests {
    use super::super::axis::Scale;
    use super::*;

    fn frame() -> Frame {
        let axis = Axis { lo: 0.0, hi: 1.0, scale: Scale::Linear, whole: false };
        Frame { left: 0, top: 0, right: 100, bottom: 100, x: axis, y: axis }
    }

    #[test]
    fn a_line_through_the_frame_is_cut_at_its_edges() {
        let pieces = frame().clip_line(&[
            (-50.0, 50.0),
            (150.0, 50.0),
            (150.0, 20.0),
            (50.0, 20.0),
            (50.0, 60.0),
        ]);
        assert_eq!(
            pieces,
            [
                vec![(0.0, 50.0), (100.0, 50.0)],
                vec![(100.0, 20.0), (50.0, 20.0), (50.0, 60.0)]
            ]
        );
        assert!(frame().clip_line(&[(-5.0, 0.0), (-5.0, 90.0)]).is_empty());
    }

    #[test]
    fn a_polygon_around_the_frame_becomes_the_frame() {
        let cut = frame().clip_polygon(&[
            (-50.0, -50.0),
            (200.0, -50.0),
            (200.0, 200.0),
            (-50.0, 200.0),
        ]);
        for corner in [(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)] {
            assert!(cut.contains(&corner), "{cut:?}");
        }
        assert!(
            frame()
                .clip_polygon(&[(200.0, 0.0), (300.0, 0.0), (300.0, 50.0)])
                .is_empty()
        );
    }

    #[test]
    fn a_line_is_interrupted_behind_boxes() {
        let at = |x, y| ((x, 0), (y, 0));
        let boxes = [((100, -50), (200, 50)), ((700, -50), (2000, 50))];
        assert_eq!(
            outside((0, 0), (1000, 0), &boxes),
            [at(0, 84), at(216, 684)],
            "margins of two pixels"
        );
        assert_eq!(outside((0, 90), (1000, 90), &boxes), [((0, 90), (1000, 90))]);
        assert_eq!(
            outside((150, -500), (150, 0), &boxes),
            [((150, -500), (150, -66))]
        );
        assert!(outside((120, 0), (180, 0), &boxes).is_empty());
    }

    #[test]
    fn halves_round_alike_on_either_side() {
        assert_eq!(snap(2.5 - 1e-9), snap(2.5 + 1e-9));
        assert_eq!(snap(-2.5 - 1e-9), snap(-2.5 + 1e-9));
    }
}
