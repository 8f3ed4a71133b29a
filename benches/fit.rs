//! `cargo bench --bench fit`: an E-step of each workload; what an update costs by EM and by variational
//! Bayes, which should be the same; what a start costs; and a slow fit, plain and accelerated. The
//! comparison with other programs is in `benches/peers`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{
    Acceleration, Covariance, Em, GaussianMixture, Start, Vb, data, e_step, math,
};

/// The notebook's start: weights 0.4, 0.3, 0.3; means (0,0), (1,1), (2,2); one covariance.
fn notebook_start() -> GaussianMixture {
    let sigma = dmatrix![1.0, 0.5; 0.5, 1.0];
    let means = dmatrix![0.0, 0.0; 1.0, 1.0; 2.0, 2.0];
    GaussianMixture::new(dvector![0.4, 0.3, 0.3], means, vec![sigma; 3]).unwrap()
}

/// K components in D dimensions, each shifted along an axis.
fn axes(k: usize, d: usize, shape: Covariance) -> GaussianMixture {
    let means = DMatrix::from_fn(k, d, |k, j| if k % d == j { 3.0 } else { 0.0 });
    let weights = DVector::from_element(k, 1.0 / k as f64);
    let covariances = vec![DMatrix::identity(d, d); k];
    GaussianMixture::with_shape(weights, means, covariances, shape).unwrap()
}

fn e_steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("E-step");
    group.sample_size(10);
    for (n, d, k, shape) in [
        (1_000_000, 2, 3, Covariance::Full),
        (273_280, 3, 8, Covariance::Full),
        (200_000, 16, 16, Covariance::Full),
        (50_000, 64, 16, Covariance::Full),
        (20_000, 8, 64, Covariance::Full),
        (1_000, 2, 3, Covariance::Full),
        (200_000, 16, 16, Covariance::Diagonal),
    ] {
        let mixture = axes(k, d, shape);
        let (x, _) = mixture.sample(n, &mut math::rng(1));
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(format!("{n} × {d}, K = {k}, {shape}"), |b| {
            b.iter(|| e_step(&mixture, black_box(&x), None).unwrap());
        });
    }
}

fn updates(c: &mut Criterion) {
    let wide = axes(16, 16, Covariance::Full);
    let (many, _) = wide.sample(50_000, &mut math::rng(2));
    for (name, x, start, updates) in [
        ("the notebook's data", data::notebook(), notebook_start(), 50),
        ("50,000 × 16, K = 16", many, wide, 10),
    ] {
        let k = start.component_count();
        let start = Start::Given(start);
        let em =
            Em::new(k).start(start.clone()).max_iterations(updates).tolerance(0.0);
        let vb = Vb::new(k).start(start).max_iterations(updates).tolerance(0.0);
        let mut group = c.benchmark_group(format!("{updates} updates of {name}"));
        group.sample_size(20);
        group.bench_function("EM", |b| b.iter(|| em.fit(black_box(&x)).unwrap()));
        group.bench_function("VB", |b| b.iter(|| vb.fit(black_box(&x)).unwrap()));
    }
}

fn starts(c: &mut Criterion) {
    let (x, _) = data::sample_notebook(1_000_000, &mut math::rng(1)).unwrap();
    let mut group = c.benchmark_group("1,000,000 × 2, K = 3, one update from");
    group.sample_size(10);
    for (name, start) in [
        ("means", Start::Means(x.rows(0, 3).into_owned())),
        ("random points", Start::RandomPoints),
        ("k-means++", Start::KMeansPlusPlus),
        ("K-means", Start::KMeans),
    ] {
        let em = Em::new(3).start(start).max_iterations(1).tolerance(0.0);
        group.bench_function(name, |b| b.iter(|| em.fit(black_box(&x)).unwrap()));
    }
}

fn accelerations(c: &mut Criterion) {
    let x = data::faithful();
    let em = Em::new(3).seed(1).max_iterations(5_000).tolerance(1e-12);
    let mut group = c.benchmark_group("Old Faithful, K = 3, to 1e-12");
    for acceleration in [Acceleration::None, Acceleration::Squarem] {
        let em = em.clone().acceleration(acceleration);
        group.bench_function(format!("{acceleration:?}"), |b| {
            b.iter(|| em.fit(black_box(&x)).unwrap());
        });
    }
}

criterion_group!(benches, e_steps, updates, starts, accelerations);
criterion_main!(benches);
