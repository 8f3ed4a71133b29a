use approx::assert_relative_eq;
use mixtures::nalgebra::{DVector, dvector};
use mixtures::{Acceleration, Em, EmFit, Result, data};

// ANCHOR: square
#[test]
fn errors_are_squared() {
    // Chapter 5's components at ±μ; a quarter of the points is at −2, the rest at 1.5.
    let update = |mu: f64| {
        let turned = |x: f64| x * (mu * x).tanh();
        0.25 * turned(-2.0) + 0.75 * turned(1.5)
    };
    let end = (0..10_000).fold(1.0, |mu, _| update(mu));
    let h = 1e-3;
    let (up, down) = (update(end + h), update(end - h));
    let lambda = (up - down) / (2.0 * h);
    let c = (up - 2.0 * end + down) / (2.0 * h * h); // half the second derivative
    for error in [0.005, 0.002, -0.002] {
        let mu_1 = end + error;
        let mu_2 = update(mu_1);
        let r = mu_2 - mu_1;
        let v = (update(mu_2) - mu_2) - r;
        let left = mu_1 - r * r / v - end;
        let expected = -c * lambda / (1.0 - lambda) * error * error;
        assert_relative_eq!(left, expected, max_relative = 0.05);
    }
}
// ANCHOR_END: square

// ANCHOR: lengths
#[test]
fn the_right_lengths_end_exactly() {
    let lambda = dvector![0.99, 0.9, 0.5, 0.1];
    let update = |error: &DVector<f64>| error.component_mul(&lambda);
    // The furthest error on the way.
    let run = |order: [usize; 4]| {
        let mut error = dvector![1.0, -2.0, 0.5, 3.0];
        let mut furthest: f64 = 0.0;
        for i in order {
            let second = update(&error);
            let r = &second - &error;
            let v = (update(&second) - &second) - &r;
            let s = 1.0 / (1.0 - lambda[i]);
            error += &r * (2.0 * s) + &v * (s * s);
            furthest = furthest.max(error.amax());
        }
        assert!(error.amax() < 1e-7, "{error}");
        furthest
    };
    assert!(run([0, 1, 2, 3]) > 20_000.0);
    assert!(run([2, 0, 3, 1]) > 1000.0);
    assert!(run([3, 2, 1, 0]) < 3.0);
}
// ANCHOR_END: lengths

// ANCHOR: units
#[test]
fn seconds_or_minutes() -> Result<()> {
    let em = Em::new(3).seed(1).acceleration(Acceleration::Squarem);
    let minutes = data::faithful();
    let mut seconds = minutes.clone();
    seconds.column_mut(1).apply(|waiting| *waiting *= 60.0);
    let steps = |fit: &EmFit| -> Vec<f64> {
        fit.extrapolations.iter().map(|leap| leap.step).collect()
    };
    let [one, other] = [em.fit(&minutes)?, em.fit(&seconds)?];
    assert_eq!(one.iterations, other.iterations);
    for (s, t) in steps(&one).iter().zip(steps(&other)) {
        assert_relative_eq!(*s, t, max_relative = 1e-6);
    }
    // A density a second is lower by the factor 60.
    let lower = 272.0 * 60_f64.ln();
    let difference = one.log_likelihood() - other.log_likelihood();
    assert_relative_eq!(difference, lower, max_relative = 1e-9);
    Ok(())
}
// ANCHOR_END: units

// ANCHOR: cost
#[test]
fn two_of_three_are_updates() -> Result<()> {
    for k in 1..=4 {
        let em = Em::new(k).seed(1).tolerance(1e-9).max_iterations(5000);
        let fit = em.acceleration(Acceleration::Squarem).fit(&data::faithful())?;
        let leaps = fit.extrapolations;
        assert!(leaps.windows(2).all(|l| l[1].iteration >= l[0].iteration + 3));
        assert!(3 * leaps.len() <= fit.iterations);
    }
    Ok(())
}
// ANCHOR_END: cost
