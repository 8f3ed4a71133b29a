//! Chapter 16: more components than needed, and what variational Bayes makes of them.

use mixtures::math::{digamma, ln_gamma, log_sum_exp, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, Legend, save_row};
use mixtures::rand::RngExt;
use mixtures::{
    Dirichlet, Em, GaussianMixture, Moments, Posterior, Prior, Result, Start, Vb,
    data,
};

// ANCHOR: in_use
/// How many components have half a point or more.
fn in_use(q: &Posterior) -> usize {
    q.counts().iter().filter(|count| **count >= 0.5).count()
}
// ANCHOR_END: in_use

/// What `show` makes of each, in columns of this width.
fn row<T>(values: &[T], width: usize, show: impl Fn(&T) -> String) -> String {
    values.iter().map(|v| format!("{:>width$}", show(v))).collect()
}

fn main() -> Result<()> {
    six_to_two()?;
    twins()?;
    alpha0()?;
    vaguer_priors()?;
    hundred_starts()?;
    all_labellings()?;
    one_to_six()?;
    overlapping()
}

/// Old Faithful from six components to two, update by update.
fn six_to_two() -> Result<()> {
    // ANCHOR: watch
    let x = data::faithful();
    let start = Vb::new(6).seed(7).max_iterations(0);
    let mut q = start.fit(&x)?.posterior;
    let prior = q.prior().clone(); // Prior::from_data: α₀ is 0.01
    let mut path = vec![(q.counts(), q.elbo(&x)?)];
    for _ in 0..140 {
        let r = q.responsibilities(&x)?;
        q = Posterior::from_responsibilities(&prior, &x, &r)?;
        path.push((q.counts(), q.elbo(&x)?));
    }
    // ANCHOR_END: watch
    println!("# Six to two");
    println!("update    N_1    N_2    N_3    N_4    N_5    N_6           F");
    for update in [0, 10, 20, 30, 40, 60, 80, 100, 120, 140] {
        let (counts, bound) = &path[update];
        let shares = row(counts.as_slice(), 7, |n| format!("{n:.1}"));
        println!("{update:6}{shares}{bound:12.2}");
    }
    println!("\n# What is left of a dead component");
    let dead = 3;
    println!("N_4 below 1e-12: {}", q.counts()[dead].abs() < 1e-12);
    let component = &q.components()[dead];
    let apart = component.kl(&prior.gaussian_wishart()?)?;
    println!("its divergence from the prior below 1e-12: {}", apart < 1e-12);
    let share = 100.0 * q.weights().mean()[dead];
    println!("its expected weight in per cent = {share:.4}");
    println!("psi(0.01) = {:.2}", digamma(0.01));

    let mut shares = Chart::new("update", "N_k").y_range(0.0..185.0);
    for k in 0..6 {
        let counts = path.iter().map(|(counts, _)| counts[k]);
        shares = shares.trace(
            &format!("{}", k + 1),
            counts.collect::<Vec<_>>(),
            Colour::component(k),
        );
    }
    let bound = path.iter().map(|(_, bound)| *bound);
    let climb = Chart::new("update", "F").y_range(-1260.0..-1170.0).trace(
        "",
        bound.collect::<Vec<_>>(),
        Colour::Ink,
    );
    save_row("ch16-dying", &[shares.legend(Legend::Above), climb])
}

// ANCHOR: twins
/// N₁ after each update, and the last posterior, for two components that share every
/// row of `x` in the same way: the first has `share` of it.
fn twin_run(
    x: &DMatrix<f64>,
    prior: &Prior,
    share: f64,
    updates: usize,
) -> Result<(Vec<f64>, Posterior)> {
    let amounts = [share, 1.0 - share];
    let mut r = DMatrix::from_fn(x.nrows(), 2, |_, k| amounts[k]);
    let mut q = Posterior::from_responsibilities(prior, x, &r)?;
    let mut path = vec![q.counts()[0]];
    for _ in 0..updates {
        r = q.responsibilities(x)?;
        q = Posterior::from_responsibilities(prior, x, &r)?;
        path.push(q.counts()[0]);
    }
    Ok((path, q))
}
// ANCHOR_END: twins

