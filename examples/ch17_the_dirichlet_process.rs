//! Chapter 17: mixtures of infinitely many components, by sticks and by tables, and what
//! they say about the number of groups.

use std::f64::consts::PI;

use mixtures::math::{Rng, ln_gamma, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, Legend, save_row};
use mixtures::rand::RngExt;
use mixtures::rand_distr::StandardNormal;
use mixtures::{
    Concentration, GaussianWishart, Moments, Posterior, Prior, Result, Start,
    StickBreaking, Vb, VbFit, data,
};

const ALPHAS: [f64; 3] = [0.1, 1.0, 5.0];

fn main() -> Result<()> {
    restaurant();
    sticks()?;
    exact_cases()?;
    orders()?;
    let x = data::galaxies();
    let found = galaxies(&x)?;
    order_of_the_galaxies(&x, &found[1])?;
    side_by_side(&x)?;
    eight_points()?;
    referee(&x, &found)?;
    next_galaxy(&x, &found[1], &found[3])?;
    sensitivity(&x, &found)?;
    one_cloud()
}

/// How many of K components get any of n labels, on average; α/K for each.
fn expected_of(components: f64, alpha: f64, n: f64) -> f64 {
    let others = alpha - alpha / components;
    let missed = ln_gamma(alpha) + ln_gamma(n + others)
        - ln_gamma(others)
        - ln_gamma(n + alpha);
    components * (1.0 - missed.exp())
}

/// The same for infinitely many.
fn expected_groups(alpha: f64, n: usize) -> f64 {
    (0..n).map(|n| alpha / (alpha + n as f64)).sum()
}

fn restaurant() {
    println!("# Components with points");
    let head = ALPHAS.map(|alpha| format!("{:>12}", format!("alpha = {alpha}")));
    println!("{:<17}{}", "", head.concat());
    let row = |name: &str, of: &dyn Fn(f64) -> f64| {
        let values = ALPHAS.map(|alpha| format!("{:>12.3}", of(alpha)));
        println!("{name:<17}{}", values.concat());
    };
    for k in [5.0, 20.0, 100.0, 1000.0] {
        row(&format!("K = {k}"), &|alpha| expected_of(k, alpha, 82.0));
    }
    row("infinitely many", &|alpha| expected_groups(alpha, 82));
    row("same, N = 1000", &|alpha| expected_groups(alpha, 1000));
    row("same, N = 10^6", &|alpha| expected_groups(alpha, 1_000_000));
}

fn sticks() -> Result<()> {
    println!("\n# Sticks");
    println!(
        "{:<7}{:>8}{:>8}{:>8}{:>12}{:>12}{:>14}",
        "alpha",
        "E pi_1",
        "E pi_2",
        "E pi_3",
        "left of 10",
        "K, N = 82",
        "K, N = 10^6"
    );
    for alpha in ALPHAS {
        // ANCHOR: truncate
        let mean = StickBreaking::process(alpha, 11)?.mean(); // the last is what is left
        let enough = |n: f64| -> usize {
            let left = |sticks: i32| (alpha / (1.0 + alpha)).powi(sticks);
            (1..).find(|k| n * left(k - 1) < 0.01).unwrap_or(1) as usize
        };
        // ANCHOR_END: truncate
        println!(
            "{alpha:<7}{:>8.3}{:>8.3}{:>8.3}{:>12.1e}{:>12}{:>14}",
            mean[0],
            mean[1],
            mean[2],
            mean[10],
            enough(82.0),
            enough(1e6)
        );
    }
    Ok(())
}

/// ln p(z) of labels with these counts, one a component in the order of the sticks.
fn log_labels(counts: &[f64], alpha: f64) -> f64 {
    let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    let sticks = (0..counts.len() - 1).map(|k| {
        let later: f64 = counts[k + 1..].iter().sum();
        ln_beta(1.0 + counts[k], alpha + later) - ln_beta(1.0, alpha)
    });
    sticks.sum()
}

/// ln p of these rows, one Gaussian's parameters integrated out.
fn log_evidence(
    before: &GaussianWishart,
    x: &DMatrix<f64>,
    rows: impl Iterator<Item = usize>,
) -> Result<f64> {
    let mut moments = Moments::about(before.m().clone());
    for n in rows {
        moments.push(x.row(n), 1.0)?;
    }
    before.log_evidence(&moments)
}

