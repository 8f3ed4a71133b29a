//! Statistics that merge: the weighted count, mean and scatter of a set of points,
//! kept so that the parts of the set can be visited in any order and on any machine.

use nalgebra::{DMatrix, DMatrixView, DVector, Dyn, MatrixView, U1};
use serde::{Deserialize, Serialize};

use crate::finite::{check_finite, check_flat, is_usable};
use crate::math::{Structured, Sum};
use crate::{Error, Result};

/// One point: a row of an N×D matrix, as `x.row(n)` gives it.
pub type Row<'a> = MatrixView<'a, f64, U1, Dyn, U1, Dyn>;

/// The sums that a Gaussian needs of weighted points x₁ … x_N in D dimensions, about
/// a fixed centre c:
///
/// | | | |
/// | --- | --- | --- |
/// | W | Σ wₙ | count |
/// | s | Σ wₙ (xₙ − c) | D |
/// | T | Σ wₙ (xₙ − c)(xₙ − c)ᵀ | D×D, symmetric |
///
/// The centre is a nearby point (the first row, say, or a current mean) and never
/// moves, so that no step subtracts large numbers that nearly agree: at an offset of
/// 10⁸ nothing is lost. Two sets about the same centre merge by adding; others
/// through the difference of their centres. W and s are kept in [`Sum`]s, so that the
/// order of the points does not show in the mean.
///
/// ```
/// use mixtures::{Moments, nalgebra::dmatrix};
///
/// let x = dmatrix![1.0, 10.0; 3.0, 30.0; 5.0, 20.0];
/// let (mut a, mut b) = (Moments::of(&x.rows(0, 1))?, Moments::of(&x.rows(1, 2))?);
/// a.merge(&b)?;
/// assert_eq!(a.count(), 3.0);
/// assert_eq!(a.mean().unwrap().as_slice(), [3.0, 20.0]);
/// assert_eq!(a.scatter(), dmatrix![8.0, 20.0; 20.0, 200.0]);
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Moments {
    count: Sum,
    centre: DVector<f64>,
    sum: Vec<Sum>,
    /// Only the lower triangle is kept up; [`Moments::scatter`] mirrors it.
    scatter: Structured,
}

impl Moments {
    /// No points yet, to be measured from `centre` (length D).
    // ANCHOR: about
    pub fn about(centre: DVector<f64>) -> Self {
        let d = centre.len();
        Moments {
            count: Sum::default(),
            centre,
            sum: vec![Sum::default(); d],
            scatter: DMatrix::zeros(d, d).into(),
        }
    }
    // ANCHOR_END: about

    /// The same of each coordinate by itself: of T only the diagonal is kept, so that a point
    /// costs D operations and not D², and [`Moments::scatter`] is diagonal.
    pub fn diagonal_about(centre: DVector<f64>) -> Self {
        let zeros = DVector::zeros(centre.len());
        Moments::from_parts(0.0, centre, &zeros, zeros.clone().into())
    }

