use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Gaussian, GaussianWishart, Moments, Prior, StudentT, Wishart, data};
use statrs::function::gamma::ln_gamma;

use crate::common::*;

/// m, β, W⁻¹ and ν.
struct Parameters {
    m: DVector<f64>,
    beta: f64,
    inverse_w: DMatrix<f64>,
    nu: f64,
}

impl Parameters {
    fn random(d: usize, rng: &mut Rng) -> Self {
        let inverse_w = random_covariance(d, rng) * 2.0;
        Parameters { m: noise(d, rng), beta: 0.7, inverse_w, nu: d as f64 + 1.5 }
    }

    fn library(&self) -> GaussianWishart {
        let wishart = Wishart::from_inverse(self.nu, self.inverse_w.clone()).unwrap();
        GaussianWishart::new(self.m.clone(), self.beta, wishart).unwrap()
    }
}

/// ln B(W, ν) as its formula stands, from W⁻¹.
fn plain_log_normaliser(inverse_w: &DMatrix<f64>, nu: f64) -> f64 {
    let d = inverse_w.nrows() as f64;
    let pi = std::f64::consts::PI;
    let gammas: f64 =
        (1..=inverse_w.nrows()).map(|i| ln_gamma(0.5 * (nu + 1.0 - i as f64))).sum();
    0.5 * nu * inverse_w.determinant().ln()
        - 0.5 * nu * d * 2_f64.ln()
        - 0.25 * d * (d - 1.0) * pi.ln()
        - gammas
}

/// ln W(Λ | W, ν) as the formula stands.
fn plain_log_wishart(
    lambda: &DMatrix<f64>,
    inverse_w: &DMatrix<f64>,
    nu: f64,
) -> f64 {
    let d = lambda.nrows() as f64;
    plain_log_normaliser(inverse_w, nu)
        + 0.5 * (nu - d - 1.0) * lambda.determinant().ln()
        - 0.5 * (inverse_w * lambda).trace()
}

/// ln p(μ, Λ) as the formula stands.
fn plain_log_prior(p: &Parameters, mu: &DVector<f64>, lambda: &DMatrix<f64>) -> f64 {
    let sigma = lambda.clone().try_inverse().unwrap();
    plain_log_density(mu, &p.m, &(sigma / p.beta))
        + plain_log_wishart(lambda, &p.inverse_w, p.nu)
}

fn plain_log_likelihood(
    x: &DMatrix<f64>,
    mu: &DVector<f64>,
    lambda: &DMatrix<f64>,
) -> f64 {
    let sigma = lambda.clone().try_inverse().unwrap();
    points(x).iter().map(|x| plain_log_density(x, mu, &sigma)).sum()
}

/// ln St(x | m, V, ν) as the formula stands.
fn plain_log_student(
    x: &DVector<f64>,
    m: &DVector<f64>,
    v: &DMatrix<f64>,
    nu: f64,
) -> f64 {
    let d = x.len() as f64;
    let gap = x - m;
    let squared = gap.dot(&(v.clone().try_inverse().unwrap() * &gap));
    ln_gamma(0.5 * (nu + d))
        - ln_gamma(0.5 * nu)
        - 0.5 * (v * (nu * std::f64::consts::PI)).determinant().ln()
        - 0.5 * (nu + d) * (1.0 + squared / nu).ln()
}

/// N×D points that a standard Gaussian does not fit.
fn some_points(n: usize, d: usize, rng: &mut Rng) -> DMatrix<f64> {
    let stretch = random_covariance(d, rng);
    let shift = noise(d, rng) * 2.0;
    let mut x = DMatrix::zeros(n, d);
    for mut row in x.row_iter_mut() {
        row.copy_from(&(&stretch * noise(d, rng) + &shift).transpose());
    }
    x
}

fn moments(x: &DMatrix<f64>) -> Moments {
    Moments::of(x).unwrap()
}