fn few_points() -> (DMatrix<f64>, Prior) {
    let x = dmatrix![-2.0; -1.7; -1.1; -0.2; 0.4; 1.2; 1.6; 2.1];
    let prior = Prior {
        alpha0: 1.0,
        beta0: 0.25,
        m0: dvector![0.0],
        w0: dmatrix![0.5],
        nu0: 8.0,
    };
    (x, prior)
}

fn process(alpha: f64) -> Concentration {
    Concentration::DirichletProcess { alpha }
}

/// One component, and certain labels.
fn exact_cases() -> Result<()> {
    let (x, prior) = few_points();
    let before = prior.gaussian_wishart()?;
    println!("\n# Exact cases");
    let fit = Vb::new(1).prior(prior.clone()).concentration(process(2.0)).fit(&x)?;
    println!("F of one component = {:.6}", fit.elbo());
    let exact = log_evidence(&before, &x, 0..8)?;
    println!("its log evidence = {exact:.6}");
    let (k, alpha) = (3_usize, 2.0);
    // ANCHOR: assignments
    let vb = Vb::new(k).prior(prior).concentration(process(alpha));
    let (mut worst, mut total): (f64, f64) = (0.0, 0.0);
    for code in 0..k.pow(8) {
        let z: Vec<usize> = (0..8).map(|n| code / k.pow(n) % k).collect();
        let r = DMatrix::from_fn(8, k, |n, k| f64::from(u8::from(z[n] == k)));
        let bound = vb.given_responsibilities(&x, &r)?.elbo_with(&x, &r)?;
        let counts: Vec<f64> = r.column_iter().map(|column| column.sum()).collect();
        let mut exact = log_labels(&counts, alpha);
        total += exact.exp();
        for k in 0..k {
            exact += log_evidence(&before, &x, (0..8).filter(|&n| z[n] == k))?;
        }
        worst = worst.max((bound - exact).abs());
    }
    // ANCHOR_END: assignments
    println!("assignments = {}", k.pow(8));
    println!("largest difference below 1e-10: {}", worst < 1e-10);
    println!("their probabilities sum to 1, to 1e-10: {}", {
        (total - 1.0).abs() < 1e-10
    });
    Ok(())
}

/// ln p(z) in all orders of three components.
fn orders() -> Result<()> {
    println!("\n# Six orders");
    println!("{:<14}{:>12}{:>12}{:>12}", "counts", "alpha = 0.5", "1", "5");
    let counts = [60.0, 15.0, 7.0];
    let six = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in six {
        let counts = order.map(|k| counts[k]);
        let values = [0.5, 1.0, 5.0].map(|alpha| log_labels(&counts, alpha));
        let name = counts.map(|c| format!("{c:>4}")).concat();
        let values = values.map(|value| format!("{value:>12.3}"));
        println!("{name:<14}{}", values.concat());
    }
    Ok(())
}

// ANCHOR: prior
/// Clusters some `spread` thousand km/s wide; E Λ = ν₀ W₀ = 1/spread².
fn prior(spread: f64) -> Prior {
    Prior {
        alpha0: 0.01, // for the Dirichlet only
        beta0: 0.05,
        m0: dvector![20.8],
        w0: dmatrix![1.0 / (3.0 * spread * spread)],
        nu0: 3.0,
    }
}
// ANCHOR_END: prior

// ANCHOR: hand_over
/// Twenty components: first from ten starts of their own, then from the best of
/// 1, 2, … 7 components.
fn fits(
    x: &DMatrix<f64>,
    prior: &Prior,
    weights: Concentration,
) -> Result<Vec<VbFit>> {
    let vb = |k: usize| {
        Vb::new(k).prior(prior.clone()).concentration(weights).tolerance(1e-9)
    };
    let mut fits = vec![vb(20).restarts(10).seed(7).fit(x)?];
    for k in 1..=7 {
        let few = vb(k).restarts(5).seed(7).fit(x)?;
        let r = few.posterior.responsibilities(x)?;
        let r = r.resize_horizontally(20, 0.0); // the others get nothing
        fits.push(vb(20).start(Start::Responsibilities(r)).fit(x)?);
    }
    Ok(fits)
}
// ANCHOR_END: hand_over

