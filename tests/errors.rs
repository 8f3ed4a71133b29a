//! No input panics, and each error says what, where and what to do.

use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{
    Dirichlet, Em, Error, Gaussian, GaussianMixture, GaussianWishart, Posterior,
    Prior, Start, StudentT, StudentTMixture, Vb, Wishart, data,
};

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

fn prior() -> Prior {
    Prior::from_data(&good()).unwrap()
}

#[test]
fn bad_priors() {
    let x = good();
    let fit = |prior: Prior| message(Vb::new(2).prior(prior).fit(&x));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
        let value = format!("{bad:?}");
        says(fit(Prior { alpha0: bad, ..prior() }), &["alpha0", &value]);
        says(fit(Prior { beta0: bad, ..prior() }), &["beta0", &value, "positive"]);
        says(fit(Prior { nu0: bad, ..prior() }), &["nu0", &value]);
    }
    says(fit(Prior { nu0: 1.0, ..prior() }), &["nu0 = 1.0", "above 1, by 1e-12"]);
    says(fit(Prior { alpha0: 1e-13, ..prior() }), &["alpha0", "at least 1e-12"]);
    let m0 = dvector![1.0, f64::NAN];
    says(fit(Prior { m0, ..prior() }), &["m0", "NaN", "row 1"]);
    let m0 = dvector![1.0, 2.0, 3.0];
    says(fit(Prior { m0, ..prior() }), &["m0", "length 2", "length 3"]);
    let w0 = dmatrix![1.0, 2.0; 2.0, 1.0];
    says(fit(Prior { w0, ..prior() }), &["w0", "positive definite"]);
    let w0 = dmatrix![1.0, 0.3; 0.2, 1.0];
    says(fit(Prior { w0, ..prior() }), &["w0", "symmetric"]);
    let three = Prior::from_data(&DMatrix::from_fn(9, 3, |i, j| {
        ((7 * i + 3 * j * j) % 10) as f64
    }));
    says(fit(three.unwrap()), &["x is 20×2", "3 dimensions"]);
    let flat = DMatrix::from_element(20, 2, 3.0);
    says(message(Prior::from_data(&flat)), &["constant", "column 0"]);
    says(message(Vb::new(2).fit(&flat)), &["constant", "column 0"]);
    says(message(Prior::from_data(&with(3, 1, f64::NAN))), &["NaN", "row 3"]);
    says(message(Vb::new(0).prior(prior()).fit(&x)), &["0 components"]);
    for many in [21, 1 << 40, usize::MAX] {
        let fit = Vb::new(many).prior(prior()).fit(&x);
        says(message(fit), &[&format!("{many} components"), "20 points"]);
    }
    let far = Prior { m0: dvector![1e12, 1e12], ..prior() };
    says(message(Vb::new(2).prior(far).fit(&x)), &["component", "m0 closer"]);
    says(message(Vb::new(2).fit(&with(7, 1, 1e200))), &["row 7", "rescale"]);
    says(message(Vb::new(2).tolerance(-1.0).fit(&x)), &["tolerance"]);
    let means = Start::Means(dmatrix![1.0, f64::NAN; 2.0, 3.0]);
    says(message(Vb::new(2).start(means).fit(&x)), &["NaN"]);
}