fn twins() -> Result<()> {
    let normal = GaussianMixture::new(
        dvector![1.0],
        dmatrix![0.0, 0.0],
        vec![DMatrix::identity(2, 2)],
    )?;
    let (m, p, share) = (200.0, 6.0, 0.45); // points; parameters of a component
    let (x, _) = normal.sample(200, &mut rng(16));
    println!("\n# Twins");
    println!(
        "alpha_0 after 0     10     20     40     80    400   apart        F  F, empty"
    );
    let (mut near, mut far) = (
        Chart::new("update", "N_1").heading("forty updates").y_range(60.0..103.0),
        Chart::new("update", "N_1").heading("four hundred").y_range(-3.0..115.0),
    );
    for (i, alpha0) in [0.01, 1.0, 3.0, 6.0].into_iter().enumerate() {
        let prior = Prior { alpha0, ..Prior::from_data(&x)? };
        let (path, q) = twin_run(&x, &prior, share, 400)?;
        let at = [0, 10, 20, 40, 80, 400].map(|n| path[n]);
        println!(
            "{alpha0:<7}{:8.1}{}{:8.2}{:9.1}{:10.1}",
            at[0],
            row(&at[1..], 7, |n| format!("{n:.1}")),
            (q.means().row(0) - q.means().row(1)).norm(),
            q.elbo(&x)?,
            twin_run(&x, &prior, 0.0, 400)?.1.elbo(&x)?
        );
        let rate = 1.0 + (p - 2.0 * alpha0) / m;
        let theory = (0..=40).map(|n| {
            let log_odds = (share / (1.0 - share)).ln() * rate.powi(n);
            (f64::from(n), m / (1.0 + (-log_odds).exp()))
        });
        let (label, colour) = (format!("α_0 = {alpha0}"), Colour::component(i));
        near = near.trace("", &path[..=40], colour).dashed(
            "",
            theory.collect::<Vec<_>>(),
            colour,
        );
        far = far.trace(&label, &path, colour);
    }
    save_row("ch16-twins", &[near, far])
}

// ANCHOR: non_empty
/// How many of `k` components are expected to get any of `n` points.
fn expected_non_empty(alpha0: f64, k: f64, n: f64) -> f64 {
    let (all, others) = (k * alpha0, (k - 1.0) * alpha0);
    let log_empty =
        ln_gamma(all) - ln_gamma(others) + ln_gamma(n + others) - ln_gamma(n + all);
    k * (1.0 - log_empty.exp())
}
// ANCHOR_END: non_empty

fn alpha0() -> Result<()> {
    println!("\n# The role of alpha_0");
    let x = data::faithful();
    println!("alpha_0  expected  in use   N_k, sorted");
    for alpha0 in [0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 100.0] {
        let prior = Prior { alpha0, ..Prior::from_data(&x)? };
        let vb = Vb::new(6).prior(prior).restarts(5).seed(7).tolerance(1e-8);
        let q = vb.fit(&x)?.posterior;
        let mut shares: Vec<f64> = q.counts().iter().copied().collect();
        shares.sort_by(|a, b| b.total_cmp(a));
        println!(
            "{alpha0:<7}{:10.2}{:8}  {}",
            expected_non_empty(alpha0, 6.0, 272.0),
            in_use(&q),
            row(&shares, 7, |n| format!("{:.2}", n.max(0.0)))
        );
    }
    Ok(())
}

/// Two normals in the plane, 3.5 apart: 100 points.
fn overlapping_points() -> Result<DMatrix<f64>> {
    let means = dmatrix![-1.75, 0.0; 1.75, 0.0];
    let unit = DMatrix::identity(2, 2);
    let truth = GaussianMixture::new(dvector![0.5, 0.5], means, vec![unit; 2])?;
    Ok(truth.sample(100, &mut rng(16)).0)
}

fn vaguer_priors() -> Result<()> {
    println!("\n# Vaguer and stronger priors");
    let (x, overlapping) = (data::faithful(), overlapping_points()?);
    println!("           Old Faithful, K = 6            100 points, F");
    println!("beta_0     in use           F        K = 1    K = 2     2 less 1");
    for beta0 in [1e-6, 1e-4, 1e-2, 0.1, 1.0, 10.0, 100.0] {
        let prior = Prior { beta0, ..Prior::from_data(&x)? };
        let fit = Vb::new(6).prior(prior).restarts(10).seed(7).fit(&x)?;
        let prior = Prior { alpha0: 1.0, beta0, ..Prior::from_data(&overlapping)? };
        let bound = |k: usize| -> Result<f64> {
            let vb = Vb::new(k).prior(prior.clone()).restarts(5).seed(7);
            Ok(vb.fit(&overlapping)?.elbo())
        };
        let (one, two) = (bound(1)?, bound(2)?);
        println!(
            "{beta0:<10}{:7}{:12.1}{one:13.1}{two:9.1}{:13.1}",
            in_use(&fit.posterior),
            fit.elbo(),
            two - one
        );
    }
    Ok(())
}

