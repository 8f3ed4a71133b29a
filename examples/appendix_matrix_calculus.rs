//! Appendix: matrix calculus, and how a wrong gradient is caught.

use mixtures::Result;
use mixtures::nalgebra::{DMatrix, dmatrix};
use mixtures::plot::{Chart, Colour};

// ANCHOR: central
/// The slope of f along the straight line `at` + t `along`, at t = 0.
fn central_difference(
    f: impl Fn(&DMatrix<f64>) -> f64,
    at: &DMatrix<f64>,
    along: &DMatrix<f64>,
    step: f64,
) -> f64 {
    (f(&(at + along * step)) - f(&(at - along * step))) / (2.0 * step)
}
// ANCHOR_END: central

fn log_det(a: &DMatrix<f64>) -> f64 {
    a.determinant().ln()
}

fn main() -> Result<()> {
    let a = dmatrix![1.0, 0.2; 0.2, 2.0];
    let b = dmatrix![1.5, 1.4; 1.4, 1.5] * 6.0;
    let along = &b - &a;
    let inverse = a.clone().try_inverse().expect("a is a covariance");
    let slope = (&inverse * &along).trace();

    let ends = (log_det(&a), log_det(&b));
    let between = |t: f64| log_det(&(&a * (1.0 - t) + &b * t));
    Chart::new("t", "ln det")
        .x_range(0.0..1.0)
        .y_range(0.0..4.0)
        .curve("ln det ((1 − t) A + t B)", between, Colour::component(0))
        .dashed("chord", [(0.0, ends.0), (1.0, ends.1)], Colour::Ink)
        .dotted(
            "tangent at t = 0",
            [(0.0, ends.0), (0.3, ends.0 + 0.3 * slope)],
            Colour::component(1),
        )
        .save("appendix-concave")?;

    // Powers of two and the four operations only, so that even the rounding errors in
    // the figure are the same on every machine.
    let trace_of_inverse =
        |a: &DMatrix<f64>| a.clone().try_inverse().expect("invertible").trace();
    let slope = -(&inverse * &along * &inverse).trace();
    let error = |formula: f64, h: f64| {
        (central_difference(trace_of_inverse, &a, &along, h) / formula - 1.0).abs()
    };
    println!("# The step");
    println!("slope by the formula = {slope:.6}");
    for power in [8, 12, 16] {
        let h = 0.5_f64.powi(power);
        println!(
            "step 2^-{power:<2}   central difference {:10.6}   relative error {:.1e}",
            central_difference(trace_of_inverse, &a, &along, h),
            error(slope, h)
        );
    }
    let curve = |formula: f64| {
        let steps = (6..=48).map(|power| 0.5_f64.powi(power));
        steps.map(move |h| (h, error(formula, h).max(1e-13)))
    };
    Chart::new("step h", "relative error")
        .log_x()
        .log_y()
        .line("right formula", curve(slope), Colour::component(0))
        .dashed("wrong sign", curve(-slope), Colour::component(1))
        .save("appendix-differences")?;
    Ok(())
}
