//! Chapter 13: the evidence lower bound of a mixture, what it proves, and which bugs it
//! sees.

use mixtures::math::{LN_2_PI, log_sum_exp};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, save_grid};
use mixtures::{
    Dirichlet, GaussianWishart, Moments, Posterior, Prior, Result, Start, Vb,
    Wishart, data,
};

fn notebook_prior() -> Prior {
    Prior {
        alpha0: 1.5,
        beta0: 1.5,
        m0: dvector![1.0, 1.0],
        w0: DMatrix::identity(2, 2),
        nu0: 2.0,
    }
}

fn notebook_means() -> DMatrix<f64> {
    dmatrix![
        1.4989150807377682, 2.35945889341661;
        1.4123209777300891, 3.2438353816069414;
        0.2137974888492734, 1.1075243615259018
    ]
}

// ANCHOR: flaws
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// ν_k = ν₀: the points do not count.
    NuAtPrior,
    /// ν_k = ν₀ + N_k + 1, as some printings have it.
    NuPlusOne,
    /// W_k⁻¹ without the term of x̄_k − m₀.
    NoPull,
    /// ln E π_k in the score, where E ln π_k belongs.
    LogOfMean,
    /// The score without D/β_k.
    MeanIsKnown,
}
// ANCHOR_END: flaws

/// r, N×K, with or without a flaw.
fn responsibilities(q: &Posterior, x: &DMatrix<f64>, flaw: Flaw) -> DMatrix<f64> {
    let d = x.ncols() as f64;
    let log_weights = match flaw {
        Flaw::LogOfMean => q.weights().mean().map(f64::ln),
        _ => q.weights().expected_log(),
    };
    let mut r = DMatrix::from_fn(x.nrows(), log_weights.len(), |n, k| {
        let component = &q.components()[k];
        let mut distance = component.expected_distance(&x.row(n).transpose());
        if flaw == Flaw::MeanIsKnown {
            distance -= d / component.beta();
        }
        let log_det = component.wishart().expected_log_det();
        log_weights[k] + 0.5 * (log_det - d * LN_2_PI - distance)
    });
    for mut row in r.row_iter_mut() {
        let total = log_sum_exp(&row.iter().copied().collect::<Vec<_>>());
        row.apply(|score| *score = (*score - total).exp());
    }
    r
}

/// The update for these responsibilities, with or without a flaw.
fn update(
    prior: &Prior,
    x: &DMatrix<f64>,
    r: &DMatrix<f64>,
    flaw: Flaw,
) -> Result<Posterior> {
    let right = Posterior::from_responsibilities(prior, x, r)?;
    let components = right.components().iter().map(|c| {
        let count = c.beta() - prior.beta0;
        let nu = match flaw {
            Flaw::NuAtPrior => prior.nu0,
            Flaw::NuPlusOne => c.wishart().nu() + 1.0,
            _ => c.wishart().nu(),
        };
        let mut inverse_w = c.wishart().inverse_w().clone();
        if flaw == Flaw::NoPull && count > 0.0 {
            let shift = (c.m() - &prior.m0) * (c.beta() / count); // x̄_k − m₀
            inverse_w -=
                &shift * shift.transpose() * (prior.beta0 * count / c.beta());
        }
        let wishart = Wishart::from_inverse(nu, inverse_w)?;
        GaussianWishart::new(c.m().clone(), c.beta(), wishart)
    });
    let components = components.collect::<Result<_>>()?;
    Posterior::new(prior.clone(), right.weights().clone(), components)
}

// ANCHOR: watch
/// F before each of fifty updates, and after the last.
fn watch(x: &DMatrix<f64>, flaw: Flaw) -> Result<Vec<f64>> {
    let prior = notebook_prior();
    let start = Vb::new(3).prior(prior.clone()).start(Start::Means(notebook_means()));
    let mut q = start.max_iterations(0).fit(x)?.posterior;
    let mut trace = vec![q.elbo(x)?];
    for _ in 0..50 {
        q = update(&prior, x, &responsibilities(&q, x, flaw), flaw)?;
        trace.push(q.elbo(x)?);
    }
    Ok(trace)
}
// ANCHOR_END: watch

// ANCHOR: exact
/// ln p(X, z), with every parameter integrated out.
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
// ANCHOR_END: exact

fn one_hot(z: &[usize], k: usize) -> DMatrix<f64> {
    DMatrix::from_fn(z.len(), k, |n, k| if z[n] == k { 1.0 } else { 0.0 })
}

/// The labels that the bits of `code` spell.
fn labels(code: usize, n: usize) -> Vec<usize> {
    (0..n).map(|i| code >> i & 1).collect()
}

fn main() -> Result<()> {
    let x = data::notebook();
    seven_terms(&x)?;
    debugger(&x)?;
    one_component(&x)?;
    all_assignments(&x)?;
    exact_cases(&x)
}

