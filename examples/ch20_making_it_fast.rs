//! Chapter 20: the plain E-step, and the first four of the steps that lead from it to the
//! library's. `benches/steps` times them; what it recorded is drawn here.

use std::collections::BTreeSet;
use std::f64::consts::{LN_2, LOG2_E, TAU};

use mixtures::math::{Rng, log_sum_exp, rng};
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::plot::{Chart, Colour, Legend};
use mixtures::rand::RngExt;
use mixtures::rand_distr::StandardNormal;
use mixtures::{GaussianMixture, Moments, Result, e_step};
use rayon::ThreadPoolBuilder;

/// What an E-step hands to the M-step: N_k, the means, and the scatters about them.
pub struct Statistics {
    pub log_likelihood: f64,
    pub counts: Vec<f64>,
    pub means: Vec<DVector<f64>>,
    pub scatters: Vec<DMatrix<f64>>,
}

/// What an E-step needs of a component; Λ and A by rows.
pub struct Component {
    /// ln π + ln det A − (D/2) ln 2π.
    pub offset: f64,
    pub mean: Vec<f64>,
    /// Λ = Σ⁻¹.
    pub precision: Vec<f64>,
    /// A = L⁻¹, lower triangular.
    pub whitener: Vec<f64>,
    /// L, where Σ = L Lᵀ.
    pub root: DMatrix<f64>,
}

pub fn components(mixture: &GaussianMixture) -> Vec<Component> {
    let by_rows = |matrix: &DMatrix<f64>| matrix.transpose().as_slice().to_vec();
    let parts = mixture.components().iter().zip(mixture.weights());
    let component = |(part, weight): (&mixtures::Gaussian, &f64)| {
        let white = part.factor().whitener();
        let log_norm = part.factor().log_det() + part.dimension() as f64 * TAU.ln();
        Component {
            offset: weight.ln() - 0.5 * log_norm,
            mean: part.mean().as_slice().to_vec(),
            precision: by_rows(&(white.transpose() * &white)),
            whitener: by_rows(&white),
            root: part.factor().l().clone(),
        }
    };
    parts.map(component).collect()
}

// ANCHOR: plain_e
/// The E-step, and the sums that the M-step needs: every formula as it stands.
pub fn plain(mixture: &GaussianMixture, x: &DMatrix<f64>) -> Result<Statistics> {
    let (n, d, k) = (x.nrows(), x.ncols(), mixture.component_count());
    let mut r = DMatrix::zeros(n, k);
    for (k, component) in components(mixture).iter().enumerate() {
        let mean = DVector::from_column_slice(&component.mean);
        let precision = DMatrix::from_row_slice(d, d, &component.precision);
        for n in 0..n {
            let residual = x.row(n).transpose() - &mean;
            let squared = residual.dot(&(&precision * &residual));
            r[(n, k)] = component.offset - 0.5 * squared;
        }
    }
    let mut log_likelihood = 0.0;
    for mut row in r.row_iter_mut() {
        let total = log_sum_exp(&row.iter().copied().collect::<Vec<_>>());
        row.apply(|score| *score = (*score - total).exp());
        log_likelihood += total;
    }
    // ANCHOR_END: plain_e
    // ANCHOR: plain_sums
    let (mut counts, mut means, mut scatters) = (Vec::new(), Vec::new(), Vec::new());
    for share in r.column_iter() {
        let count = share.sum();
        let mean = x.transpose() * share / count;
        let mut scatter = DMatrix::zeros(d, d);
        for n in 0..n {
            let residual = x.row(n).transpose() - &mean;
            scatter += &residual * residual.transpose() * share[n];
        }
        counts.push(count);
        means.push(mean);
        scatters.push(scatter);
    }
    Ok(Statistics { log_likelihood, counts, means, scatters })
    // ANCHOR_END: plain_sums
}

/// The scores of a point into its shares; ln Σ exp of them is returned.
#[inline]
fn share_out(scores: &mut [f64]) -> f64 {
    let largest = scores.iter().copied().fold(f64::MIN, f64::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - largest).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|share| *share /= sum);
    largest + sum.ln()
}

