//! Chapter 11: a lower bound of the log evidence, and the best products of factors
//! under it.

use std::f64::consts::TAU;

use mixtures::distribution::{GaussianWishart, Wishart};
use mixtures::math::{ln_gamma, log_sum_exp};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, save_grid, save_row};
use mixtures::{GaussianMixture, Moments, Result, data};

// ANCHOR: sweep
/// p(h) = N(h | μ, Λ⁻¹) in two dimensions.
struct Target {
    mu: DVector<f64>,
    lambda: DMatrix<f64>,
}

impl Target {
    /// The best q(h_j) for this mean of the other factor: its mean.
    fn update(&self, m: &mut DVector<f64>, j: usize) {
        let i = 1 - j;
        let slope = self.lambda[(j, i)] / self.lambda[(j, j)];
        m[j] = self.mu[j] - slope * (m[i] - self.mu[i]);
    }

    /// F(q) for factors with the means m and the variances v.
    fn bound(&self, m: &DVector<f64>, v: &DVector<f64>) -> f64 {
        let off = m - &self.mu;
        let squared = off.dot(&(&self.lambda * &off)) + self.lambda.diagonal().dot(v);
        let expected_log_p =
            0.5 * self.lambda.determinant().ln() - TAU.ln() - 0.5 * squared;
        expected_log_p + v.map(|v| 0.5 * (1.0 + (TAU * v).ln())).sum()
    }
}
// ANCHOR_END: sweep

// ANCHOR: on_a_grid
/// The best factor of the rows' variable, as probabilities: the softmax of E ln p.
/// `log_p` has a row for each of its values; `other` is the factor of the columns'.
fn optimal_factor(log_p: &DMatrix<f64>, other: &DVector<f64>) -> DVector<f64> {
    let expected = log_p * other;
    let total = log_sum_exp(expected.as_slice());
    expected.map(|v| (v - total).exp())
}

/// Both factors, from a first q(h_2).
fn mean_field(log_p: &DMatrix<f64>, start: DVector<f64>) -> [DVector<f64>; 2] {
    let transposed = log_p.transpose();
    let mut q = [DVector::zeros(log_p.nrows()), start];
    for _ in 0..100 {
        q[0] = optimal_factor(log_p, &q[1]);
        q[1] = optimal_factor(&transposed, &q[0]);
    }
    q
}
// ANCHOR_END: on_a_grid

/// KL(a ‖ b) of two tables of log probabilities.
fn divergence(a: &DMatrix<f64>, b: &DMatrix<f64>) -> f64 {
    a.zip_map(b, |a, b| a.exp() * (a - b)).sum()
}

/// The table of ln q(h_1) q(h_2).
fn log_product(q: &[DVector<f64>; 2]) -> DMatrix<f64> {
    DMatrix::from_fn(q[0].len(), q[1].len(), |i, j| q[0][i].ln() + q[1][j].ln())
}

// ANCHOR: factors
/// q(μ) q(λ) = N(μ | m, v) W(λ | w, ν).
#[derive(Clone)]
struct Factors {
    m: f64,
    v: f64,
    precision: Wishart,
}

impl Factors {
    /// The best q(μ) for this q(λ), where p is the exact posterior.
    fn update_mean(&mut self, p: &GaussianWishart) {
        self.m = p.m()[0];
        self.v = 1.0 / (p.beta() * self.precision.mean()[(0, 0)]);
    }

    /// The best q(λ) for this q(μ).
    fn update_precision(&mut self, p: &GaussianWishart) -> Result<()> {
        let square = self.v + (self.m - p.m()[0]).powi(2);
        let inverse_w = p.wishart().inverse_w().add_scalar(p.beta() * square);
        self.precision = Wishart::from_inverse(p.wishart().nu() + 1.0, inverse_w)?;
        Ok(())
    }
}
// ANCHOR_END: factors