/// One hundred starts for each of four priors.
fn hundred_starts() -> Result<()> {
    println!("\n# A hundred starts");
    let x = data::faithful();
    let default = Prior::from_data(&x)?;
    let vague = Prior { beta0: 0.01, w0: &default.w0 * 10.0, ..default.clone() };
    let weaker = Prior { beta0: 0.1, ..default.clone() };
    println!(
        "prior                  in use: 1    2    3    4    5    6   best F has"
    );
    let (mut panels, mut handed) = (Vec::new(), String::new());
    for (name, alpha0, prior) in [
        ("the default", 0.01, &default),
        ("beta_0 = 0.1", 0.01, &weaker),
        ("vague", 0.01, &vague),
        ("vague, alpha_0 = 1", 1.0, &vague),
    ] {
        // ANCHOR: starts
        let prior = Prior { alpha0, ..prior.clone() };
        let mut ends = Vec::new();
        for seed in 0..100 {
            let fit = Vb::new(6).prior(prior.clone()).seed(seed).fit(&x)?;
            ends.push((in_use(&fit.posterior), fit.elbo()));
        }
        ends.sort_by(|a, b| b.1.total_cmp(&a.1)); // the highest bound first
        // ANCHOR_END: starts
        let of = |k: usize| ends.iter().filter(|end| end.0 == k).count();
        let histogram: Vec<usize> = (1..=6).map(of).collect();
        println!(
            "{name:27}{}{:10}",
            row(&histogram, 5, |n| n.to_string()),
            ends[0].0
        );
        if name == "beta_0 = 0.1" {
            handed = hand_over(&x, &prior, ends[0].1)?;
        }
        if name.starts_with("vague") {
            let dots: Vec<(f64, f64)> = ends
                .iter()
                .enumerate()
                .map(|(i, (k, bound))| {
                    let aside = 0.3 * ((i * 37 % 100) as f64 / 50.0 - 1.0);
                    (*k as f64 + aside, *bound)
                })
                .collect();
            let bars = (2..=6).map(|k| (k as f64, of(k)));
            let mut panel = Chart::new("components in use", "F at the end")
                .heading(format!("vague prior, α_0 = {alpha0}"))
                .x_range(1.5..6.5)
                .y_range(-1235.0..-1168.0)
                .dots("", dots, Colour::Component(0));
            for (k, n) in bars.filter(|bar| bar.1 > 0) {
                panel = panel.text(k - 0.1, -1173.0, &n.to_string());
            }
            panels.push(panel);
        }
    }
    println!("\n# Two components handed to six\n{handed}");
    save_row("ch16-starts", &panels)
}

/// What two components found, with four empty ones added, as a posterior of six.
fn hand_over(x: &DMatrix<f64>, prior: &Prior, best: f64) -> Result<String> {
    // ANCHOR: hand_over
    let two = Vb::new(2).prior(prior.clone()).fit(x)?.posterior;
    let r = two.responsibilities(x)?.resize_horizontally(6, 0.0);
    let start = Start::Responsibilities(r);
    let six = Vb::new(6).prior(prior.clone()).start(start).fit(x)?;
    // ANCHOR_END: hand_over
    let ten = Vb::new(6).prior(prior.clone()).restarts(10).seed(7).fit(x)?;
    let bound = six.elbo();
    let as_high = ten.restarts.iter().flatten().filter(|end| **end > bound - 0.1);
    Ok(format!(
        "best F of the hundred = {best:.2}\n\
         F with two components in use = {bound:.2}\n\
         starts of ten others that end there = {}\n\
         components in use at the end = {}",
        as_high.count(),
        in_use(&six.posterior)
    ))
}

/// ln p(X, z), with every parameter integrated out (chapter 13).
fn log_joint(prior: &Prior, x: &DMatrix<f64>, z: &[usize], k: usize) -> Result<f64> {
    let component = prior.gaussian_wishart()?;
    let mut counts = DVector::zeros(k);
    let mut log_points = 0.0;
    for k in 0..k {
        let mut moments = Moments::about(prior.m0.clone());
        for n in (0..z.len()).filter(|&n| z[n] == k) {
            moments.push(x.row(n), 1.0)?;
        }
        counts[k] = moments.count();
        log_points += component.log_evidence(&moments)?;
    }
    let before = prior.dirichlet(k)?;
    let after = Dirichlet::new(before.concentration() + counts)?;
    Ok(before.log_normaliser() - after.log_normaliser() + log_points)
}

