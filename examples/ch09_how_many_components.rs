//! Chapter 9: criteria for the number of components, and where each of them fails.

use mixtures::math::{Rng, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, save_row};
use mixtures::rand::RngExt;
use mixtures::rand::seq::SliceRandom;
use mixtures::rand_distr::StandardNormal;
use mixtures::{
    Choice, Choices, Covariance, Criterion, Em, GaussianMixture, HeldOut, Prior,
    Result, choose, data,
};

// ANCHOR: search
/// How every real data set is fitted here.
fn search(k: usize) -> Em {
    Em::new(k).restarts(10).seed(7)
}
// ANCHOR_END: search

/// The mean of `values` and its standard error.
fn mean_and_error(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.into_iter().collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

// ANCHOR: choose
/// One to six components with full covariances, by every criterion.
fn compare(x: &DMatrix<f64>) -> Result<Choices> {
    choose(1..=6, &[Covariance::Full]).em(search(1)).folds(10).fit(x)
}
// ANCHOR_END: choose

/// The row's mixture, its components in an order that does not depend on the search.
fn mixture(row: &Choice) -> Result<GaussianMixture> {
    let fitted = row.outcome.as_ref().map_err(Clone::clone)?;
    Ok(fitted.fit.mixture.sorted())
}

/// The rows' held-out log likelihoods, for each K.
fn judged(choices: &Choices) -> Result<Vec<HeldOut>> {
    let of = |row: &Choice| row.held_out.clone().expect("folds were asked for");
    choices.rows().iter().map(of).collect()
}

/// Each criterion above its own smallest value; the held-out likelihood times −2.
fn panel(heading: &str, choices: &Choices) -> Chart<'static> {
    let mut chart = Chart::new("number of components K", "above the smallest")
        .heading(heading)
        .size(380.0, 330.0)
        .x_range(0.7..6.3)
        .y_range(-5.0..150.0);
    let criteria = [
        ("AIC", Criterion::Aic, 1.0),
        ("BIC", Criterion::Bic, 1.0),
        ("ICL", Criterion::Icl, 1.0),
        ("−2 × held-out", Criterion::HeldOut, -2.0),
    ];
    for (i, (name, criterion, factor)) in criteria.into_iter().enumerate() {
        let cost = |row: &Choice| {
            Some((row.components as f64, factor * row.value(criterion)?))
        };
        let costs: Vec<(f64, f64)> = choices.rows().iter().filter_map(cost).collect();
        let least = costs.iter().map(|(_, cost)| *cost).fold(f64::INFINITY, f64::min);
        let points: Vec<_> =
            costs.iter().map(|(k, cost)| (*k, cost - least)).collect();
        let colour = Colour::component(i);
        chart = chart.line(name, points.clone(), colour).dots("", points, colour);
    }
    chart
}

fn training() -> Result<Vec<f64>> {
    let (faithful, iris) = (data::faithful(), data::iris());
    println!("# Training");
    println!("K   Old Faithful      irises   starts that collapsed");
    let mut geysers = Vec::new();
    for k in 1..=8 {
        let geyser = search(k).fit(&faithful)?.log_likelihood();
        let flowers = search(k).fit(&iris)?;
        let lost = flowers.restarts.iter().filter(|end| end.is_none()).count();
        let flowers = flowers.log_likelihood();
        println!("{k} {geyser:14.1} {flowers:11.1} {lost:23}");
        geysers.push(geyser);
    }
    let longer = search(8).restarts(200).fit(&iris)?.log_likelihood();
    println!("eight components for the irises, best of 200 starts = {longer:.1}");
    Ok(geysers)
}

// ANCHOR: held_out
/// For each of n rows the fold that holds it out: equal shares, dealt at random.
fn deal(n: usize, folds: usize, rng: &mut Rng) -> Vec<usize> {
    let mut fold_of: Vec<usize> = (0..n).map(|i| i % folds).collect();
    fold_of.shuffle(rng);
    fold_of
}