// ANCHOR: factors_bound
impl Factors {
    /// F(q) = E ln p(X, μ, λ) + H[q(μ)] + H[q(λ)].
    fn bound(&self, prior: &GaussianWishart, x: &[f64]) -> f64 {
        let lambda = self.precision.mean()[(0, 0)];
        let log_lambda = self.precision.expected_log_det();
        // E ln N(x | μ, (βλ)⁻¹): of a point, with β = 1, or of μ under its prior.
        let expected_log_normal = |x: f64, beta: f64| {
            let square = self.v + (x - self.m).powi(2);
            0.5 * ((beta / TAU).ln() + log_lambda - beta * lambda * square)
        };
        let points: f64 = x.iter().map(|x| expected_log_normal(*x, 1.0)).sum();
        let mean = expected_log_normal(prior.m()[0], prior.beta());
        let wishart = prior.wishart();
        let precision = wishart.log_normaliser()
            + 0.5 * (wishart.nu() - 2.0) * log_lambda
            - 0.5 * lambda * wishart.inverse_w()[(0, 0)];
        let entropy = 0.5 * (1.0 + (TAU * self.v).ln()) + self.precision.entropy();
        points + mean + precision + entropy
    }
}
// ANCHOR_END: factors_bound

fn gaussian() -> Result<()> {
    let rho = 0.9;
    let sigma = dmatrix![1.0, rho; rho, 1.0];
    // ANCHOR: gaussian_run
    let p = Target {
        mu: dvector![0.0, 0.0],
        lambda: dmatrix![1.0, -rho; -rho, 1.0] / (1.0 - rho * rho),
    };
    let v = p.lambda.diagonal().map(|precision| 1.0 / precision);
    let mut m = dvector![-1.5, 2.0];
    let mut path = vec![m.clone()];
    for _ in 0..40 {
        for j in 0..2 {
            p.update(&mut m, j);
            path.push(m.clone());
        }
    }
    // ANCHOR_END: gaussian_run
    println!("# Sweeps");
    println!("sweeps      m_1      m_2   ratio        F");
    for sweep in [0, 1, 2, 3, 10, 20, 40] {
        let m = &path[2 * sweep];
        let ratio = if sweep == 0 {
            "     -".to_string()
        } else {
            format!("{:6.4}", m[1] / path[2 * sweep - 2][1])
        };
        let height = p.bound(m, &v);
        println!("{sweep:6}  {:7.4}  {:7.4}  {ratio}  {height:8.4}", m[0], m[1]);
    }
    let wide = dvector![1.0, 1.0];
    println!("\n# Too narrow");
    println!("variance of each factor = {:.4}", v[0]);
    println!("variance of each variable = {:.4}", wide[0]);
    println!("F at the exact means = {:.4}", p.bound(&p.mu, &v));
    println!("half of ln(1 - rho²) = {:.4}", 0.5 * (1.0 - rho * rho).ln());
    println!("F with the variables' variances = {:.4}", p.bound(&p.mu, &wide));

    let (narrow, wide) = (DMatrix::from_diagonal(&v), DMatrix::from_diagonal(&wide));
    let corners = path.iter().take(31).map(|m| (m[0], m[1]));
    let panel = |heading: &str| {
        Chart::new("h_1", "h_2")
            .heading(heading)
            .x_range(-3.0..3.0)
            .y_range(-3.0..3.0)
            .equal_aspect()
            .ellipse(&p.mu, &sigma, 0.9, Colour::Ink)
            .with_label("p")
    };
    save_row(
        "ch11-gaussian",
        &[
            panel("coordinate ascent")
                .line("", corners, Colour::Grey)
                .ellipse(&path[2], &narrow, 0.9, Colour::component(0))
                .with_dashes()
                .with_label("q after one sweep")
                .ellipse(&p.mu, &narrow, 0.9, Colour::component(0))
                .with_label("q at rest"),
            panel("two divergences")
                .ellipse(&p.mu, &narrow, 0.9, Colour::component(0))
                .with_label("least KL(q ‖ p)")
                .ellipse(&p.mu, &wide, 0.9, Colour::component(1))
                .with_label("least KL(p ‖ q)"),
        ],
    )
}

