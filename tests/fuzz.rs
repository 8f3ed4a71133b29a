//! Ten thousand inputs, good and bad: no panic, no fall of the objective, no silence.

mod common;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::shapes::*;
use mixtures::math::{Rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;
use mixtures::{
    Acceleration, Concentration, Em, Error, GaussianMixture, OnCollapse, Prior,
    Result, Start, Vb,
};

const ODD: [f64; 9] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e300,
    -1e155,
    0.0,
    -0.0,
    5e-324,
    -1.0,
];

fn odd(rng: &mut Rng) -> f64 {
    ODD[rng.random_range(0..ODD.len())]
}

fn chance(p: f64, rng: &mut Rng) -> bool {
    rng.random_range(0.0..1.0) < p
}

fn random_data(rng: &mut Rng) -> DMatrix<f64> {
    let most = if chance(0.1, rng) { 31 } else { 6 };
    let (n, d) = (rng.random_range(1..25), rng.random_range(1..most));
    let mut x = clumps(n, d, 3, rng);
    match rng.random_range(0..14) {
        0 => x = x.map(f64::round),
        1 => x.fill(0.0),
        2 => {
            x = DMatrix::zeros(n * rng.random_range(0..2), d * rng.random_range(0..2))
        }
        3 => x *= 10.0_f64.powi(rng.random_range(-160..160)),
        4 => x.add_scalar_mut(10.0_f64.powi(rng.random_range(0..16))),
        5 => x.column_mut(0).fill(3.7),
        6 => {
            let sum = x.column(d - 1) * 2.0;
            x.set_column(0, &sum);
        }
        7 => x.column_mut(0).apply(|v| *v *= 1e12),
        8 => x[(n / 2, 0)] *= 10.0_f64.powi(rng.random_range(3..140)),
        _ => {}
    }
    if x.is_empty() {
        return x;
    }
    if chance(0.3, rng) {
        for _ in 0..n {
            let row = x.row(rng.random_range(0..n)).into_owned();
            x.set_row(rng.random_range(0..n), &row);
        }
    }
    if chance(0.05, rng) {
        let entry = rng.random_range(0..x.len());
        x[entry] = odd(rng);
    }
    x
}

fn random_weights(n: usize, rng: &mut Rng) -> Option<DVector<f64>> {
    if chance(0.6, rng) {
        return None;
    }
    let mut w = DVector::from_fn(n, |_, _| rng.random_range(0.0..3.0_f64));
    match rng.random_range(0..8) {
        0 => w.fill(0.0),
        1 => w *= 10.0_f64.powi(rng.random_range(-110..25)),
        2 => w = w.map(f64::floor),
        3 => w = DVector::from_element(n + 1, 1.0),
        4 if n > 0 => w[0] = odd(rng),
        _ => {}
    }
    Some(w)
}

fn shares(n: usize, k: usize, rng: &mut Rng) -> DMatrix<f64> {
    let hard = chance(0.3, rng);
    let mut r = DMatrix::from_fn(n, k, |_, _| rng.random_range(0.0..1.0_f64) + 1e-12);
    for mut row in r.row_iter_mut() {
        let (largest, sum) = (row.max(), row.sum());
        row.apply(|v| {
            *v = if hard { f64::from(u8::from(*v == largest)) } else { *v / sum }
        });
    }
    if chance(0.1, rng) && !r.is_empty() {
        r[0] = odd(rng);
    }
    if chance(0.1, rng) && k > 1 {
        let first = r.column(0).into_owned();
        r.column_mut(0).fill(0.0);
        r.column_mut(1).axpy(1.0, &first, 1.0);
    }
    r
}

fn random_start(x: &DMatrix<f64>, k: usize, rng: &mut Rng) -> Start {
    let (n, d) = x.shape();
    let k = if chance(0.05, rng) { k + 1 } else { k };
    match rng.random_range(0..7) {
        0 => Start::RandomPoints,
        1 => Start::KMeans,
        2 => {
            let mut means = DMatrix::from_fn(k, d, |_, j| match n {
                0 => 0.0,
                _ => x[(rng.random_range(0..n), j)] + 0.1,
            });
            if chance(0.1, rng) && !means.is_empty() {
                means[0] = odd(rng);
            }
            Start::Means(means)
        }
        3 => Start::Responsibilities(shares(n, k.max(1), rng)),
        4 | 5 if n > 0 && d > 0 && k > 0 => {
            let usual = |v: &f64| v.is_finite() && v.abs() < 1e60;
            let near = if x.iter().all(usual) && chance(0.8, rng) {
                x.clone()
            } else {
                clumps(5, d, 2, rng)
            };
            let shape = SHAPES[rng.random_range(0..4)];
            match made(catch_unwind(AssertUnwindSafe(|| {
                random_mixture(shape, &near, k, rng)
            }))) {
                Some(mixture) => Start::Given(mixture),
                None => Start::KMeansPlusPlus,
            }
        }
        _ => Start::KMeansPlusPlus,
    }
}

