//! `cargo bench --bench steps`: what each step of chapter 20 gains by itself. With `-- --record` the
//! result is written to `benches/recorded/steps.txt`, which the chapter shows.
//!
//! All that is compared is run in turn, several times over, and the fastest run of each counts: what
//! else the machine has to do then hits all of them alike.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use mixtures::nalgebra::DMatrix;
use mixtures::{Covariance, Em, GaussianMixture, Result, Start};
use rayon::{ThreadPool, ThreadPoolBuilder};

use kernel::lanes::{LANES, dispatch};
use kernel::vectors::{Blocks, Peak, Stream, Workspace};
use report::{Report, two_digits};

/// Three files of the library's own, and beside them what uses them.
#[allow(dead_code, unused_imports)]
#[path = "../../src/kernel"]
mod kernel {
    pub mod elementary;
    pub mod lanes;
    pub mod tiles;
    #[path = "../../benches/steps/vectors.rs"]
    pub mod vectors;
}
mod report;
#[allow(dead_code)]
#[path = "../../examples/ch20_making_it_fast.rs"]
mod steps;

/// Of what is compared, each is run so often.
const ROUNDS: usize = 15;

/// Runs a contestant once more: its best so far, in seconds.
type Run<'a> = Box<dyn FnMut() -> f64 + 'a>;

fn main() -> Result<()> {
    let record = std::env::args().any(|argument| argument == "--record");
    let mut report = Report::default();
    ladder(&mut report)?;
    blocks(&mut report)?;
    threads(&mut report)?;
    machine(&mut report);
    shapes(&mut report)?;
    let text = report.text("cargo bench --bench steps -- --record");
    print!("{text}");
    if record {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/recorded/steps.txt");
        std::fs::write(path, text).expect("benches/recorded can be written");
        println!("written to {path}; now `cargo xtask book` draws it anew");
    }
    Ok(())
}

/// The best of each, where all of them run in turn.
fn fastest(runs: &mut [Run]) -> Vec<f64> {
    let mut best = Vec::new();
    for _ in 0..ROUNDS {
        best = runs.iter_mut().map(|run| run()).collect();
    }
    best
}

/// Work whose fastest run counts.
fn run<'a, T>(mut work: impl FnMut() -> T + 'a) -> Run<'a> {
    let mut best = f64::INFINITY;
    Box::new(move || {
        best = best.min(timed(&mut work));
        best
    })
}

fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let begin = Instant::now();
    black_box(work());
    begin.elapsed().as_secs_f64()
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

/// Seconds of an iteration of a fit: of many, less those of few.
struct Iteration<'a> {
    x: &'a DMatrix<f64>,
    em: Em,
    pool: ThreadPool,
    few: f64,
    many: f64,
}

const FEW: usize = 1;
const MANY: usize = 9;

impl<'a> Iteration<'a> {
    fn new(
        x: &'a DMatrix<f64>,
        start: &GaussianMixture,
        shape: Covariance,
        threads: usize,
    ) -> Self {
        let em = Em::new(start.component_count())
            .covariance(shape)
            .start(Start::Given(start.clone()))
            .tolerance(0.0);
        let (few, many) = (f64::INFINITY, f64::INFINITY);
        Iteration { x, em, pool: pool(threads), few, many }
    }

    /// Of the best so far: a difference of bests, and not the best of the differences, which a run
    /// that something else slowed down would make too small.
    fn run(&mut self) -> f64 {
        let fit = |iterations| {
            let em = self.em.clone().max_iterations(iterations);
            self.pool.install(|| timed(|| em.fit(self.x).expect("a fit")))
        };
        self.few = self.few.min(fit(FEW));
        self.many = self.many.min(fit(MANY));
        (self.many - self.few) / (MANY - FEW) as f64
    }
}

/// Sizes at which the steps are timed: N, D, K.
const SIZES: [(usize, usize, usize); 3] =
    [(1_000_000, 2, 3), (200_000, 8, 8), (20_000, 32, 8)];

type Step = fn(&GaussianMixture, &DMatrix<f64>) -> Result<steps::Statistics>;

const SCALAR: [(&str, Step); 5] = [
    ("plain", steps::plain),
    ("loops", steps::loops),
    ("one pass", steps::one_pass),
    ("triangles", steps::triangles),
    ("whitened sums", steps::whitened),
];
const BY_VECTORS: [(&str, bool); 2] = [("vectors", false), ("exp", true)];

