//! Chapter 5: the lower bound that EM climbs, how fast it climbs, and when to stop.

use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, dmatrix, dvector};
use mixtures::plot::{Chart, Colour};
use mixtures::{Em, GaussianMixture, Result, Start, data};

// ANCHOR: log_likelihood
/// ln p(X | μ) for two standard normals at −μ and μ with equal weights.
fn log_likelihood(x: &[f64], mu: f64) -> f64 {
    let constant = 0.5 * std::f64::consts::TAU.ln();
    x.iter().map(|x| -0.5 * (x * x + mu * mu) - constant + ln_cosh(mu * x)).sum()
}

/// ln cosh u, without overflow.
fn ln_cosh(u: f64) -> f64 {
    u.abs() + (0.5 + 0.5 * (-2.0 * u.abs()).exp()).ln()
}
// ANCHOR_END: log_likelihood

// ANCHOR: bound
/// F(q, μ), with q the responsibilities under `mu_of_q`.
fn bound(x: &[f64], mu_of_q: f64, mu: f64) -> f64 {
    let constant = 0.5 * (4.0 * std::f64::consts::TAU).ln();
    // The responsibility of the component at μ.
    let share = |x: f64| 1.0 / (1.0 + (-2.0 * mu_of_q * x).exp());
    x.iter()
        .flat_map(|&x| [(share(x), x - mu), (share(-x), x + mu)])
        .map(|(q, residual)| q * (-0.5 * residual * residual - constant - q.ln()))
        .sum()
}

/// The M-step: the mean of the points, each turned by the sign that it probably has.
fn update(x: &[f64], mu: f64) -> f64 {
    x.iter().map(|x| x * (mu * x).tanh()).sum::<f64>() / x.len() as f64
}
// ANCHOR_END: bound

// ANCHOR: rate
/// The slope of `update` at a fixed point: the share of the information that is
/// missing.
fn missing(x: &[f64], mu: f64) -> f64 {
    x.iter().map(|x| (x / (mu * x).cosh()).powi(2)).sum::<f64>() / x.len() as f64
}
// ANCHOR_END: rate

/// Updates until nothing changes any more.
fn converge(x: &[f64], start: f64) -> f64 {
    (0..20_000).fold(start, |mu, _| update(x, mu))
}

/// 400 points of the two normals at ±`mean`.
fn sample(mean: f64) -> Result<Vec<f64>> {
    let truth = GaussianMixture::new(
        dvector![0.5, 0.5],
        dmatrix![-mean; mean],
        vec![dmatrix![1.0]; 2],
    )?;
    Ok(truth.sample(400, &mut rng(5)).0.as_slice().to_vec())
}