/// ln p(xₙ) of each row, by the mixture fitted without the row's fold (length N).
fn held_out(em: &Em, x: &DMatrix<f64>, fold_of: &[usize]) -> Result<DVector<f64>> {
    let mut log_density = DVector::zeros(x.nrows());
    for fold in 0..=fold_of.iter().copied().max().unwrap_or(0) {
        let (held, kept): (Vec<usize>, Vec<usize>) =
            (0..x.nrows()).partition(|&n| fold_of[n] == fold);
        let fit = em.fit(&x.select_rows(&kept))?;
        let predicted = fit.mixture.log_density(&x.select_rows(&held))?;
        for (n, value) in held.into_iter().zip(&predicted) {
            log_density[n] = *value;
        }
    }
    Ok(log_density)
}
// ANCHOR_END: held_out

/// The total of `values`, and its standard error.
fn total(values: &DVector<f64>) -> (f64, f64) {
    let n = values.len() as f64;
    let (mean, error) = mean_and_error(values.iter().copied());
    (mean * n, error * n)
}

fn holding_out(choices: &Choices, geysers: &[f64]) -> Result<()> {
    let x = data::faithful();
    let judged = judged(choices)?;
    println!("\n# Held out");
    println!("K      total   error   less that of K = 2   error");
    for (k, one) in (1..).zip(&judged) {
        let (sum, error) = total(&one.log_density);
        let (ahead, paired) = total(&(&one.log_density - &judged[1].log_density));
        println!("{k} {sum:10.1} {error:7.1} {ahead:20.1} {paired:7.1}");
    }
    let plain = held_out(&search(2), &x, &judged[1].folds)?;
    let apart = (plain - &judged[1].log_density).amax();
    println!("the plain loop differs by less than 1e-9: {}", apart < 1e-9);
    let fits: Vec<_> = (1..).map(f64::from).zip(geysers.iter().copied()).collect();
    let held: Vec<_> =
        (1..).map(f64::from).zip(judged.iter().map(HeldOut::total)).collect();
    Chart::new("number of components K", "log likelihood")
        .x_range(1.7..8.3)
        .y_range(-1165.0..-1070.0)
        .line("of the points fitted", fits[1..].to_vec(), Colour::component(0))
        .dots("", fits[1..].to_vec(), Colour::component(0))
        .line("of points held out", held[1..].to_vec(), Colour::component(1))
        .dots("", held[1..].to_vec(), Colour::component(1))
        .save("ch09-held-out")
}

// ANCHOR: guarded
/// With chapter 7's prior no component can live on two or three points alone.
fn guarded(x: &DMatrix<f64>, k: usize, restarts: usize) -> Result<GaussianMixture> {
    let em = Em::new(k).prior(Prior::for_components(x, k)?);
    Ok(em.restarts(restarts).seed(7).max_iterations(300).fit(x)?.mixture)
}
// ANCHOR_END: guarded

/// Two standard normals in one dimension, at ±`at`, as often the one as the other.
fn two(at: f64) -> Result<GaussianMixture> {
    let one = || dmatrix![1.0];
    GaussianMixture::new(dvector![0.5, 0.5], dmatrix![-at; at], vec![one(), one()])
}

fn optimism() -> Result<()> {
    let (n, truth) = (200, two(2.5)?);
    let (fresh, _) = truth.sample(20_000, &mut rng_stream(9, 1000));
    println!("\n# Two halves");
    println!("K   P/2   above the truth   below it on fresh points");
    for k in 2..=3 {
        let (mut above, mut below) = (Vec::new(), Vec::new());
        for set in 0..100 {
            let (x, _) = truth.sample(n, &mut rng_stream(9, set));
            let mixture = guarded(&x, k, 2)?;
            above.push((mixture.log_density(&x)? - truth.log_density(&x)?).sum());
            let lost = truth.log_density(&fresh)? - mixture.log_density(&fresh)?;
            below.push(n as f64 * lost.mean());
        }
        let half = (3 * k - 1) as f64 / 2.0;
        let ((a, da), (b, db)) = (mean_and_error(above), mean_and_error(below));
        println!("{k} {half:5.1} {a:9.1} ± {da:.1} {b:17.1} ± {db:.1}");
    }
    Ok(())
}