fn two_modes() -> Result<()> {
    // ANCHOR: two_modes
    let covariance = dmatrix![0.5, -0.3; -0.3, 0.5];
    let p = GaussianMixture::new(
        dvector![0.6, 0.4],
        dmatrix![-1.5, -1.5; 1.5, 1.5],
        vec![covariance; 2],
    )?;
    let grid = DVector::from_fn(201, |i, _| 0.05 * (i as f64 - 100.0));
    let cell = 2.0 * 0.05_f64.ln();
    let mut log_p = DMatrix::zeros(201, 201);
    for (j, h_2) in grid.iter().enumerate() {
        let column =
            DMatrix::from_columns(&[grid.clone(), DVector::from_element(201, *h_2)]);
        log_p.set_column(j, &p.log_density(&column)?.add_scalar(cell));
    }
    // ANCHOR_END: two_modes
    let start_at = |place: f64| {
        let bell = grid.map(|h| (-0.5 * (h - place).powi(2)).exp());
        &bell / bell.sum()
    };
    let table = log_p.map(f64::exp);
    let fits = [
        ("started at -1", mean_field(&log_p, start_at(-1.0))),
        ("started at 1", mean_field(&log_p, start_at(1.0))),
        ("marginals", [table.column_sum(), table.row_sum().transpose()]),
    ];
    println!("\n# Two modes");
    println!("q                mean h_1   KL(q ‖ p)   KL(p ‖ q)");
    for (name, q) in &fits {
        let log_q = log_product(q);
        println!(
            "{name:15}  {:8.4}   {:9.4}   {:9.4}",
            grid.dot(&q[0]),
            divergence(&log_q, &log_p),
            divergence(&log_p, &log_q)
        );
    }
    println!("\n# What a mode costs");
    let within = -0.5 * (1.0_f64 - 0.36).ln();
    println!("the left mode alone = {:.4}", within - 0.6_f64.ln());
    println!("the right mode alone = {:.4}", within - 0.4_f64.ln());

    // A factor's density between the nodes of the grid.
    let between = |q: &DVector<f64>, h: f64| {
        let place = (20.0 * h + 100.0).clamp(0.0, 199.9);
        let (node, share) = (place.floor() as usize, place.fract());
        (q[node] * (1.0 - share) + q[node + 1] * share) / 0.05
    };
    let density =
        |q: &[DVector<f64>; 2], a: f64, b: f64| between(&q[0], a) * between(&q[1], b);
    let levels = [0.01, 0.05, 0.15];
    let panel = |heading: &str| {
        let height = |a, b| {
            p.log_density(&dmatrix![a, b]).map_or(0.0, |l: DVector<f64>| l[0].exp())
        };
        Chart::new("h_1", "h_2")
            .heading(heading)
            .x_range(-3.6..3.6)
            .y_range(-3.6..3.6)
            .equal_aspect()
            .contours(height, &levels, Colour::Grey)
            .with_label("p")
    };
    save_row(
        "ch11-two-modes",
        &[
            panel("best factors by KL(q ‖ p)")
                .contours(
                    |a, b| density(&fits[0].1, a, b),
                    &levels,
                    Colour::component(0),
                )
                .with_label("started at −1")
                .contours(
                    |a, b| density(&fits[1].1, a, b),
                    &levels,
                    Colour::component(1),
                )
                .with_label("started at 1"),
            panel("best factors by KL(p ‖ q)")
                .contours(
                    |a, b| density(&fits[2].1, a, b),
                    &levels,
                    Colour::component(2),
                )
                .with_label("marginals"),
        ],
    )
}