/// Seconds of each step, on one thread.
fn climb((n, d, k): (usize, usize, usize)) -> Result<Vec<f64>> {
    let (mixture, x) = steps::problem(n, d, k)?;
    let parts = steps::components(&mixture);
    let (mixture, x, parts) = (&mixture, &x, parts.as_slice());
    let expected = steps::library(mixture, x)?;
    let mut runs: Vec<Run> = Vec::new();
    for (name, step) in SCALAR {
        runs.push(run(move || step(mixture, x)));
        check(name, &step(mixture, x)?, &expected);
    }
    for (name, by_vectors) in BY_VECTORS {
        // As the library has it: a component's residuals in the first cache.
        let rows = (2048 / d.min(16)).clamp(32, 256);
        let mut workspace = Workspace::new(parts, rows);
        let mut step = move || {
            dispatch(Blocks { parts, x, workspace: &mut workspace, by_vectors })
        };
        check(name, &step(), &expected);
        runs.push(run(step));
    }
    let mut iteration = Iteration::new(x, mixture, Covariance::Full, 1);
    runs.push(Box::new(move || iteration.run()));
    Ok(fastest(&mut runs))
}

/// Step after step.
fn ladder(report: &mut Report) -> Result<()> {
    let columns = SIZES.into_iter().map(climb).collect::<Result<Vec<Vec<f64>>>>()?;
    report.section(
        "Step by step",
        "one thread            1,000,000 × 2    200,000 × 8    20,000 × 32\n\
         \x20                             K = 3          K = 8          K = 8\n\
         \x20                      ns    gain     ns    gain     ns    gain",
    );
    let names = SCALAR.map(|(name, _)| name).into_iter();
    let names = names.chain(BY_VECTORS.map(|(name, _)| name)).chain(["the library"]);
    for (i, name) in names.enumerate() {
        let number = if i < 7 { i.to_string() } else { " ".into() };
        let mut line = format!("{number} {name:<18}");
        for (seconds, (n, d, _)) in columns.iter().zip(SIZES) {
            let ns = seconds[i] * 1e9 / n as f64;
            let gain = match i {
                0 => String::new(),
                _ => format!("×{:.2}", seconds[i - 1] / seconds[i]),
            };
            let _ = write!(line, "{ns:>8.0} {gain:>6}");
            if i > 0 {
                let gain = two_digits(seconds[i - 1] / seconds[i]);
                report.value(&format!("{name} in {d}"), gain);
            }
        }
        report.line(line);
    }
    for (seconds, (n, d, _)) in columns.iter().zip(SIZES) {
        let library = seconds[seconds.len() - 1];
        report.value(&format!("in all in {d}"), two_digits(seconds[0] / library));
        let ns = library * 1e9 / n as f64;
        report.value(&format!("nanoseconds in {d}"), two_digits(ns));
    }
    Ok(())
}

/// That a step which is timed does what it should.
fn check(name: &str, found: &steps::Statistics, expected: &steps::Statistics) {
    let difference = steps::difference(found, expected);
    assert!(difference < 1e-10, "{name} differs by {difference:e}");
}

/// Step 6 with blocks of more and more rows.
fn blocks(report: &mut Report) -> Result<()> {
    let mut columns = Vec::new();
    let lengths: Vec<usize> = (5..=17).map(|power| 1 << power).collect();
    for (n, d, k) in [(400_000, 2, 3), (200_000, 8, 8)] {
        let (mixture, x) = steps::problem(n, d, k)?;
        let parts = steps::components(&mixture);
        let (x, parts) = (&x, parts.as_slice());
        let mut runs: Vec<Run> = Vec::new();
        for &rows in &lengths {
            let mut workspace = Workspace::new(parts, rows);
            runs.push(run(move || {
                let workspace = &mut workspace;
                dispatch(Blocks { parts, x, workspace, by_vectors: true })
            }));
        }
        let best = fastest(&mut runs);
        columns.push(best.iter().map(|s| s * 1e9 / n as f64).collect::<Vec<_>>());
        let at = |rows: usize| best[lengths.iter().position(|l| *l == rows).unwrap()];
        report.value(
            &format!("blocks in cache in {d}"),
            format!("{:.1}", at(1 << 17) / at(256)),
        );
    }
    report.section(
        "Rows in a block",
        "nanoseconds a point\n  rows     N×2, K = 3   N×8, K = 8",
    );
    for (i, rows) in lengths.iter().enumerate() {
        let (a, b) = (columns[0][i], columns[1][i]);
        report.line(format!("{rows:>6} {a:>14.1} {b:>12.1}"));
    }
    Ok(())
}

