use approx::assert_relative_eq;
use mixtures::math::ln_gamma;
use mixtures::{Prior, Result, Start, Vb, data};
use serde_json::Value;

use crate::common::scikit_learn::{equal_parts, number, recorded};

/// The same posterior; and a bound without the constants that depend on K, N and the prior:
/// ln C(α₀), (KD/2) ln β₀, K ln B(W₀, ν₀), −(ND/2) ln 2π and (KD(D−1)/4) ln π.
#[test]
fn missing_constants() -> Result<()> {
    let x = data::faithful();
    let prior = Prior { alpha0: 1.0, beta0: 0.1, nu0: 4.0, ..Prior::from_data(&x)? };
    let ln_pi = std::f64::consts::PI.ln();
    for theirs in recorded()["vb"].as_array().unwrap() {
        let k = theirs["k"].as_u64().unwrap() as usize;
        let vb = Vb::new(k)
            .prior(prior.clone())
            .start(Start::Responsibilities(equal_parts(&x, k)))
            .tolerance(0.0);
        let q = vb.clone().max_iterations(1000).fit(&x)?.posterior;
        // It evaluates the bound after the update, with the responsibilities from before it.
        let r = vb.max_iterations(999).fit(&x)?.posterior.responsibilities(&x)?;
        for i in 0..k {
            let same = |ours: f64, theirs: &Value| {
                assert_relative_eq!(ours, number(theirs), max_relative = 1e-9);
            };
            same(q.alpha()[i], &theirs["alpha"][i]);
            same(q.nu()[i], &theirs["nu"][i]);
            same(q.means()[(i, 0)], &theirs["means"][i][0]);
            same(q.means()[(i, 1)], &theirs["means"][i][1]);
        }
        let (n, d, kf) = (x.nrows() as f64, 2.0, k as f64);
        let of_weights = ln_gamma(kf * prior.alpha0) - kf * ln_gamma(prior.alpha0);
        let wishart = prior.gaussian_wishart()?.wishart().log_normaliser();
        let dropped = of_weights + 0.5 * kf * d * prior.beta0.ln() + kf * wishart
            - 0.5 * n * d * (2.0 * std::f64::consts::PI).ln()
            + 0.25 * kf * d * (d - 1.0) * ln_pi;
        let bound = number(&theirs["bound"]);
        assert_relative_eq!(
            q.elbo_with(&x, &r)?,
            bound + dropped,
            max_relative = 1e-9
        );
    }
    Ok(())
}