/// A Wishart draw for a whole number of degrees of freedom: a sum of outer products.
fn draw_wishart(w: &DMatrix<f64>, nu: usize, rng: &mut Rng) -> DMatrix<f64> {
    let root = w.clone().cholesky().unwrap().l();
    (0..nu)
        .map(|_| {
            let g = &root * noise(w.nrows(), rng);
            &g * g.transpose()
        })
        .sum()
}

/// The density integrates to one: in one dimension over μ and ln λ; in two, for Λ
/// alone, over Λ = T Tᵀ with T = [a 0; b c], where dΛ = 4 a² c da db dc. And the
/// library's is the formula.
#[test]
fn gaussian_wishart() {
    let p =
        Parameters { m: dvector![0.4], beta: 0.8, inverse_w: dmatrix![1.3], nu: 2.6 };
    let ours = p.library();
    let mass = integral(
        |u| {
            let lambda = f64::exp(u);
            // μ in units of its standard deviation for this λ.
            let sd = 1.0 / (p.beta * lambda).sqrt();
            integral(
                |t| {
                    let mu = dvector![0.4 + t * sd];
                    ours.log_density(&mu, &dmatrix![lambda]).unwrap().exp()
                        * sd
                        * lambda
                },
                -9.0,
                9.0,
                60,
            )
        },
        -30.0,
        6.0,
        600,
    );
    assert_relative_eq!(mass, 1.0, epsilon = 1e-9);

    let wishart = Wishart::from_inverse(3.7, dmatrix![1.2, 0.5; 0.5, 0.9]).unwrap();
    let mass = integral(
        |u| {
            let a = f64::exp(u);
            integral(
                |v| {
                    let c = f64::exp(v);
                    integral(
                        |b| {
                            let lambda = dmatrix![a * a, a * b; a * b, b * b + c * c];
                            wishart.log_density(&lambda).unwrap().exp()
                                * (4.0 * a * a * c)
                                * (a * c) // da dc = a c du dv
                        },
                        -12.0,
                        12.0,
                        80,
                    )
                },
                -12.0,
                3.0,
                70,
            )
        },
        -9.0,
        3.0,
        60,
    );
    assert_relative_eq!(mass, 1.0, epsilon = 1e-6);

    let mut rng = rng(101);
    for d in 1..=4 {
        let p = Parameters::random(d, &mut rng);
        let (mu, lambda) = (noise(d, &mut rng), random_covariance(d, &mut rng));
        assert_relative_eq!(
            p.library().log_density(&mu, &lambda).unwrap(),
            plain_log_prior(&p, &mu, &lambda),
            max_relative = 1e-10
        );
    }
}

/// From draws that know nothing of the density, sums of outer products, and from the
/// library's own.
#[test]
fn precision_moments() {
    let mut rng = rng(102);
    let w = dmatrix![0.5, 0.2; 0.2, 0.3];
    let (nu, d) = (8, 2.0);
    let inverse_w = w.clone().try_inverse().unwrap();
    let wishart = Wishart::new(nu as f64, w.clone()).unwrap();
    assert_relative_eq!(wishart.mean(), &w * nu as f64, max_relative = 1e-12);
    let expected = (&w * nu as f64, &inverse_w / (nu as f64 - d - 1.0));
    let plain: Vec<_> = (0..40_000).map(|_| draw_wishart(&w, nu, &mut rng)).collect();
    let ours: Vec<_> = (0..40_000).map(|_| wishart.sample(&mut rng)).collect();
    for draws in [plain, ours] {
        let inverses: Vec<_> =
            draws.iter().map(|l| l.clone().try_inverse().unwrap()).collect();
        for at in [(0, 0), (0, 1), (1, 1)] {
            let entries = |m: &[DMatrix<f64>]| -> Vec<f64> {
                m.iter().map(|m| m[at]).collect()
            };
            assert_mean(&entries(&draws), expected.0[at]);
            assert_mean(&entries(&inverses), expected.1[at]);
        }
    }
}