// ANCHOR: helpers
/// v = x − m.
#[inline]
fn subtract(x: &[f64], m: &[f64], v: &mut [f64]) {
    for ((v, x), m) in v.iter_mut().zip(x).zip(m) {
        *v = x - m;
    }
}

#[inline]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// vᵀ Λ v.
#[inline]
fn quadratic(lambda: &[f64], v: &[f64]) -> f64 {
    let rows = lambda.chunks_exact(v.len());
    rows.zip(v).map(|(row, v_i)| v_i * dot(row, v)).sum()
}

/// T + r v vᵀ.
#[inline]
fn add_square(r: f64, v: &[f64], t: &mut [f64]) {
    for (row, v_i) in t.chunks_exact_mut(v.len()).zip(v) {
        let rv = r * v_i;
        row.iter_mut().zip(v).for_each(|(t, v_j)| *t += rv * v_j);
    }
}
// ANCHOR_END: helpers

#[inline]
fn load(x: &DMatrix<f64>, n: usize, point: &mut [f64]) {
    let flat = x.as_slice();
    let rows = x.nrows();
    for (j, value) in point.iter_mut().enumerate() {
        *value = flat[j * rows + n];
    }
}

/// Step 1: the same in loops over numbers that stay where they are.
pub fn loops(mixture: &GaussianMixture, x: &DMatrix<f64>) -> Result<Statistics> {
    let parts = components(mixture);
    let (d, k) = (x.ncols(), parts.len());
    let (mut point, mut v) = (vec![0.0; d], vec![0.0; d]);
    let mut r = vec![0.0; x.nrows() * k];
    let mut log_likelihood = 0.0;
    for (n, r) in r.chunks_exact_mut(k).enumerate() {
        load(x, n, &mut point);
        for (score, part) in r.iter_mut().zip(&parts) {
            subtract(&point, &part.mean, &mut v);
            *score = part.offset - 0.5 * quadratic(&part.precision, &v);
        }
        log_likelihood += share_out(r);
    }
    let (mut counts, mut means) = (vec![0.0; k], vec![0.0; k * d]);
    for (n, r) in r.chunks_exact(k).enumerate() {
        load(x, n, &mut point);
        for (k, r) in r.iter().enumerate() {
            counts[k] += r;
            let mean = means[k * d..][..d].iter_mut();
            mean.zip(&point).for_each(|(m, x)| *m += r * x);
        }
    }
    for (mean, count) in means.chunks_exact_mut(d).zip(&counts) {
        mean.iter_mut().for_each(|m| *m /= count);
    }
    let mut scatters = vec![0.0; k * d * d];
    for (n, r) in r.chunks_exact(k).enumerate() {
        load(x, n, &mut point);
        for (k, r) in r.iter().enumerate() {
            subtract(&point, &means[k * d..][..d], &mut v);
            add_square(*r, &v, &mut scatters[k * d * d..][..d * d]);
        }
    }
    Ok(Statistics {
        log_likelihood,
        counts,
        means: means.chunks_exact(d).map(DVector::from_column_slice).collect(),
        scatters: scatters
            .chunks_exact(d * d)
            .map(|t| DMatrix::from_row_slice(d, d, t))
            .collect(),
    })
}

/// Sums over points for each component: of r, r v and r v vᵀ (by rows).
pub struct Sums {
    pub log_likelihood: f64,
    pub counts: Vec<f64>,
    pub first: Vec<f64>,
    pub second: Vec<f64>,
}

impl Sums {
    pub fn nothing(d: usize, k: usize) -> Self {
        Sums {
            log_likelihood: 0.0,
            counts: vec![0.0; k],
            first: vec![0.0; k * d],
            second: vec![0.0; k * d * d],
        }
    }

    /// One component's share of a point.
    #[inline]
    fn add(&mut self, k: usize, r: f64, v: &[f64]) {
        let d = v.len();
        self.counts[k] += r;
        let first = self.first[k * d..][..d].iter_mut();
        first.zip(v).for_each(|(s, v)| *s += r * v);
        add_square(r, v, &mut self.second[k * d * d..][..d * d]);
    }