    /// All rows of `x` (N×D) with weight 1, about the first of them.
    ///
    /// # Errors
    /// If `x` has no rows or no columns, or holds a number that is not finite.
    pub fn of<'a>(x: impl Into<DMatrixView<'a, f64>>) -> Result<Self> {
        let x = x.into();
        check_finite(&x, "x")?;
        let mut moments = Moments::about(x.row(0).transpose());
        for n in 0..x.nrows() {
            moments.push(x.row(n), 1.0)?;
        }
        Ok(moments)
    }

    /// Adds the point `x` (1×D) with weight `w`.
    ///
    /// # Errors
    /// If `x` has another dimension, if it or `w` is not finite, or if `w` is
    /// negative.
    // ANCHOR: push
    pub fn push(&mut self, x: Row<'_>, w: f64) -> Result<()> {
        self.check_dimension(x.len(), "the point")?;
        check_weight(w)?;
        let residual = x.transpose() - &self.centre;
        if let Some(column) = residual.iter().position(|v| !is_usable(*v)) {
            return Err(Error::NotFinite {
                what: "the point".to_string(),
                row: 0,
                column,
                value: format!("{:e}", x[column]),
            });
        }
        self.count += w;
        for (sum, r) in self.sum.iter_mut().zip(residual.iter()) {
            *sum += w * r;
        }
        self.scatter.add_lower(w, &residual, &residual); // T + w r rᵀ
        Ok(())
    }
    // ANCHOR_END: push

    /// Adds all that `other` has seen.
    ///
    /// # Errors
    /// If `other` has another dimension, or only the diagonal of T where `self` has all of it.
    // ANCHOR: merge
    pub fn merge(&mut self, other: &Moments) -> Result<()> {
        self.check_dimension(other.centre.len(), "the other moments")?;
        if other.scatter.is_diagonal() && !self.scatter.is_diagonal() {
            let expected =
                "with all products, as these are (merge the other way round)";
            return Err(Error::shape("the other moments", expected, "diagonal"));
        }
        let other = other.recentred(&self.centre);
        self.count += other.count;
        for (mine, theirs) in self.sum.iter_mut().zip(&other.sum) {
            *mine += *theirs;
        }
        let mine = self.scatter.clone();
        self.scatter = if mine.is_diagonal() {
            mine.plus(&other.scatter.diagonal().into())
        } else {
            mine.plus(&other.scatter)
        };
        Ok(())
    }

    /// The same points measured from another centre: with δ = c − c′ (old minus new),
    /// s′ = s + W δ and T′ = T + s δᵀ + δ sᵀ + W δ δᵀ.
    fn recentred(&self, centre: &DVector<f64>) -> Moments {
        let mut moved = self.clone();
        let shift = &self.centre - centre;
        if shift.iter().all(|v| *v == 0.0) {
            return moved;
        }
        let (w, s) = (self.count.value(), self.sum());
        moved.scatter.add_lower(1.0, &s, &shift);
        moved.scatter.add_lower(1.0, &shift, &s);
        moved.scatter.add_lower(w, &shift, &shift);
        for (sum, delta) in moved.sum.iter_mut().zip(shift.iter()) {
            *sum += w * delta;
        }
        moved.centre.copy_from(centre);
        moved
    }
    // ANCHOR_END: merge

    /// Multiplies every weight so far by `factor`: with a factor below 1 the past is
    /// forgotten at that rate, and the mean stays where it is.
    ///
    /// # Errors
    /// If `factor` is negative or not finite.
    pub fn scale(&mut self, factor: f64) -> Result<()> {
        check_weight(factor)?;
        self.count *= factor;
        self.sum.iter_mut().for_each(|s| *s *= factor);
        self.scatter = self.scatter.scaled(factor);
        Ok(())
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.centre.len()
    }

    /// W = Σ wₙ, "how many" points there are.
    pub fn count(&self) -> f64 {
        self.count.value()
    }

    /// c, from which the sums are measured (length D).
    pub fn centre(&self) -> &DVector<f64> {
        &self.centre
    }

    /// s = Σ wₙ (xₙ − c), length D.
    pub fn sum(&self) -> DVector<f64> {
        DVector::from_iterator(self.sum.len(), self.sum.iter().map(|s| s.value()))
    }

    /// The weighted mean, c + s/W (length D); none for no weight.
    // ANCHOR: read
    pub fn mean(&self) -> Option<DVector<f64>> {
        let shifts = self.sum.iter().map(|s| s.divided_by(self.count));
        let means = shifts.zip(&self.centre).map(|(mut shift, c)| {
            shift += *c;
            shift.value()
        });
        (self.count() > 0.0).then(|| DVector::from_iterator(self.dimension(), means))
    }

    /// The scatter about the mean, Σ wₙ (xₙ − x̄)(xₙ − x̄)ᵀ = T − s sᵀ/W (D×D); zero
    /// for no weight.
    pub fn scatter(&self) -> DMatrix<f64> {
        self.structured_scatter().dense().clone()
    }

    /// The maximum likelihood covariance, scatter over count (D×D, divisor W); none
    /// for no weight.
    pub fn covariance(&self) -> Option<DMatrix<f64>> {
        (self.count() > 0.0).then(|| self.scatter() / self.count())
    }
    // ANCHOR_END: read

    /// x̄ − `origin` (length D), to all digits even where both are large; none for no weight.
    pub(crate) fn mean_from(&self, origin: &DVector<f64>) -> Option<DVector<f64>> {
        let shifts = self.sum.iter().map(|s| s.divided_by(self.count));
        let ends = self.centre.iter().zip(origin);
        let differences = shifts.zip(ends).map(|(mut shift, (c, o))| {
            shift += *c;
            shift += -o;
            shift.value()
        });
        (self.count() > 0.0)
            .then(|| DVector::from_iterator(self.dimension(), differences))
    }

    /// [`Moments::scatter`], kept as its diagonal where only that is known.
    pub(crate) fn structured_scatter(&self) -> Structured {
        let mut scatter = self.scatter.clone();
        if let Some(shift) = self.mean_shift() {
            scatter.add_lower(-1.0, &shift, &self.sum());
        }
        scatter.mirrored()
    }

    /// x̄ − c, for corrections that need it to working precision only.
    fn mean_shift(&self) -> Option<DVector<f64>> {
        (self.count() > 0.0).then(|| self.sum() / self.count())
    }

    /// From sums about `centre` that were gathered elsewhere; of a dense T only the lower
    /// triangle is read.
    pub(crate) fn from_parts(
        count: f64,
        centre: DVector<f64>,
        sum: &DVector<f64>,
        scatter: Structured,
    ) -> Self {
        let mut scatter = kept(scatter);
        if let Structured::Dense(m) = &mut scatter {
            m.fill_upper_triangle(0.0, 1);
        }
        Moments {
            count: Sum::from(count),
            centre,
            sum: sum.iter().map(|&s| Sum::from(s)).collect(),
            scatter,
        }
    }

    /// How many numbers [`Moments::flatten`] writes for dimension D, if all of T is kept. (If only
    /// its diagonal is, they are 3 + 4D; in one dimension, that is the same.)
    pub fn flat_len(d: usize) -> usize {
        3 + 3 * d + d * (d + 1) / 2
    }

    /// The state as plain numbers, for a file, a message or a database column: D,
    /// then W in two parts, c, s in two parts each, and T's lower triangle by
    /// columns (or its diagonal). Nothing is lost: [`Moments::unflatten`] gives back the same bits.
    pub fn flatten(&self) -> Vec<f64> {
        let d = self.dimension();
        let products = match &self.scatter {
            Structured::Dense(_) => d * (d + 1) / 2,
            Structured::Diagonal { .. } => d,
        };
        let mut flat = Vec::with_capacity(3 + 3 * d + products);
        flat.extend([d as f64, self.count.high, self.count.low]);
        flat.extend(self.centre.iter());
        flat.extend(self.sum.iter().flat_map(|s| [s.high, s.low]));
        match &self.scatter {
            Structured::Dense(t) => {
                flat.extend((0..d).flat_map(|j| (j..d).map(move |i| t[(i, j)])));
            }
            Structured::Diagonal { diagonal, .. } => flat.extend(diagonal),
        }
        flat
    }

    /// Reads back what [`Moments::flatten`] wrote.
    ///
    /// # Errors
    /// If the length does not fit the dimension in the first place, or a number is
    /// not finite.
    pub fn unflatten(flat: &[f64]) -> Result<Self> {
        let d = flat.first().map_or(0, |&d| d as usize);
        if d == 0
            || flat[0] != d as f64
            || d > flat.len()
            || ![Self::flat_len(d), 3 + 4 * d].contains(&flat.len())
        {
            return Err(Error::shape(
                "the flattened moments",
                "3 + 3D + D(D+1)/2 numbers (or 3 + 4D), D ≥ 1 the first of them",
                format!("{} numbers", flat.len()),
            ));
        }
        check_flat(flat, "the flattened moments")?;
        let (centre, rest) = flat[3..].split_at(d);
        let (sums, mut lower) = rest.split_at(2 * d);
        let count = Sum { high: flat[1], low: flat[2] };
        check_weight(count.value())?;
        let pairs = sums.chunks_exact(2);
        let sum = pairs.map(|parts| Sum { high: parts[0], low: parts[1] }).collect();
        let centre = DVector::from_column_slice(centre);
        if d > 1 && lower.len() == d {
            let scatter = DVector::from_column_slice(lower).into();
            return Ok(Moments { count, centre, sum, scatter });
        }
        let mut scatter = DMatrix::zeros(d, d);
        for j in 0..d {
            let (column, rest) = lower.split_at(d - j);
            scatter.view_mut((j, j), (d - j, 1)).copy_from_slice(column);
            lower = rest;
        }
        Ok(Moments { count, centre, sum, scatter: scatter.into() })
    }

    fn check_dimension(&self, found: usize, what: &str) -> Result<()> {
        let d = self.dimension();
        if found == d {
            return Ok(());
        }
        Err(Error::shape(
            what,
            format!("of dimension {d}"),
            format!("of dimension {found}"),
        ))
    }
}

impl TryFrom<Vec<f64>> for Moments {
    type Error = Error;

    fn try_from(flat: Vec<f64>) -> Result<Self> {
        Moments::unflatten(&flat)
    }
}

impl From<Moments> for Vec<f64> {
    fn from(moments: Moments) -> Self {
        moments.flatten()
    }
}

/// In one dimension the diagonal is all there is, and is kept as a matrix.
fn kept(scatter: Structured) -> Structured {
    match scatter.dimension() {
        1 => scatter.dense().clone().into(),
        _ => scatter,
    }
}

fn check_weight(w: f64) -> Result<()> {
    if w.is_finite() && w >= 0.0 {
        return Ok(());
    }
    Err(Error::Weights {
        what: "a weight".to_string(),
        reason: format!("is {w}, but must be finite and not negative"),
    })
}
