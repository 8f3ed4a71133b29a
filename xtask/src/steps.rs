//! A list of steps, each told while it runs and again in the closing verdict.

use anyhow::{Error, Result, bail};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// What a step that did not fail has to say.
pub enum Done {
    Passed(String),
    Skipped(String),
}

impl Done {
    fn signed(&self) -> (String, &str) {
        match self {
            Self::Passed(text) => (mark("✓", 32), text),
            Self::Skipped(text) => (mark("–", 33), text),
        }
    }

    pub fn print(&self) {
        let (sign, text) = self.signed();
        println!("{sign} {text}");
    }
}

impl From<String> for Done {
    fn from(text: String) -> Self {
        Self::Passed(text)
    }
}

pub struct Steps {
    started: Instant,
    finished: Vec<Step>,
    planned: usize,
}

struct Step {
    name: &'static str,
    result: Result<Done, String>,
    took: Duration,
}

impl Steps {
    pub fn new(planned: usize) -> Self {
        Self { started: Instant::now(), finished: Vec::new(), planned }
    }

    /// Runs one step. A failure is kept for the verdict, and the steps after it still run, so that
    /// one run tells all; `None` tells a later step that needs this one's value.
    pub fn run<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<(T, Done)>,
    ) -> Option<T> {
        let number = self.finished.len() + 1;
        println!("\n── {number}/{} {name}", self.planned);
        let started = Instant::now();
        let result = work();
        let took = started.elapsed();
        let (value, result) = match result {
            Ok((value, done)) => (Some(value), Ok(done)),
            Err(error) => {
                println!("{}", report(&error));
                (None, Err(headline(&error)))
            }
        };
        let step = Step { name, result, took };
        println!("{}", step.line());
        let _ = std::io::stdout().flush();
        self.finished.push(step);
        value
    }

    /// A step whose value no other step needs.
    pub fn check<D: Into<Done>>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<D>,
    ) {
        self.run(name, || Ok(((), work()?.into())));
    }

    /// Prints the list and the verdict; an error when any step failed.
    pub fn verdict(self, good: &str) -> Result<()> {
        println!("\n══ {:.1} s in all", self.started.elapsed().as_secs_f64());
        for step in &self.finished {
            println!("{}", step.line());
        }
        let failed = self.finished.iter().filter(|s| s.result.is_err()).count();
        if failed > 0 {
            bail!("FAILED: {failed} of {} steps", self.finished.len());
        }
        println!("{} {good}", mark("✓", 32));
        Ok(())
    }
}

impl Step {
    fn line(&self) -> String {
        let (mark, text) = match &self.result {
            Ok(done) => done.signed(),
            Err(text) => (mark("✗", 31), text.as_str()),
        };
        let took = self.took.as_secs_f64();
        format!("{mark} {}: {text} ({took:.1} s)", self.name)
    }
}

/// A mark in a colour of the terminal's, if it is one.
pub fn mark(sign: &str, colour: u8) -> String {
    if std::io::stdout().is_terminal() {
        format!("\x1b[{colour}m{sign}\x1b[0m")
    } else {
        sign.to_owned()
    }
}

/// An error with its causes, one a line, for people: without a backtrace, whatever is set.
pub fn report(error: &Error) -> String {
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    causes.join("\n  because: ")
}

/// The first line of every cause, on one line.
fn headline(error: &Error) -> String {
    let first = |text: String| {
        text.lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
    };
    let lines: Vec<_> = error.chain().map(|cause| first(cause.to_string())).collect();
    lines.join(": ")
}
