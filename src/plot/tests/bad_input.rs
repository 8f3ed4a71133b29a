//! Bad input is an error, extreme input is drawn, and nothing panics.

use nalgebra::{DMatrix, dmatrix, dvector};

use super::{model, spread};
use crate::plot::{Chart, Colour, Diagram, page};

#[test]
fn bad_input_is_an_error_that_says_what() {
    let x = spread(3);
    let chart = || Chart::new("x", "y");
    let ok = || chart().scatter(&x, Colour::Ink);
    let unit = dmatrix![1.0, 0.0; 0.0, 1.0];
    let cases: Vec<(Chart<'_>, &str)> = vec![
        (chart(), "nothing to draw"),
        (chart().scatter(&dmatrix![1.0, 2.0, 3.0], Colour::Ink), "3 columns"),
        (chart().scatter(&DMatrix::<f64>::zeros(0, 2), Colour::Ink), "no points"),
        (chart().scatter(&dmatrix![1.0, f64::NAN], Colour::Ink), "point 0"),
        (chart().scatter_by_label(&x, &[0]), "1 labels for 3"),
        (chart().scatter_by_responsibility(&x, &dmatrix![1.0]), "1 × 1"),
        (chart().scatter_by_responsibility(&x, &dmatrix![1.0; 0.5; 1.0]), "row 1"),
        (
            chart().scatter_by_responsibility(&x, &dmatrix![1.0; 1.0; f64::NAN]),
            "row 2",
        ),
        (ok().ellipse(&dvector![1.0], &unit, 0.9, Colour::Ink), "mean"),
        (ok().ellipse(&dvector![1.0, 1.0], &unit, 1.0, Colour::Ink), "mass"),
        (
            ok().ellipse(&dvector![1.0, 1.0], &(-&unit), 0.9, Colour::Ink),
            "positive definite",
        ),
        (ok().components(&dmatrix![1.0, 1.0], &[], 0.9), "1 means and 0"),
        (
            ok().components(&dmatrix![1.0; 1.0], &[unit.clone(), unit.clone()], 0.9),
            "mean",
        ),
        (ok().cross(&dvector![f64::INFINITY, 0.0], Colour::Ink), "mean"),
        (ok().contours(|_, _| 1.0, &[], Colour::Ink), "level"),
        (ok().contours(|_, _| f64::NAN, &[1.0], Colour::Ink), "NaN"),
        (ok().curve("", |_| f64::NAN, Colour::Ink), "NaN"),
        (chart().curve("", |x| x, Colour::Ink), "x_range"),
        (chart().contours(|x, _| x, &[1.0], Colour::Ink), "x_range"),
        (ok().line("", [(0.0, f64::INFINITY)], Colour::Ink), "point 0"),
        (ok().trace("", [0.0; 0], Colour::Ink), "no points"),
        (ok().histogram("", [1.0], 3, Colour::Ink), "spread"),
        (ok().band("", [(0.0, f64::NAN, 1.0)], Colour::Ink), "not finite"),
        (ok().vertical(f64::NAN, ""), "not finite"),
        (ok().horizontal(f64::NAN, ""), "not finite"),
        (ok().text(0.0, f64::NAN, ""), "not finite"),
        (ok().x_range(1.0..1.0), "x_range"),
        (ok().y_range(f64::NAN..1.0), "y_range"),
        (
            chart().line("", [(0.0, 1.0)], Colour::Ink).log_y().y_range(0.0..1.0),
            "not positive",
        ),
        (chart().log_x().line("", [(0.0, 1.0)], Colour::Ink), "logarithmic"),
        (ok().log_x().equal_aspect(), "equal_aspect"),
        (ok().size(10.0, 10.0), "size"),
        (chart().with_label("a").scatter(&x, Colour::Ink), "with_label"),
        (ok().with_dashes(), "with_dashes"),
        (chart().line("", [(-1e308, 0.0), (1e308, 0.0)], Colour::Ink), "x axis"),
    ];
    for (chart, expected) in cases {
        match chart.to_svg() {
            Ok(_) => panic!("no error about `{expected}`"),
            Err(error) => {
                assert!(
                    error.to_string().contains(expected),
                    "{error} lacks `{expected}`"
                )
            }
        }
    }
    assert!(page::draw(&[], 1).is_err());
    assert!(page::draw(&[ok()], 0).is_err());
}

#[test]
fn a_bad_diagram_is_an_error_that_says_what() {
    let cases = [
        (Diagram::new(), "nothing to draw"),
        (model().arrow("x", "y"), "no node `y`"),
        (model().plate(&["w"], "K"), "no node `w`"),
        (model().plate(&[], "K"), "no nodes"),
        (model().arrow("x", "x"), "too close"),
        (model().node("x", "x", 5.0, 5.0), "there already"),
        (model().node("w", "w", f64::NAN, 0.0), "position"),
    ];
    for (diagram, expected) in cases {
        match diagram.to_svg() {
            Ok(_) => panic!("no error about `{expected}`"),
            Err(error) => {
                assert!(
                    error.to_string().contains(expected),
                    "{error} lacks `{expected}`"
                )
            }
        }
    }
}

#[test]
fn extreme_but_lawful_data_draws() {
    for scale in [1e-280, 1e-9, 1e9, 1e290] {
        for offset in [0.0, 1e6, -1e9] {
            let points = [(offset * scale, 1.0), ((offset + 1.0) * scale, 2.0)];
            let chart = Chart::new("x", "y").line("label", points, Colour::Ink);
            let svg =
                chart.to_svg().unwrap_or_else(|e| panic!("{scale} {offset}: {e}"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(
                page::draw(&[chart.clone(), chart.clone(), chart.clone(), chart], 4)
                    .is_ok()
            );
        }
    }
    for range in [1e-300..1e300, 1.0..1.0 + 1e-9] {
        let svg = Chart::new("x", "y")
            .log_y()
            .y_range(range)
            .line("", [(0.0, 1.0), (1.0, 1.0)], Colour::Ink)
            .to_svg();
        assert!(svg.is_ok());
    }
    assert!(
        Chart::new("x", "y").dots("one", [(3.0, 3.0)], Colour::Ink).to_svg().is_ok()
    );
}
