//! What is written to a file, or flattened for another engine, comes back bit for bit: mixtures,
//! posteriors, moments and options of every shape.

mod common;

use approx::assert_relative_eq;
use common::shapes::*;
use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, dmatrix, dvector};
use mixtures::{
    Concentration, Covariance, Em, EmFit, GaussianMixture, Moments, Posterior,
    Result, Start, StudentT, StudentTMixture, Summary, Vb, VbFit, Wishart, data,
    e_step,
};

const PROCESS: Concentration = Concentration::DirichletProcess { alpha: 1.0 };

fn fits() -> Result<Vec<(EmFit, VbFit)>> {
    let x = data::iris();
    let mut fits = Vec::new();
    for shape in SHAPES {
        for kind in [Concentration::Dirichlet, PROCESS] {
            let em = Em::new(3).covariance(shape).seed(2);
            let vb = Vb::new(4).covariance(shape).concentration(kind).seed(2);
            fits.push((em.fit(&x)?, vb.fit(&x)?));
        }
    }
    Ok(fits)
}

/// Written, read and written again: the same bytes; and the same distribution.
fn round_trip<T>(value: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(value).unwrap();
    let back: T = serde_json::from_str(&text).unwrap();
    assert_eq!(&back, value);
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

#[test]
fn files_keep_every_bit() -> Result<()> {
    let x = data::iris();
    for (em, vb) in fits()? {
        round_trip(&em);
        round_trip(&vb);
        round_trip(&em.mixture);
        round_trip(&vb.posterior);
        round_trip(&vb.posterior.predictive());
        round_trip(&e_step(&em.mixture, &x, None)?);
        let text = serde_json::to_string(&vb.posterior).unwrap();
        let back: Posterior = serde_json::from_str(&text).unwrap();
        assert_eq!(back.elbo(&x)?, vb.posterior.elbo(&x)?);
        let text = serde_json::to_string(&vb.posterior.predictive()).unwrap();
        let back: StudentTMixture = serde_json::from_str(&text).unwrap();
        assert_eq!(back.log_density(&x)?, vb.posterior.predictive().log_density(&x)?);
    }
    for q in [
        Wishart::diagonal(3.0, dvector![1.0, 0.3])?,
        Wishart::spherical(0.7, 3, 0.1)?,
        Wishart::diagonal(3.0, dvector![0.1])?,
        Wishart::spherical(3.0, 1, 0.1)?,
        Wishart::from_inverse(3.0, dmatrix![0.1])?,
    ] {
        round_trip(&q);
    }
    for shape in SHAPES {
        round_trip(&Em::new(3).covariance(shape));
        let start = random_mixture(shape, &x, 2, &mut rng(1));
        round_trip(&Vb::new(2).covariance(shape).start(Start::Given(start)));
    }
    round_trip(&Start::Responsibilities(dmatrix![0.1, 0.9; 1.0, 0.0]));
    Ok(())
}

/// A file that contradicts itself is refused.
#[test]
fn files_are_checked() -> Result<()> {
    let (_, vb) = &fits()?[4]; // diagonal
    let text = serde_json::to_string(&vb.posterior).unwrap();
    for (from, to) in [
        ("\"covariance\":\"Diagonal\"", "\"covariance\":\"Spherical\""),
        ("\"covariance\":\"Diagonal\"", "\"covariance\":\"Full\""),
        ("\"structure\":\"Diagonal\"", "\"structure\":\"Spherical\""),
        ("\"structure\":\"Diagonal\"", "\"structure\":\"Dense\""),
        (
            "\"concentration\":\"Dirichlet\"",
            "\"concentration\":{\"DirichletProcess\":{\"alpha\":1.0}}",
        ),
    ] {
        let broken = text.replace(from, to);
        assert_ne!(broken, text, "{from}");
        assert!(serde_json::from_str::<Posterior>(&broken).is_err(), "{to}");
    }
    let (em, _) = &fits()?[2]; // tied
    let mut parts: serde_json::Value = serde_json::to_value(&em.mixture).unwrap();
    parts["covariances"][1][0][0] = serde_json::json!(0.5);
    assert!(serde_json::from_value::<GaussianMixture>(parts).is_err());
    let t = StudentT::independent(5.0, dvector![1.0, 2.0], dvector![1.5, 0.2])?;
    let joint = StudentT::new(5.0, dvector![1.0, 2.0], dmatrix![1.5, 0.0; 0.0, 0.2])?;
    assert_ne!(t, joint);
    let text = serde_json::to_string(&joint).unwrap().replace("false", "true");
    assert!(serde_json::from_str::<StudentT>(&text).is_err());
    Ok(())
}

#[test]
fn diagonal_moments_are_the_diagonal_of_all_moments() -> Result<()> {
    let x = data::iris().add_scalar(1e6);
    for d in [1, 2, 4] {
        let x = x.columns(0, d).into_owned();
        let all = Moments::of(&x)?;
        let mut diagonal = Moments::diagonal_about(x.row(0).transpose());
        let mut second = Moments::diagonal_about(x.row(99).transpose());
        for n in 0..150 {
            let part = if n < 80 { &mut diagonal } else { &mut second };
            part.push(x.row(n), 1.0)?;
        }
        diagonal.merge(&second)?;
        assert_eq!(diagonal.count(), 150.0);
        assert_relative_eq!(
            diagonal.mean().unwrap(),
            all.mean().unwrap(),
            max_relative = 1e-15
        );
        let expected = DMatrix::from_diagonal(&all.scatter().diagonal());
        assert_relative_eq!(diagonal.scatter(), expected, max_relative = 1e-12);
        let again = Moments::unflatten(&diagonal.flatten())?;
        assert_eq!(again, diagonal);
        assert_eq!(again.flatten(), diagonal.flatten());
        round_trip(&diagonal);
        // All products into the diagonal: yes. The other way: no, but in one dimension.
        let mut whole = all.clone();
        assert_eq!(whole.merge(&diagonal).is_ok(), d == 1);
        let before = diagonal.scatter();
        diagonal.merge(&all)?;
        assert_relative_eq!(diagonal.scatter(), before * 2.0, max_relative = 1e-12);
        assert!(d == 1 || diagonal.flatten().len() == 3 + 4 * d);
    }
    Ok(())
}

/// An E-step's summary of any shape flattens and comes back; blocks merge to the whole.
#[test]
fn summaries_of_every_shape_flatten_and_merge() -> Result<()> {
    let x = data::iris();
    for shape in SHAPES {
        let mixture = random_mixture(shape, &x, 3, &mut rng(660));
        let whole = e_step(&mixture, &x, None)?;
        assert_eq!(Summary::unflatten(&whole.flatten())?, whole);
        let mut parts = e_step(&mixture, &x.rows(0, 61), None)?;
        parts.merge(&e_step(&mixture, &x.rows(61, 89), None)?)?;
        for (a, b) in parts.components().iter().zip(whole.components()) {
            assert_relative_eq!(a.scatter(), b.scatter(), epsilon = 1e-11);
            let diagonal =
                matches!(shape, Covariance::Diagonal | Covariance::Spherical);
            assert_eq!(a.scatter()[(0, 1)] == 0.0, diagonal);
        }
    }
    Ok(())
}