    /// The same, of the lower triangle of v vᵀ.
    #[inline]
    fn add_half(&mut self, k: usize, r: f64, v: &[f64]) {
        let d = v.len();
        self.counts[k] += r;
        let second = self.second[k * d * d..][..d * d].chunks_exact_mut(d);
        let first = self.first[k * d..][..d].iter_mut();
        for (i, (s, row)) in first.zip(second).enumerate() {
            let rv = r * v[i];
            *s += rv;
            let terms = row[..=i].iter_mut().zip(v);
            terms.for_each(|(t, v_j)| *t += rv * v_j);
        }
    }

    /// The upper triangles from the lower ones.
    fn mirror(&mut self) {
        let d = self.first.len() / self.counts.len();
        for t in self.second.chunks_exact_mut(d * d) {
            for i in 0..d {
                (0..i).for_each(|j| t[j * d + i] = t[i * d + j]);
            }
        }
    }

    /// From sums of y = A (x − m) to sums of x − m.
    pub fn unwhiten(&mut self, parts: &[Component]) {
        self.mirror();
        let d = parts[0].mean.len();
        let second = self.second.chunks_exact_mut(d * d);
        let sums = self.first.chunks_exact_mut(d).zip(second);
        for ((s, t), part) in sums.zip(parts) {
            let (l, lt) = (&part.root, part.root.transpose());
            let back = l * DVector::from_column_slice(s);
            s.copy_from_slice(back.as_slice());
            let back = l * DMatrix::from_row_slice(d, d, t) * lt;
            t.copy_from_slice(back.as_slice());
        }
    }

    /// From sums about the components' old means.
    pub fn about(self, parts: &[Component]) -> Statistics {
        let d = parts[0].mean.len();
        let (mut means, mut scatters) = (Vec::new(), Vec::new());
        for (k, part) in parts.iter().enumerate() {
            let s = DVector::from_column_slice(&self.first[k * d..][..d]);
            let t = DMatrix::from_row_slice(d, d, &self.second[k * d * d..][..d * d]);
            means.push(DVector::from_column_slice(&part.mean) + &s / self.counts[k]);
            scatters.push(t - &s * s.transpose() / self.counts[k]);
        }
        let Sums { log_likelihood, counts, .. } = self;
        Statistics { log_likelihood, counts, means, scatters }
    }
}

// ANCHOR: one_pass
/// Step 2: each point is shared out and added up while it is at hand.
pub fn one_pass(mixture: &GaussianMixture, x: &DMatrix<f64>) -> Result<Statistics> {
    let parts = components(mixture);
    let (d, k) = (x.ncols(), parts.len());
    let mut sums = Sums::nothing(d, k);
    let (mut point, mut v, mut r) = (vec![0.0; d], vec![0.0; d], vec![0.0; k]);
    for n in 0..x.nrows() {
        load(x, n, &mut point);
        for (score, part) in r.iter_mut().zip(&parts) {
            subtract(&point, &part.mean, &mut v);
            *score = part.offset - 0.5 * quadratic(&part.precision, &v);
        }
        sums.log_likelihood += share_out(&mut r);
        for (k, part) in parts.iter().enumerate() {
            subtract(&point, &part.mean, &mut v);
            sums.add(k, r[k], &v);
        }
    }
    Ok(sums.about(&parts))
}
// ANCHOR_END: one_pass

// ANCHOR: whiten
/// y = A v for a lower triangular A, and ‖y‖².
#[inline]
fn whiten(a: &[f64], v: &[f64], y: &mut [f64]) -> f64 {
    let rows = a.chunks_exact(v.len()).enumerate();
    for ((i, row), y) in rows.zip(y.iter_mut()) {
        *y = dot(&row[..=i], &v[..=i]);
    }
    dot(y, y)
}
// ANCHOR_END: whiten