fn best(x: &DMatrix<f64>, prior: &Prior, weights: Concentration) -> Result<VbFit> {
    let mut fits = fits(x, prior, weights)?;
    let highest = (0..fits.len())
        .max_by(|&i, &j| fits[i].elbo().total_cmp(&fits[j].elbo()))
        .unwrap_or(0);
    Ok(fits.swap_remove(highest))
}

fn in_use(posterior: &Posterior) -> usize {
    posterior.counts().iter().filter(|count| **count > 0.5).count()
}

fn counts(posterior: &Posterior, how_many: usize) -> String {
    let counts = posterior.counts();
    (0..how_many).map(|k| format!("{:>6.1}", counts[k])).collect()
}

/// The best fit for each α, and last that of five components for α = 1.
fn galaxies(x: &DMatrix<f64>) -> Result<Vec<VbFit>> {
    println!("\n# Where twenty components end");
    println!("{:<18}{:>9}{:>8}  counts of the first seven", "", "F", "in use");
    let all = fits(x, &prior(1.0), process(1.0))?;
    for (k, fit) in all.iter().enumerate() {
        let name = if k == 0 {
            "own, ten starts".to_string()
        } else {
            format!("handed over: {k}")
        };
        let (f, used) = (fit.elbo(), in_use(&fit.posterior));
        println!("{name:<18}{f:>9.2}{used:>8}  {}", counts(&fit.posterior, 7));
    }
    let ends = all[0].restarts.iter().flatten();
    let agree = ends.filter(|end| all[0].elbo() - **end < 1e-3).count();
    println!("of ten own starts, so many end at the first line: {agree}");

    println!("\n# Galaxies");
    println!("{:<7}{:>9}{:>8}  counts of the first eight", "alpha", "F", "in use");
    let mut chart = Chart::new("stick", "E π_k")
        .log_y()
        .y_range(1e-4..1.0)
        .x_range(0.5..14.5)
        .legend(Legend::Above);
    let mut found = Vec::new();
    for (i, alpha) in ALPHAS.into_iter().enumerate() {
        let fit = best(x, &prior(1.0), process(alpha))?;
        let q = &fit.posterior;
        let eight = counts(q, 8);
        println!("{alpha:<7}{:>9.2}{:>8}  {eight}", fit.elbo(), in_use(q));
        let steps = |mean: DVector<f64>| -> Vec<(f64, f64)> {
            let all = mean.iter().enumerate().take(14);
            all.map(|(k, m)| (k as f64 + 1.0, *m)).filter(|p| p.1 > 1e-4).collect()
        };
        let before = steps(StickBreaking::process(alpha, 20)?.mean());
        let after = steps(q.weights().mean());
        let colour = Colour::component(i);
        chart = chart
            .dashed("", before, colour)
            .line("", after.clone(), colour)
            .dots(&format!("α = {alpha}"), after, colour);
        found.push(fit);
    }
    chart.save("ch17-sticks")?;

    println!("\n# The components");
    println!("{:>8}{:>8}{:>8}", "points", "mean", "sd");
    let fit = &found[1];
    let mixture = fit.posterior.expected_mixture();
    for k in 0..in_use(&fit.posterior) {
        let sd = mixture.covariance(k)[0].sqrt();
        let (n, mean) = (fit.posterior.counts()[k], mixture.means()[k]);
        println!("{n:>8.1}{mean:>8.2}{sd:>8.2}");
    }
    found.push(all[5].clone());
    Ok(found)
}

/// What the order of the sticks is worth, and where a climb ends that keeps a bad one.
fn order_of_the_galaxies(x: &DMatrix<f64>, fit: &VbFit) -> Result<()> {
    // ANCHOR: reversed
    let vb = Vb::new(20).prior(prior(1.0)).concentration(process(1.0));
    let r = fit.posterior.responsibilities(x)?;
    let mut reversed = DMatrix::from_fn(82, 20, |n, k| r[(n, 19 - k)]);
    let mut q = vb.given_responsibilities(x, &reversed)?;
    let same_responsibilities = q.elbo_with(x, &reversed)?;
    for _ in 0..1000 {
        reversed = q.responsibilities(x)?;
        q = vb.given_responsibilities(x, &reversed)?; // keeps the order of the columns
    }
    // ANCHOR_END: reversed
    println!("\n# The order of the galaxies' components");
    println!("F in the best order = {:.2}", fit.elbo());
    println!("F in the reverse order, same r = {same_responsibilities:.2}");
    println!("F after climbing in that order = {:.2}", q.elbo(x)?);
    println!("components in use there = {}", in_use(&q));
    Ok(())
}

