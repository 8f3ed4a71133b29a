//! Chapter 12: variational Bayes for the mixture, first as plain as its formulas, then
//! as the library runs it.

use mixtures::math::{LN_2_PI, log_sum_exp, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, Diagram, Legend, save_grid, save_row};
use mixtures::{
    Dirichlet, Em, GaussianMixture, GaussianWishart, Posterior, Prior, Result, Start,
    Vb, Wishart, data,
};

// ANCHOR: belief
/// q(π, μ, Λ).
struct Belief {
    weights: Dirichlet,
    components: Vec<GaussianWishart>,
}
// ANCHOR_END: belief

// ANCHOR: responsibilities
/// q(z), N×K: each point's shares, for this belief about the parameters.
fn responsibilities(belief: &Belief, x: &DMatrix<f64>) -> DMatrix<f64> {
    let d = x.ncols() as f64;
    let log_weights = belief.weights.expected_log();
    let mut scores = DMatrix::zeros(x.nrows(), log_weights.len());
    for (k, component) in belief.components.iter().enumerate() {
        let log_det = component.wishart().expected_log_det();
        for (n, row) in x.row_iter().enumerate() {
            let distance = component.expected_distance(&row.transpose());
            scores[(n, k)] =
                log_weights[k] + 0.5 * (log_det - d * LN_2_PI - distance);
        }
    }
    for mut row in scores.row_iter_mut() {
        let total = log_sum_exp(&row.iter().copied().collect::<Vec<_>>());
        row.apply(|score| *score = (*score - total).exp());
    }
    scores
}
// ANCHOR_END: responsibilities

// ANCHOR: update
/// q(π) and q(μ_k, Λ_k), if each point is shared out as r says.
fn update(prior: &Prior, x: &DMatrix<f64>, r: &DMatrix<f64>) -> Result<Belief> {
    let inverse_w0 = prior.gaussian_wishart()?.wishart().inverse_w().clone();
    let mut alpha = DVector::zeros(r.ncols());
    let mut components = Vec::new();
    for (k, share) in r.column_iter().enumerate() {
        let count = share.sum();
        let mean = x.transpose() * share / count;
        let beta = prior.beta0 + count;
        let m = (&prior.m0 * prior.beta0 + &mean * count) / beta;
        let shift = &mean - &prior.m0;
        let mut inverse_w =
            &inverse_w0 + &shift * shift.transpose() * (prior.beta0 * count / beta);
        for (row, r) in x.row_iter().zip(&share) {
            let residual = row.transpose() - &mean;
            inverse_w += &residual * residual.transpose() * *r;
        }
        let wishart = Wishart::from_inverse(prior.nu0 + count, inverse_w)?;
        components.push(GaussianWishart::new(m, beta, wishart)?);
        alpha[k] = prior.alpha0 + count;
    }
    Ok(Belief { weights: Dirichlet::new(alpha)?, components })
}
// ANCHOR_END: update

// ANCHOR: run
fn plain_vb(
    prior: &Prior,
    start: Belief,
    x: &DMatrix<f64>,
    updates: usize,
) -> Result<Belief> {
    let mut belief = start;
    for _ in 0..updates {
        belief = update(prior, x, &responsibilities(&belief, x))?;
    }
    Ok(belief)
}
// ANCHOR_END: run

// ANCHOR: prior
/// What the notebook's code believes beforehand.
fn notebook_prior() -> Prior {
    Prior {
        alpha0: 1.5,
        beta0: 1.5,
        m0: dvector![1.0, 1.0],
        w0: DMatrix::identity(2, 2),
        nu0: 2.0,
    }
}

/// Where it starts: m₀ with standard normal noise from its own generator.
fn notebook_means() -> DMatrix<f64> {
    dmatrix![
        1.4989150807377682, 2.35945889341661;
        1.4123209777300891, 3.2438353816069414;
        0.2137974888492734, 1.1075243615259018
    ]
}
// ANCHOR_END: prior

