//! Chapter 6: where many starts end, K-means as the hard limit of EM, k-means++, and
//! what restarts buy.

use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, Legend, save_grid, save_row};
use mixtures::{Em, Gaussian, GaussianMixture, Result, Start, data};

/// Ends this close, in nats, are taken for the same peak.
const CLOSE: f64 = 0.01;

/// A mixture of seven clusters in the plane, no two of them alike; `apart` multiplies
/// the distances between their means.
fn seven(apart: f64) -> Result<GaussianMixture> {
    let sigma = |a: f64, b: f64, correlation: f64| {
        let both = a * b * correlation;
        dmatrix![a * a, both; both, b * b]
    };
    let means = dmatrix![
        0.0, 0.0; 6.0, 1.0; 2.5, 5.0; 9.0, 6.0; -4.0, 5.0; 5.0, -4.5; 11.0, -2.0
    ];
    GaussianMixture::new(
        dvector![0.22, 0.18, 0.15, 0.13, 0.12, 0.11, 0.09],
        means * apart,
        vec![
            sigma(1.3, 0.8, 0.5),
            sigma(0.7, 0.7, 0.0),
            sigma(0.9, 0.6, -0.6),
            sigma(1.0, 1.0, 0.3),
            sigma(0.5, 0.9, 0.0),
            sigma(0.8, 0.5, 0.4),
            sigma(0.5, 0.5, 0.0),
        ],
    )
}

/// How many ends are at the peak of this height.
fn at_the_top(ends: &[Option<f64>], top: f64) -> usize {
    ends.iter().flatten().filter(|end| top - **end < CLOSE).count()
}

/// For each row of `x` the nearest row of `centres`, the first if there are several.
fn nearest(x: &DMatrix<f64>, centres: &DMatrix<f64>) -> Vec<usize> {
    let squared = |n: usize, k: usize| (x.row(n) - centres.row(k)).norm_squared();
    (0..x.nrows())
        .map(|n| {
            (1..centres.nrows()).fold(0, |best, k| {
                if squared(n, k) < squared(n, best) { k } else { best }
            })
        })
        .collect()
}

/// The mean of each centre's points; a centre without points stays.
fn means(x: &DMatrix<f64>, z: &[usize], centres: &DMatrix<f64>) -> DMatrix<f64> {
    let mut moved = centres.clone();
    for k in 0..centres.nrows() {
        let own: Vec<usize> = (0..z.len()).filter(|&n| z[n] == k).collect();
        if !own.is_empty() {
            moved.set_row(k, &x.select_rows(&own).row_mean());
        }
    }
    moved
}

/// J: the sum of the squared distances from the nearest centre.
fn distortion(x: &DMatrix<f64>, centres: &DMatrix<f64>) -> f64 {
    let z = nearest(x, centres);
    (0..x.nrows()).map(|n| (x.row(n) - centres.row(z[n])).norm_squared()).sum()
}

/// The centres where K-means comes to rest, and J before each round.
fn k_means(x: &DMatrix<f64>, start: &DMatrix<f64>) -> (DMatrix<f64>, Vec<f64>) {
    let (mut centres, mut trace) = (start.clone(), Vec::new());
    let mut z = Vec::new();
    loop {
        trace.push(distortion(x, &centres));
        let next = nearest(x, &centres);
        if next == z {
            return (centres, trace);
        }
        centres = means(x, &next, &centres);
        z = next;
    }
}

// ANCHOR: soft
/// Components at the centres, with equal weights and covariances σ²I.
fn balls(centres: &DMatrix<f64>, sigma: f64) -> Result<GaussianMixture> {
    let (k, d) = centres.shape();
    GaussianMixture::new(
        DVector::from_element(k, 1.0 / k as f64),
        centres.clone(),
        vec![DMatrix::identity(d, d) * sigma * sigma; k],
    )
}

