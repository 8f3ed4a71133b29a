//! No input panics, and each error says what, where and what to do.

use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Em, Gaussian, GaussianMixture, Start, data};

fn message<T: std::fmt::Debug>(result: mixtures::Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[track_caller]
fn says(text: String, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

fn good() -> DMatrix<f64> {
    data::faithful().rows(0, 20).into_owned()
}

fn with(row: usize, column: usize, value: f64) -> DMatrix<f64> {
    let mut x = good();
    x[(row, column)] = value;
    x
}

#[test]
fn bad_data() {
    let fit = |x: &DMatrix<f64>| message(Em::new(2).fit(x));
    says(fit(&DMatrix::zeros(0, 2)), &["x has no rows"]);
    says(fit(&DMatrix::zeros(3, 0)), &["x has no columns"]);
    says(fit(&with(7, 1, f64::NAN)), &["NaN", "row 7", "column 1", "remove"]);
    says(fit(&with(7, 1, f64::INFINITY)), &["inf", "row 7"]);
    says(fit(&with(7, 1, f64::NEG_INFINITY)), &["-inf", "row 7"]);
    says(fit(&with(7, 1, 1e200)), &["row 7", "rescale"]);
    says(fit(&DMatrix::from_element(20, 2, 3.0)), &["constant", "column 0"]);
    let mut constant = good();
    constant.column_mut(1).fill(1e8);
    says(fit(&constant), &["column 1", "constant"]);
    let mut dependent = good();
    let twice = dependent.column(0) * 2.0;
    dependent.set_column(1, &twice);
    says(fit(&dependent), &["columns 0, 1 are linearly dependent", "remove"]);
    says(message(Em::new(1).fit(&good().rows(0, 2))), &["no spread", "add rows"]);
    says(message(Em::new(1).fit(&good().rows(0, 1))), &["no spread"]);
    says(message(Gaussian::fit(&with(0, 0, f64::NAN))), &["row 0", "column 0"]);
}

#[test]
fn bad_options() {
    let x = good();
    says(message(Em::new(0).fit(&x)), &["0 components", "20 points"]);
    says(
        message(Em::new(21).fit(&x)),
        &["21 components", "20 points", "ask for 1 to 20"],
    );
    says(message(Em::new(2).restarts(0).fit(&x)), &["restarts = 0"]);
    for tolerance in [-1.0, f64::NAN, f64::INFINITY] {
        says(message(Em::new(2).tolerance(tolerance).fit(&x)), &["tolerance"]);
    }
    let means = Start::Means(x.rows(0, 2).into_owned());
    says(
        message(Em::new(2).start(means.clone()).restarts(2).fit(&x)),
        &["restarts = 2", "use 1"],
    );
    says(
        message(Em::new(3).start(means.clone()).fit(&x)),
        &["Start::Means", "3 components"],
    );
    says(
        message(Em::new(2).start(means).fit(&x.columns(0, 1))),
        &["Start::Means", "in 1 dim"],
    );
    let nan = Start::Means(DMatrix::from_element(2, 2, f64::NAN));
    says(message(Em::new(2).start(nan).fit(&x)), &["the matrix of means", "NaN"]);
    let mixture = Em::new(2).fit(&data::faithful()).unwrap().mixture;
    says(message(Em::new(3).start(Start::Given(mixture)).fit(&x)), &["Start::Given"]);
}

#[test]
fn bad_weights_of_rows() {
    let x = good();
    let fit = |w: DVector<f64>| message(Em::new(2).fit_weighted(&x, &w));
    says(fit(DVector::from_element(19, 1.0)), &["length 20", "length 19"]);
    says(fit(DVector::zeros(20)), &["sum is 0"]);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let mut w = DVector::from_element(20, 1.0);
        w[4] = bad;
        says(fit(w), &["row 4"]);
    }
    let mut w = DVector::zeros(20);
    w[3] = 1.0;
    says(fit(w), &["no spread"]);
    let mut few_points = DMatrix::zeros(20, 2);
    few_points[(1, 0)] = 1.0;
    few_points[(2, 1)] = 1.0;
    says(
        message(Em::new(5).fit(&few_points)),
        &["5 components", "3 different points"],
    );
    let weighted = Em::new(2)
        .start(Start::RandomPoints)
        .fit_weighted(&few_points.rows(0, 3), &dvector![1.0, 0.0, 0.0]);
    says(message(weighted), &["no spread"]);
}

#[test]
fn bad_mixtures() {
    let id = DMatrix::<f64>::identity(2, 2);
    let means = dmatrix![0.0, 0.0; 1.0, 1.0];
    let new = |w: DVector<f64>, m: DMatrix<f64>, s: Vec<DMatrix<f64>>| {
        message(GaussianMixture::new(w, m, s))
    };
    let half = dvector![0.5, 0.5];
    let two = || vec![id.clone(), id.clone()];
    says(new(dvector![], DMatrix::zeros(0, 2), vec![]), &["no components"]);
    says(new(half.clone(), DMatrix::zeros(3, 2), two()), &["3×2", "2×D"]);
    says(
        new(half.clone(), means.clone(), vec![id.clone()]),
        &["length 1", "length 2"],
    );
    says(new(dvector![0.5, 0.4], means.clone(), two()), &["sum is 0.9"]);
    says(new(dvector![1.5, -0.5], means.clone(), two()), &["component 1", "-0.5"]);
    says(new(dvector![f64::NAN, 1.0], means.clone(), two()), &["component 0"]);
    says(
        new(half.clone(), means.clone(), vec![id.clone(), -id.clone()]),
        &["component 1", "positive definite"],
    );
    says(
        new(half.clone(), means.clone(), vec![DMatrix::identity(3, 3), id.clone()]),
        &["component 0"],
    );
    says(
        new(half.clone(), DMatrix::from_element(2, 2, f64::NAN), two()),
        &["mean", "NaN"],
    );

    let mixture = GaussianMixture::new(half, means, two()).unwrap();
    let wrong = DMatrix::zeros(4, 3);
    says(message(mixture.log_density(&wrong)), &["4×3", "2 dimensions"]);
    says(message(mixture.responsibilities(&wrong)), &["4×3"]);
    says(message(mixture.predict(&DMatrix::zeros(0, 2))), &["no rows"]);
    says(message(mixture.bic(&dmatrix![f64::NAN, 0.0])), &["NaN"]);
    let tight =
        GaussianMixture::new(dvector![1.0], dmatrix![0.0], vec![dmatrix![1e-200]])
            .unwrap();
    let far = dmatrix![0.0; 1e120];
    assert_eq!(tight.log_density(&far).unwrap()[1], f64::NEG_INFINITY);
    says(message(tight.responsibilities(&far)), &["row 1", "units"]);
}

#[test]
fn a_component_of_weight_zero_is_no_fault() {
    let mixture = GaussianMixture::new(
        dvector![1.0, 0.0],
        dmatrix![0.0; 9.0],
        vec![dmatrix![1.0]; 2],
    )
    .unwrap();
    let x = dmatrix![0.0; 9.0];
    assert!(mixture.log_density(&x).unwrap().iter().all(|l| l.is_finite()));
    assert_eq!(mixture.responsibilities(&x).unwrap(), dmatrix![1.0, 0.0; 1.0, 0.0]);
    assert!(
        mixture.sample(50, &mut mixtures::math::rng(1)).1.iter().all(|&k| k == 0)
    );
}

#[test]
fn a_row_of_weight_zero_counts_for_nothing() {
    let x = data::faithful();
    let weights = DVector::from_fn(272, |n, _| if n == 0 { 0.0 } else { 1.0 });
    for far in [1e12, 1e130] {
        let mut with_outlier = x.clone();
        with_outlier.row_mut(0).fill(far);
        for start in [Start::RandomPoints, Start::KMeansPlusPlus] {
            let em = Em::new(2).start(start).restarts(5);
            let ours = em.fit_weighted(&with_outlier, &weights).unwrap();
            let expected = em.fit_weighted(&x, &weights).unwrap();
            assert!((ours.log_likelihood() - expected.log_likelihood()).abs() < 1e-3);
        }
    }
}

#[test]
fn extremes_are_refused_by_name() {
    let x = good();
    for total in [1e-110, 1e30] {
        let w = DVector::from_element(20, total / 20.0);
        says(
            message(Em::new(1).fit_weighted(&x, &w)),
            &["sum is", "1e-100 and 1e20"],
        );
    }
    says(message(Em::new(1).restarts(usize::MAX).fit(&x)), &["restarts", "million"]);
    let sigma = vec![DMatrix::<f64>::identity(2, 2); 2];
    let means = dmatrix![0.0, 0.0; 0.0, 1e300];
    let mixture = GaussianMixture::new(dvector![0.5, 0.5], means, sigma);
    says(message(mixture), &["the matrix of means", "1e300", "row 1, column 1"]);
    let mut moments = mixtures::Moments::of(&x).unwrap();
    says(
        message(moments.push(dmatrix![1e200, 0.0].row(0), 1.0)),
        &["1e200", "column 0"],
    );
    let nan = with(7, 1, f64::NAN);
    says(message(mixtures::Moments::of(&nan)), &["row 7, column 1"]);
    let other = mixtures::Moments::about(DVector::zeros(3));
    says(message(moments.merge(&other)), &["the other moments", "dimension 3"]);
    let lopsided = dmatrix![1e200, 5e199; -4e199, 1e200];
    says(message(Gaussian::new(dvector![0.0, 0.0], lopsided)), &["not symmetric"]);
}

/// The first unreachable row is named, whatever thread comes across one first.
#[test]
fn the_first_fault_is_named() {
    let tight =
        GaussianMixture::new(dvector![1.0], dmatrix![0.0], vec![dmatrix![1e-200]]);
    let tight = tight.unwrap();
    let far =
        DMatrix::from_fn(60_000, 1, |n, _| if n > 20_000 { 1e120 } else { 0.0 });
    for _ in 0..20 {
        says(message(tight.responsibilities(&far)), &["row 20001 "]);
    }
}
