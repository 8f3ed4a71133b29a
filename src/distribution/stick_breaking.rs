use nalgebra::DVector;
use rand::distr::Distribution;
use serde::{Deserialize, Serialize};

use super::dirichlet::{check_weights, undecided};
use crate::finite::check_positive;
use crate::math::{digamma, ln_gamma, ln_gamma_bend};
use crate::{Error, Result};

/// Weights π broken off a stick of length 1, one after the other: component k takes the fraction
/// vₖ of what the ones before it left, πₖ = vₖ Πⱼ₍ⱼ₌₁..ₖ₋₁₎ (1 − vⱼ), the vₖ independent
/// Beta(aₖ, bₖ) for k < K; the last takes all that is left, v_K = 1 (Ishwaran & James 2001).
///
/// With aₖ = 1 and bₖ = α it is the Dirichlet process with concentration α, truncated at K
/// (Sethuraman 1994; Blei & Jordan 2006). The order of the components matters.
///
/// ```
/// use mixtures::{StickBreaking, nalgebra::dvector};
///
/// let process = StickBreaking::process(2.0, 4)?; // α = 2, truncated at 4
/// let mean = process.mean();
/// assert!((mean[0] - 1.0 / 3.0).abs() < 1e-15 && (mean[1] - 2.0 / 9.0).abs() < 1e-15);
/// assert!((mean.sum() - 1.0).abs() < 1e-15);
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct StickBreaking {
    a: DVector<f64>,
    b: DVector<f64>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    a: DVector<f64>,
    b: DVector<f64>,
}

impl StickBreaking {
    /// Of K components: from the K − 1 parameters a and b of the fractions.
    ///
    /// # Errors
    /// If their numbers differ, or one is not positive and finite.
    pub fn new(a: DVector<f64>, b: DVector<f64>) -> Result<Self> {
        if a.len() != b.len() {
            let expected = format!("of length {}, as a is", a.len());
            let found = format!("of length {}", b.len());
            return Err(Error::shape("the vector b", expected, found));
        }
        for (k, (&a, &b)) in a.iter().zip(&b).enumerate() {
            check_positive(a, &format!("a of stick {k}"))?;
            check_positive(b, &format!("b of stick {k}"))?;
        }
        Ok(StickBreaking { a, b })
    }

    /// The Dirichlet process with this concentration, truncated at K = `components`.
    ///
    /// # Errors
    /// If K = 0, or `alpha` is not positive and finite.
    pub fn process(alpha: f64, components: usize) -> Result<Self> {
        let Some(sticks) = components.checked_sub(1) else {
            let reason = "at least one component is needed";
            return Err(Error::option("components", 0, reason));
        };
        check_positive(alpha, "the concentration alpha")?;
        StickBreaking::new(
            DVector::from_element(sticks, 1.0),
            DVector::from_element(sticks, alpha),
        )
    }

    /// a, length K − 1.
    pub fn a(&self) -> &DVector<f64> {
        &self.a
    }

    /// b, length K − 1.
    pub fn b(&self) -> &DVector<f64> {
        &self.b
    }

    /// K.
    pub fn component_count(&self) -> usize {
        self.a.len() + 1
    }

    /// What is known after `counts` points of each component (length K): aₖ + Nₖ, and bₖ + all
    /// points of the components after k (Blei & Jordan 2006, 18 and 19).
    ///
    /// # Errors
    /// If there are not K counts, or one makes a parameter infinite or negative.
    // ANCHOR: sticks
    pub fn posterior(&self, counts: &DVector<f64>) -> Result<Self> {
        let k = self.component_count();
        if counts.len() != k {
            let expected = format!("of length {k}, one a component");
            let found = format!("of length {}", counts.len());
            return Err(Error::shape("the vector of counts", expected, found));
        }
        let later = |k: usize| counts.rows_range(k + 1..).sum();
        let sticks = self.a.len();
        StickBreaking::new(
            &self.a + counts.rows(0, sticks),
            &self.b + DVector::from_fn(sticks, |k, _| later(k)),
        )
    }
    // ANCHOR_END: sticks

    /// E π, length K.
    pub fn mean(&self) -> DVector<f64> {
        let mut left = 1.0;
        let mut mean = DVector::zeros(self.component_count());
        for (k, (a, b)) in self.a.iter().zip(&self.b).enumerate() {
            mean[k] = left * (a / (a + b));
            left *= b / (a + b);
        }
        mean[self.a.len()] = left;
        mean
    }

    /// E ln πₖ = ψ(aₖ) − ψ(aₖ + bₖ) + Σⱼ₍ⱼ₌₁..ₖ₋₁₎ [ψ(bⱼ) − ψ(aⱼ + bⱼ)], length K; the last has no
    /// first two terms.
    // ANCHOR: expected_log
    pub fn expected_log(&self) -> DVector<f64> {
        let mut left = 0.0; // E ln of what is left of the stick
        let mut expected = DVector::zeros(self.component_count());
        for (k, (a, b)) in self.a.iter().zip(&self.b).enumerate() {
            let whole = digamma(a + b);
            expected[k] = left + digamma(*a) - whole;
            left += digamma(*b) - whole;
        }
        expected[self.a.len()] = left;
        expected
    }
    // ANCHOR_END: expected_log

