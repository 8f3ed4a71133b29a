//! Gaussian mixtures, fitted by EM and by variational Bayes: the library that the book *Mixtures*
//! builds, chapter by chapter, and that draws its figures.
//!
//! # A first fit
//!
//! Rows are points: `x` is an N×D matrix, or a view of one. A fit climbs the log likelihood until
//! it gains less than the tolerance, and returns the mixture with the trace of the climb.
//!
//! ```
//! use mixtures::{Em, data};
//!
//! let x = data::faithful(); // 272 eruptions of a geyser: duration and waiting time, in minutes
//! let fit = Em::new(2).restarts(10).seed(7).fit(&x)?;
//!
//! assert!(fit.converged);
//! let long = (0..2).max_by(|&a, &b| fit.mixture.means()[(a, 0)].total_cmp(&fit.mixture.means()[(b, 0)]));
//! let long = long.expect("there are two");
//! assert!((fit.mixture.weights()[long] - 0.644).abs() < 1e-3);
//! assert_eq!(fit.mixture.predict(&x)?[0], long); // 3.6 minutes, then 79 of waiting
//! println!("{:.3}", fit.mixture);
//! # Ok::<(), mixtures::Error>(())
//! ```
//!
//! # With uncertainty
//!
//! [`Vb`] fits by variational Bayes: not one mixture but a [`Posterior`] over mixtures. Components
//! that the data do not need stay empty, none collapses onto a point, and the fit comes with a lower bound of
//! the log evidence, exact to the constant, by which different K and different priors compare.
//!
//! ```
//! use mixtures::{Prior, Vb, data, math};
//!
//! let x = data::faithful();
//! let prior = Prior { beta0: 0.1, ..Prior::from_data(&x)? };
//! let fit = Vb::new(6).prior(prior).restarts(10).seed(7).fit(&x)?;
//! println!("{:.3}", fit.posterior.expected_mixture());
//!
//! let predictive = fit.posterior.predictive(); // all parameters integrated out: Student-t tails
//! let surprise = -predictive.log_density(&x)?;
//! let credible = fit.posterior.credible(0.95, 1000, &mut math::rng(1))?;
//! assert!(fit.elbo() < 0.0 && surprise.len() == 272 && credible.level == 0.95);
//! # Ok::<(), mixtures::Error>(())
//! ```
//!
//! # Shapes, and how many
//!
//! Covariances have one of four shapes ([`Covariance`]): full, tied (one for all), diagonal or
//! spherical. [`choose`] compares numbers of components and shapes in a table: AIC, BIC, ICL and, if
//! asked, the likelihood of rows held out and the bound.
//!
//! ```
//! use mixtures::{Covariance, Criterion, choose, data};
//!
//! let shapes = [Covariance::Full, Covariance::Tied];
//! let choices = choose(1..=3, &shapes).fit(&data::faithful())?;
//! println!("{choices}");
//! let best = choices.best(Criterion::Bic).expect("not all of them collapsed");
//! assert_eq!((best.components, best.covariance), (3, Covariance::Tied));
//! # Ok::<(), mixtures::Error>(())
//! ```
//!
//! # What it promises
//!
//! - **The objective never falls**, log likelihood or bound, each with every constant: nothing is
//!   added to a covariance behind your back. If a
//!   component collapses onto too few points, or rounding gets the better of the data, the fit
//!   stops with an [`Error`] that says which, where, and what to do. (On request,
//!   [`OnCollapse::Reseed`], a collapsed component is put elsewhere; the fit says where the
//!   likelihood fell for it.)
//! - **Digits are kept**: moments are taken about fixed centres, so that an offset common to all
//!   the data costs nothing ([`Moments`]).
//! - **The same bits** for any number of threads, and for the same seed.
//! - **No input panics**: NaN, no rows, more components than points, a constant column are errors.
//!   (One thing cannot be caught: nalgebra itself panics when a view that steps over rows is turned
//!   into a `DMatrixView`; copy it with `into_owned` first.)
//!
//! Totals are natural logarithms summed over the points, never means.
//!
//! # Which chapter built what
//!
//! | chapter | module |
//! | --- | --- |
//! | 1 One Gaussian | [`distribution`], [`math::Cholesky`] |
//! | 2 Statistics that merge | [`stats`], [`math::Sum`] |
//! | 3 Mixtures and hidden labels | [`mixture`], [`math::log_sum_exp`], [`data`] |
//! | 4 Responsibilities and the updates | [`inference`]: [`e_step`], [`Summary`], [`Em`] |
//! | 5 Why EM climbs | [`inference`]: the fitting loop behind [`Em`] |
//! | 6 Where to start | [`inference`]: [`Start`], [`Em::restarts`] |
//! | 7 When the likelihood misleads | [`inference`]: [`Em::prior`], [`Prior::for_components`], [`OnCollapse`] |
//! | 8 Shapes of covariance | [`mixture`]: [`Covariance`] |
//! | 9 How many components? | [`inference`]: [`choose`], [`Choices`], [`Em::cross_validate`], [`HeldOut`]; [`GaussianMixture::kl_bounds`] |
//! | 10 Bayes for one Gaussian | [`distribution`]: [`GaussianWishart`], [`Wishart`], [`StudentT`] |
//! | 11 The evidence lower bound | (the idea behind [`Vb`]; nothing of its own) |
//! | 12 Variational Bayes for the mixture | [`inference`]: [`Prior`], [`Vb`], [`Posterior`]; [`Dirichlet`] |
//! | 13 The bound, term by term | [`inference`]: [`ElboTerms`], [`Posterior::elbo`] |
//! | 14 Predicting | [`mixture`]: [`StudentTMixture`], [`Posterior::predictive`] |
//! | 15 How far off is variational Bayes? | [`inference`]: [`Gibbs`], [`Posterior::credible`] |
//! | 16 Letting Bayes choose K | [`Posterior::counts`], [`Posterior::log_relabellings`] |
//! | 17 The Dirichlet process | [`Concentration`]; [`distribution`]: [`StickBreaking`], [`Weights`] |
//! | every figure | [`plot`] |
//!
//! Modules import downwards only: `error`, `finite`, [`math`], [`stats`], the kernel (private), [`data`],
//! [`distribution`], [`mixture`], [`inference`]; [`plot`] stands beside them and knows none. (Of them only [`Choices::chart`] draws.)
//! The crates whose types appear in signatures are re-exported: [`nalgebra`], [`rand`],
//! [`rand_distr`], and [`plotters`].

#![warn(missing_docs)]

mod error;
mod finite;
mod kernel;

pub mod data;
pub mod distribution;
pub mod inference;
pub mod math;
pub mod mixture;
pub mod plot;
pub mod stats;

pub use distribution::{
    Dirichlet, Gaussian, GaussianWishart, StickBreaking, StudentT, Weights, Wishart,
};
pub use error::{Error, Result};
pub use inference::{
    Acceleration, Choice, Choices, Choose, Concentration, Credible, Criterion,
    ElboTerms, Em, EmFit, Extrapolation, Fitted, Gibbs, HeldOut, Interval,
    OnCollapse, Posterior, Prior, Reseeded, Start, Summary, Vb, VbFit, choose,
    e_step,
};
pub use mixture::{Covariance, GaussianMixture, StudentTMixture};
pub use stats::Moments;

pub use {nalgebra, plotters, rand, rand_distr};
