//! A plotters backend that writes compact SVG: neighbours of one style share a `<g>`, nothing is
//! drawn behind the figure, and text may carry subscripts.

use std::convert::Infallible;
use std::fmt::Write as _;

use plotters::element::{Drawable, PointCollection};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend,
    DrawingErrorKind, FontFamily, FontStyle,
};

use super::text;

/// Backend units in one unit of the finished figure. plotters places everything on whole units, so
/// a fine grid, shrunk by the `viewBox`, keeps curves smooth.
pub(super) const SCALE: i32 = 8;

/// What the sans-serif family falls back to is the viewer's business; mathematics asks for a face
/// with a true italic first.
const MATHS_FAMILY: &str =
    "'STIX Two Text','Latin Modern Roman',Cambria,'Times New Roman',serif";

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

pub(super) struct Svg<'a> {
    out: &'a mut String,
    size: (u32, u32),
    /// Attributes of the open group.
    group: Option<String>,
    finished: bool,
}

impl<'a> Svg<'a> {
    /// A figure of `size` backend units, shown `zoom` times as large, written to `out`.
    pub(super) fn new(out: &'a mut String, size: (u32, u32), zoom: f64) -> Self {
        let shown = |units: u32| {
            let pixels = f64::from(units) * zoom / f64::from(SCALE);
            // Aside from whole numbers, where the last bit would decide.
            (pixels - 1e-6).ceil() as u32
        };
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" \
             viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" stroke-linecap=\"round\" \
             stroke-linejoin=\"round\">",
            shown(size.0),
            shown(size.1),
            size.0,
            size.1
        );
        Svg { out, size, group: None, finished: false }
    }

    /// Appends `element` inside a group with these attributes.
    fn push(&mut self, attributes: &str, element: &str) -> Drawn {
        if self.group.as_deref() != Some(attributes) {
            self.close_group();
            let _ = writeln!(self.out, "<g{attributes}>");
            self.group = Some(attributes.to_owned());
        }
        self.out.push_str(element);
        self.out.push('\n');
        Ok(())
    }

    fn close_group(&mut self) {
        if self.group.take().is_some() {
            self.out.push_str("</g>\n");
        }
    }

    fn stroke(
        &mut self,
        points: &[BackendCoord],
        closed: bool,
        color: BackendColor,
        width: u32,
        dash: &str,
    ) -> Drawn {
        let mut attributes = format!(" fill=\"none\" stroke=\"{}\"", hex(color));
        if color.alpha < 1.0 {
            let _ = write!(attributes, " stroke-opacity=\"{}\"", alpha(color));
        }
        let _ = write!(attributes, " stroke-width=\"{width}\"");
        if !dash.is_empty() {
            let _ = write!(attributes, " stroke-dasharray=\"{dash}\"");
            // Dots are the round caps of dashes without length; between dashes caps would eat the gaps.
            if !dash.starts_with("0 ") {
                attributes.push_str(" stroke-linecap=\"butt\"");
            }
        }
        self.push(&attributes, &path(points, closed))
    }
}

impl DrawingBackend for Svg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        if !self.finished {
            self.close_group();
            self.out.push_str("</svg>\n");
            self.finished = true;
        }
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.push(
            &fill(color),
            &path(&[(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)], true),
        )
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.stroke(&[from, to], false, style.color(), style.stroke_width(), "")
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (x0, y0): BackendCoord,
        (x1, y1): BackendCoord,
        style: &S,
        filled: bool,
    ) -> Drawn {
        let corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)];
        if filled {
            self.push(&fill(style.color()), &path(&corners, true))
        } else {
            self.stroke(&corners, true, style.color(), style.stroke_width(), "")
        }
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        let points: Vec<_> = points.into_iter().collect();
        self.stroke(&points, false, style.color(), style.stroke_width(), "")
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        filled: bool,
    ) -> Drawn {
        let element = format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>");
        let color = style.color();
        if filled {
            self.push(&fill(color), &element)
        } else {
            let width = style.stroke_width();
            self.push(
                &format!(
                    " fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\"",
                    hex(color)
                ),
                &element,
            )
        }
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        let points: Vec<_> = points.into_iter().collect();
        self.push(&fill(style.color()), &path(&points, true))
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        label: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        let size = style.size();
        let mut attributes = format!(" font-size=\"{}\"", size.round());
        let italic = matches!(style.style(), FontStyle::Italic);
        match style.style() {
            FontStyle::Bold => attributes.push_str(" font-weight=\"bold\""),
            FontStyle::Italic => attributes.push_str(" font-style=\"italic\""),
            _ => {}
        }
        if matches!(style.family(), FontFamily::Serif) {
            let _ = write!(attributes, " font-family=\"{MATHS_FAMILY}\"");
        }
        match style.anchor().h_pos {
            HPos::Left => {}
            HPos::Center => attributes.push_str(" text-anchor=\"middle\""),
            HPos::Right => attributes.push_str(" text-anchor=\"end\""),
        }
        attributes.push_str(&fill(style.color()));
        // Baselines are placed here, in numbers: `dy` in em and ex is not the same in all viewers.
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.76,
            VPos::Center => 0.35,
            VPos::Bottom => -0.22,
        };
        let y = y + (baseline * size).round() as i32;
        let content = text::to_svg(label, size, italic);
        self.push(&attributes, &format!("<text x=\"{x}\" y=\"{y}\">{content}</text>"))
    }
}