// ANCHOR: start
/// The prior, but for the means.
fn notebook_start() -> Result<Belief> {
    let prior = notebook_prior();
    let components = notebook_means()
        .row_iter()
        .map(|mean| {
            let wishart = Wishart::new(prior.nu0, prior.w0.clone())?;
            GaussianWishart::new(mean.transpose(), prior.beta0, wishart)
        })
        .collect::<Result<_>>()?;
    Ok(Belief { weights: prior.dirichlet(3)?, components })
}
// ANCHOR_END: start

fn posterior(prior: &Prior, belief: &Belief) -> Result<Posterior> {
    Posterior::new(prior.clone(), belief.weights.clone(), belief.components.clone())
}

fn covariances(mixture: &GaussianMixture) -> Vec<DMatrix<f64>> {
    mixture.components().iter().map(|c| c.covariance().clone()).collect()
}

fn print_matrix(label: &str, matrix: &DMatrix<f64>) {
    for (i, row) in matrix.row_iter().enumerate() {
        let label = if i == 0 { label } else { "" };
        let numbers: String = row.iter().map(|v| format!("{v:13.8}")).collect();
        println!("{label:<14}{numbers}");
    }
}

fn panel() -> Chart<'static> {
    Chart::new("x_1", "x_2").x_range(-7.0..8.0).y_range(-4.0..7.0)
}

fn main() -> Result<()> {
    graphical_model()?;
    let x = data::notebook();
    let plain = plain_vb(&notebook_prior(), notebook_start()?, &x, 50)?;
    println!("# The notebook's run");
    for (k, weight) in plain.weights.mean().iter().enumerate() {
        let component = &plain.components[k];
        println!("component {k}, expected weight {weight:.8}");
        print_matrix("mean", &DMatrix::from_rows(&[component.m().transpose()]));
        print_matrix("precision", &component.wishart().mean());
    }

    // ANCHOR: library
    let fit = Vb::new(3)
        .prior(notebook_prior())
        .start(Start::Means(notebook_means()))
        .max_iterations(50)
        .tolerance(0.0)
        .fit(&x)?;
    // ANCHOR_END: library
    let ours = posterior(&notebook_prior(), &plain)?;
    let apart = (0..3)
        .map(|k| (ours.w(k) - fit.posterior.w(k)).amax())
        .fold((ours.means() - fit.posterior.means()).amax(), f64::max);
    println!("\n# The library's run");
    println!("differs from the plain run by less than 1e-12: {}", apart < 1e-12);

    snapshots(&x)?;
    thin(&x, &plain)?;
    default_prior(&x)?;
    draws(&x)?;
    discount()
}

fn graphical_model() -> Result<()> {
    Diagram::new()
        .parameter("alpha0", "α_0", 0.0, 0.0)
        .node("pi", "**π**", 1.2, 0.0)
        .node("z", "z_n", 2.4, 0.0)
        .observed("x", "**x**_n", 3.6, 0.0)
        .node("mu", "**μ**_k", 4.9, 0.45)
        .node("lambda", "**Λ**_k", 4.9, -0.45)
        .parameter("m0", "**m**_0, β_0", 6.2, 0.45)
        .parameter("w0", "**W**_0, ν_0", 6.2, -0.45)
        .plate(&["z", "x"], "N")
        .plate(&["mu", "lambda"], "K")
        .arrow("alpha0", "pi")
        .arrow("pi", "z")
        .arrow("z", "x")
        .arrow("mu", "x")
        .arrow("lambda", "x")
        .arrow("lambda", "mu")
        .arrow("m0", "mu")
        .arrow("w0", "lambda")
        .save("ch12-graphical-model")?;
    Ok(())
}

/// The plain run at four moments.
fn snapshots(x: &DMatrix<f64>) -> Result<()> {
    let mut panels = Vec::new();
    for updates in [0, 5, 15, 50] {
        let belief = plain_vb(&notebook_prior(), notebook_start()?, x, updates)?;
        let mixture = posterior(&notebook_prior(), &belief)?.expected_mixture();
        let r = responsibilities(&belief, x);
        panels.push(
            panel()
                .heading(format!("after {updates} updates"))
                .scatter_by_responsibility(x, &r)
                .components(mixture.means(), &covariances(&mixture), 0.9),
        );
    }
    save_grid("ch12-notebook", 2, &panels)?;
    Ok(())
}