/// The helper unwraps where the data have no spread.
fn made(mixture: std::thread::Result<GaussianMixture>) -> Option<GaussianMixture> {
    mixture.ok()
}

fn random_believed(x: &DMatrix<f64>, k: usize, rng: &mut Rng) -> Result<Prior> {
    let mut prior = match rng.random_range(0..4) {
        0 => Prior::from_data(x)?,
        1 => Prior::for_components(x, k)?,
        _ => Prior {
            alpha0: rng.random_range(0.5..3.0),
            ..random_prior(x.ncols().max(1), rng)
        },
    };
    let any = |rng: &mut Rng| 10.0_f64.powi(rng.random_range(-30..30));
    match rng.random_range(0..20) {
        0 => prior.alpha0 = any(rng),
        1 => prior.beta0 = any(rng),
        2 => prior.nu0 = odd(rng),
        3 => prior.nu0 += any(rng),
        4 => prior.w0 *= any(rng),
        5 => prior.m0 *= any(rng),
        6 => prior.m0[0] = odd(rng),
        7 => prior.w0[(0, 0)] = odd(rng),
        8 => prior.m0 = DVector::zeros(x.ncols() + 1),
        9 => prior.alpha0 = odd(rng),
        10 => prior.beta0 = odd(rng),
        _ => {}
    }
    Ok(prior)
}

/// What came out: the trace and where it may fall, and whether every number is one.
struct Outcome {
    trace: Vec<f64>,
    marks: Vec<usize>,
    /// The terms of ln p(θ) are of this size or so.
    size: f64,
    sound: bool,
}

fn size_of(prior: &Prior) -> f64 {
    let numbers = [prior.alpha0, prior.beta0, prior.nu0];
    numbers.iter().filter(|v| v.is_finite()).map(|v| 10.0 * v.abs()).sum()
}

fn sound(m: &GaussianMixture) -> bool {
    let finite = m.means().iter().all(|v| v.is_finite())
        && m.components()
            .iter()
            .all(|c| c.covariance().iter().all(|v| v.is_finite()));
    finite && (m.weights().sum() - 1.0).abs() < 1e-9 && m.weights().min() >= 0.0
}

fn run(seed: u64) -> Result<Outcome> {
    let rng = &mut rng_stream(800, seed);
    let x = random_data(rng);
    let k = if chance(0.02, rng) { 0 } else { rng.random_range(1..6) };
    let shape = SHAPES[rng.random_range(0..4)];
    let weights = random_weights(x.nrows(), rng);
    let start = random_start(&x, k, rng);
    // The fit could not have found it, so that its first update may fall.
    let stranger = matches!(&start, Start::Given(m) if m.shape() != shape);
    let updates = rng.random_range(0..15);
    let restarts = if chance(0.05, rng) { 0 } else { rng.random_range(1..3) };
    let given = matches!(
        start,
        Start::Means(_) | Start::Given(_) | Start::Responsibilities(_)
    );
    let restarts = if given && chance(0.9, rng) { 1 } else { restarts };
    let tolerance = match rng.random_range(0..30) {
        0 => odd(rng),
        1..10 => 1e-4,
        _ => 0.0,
    };
    let learner = rng.random_range(0..4);
    let acceleration = [Acceleration::None, Acceleration::Squarem][seed as usize % 2];
    let mut size = 1.0;
    if learner < 2 {
        let mut em = Em::new(k).covariance(shape).start(start).restarts(restarts);
        em = em.seed(seed).max_iterations(updates).tolerance(tolerance);
        em = em.acceleration(acceleration);
        if chance(0.4, rng) {
            em = em.on_collapse(OnCollapse::Reseed);
        }
        if learner == 1 {
            let mut prior = random_believed(&x, k, rng)?;
            if chance(0.9, rng) {
                prior.alpha0 = prior.alpha0.max(1.0);
            }
            size += size_of(&prior);
            em = em.prior(prior);
        }
        let fit = match &weights {
            Some(w) => em.fit_weighted(&x, w)?,
            None => em.fit(&x)?,
        };
        let mut marks: Vec<usize> =
            fit.reseeded.iter().map(|r| r.iteration).collect();
        if stranger {
            marks.push(1);
        }
        return Ok(Outcome {
            sound: sound(&fit.mixture),
            trace: fit.trace,
            marks,
            size,
        });
    }
    let mut vb = Vb::new(k).covariance(shape).start(start).restarts(restarts);
    vb = vb.seed(seed).max_iterations(updates).tolerance(tolerance);
    vb = vb.acceleration(acceleration);
    if learner == 3 {
        let alpha = if chance(0.05, rng) {
            odd(rng)
        } else {
            10.0_f64.powi(rng.random_range(-6..6))
        };
        vb = vb.concentration(Concentration::DirichletProcess { alpha });
    }
    if chance(0.7, rng) {
        let prior = random_believed(&x, k, rng)?;
        size += size_of(&prior);
        vb = vb.prior(prior);
    }
    let fit = match &weights {
        Some(w) => vb.fit_weighted(&x, w)?,
        None => vb.fit(&x)?,
    };
    let q = &fit.posterior;
    let whole = sound(&q.expected_mixture())
        && q.counts().iter().all(|n| n.is_finite() && *n >= 0.0)
        && q.predictive().log_density(&x)?.iter().all(|l| !l.is_nan());
    Ok(Outcome { sound: whole, trace: fit.trace, marks: Vec::new(), size })
}