#[test]
fn two_squares() {
    let mut rng = rng(103);
    for d in 1..=4 {
        let lambda = random_covariance(d, &mut rng);
        let form = |v: DVector<f64>| v.dot(&(&lambda * &v));
        let (mu, x, m0) =
            (noise(d, &mut rng), noise(d, &mut rng), noise(d, &mut rng));
        let (n, beta0) = (7.0, 1.5);
        let m_n = (&x * n + &m0 * beta0) / (n + beta0);
        assert_relative_eq!(
            form(&mu - &x) * n + form(&mu - &m0) * beta0,
            form(&mu - &m_n) * (n + beta0)
                + form(&x - &m0) * (beta0 * n / (beta0 + n)),
            max_relative = 1e-12
        );
    }
}

/// Prior times likelihood, divided by the library's posterior, does not depend on μ
/// and Λ; and the posterior's numbers are those of the result.
#[test]
fn gaussian_posterior() {
    let mut rng = rng(104);
    for d in 1..=4 {
        let p = Parameters::random(d, &mut rng);
        let x = some_points(6, d, &mut rng);
        let posterior = p.library().posterior(&moments(&x)).unwrap();
        let log_ratio = |rng: &mut Rng| {
            let (mu, lambda) = (noise(d, rng), random_covariance(d, rng));
            plain_log_prior(&p, &mu, &lambda) + plain_log_likelihood(&x, &mu, &lambda)
                - posterior.log_density(&mu, &lambda).unwrap()
        };
        let first = log_ratio(&mut rng);
        for _ in 0..5 {
            assert_relative_eq!(log_ratio(&mut rng), first, max_relative = 1e-9);
        }
        let mean = x.row_mean().transpose();
        let scatter: DMatrix<f64> =
            points(&x).iter().map(|x| (x - &mean) * (x - &mean).transpose()).sum();
        let gap = &mean - &p.m;
        let between = &gap * gap.transpose() * (p.beta * 6.0 / (p.beta + 6.0));
        let m_n = (&p.m * p.beta + mean * 6.0) / (p.beta + 6.0);
        assert_relative_eq!(posterior.beta(), p.beta + 6.0);
        assert_relative_eq!(posterior.wishart().nu(), p.nu + 6.0);
        assert_relative_eq!(*posterior.m(), m_n, max_relative = 1e-12);
        assert_relative_eq!(
            *posterior.wishart().inverse_w(),
            &p.inverse_w + scatter + between,
            max_relative = 1e-11
        );
    }
}

#[test]
fn posterior_in_pieces() {
    let mut rng = rng(105);
    for d in 1..=3 {
        let prior = Parameters::random(d, &mut rng).library();
        let x = some_points(9, d, &mut rng);
        let (a, b) = (x.rows(0, 4).into_owned(), x.rows(4, 5).into_owned());
        let at_once = prior.posterior(&moments(&x)).unwrap();
        let mut both = moments(&b);
        both.merge(&moments(&a)).unwrap();
        let in_turn =
            prior.posterior(&moments(&b)).unwrap().posterior(&moments(&a)).unwrap();
        for other in [in_turn, prior.posterior(&both).unwrap()] {
            assert_relative_eq!(other.beta(), at_once.beta(), max_relative = 1e-14);
            assert_relative_eq!(*other.m(), *at_once.m(), epsilon = 1e-13);
            assert_relative_eq!(
                *other.wishart().inverse_w(),
                *at_once.wishart().inverse_w(),
                max_relative = 1e-12
            );
            assert_relative_eq!(
                other.wishart().nu(),
                at_once.wishart().nu(),
                max_relative = 1e-14
            );
        }
    }
}

