//! What a chart is made of, in data coordinates.

use std::fmt;
use std::rc::Rc;

use nalgebra::DMatrixView;

use super::Colour;
use super::geometry::Point;

#[derive(Clone)]
pub(super) enum Layer<'a> {
    Marks { points: Vec<Point>, marker: Marker, colour: Colour },
    Tinted { marks: Vec<(Point, (u8, u8, u8))> },
    Path { points: Vec<Point>, line: Line },
    Area { outline: Vec<Point>, colour: Colour, outlined: bool },
    Contours { f: Rc<dyn Fn(f64, f64) -> f64 + 'a>, levels: Vec<f64>, line: Line },
    Curve { f: Rc<dyn Fn(f64) -> f64 + 'a>, line: Line },
    Rule { at: f64, upright: bool, label: String },
    Text { at: Point, text: String },
}

impl Layer<'_> {
    /// The sample that stands for this layer in a legend.
    pub(super) fn key(&self) -> Option<Key> {
        match self {
            Layer::Marks { marker, colour, .. } => Some(Key::Mark(*marker, *colour)),
            Layer::Path { line, .. }
            | Layer::Curve { line, .. }
            | Layer::Contours { line, .. } => {
                Some(Key::Line(Line { closed: false, ..*line }))
            }
            Layer::Area { colour, .. } => Some(Key::Area(*colour)),
            Layer::Tinted { .. } | Layer::Rule { .. } | Layer::Text { .. } => None,
        }
    }

    pub(super) fn line_mut(&mut self) -> Option<&mut Line> {
        match self {
            Layer::Path { line, .. }
            | Layer::Curve { line, .. }
            | Layer::Contours { line, .. } => Some(line),
            _ => None,
        }
    }
}

impl fmt::Debug for Layer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, points) = match self {
            Layer::Marks { points, .. } => ("Marks", points.len()),
            Layer::Tinted { marks } => ("Tinted", marks.len()),
            Layer::Path { points, .. } => ("Path", points.len()),
            Layer::Area { outline, .. } => ("Area", outline.len()),
            Layer::Contours { levels, .. } => ("Contours", levels.len()),
            Layer::Curve { .. } => ("Curve", 0),
            Layer::Rule { .. } => ("Rule", 1),
            Layer::Text { .. } => ("Text", 1),
        };
        write!(f, "{kind}({points})")
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Marker {
    Dot,
    Cross,
    /// The mark of a labelled component, one of [`Marker::SHAPES`].
    Shape(usize),
}

impl Marker {
    /// Outlines of about equal area, in units of a dot's radius; the circle's is empty.
    pub(super) const SHAPES: [&'static [Point]; 5] = [
        &[],
        &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        &[(0.0, -1.4), (1.25, 0.85), (-1.25, 0.85)],
        &[(0.0, -1.35), (1.35, 0.0), (0.0, 1.35), (-1.35, 0.0)],
        &[(0.0, 1.4), (1.25, -0.85), (-1.25, -0.85)],
    ];