fn mean_and_precision() -> Result<()> {
    // ANCHOR: four_waits
    let waits = data::faithful().columns(1, 1).rows(0, 4).into_owned();
    let x = waits.as_slice();
    let w0 = Wishart::new(1.0, dmatrix![0.01])?;
    let prior = GaussianWishart::new(dvector![70.0], 1.0, w0)?;
    let p = prior.posterior(&Moments::of(&waits)?)?;
    let exact = prior.log_evidence(&Moments::of(&waits)?)?;

    let start = Wishart::new(6.0, dmatrix![0.025 / 6.0])?;
    let mut q = Factors { m: 76.0, v: 9.0, precision: start };
    let mut path = vec![q.clone()];
    for _ in 0..4 {
        q.update_mean(&p);
        path.push(q.clone());
        q.update_precision(&p)?;
        path.push(q.clone());
    }
    // ANCHOR_END: four_waits
    println!("\n# Four waits");
    println!("waits (min): {x:?}");
    println!("updates   E[mu]   sd of mu   E[lambda]          F      gap");
    let row = |t: usize, q: &Factors| {
        let height = q.bound(&prior, x);
        println!(
            "{t:7}  {:6.2}  {:9.4}  {:10.7}  {height:9.5}  {:7.5}",
            q.m,
            q.v.sqrt(),
            q.precision.mean()[(0, 0)],
            exact - height
        );
    };
    path.iter().enumerate().for_each(|(t, q)| row(t, q));

    let nu = p.wishart().nu();
    let lambda = p.wishart().mean()[(0, 0)];
    let sd = (nu / (nu - 2.0) / (p.beta() * lambda)).sqrt();
    println!("\n# Against the exact posterior");
    println!("log evidence = {exact:.5}");
    println!("mean of lambda = {lambda:.7}");
    println!("standard deviation of mu = {sd:.4}");
    let formula = ln_gamma(0.5 * nu) - ln_gamma(0.5 * (nu + 1.0))
        + 0.5 * (0.5 * nu).ln()
        + 0.5 * (nu + 1.0) * ((nu + 1.0) / nu).ln()
        - 0.5;
    println!("gap by the formula = {formula:.5}");

    println!("\n# One degree of freedom too few");
    println!("updates   E[mu]   sd of mu   E[lambda]          F      gap");
    let mut wrong = path[0].clone();
    for t in [2, 4, 6, 8] {
        wrong.update_mean(&p);
        wrong.update_precision(&p)?;
        let inverse_w = wrong.precision.inverse_w().clone();
        wrong.precision = Wishart::from_inverse(nu, inverse_w)?;
        row(t, &wrong);
    }

    let levels = [0.1_f64, 0.4, 0.8].map(f64::ln);
    // Log densities of μ and λ up to constants, less their largest values.
    let (m, beta) = (p.m()[0], p.beta());
    let inverse_w = p.wishart().inverse_w()[(0, 0)];
    let posterior = move |mu: f64, lambda: f64| {
        0.5 * (nu - 1.0) * lambda.ln()
            - 0.5 * lambda * (inverse_w + beta * (mu - m).powi(2))
    };
    let top = posterior(m, (nu - 1.0) / inverse_w);
    let panels: Vec<_> = ["at the start", "q(μ) updated", "q(λ) updated", "at rest"]
        .iter()
        .zip([&path[0], &path[1], &path[2], &path[8]])
        .map(|(heading, q)| {
            let (m, v, nu) = (q.m, q.v, q.precision.nu());
            let inverse_w = q.precision.inverse_w()[(0, 0)];
            let product = move |mu: f64, lambda: f64| {
                0.5 * (nu - 2.0) * lambda.ln()
                    - 0.5 * (lambda * inverse_w + (mu - m).powi(2) / v)
            };
            let product_top = product(m, (nu - 2.0) / inverse_w);
            Chart::new("μ (min)", "λ (min^{-2})")
                .heading(*heading)
                .x_range(50.0..86.0)
                .y_range(0.0005..0.04)
                .contours(move |mu, l| posterior(mu, l) - top, &levels, Colour::Grey)
                .contours(
                    move |mu, l| product(mu, l) - product_top,
                    &levels,
                    Colour::component(0),
                )
        })
        .collect();
    save_grid("ch11-mean-and-precision", 2, &panels)?;
    Chart::new("updates of one factor", "F(q)")
        .y_range(-23.0..-16.0)
        .size(560.0, 300.0)
        .trace("", path.iter().map(|q| q.bound(&prior, x)), Colour::component(0))
        .horizontal(exact, "log evidence")
        .save("ch11-climb")
}

fn main() -> Result<()> {
    println!("# Labellings");
    println!("two components, ten points: {} terms", 2_u64.pow(10));
    let eruptions = data::faithful().nrows() as f64;
    let digits = (eruptions * 2.0_f64.log10()).ceil();
    println!("two components, Old Faithful: {digits} digits\n");
    gaussian()?;
    two_modes()?;
    mean_and_precision()
}
