//! What is wrong with the book, where, and what to do about it.

use std::fmt;

/// One fault. Its display is the line that an author reads: `file:line: cause — cure`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Relative to the root of the book, with forward slashes.
    pub file: String,
    /// Counted from 1; 0 when the file as a whole is at fault.
    pub line: usize,
    pub cause: String,
    pub cure: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {} — {}", self.cause, self.cure)
    }
}

/// All faults found so far: a build reports every one of them, not the first.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(
        &mut self,
        file: impl Into<String>,
        line: usize,
        cause: impl Into<String>,
        cure: impl Into<String>,
    ) {
        let fault =
            Fault { file: file.into(), line, cause: cause.into(), cure: cure.into() };
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    /// Fails with every fault, in the order of files and lines, unless there is none.
    pub fn into_result(mut self) -> anyhow::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort();
        let count = match self.0.len() {
            1 => "1 fault".to_string(),
            n => format!("{n} faults"),
        };
        let lines: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        anyhow::bail!("{count} in the book\n{}", lines.join("\n"))
    }
}
