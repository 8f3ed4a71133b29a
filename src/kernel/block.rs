use nalgebra::{DMatrix, DMatrixView, DVector};
use rayon::prelude::*;

use crate::math::{Cholesky, Structured};
use crate::{Error, Result};

use super::Points;

/// Rows to a block: enough to keep the processor's vector units busy, few enough to stay in cache.
pub(crate) const BLOCK: usize = 256;

/// How many blocks make up work enough to hand to another thread: some tenths of a
/// millisecond, where handing over takes some hundredths.
pub(crate) fn grain(scores: &[Score]) -> usize {
    let of_point = |score: &Score| {
        let d = score.mean.len();
        8 + if score.whitener.is_diagonal() { d } else { d * d }
    };
    let work = BLOCK * scores.iter().map(of_point).sum::<usize>();
    ((1 << 18) / work).max(1)
}

/// How fast a density falls far from its centre.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tails {
    Gaussian,
    /// Student-t with ν degrees of freedom, in the distance ‖y‖.
    Joint(f64),
    /// Student-t with ν degrees of freedom, in each coordinate of y by itself.
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

/// A block of at most [`BLOCK`] rows, and what the scores make of them. Every array is by columns
/// of length `rows`, so that each inner loop runs down contiguous memory.
pub(crate) struct Block {
    pub start: usize,
    pub rows: usize,
    /// x − origin: D columns.
    pub x: Vec<f64>,
    /// For each component the residuals A (x − m): K·D columns.
    pub residuals: Vec<f64>,
    /// Responsibilities, K columns (before [`Block::normalise`], the scores).
    pub responsibilities: Vec<f64>,
    /// ln Σₖ exp scoreₖ for each row.
    pub log_density: Vec<f64>,
    /// One column of working space.
    scratch: Vec<f64>,
}

impl Block {
    /// Loads rows `start..` and evaluates everything.
    pub fn new(scores: &[Score], points: &Points, start: usize) -> Self {
        let rows = BLOCK.min(points.len() - start);
        let (d, k) = (points.dimension(), scores.len());
        let mut block = Block {
            start,
            rows,
            x: Vec::with_capacity(rows * d),
            residuals: vec![0.0; rows * d * k],
            responsibilities: vec![0.0; rows * k],
            log_density: vec![0.0; rows],
            scratch: vec![0.0; rows],
        };
        for (column, origin) in points.x.column_iter().zip(&points.origin) {
            let values = &column.as_slice()[start..start + rows];
            block.x.extend(values.iter().map(|x| x - origin));
        }
        for (k, score) in scores.iter().enumerate() {
            block.evaluate(k, score);
        }
        block.normalise();
        block
    }

    fn evaluate(&mut self, k: usize, score: &Score) {
        let (rows, d) = (self.rows, score.mean.len());
        let residuals = &mut self.residuals[k * d * rows..(k + 1) * d * rows];
        let difference = &mut self.scratch;
        for j in 0..d {
            for (v, x) in difference.iter_mut().zip(&self.x[j * rows..(j + 1) * rows])
            {
                *v = x - score.mean[j];
            }
            let column = |i: usize| match &score.whitener {
                Structured::Dense(a) => a[(i, j)],
                Structured::Diagonal { diagonal, .. } => diagonal[j],
            };
            let last = if score.whitener.is_diagonal() { j + 1 } else { d };
            for i in j..last {
                let a = column(i);
                let y = &mut residuals[i * rows..(i + 1) * rows];
                y.iter_mut().zip(difference.iter()).for_each(|(y, v)| *y += a * v);
            }
        }
        let values = &mut self.responsibilities[k * rows..(k + 1) * rows];
        let distances = residuals.chunks_exact(rows);
        match score.tails {
            Tails::Each(nu) => distances.for_each(|y| {
                values.iter_mut().zip(y).for_each(|(s, y)| *s += (y * y / nu).ln_1p())
            }),
            _ => distances.for_each(|y| {
                values.iter_mut().zip(y).for_each(|(s, y)| *s += y * y)
            }),
        }
        let fall = |s: f64| match score.tails {
            Tails::Gaussian => 0.5 * s,
            Tails::Joint(nu) => 0.5 * (nu + d as f64) * (s / nu).ln_1p(),
            Tails::Each(nu) => 0.5 * (nu + 1.0) * s,
        };
        values.iter_mut().for_each(|s| *s = score.offset - fall(*s));
    }

