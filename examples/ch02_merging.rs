//! Chapter 2: the mean and the scatter, kept so that parts merge and no digits are
//! lost.

use mixtures::math::{Rng, Sum, rng};
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::plot::{Chart, Colour};
use mixtures::rand::RngExt;
use mixtures::{Moments, Result};

// ANCHOR: textbook
/// The variance as the mean of the squares minus the square of the mean.
fn textbook(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (sum, squares) = x.iter().fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
    squares / n - (sum / n) * (sum / n)
}
// ANCHOR_END: textbook

// ANCHOR: rolling
/// The variance with a mean that moves at every point.
fn rolling(x: &[f64]) -> f64 {
    let (mut mean, mut scatter) = (0.0, 0.0);
    for (n, x) in x.iter().enumerate() {
        let before = x - mean;
        mean += before / (n + 1) as f64;
        scatter += before * (x - mean);
    }
    scatter / x.len() as f64
}
// ANCHOR_END: rolling

// ANCHOR: fixed
/// The variance about a fixed centre: the first point.
fn fixed(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    let centre = x[0];
    let (s, t) = x
        .iter()
        .fold((0.0, 0.0), |(s, t), x| (s + (x - centre), t + (x - centre).powi(2)));
    t / n - (s / n) * (s / n)
}
// ANCHOR_END: fixed

/// The variance of multiples of 2⁻²⁰ in whole-number arithmetic, rounded at the end.
fn exact(x: &[f64]) -> f64 {
    let n = x.len() as i128;
    let steps = x.iter().map(|x| (x * 1_048_576.0) as i128);
    let (sum, squares) = steps.fold((0, 0), |(s, q), k| (s + k, q + k * k));
    (n * squares - sum * sum) as f64 / (n * n) as f64 / 1_048_576.0 / 1_048_576.0
}

/// Ten thousand multiples of 2⁻²⁰ between −½ and ½: adding a power of two up to 2³²
/// is exact.
fn grid(rng: &mut Rng) -> Vec<f64> {
    let steps = 1_i64 << 19;
    (0..10_000)
        .map(|_| rng.random_range(-steps..=steps) as f64 / 1_048_576.0)
        .collect()
}

// ANCHOR: parts
/// The rows dealt out to `parts` hands in a random order; each hand about its own
/// first row.
fn deal(
    x: &DMatrix<f64>,
    w: &[f64],
    parts: usize,
    rng: &mut Rng,
) -> Result<Vec<Moments>> {
    let mut order: Vec<usize> = (0..x.nrows()).collect();
    for i in 0..order.len() {
        let j = rng.random_range(i..order.len());
        order.swap(i, j);
    }
    order
        .chunks(order.len() / parts)
        .map(|hand| {
            let mut moments = Moments::about(x.row(hand[0]).transpose());
            for &n in hand {
                moments.push(x.row(n), w[n])?;
            }
            Ok(moments)
        })
        .collect()
}

/// Merges the second half into the first, part by part, until one is left.
fn merge_all(mut parts: Vec<Moments>) -> Result<Moments> {
    while parts.len() > 1 {
        let halves = parts.len().div_ceil(2);
        for right in halves..parts.len() {
            let other = parts[right].clone();
            parts[right - halves].merge(&other)?;
        }
        parts.truncate(halves);
    }
    Ok(parts.remove(0))
}
// ANCHOR_END: parts

/// How many of `b`'s last places a is away from b.
fn last_places(a: f64, b: f64) -> f64 {
    (a - b) / (b.next_up() - b)
}