/// The name of the variant, and a phrase that its message owes: what to do, or what must be.
fn expected(fault: &Error) -> (&'static str, &'static str) {
    match fault {
        Error::Shape { .. } => ("Shape", "must be"),
        Error::Empty { .. } => ("Empty", "give it at least one"),
        Error::NotFinite { .. } => ("NotFinite", "remove, impute or rescale"),
        Error::Weights { .. } => ("Weights", ": "),
        Error::NotPositiveDefinite { .. } => ("NotPositiveDefinite", "eigenvalues"),
        Error::Degenerate { .. } => ("Degenerate", "remove the column"),
        Error::Components { .. } => ("Components", "ask for"),
        Error::Collapse { .. } => ("Collapse", "use fewer components"),
        Error::ObjectiveFell { .. } => ("ObjectiveFell", "rescale or decorrelate"),
        Error::Overflow { .. } => ("Overflow", "check their units"),
        Error::OutOfReach { .. } => ("OutOfReach", "check the units"),
        Error::Option { .. } => ("Option", ": "),
        other => panic!("not an error of a fit: {other}"),
    }
}

#[test]
fn no_input_panics_and_no_objective_falls() {
    // More, when one looks for more.
    let inputs = std::env::var("FUZZ_INPUTS").map_or(10_000, |n| n.parse().unwrap());
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcomes: Vec<_> = (0..inputs)
        .map(|seed| catch_unwind(|| run(seed)).map_err(|_| seed))
        .collect();
    std::panic::set_hook(quiet);
    let mut seen: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let (mut fits, mut complaints) = (0, Vec::new());
    for (seed, outcome) in outcomes.into_iter().enumerate() {
        let mut complain = |of: String| complaints.push(format!("seed {seed}: {of}"));
        match outcome {
            Err(_) => complain("a panic".into()),
            Ok(Ok(fit)) => {
                fits += 1;
                if !fit.sound {
                    complain("not sound".into());
                }
                for (i, pair) in fit.trace.windows(2).enumerate() {
                    let allowed = 1e-9 * (1.0 + pair[0].abs()) + 1e-12 * fit.size;
                    let fell = pair[1].is_nan() || pair[1] < pair[0] - allowed;
                    if fell && !fit.marks.contains(&(i + 1)) {
                        complain(format!("fell: {pair:?}"));
                    }
                }
            }
            Ok(Err(fault)) => {
                let (name, phrase) = expected(&fault);
                let text = fault.to_string();
                if !text.contains(phrase) || text.len() < 20 {
                    complain(text.clone());
                }
                let entry = seen.entry(name).or_insert((0, text));
                entry.0 += 1;
            }
        }
    }
    println!("{fits} fits");
    for (name, (count, example)) in &seen {
        println!("{count:5} {name}: {example}");
    }
    let first = &complaints[..complaints.len().min(20)];
    assert!(complaints.is_empty(), "{} complaints: {first:#?}", complaints.len());
    assert!(fits > inputs as usize / 3);
    // Data, prior and start that differ by eight orders of magnitude and more.
    let fell = seen.get("ObjectiveFell").map_or(0, |fell| fell.0);
    assert!(fell as f64 <= 1e-3 * inputs as f64, "{fell} of {inputs}");
}