fn side_by_side(x: &DMatrix<f64>) -> Result<()> {
    println!("\n# Beside a sparse Dirichlet");
    println!("{:<26}{:>9}{:>8}  counts of the first eight", "", "F", "in use");
    for alpha0 in [0.005, 0.05, 0.25] {
        let prior = Prior { alpha0, ..prior(1.0) };
        let fit = best(x, &prior, Concentration::Dirichlet)?;
        let mut falling: Vec<f64> = fit.posterior.counts().iter().copied().collect();
        falling.sort_by(|a, b| b.total_cmp(a));
        let eight: String =
            falling.iter().take(8).map(|c| format!("{c:>6.1}")).collect();
        let name = format!("Dirichlet, alpha0 = {alpha0}");
        println!(
            "{name:<26}{:>9.2}{:>8}  {eight}",
            fit.elbo(),
            in_use(&fit.posterior)
        );
    }
    Ok(())
}

/// The points at one table, measured from m₀.
#[derive(Clone, Copy, Default)]
struct Group {
    count: usize,
    sum: f64,
    squares: f64,
}

/// Points on a line at tables, with the Gaussian of each table integrated out.
struct Restaurant {
    alpha: f64,
    beta0: f64,
    inverse_w0: f64,
    nu0: f64,
    /// Γ((ν + 1)/2)/(Γ(ν/2) √π), for ν = ν₀ + count.
    constants: Vec<f64>,
    x: Vec<f64>,
    z: Vec<usize>,
    groups: Vec<Group>,
}

impl Restaurant {
    fn new(x: &DMatrix<f64>, prior: &Prior, alpha: f64) -> Self {
        let constant = |count: usize| {
            let half = 0.5 * (prior.nu0 + count as f64);
            (ln_gamma(half + 0.5) - ln_gamma(half) - 0.5 * PI.ln()).exp()
        };
        let x: Vec<f64> = x.iter().map(|x| x - prior.m0[0]).collect();
        let count = x.len();
        let squares = x.iter().map(|x| x * x).sum();
        Restaurant {
            alpha,
            beta0: prior.beta0,
            inverse_w0: 1.0 / prior.w0[0],
            nu0: prior.nu0,
            constants: (0..=count).map(constant).collect(),
            groups: vec![Group { count, sum: x.iter().sum(), squares }],
            z: vec![0; count],
            x,
        }
    }

    // ANCHOR: predictive
    /// p(x | the points of the group): chapter 10's Student-t, in one dimension.
    fn density(&self, of: &Group, x: f64) -> f64 {
        let beta = self.beta0 + of.count as f64;
        let nu = self.nu0 + of.count as f64;
        let mean = of.sum / beta;
        let inverse_w = self.inverse_w0 + of.squares - of.sum * mean;
        let scale = inverse_w * (beta + 1.0) / beta; // ν V
        let tail = 1.0 + (x - mean).powi(2) / scale;
        self.constants[of.count] / scale.sqrt() * tail.powf(-0.5 * (nu + 1.0))
    }
    // ANCHOR_END: predictive

    // ANCHOR: sweep
    /// Every point stands up once, and takes a seat again.
    fn sweep(&mut self, rng: &mut Rng) {
        for n in 0..self.x.len() {
            let (x, left) = (self.x[n], self.z[n]);
            self.groups[left].add(x, false);
            if self.groups[left].count == 0 {
                self.groups.swap_remove(left);
                let moved = self.groups.len();
                self.z.iter_mut().filter(|z| **z == moved).for_each(|z| *z = left);
            }
            let used = |g: &Group| g.count as f64 * self.density(g, x);
            let mut odds: Vec<f64> = self.groups.iter().map(used).collect();
            odds.push(self.alpha * self.density(&Group::default(), x));
            let mut u = rng.random::<f64>() * odds.iter().sum::<f64>();
            let chosen = odds.iter().position(|odds| {
                u -= odds;
                u < 0.0
            });
            let k = chosen.unwrap_or(0);
            if k == self.groups.len() {
                self.groups.push(Group::default());
            }
            self.groups[k].add(x, true);
            self.z[n] = k;
        }
    }
    // ANCHOR_END: sweep

