//! Building and running the examples, whose stdout and figures the book shows.

use crate::generated::Generated;
use crate::project::{Project, forget_this_package};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// What one `cargo build --examples` made.
pub struct Built {
    /// Example name → program, for the examples of a page only.
    pub programs: BTreeMap<String, PathBuf>,
    /// Every library the build used: `.rlib`, and `.so` / `.dylib` / `.dll` for macros.
    pub libraries: Vec<PathBuf>,
}

/// In the profile and with the features of `cargo run --example` and `cargo test`, so that all of
/// them share every crate. (`--workspace` would unite the library's features with this program's.)
pub fn build(project: &Project) -> Result<Built> {
    let output = project
        .cargo()
        .args(["build", "--package", "mixtures", "--examples"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the examples do not compile (cargo's errors are above)");
    }
    let mut built = Built { programs: BTreeMap::new(), libraries: Vec::new() };
    for line in output.stdout.split(|&byte| byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<serde_json::Value>(line) else {
            continue;
        };
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        let target = &message["target"];
        let name = target["name"].as_str().unwrap_or_default();
        let is_example = target["kind"][0] == "example";
        if let (true, Some(program)) = (is_example, message["executable"].as_str()) {
            if page_of(name).is_some() {
                built.programs.insert(name.to_owned(), program.into());
            }
            continue;
        }
        let files = message["filenames"].as_array().into_iter().flatten();
        let libraries = files.filter_map(|file| file.as_str().map(PathBuf::from));
        built.libraries.extend(libraries.filter(|file| {
            let extension = file.extension().and_then(|e| e.to_str());
            matches!(extension, Some("rlib" | "so" | "dylib" | "dll"))
        }));
    }
    one_program_a_page(&built.programs)?;
    Ok(built)
}

/// The name of what an example prints: `chNN` for `chNN_slug`, and an appendix's whole name. None
/// for an example of no page.
pub fn page_of(example: &str) -> Option<&str> {
    if example.starts_with("appendix_") {
        return Some(example);
    }
    let chapter = example.split_once('_')?.0;
    let digits = chapter.strip_prefix("ch")?;
    (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then_some(chapter)
}

fn one_program_a_page(programs: &BTreeMap<String, PathBuf>) -> Result<()> {
    let mut of_page = BTreeMap::new();
    for name in programs.keys() {
        if let Some(first) = of_page.insert(page_of(name), name) {
            bail!(
                "examples/{first}.rs and examples/{name}.rs claim one chapter: \
                 each writes book/output of that number; keep one"
            );
        }
    }
    Ok(())
}

/// Runs every program with `environment` added and collects what they print and draw.
pub fn run(
    project: &Project,
    built: &Built,
    environment: &[(&str, &str)],
) -> Result<Generated> {
    let scratch = tempfile::tempdir()?;
    let queue = Mutex::new(built.programs.iter());
    let results = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers.min(built.programs.len()) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no worker panics").next();
                    let Some((name, program)) = next else { break };
                    let figures = scratch.path().join(name);
                    let result =
                        run_one(project, name, program, &figures, environment);
                    results.lock().expect("no worker panics").push(result);
                }
            });
        }
    });
    let mut all = Generated::default();
    for result in results.into_inner().expect("no worker panics") {
        all.merge(result?)?;
    }
    Ok(all)
}

fn run_one(
    project: &Project,
    name: &str,
    program: &Path,
    figures: &Path,
    environment: &[(&str, &str)],
) -> Result<Generated> {
    std::fs::create_dir(figures)?;
    let mut command = Command::new(program);
    forget_this_package(&mut command);
    let output = command
        .current_dir(&project.root)
        .env("MIXTURES_FIGURES", figures)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .with_context(|| {
            format!("examples/{name}.rs: cannot start {}", program.display())
        })?;
    if !output.status.success() {
        bail!(
            "examples/{name}.rs failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Generated::of_example(name, output.stdout, figures)
}