    /// Log-sum-exp along each row, and the scores into responsibilities. A row whose scores are
    /// all −∞ has log density −∞ and no responsibilities: callers check the log density.
    fn normalise(&mut self) {
        let rows = self.rows;
        let largest = &mut self.scratch;
        largest.fill(f64::MIN); // finite, so that −∞ − largest is −∞
        for scores in self.responsibilities.chunks_exact(rows) {
            largest
                .iter_mut()
                .zip(scores)
                .for_each(|(m, s)| *m = if s > m { *s } else { *m });
        }
        for scores in self.responsibilities.chunks_exact_mut(rows) {
            for ((s, m), sum) in
                scores.iter_mut().zip(largest.iter()).zip(&mut self.log_density)
            {
                *s = (*s - m).exp();
                *sum += *s;
            }
        }
        for scores in self.responsibilities.chunks_exact_mut(rows) {
            scores.iter_mut().zip(&self.log_density).for_each(|(r, sum)| *r /= sum);
        }
        for (sum, m) in self.log_density.iter_mut().zip(largest.iter()) {
            *sum = m + sum.ln();
        }
    }

    /// Multiplies each row's responsibilities by the row's weight. A row of weight zero counts
    /// for nothing even where its log density is −∞.
    pub fn weigh(&mut self, points: &Points) {
        let Some(weights) = &points.weights else { return };
        let weights = &weights.as_slice()[self.start..self.start + self.rows];
        for shares in self.responsibilities.chunks_exact_mut(self.rows) {
            for (r, w) in shares.iter_mut().zip(weights) {
                *r = if *w == 0.0 { 0.0 } else { *r * w };
            }
        }
        for (l, w) in self.log_density.iter_mut().zip(weights) {
            *l = if *w == 0.0 { 0.0 } else { *l };
        }
    }

    /// The responsibilities of component k, one a row.
    pub fn responsibility(&self, k: usize) -> &[f64] {
        &self.responsibilities[k * self.rows..(k + 1) * self.rows]
    }

    /// The first row that no component reaches.
    pub fn check_reach(&self) -> Result<()> {
        match self.log_density.iter().position(|l| !l.is_finite()) {
            Some(n) => Err(Error::OutOfReach { row: self.start + n }),
            None => Ok(()),
        }
    }
}

/// What `read` makes of each block, in order.
pub(crate) fn map_blocks<T: Send>(
    scores: &[Score],
    x: DMatrixView<'_, f64>,
    read: impl Fn(Block) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let points = Points::new(x, None)?;
    let d = scores[0].mean.len();
    points.expect_dimension(d)?;
    let points = points.about(DVector::zeros(d));
    (0..points.len().div_ceil(BLOCK))
        .into_par_iter()
        .with_min_len(grain(scores))
        .map(|b| read(Block::new(scores, &points, b * BLOCK)))
        .collect::<Vec<_>>() // in order, so that the first fault is always the same one
        .into_iter()
        .collect()
}

/// ln Σₖ exp scoreₖ(xₙ) for every row of `x`.
pub(crate) fn log_densities(
    scores: &[Score],
    x: DMatrixView<'_, f64>,
) -> Result<DVector<f64>> {
    let blocks = map_blocks(scores, x, |block| Ok(block.log_density))?;
    Ok(DVector::from_vec(blocks.concat()))
}

/// r, N×K: each row's share of exp score. Rows sum to 1.
pub(crate) fn responsibilities(
    scores: &[Score],
    x: DMatrixView<'_, f64>,
) -> Result<DMatrix<f64>> {
    let blocks = map_blocks(scores, x, |block| {
        block.check_reach()?;
        let r = DMatrix::from_vec(block.rows, scores.len(), block.responsibilities);
        Ok((block.start, r))
    })?;
    let mut r = DMatrix::zeros(x.nrows(), scores.len());
    for (start, block) in blocks {
        r.rows_mut(start, block.nrows()).copy_from(&block);
    }
    Ok(r)
}

/// The column of the largest entry of each row; the first of equals.
pub(crate) fn most_probable(r: &DMatrix<f64>) -> Vec<usize> {
    r.row_iter()
        .map(|row| {
            (1..row.len())
                .fold(0, |best, k| if row[k] > row[best] { k } else { best })
        })
        .collect()
}