fn evidence() {
    let (mu, m0, beta0) = (1.0, 0.0, 0.1);
    let mut rng = rng(9);
    let x =
        DVector::from_fn(10_000, |_, _| mu + rng.sample::<f64, _>(StandardNormal));
    println!("\n# Evidence");
    println!("    N   log evidence       -BIC/2   difference");
    for n in [10, 100, 1000, 10_000] {
        // ANCHOR: evidence
        let x = x.rows(0, n);
        let (size, mean) = (n as f64, x.mean());
        let squares: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
        let best = -0.5 * (size * std::f64::consts::TAU.ln() + squares);
        let share = beta0 / (beta0 + size);
        let exact =
            best + 0.5 * share.ln() - 0.5 * size * share * f64::powi(mean - m0, 2);
        let half_bic = best - 0.5 * size.ln();
        // ANCHOR_END: evidence
        println!("{n:5} {exact:14.3} {half_bic:12.3} {:12.4}", exact - half_bic);
    }
    let limit = 0.5 * f64::ln(beta0) - 0.5 * beta0 * f64::powi(mu - m0, 2);
    println!("limit of the difference = {limit:.4}");
}

/// AIC, BIC, ICL, and −2 × the log likelihood that N fresh points can expect.
type Costs = [f64; 4];
const NAMES: [&str; 4] = ["AIC", "BIC", "ICL", "fresh points"];

// ANCHOR: costs
/// What the criteria say of K = 1, …, `largest`, and what fresh points say.
fn costs(
    x: &DMatrix<f64>,
    fresh: &DMatrix<f64>,
    largest: usize,
) -> Result<Vec<Costs>> {
    let n = x.nrows() as f64;
    let of = |k: usize| {
        let m = guarded(x, k, 2)?;
        let prediction = -2.0 * n * m.log_density(fresh)?.mean();
        Ok([m.aic(x)?, m.bic(x)?, m.icl(x)?, prediction])
    };
    (1..=largest).map(of).collect()
}
// ANCHOR_END: costs

/// The K of smallest cost, for each criterion.
fn chosen(costs: &[Costs]) -> [usize; 4] {
    [0, 1, 2, 3].map(|i| {
        let least = (1..costs.len()).fold(0, |least, k| {
            if costs[k][i] < costs[least][i] { k } else { least }
        });
        least + 1
    })
}

fn overlap() -> Result<()> {
    let truth = two(1.5)?;
    let (fresh, _) = truth.sample(5000, &mut rng_stream(9, 1000));
    let mut counts = [[[0; 3]; 3]; 4];
    for (i, n) in [50, 200, 800].into_iter().enumerate() {
        for set in 0..50 {
            let (x, _) = truth.sample(n, &mut rng_stream(9, set));
            for (c, k) in chosen(&costs(&x, &fresh, 3)?).into_iter().enumerate() {
                counts[c][i][k - 1] += 1;
            }
        }
    }
    println!("\n# Two that overlap");
    println!("                 N = 50       N = 200       N = 800");
    println!("K =           1   2   3     1   2   3     1   2   3");
    for (name, by_size) in NAMES.iter().zip(&counts) {
        let cells =
            by_size.map(|[one, two, three]| format!("{one:3} {two:3} {three:3}"));
        println!("{name:12}{}", cells.join("   "));
    }
    Ok(())
}

/// Points that are uniform between 0 and 1.
fn uniform_points(n: usize, stream: u64) -> DMatrix<f64> {
    let mut rng = rng_stream(90, stream);
    DMatrix::from_fn(n, 1, |_, _| rng.random::<f64>())
}

fn uniform() -> Result<()> {
    let fresh = uniform_points(5000, 1000);
    println!("\n# One uniform cluster");
    println!("   N      AIC      BIC      ICL   fresh points");
    let mut by_bic = 0; // in the last size's first data set
    for n in [100, 300, 1000] {
        let mut ks = [const { Vec::new() }; 4];
        for set in 0..5 {
            let chosen = chosen(&costs(&uniform_points(n, set), &fresh, 7)?);
            if set == 0 {
                by_bic = chosen[1];
            }
            ks.iter_mut().zip(chosen).for_each(|(ks, k)| ks.push(k));
        }
        let cells = ks.map(|mut ks| {
            ks.sort_unstable();
            format!("{} ({}–{})", ks[2], ks[0], ks[4])
        });
        println!("{n:4}  {}", cells.join("  "));
    }
    let x = uniform_points(1000, 0);
    let mixture = guarded(&x, by_bic, 2)?.sorted();
    let density =
        |at: f64| mixture.log_density(&dmatrix![at]).map_or(0.0, |l| l[0].exp());
    let mut chart = Chart::new("x", "density")
        .x_range(-0.3..1.3)
        .y_range(0.0..1.6)
        .histogram("", x.iter().copied(), 20, Colour::Grey)
        .curve("BIC's mixture", density, Colour::Ink);
    for (k, component) in mixture.components().iter().enumerate() {
        let weight = mixture.weights()[k];
        let share = move |at: f64| {
            weight * component.log_density(&dmatrix![at]).map_or(0.0, |l| l[0].exp())
        };
        chart = chart.curve("", share, Colour::component(k));
    }
    chart.save("ch09-uniform")
}