    /// The density of the next point.
    fn next(&self, x: f64) -> f64 {
        let used = self.groups.iter().map(|g| g.count as f64 * self.density(g, x));
        let new = self.alpha * self.density(&Group::default(), x);
        (used.sum::<f64>() + new) / (self.x.len() as f64 + self.alpha)
    }
}

impl Group {
    fn add(&mut self, x: f64, sits_down: bool) {
        let sign = if sits_down { 1.0 } else { -1.0 };
        self.count = if sits_down { self.count + 1 } else { self.count - 1 };
        self.sum += sign * x;
        self.squares += sign * x * x;
    }
}

/// How often there are 0, 1, 2, … groups, for the numbers of groups in a chain.
fn shares(numbers: &[usize]) -> Vec<f64> {
    let mut shares = vec![0.0; 60];
    for number in numbers {
        shares[*number] += 1.0 / numbers.len() as f64;
    }
    shares
}

fn mean(shares: &[f64]) -> f64 {
    shares.iter().enumerate().map(|(k, share)| k as f64 * share).sum()
}

/// The sizes of the groups after each of so many sweeps; a tenth as many before are thrown
/// away.
fn chain(restaurant: &mut Restaurant, sweeps: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut rng = rng(seed);
    for _ in 0..sweeps / 10 {
        restaurant.sweep(&mut rng);
    }
    let sizes = |_| {
        restaurant.sweep(&mut rng);
        restaurant.groups.iter().map(|g| g.count).collect()
    };
    (0..sweeps).map(sizes).collect()
}

/// How many groups have at least so many points, in each state of a chain.
fn numbers(chain: &[Vec<usize>], least: usize) -> Vec<usize> {
    let number = |sizes: &Vec<usize>| sizes.iter().filter(|n| **n >= least).count();
    chain.iter().map(number).collect()
}

// ANCHOR: drawn
/// The number of different labels in draws from q(z).
fn drawn_groups(q: &Posterior, x: &DMatrix<f64>, draws: usize) -> Result<Vec<usize>> {
    let r = q.responsibilities(x)?;
    let mut rng = rng(3);
    let mut draw = |_| {
        let mut used = vec![false; r.ncols()];
        for row in r.row_iter() {
            let mut u: f64 = rng.random();
            let label = row.iter().position(|r| {
                u -= r;
                u < 0.0
            });
            used[label.unwrap_or(0)] = true;
        }
        used.into_iter().filter(|used| *used).count()
    };
    Ok((0..draws).map(&mut draw).collect())
}
// ANCHOR_END: drawn

/// How probable 0, 1, 2, … groups of n points are before the data.
fn prior_groups(alpha: f64, n: usize) -> Vec<f64> {
    let mut p = vec![0.0; 60];
    p[0] = 1.0;
    for n in 0..n {
        let new = alpha / (alpha + n as f64);
        for k in (0..60).rev() {
            p[k] = p[k] * (1.0 - new) + if k > 0 { p[k - 1] * new } else { 0.0 };
        }
    }
    p
}

/// All divisions of n points into groups: each point joins a group or founds the next.
fn divisions(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for _ in 0..n {
        let longer = all.iter().flat_map(|z: &Vec<usize>| {
            let groups = z.iter().max().map_or(0, |k| k + 1);
            (0..=groups).map(|k| [z.as_slice(), &[k]].concat())
        });
        all = longer.collect();
    }
    all
}

/// The sampler against the sum over all divisions.
fn eight_points() -> Result<()> {
    let (x, prior) = few_points();
    let before = prior.gaussian_wishart()?;
    let alpha: f64 = 1.0;
    let all = divisions(8);
    let mut exact = [0.0; 9];
    // ANCHOR: eight
    for z in &all {
        let groups = z.iter().max().map_or(0, |k| k + 1);
        let mut log_joint = groups as f64 * alpha.ln(); // and what all have in common
        for k in 0..groups {
            let rows: Vec<usize> = (0..8).filter(|&n| z[n] == k).collect();
            log_joint += ln_gamma(rows.len() as f64);
            log_joint += log_evidence(&before, &x, rows.into_iter())?;
        }
        exact[groups] += log_joint.exp();
    }
    // ANCHOR_END: eight
    let total: f64 = exact.iter().sum();
    let sampled = chain(&mut Restaurant::new(&x, &prior, alpha), 40_000, 1);
    let sampled = shares(&numbers(&sampled, 1));
    let vb = Vb::new(8).prior(prior).concentration(process(alpha));
    let fit = vb.restarts(20).seed(1).tolerance(1e-10).fit(&x)?;
    let of_q = shares(&drawn_groups(&fit.posterior, &x, 40_000)?);
    println!("\n# Eight points");
    println!("divisions = {}", all.len());
    println!("{:<8}{:>9}{:>9}{:>9}{:>9}", "groups", "prior", "exact", "sampler", "q");
    let before = prior_groups(alpha, 8);
    for k in 1..=5 {
        let exact = exact[k] / total;
        println!(
            "{k:<8}{:>9.3}{exact:>9.3}{:>9.3}{:>9.3}",
            before[k], sampled[k], of_q[k]
        );
    }
    Ok(())
}