/// The formula is the library's; it is the constant that prior times likelihood has
/// over the posterior density; it is the integral, by quadrature in one dimension; and
/// it is what an independent implementation found for the notebook's data.
#[test]
fn gaussian_evidence() {
    let mut rng = rng(106);
    for d in 1..=4 {
        let p = Parameters::random(d, &mut rng);
        let x = some_points(6, d, &mut rng);
        let ours = p.library().log_evidence(&moments(&x)).unwrap();
        let posterior = p.library().posterior(&moments(&x)).unwrap();
        let q = Parameters {
            m: posterior.m().clone(),
            beta: posterior.beta(),
            inverse_w: posterior.wishart().inverse_w().clone(),
            nu: posterior.wishart().nu(),
        };
        let (mu, lambda) = (noise(d, &mut rng), random_covariance(d, &mut rng));
        let ratio = plain_log_prior(&p, &mu, &lambda)
            + plain_log_likelihood(&x, &mu, &lambda)
            - plain_log_prior(&q, &mu, &lambda);
        assert_relative_eq!(ours, ratio, max_relative = 1e-10);

        let (n, d_) = (6.0, d as f64);
        let gammas = |nu: f64| -> f64 {
            (1..=d).map(|i| ln_gamma(0.5 * (nu + 1.0 - i as f64))).sum()
        };
        let formula = -0.5 * n * d_ * std::f64::consts::PI.ln()
            + 0.5 * d_ * (p.beta / q.beta).ln()
            + 0.5 * p.nu * p.inverse_w.determinant().ln()
            - 0.5 * q.nu * q.inverse_w.determinant().ln()
            + gammas(q.nu)
            - gammas(p.nu);
        assert_relative_eq!(ours, formula, max_relative = 1e-11);
    }

    let p =
        Parameters { m: dvector![0.4], beta: 0.8, inverse_w: dmatrix![1.3], nu: 2.6 };
    let x = dmatrix![0.3; 1.9; 1.1; -0.4];
    let mass = integral(
        |u| {
            let lambda = dmatrix![f64::exp(u)];
            integral(
                |mu| {
                    let mu = dvector![mu];
                    (plain_log_prior(&p, &mu, &lambda)
                        + plain_log_likelihood(&x, &mu, &lambda)
                        + u)
                        .exp()
                },
                -60.0,
                60.0,
                3000,
            )
        },
        -16.0,
        5.0,
        160,
    );
    assert_relative_eq!(
        p.library().log_evidence(&moments(&x)).unwrap(),
        mass.ln(),
        epsilon = 1e-9
    );

    let reference: serde_json::Value =
        serde_json::from_str(include_str!("../../data/notebook_reference.json"))
            .unwrap();
    let prior = GaussianWishart::new(
        dvector![1.0, 1.0],
        1.5,
        Wishart::new(2.0, DMatrix::identity(2, 2)).unwrap(),
    );
    let ours = prior.unwrap().log_evidence(&moments(&data::notebook())).unwrap();
    let theirs = reference["one_gaussian"]["log_evidence"].as_f64().unwrap();
    assert_relative_eq!(theirs, -4163.677965161234);
    assert_relative_eq!(ours, theirs, max_relative = 1e-12);
}

/// By quadrature over λ in one dimension, and in three as the mean over draws of the
/// precision.
#[test]
fn wishart_average() {
    let (m, c, inverse_w, nu) = (dvector![0.4], 1.7, dmatrix![1.3], 2.6);
    for at in [-3.0, 0.4, 1.0, 8.0] {
        let x = dvector![at];
        let mass = integral(
            |u| {
                let lambda = f64::exp(u);
                plain_density(&x, &m, &dmatrix![c / lambda])
                    * (plain_log_wishart(&dmatrix![lambda], &inverse_w, nu) + u).exp()
            },
            -40.0,
            6.0,
            1000,
        );
        let formula = plain_log_student(&x, &m, &(&inverse_w * (c / nu)), nu);
        assert_relative_eq!(mass.ln(), formula, epsilon = 1e-10);
    }

    let mut rng = rng(107);
    let w = random_covariance(3, &mut rng);
    let (nu, m) = (6, noise(3, &mut rng));
    let x = noise(3, &mut rng);
    let densities: Vec<f64> = (0..40_000)
        .map(|_| {
            let sigma = draw_wishart(&w, nu, &mut rng).try_inverse().unwrap();
            plain_density(&x, &m, &(sigma * c))
        })
        .collect();
    let degrees = nu as f64 + 1.0 - 3.0;
    let v = w.try_inverse().unwrap() * (c / degrees);
    assert_mean(&densities, plain_log_student(&x, &m, &v, degrees).exp());
}