/// J_σ: −2σ² times the log likelihood, without its constant.
fn scaled(x: &DMatrix<f64>, m: &GaussianMixture, sigma: f64) -> Result<f64> {
    let constant =
        0.5 * x.len() as f64 * (std::f64::consts::TAU * sigma * sigma).ln();
    Ok(-2.0 * sigma * sigma * (m.log_density(x)?.sum() + constant))
}

/// EM's means after one update.
fn soft_means(x: &DMatrix<f64>, m: &GaussianMixture) -> Result<DMatrix<f64>> {
    let r = m.responsibilities(x)?;
    let mut means = r.transpose() * x;
    for (mut mean, count) in means.row_iter_mut().zip(r.row_sum().iter()) {
        mean /= *count;
    }
    Ok(means)
}
// ANCHOR_END: soft

/// The rows in units of the data's spread: y = L⁻¹(x − x̄), where L Lᵀ is the data's
/// covariance.
fn whiten(rows: &DMatrix<f64>, data: &Gaussian) -> DMatrix<f64> {
    let white = rows.row_iter().map(|row| {
        data.factor().whiten(&(row.transpose() - data.mean())).transpose()
    });
    DMatrix::from_rows(&white.collect::<Vec<_>>())
}

/// Whether each of the seven clusters `z` has one of the means: a mean belongs to the
/// cluster of the point nearest to it.
fn one_in_each(x: &DMatrix<f64>, z: &[usize], means: &DMatrix<f64>) -> bool {
    let mut found = [false; 7];
    nearest(means, x).into_iter().for_each(|n| found[z[n]] = true);
    found.iter().all(|f| *f)
}

/// The number of rows whose labels differ, for two clusters under two names.
fn moved(a: &[usize], b: &[usize]) -> usize {
    let differ = a.iter().zip(b).filter(|(a, b)| a != b).count();
    differ.min(a.len() - differ)
}

/// How many of `starts` fits, with the covariances of each start multiplied by
/// `factor`, reach the peak; and how many updates they take on average.
fn resized(
    x: &DMatrix<f64>,
    k: usize,
    factor: f64,
    starts: u64,
    top: f64,
) -> Result<(usize, usize)> {
    let (mut reached, mut updates) = (0, 0);
    for seed in 0..starts {
        let start = Em::new(k).seed(seed).max_iterations(0).fit(x)?.mixture;
        let covariances = (0..k).map(|k| start.covariance(k) * factor).collect();
        let start = GaussianMixture::new(
            start.weights().clone(),
            start.means().clone(),
            covariances,
        )?;
        // A start that collapses has not reached the peak.
        if let Ok(fit) = Em::new(k).start(Start::Given(start)).fit(x) {
            reached += usize::from(top - fit.log_likelihood() < CLOSE);
            updates += fit.iterations;
        }
    }
    Ok((reached, updates / starts as usize))
}