fn seven_terms(x: &DMatrix<f64>) -> Result<()> {
    // ANCHOR: both
    let fit = Vb::new(3)
        .prior(notebook_prior())
        .start(Start::Means(notebook_means()))
        .max_iterations(50)
        .tolerance(0.0)
        .fit(x)?;
    let q = &fit.posterior;
    let terms = q.elbo_terms(x, &q.responsibilities(x)?)?;
    let collapsed = q.elbo(x)?;
    // ANCHOR_END: both
    println!("# The seven terms");
    for (name, value) in [
        ("E ln p(X | z, mu, Lambda)", terms.points),
        ("E ln p(z | pi)", terms.labels),
        ("E ln p(pi)", terms.weights),
        ("E ln p(mu, Lambda)", terms.components),
        ("-E ln q(z)", terms.label_entropy),
        ("-E ln q(pi)", terms.weight_entropy),
        ("-E ln q(mu, Lambda)", terms.component_entropy),
        ("F, their sum", terms.total()),
    ] {
        println!("{name:<28}{value:>12.4}");
    }
    println!("\n# The collapsed form");
    println!("F, collapsed = {collapsed:.4}");
    let apart = (collapsed / terms.total() - 1.0).abs();
    println!("relative difference below 1e-13: {}", apart < 1e-13);
    println!("\n# The climb");
    println!("F at the start = {:.2}", fit.trace[0]);
    println!("F after 50 updates = {:.4}", fit.elbo());

    let last = watch_longer(x)?;
    let left = fit.trace.iter().map(|f| last - f).take_while(|gap| *gap > 1e-8);
    let points: Vec<(f64, f64)> =
        left.enumerate().map(|(i, g)| (i as f64, g)).collect();
    Chart::new("update", "F still to gain")
        .log_y()
        .dots("", points.clone(), Colour::Component(0))
        .line("", points, Colour::Component(0))
        .save("ch13-climb")?;
    Ok(())
}

/// F at the end of the climb.
fn watch_longer(x: &DMatrix<f64>) -> Result<f64> {
    let start = Start::Means(notebook_means());
    let vb = Vb::new(3).prior(notebook_prior()).start(start);
    Ok(vb.max_iterations(300).tolerance(0.0).fit(x)?.elbo())
}

fn debugger(x: &DMatrix<f64>) -> Result<()> {
    println!("\n# Planted bugs");
    println!("{:<34}{:>14}{:>8}{:>14}", "", "largest fall", "falls", "final F");
    let mut panels = Vec::new();
    for (name, heading, flaw) in [
        ("none", "no bug", Flaw::None),
        ("nu_k = nu_0", "ν_k = ν_0", Flaw::NuAtPrior),
        ("nu_k = nu_0 + N_k + 1", "ν_k too large by one", Flaw::NuPlusOne),
        ("W_k without the pull to m_0", "no pull to **m**_0", Flaw::NoPull),
        ("ln E pi_k for E ln pi_k", "", Flaw::LogOfMean),
        ("no D/beta_k", "", Flaw::MeanIsKnown),
    ] {
        let trace = watch(x, flaw)?;
        let gains: Vec<f64> = trace.windows(2).map(|f| f[1] - f[0]).collect();
        // What rounding can do, with a factor of a hundred to spare.
        let falls: Vec<f64> = gains.iter().copied().filter(|g| *g < -1e-9).collect();
        let largest = falls.iter().copied().fold(0.0, |a: f64, b| a.max(-b));
        let largest =
            if falls.is_empty() { "none".into() } else { format!("{largest:.1e}") };
        let last = trace[50];
        println!("{name:<34}{largest:>14}{:>8}{last:>14.3}", falls.len());
        if heading.is_empty() {
            continue;
        }
        let of = |up: bool| {
            let gains = gains.iter().enumerate();
            let mine =
                gains.filter(move |(_, g)| g.abs() > 1e-9 && (**g > 0.0) == up);
            mine.map(|(i, g)| (i as f64 + 1.0, *g)).collect::<Vec<_>>()
        };
        let mut chart = Chart::new("update", "change of F")
            .heading(heading)
            .x_range(0.0..51.0)
            .y_range(-1e5..1e5)
            .signed_log_y(1e-9)
            .horizontal(0.0, "");
        for (up, colour) in [(true, 0), (false, 1)] {
            let points = of(up);
            if !points.is_empty() {
                chart = chart.dots("", points, Colour::Component(colour));
            }
        }
        panels.push(chart);
    }
    save_grid("ch13-debugger", 2, &panels)?;
    Ok(())
}