/// The library's predictive density is the evidence with one more point, divided by
/// the evidence without it; and it has the numbers of the result.
#[test]
fn gaussian_predictive() {
    let mut rng = rng(108);
    for d in 1..=4 {
        let p = Parameters::random(d, &mut rng);
        let x = some_points(7, d, &mut rng);
        let seen = moments(&x.rows(0, 6).into_owned());
        let prior = p.library();
        let posterior = prior.posterior(&seen).unwrap();
        let next = x.rows(6, 1);
        let ours = posterior.predictive().log_density(next).unwrap()[0];
        let gain = prior.log_evidence(&moments(&x)).unwrap()
            - prior.log_evidence(&seen).unwrap();
        assert_relative_eq!(ours, gain, max_relative = 1e-9);
        let degrees = posterior.wishart().nu() + 1.0 - d as f64;
        let v = posterior.wishart().inverse_w()
            * ((posterior.beta() + 1.0) / (posterior.beta() * degrees));
        let formula =
            plain_log_student(&x.row(6).transpose(), posterior.m(), &v, degrees);
        assert_relative_eq!(ours, formula, max_relative = 1e-10);
    }
}

/// λ integrated out of the joint density by quadrature, and the covariance by draws.
#[test]
fn mean_marginal() {
    let p =
        Parameters { m: dvector![0.4], beta: 0.8, inverse_w: dmatrix![1.3], nu: 2.6 };
    for at in [-3.0, 0.0, 0.4, 5.0] {
        let mu = dvector![at];
        let mass = integral(
            |u| (plain_log_prior(&p, &mu, &dmatrix![f64::exp(u)]) + u).exp(),
            -40.0,
            6.0,
            1000,
        );
        let v = &p.inverse_w / (p.beta * p.nu);
        let formula = plain_log_student(&mu, &p.m, &v, p.nu);
        assert_relative_eq!(mass.ln(), formula, epsilon = 1e-10);
    }

    let mut rng = rng(109);
    let w = dmatrix![0.5, 0.2; 0.2, 0.3];
    let inverse_w = w.clone().try_inverse().unwrap();
    let (nu, beta) = (9.0, 2.5);
    let joint =
        GaussianWishart::new(dvector![1.0, -1.0], beta, Wishart::new(nu, w).unwrap())
            .unwrap();
    let degrees = nu - 1.0;
    let covariance = inverse_w / (beta * degrees) * (degrees / (degrees - 2.0));
    let draws: Vec<_> =
        (0..40_000).map(|_| joint.sample(&mut rng).unwrap().0).collect();
    for (i, j) in [(0, 0), (0, 1), (1, 1)] {
        let products: Vec<f64> = draws
            .iter()
            .map(|mu| (mu[i] - joint.m()[i]) * (mu[j] - joint.m()[j]))
            .collect();
        assert_mean(&products, covariance[(i, j)]);
    }
}

/// One point at a time, with plain Student-t densities and the update of one point
/// written out, in two orders.
#[test]
fn evidence_chain() {
    let mut rng = rng(110);
    for d in 1..=3 {
        let p = Parameters::random(d, &mut rng);
        let x = some_points(8, d, &mut rng);
        let expected = p.library().log_evidence(&moments(&x)).unwrap();
        let mut order = points(&x);
        for _ in 0..2 {
            let (mut m, mut beta) = (p.m.clone(), p.beta);
            let (mut inverse_w, mut nu) = (p.inverse_w.clone(), p.nu);
            let mut total = 0.0;
            for x in &order {
                let degrees = nu + 1.0 - d as f64;
                let v = &inverse_w * ((beta + 1.0) / (beta * degrees));
                total += plain_log_student(x, &m, &v, degrees);
                let gap = x - &m;
                inverse_w += &gap * gap.transpose() * (beta / (beta + 1.0));
                m += gap / (beta + 1.0);
                beta += 1.0;
                nu += 1.0;
            }
            assert_relative_eq!(total, expected, max_relative = 1e-10);
            order.reverse();
        }
    }
}