/// The library on more and more threads.
fn threads(report: &mut Report) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let counts: Vec<usize> =
        (0..).map(|i| 1 << i).take_while(|t| *t <= cores).collect();
    let mut columns = Vec::new();
    for (n, d, k) in [(1_000_000, 2, 3), (200_000, 8, 8)] {
        let (mixture, x) = steps::problem(n, d, k)?;
        let mut runs: Vec<Run> = Vec::new();
        for &threads in &counts {
            let mut iteration =
                Iteration::new(&x, &mixture, Covariance::Full, threads);
            runs.push(Box::new(move || iteration.run()));
        }
        columns.push(fastest(&mut runs));
    }
    report.section(
        "Threads",
        "milliseconds an iteration\nthreads  1,000,000 × 2  200,000 × 8",
    );
    for (i, threads) in counts.iter().enumerate() {
        let (a, b) = (columns[0][i] * 1e3, columns[1][i] * 1e3);
        report.line(format!("{threads:>7} {a:>14.2} {b:>12.2}"));
    }
    let last = counts.len() - 1;
    report.value("most threads", counts[last]);
    for (column, d) in columns.iter().zip([2, 8]) {
        let gain = column[0] / column[last];
        report.value(&format!("threads in {d}"), format!("{gain:.1}"));
    }
    Ok(())
}

/// What one thread of this machine can do at best.
fn machine(report: &mut Report) {
    let peak = Peak(1_000_000);
    let operations = peak.operations();
    // Far larger than any cache.
    let memory = vec![[1.0; LANES]; 1 << 22];
    let a = DMatrix::from_fn(1000, 1000, |i, j| ((i * 7 + j) % 10) as f64);
    let mut runs: Vec<Run> = vec![
        run(|| dispatch(Peak(black_box(1_000_000)))),
        run(|| dispatch(Stream(&memory))),
        run(|| &a * black_box(&a)),
    ];
    let best = fastest(&mut runs);
    let bytes = (memory.len() * LANES * 8) as f64;
    report.section("The machine", "one thread");
    let (peak, stream) = (operations / best[0] / 1e9, bytes / best[1] / 1e9);
    report.line(format!("multiply–adds, at best:   GFLOP/s {peak:>8.1}"));
    report.line(format!("a product of matrices:    GFLOP/s {:>8.1}", 2.0 / best[2]));
    report.line(format!("reading from memory:         GB/s {stream:>8.1}"));
    report.line(format!("operations for a byte at both     {:>8.1}", peak / stream));
    // In the plane with three components: x three times, and the table of shares four times.
    let traffic = (8 * (3 * 2 + 4 * 3)) as f64 / stream;
    report.value("traffic of three passes in 2", two_digits(traffic));
}

/// Operations of an E-step for one row, with about 40 for an exponential and what belongs to it. With
/// a diagonal, x − m and its whitening are computed twice.
fn operations(d: usize, k: usize, shape: Covariance) -> f64 {
    let (d, k) = (d as f64, k as f64);
    match shape {
        Covariance::Diagonal => k * (10.0 * d + 43.0) + 35.0,
        _ => k * (2.0 * d * d + 7.0 * d + 43.0) + 35.0,
    }
}

/// Full and diagonal covariances in more and more dimensions.
fn shapes(report: &mut Report) -> Result<()> {
    let k = 8;
    report.section(
        "Shapes, K = 8",
        "            full covariances          diagonal covariances\n\
         \x20 D     ns  per byte  GFLOP/s       ns  per byte  GFLOP/s",
    );
    for d in [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64] {
        let n = 1_600_000 / d.max(4);
        let (mixture, x) = steps::problem(n, d, k)?;
        let shapes = [Covariance::Full, Covariance::Diagonal];
        let mut runs: Vec<Run> = Vec::new();
        for shape in shapes {
            let mut iteration = Iteration::new(&x, &mixture, shape, 1);
            runs.push(Box::new(move || iteration.run()));
        }
        let best = fastest(&mut runs);
        let mut line = format!("{d:>3}");
        for (seconds, shape) in best.iter().zip(shapes) {
            let flops = operations(d, k, shape);
            let ns = seconds * 1e9 / n as f64;
            let (intensity, rate) = (flops / (8 * d) as f64, flops / ns);
            let _ = write!(line, " {ns:>8.1} {intensity:>8.1} {rate:>8.1}");
        }
        report.line(line);
        if [1, 2, 8, 64].contains(&d) {
            let gain = two_digits(best[0] / best[1]);
            report.value(&format!("diagonal in {d}"), gain);
        }
    }
    Ok(())
}