/// ln p(X): the sum over all labellings.
fn log_evidence(prior: &Prior, x: &DMatrix<f64>, k: usize) -> Result<f64> {
    let n = x.nrows() as u32;
    let labels = |code: usize| (0..n).map(move |i| code / k.pow(i) % k);
    let all = (0..k.pow(n)).map(|code| {
        let z: Vec<usize> = labels(code).collect();
        log_joint(prior, x, &z, k)
    });
    Ok(log_sum_exp(&all.collect::<Result<Vec<_>>>()?))
}

/// All orders of 0 to k − 1.
fn permutations(k: usize) -> Vec<Vec<usize>> {
    if k == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(k - 1);
    let insert = |at: usize, of: &Vec<usize>| {
        let mut longer = of.clone();
        longer.insert(at, k - 1);
        longer
    };
    (0..k).flat_map(|at| shorter.iter().map(move |of| insert(at, of))).collect()
}

// ANCHOR: gain
/// KL(q ‖ q̄), q̄ the average of q over all ways to name its components, from draws.
fn gain(q: &Posterior, x: &DMatrix<f64>, draws: usize) -> Result<f64> {
    let (r, k, mut rng) = (q.responsibilities(x)?, q.component_count(), rng(16));
    let orders = permutations(k);
    let mut total = 0.0;
    for _ in 0..draws {
        let weights = q.weights().sample(&mut rng);
        let drawn = q.components().iter().map(|c| c.sample(&mut rng));
        let drawn = drawn.collect::<Result<Vec<_>>>()?;
        let z: Vec<usize> =
            (0..x.nrows()).map(|n| pick(r.row(n).iter(), rng.random())).collect();
        let log_q = |order: &Vec<usize>| -> Result<f64> {
            let named = DVector::from_fn(k, |k, _| weights[order[k]]);
            let mut log_q = q.weights().log_density(&named)?;
            for (component, &j) in q.components().iter().zip(order) {
                log_q += component.log_density(&drawn[j].0, &drawn[j].1)?;
            }
            let name = |j: usize| order.iter().position(|&o| o == j).unwrap();
            Ok(log_q + (0..z.len()).map(|n| r[(n, name(z[n]))].ln()).sum::<f64>())
        };
        let each = orders.iter().map(log_q).collect::<Result<Vec<_>>>()?;
        let average = log_sum_exp(&each) - (orders.len() as f64).ln();
        total += log_q(&(0..k).collect())? - average;
    }
    Ok(total / draws as f64)
}
// ANCHOR_END: gain

/// The first index at which the running sum of shares exceeds u.
fn pick<'a>(shares: impl Iterator<Item = &'a f64>, u: f64) -> usize {
    let mut sum = 0.0;
    let mut last = 0;
    for (k, share) in shares.enumerate() {
        sum += share;
        if *share > 0.0 {
            last = k;
        }
        if u < sum {
            return k;
        }
    }
    last
}

/// ln(K!/m!), which a Dirichlet always has.
fn log_relabellings(q: &Posterior) -> f64 {
    q.log_relabellings().expect("a Dirichlet's components can be exchanged")
}

fn all_labellings() -> Result<()> {
    println!("\n# Against the exact evidence");
    let apart = dmatrix![-4.3; -4.0; -3.9; -3.6; 3.5; 3.9; 4.1; 4.4];
    let spread = dmatrix![-2.0; -1.7; -1.1; -0.2; 0.4; 1.2; 1.6; 2.1];
    let one = dmatrix![-1.3; -0.8; -0.4; -0.1; 0.2; 0.5; 0.9; 1.4];
    let weak = |alpha0: f64| Prior {
        alpha0,
        beta0: 0.05,
        m0: dvector![0.0],
        w0: dmatrix![1.0],
        nu0: 3.0,
    };
    let strong = Prior { beta0: 100.0, w0: dmatrix![0.01], nu0: 100.0, ..weak(5.0) };
    println!(
        "                       in           F +        F +      F +        exact"
    );
    println!(
        "points           K    use      F    gain   ln K!/m!    ln K!   ln p(X)"
    );
    for (name, x, prior, ks) in [
        ("two groups", &apart, weak(1.0), vec![2, 3]),
        ("one group", &one, weak(0.1), vec![2, 3]),
        ("spread out", &spread, weak(1.0), vec![1, 2, 3]),
        ("all alike", &one, strong, vec![2, 3]),
    ] {
        for k in ks {
            let vb = Vb::new(k).prior(prior.clone()).restarts(20).seed(7);
            let fit = vb.tolerance(1e-12).fit(x)?;
            let (q, bound) = (&fit.posterior, fit.elbo());
            println!(
                "{name:17}{k}{:6}{bound:9.2}{:8.2}{:9.2}{:11.2}{:9.2}",
                in_use(q),
                bound + gain(q, x, 2000)?,
                bound + log_relabellings(q),
                bound + ln_gamma(k as f64 + 1.0),
                log_evidence(&prior, x, k)?
            );
        }
    }
    Ok(())
}

