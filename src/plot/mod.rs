//! Figures, as SVG: charts of points, ellipses, contours and traces, and graphical models.
//!
//! [`Chart`] collects what is to be drawn and [`Chart::save`] writes it; [`save_row`] and
//! [`save_grid`] put several charts into one figure; [`Diagram`] draws graphical models.
//!
//! A figure has no background and its ink is black, so that it reads on a light page as it is and
//! on a dark one under the CSS `filter: invert(1) hue-rotate(180deg)`. It names no font, asks no
//! host for anything, and its bytes are the same wherever it is drawn: coordinates are whole
//! numbers on a grid eight times finer than a pixel, so that the last bits of a number do not show.

mod axis;
mod chart;
mod colour;
mod contour;
mod crowd;
mod diagram;
mod geometry;
mod layer;
mod legend;
mod output;
mod page;
mod render;
mod shape;
mod svg;
mod text;

#[cfg(test)]
mod tests;

pub use chart::Chart;
pub use colour::Colour;
pub use diagram::Diagram;
pub use legend::Legend;

use crate::Error;

/// Draws the charts side by side into one file, as [`Chart::save`] does for one.
///
/// # Errors
/// If one of the charts is bad, there is none, `name` is no plain file name, or the file cannot be
/// written.
pub fn save_row(name: &str, charts: &[Chart<'_>]) -> Result<(), Error> {
    save_grid(name, charts.len().max(1), charts)
}

/// Draws the charts into one file, in rows of so many columns.
///
/// # Errors
/// As [`save_row`]; also if `columns` is 0.
pub fn save_grid(
    name: &str,
    columns: usize,
    charts: &[Chart<'_>],
) -> Result<(), Error> {
    output::write(&output::folder(), name, page::draw(charts, columns))
}