fn main() -> Result<()> {
    // ANCHOR: trace
    let sigma = dmatrix![1.0, 0.5; 0.5, 1.0];
    let means = dmatrix![0.0, 0.0; 1.0, 1.0; 2.0, 2.0];
    let start = GaussianMixture::new(dvector![0.4, 0.3, 0.3], means, vec![sigma; 3])?;
    let fit = Em::new(3)
        .start(Start::Given(start))
        .max_iterations(50)
        .tolerance(0.0)
        .fit(&data::notebook())?;
    // ANCHOR_END: trace
    println!("# The notebook's trace");
    for t in [0, 1, 2, 5, 10, 15, 20, 25] {
        println!("after {t:2} updates: {:10.4}", fit.trace[t]);
    }
    let last = fit.log_likelihood();
    let gap = |t: usize| last - fit.trace[t];
    println!("ratio of the last gaps = {:.2}", gap(22) / gap(21));
    let gaps = (0..=22).map(|t| (t as f64, gap(t)));
    Chart::new("updates", "gap to the last log likelihood")
        .log_y()
        .dots("", gaps, Colour::component(0))
        .save("ch05-trace")?;

    let x = sample(1.5)?;
    let peak = converge(&x, 1.0);
    let mu_0 = 0.25;
    let mu_1 = update(&x, mu_0);
    println!("\n# Two touches");
    for (t, mu) in [mu_0, mu_1, update(&x, mu_1)].into_iter().enumerate() {
        println!(
            "mu_{t} = {mu:.4}: log likelihood {:.4}, bound with its own q {:.4}",
            log_likelihood(&x, mu),
            bound(&x, mu, mu)
        );
    }
    Chart::new("μ", "log likelihood")
        .x_range(-0.5..3.0)
        .y_range(-1100.0..-700.0)
        .curve("log likelihood", |mu| log_likelihood(&x, mu), Colour::Ink)
        .curve(
            "bound with the first q",
            |mu| bound(&x, mu_0, mu),
            Colour::component(0),
        )
        .curve(
            "bound with the second q",
            |mu| bound(&x, mu_1, mu),
            Colour::component(1),
        )
        .dots(
            "",
            [(mu_0, bound(&x, mu_0, mu_0)), (mu_1, bound(&x, mu_0, mu_1))],
            Colour::component(0),
        )
        .dots("", [(mu_1, bound(&x, mu_1, mu_1))], Colour::component(1))
        .save("ch05-bound")?;
    println!("\n# In the valley");
    println!("update of zero = {:.1}", update(&x, 0.0));
    let mean_square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    println!("mean square of the points = {mean_square:.2}");
    println!("log likelihood at zero = {:.3}", log_likelihood(&x, 0.0));
    println!("log likelihood at the peak = {:.3}", log_likelihood(&x, peak));
    println!(
        "after 60 updates from a hundred-millionth = {:.4}",
        (0..60).fold(1e-8, |mu, _| update(&x, mu))
    );

    println!("\n# Rates");
    println!("means at   missing   error ratio   gap ratio   missing²");
    let mut chart =
        Chart::new("updates", "gap to the peak").log_y().y_range(1e-6..1e4);
    for (i, mean) in [1.5, 1.0, 0.75, 0.5].into_iter().enumerate() {
        let x = sample(mean)?;
        let peak = converge(&x, mean);
        let rate = missing(&x, peak);
        let path: Vec<f64> =
            std::iter::successors(Some(3.0 * mean), |mu| Some(update(&x, *mu)))
                .take(60)
                .collect();
        let gaps: Vec<f64> = path
            .iter()
            .map(|mu| log_likelihood(&x, peak) - log_likelihood(&x, *mu))
            .collect();
        let t = gaps.iter().position(|g| *g < 1e-4).unwrap_or(58);
        let errors = (path[t] - peak) / (path[t - 1] - peak);
        println!(
            "±{mean:<4}      {rate:7.3}   {errors:11.3}   {:9.3}   {:8.3}",
            gaps[t] / gaps[t - 1],
            rate * rate
        );
        let colour = Colour::component(i);
        let seen = gaps.iter().enumerate().take_while(|(_, g)| **g > 1e-6);
        let (height, at) = (gaps[t], t as f64);
        let predicted = move |u: f64| height * rate.powf(2.0 * (u - at));
        chart = chart
            .dots(
                &format!("means at ±{mean}"),
                seen.map(|(t, g)| (t as f64, *g)),
                colour,
            )
            .curve("", predicted, colour);
    }
    chart.x_range(0.0..16.0).save("ch05-rates")?;
    // ANCHOR: plateau
    let x = data::faithful();
    let patient = Em::new(2).seed(6).tolerance(0.0).max_iterations(90).fit(&x)?;
    println!("\n# When to stop");
    println!("tolerance   updates   log likelihood   still to gain");
    for tolerance in [1e-2, 1e-3, 1e-4, 1e-6] {
        let fit = Em::new(2).seed(6).tolerance(tolerance).fit(&x)?;
        let left = patient.log_likelihood() - fit.log_likelihood();
        println!(
            "{tolerance:9}   {:7}   {:14.3}   {left:13.3}",
            fit.iterations,
            fit.log_likelihood()
        );
    }
    // ANCHOR_END: plateau
    let stop = Em::new(2).seed(6).tolerance(1e-3).fit(&x)?;
    Chart::new("updates", "log likelihood")
        .line("", (1..91).map(|t| (t as f64, patient.trace[t])), Colour::component(0))
        .vertical(stop.iterations as f64, "a gain below 10^{-3} a point")
        .save("ch05-plateau")?;

    // ANCHOR: padded
    /// An update of mean and variance, with a constant added to the variance "for
    /// stability".
    fn padded_update(x: &[f64], (mu, variance): (f64, f64)) -> (f64, f64) {
        let mean = x.iter().map(|x| x * (mu * x / variance).tanh()).sum::<f64>()
            / x.len() as f64;
        let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        (mean, square - mean * mean + 1e-2)
    }
    // ANCHOR_END: padded
    let x: Vec<f64> = sample(1.5)?.iter().map(|x| 0.05 * x).collect();
    let log_likelihood = |(mu, variance): (f64, f64)| -> Result<f64> {
        let m = GaussianMixture::new(
            dvector![0.5, 0.5],
            dmatrix![-mu; mu],
            vec![dmatrix![variance]; 2],
        )?;
        Ok(m.log_density(&DMatrix::from_column_slice(x.len(), 1, &x))?.sum())
    };
    println!("\n# With the constant");
    let mut parameters = (0.075, 0.0025);
    for t in 0..4 {
        println!("after {t} updates: {:9.3}", log_likelihood(parameters)?);
        parameters = padded_update(&x, parameters);
    }
    Ok(())
}