#[test]
fn bad_responsibilities_and_posteriors() {
    let x = good();
    let given = |r: DMatrix<f64>| {
        let fault = message(Posterior::from_responsibilities(&prior(), &x, &r));
        let posterior = Vb::new(2).fit(&x).unwrap().posterior;
        assert!(posterior.elbo_with(&x, &r).is_err());
        fault
    };
    let mut r = DMatrix::from_element(20, 2, 0.5);
    says(given(r.rows(0, 19).into_owned()), &["19×2", "20×K"]);
    says(given(DMatrix::zeros(20, 0)), &["responsibilities", "no columns"]);
    r[(4, 1)] = 0.6;
    says(given(r.clone()), &["row 4", "sum 1"]);
    r[(4, 0)] = 1.5;
    r[(4, 1)] = -0.5;
    says(given(r.clone()), &["row 4", "negative"]);
    r[(4, 1)] = f64::NAN;
    says(given(r), &["NaN", "row 4"]);

    let posterior = Vb::new(2).fit(&x).unwrap().posterior;
    says(message(posterior.elbo(&x.columns(0, 1))), &["20×1", "2 dimensions"]);
    says(message(posterior.elbo(&DMatrix::zeros(0, 2))), &["no rows"]);
    let r = DMatrix::from_element(20, 3, 1.0 / 3.0);
    says(message(posterior.elbo_terms(&x, &r)), &["2 components", "for 3 in 2"]);
    for level in [0.0, 1.0, f64::NAN] {
        says(message(posterior.credible(level, 10, &mut rng(0))), &["level"]);
    }
    says(message(posterior.credible(0.9, 0, &mut rng(0))), &["draws = 0"]);

    // Farther from the prior than numbers reach.
    let far = Prior { m0: dvector![1e130, 0.0], ..prior() };
    let thin = Wishart::from_inverse(4.0, DMatrix::identity(2, 2) * 1e-190).unwrap();
    let component = GaussianWishart::new(dvector![0.0, 0.0], 1.0, thin).unwrap();
    let weights = Dirichlet::new(dvector![1.0]).unwrap();
    let lost = Posterior::new(far, weights, vec![component]).unwrap();
    says(message(lost.elbo(&x)), &["the objective is", "check their units"]);
    let r = DMatrix::from_element(20, 1, 1.0);
    says(message(lost.elbo_with(&x, &r)), &["the objective is", "check their units"]);

    let t = || StudentT::new(3.0, dvector![0.0], dmatrix![1.0]).unwrap();
    says(message(StudentT::new(0.0, dvector![0.0], dmatrix![1.0])), &["nu = 0"]);
    says(message(StudentTMixture::new(dvector![], vec![])), &["no components"]);
    says(message(StudentTMixture::new(dvector![1.0], vec![t(), t()])), &["length 2"]);
    says(message(StudentTMixture::new(dvector![0.5], vec![t()])), &["sum is 0.5"]);
    let wide =
        StudentT::new(3.0, dvector![0.0, 1.0], DMatrix::identity(2, 2)).unwrap();
    let unequal = StudentTMixture::new(dvector![0.5, 0.5], vec![t(), wide]);
    says(message(unequal), &["component 1", "dimension 2"]);
}

/// Whatever numbers come in: an error or a fit whose numbers are finite.
#[test]
fn no_prior_and_no_data_make_variational_bayes_panic() {
    use mixtures::rand::RngExt;
    let mut rng = rng(77);
    let extremes = [
        0.0,
        -0.0,
        1e-300,
        1e-24,
        1e-10,
        1.0,
        1.0 + 1e-9,
        3.0,
        1e10,
        1e24,
        1e139,
        -2.0,
    ];
    let (mut fits, mut tame, mut tame_fits) = (0, 0, 0);
    for _ in 0..3000 {
        let (n, d, k) = (
            rng.random_range(1..12_usize),
            rng.random_range(1..4_usize),
            rng.random_range(1..5_usize),
        );
        let wild = rng.random_range(0.0..1.0) < 0.5;
        let mut number = |plain: f64| {
            if wild && rng.random_range(0.0..1.0) < 0.2 {
                extremes[rng.random_range(0..extremes.len())]
            } else {
                plain * rng.random_range(0.1..2.0)
            }
        };
        let prior = Prior {
            alpha0: number(1.0),
            beta0: number(1.0),
            m0: DVector::from_fn(d, |_, _| number(1.0)),
            w0: DMatrix::from_diagonal(&DVector::from_fn(d, |_, _| number(1.0))),
            nu0: d as f64 - 1.0 + number(1.0),
        };
        let x = DMatrix::from_fn(n, d, |_, _| number(1.0));
        let vb = Vb::new(k).prior(prior).max_iterations(20);
        let means = DMatrix::from_fn(k, d, |_, _| number(1.0));
        for fit in [vb.fit(&x), vb.clone().start(Start::Means(means)).fit(&x)] {
            tame += usize::from(!wild);
            let fit = match fit {
                Ok(fit) => fit,
                Err(
                    Error::Option { .. }
                    | Error::NotPositiveDefinite { .. }
                    | Error::Components { .. }
                    | Error::NotFinite { .. }
                    | Error::ObjectiveFell { .. }
                    | Error::OutOfReach { .. }
                    | Error::Overflow { .. },
                ) => continue,
                Err(other) => panic!("{other}"),
            };
            fits += 1;
            tame_fits += usize::from(!wild);
            assert!(fit.trace.iter().all(|f| f.is_finite()), "{fit:?}");
            let q = &fit.posterior;
            let again = q.elbo(&x);
            assert!(
                matches!(&again, Ok(f) if f.is_finite()),
                "{again:?} {x} {fit:?}"
            );
            assert!(q.expected_mixture().weights().sum() > 0.999);
            let log_density = q.predictive().log_density(&x).unwrap();
            assert!(log_density.iter().all(|l| l.is_finite()), "{q:?}");
            let _ = q.sample(&mut mixtures::math::rng(1));
        }
    }
    // Without extremes only a random start with K > N may fail.
    assert!(tame_fits as f64 > 0.8 * tame as f64, "{tame_fits} of {tame}");
    assert!(fits > 4000, "{fits}");
}