/// Step 3: half of each product.
pub fn triangles(mixture: &GaussianMixture, x: &DMatrix<f64>) -> Result<Statistics> {
    let parts = components(mixture);
    let (d, k) = (x.ncols(), parts.len());
    let mut sums = Sums::nothing(d, k);
    let (mut point, mut v, mut r) = (vec![0.0; d], vec![0.0; d], vec![0.0; k]);
    let mut y = vec![0.0; d];
    for n in 0..x.nrows() {
        load(x, n, &mut point);
        for (score, part) in r.iter_mut().zip(&parts) {
            subtract(&point, &part.mean, &mut v);
            *score = part.offset - 0.5 * whiten(&part.whitener, &v, &mut y);
        }
        sums.log_likelihood += share_out(&mut r);
        for (k, part) in parts.iter().enumerate() {
            subtract(&point, &part.mean, &mut v);
            sums.add_half(k, r[k], &v);
        }
    }
    sums.mirror();
    Ok(sums.about(&parts))
}

// ANCHOR: whitened
/// Step 4: the residuals that the scores have made are what is added up.
pub fn whitened(mixture: &GaussianMixture, x: &DMatrix<f64>) -> Result<Statistics> {
    let parts = components(mixture);
    let (d, k) = (x.ncols(), parts.len());
    let mut sums = Sums::nothing(d, k);
    let (mut point, mut v, mut r) = (vec![0.0; d], vec![0.0; d], vec![0.0; k]);
    let mut y = vec![0.0; k * d];
    for n in 0..x.nrows() {
        load(x, n, &mut point);
        let scores = r.iter_mut().zip(y.chunks_exact_mut(d));
        for ((score, y), part) in scores.zip(&parts) {
            subtract(&point, &part.mean, &mut v);
            *score = part.offset - 0.5 * whiten(&part.whitener, &v, y);
        }
        sums.log_likelihood += share_out(&mut r);
        for (k, y) in y.chunks_exact(d).enumerate() {
            sums.add_half(k, r[k], y);
        }
    }
    sums.unwhiten(&parts);
    Ok(sums.about(&parts))
}
// ANCHOR_END: whitened

/// An E-step by the library, in the same form.
pub fn library(mixture: &GaussianMixture, x: &DMatrix<f64>) -> Result<Statistics> {
    let summary = e_step(mixture, x, None)?;
    let parts = summary.components();
    Ok(Statistics {
        log_likelihood: summary.log_likelihood(),
        counts: parts.iter().map(Moments::count).collect(),
        means: parts.iter().filter_map(Moments::mean).collect(),
        scatters: parts.iter().map(Moments::scatter).collect(),
    })
}

/// The largest difference of two, relative to what is compared: of means to the standard deviation.
pub fn difference(a: &Statistics, b: &Statistics) -> f64 {
    let mut worst = (a.log_likelihood / b.log_likelihood - 1.0).abs();
    for k in 0..b.counts.len() {
        worst = worst.max((a.counts[k] / b.counts[k] - 1.0).abs());
        let sd = b.scatters[k].diagonal().map(|t| (t / b.counts[k]).sqrt());
        let mean = (&a.means[k] - &b.means[k]).component_div(&sd);
        let sizes = &sd * sd.transpose() * b.counts[k];
        let scatter = (&a.scatters[k] - &b.scatters[k]).component_div(&sizes);
        worst = worst.max(mean.amax()).max(scatter.amax());
    }
    worst
}

/// N points from a mixture of K overlapping components in D dimensions.
pub fn problem(
    n: usize,
    d: usize,
    k: usize,
) -> Result<(GaussianMixture, DMatrix<f64>)> {
    let mut rng = rng(20);
    let normal = |rng: &mut Rng| rng.sample::<f64, _>(StandardNormal);
    let means = DMatrix::from_fn(k, d, |_, _| 2.0 * normal(&mut rng));
    let mut covariance = || {
        let g = DMatrix::from_fn(d, d, |_, _| normal(&mut rng) / (d as f64).sqrt());
        &g * g.transpose() + DMatrix::identity(d, d) * 0.2
    };
    let covariances = (0..k).map(|_| covariance()).collect();
    let weights = DVector::from_element(k, 1.0 / k as f64);
    let mixture = GaussianMixture::new(weights, means, covariances)?;
    let (x, _) = mixture.sample(n, &mut rng);
    Ok((mixture, x))
}