/// The density integrated over the plane in rings, and points drawn.
#[test]
fn student_ellipse_mass() {
    for (nu, mass) in [(1.5, 0.5), (4.0, 0.9), (30.0, 0.99)] {
        let student = StudentT::new(nu, dvector![0.0, 0.0], DMatrix::identity(2, 2));
        let density = |r: f64| {
            student.as_ref().unwrap().log_density(&dmatrix![r, 0.0]).unwrap()[0].exp()
        };
        let r_squared: f64 = nu * (f64::powf(1.0 - mass, -2.0 / nu) - 1.0);
        // In u = ln r; towards the centre the rings die out as r² does.
        let inside = |u: f64| {
            let r = u.exp();
            std::f64::consts::TAU * r * r * density(r)
        };
        let (from, to, steps) = (-14.0, 0.5 * r_squared.ln(), 4000);
        let ends = 0.5 * (inside(from) + inside(to)) * (to - from) / steps as f64;
        assert_relative_eq!(
            integral(inside, from, to, steps) - ends,
            mass,
            epsilon = 1e-5
        );
    }
    let (scale, nu) = (dmatrix![1.5, 0.4; 0.4, 0.5], 5.0);
    let student = StudentT::new(nu, dvector![1.0, 2.0], scale.clone()).unwrap();
    let inverse = scale.try_inverse().unwrap();
    let r_squared = 3.0;
    let inside: Vec<f64> = points(&student.sample(40_000, &mut rng(111)))
        .iter()
        .map(|x| {
            let gap = x - dvector![1.0, 2.0];
            f64::from(u8::from(gap.dot(&(&inverse * &gap)) <= r_squared))
        })
        .collect();
    assert_mean(&inside, 1.0 - (1.0 + r_squared / nu).powf(-0.5 * nu));
}

fn default_prior(x: &DMatrix<f64>) -> GaussianWishart {
    Prior::from_data(x).unwrap().gaussian_wishart().unwrap()
}

#[test]
fn affine_equivariance() {
    let mut rng = rng(112);
    let x = some_points(12, 3, &mut rng);
    let a = random_covariance(3, &mut rng)
        * dmatrix![2.0, 1.0, 0.0; 0.0, -3.0, 0.5; 0.3, 0.0, 0.1];
    let b = noise(3, &mut rng) * 5.0;
    let mut y = &x * a.transpose();
    for mut row in y.row_iter_mut() {
        row += b.transpose();
    }
    let (prior, fit) = (default_prior(&x), Gaussian::fit(&x).unwrap());
    assert_relative_eq!(*prior.m(), *fit.mean(), max_relative = 1e-12);
    assert_relative_eq!(
        *prior.wishart().inverse_w(),
        *fit.covariance(),
        max_relative = 1e-10
    );
    assert_eq!((prior.beta(), prior.wishart().nu()), (1.0, 5.0));
    let before = prior.posterior(&moments(&x)).unwrap();
    let after = default_prior(&y).posterior(&moments(&y)).unwrap();
    assert_relative_eq!(*after.m(), &a * before.m() + b, epsilon = 1e-11);
    assert_relative_eq!(
        *after.wishart().inverse_w(),
        &a * before.wishart().inverse_w() * a.transpose(),
        max_relative = 1e-9
    );
    let evidence =
        |x: &DMatrix<f64>| default_prior(x).log_evidence(&moments(x)).unwrap();
    assert_relative_eq!(
        evidence(&y),
        evidence(&x) - 12.0 * a.determinant().abs().ln(),
        max_relative = 1e-10
    );
}
