use approx::assert_relative_eq;
use mixtures::math::{ln_gamma, rng};
use mixtures::nalgebra::DMatrix;
use mixtures::{Concentration, Result, StickBreaking, Vb, data};

// ANCHOR: two_guests
#[test]
fn two_points_in_one_group() -> Result<()> {
    for alpha in [0.3_f64, 1.0, 4.0] {
        let formula = 1.0 / (1.0 + alpha);
        let division = ln_gamma(alpha) + alpha.ln() - ln_gamma(alpha + 2.0);
        assert_relative_eq!(division.exp(), formula, max_relative = 1e-12);
        let sticks = StickBreaking::process(alpha, 60)?;
        let mut rng = rng(17);
        let mut draw = || sticks.sample(&mut rng).norm_squared();
        let average = (0..20_000).map(|_| draw()).sum::<f64>() / 20_000.0;
        assert_relative_eq!(average, formula, epsilon = 0.01);
    }
    Ok(())
}
// ANCHOR_END: two_guests

// ANCHOR: price
#[test]
fn an_order_hides_less_than_a_nat() {
    let of_division = ln_gamma(72.0) + ln_gamma(7.0) + ln_gamma(3.0) - ln_gamma(83.0);
    let stick = |here: f64, later: f64| {
        ln_gamma(1.0 + here) + ln_gamma(1.0 + later) - ln_gamma(2.0 + here + later)
    };
    let in_order = stick(72.0, 10.0) + stick(7.0, 3.0) + stick(3.0, 0.0);
    let price = (83.0 / 72.0 * 11.0 / 7.0 * 4.0 / 3.0_f64).ln();
    assert_relative_eq!(of_division - in_order, price, epsilon = 1e-10);
    assert_relative_eq!(price, 0.88, epsilon = 0.005);
}
// ANCHOR_END: price

// ANCHOR: last
#[test]
fn the_fourth_stick_costs_ln_4() -> Result<()> {
    let x = data::galaxies();
    let group = |velocity: f64| match velocity {
        v if v < 12.0 => 1,
        v if v > 30.0 => 2,
        _ => 0,
    };
    let bound = |k: usize| -> Result<f64> {
        let process = Concentration::DirichletProcess { alpha: 1.0 };
        let r = DMatrix::from_fn(82, k, |n, k| f64::from(u8::from(group(x[n]) == k)));
        let vb = Vb::new(k).concentration(process);
        vb.given_responsibilities(&x, &r)?.elbo_with(&x, &r)
    };
    assert_relative_eq!(bound(3)? - bound(20)?, 4.0_f64.ln(), epsilon = 1e-9);
    assert_relative_eq!(bound(4)?, bound(20)?, epsilon = 1e-9);
    Ok(())
}
// ANCHOR_END: last

// ANCHOR: best_alpha
#[test]
fn the_most_probable_alpha() {
    let log_probability =
        |alpha: f64| 7.0 * alpha.ln() + ln_gamma(alpha) - ln_gamma(alpha + 82.0);
    let alphas: Vec<f64> = (1..1000).map(|i| 0.01 * f64::from(i)).collect();
    let best = alphas
        .into_iter()
        .max_by(|a, b| log_probability(*a).total_cmp(&log_probability(*b)))
        .unwrap_or(0.0);
    let expected: f64 = (0..82).map(|n| best / (best + f64::from(n))).sum();
    assert_relative_eq!(expected, 7.0, epsilon = 0.03);
    assert_relative_eq!(best, 1.64, epsilon = 0.011);
}
// ANCHOR_END: best_alpha