/// Additions and multiplications of an E-step for a row and a component: with the precision matrix, and with
/// triangles.
fn operations(d: usize) -> (usize, usize) {
    (4 * d * d + 7 * d + 3, 2 * d * d + 7 * d + 3)
}

/// In three passes with a table, and in one pass, with about 40 operations for an exponential.
fn operations_for_a_byte(d: usize, k: usize) -> (f64, f64) {
    let (plain, triangles) = operations(d);
    let flops = |each: usize| (k * (each + 40) + 35) as f64;
    // x three times, and the table written (which first reads it) and read twice; or x once.
    let (three, one) = (8 * (3 * d + 4 * k), 8 * d);
    (flops(plain) / three as f64, flops(triangles) / one as f64)
}

/// exp x for −708 ≤ x ≤ 0 as the kernel has it, but by so many terms of the series.
fn exp(x: f64, terms: u64) -> f64 {
    let (high, low) = (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10);
    let n = (x * LOG2_E).round_ties_even();
    let t = n.mul_add(-low, n.mul_add(-high, x));
    let factorial = |i: u64| (1..=i).product::<u64>() as f64;
    let horner = |sum: f64, i: u64| sum.mul_add(t, 1.0 / factorial(i));
    (0..terms).rev().fold(0.0, horner) * 2.0_f64.powi(n as i32)
}

/// (exp x, n) with exp x = 2ⁿ times the first, in units of 2⁻⁶²: in whole numbers, to 2⁻⁵⁷ or better.
fn exact_exp(x: f64) -> (i128, i32) {
    const LN_2_100: i128 = 878_668_439_483_319_573_618_263_538_048; // ln 2 · 2¹⁰⁰
    let n = (x * LOG2_E).round_ties_even() as i32;
    let t = (x * 2.0_f64.powi(100)) as i128 - n as i128 * LN_2_100;
    let t = t >> 38;
    let (mut term, mut sum) = (1_i128 << 62, 0);
    for i in 1..=20 {
        sum += term;
        term = ((term * t) >> 62) / i;
    }
    (sum, n)
}

/// The largest relative error of exp over (−708, 0), and the largest in units of the last place.
fn worst_exp(terms: u64) -> (f64, f64) {
    let (mut relative, mut ulps) = (0.0_f64, 0.0_f64);
    for i in 0..40_000 {
        // Dense near 0, where most arguments lie.
        let u = (i as f64 + 0.5) / 40_000.0;
        let x = -708.0 * u * u * u;
        let (exact, n) = exact_exp(x);
        let found = exp(x, terms) * 2.0_f64.powi(-n);
        let error = ((found * 2.0_f64.powi(62)) as i128 - exact) as f64;
        let ulp = if found < 1.0 { 512.0 } else { 1024.0 };
        relative = relative.max(error.abs() / exact as f64);
        ulps = ulps.max(error.abs() / ulp);
    }
    (relative, ulps)
}

// ANCHOR: parts
/// The sum as so many threads would find it: of parts, each added up by itself.
fn sum_in_parts(values: &[f64], threads: usize) -> f64 {
    let length = values.len().div_ceil(threads);
    values.chunks(length).map(|part| part.iter().sum::<f64>()).sum()
}
// ANCHOR_END: parts

/// What `cargo bench --bench steps -- --record` has written.
const RECORDED: &str = include_str!("../benches/recorded/steps.txt");

fn section(name: &str) -> impl Iterator<Item = &'static str> {
    let heading = format!("# {name}");
    let lines = RECORDED.lines().skip_while(move |line| *line != heading).skip(1);
    lines.take_while(|line| !line.starts_with('#'))
}

/// The numbers that end each line of a section.
fn recorded(name: &str) -> Vec<Vec<f64>> {
    let numbers = |line: &str| {
        let words = line.split_whitespace().rev();
        let mut numbers: Vec<f64> =
            words.map_while(|word| word.parse().ok()).collect();
        numbers.reverse();
        numbers
    };
    section(name).map(numbers).filter(|row| !row.is_empty()).collect()
}