/// The number of groups of the galaxies.
fn referee(x: &DMatrix<f64>, found: &[VbFit]) -> Result<()> {
    println!("\n# The number of groups");
    let sweeps = 8000;
    let mut panels = Vec::new();
    let mut table = Vec::new();
    let mut large = Vec::new();
    for (alpha, fit) in ALPHAS.into_iter().zip(found) {
        let q = &fit.posterior;
        let before = prior_groups(alpha, 82);
        let chain = chain(&mut Restaurant::new(x, &prior(1.0), alpha), sweeps, 1);
        let sampled = shares(&numbers(&chain, 1));
        large.push(mean(&shares(&numbers(&chain, 5))));
        let of_q = shares(&drawn_groups(q, x, sweeps)?);
        if alpha >= 1.0 {
            let line = |shares: &[f64]| -> Vec<(f64, f64)> {
                (1..=24).map(|k| (k as f64, shares[k])).collect()
            };
            let blue = Colour::component(0);
            let panel = Chart::new("groups", "probability")
                .heading(format!("α = {alpha}"))
                .x_range(0.0..25.0)
                .y_range(0.0..0.32)
                .legend(Legend::TopRight)
                .dashed("before the data", line(&before), Colour::Grey)
                .line("", line(&sampled), blue)
                .dots("sampler", line(&sampled), blue)
                .vertical(mean(&of_q).round(), "q");
            panels.push(panel);
        }
        table.push((before, sampled, of_q));
    }
    save_row("ch17-number", &panels)?;
    println!("{:<8}{:>24}{:>24}{:>24}", "", "alpha = 0.1", "alpha = 1", "alpha = 5");
    let head = format!("{:>8}{:>8}{:>8}", "prior", "sampler", "q").repeat(3);
    println!("{:<8}{head}", "groups");
    let show = |name: &str, of: &dyn Fn(&[f64]) -> f64| {
        let cells = table.iter().map(|(before, sampled, of_q)| {
            [before, sampled, of_q].map(|s| format!("{:>8.2}", of(s))).concat()
        });
        println!("{name:<8}{}", cells.collect::<String>());
    };
    for k in 1..=12 {
        show(&k.to_string(), &|shares| shares[k]);
    }
    show("more", &|shares| shares[13..].iter().sum());
    show("mean", &mean);
    println!("\n# Groups of five or more");
    for (alpha, large) in ALPHAS.into_iter().zip(large) {
        println!("average for alpha {alpha} = {large:.1}");
    }
    Ok(())
}