// ANCHOR: compare
/// F, F + ln(K!/m!) and −BIC/2 for K components, and how many of them are in use.
fn compare(x: &DMatrix<f64>, prior: &Prior, k: usize) -> Result<([f64; 3], usize)> {
    let vb = Vb::new(k).prior(prior.clone()).restarts(10).seed(7).tolerance(1e-8);
    let fit = vb.fit(x)?;
    let em = Em::new(k).restarts(10).seed(7).fit(x)?;
    let (q, bound) = (&fit.posterior, fit.elbo());
    let bic = em.mixture.bic(x)?;
    Ok(([bound, bound + log_relabellings(q), -0.5 * bic], in_use(q)))
}
// ANCHOR_END: compare

fn one_to_six() -> Result<()> {
    println!("\n# One to six");
    let x = data::faithful();
    let mut panels = Vec::new();
    for alpha0 in [0.01, 1.0] {
        let prior = Prior { alpha0, ..Prior::from_data(&x)? };
        println!("alpha_0 = {alpha0}");
        println!("K   in use           F   F + ln K!/m!     -BIC/2");
        let mut lines = [vec![], vec![], vec![]];
        for k in 1..=6 {
            let (three, used) = compare(&x, &prior, k)?;
            let [bound, counted, bic] = three;
            println!("{k}{used:9}{bound:12.1}{counted:15.1}{bic:11.1}");
            for (line, value) in lines.iter_mut().zip(three).filter(|_| k > 1) {
                line.push((k as f64, value));
            }
        }
        let mut panel = Chart::new("K", "nats")
            .heading(format!("α_0 = {alpha0}"))
            .x_range(1.7..6.3)
            .y_range(-1195.0..-1155.0);
        let names = ["F", "F + ln K!/m!", "−BIC/2"];
        for (i, (name, line)) in names.iter().zip(&lines).enumerate() {
            let colour = Colour::component(i);
            panel = panel.line("", line, colour).dots(name, line, colour);
        }
        panels.push(panel);
    }
    save_row("ch16-criteria", &panels)
}

fn overlapping() -> Result<()> {
    println!("\n# Overlapping");
    let x = overlapping_points()?;
    let prior = Prior { alpha0: 1.0, ..Prior::from_data(&x)? };
    println!("K   in use           F   F + ln K!/m!     -BIC/2");
    for k in 1..=4 {
        let ([bound, counted, bic], used) = compare(&x, &prior, k)?;
        println!("{k}{used:9}{bound:12.1}{counted:15.1}{bic:11.1}");
    }
    println!("\n# How often two");
    println!("distance   F   F + ln K!/m!   -BIC/2   (of 20 sets)");
    for distance in [3.0, 3.5, 4.0] {
        let means = dmatrix![-0.5 * distance, 0.0; 0.5 * distance, 0.0];
        let unit = DMatrix::identity(2, 2);
        let truth = GaussianMixture::new(dvector![0.5, 0.5], means, vec![unit; 2])?;
        let mut two = [0; 3];
        for set in 0..20 {
            let (x, _) = truth.sample(100, &mut rng_stream(16, set));
            let prior = Prior { alpha0: 1.0, ..Prior::from_data(&x)? };
            let all = (1..=3).map(|k| compare_quickly(&x, &prior, k));
            let all = all.collect::<Result<Vec<_>>>()?;
            for (i, two) in two.iter_mut().enumerate() {
                let best = (0..3).max_by(|&a, &b| all[a][i].total_cmp(&all[b][i]));
                *two += usize::from(best == Some(1));
            }
        }
        println!("{distance:<8}{:4}{:12}{:12}", two[0], two[1], two[2]);
    }
    Ok(())
}

fn compare_quickly(x: &DMatrix<f64>, prior: &Prior, k: usize) -> Result<[f64; 3]> {
    let fit = Vb::new(k).prior(prior.clone()).restarts(3).seed(7).fit(x)?;
    let em = Em::new(k).restarts(3).seed(7).fit(x)?;
    let bound = fit.elbo();
    let counted = bound + log_relabellings(&fit.posterior);
    Ok([bound, counted, -0.5 * em.mixture.bic(x)?])
}