    pub(super) fn of(k: usize) -> Marker {
        Marker::Shape(k % Self::SHAPES.len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dash {
    Solid,
    Dashed,
    Dotted,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub colour: Colour,
    pub dash: Dash,
    pub width: f64,
    pub alpha: f64,
    pub closed: bool,
    /// Whether a wider line in the page's colour lies below, to part it from dense points.
    pub halo: bool,
}

impl Line {
    pub(super) const WIDTH: f64 = 1.75;

    pub(super) fn new(colour: Colour, dash: Dash) -> Line {
        Line {
            colour,
            dash,
            width: Line::WIDTH,
            alpha: 1.0,
            closed: false,
            halo: false,
        }
    }
}

/// What stands before an entry of the legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Key {
    Line(Line),
    Mark(Marker, Colour),
    Area(Colour),
}

/// The lower Cholesky factor (a, b, c) = [[a, 0], [b, c]] of the covariance, times the radius of
/// the set that holds `mass`.
pub(super) fn ellipse_axes(
    covariance: DMatrixView<'_, f64>,
    mass: f64,
) -> Result<(f64, f64, f64), String> {
    if covariance.shape() != (2, 2) {
        let (rows, columns) = covariance.shape();
        return Err(format!(
            "ellipse: the covariance is {rows} × {columns}, not 2 × 2; choose the two dimensions to show"
        ));
    }
    if !(mass > 0.0 && mass < 1.0) {
        return Err(format!("ellipse: mass {mass} is not between 0 and 1"));
    }
    let (xx, xy, yx, yy) = (
        covariance[(0, 0)],
        covariance[(0, 1)],
        covariance[(1, 0)],
        covariance[(1, 1)],
    );
    let not_definite = || {
        format!(
            "ellipse: the covariance [[{xx}, {xy}], [{yx}, {yy}]] is not symmetric positive definite"
        )
    };
    // The negations also catch NaN.
    let symmetric = (xy - yx).abs() <= 1e-9 * (xx.abs() * yy.abs()).sqrt();
    let a = xx.sqrt();
    let b = yx / a;
    let rest = yy - b * b;
    if !(symmetric && xx > 0.0 && rest > 0.0 && xx.is_finite() && yy.is_finite()) {
        return Err(not_definite());
    }
    // ln_1p keeps the radius of a tiny mass.
    let radius = (-2.0 * (-mass).ln_1p()).sqrt();
    Ok((radius * a, radius * b, radius * rest.sqrt()))
}

/// The image of the unit circle under the factor, around the mean.
pub(super) fn ellipse((x, y): Point, (a, b, c): (f64, f64, f64)) -> Vec<Point> {
    const STEPS: usize = 120;
    (0..STEPS)
        .map(|i| {
            let (sin, cos) =
                (std::f64::consts::TAU * i as f64 / STEPS as f64).sin_cos();
            (x + a * cos, y + b * cos + c * sin)
        })
        .collect()
}

/// The outline of a histogram, from the axis up, along the tops and down again.
pub(super) fn histogram(values: &[f64], bins: usize) -> Result<Vec<Point>, String> {
    if bins == 0 || bins > 10_000 {
        return Err(format!("histogram: {bins} bins; choose from 1 to 10000"));
    }
    if let Some(n) = values.iter().position(|v| !v.is_finite()) {
        return Err(format!(
            "histogram: value {n} is {}; leave out what is not finite",
            values[n]
        ));
    }
    let lo = values.iter().copied().fold(f64::INFINITY, f64::min);
    let hi = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = (hi - lo) / bins as f64;
    if !(width.is_finite() && width > 0.0) {
        return Err(
            "histogram: the values have no spread; it needs at least two different ones".to_owned()
        );
    }
    let mut counts = vec![0usize; bins];
    for value in values {
        counts[(((value - lo) / width) as usize).min(bins - 1)] += 1;
    }
    let edge = |i: usize| if i == bins { hi } else { lo + i as f64 * width };
    let mut outline = vec![(lo, 0.0)];
    for (i, &count) in counts.iter().enumerate() {
        let density = count as f64 / (values.len() as f64 * width);
        outline.extend([(edge(i), density), (edge(i + 1), density)]);
    }
    outline.push((hi, 0.0));
    Ok(outline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{dmatrix, dvector};

    #[test]
    fn every_boundary_point_has_the_stated_mahalanobis_distance() {
        let covariance = dmatrix![2.0, -1.2; -1.2, 0.9];
        let precision = covariance.clone().try_inverse().expect("positive definite");
        for mass in [1e-12, 0.5, 0.9, 0.999] {
            let factor =
                ellipse_axes(covariance.as_view(), mass).expect("good input");
            for (x, y) in ellipse((0.0, 0.0), factor) {
                let v = dvector![x, y];
                let squared = (v.transpose() * &precision * v)[0];
                approx::assert_relative_eq!(
                    squared,
                    -2.0 * (-mass).ln_1p(),
                    max_relative = 1e-9
                );
            }
        }
    }

    #[test]
    fn the_ellipse_holds_the_stated_share_of_a_large_sample() {
        use rand::SeedableRng;
        use rand_distr::{Distribution, StandardNormal};
        let covariance = dmatrix![2.0, 0.7; 0.7, 0.5];
        let cholesky = covariance.clone().cholesky().expect("positive definite").l();
        let outline = ellipse(
            (1.0, 2.0),
            ellipse_axes(covariance.as_view(), 0.8).expect("good input"),
        );
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let n = 40_000;
        let inside = (0..n).filter(|_| {
            let z = dvector![
                StandardNormal.sample(&mut rng),
                StandardNormal.sample(&mut rng)
            ];
            let x = dvector![1.0, 2.0] + &cholesky * z;
            // Left of every side of the polygon, which runs anticlockwise.
            outline.iter().zip(outline.iter().cycle().skip(1)).all(|(a, b)| {
                (b.0 - a.0) * (x[1] - a.1) - (b.1 - a.1) * (x[0] - a.0) >= 0.0
            })
        });
        let share = inside.count() as f64 / f64::from(n);
        // Five standard errors.
        assert!(
            (share - 0.8).abs() < 5.0 * (0.8 * 0.2 / f64::from(n)).sqrt(),
            "{share}"
        );
    }

    #[test]
    fn a_histogram_is_a_density() {
        let outline =
            histogram(&[0.0, 0.1, 0.2, 0.9, 1.0, 2.0], 4).expect("good input");
        let area: f64 = outline.windows(2).map(|p| (p[1].0 - p[0].0) * p[0].1).sum();
        approx::assert_relative_eq!(area, 1.0, max_relative = 1e-12);
        assert_eq!(outline[1], (0.0, 3.0 / (6.0 * 0.5)));
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(ellipse_axes(dmatrix![1.0, 2.0; 2.0, 1.0].as_view(), 0.5).is_err());
        assert!(ellipse_axes(dmatrix![1.0, 0.5; 0.0, 1.0].as_view(), 0.5).is_err());
        assert!(
            ellipse_axes(dmatrix![f64::NAN, 0.0; 0.0, 1.0].as_view(), 0.5).is_err()
        );
        assert!(ellipse_axes(dmatrix![1.0].as_view(), 0.5).is_err());
        for mass in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(
                ellipse_axes(dmatrix![1.0, 0.0; 0.0, 1.0].as_view(), mass).is_err()
            );
        }
        assert!(histogram(&[], 3).is_err());
        assert!(histogram(&[1.0, 1.0], 3).is_err());
        assert!(histogram(&[1.0, 2.0], 0).is_err());
        assert!(histogram(&[1.0, f64::INFINITY], 2).is_err());
    }
}