/// A line with a dash pattern, or a closed outline: what plotters' own elements cannot say.
pub(super) struct Stroke<'p> {
    pub points: &'p [BackendCoord],
    pub closed: bool,
    pub color: BackendColor,
    pub width: u32,
    pub dash: &'static str,
}

impl<'s> PointCollection<'s, BackendCoord> for &'s Stroke<'_> {
    type Point = &'s BackendCoord;
    type IntoIter = &'s [BackendCoord];
    fn point_iter(self) -> Self::IntoIter {
        self.points
    }
}

impl Drawable<Svg<'_>> for Stroke<'_> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        points: I,
        backend: &mut Svg<'_>,
        _: (u32, u32),
    ) -> Drawn {
        let points: Vec<_> = points.collect();
        backend.stroke(&points, self.closed, self.color, self.width, self.dash)
    }
}

/// Many equal marks in one path: dots of this radius or, if it is not empty, copies of an outline.
pub(super) struct Crowd<'p> {
    pub at: &'p [BackendCoord],
    pub radius: i32,
    pub outline: &'p [BackendCoord],
    pub color: BackendColor,
}

impl<'s> PointCollection<'s, BackendCoord> for &'s Crowd<'_> {
    type Point = &'s BackendCoord;
    type IntoIter = &'s [BackendCoord];
    fn point_iter(self) -> Self::IntoIter {
        self.at
    }
}

impl Drawable<Svg<'_>> for Crowd<'_> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        points: I,
        backend: &mut Svg<'_>,
        _: (u32, u32),
    ) -> Drawn {
        // A dot is the round cap of a line without length. The colour is the path's own matter,
        // so that neighbours of all colours share a group.
        let dots = self.outline.is_empty();
        let (paint, mut attributes) = if dots {
            ("stroke", String::from(" fill=\"none\""))
        } else {
            ("fill", String::new())
        };
        if self.color.alpha < 1.0 {
            let _ = write!(attributes, " {paint}-opacity=\"{}\"", alpha(self.color));
        }
        if dots {
            let _ = write!(attributes, " stroke-width=\"{}\"", 2 * self.radius);
        }
        let start = self.outline.first().copied().unwrap_or((0, 0));
        let mark = if dots { String::from("h0") } else { steps(self.outline) + "z" };
        let mut d = String::new();
        let mut last = None;
        for (x, y) in points {
            let (x, y) = (x + start.0, y + start.1);
            // Closing an outline leads back to its start.
            match last {
                None => {
                    let _ = write!(d, "M{x} {y}{mark}");
                }
                Some((x0, y0)) => {
                    let (dx, dy) = (x - x0, y - y0);
                    let _ = write!(d, "m{dx}{}{dy}{mark}", separator(dy));
                }
            }
            last = Some((x, y));
        }
        let color = hex(self.color);
        backend.push(&attributes, &format!("<path {paint}=\"{color}\" d=\"{d}\"/>"))
    }
}

fn hex(color: BackendColor) -> String {
    let (r, g, b) = color.rgb;
    if [r, g, b].iter().all(|c| c % 17 == 0) {
        return format!("#{:x}{:x}{:x}", r / 17, g / 17, b / 17);
    }
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn alpha(color: BackendColor) -> String {
    let text = format!("{:.2}", color.alpha);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn fill(color: BackendColor) -> String {
    let mut attributes = String::new();
    if color.rgb != (0, 0, 0) {
        let _ = write!(attributes, " fill=\"{}\"", hex(color));
    }
    if color.alpha < 1.0 {
        let _ = write!(attributes, " fill-opacity=\"{}\"", alpha(color));
    }
    attributes
}

/// A path with relative steps; steps of length zero are dropped.
fn path(points: &[BackendCoord], closed: bool) -> String {
    let mut d = String::from("<path d=\"");
    if let Some((x, y)) = points.first() {
        let _ = write!(d, "M{x} {y}");
    }
    if points.len() > 1 {
        d.push_str(&steps(points));
    }
    if closed {
        d.push('z');
    }
    d.push_str("\"/>");
    d
}

/// The way from each point to the next.
fn steps(points: &[BackendCoord]) -> String {
    let mut d = String::from("l");
    for pair in points.windows(2) {
        let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        if (dx, dy) == (0, 0) {
            continue;
        }
        if !d.ends_with('l') {
            d.push_str(separator(dx));
        }
        let _ = write!(d, "{dx}{}{dy}", separator(dy));
    }
    // A line whose points all coincide is drawn as a dot by its round caps.
    if d.ends_with('l') {
        d.push_str("0 0");
    }
    d
}

/// What parts a number from the one before it: a minus does so by itself.
fn separator(value: i32) -> &'static str {
    if value < 0 { "" } else { " " }
}
