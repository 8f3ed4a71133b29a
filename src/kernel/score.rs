use nalgebra::{DMatrix, DVector};

use crate::math::{Cholesky, Structured};

/// How fast a density falls far from its centre.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tails {
    Gaussian,
    /// Student-t with ν degrees of freedom, in the distance ‖y‖.
    Joint(f64),
    /// Student-t with ν degrees of freedom, in each coordinate of y by itself; A is diagonal.
    Each(f64),
}

/// A component's score, `offset − ½ ‖A (x − m)‖²` as a function of x, with A lower triangular.
///
/// For a Gaussian component it is ln π + ln N(x | μ, Σ), with A = L⁻¹; other learners put other
/// numbers in the same three places. A Student-t component with ν degrees of freedom has
/// `offset − ½ (ν + D) ln(1 + ‖A (x − m)‖²/ν)`, whose limit for ν → ∞ is the Gaussian's; one with
/// independent coordinates y = A (x − m) has `offset − ½ (ν + 1) Σⱼ ln(1 + yⱼ²/ν)`. A diagonal A
/// costs D operations a point where a dense one costs D²/2.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    pub offset: f64,
    /// m, length D.
    pub mean: DVector<f64>,
    /// A, lower triangular, D×D.
    pub whitener: Structured,
    /// A⁻¹, lower triangular, D×D.
    pub unwhitener: Structured,
    pub tails: Tails,
}

impl Score {
    /// With A = scale · L⁻¹.
    pub fn new(
        offset: f64,
        mean: DVector<f64>,
        factor: &Cholesky,
        scale: f64,
    ) -> Self {
        let white = (&factor.inverse_root(), factor.root());
        Score::whitened(offset, mean, white, scale)
    }

    /// The same where L⁻¹ and L are at hand.
    pub fn whitened(
        offset: f64,
        mean: DVector<f64>,
        (whitener, l): (&Structured, &Structured),
        scale: f64,
    ) -> Self {
        Score {
            offset,
            mean,
            whitener: whitener.scaled(scale),
            unwhitener: l.scaled(1.0 / scale),
            tails: Tails::Gaussian,
        }
    }

    /// With m = 0 and A = I: by itself it claims every point as it is.
    pub fn unit(dimension: usize, diagonal: bool) -> Self {
        let ones = DVector::from_element(dimension, 1.0);
        let identity: Structured =
            if diagonal { ones.into() } else { DMatrix::from_diagonal(&ones).into() };
        let mean = DVector::zeros(dimension);
        Score::whitened(0.0, mean, (&identity, &identity), 1.0)
    }

    /// The same with other tails.
    pub fn with_tails(self, tails: Tails) -> Self {
        Score { tails, ..self }
    }

    /// The same with all D² entries of A, for those who need what it makes of them.
    pub fn dense(self) -> Self {
        if !self.whitener.is_diagonal() {
            return self;
        }
        Score {
            whitener: self.whitener.dense().clone().into(),
            unwhitener: self.unwhitener.dense().clone().into(),
            ..self
        }
    }
}