fn main() -> Result<()> {
    println!("# The same sums");
    println!("agrees to 1e-12    N×2, K = 3   N×8, K = 8");
    let problems = [problem(20_000, 2, 3)?, problem(4_000, 8, 8)?];
    type Step = fn(&GaussianMixture, &DMatrix<f64>) -> Result<Statistics>;
    let steps: [(&str, Step); 5] = [
        ("1 loops", loops),
        ("2 one pass", one_pass),
        ("3 triangles", triangles),
        ("4 whitened sums", whitened),
        ("the library", library),
    ];
    let mut expected = Vec::new();
    for (mixture, x) in &problems {
        expected.push(plain(mixture, x)?);
    }
    for (name, step) in steps {
        let mut agree = Vec::new();
        for ((mixture, x), expected) in problems.iter().zip(&expected) {
            agree.push(difference(&step(mixture, x)?, expected) < 1e-12);
        }
        println!("{name:<16} {:>12} {:>12}", agree[0], agree[1]);
    }

    println!("\n# Operations");
    println!("  D   as the formulas stand   with triangles   ratio");
    for d in [1, 2, 4, 8, 16, 32, 64] {
        let (all, half) = operations(d);
        println!("{d:>3} {all:>24} {half:>16} {:>7.2}", all as f64 / half as f64);
    }

    let (three, one) = operations_for_a_byte(2, 3);
    println!("operations for a byte in three passes = {three:.1}");
    println!("operations for a byte in one pass = {one:.0}");

    println!("\n# A component that moves far");
    let start = GaussianMixture::new(
        DVector::from_element(1, 1.0),
        DMatrix::zeros(1, 1),
        vec![DMatrix::identity(1, 1)],
    )?;
    let mut rng = rng(4);
    let x = DMatrix::from_fn(1000, 1, |_, _| {
        1000.0 + 0.001 * rng.sample::<f64, _>(StandardNormal)
    });
    let expected = Moments::of(&x)?.scatter()[(0, 0)];
    let error =
        |found: &Statistics| (found.scatters[0][(0, 0)] / expected - 1.0).abs();
    let one_sweep = error(&whitened(&start, &x)?);
    let repeated = error(&library(&start, &x)?);
    println!("relative error of its variance in one sweep = {one_sweep:.0e}");
    println!(
        "the library's, which repeats the sums, below 1e-9: {}",
        repeated < 1e-9
    );

    println!("\n# Two orders");
    let values: Vec<f64> = (0..100_000).map(|_| rng.random_range(0.0..1.0)).collect();
    let sums: Vec<f64> = (1..=8).map(|t| sum_in_parts(&values, t)).collect();
    let different: BTreeSet<u64> = sums.iter().map(|s| s.to_bits()).collect();
    let ulp = 2.0_f64.powi(sums[0].log2() as i32 - 52);
    for (threads, sum) in (1..).zip(&sums) {
        println!(
            "for {threads}: {sum:.5}, and {:+.0} last places",
            (sum - sums[0]) / ulp
        );
    }
    println!("different sums, for one to eight threads = {}", different.len());
    let (mixture, x) = problem(30_000, 3, 4)?;
    let mut found = BTreeSet::new();
    for threads in [1, 2, 3, 8] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let sums = pool.install(|| e_step(&mixture, &x, None))?.flatten();
        found.insert(sums.into_iter().map(f64::to_bits).collect::<Vec<_>>());
    }
    println!("different answers of the library on 1, 2, 3 and 8 = {}", found.len());

    println!("\n# The exponential");
    println!("terms   bound of the remainder   largest error   in last places");
    let mut errors = Vec::new();
    for terms in 6..=16 {
        let bound = remainder(terms);
        let (relative, ulps) = worst_exp(terms);
        errors.push((terms as f64, bound, relative));
        if (10..=15).contains(&terms) {
            println!("{terms:>5} {bound:>24.0e} {relative:>15.1e} {ulps:>16.2}");
        }
    }
    let bounds = errors.iter().map(|(terms, bound, _)| (*terms, *bound));
    let found = errors.iter().map(|(terms, _, error)| (*terms, *error));
    Chart::new("terms of the series", "largest relative error of exp x")
        .whole_x()
        .log_y()
        .x_range(6.0..17.0)
        .y_range(1e-21..1e-2)
        .line("what the series leaves out, at most", bounds, Colour::component(1))
        .dots("the kernel's exp with so many terms", found, Colour::component(0))
        .horizontal(2.0_f64.powi(-53), "2^{-53}")
        .save("ch20-exp")?;

    figures()
}

