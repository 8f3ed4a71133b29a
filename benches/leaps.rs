//! `cargo bench --bench leaps`: how long plain and leaping fits take to a fixed log likelihood, on the
//! sets of chapter 21. With `-- --record` the result is written to `benches/recorded/leaps.txt`,
//! which the chapter shows.

use std::hint::black_box;
use std::time::Instant;

use mixtures::{Acceleration, Em, Result};
use report::Report;

#[allow(dead_code)]
#[path = "../examples/ch21_converging_faster.rs"]
mod leaps;
#[allow(dead_code)]
#[path = "steps/report.rs"]
mod report;

/// Both kinds of fit are run in turn, so often; the fastest run of each counts.
const ROUNDS: usize = 25;

fn main() -> Result<()> {
    let record = std::env::args().any(|argument| argument == "--record");
    let mut report = Report::default();
    report.section(
        "Time to a fixed height",
        "                         E-steps          milliseconds\n\
         \x20                    plain leaping     plain  leaping    gain",
    );
    for set in leaps::sets()? {
        let fits = leaps::both(&set.em, &set.x)?;
        let end = *fits[0].trace.last().expect("an E-step");
        let height = 1e-9 * set.x.nrows() as f64;
        let e_steps = fits.map(|fit| leaps::needed(&fit.trace, end, height));
        let to_height = |acceleration, e_steps| -> Em {
            let em = set.em.clone().acceleration(acceleration).tolerance(0.0);
            em.max_iterations(e_steps)
        };
        let fits = [
            to_height(Acceleration::None, e_steps[0]),
            to_height(Acceleration::Squarem, e_steps[1]),
        ];
        let mut best = [f64::INFINITY; 2];
        for _ in 0..ROUNDS {
            for (best, em) in best.iter_mut().zip(&fits) {
                let begin = Instant::now();
                black_box(em.fit(&set.x)?);
                *best = best.min(1e3 * begin.elapsed().as_secs_f64());
            }
        }
        let gain = best[0] / best[1];
        report.line(format!(
            "{:20} {:6} {:7} {:9.2} {:8.2}  ×{gain:6.1}",
            set.name, e_steps[0], e_steps[1], best[0], best[1]
        ));
    }
    let text = report.text("cargo bench --bench leaps -- --record");
    print!("{text}");
    if record {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/recorded/leaps.txt");
        std::fs::write(path, text).expect("benches/recorded can be written");
        println!("written to {path}");
    }
    Ok(())
}