/// Why the thin component comes out wide.
fn thin(x: &DMatrix<f64>, plain: &Belief) -> Result<()> {
    let r = responsibilities(plain, x);
    let share = r.column(1);
    let count = share.sum();
    let mean = x.transpose() * share / count;
    let mut scatter = DMatrix::zeros(2, 2);
    for (row, r) in x.row_iter().zip(&share) {
        let residual = row.transpose() - &mean;
        scatter += &residual * residual.transpose() * *r;
    }
    let eigen = scatter.clone().symmetric_eigen();
    let v = eigen.eigenvectors.column(eigen.eigenvalues.imin()).into_owned();
    let v = if v[0] < 0.0 { -v } else { v };
    let prior = notebook_prior();
    let away = v.dot(&(&mean - &prior.m0));
    let along = v.dot(&(&scatter * &v));
    println!("\n# Along the thin direction");
    println!("direction = ({:.4}, {:.4})", v[0], v[1]);
    println!("scatter of its points = {along:.2}");
    let inverse_w0 = prior.w0.clone().try_inverse().expect("a prior's scale");
    println!("W0 inverse = {:.2}", v.dot(&(inverse_w0 * &v)));
    let shrinkage = prior.beta0 * count / (prior.beta0 + count) * away * away;
    println!("the mean's term = {shrinkage:.2}");
    println!("points = {count:.1}");
    println!("standard deviation of its points = {:.3}", (along / count).sqrt());
    println!("distance of their mean from m0 = {away:.2}");
    let sd = (along / count / prior.beta0).sqrt();
    println!("in standard deviations of the prior = {:.1}", away / sd);

    println!("\n# Other priors");
    println!("{:<34}{:>10}{:>10}{:>10}", "", "row 1", "", "row 2");
    let line = |name: &str, lambda: &DMatrix<f64>| {
        let (a, b, c) = (lambda[(0, 0)], lambda[(0, 1)], lambda[(1, 1)]);
        println!("{name:<34}{a:>10.4}{b:>10.4}{c:>10.4}");
    };
    let fit = |prior: &Prior| -> Result<GaussianMixture> {
        let means = Start::Means(notebook_means());
        let vb = Vb::new(3).prior(prior.clone()).start(means);
        Ok(vb.tolerance(1e-12).fit(x)?.posterior.expected_mixture())
    };
    let text_w0 = dmatrix![3.0, 1.0; 1.0, 4.0];
    let vague = DMatrix::identity(2, 2) * 1e6;
    let near = dvector![4.0, 2.0];
    let variants = [
        ("the notebook's code", prior.clone()),
        ("W0 as in its text", Prior { w0: text_w0, ..prior.clone() }),
        ("W0 = 10^6 I", Prior { w0: vague.clone(), ..prior.clone() }),
        ("beta0 = 0.001", Prior { beta0: 1e-3, ..prior.clone() }),
        ("m0 = (4, 2)", Prior { m0: near, ..prior.clone() }),
        ("beta0 = 0.001 and W0 = 10^6 I", Prior { beta0: 1e-3, w0: vague, ..prior }),
    ];
    for (name, prior) in &variants {
        let sigma = fit(prior)?.covariance(1).clone();
        line(name, &sigma.try_inverse().expect("a covariance"));
    }
    let (_, means, sigma) = data::notebook_truth();
    let start = GaussianMixture::new(
        dvector![0.15, 0.35, 0.5],
        means.clone(),
        sigma.clone(),
    )?;
    let em = Em::new(3).start(Start::Given(start)).tolerance(1e-12).fit(x)?.mixture;
    let inverse = |m: &DMatrix<f64>| m.clone().try_inverse().expect("a covariance");
    line("EM", &inverse(em.covariance(1)));
    line("the truth", &inverse(&sigma[1]));

    let notebook = fit(&variants[0].1)?;
    let ellipses = Chart::new("x_1", "x_2")
        .x_range(0.5..7.0)
        .y_range(-2.0..6.0)
        .heading("90 % of the mass")
        .scatter_by_responsibility(x, &r)
        .ellipse(&means.row(1).transpose(), &sigma[1], 0.9, Colour::Ink)
        .with_dashes()
        .with_label("truth")
        .ellipse(
            &notebook.means().row(1).transpose(),
            notebook.covariance(1),
            0.9,
            Colour::Component(1),
        )
        .with_label("notebook")
        .cross(&variants[0].1.m0, Colour::Ink);
    let mut across = Chart::new("across the thin direction", "density")
        .x_range(-1.0..1.0)
        .y_range(0.0..3.0)
        .heading("a cut through it")
        .legend(Legend::Above);
    let cut = |sigma: &DMatrix<f64>| {
        let precision = v.dot(&(inverse(sigma) * &v));
        let height = (precision / std::f64::consts::TAU).sqrt();
        move |s: f64| height * (-0.5 * precision * s * s).exp()
    };
    across = across.curve("truth", cut(&sigma[1]), Colour::Ink).with_dashes();
    for (at, name) in
        [(0, "notebook"), (2, "W_0 = 10^{6} **I**"), (4, "m_0 = (4, 2)")]
    {
        let colour =
            [Colour::Component(1), Colour::Component(0), Colour::Component(2)];
        let sigma = fit(&variants[at].1)?.covariance(1).clone();
        across = across.curve(name, cut(&sigma), colour[at / 2]);
    }
    save_row("ch12-thin", &[ellipses, across])?;
    Ok(())
}