fn cross() -> Result<()> {
    let truth = GaussianMixture::new(
        dvector![0.5, 0.5],
        dmatrix![0.0, 0.0; 0.0, 0.0],
        vec![dmatrix![9.0, 0.0; 0.0, 1.0], dmatrix![1.0, 0.0; 0.0, 9.0]],
    )?;
    let (x, _) = truth.sample(300, &mut rng_stream(9, 0));
    println!("\n# Two that cross");
    println!("K      AIC      BIC      ICL");
    let mut chart = Chart::new("x_1", "x_2").equal_aspect();
    for k in 1..=3 {
        let m = guarded(&x, k, 10)?.sorted();
        println!("{k} {:8.1} {:8.1} {:8.1}", m.aic(&x)?, m.bic(&x)?, m.icl(&x)?);
        let all = |m: &GaussianMixture| -> Vec<DMatrix<f64>> {
            (0..k).map(|k| m.covariance(k).clone()).collect()
        };
        chart = match k {
            1 => chart
                .scatter(&x, Colour::Grey)
                .ellipse(&m.means().row(0), m.covariance(0), 0.9, Colour::Ink)
                .with_dashes(),
            2 => chart.components(m.means(), &all(&m), 0.9),
            _ => chart,
        };
    }
    chart.save("ch09-cross")
}

fn irises(choices: &Choices) -> Result<()> {
    let (x, species) = (data::iris(), data::iris_species());
    println!("\n# Irises");
    println!("{choices:.1}");
    println!("\n# Species");
    println!("             K = 2          K = 3");
    for name in ["setosa", "versicolor", "virginica"] {
        print!("{name:10}");
        for row in &choices.rows()[1..3] {
            let labels = mixture(row)?.predict(&x)?;
            let mut counts = vec![0; row.components];
            for (label, of) in labels.into_iter().zip(&species) {
                counts[label] += usize::from(*of == name);
            }
            print!(
                "  {}",
                counts.iter().map(|c| format!("{c:3}")).collect::<Vec<_>>().join(" ")
            );
        }
        println!();
    }
    println!("\n# Dealt again");
    println!("held-out likelihood of K = 3 less that of K = 2");
    for stream in 0..4 {
        let fold_of = deal(x.nrows(), 10, &mut rng_stream(9, stream));
        let apart =
            held_out(&search(3), &x, &fold_of)? - held_out(&search(2), &x, &fold_of)?;
        let (sum, error) = total(&apart);
        println!("dealt with stream {stream}: {sum:6.1} ± {error:.1}");
    }
    Ok(())
}

fn main() -> Result<()> {
    let geysers = training()?;
    let geyser = compare(&data::faithful())?;
    holding_out(&geyser, &geysers)?;
    optimism()?;
    evidence();
    overlap()?;
    uniform()?;
    cross()?;
    println!("\n# Old Faithful");
    println!("{geyser:.1}");
    let six = mixture(&geyser.rows()[5])?;
    let deviation = |k: usize| six.covariance(k)[(0, 0)].sqrt();
    let narrowest =
        (1..6).fold(0, |a, b| if deviation(b) < deviation(a) { b } else { a });
    println!(
        "narrowest of the six, mean duration = {:.2}",
        six.means()[(narrowest, 0)]
    );
    println!("its standard deviation = {:.3}", deviation(narrowest));
    let flowers = compare(&data::iris())?;
    irises(&flowers)?;
    save_row(
        "ch09-criteria",
        &[panel("Old Faithful", &geyser), panel("irises", &flowers)],
    )
}