/// √2 (½ ln 2)ᵐ/m!.
fn remainder(terms: u64) -> f64 {
    let factor = |i: u64| 0.5 * LN_2 / i as f64;
    2.0_f64.sqrt() * (1..=terms).map(factor).product::<f64>()
}

/// One column against another, of what can be drawn on logarithmic axes: a time that drowned in noise
/// cannot.
fn pairs(rows: &[Vec<f64>], x: usize, y: usize) -> Vec<(f64, f64)> {
    let pairs = rows.iter().filter_map(|row| Some((*row.get(x)?, *row.get(y)?)));
    pairs.filter(|(x, y)| *x > 0.0 && *y > 0.0).collect()
}

fn figures() -> Result<()> {
    let sizes = ["N×2, K = 3", "N×8, K = 8", "N×32, K = 8"];
    let mut steps = Chart::new("step", "nanoseconds a point").whole_x().log_y();
    for (size, label) in sizes.iter().enumerate() {
        let ns = nanoseconds(size);
        let points = (0..).map(f64::from).zip(ns).filter(|(_, ns)| *ns > 0.0);
        let points: Vec<(f64, f64)> = points.collect();
        let colour = Colour::component(size);
        steps = steps.line(label, points.clone(), colour).dots("", points, colour);
    }
    steps.save("ch20-steps")?;

    let rows = recorded("Rows in a block");
    let (two, eight) = (pairs(&rows, 0, 1), pairs(&rows, 0, 2));
    Chart::new("rows in a block", "nanoseconds a point")
        .log_x()
        .log_y()
        .line("N×8, K = 8", eight.clone(), Colour::component(1))
        .dots("", eight, Colour::component(1))
        .line("N×2, K = 3", two.clone(), Colour::component(0))
        .dots("", two, Colour::component(0))
        .save("ch20-blocks")?;

    let machine: Vec<f64> = recorded("The machine").into_iter().flatten().collect();
    let (peak, product, memory) = (machine[0], machine[1], machine[2]);
    let roof = [0.5, peak / memory, 200.0].map(|i: f64| (i, peak.min(i * memory)));
    let half = [0.5, 200.0].map(|i| (i, 0.5 * product));
    let shapes = recorded("Shapes, K = 8");
    let sizes = [(2, 3), (8, 8), (32, 8)].into_iter().enumerate();
    let plain = sizes.map(|(size, (d, k))| {
        let flops = (k * (operations(d).0 + 40) + 35) as f64;
        (operations_for_a_byte(d, k).0, flops / nanoseconds(size)[1])
    });
    Chart::new("operations for a byte from memory", "GFLOP/s")
        .log_x()
        .log_y()
        .line("the machine’s roof, one thread", roof, Colour::Ink)
        .line("half of a matrix product’s rate", half, Colour::Ink)
        .with_dashes()
        .dots("full covariances", pairs(&shapes, 2, 3), Colour::component(0))
        .dots("diagonal covariances", pairs(&shapes, 5, 6), Colour::component(1))
        .dots("step 1: loops, three passes", plain, Colour::component(2))
        .legend(Legend::Above)
        .save("ch20-roofline")
}

/// Of each step, at one of the three sizes.
fn nanoseconds(size: usize) -> Vec<f64> {
    let of_line = |line: &str| -> Vec<f64> {
        let words = line.split_whitespace().skip(1);
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let rows = section("Step by step").skip(3); // the heading
    rows.map(of_line).filter_map(|row| row.get(size).copied()).collect()
}
