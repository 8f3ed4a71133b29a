//! `cargo bench`: the notebook's run, by EM and by variational Bayes; one E-step of larger
//! problems; and ten updates by both of such a problem, which should cost the same.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Em, GaussianMixture, Start, Vb, data, e_step, math};

/// The notebook's start: weights 0.4, 0.3, 0.3; means (0,0), (1,1), (2,2); one covariance.
fn notebook_start() -> GaussianMixture {
    let sigma = dmatrix![1.0, 0.5; 0.5, 1.0];
    let means = dmatrix![0.0, 0.0; 1.0, 1.0; 2.0, 2.0];
    GaussianMixture::new(dvector![0.4, 0.3, 0.3], means, vec![sigma; 3]).unwrap()
}

fn notebook(c: &mut Criterion) {
    let x = data::notebook();
    let em = Em::new(3)
        .start(Start::Given(notebook_start()))
        .max_iterations(50)
        .tolerance(0.0);
    let vb = Vb::new(3)
        .start(Start::Given(notebook_start()))
        .max_iterations(50)
        .tolerance(0.0);
    let mut group = c.benchmark_group("notebook, 50 iterations");
    group.bench_function("EM", |b| b.iter(|| em.fit(black_box(&x)).unwrap()));
    group.bench_function("VB", |b| b.iter(|| vb.fit(black_box(&x)).unwrap()));
}

/// K components in D dimensions, of which each is shifted along an axis of its own.
fn wide(k: usize, d: usize) -> GaussianMixture {
    let means = DMatrix::from_fn(k, d, |k, j| if k == j { 3.0 } else { 0.0 });
    let weights = DVector::from_element(k, 1.0 / k as f64);
    GaussianMixture::new(weights, means, vec![DMatrix::identity(d, d); k]).unwrap()
}

fn updates(c: &mut Criterion) {
    let start = wide(16, 16);
    let (x, _) = start.sample(50_000, &mut math::rng(2));
    let em = Em::new(16).start(Start::Given(start.clone())).max_iterations(10);
    let vb = Vb::new(16).start(Start::Given(start)).max_iterations(10);
    let mut group = c.benchmark_group("10 iterations, 50,000 × 16, K = 16");
    group.sample_size(10);
    group.bench_function("EM", |b| {
        b.iter(|| em.clone().tolerance(0.0).fit(black_box(&x)).unwrap())
    });
    group.bench_function("VB", |b| {
        b.iter(|| vb.clone().tolerance(0.0).fit(black_box(&x)).unwrap())
    });
}

fn e_steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("E-step");
    let (points, _) = data::sample_notebook(1_000_000, &mut math::rng(1)).unwrap();
    group.throughput(Throughput::Elements(1_000_000)).sample_size(20);
    group.bench_function("1,000,000 × 2, K = 3", |b| {
        b.iter(|| e_step(&notebook_start(), black_box(&points), None).unwrap());
    });
    let wide = wide(16, 16);
    let (points, _) = wide.sample(50_000, &mut math::rng(2));
    group.throughput(Throughput::Elements(50_000));
    group.bench_function("50,000 × 16, K = 16", |b| {
        b.iter(|| e_step(&wide, black_box(&points), None).unwrap());
    });
}

criterion_group!(benches, notebook, updates, e_steps);
criterion_main!(benches);