    /// ln p(π), natural log, with respect to the first K − 1 weights: the densities of the fractions
    /// vₖ = πₖ/(πₖ + … + π_K), each over what was left. At the edge of the simplex it may be infinite.
    ///
    /// # Errors
    /// If `weights` has another length, a negative entry, or another sum than 1 (to 1e-9); or if
    /// it lies where the edges of density 0 and of infinite density meet.
    pub fn log_density(&self, weights: &DVector<f64>) -> Result<f64> {
        let k = self.component_count();
        if weights.len() != k {
            let (expected, found) = (format!("of length {k}"), weights.len());
            let found = format!("of length {found}");
            return Err(Error::shape("the vector of weights", expected, found));
        }
        check_weights(weights)?;
        let power =
            |x: f64, base: f64| if x == 1.0 { 0.0 } else { (x - 1.0) * base.ln() };
        let (mut later, mut sum) = (weights[k - 1], 0.0);
        for j in (0..k - 1).rev() {
            let (a, b, left) = (self.a[j], self.b[j], weights[j] + later);
            sum += power(a, weights[j] / left) + power(b, later / left);
            sum -= ln_beta(a, b) + left.ln();
            later = left;
        }
        if sum.is_nan() {
            return Err(undecided());
        }
        Ok(sum)
    }

    /// E_q ln p(π), where q is `self` and p is `prior`, of equal K.
    pub(crate) fn expected_log_density(&self, prior: &StickBreaking) -> f64 {
        let pairs = self.a.iter().zip(&self.b).zip(prior.a.iter().zip(&prior.b));
        let (mut left, mut sum) = (0.0, 0.0);
        for ((a, b), (a0, b0)) in pairs {
            let whole = digamma(a + b);
            let (of_v, of_rest) = (digamma(*a) - whole, digamma(*b) - whole);
            sum +=
                (a0 - 1.0) * of_v + (b0 - 1.0) * of_rest - ln_beta(*a0, *b0) - left;
            left += of_rest;
        }
        sum
    }

    /// The differential entropy −E ln p(π).
    pub fn entropy(&self) -> f64 {
        -self.expected_log_density(self)
    }

    /// KL(self ‖ other).
    ///
    /// # Errors
    /// If `other` has another number of components.
    pub fn kl(&self, other: &StickBreaking) -> Result<f64> {
        if self.a.len() != other.a.len() {
            let expected = format!("of {} components", self.component_count());
            let found = format!("of {}", other.component_count());
            return Err(Error::shape("the other weights", expected, found));
        }
        Ok(self.kl_terms(other).iter().sum())
    }

    /// The terms of KL(self ‖ other), which are of equal K: the scale of its rounding.
    pub(crate) fn kl_terms(&self, other: &StickBreaking) -> Vec<f64> {
        let pairs = self.a.iter().zip(&self.b).zip(other.a.iter().zip(&other.b));
        pairs
            .flat_map(|((a, b), (a0, b0))| {
                [
                    ln_gamma_bend(a + b, a0 + b0),
                    -ln_gamma_bend(*a, *a0),
                    -ln_gamma_bend(*b, *b0),
                ]
            })
            .collect()
    }

    /// One draw of π, length K.
    pub fn sample<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> DVector<f64> {
        let mut left = 1.0;
        let mut weights = DVector::zeros(self.component_count());
        for (k, (&a, &b)) in self.a.iter().zip(&self.b).enumerate() {
            let v = rand_distr::Beta::new(a, b).expect("a and b are positive");
            let v = v.sample(rng);
            weights[k] = left * v;
            left *= 1.0 - v;
        }
        weights[self.a.len()] = left;
        // Products round; a sum of 1 is what makes them weights.
        &weights / weights.sum()
    }

    /// The order of the components in which points with these `counts` (length K) are most
    /// probable under the Dirichlet process with concentration `alpha`, truncated at K: by falling
    /// counts, but for the last, which takes what the truncation leaves and may be a large one.
    ///
    /// With the order p(z) = Πₖ α Γ(1 + Nₖ) Γ(α + N₍ₖ₊₁₎ + … )/Γ(1 + α + Nₖ + …). Exchanging two
    /// neighbours multiplies it by (α + Nₖ₊₁ + rest)/(α + Nₖ + rest) unless one is the last.
    // ANCHOR: order
    pub(crate) fn best_order(counts: &DVector<f64>, alpha: f64) -> Vec<usize> {
        let mut falling: Vec<usize> = (0..counts.len()).collect();
        falling.sort_by(|&i, &j| counts[j].total_cmp(&counts[i]));
        let with_last = |last: usize| {
            let mut order = falling.clone();
            order.retain(|&k| k != last);
            order.push(last);
            order
        };
        let mut best = falling.clone();
        let mut highest = log_label_probability(&best, counts, alpha);
        for &last in falling.iter().rev().skip(1) {
            let order = with_last(last);
            let probability = log_label_probability(&order, counts, alpha);
            if probability > highest {
                (best, highest) = (order, probability);
            }
        }
        best
    }
    // ANCHOR_END: order
}

/// ln p(z) but for a constant, if the components stand in this order.
// ANCHOR: label_probability
fn log_label_probability(order: &[usize], counts: &DVector<f64>, alpha: f64) -> f64 {
    let mut left = counts.sum();
    let sticks = order[..order.len() - 1].iter().map(|&k| {
        left -= counts[k];
        ln_beta(1.0 + counts[k], alpha + left.max(0.0))
    });
    sticks.sum()
}
// ANCHOR_END: label_probability

/// ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b).
fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

impl TryFrom<Parts> for StickBreaking {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        StickBreaking::new(parts.a, parts.b)
    }
}

impl From<StickBreaking> for Parts {
    fn from(it: StickBreaking) -> Self {
        Parts { a: it.a, b: it.b }
    }
}