fn main() -> Result<()> {
    let mut rng = rng(2);
    let x = grid(&mut rng);
    let variance = exact(&x);
    println!("# Three ways");
    println!("variance by whole-number arithmetic = {variance:.8}");
    println!("the offset           textbook       rolling mean   fixed centre");
    let methods = [textbook as fn(&[f64]) -> f64, rolling, fixed];
    for power in [0, 10, 20, 27] {
        let moved: Vec<f64> = x.iter().map(|x| x + 2.0_f64.powi(power)).collect();
        let [a, b, c] = methods.map(|variance| variance(&moved));
        println!(
            "2^{power:<2} = {:9}  {a:13.8}  {b:13.8}  {c:13.8}",
            2.0_f64.powi(power)
        );
    }

    let mut errors: [Vec<(f64, f64)>; 3] = Default::default();
    for power in 0..=30 {
        let offset = 2.0_f64.powi(power);
        let moved: Vec<f64> = x.iter().map(|x| x + offset).collect();
        for (errors, method) in errors.iter_mut().zip(methods) {
            errors.push((
                offset,
                (method(&moved) / variance - 1.0).abs().clamp(1e-17, 10.0),
            ));
        }
    }
    Chart::new("offset", "relative error of the variance")
        .log_x()
        .log_y()
        .y_range(1e-17..10.0)
        .line("textbook", &errors[0], Colour::component(1))
        .dashed("rolling mean", &errors[1], Colour::component(2))
        .line("fixed centre", &errors[2], Colour::component(0))
        .save("ch02-digits")?;

    let weights: Vec<f64> = (0..10_000).map(|_| rng.random_range(0.0..2.0)).collect();
    println!("\n# Sixteen parts");
    let y = grid(&mut rng);
    for power in [0, 27] {
        let offset = 2.0_f64.powi(power);
        let points = DMatrix::from_fn(10_000, 2, |n, j| {
            offset + if j == 0 { x[n] + 1.0 } else { x[n] - 0.5 * y[n] + 1.0 }
        });
        // ANCHOR: compare
        let mut one_pass = Moments::about(points.row(0).transpose());
        for (row, &w) in points.row_iter().zip(&weights) {
            one_pass.push(row, w)?;
        }
        let merged = merge_all(deal(&points, &weights, 16, &mut rng)?)?;
        let mean =
            |moments: &Moments| moments.mean().expect("the weights are positive");
        let apart = mean(&merged).zip_map(&mean(&one_pass), last_places).amax();
        let scatter = (merged.scatter() - one_pass.scatter())
            .component_div(&one_pass.scatter());
        // ANCHOR_END: compare
        println!("offset 2^{power}:");
        println!("  means at most one last place apart: {}", apart <= 1.0);
        println!("  scatters agree to 1e-12: {}", scatter.amax() < 1e-12);
    }

    // ANCHOR: orders
    let terms: Vec<f64> =
        weights.iter().zip(&x).map(|(w, x)| w * (x + 1.0)).collect();
    let total = |order: &[usize]| {
        let plain: f64 = order.iter().map(|&n| terms[n]).sum();
        let mut careful = Sum::default();
        order.iter().for_each(|&n| careful += terms[n]);
        (plain, careful.value())
    };
    // ANCHOR_END: orders
    let mut order: Vec<usize> = (0..terms.len()).collect();
    let reference = total(&order).1;
    let (mut plain, mut careful) = (Vec::new(), Vec::new());
    for trial in 1..=200 {
        for i in 0..order.len() {
            let j = rng.random_range(i..order.len());
            order.swap(i, j);
        }
        let totals = total(&order);
        plain.push((f64::from(trial), last_places(totals.0, reference)));
        careful.push((f64::from(trial), last_places(totals.1, reference)));
    }
    let worst =
        |errors: &[(f64, f64)]| errors.iter().map(|e| e.1.abs()).fold(0.0, f64::max);
    println!("\n# Two hundred orders");
    println!("worst plain sum (last places) = {:.0}", worst(&plain));
    println!("worst careful sum (last places) = {:.0}", worst(&careful));
    Chart::new("order of the terms", "error (units in the last place)")
        .dots("plain sum", &plain, Colour::component(1))
        .dots("careful sum", &careful, Colour::component(0))
        .save("ch02-orders")?;

    println!("\n# What travels");
    let flat = Moments::of(&DMatrix::from_column_slice(10_000, 1, &x))?.flatten();
    println!("numbers = {}", flat.len());
    println!("numbers in the plane = {}", Moments::flat_len(2));
    let back = Moments::unflatten(&flat)?;
    println!("the same after the journey: {}", back.flatten() == flat);
    println!("count = {}", back.count());
    let nothing = Moments::about(DVector::zeros(1));
    println!("the mean of nothing: {:?}", nothing.mean());
    Ok(())
}
