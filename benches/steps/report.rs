//! What was measured, as `benches/recorded` keeps it: by which command, on what, when, and then
//! values and sections.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Sections for the page to show, and values for its text.
#[derive(Default)]
pub struct Report {
    values: String,
    sections: String,
}

impl Report {
    pub fn section(&mut self, name: &str, heading: &str) {
        let gap = if self.sections.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.sections, "{gap}# {name}\n{heading}");
    }

    pub fn line(&mut self, line: String) {
        let _ = writeln!(self.sections, "{}", line.trim_end());
    }

    pub fn value(&mut self, key: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.values, "{key} = {value}");
    }

    pub fn text(&self, command: &str) -> String {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        format!(
            "command = {command}\n\
             machine = {}, {}, {cores} cores\n\
             date = {}\n{}\n{}",
            processor(),
            instructions(),
            date(),
            self.values,
            self.sections
        )
    }
}

/// Two significant digits, as far as they stand before or just behind the point.
pub fn two_digits(value: f64) -> String {
    match value {
        v if v < 9.95 => format!("{v:.1}"),
        v if v < 99.5 => format!("{v:.0}"),
        v => format!("{:.0}", (v / 10.0).round() * 10.0),
    }
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name =
        line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or(std::env::consts::ARCH).to_string()
}

/// Which kind of vectors the kernel has chosen.
fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")
        {
            return "AVX-512";
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return "AVX2";
        }
    }
    "no wide vectors"
}

/// Today, as year-month-day (Hinnant, "chrono-compatible low-level date algorithms").
fn date() -> String {
    let since =
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let days = since.as_secs() / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153; // months since March
    let day = day - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + 400 * era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}