fn main() -> Result<()> {
    let geyser = data::faithful();
    // ANCHOR: patience
    let patient =
        Em::new(2).seed(7).tolerance(0.0).max_iterations(1000).fit(&geyser)?;
    let many = Em::new(2).seed(7).restarts(500).fit(&geyser)?;
    // ANCHOR_END: patience
    let top = many.log_likelihood();
    let reached = at_the_top(&many.restarts, top);
    println!("# Old Faithful");
    println!("after 1000 updates = {:.3}", patient.log_likelihood());
    println!("highest of 500 starts = {top:.3}");
    println!("starts that reach it = {reached}");
    println!("starts that do not = {}", 500 - reached);
    let stuck = &patient.mixture;
    let pushed = DMatrix::from_fn(2, 2, |k, j| {
        let deviation = stuck.covariance(k)[(j, j)].sqrt();
        stuck.means()[(k, j)] + 0.05 * deviation
    });
    let covariances = (0..2).map(|k| stuck.covariance(k).clone()).collect();
    let pushed = GaussianMixture::new(stuck.weights().clone(), pushed, covariances)?;
    let back = Em::new(2)
        .start(Start::Given(pushed))
        .tolerance(0.0)
        .max_iterations(1000)
        .fit(&geyser)?;
    println!("pushed to = {:.3}", back.trace[0]);
    println!("from there back to = {:.3}", back.log_likelihood());

    // ANCHOR: ends
    let (x, z) = seven(1.0)?.sample(300, &mut rng(6));
    let kinds = [
        ("random points", Start::RandomPoints),
        ("k-means++", Start::KMeansPlusPlus),
        ("K-means", Start::KMeans),
    ];
    let em = Em::new(7).tolerance(1e-5).seed(1);
    let fits = kinds
        .iter()
        .map(|(_, start)| em.clone().start(start.clone()).restarts(500).fit(&x))
        .collect::<Result<Vec<_>>>()?;
    // ANCHOR_END: ends
    let top = fits.iter().map(|fit| fit.log_likelihood()).fold(f64::MIN, f64::max);
    let mut heights: Vec<f64> =
        fits.iter().flat_map(|fit| fit.restarts.iter().flatten().copied()).collect();
    heights.sort_by(f64::total_cmp);
    let below = heights.iter().rfind(|h| top - **h > 1.0).expect("some fail");
    let mut counts = [0_usize; 7];
    z.iter().for_each(|&z| counts[z] += 1);
    println!("\n# The clusters");
    println!("points in each: {counts:?}");
    println!("highest peak = {top:.3}");
    println!("next peak below it = {below:.3}");
    let mut levels = heights.clone();
    levels.dedup_by(|a, b| *a - *b < 0.1);
    println!("ends told apart at 0.1 nats: more than 100: {}", levels.len() > 100);

    println!("\n# Five hundred starts");
    println!("start           reach the top   collapse");
    for ((name, _), fit) in kinds.iter().zip(&fits) {
        let collapsed = fit.restarts.iter().filter(|end| end.is_none()).count();
        let share = at_the_top(&fit.restarts, top) as f64 / 500.0;
        println!("{name:15} {:11.1} % {collapsed:10}", 100.0 * share);
    }
    let (left, width, bins) = (-1425.0, 5.0, 38);
    let panels: Vec<Chart> = kinds
        .iter()
        .zip(&fits)
        .enumerate()
        .map(|(i, ((name, _), fit))| {
            let mut heights = vec![0.0; bins];
            for end in fit.restarts.iter().flatten() {
                heights[((end - left) / width) as usize] += 1.0;
            }
            let edge = |bin: usize| left + bin as f64 * width;
            let tops = heights.iter().enumerate();
            let area: Vec<_> = tops
                .flat_map(|(bin, h)| [(edge(bin), 0.0, *h), (edge(bin + 1), 0.0, *h)])
                .collect();
            let outline = area.iter().map(|(x, _, h)| (*x, *h)).collect::<Vec<_>>();
            Chart::new("log likelihood at the end", "starts")
                .heading(*name)
                .size(620.0, 200.0)
                .x_range(-1425.0..-1230.0)
                .y_range(0.0..320.0)
                .band("", area, Colour::component(i))
                .line("", outline, Colour::component(i))
        })
        .collect();
    save_grid("ch06-ends", 1, &panels)?;

    // The commonest of the wrong peaks that K-means starts lead to.
    let mut wrong: Vec<f64> = fits[2].restarts.iter().flatten().copied().collect();
    wrong.retain(|end| top - end > CLOSE);
    let same =
        |at: f64| wrong.iter().filter(|end| (**end - at).abs() < CLOSE).count();
    let commonest =
        wrong.iter().copied().max_by_key(|end| same(*end)).expect("some end there");
    println!("\n# A wrong peak");
    println!("commonest wrong end of the K-means starts = {commonest:.2}");
    println!("starts that end there = {}", same(commonest));
    let km = em.clone().start(Start::KMeans);
    let stuck = (0..1000)
        .filter_map(|seed| km.clone().seed(seed).fit(&x).ok())
        .find(|fit| (fit.log_likelihood() - commonest).abs() < CLOSE)
        .expect("one start in eleven ends there")
        .mixture;
    let best = &fits[1].mixture;
    let panel = |heading: &str, m: &GaussianMixture| -> Result<Chart<'static>> {
        let covariances: Vec<_> = (0..7).map(|k| m.covariance(k).clone()).collect();
        Ok(Chart::new("x_1", "x_2")
            .heading(heading)
            .x_range(-7.0..14.0)
            .y_range(-8.0..10.0)
            .scatter_by_responsibility(&x, &m.responsibilities(&x)?)
            .components(m.means(), &covariances, 0.9))
    };
    save_row(
        "ch06-optima",
        &[
            panel("the highest peak", &best.sorted())?,
            panel("a wrong one", &stuck.sorted())?,
        ],
    )?;

    let second = |sigma: f64| {
        move |x: f64| 1.0 / (1.0 + 4.0 * (-2.0 * x / sigma / sigma).exp())
    };
    Chart::new("x", "responsibility of the second")
        .x_range(-1.5..2.0)
        .y_range(0.0..1.0)
        .curve("σ = 1", second(1.0), Colour::component(0))
        .curve("σ = 0.5", second(0.5), Colour::component(1))
        .curve("σ = 0.1", second(0.1), Colour::component(2))
        .vertical(0.0, "half way")
        .legend(Legend::TopLeft)
        .save("ch06-hard")?;

    let start = Em::new(7).seed(1).max_iterations(0).fit(&x)?.mixture.means().clone();
    let hard = means(&x, &nearest(&x, &start), &start);
    let j = distortion(&x, &start);
    println!("\n# Smaller and smaller");
    println!("    σ         J_σ   upper bound   farthest mean   shared points");
    for sigma in [2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02] {
        let m = balls(&start, sigma)?;
        let apart = (soft_means(&x, &m)? - &hard)
            .row_iter()
            .map(|row| row.norm())
            .fold(0.0, f64::max);
        let r = m.responsibilities(&x)?;
        let shared = r.row_iter().filter(|row| row.max() < 0.99).count();
        println!(
            "{sigma:5}   {:9.3}   {:11.3}   {apart:13.5}   {shared:13}",
            scaled(&x, &m, sigma)?,
            j + 2.0 * sigma * sigma * 300.0 * 7.0_f64.ln()
        );
    }
    println!("J = {j:.3}");
    let (_, trace) = k_means(&x, &start);
    println!("\n# Lloyd's rounds");
    for (round, j) in trace.iter().enumerate() {
        println!("before round {}: J = {j:.3}", round + 1);
    }

    // ANCHOR: seconds
    let mut seconds = geyser.clone();
    seconds.column_mut(0).scale_mut(60.0);
    let plain =
        |x: &DMatrix<f64>| nearest(x, &k_means(x, &x.rows(0, 2).into_owned()).0);
    let library = |x: &DMatrix<f64>| {
        let em = Em::new(2).start(Start::KMeans).seed(1);
        em.max_iterations(0).fit(x)?.mixture.predict(x)
    };
    let plain_moved = moved(&plain(&geyser), &plain(&seconds));
    let library_moved = moved(&library(&geyser)?, &library(&seconds)?);
    // ANCHOR_END: seconds
    println!("\n# Minutes or seconds");
    println!("eruptions that change sides, as they stand = {plain_moved}");
    println!("eruptions that change sides, whitened = {library_moved}");

    let spread = Gaussian::fit(&x)?;
    let white = whiten(&x, &spread);
    println!("\n# Good starts");
    let subsets: f64 = (0..7).map(|k| (300 - k) as f64 / (7 - k) as f64).product();
    let chance = counts.iter().map(|c| *c as f64).product::<f64>() / subsets;
    println!("chance of random points = {:.2} %", 100.0 * chance);
    let mut rows = Vec::new();
    let mut least = f64::INFINITY;
    for (name, start) in &kinds {
        let (mut each, mut sum) = (0, 0.0);
        for seed in 0..500 {
            let em = Em::new(7).start(start.clone()).seed(seed).max_iterations(0);
            let start = em.fit(&x)?.mixture;
            let j = distortion(&white, &whiten(start.means(), &spread));
            each += usize::from(one_in_each(&x, &z, start.means()));
            sum += j;
            least = least.min(j);
        }
        rows.push((name, each, sum / 500.0));
    }
    println!("start           one in each cluster   mean J / least J");
    for (name, each, j) in rows {
        println!("{name:15} {:17.1} % {:18.2}", each as f64 / 5.0, j / least);
    }
    println!("bound of the mean J / least J = {:.1}", 8.0 * (7.0_f64.ln() + 2.0));

    println!("\n# Further apart");
    println!("distances   random points   k-means++");
    for apart in [0.5, 1.0, 2.0, 4.0] {
        let (x, z) = seven(apart)?.sample(300, &mut rng(6));
        let mut shares = Vec::new();
        for (_, start) in &kinds[..2] {
            let mut each = 0;
            for seed in 0..200 {
                let em = Em::new(7).start(start.clone()).seed(seed).max_iterations(0);
                let start = em.fit(&x)?.mixture;
                each += usize::from(one_in_each(&x, &z, start.means()));
            }
            shares.push(each as f64 / 2.0);
        }
        println!("times {apart:3} {:15.1} % {:9.1} %", shares[0], shares[1]);
    }

    println!("\n# Groups of starts");
    println!("start           starts   expected   found");
    let mut chart = Chart::new("starts", "share that reach the top");
    let mut needed = Vec::new();
    for (i, ((name, _), fit)) in kinds.iter().zip(&fits).enumerate().take(2) {
        let p = at_the_top(&fit.restarts, top) as f64 / 500.0;
        let expected = move |r: f64| 1.0 - (1.0 - p).powf(r);
        let found = |r: usize| {
            let groups = fit.restarts.chunks_exact(r);
            let all = groups.len();
            groups.filter(|g| at_the_top(g, top) > 0).count() as f64 / all as f64
        };
        for r in [1, 2, 5, 10, 20] {
            println!(
                "{name:15} {r:6} {:8.1} % {:5.1} %",
                100.0 * expected(r as f64),
                100.0 * found(r)
            );
        }
        let enough = (0.01_f64.ln() / (1.0 - p).ln()).ceil();
        needed.push(format!("starts for 99 % with {name} = {enough}"));
        chart = chart.curve(name, expected, Colour::component(i)).dots(
            "",
            (1..=20).map(|r| (r as f64, found(r))),
            Colour::component(i),
        );
    }
    println!("{}", needed.join("\n"));
    chart
        .x_range(0.0..21.0)
        .y_range(0.0..1.05)
        .legend(Legend::BottomRight)
        .save("ch06-restarts")?;

    // ANCHOR: restarts
    let em = Em::new(7).restarts(10).seed(7);
    let fit = em.fit(&x)?;
    println!("\n# Ten starts");
    for (i, end) in fit.restarts.iter().enumerate() {
        match end {
            Some(end) => println!("start {i}: {end:.2}"),
            None => println!("start {i}: collapsed"),
        }
    }
    println!("returned: {:.2}", fit.log_likelihood());
    println!("same seed, same bits: {}", em.fit(&x)? == fit);
    // ANCHOR_END: restarts

    println!("\n# Sizes");
    println!("covariances   seven clusters   updates   Old Faithful   updates");
    for (name, factor) in
        [("÷ 16", 0.0625), ("× 1", 1.0), ("× 4", 4.0), ("× 16", 16.0), ("× 64", 64.0)]
    {
        let (seven, updates) = resized(&x, 7, factor, 100, top)?;
        let (two, slow) = resized(&geyser, 2, factor, 100, many.log_likelihood())?;
        println!("{name:11} {seven:14} % {updates:9} {two:12} % {slow:9}");
    }
    Ok(())
}