/// With one component the bound is chapter 10's evidence.
fn one_component(x: &DMatrix<f64>) -> Result<()> {
    let prior = notebook_prior();
    let fit = Vb::new(1).prior(prior.clone()).fit(x)?;
    let exact = prior.gaussian_wishart()?.log_evidence(&Moments::of(x)?)?;
    println!("\n# One component");
    println!("F = {:.6}", fit.elbo());
    println!("chapter 10's log evidence = {exact:.6}");
    Ok(())
}

/// How far each bug takes F from what it must be: for one component and all points, and
/// for the worst assignment of eight points to two; and how far it takes the two forms
/// of F from each other.
fn exact_cases(x: &DMatrix<f64>) -> Result<()> {
    let prior = notebook_prior();
    let few = x.rows(0, 8).into_owned();
    let log_b = prior.gaussian_wishart()?.wishart().log_normaliser();
    let apart =
        |x: &DMatrix<f64>, z: &[usize], k: usize, flaw: Flaw| -> Result<f64> {
            let r = one_hot(z, k);
            let q = update(&prior, x, &r, flaw)?;
            Ok(q.elbo_with(x, &r)? - log_joint(&prior, x, z, k)?)
        };
    println!("\n# Exact cases");
    let fit = Vb::new(3).prior(prior.clone()).start(Start::Means(notebook_means()));
    let found = fit.fit(x)?.posterior;
    println!(
        "{:<30}{:>15}{:>18}{:>12}",
        "", "one component", "worst assignment", "two forms"
    );
    for (name, flaw, forgotten) in [
        ("none", Flaw::None, [0.0; 2]),
        ("nu_k = nu_0", Flaw::NuAtPrior, [0.0; 2]),
        ("nu_k = nu_0 + N_k + 1", Flaw::NuPlusOne, [0.0; 2]),
        ("W_k without the pull to m_0", Flaw::NoPull, [0.0; 2]),
        ("ln E pi_k for E ln pi_k", Flaw::LogOfMean, [0.0; 2]),
        ("no D/beta_k", Flaw::MeanIsKnown, [0.0; 2]),
        ("F without ln B(W0, nu0)", Flaw::None, [log_b, 2.0 * log_b]),
        ("F without ln C(alpha0)", Flaw::None, {
            [0.0, prior.dirichlet(2)?.log_normaliser()]
        }),
    ] {
        let one = apart(x, &vec![0; x.nrows()], 1, flaw)? - forgotten[0];
        let mut worst: f64 = 0.0;
        for code in 0..1 << 8 {
            let off = apart(&few, &labels(code, 8), 2, flaw)? - forgotten[1];
            worst = if off.abs() > worst.abs() { off } else { worst };
        }
        let r = responsibilities(&found, x, flaw);
        let forms = found.elbo_with(x, &r)? - found.elbo(x)?;
        let show = |v: f64| match v.abs() {
            size if size < 1e-8 => "exact".to_string(),
            size if size < 1e-3 => format!("{v:.1e}"),
            _ => format!("{v:.4}"),
        };
        println!("{name:<30}{:>15}{:>18}{:>12}", show(one), show(worst), show(forms));
    }
    Ok(())
}

/// Eight points and two components: every labelling.
fn all_assignments(x: &DMatrix<f64>) -> Result<()> {
    let (n, k) = (8, 2);
    let x = x.rows(0, n).into_owned();
    let prior = notebook_prior();
    // ANCHOR: assignments
    let mut joint = Vec::new();
    let mut worst: f64 = 0.0;
    for code in 0..1 << n {
        let z = labels(code, n);
        let r = one_hot(&z, k);
        let q = Posterior::from_responsibilities(&prior, &x, &r)?;
        let exact = log_joint(&prior, &x, &z, k)?;
        worst = worst.max((q.elbo_with(&x, &r)? - exact).abs());
        joint.push(exact);
    }
    let evidence = log_sum_exp(&joint);
    // ANCHOR_END: assignments
    let fit =
        Vb::new(k).prior(prior.clone()).restarts(50).tolerance(1e-12).fit(&x)?;
    println!("\n# All assignments");
    println!("assignments = {}", joint.len());
    println!("largest difference below 1e-10: {}", worst < 1e-10);
    let most = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    println!("ln p(X, z) of the best = {most:.4}");
    println!("ln p(X), from all = {evidence:.4}");
    println!("best F of fifty starts = {:.4}", fit.elbo());
    println!("what it misses = {:.4}", evidence - fit.elbo());
    println!("ln 2 = {:.4}", 2.0_f64.ln());

    joint.sort_by(|a, b| b.total_cmp(a));
    let bars = joint.iter().enumerate().map(|(i, l)| (i as f64 + 1.0, *l));
    Chart::new("assignment, from the most probable", "ln p(**X**, **z**)")
        .dots("", bars, Colour::Component(0))
        .horizontal(evidence, "ln p(**X**)")
        .horizontal(fit.elbo(), "best F")
        .save("ch13-assignments")?;
    Ok(())
}