/// The density of the next galaxy.
fn next_galaxy(x: &DMatrix<f64>, fit: &VbFit, five: &VbFit) -> Result<()> {
    let mut restaurant = Restaurant::new(x, &prior(1.0), 1.0);
    let mut rng = rng(2);
    let at: Vec<f64> = (0..=400).map(|i| 5.0 + 0.08 * f64::from(i)).collect();
    let mut sampled = vec![0.0; at.len()];
    let (sweeps, every) = (5000, 10);
    for sweep in 0..sweeps {
        restaurant.sweep(&mut rng);
        if sweep % every == 0 {
            for (sum, x) in sampled.iter_mut().zip(&at) {
                *sum += restaurant.next(x - 20.8) * every as f64 / sweeps as f64;
            }
        }
    }
    println!("\n# The next galaxy");
    let mut chart = Chart::new("velocity, thousands of km/s", "density")
        .x_range(5.0..37.0)
        .y_range(0.0..0.3)
        .legend(Legend::TopRight)
        .histogram("galaxies", x.iter(), 40, Colour::Grey);
    let places = DMatrix::from_column_slice(at.len(), 1, &at);
    for (fit, colour) in [(fit, 1), (five, 2)] {
        let of_vb = fit.posterior.predictive().log_density(&places)?;
        let of_vb: Vec<f64> = of_vb.iter().map(|l| l.exp()).collect();
        let apart = sampled.iter().zip(&of_vb).map(|(p, q)| 0.04 * (p - q).abs());
        let used = in_use(&fit.posterior);
        let total = apart.sum::<f64>();
        println!("distance of {used} components from the sampler = {total:.2}");
        let line = at.iter().copied().zip(of_vb);
        let name = format!("{used} components");
        chart = chart.line(&name, line, Colour::component(colour));
    }
    println!("difference of their bounds = {:.2}", fit.elbo() - five.elbo());
    let line = at.iter().copied().zip(sampled);
    chart.dashed("sampler", line, Colour::component(0)).save("ch17-galaxies")
}

/// Over α and the width that the prior expects of a cluster.
fn sensitivity(x: &DMatrix<f64>, found: &[VbFit]) -> Result<()> {
    println!("\n# Alpha and the width");
    println!(
        "{:<7}{:>7}{:>21}{:>21}{:>21}",
        "", "", "width 0.5", "width 1", "width 2"
    );
    let head = format!("{:>12}{:>9}", "in use, VB", "sampler").repeat(3);
    println!("{:<7}{:>7}{head}", "alpha", "prior");
    for (alpha, fit) in ALPHAS.into_iter().zip(found) {
        print!("{alpha:<7}{:>7.2}", expected_groups(alpha, 82));
        for spread in [0.5, 1.0, 2.0] {
            let fit = match spread {
                1.0 => fit.clone(),
                _ => best(x, &prior(spread), process(alpha))?,
            };
            let mut restaurant = Restaurant::new(x, &prior(spread), alpha);
            let sampled = chain(&mut restaurant, 3000, 1);
            let sampled = mean(&shares(&numbers(&sampled, 1)));
            print!("{:>12}{sampled:>9.1}", in_use(&fit.posterior));
        }
        println!();
    }
    Ok(())
}

/// Points of one Gaussian, more and more of them.
fn one_cloud() -> Result<()> {
    println!("\n# One Gaussian");
    println!(
        "{:<8}{:>9}{:>9}{:>11}{:>12}{:>12}",
        "N", "prior", "sampler", "one group", "in largest", "in use, VB"
    );
    let prior = Prior {
        alpha0: 1.0,
        beta0: 0.1,
        m0: dvector![0.0],
        w0: dmatrix![1.0 / 3.0],
        nu0: 3.0,
    };
    for (n, sweeps) in [(25, 10_000), (100, 5000), (400, 2000), (1600, 1000)] {
        let mut noise = rng_stream(17, n as u64);
        let x = DMatrix::from_fn(n, 1, |_, _| noise.sample(StandardNormal));
        let mut restaurant = Restaurant::new(&x, &prior, 1.0);
        let mut rng = rng(1);
        let (mut groups, mut alone, mut largest) = (0.0, 0.0, 0.0);
        for sweep in 0..sweeps + sweeps / 10 {
            restaurant.sweep(&mut rng);
            if sweep >= sweeps / 10 {
                let sizes = restaurant.groups.iter().map(|g| g.count);
                largest += sizes.max().unwrap_or(0) as f64 / (n * sweeps) as f64;
                groups += restaurant.groups.len() as f64 / sweeps as f64;
                alone +=
                    f64::from(u8::from(restaurant.groups.len() == 1)) / sweeps as f64;
            }
        }
        let vb = Vb::new(10).prior(prior.clone()).concentration(process(1.0));
        let one = DMatrix::from_fn(n, 10, |_, k| f64::from(u8::from(k == 0)));
        let own = vb.clone().restarts(5).seed(7).fit(&x)?;
        let given = vb.start(Start::Responsibilities(one)).fit(&x)?;
        let q = if own.elbo() > given.elbo() { own } else { given }.posterior;
        println!(
            "{n:<8}{:>9.2}{groups:>9.2}{alone:>11.2}{largest:>12.3}{:>12}",
            expected_groups(1.0, n),
            in_use(&q)
        );
    }
    Ok(())
}