fn default_prior(x: &DMatrix<f64>) -> Result<()> {
    // ANCHOR: default
    let fit = Vb::new(3).restarts(10).seed(1).fit(x)?;
    let loose = Prior { beta0: 0.01, ..Prior::from_data(x)? };
    let looser = Prior { w0: &loose.w0 * 10.0, ..loose.clone() };
    // ANCHOR_END: default
    let sharpest = |mixture: GaussianMixture| {
        let lambda = (0..3).map(|k| {
            mixture.covariance(k).clone().try_inverse().expect("a covariance")[(0, 0)]
        });
        lambda.fold(0.0, f64::max)
    };
    println!("\n# The default prior");
    println!("default = {:.1}", sharpest(fit.posterior.expected_mixture()));
    for (name, prior) in [("loose", loose), ("looser", looser)] {
        let fit = Vb::new(3).prior(prior).restarts(10).seed(1).fit(x)?;
        println!("{name} = {:.1}", sharpest(fit.posterior.expected_mixture()));
    }
    Ok(())
}

/// What the posterior leaves open, from few points and from many.
fn draws(x: &DMatrix<f64>) -> Result<()> {
    let mut panels = Vec::new();
    for n in [100, 1000] {
        let part = x.rows(0, n).into_owned();
        let loose = Prior::from_data(&part)?;
        let prior = Prior { alpha0: 1.0, beta0: 0.01, w0: &loose.w0 * 10.0, ..loose };
        let q = Vb::new(3).prior(prior).restarts(20).seed(1).fit(&part)?.posterior;
        let mut chart =
            panel().heading(format!("{n} points")).scatter(&part, Colour::Grey);
        // One colour a component in both panels: from left to right.
        let mut order = [0, 1, 2];
        order.sort_by(|&a, &b| q.means()[(a, 0)].total_cmp(&q.means()[(b, 0)]));
        let mut rng = rng(12);
        for _ in 0..10 {
            let mixture = q.sample(&mut rng)?;
            for (colour, &k) in order.iter().enumerate() {
                let component = &mixture.components()[k];
                let (mean, sigma) = (component.mean(), component.covariance());
                chart = chart
                    .ellipse(mean, sigma, 0.9, Colour::Component(colour))
                    .with_thin_line();
            }
        }
        panels.push(chart);
    }
    save_row("ch12-draws", &panels)?;
    Ok(())
}

/// exp ψ(α) against α: the discount of a weight.
fn discount() -> Result<()> {
    println!("\n# The discount");
    println!("{:>8}{:>16}", "alpha", "exp psi(alpha)");
    for alpha in [0.01, 0.1, 0.5, 1.0, 2.0, 10.0, 100.0] {
        let discounted = mixtures::math::digamma(alpha).exp();
        println!("{alpha:>8}{:>16}", format!("{discounted:.4e}"));
    }
    Ok(())
}
