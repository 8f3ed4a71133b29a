//! The tasks that `cargo xtask` offers, put together from the other modules.

use crate::examples::{self, Built};
use crate::fonts;
use crate::generated::{Change, Generated};
use crate::listings;
use crate::project::Project;
use crate::site::{self, Site};
use crate::steps::{Done, Steps, mark, report};
use crate::watch;
use anyhow::{Result, bail};
use std::process::Command;
use std::time::Duration;

/// Regenerates what the examples write, builds the book and runs the gates.
pub fn book(project: &Project, open: bool) -> Result<()> {
    bless(project)?;
    println!("building the book …");
    let site = site::build(project)?;
    println!("{} {}", mark("✓", 32), site_line(&site));
    println!("{}", site.index.display());
    if open {
        open::that_detached(&site.index)?;
    }
    Ok(())
}

/// Makes `book/output` and `book/figures` what the examples write, and says what changed.
pub fn bless(project: &Project) -> Result<()> {
    println!("building the examples …");
    let built = examples::build(project)?;
    println!("running {} examples …", built.programs.len());
    let generated = examples::run(project, &built, &[])?;
    let changes = generated.changes_from(&Generated::committed(project)?);
    generated.write(project, &changes)?;
    for change in &changes {
        println!("  {}", change.made());
    }
    let verdict = match changes.len() {
        0 => format!("{} outputs and figures are current", generated.len()),
        n => format!(
            "{n} of {} outputs and figures rewritten: look at `git diff book`, then commit them",
            generated.len()
        ),
    };
    println!("{} {verdict}", mark("✓", 32));
    Ok(())
}

/// Builds, and builds again after every change, until it is stopped.
pub fn watch(project: &Project) -> Result<()> {
    loop {
        if let Err(error) = book(project, false) {
            println!("{} {}", mark("✗", 31), report(&error));
        }
        println!("\nwaiting for a change …");
        let seen = watch::state(project);
        while watch::state(project) == seen {
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

/// Every test, cheap ones first.
pub fn test(project: &Project) -> Result<()> {
    let mut steps = Steps::new(10);
    steps.check("the library draws without system fonts", || fonts::check(project));
    let built = steps.run("the examples compile", || {
        let built = examples::build(project)?;
        let line = format!("{} examples", built.programs.len());
        Ok((built, line.into()))
    });
    // FMA and AVX2 off is another CPU as far as the C library's `exp` and `ln` go.
    let cpu = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-FMA,-AVX2");
    let (one, three) = (("RAYON_NUM_THREADS", "1"), ("RAYON_NUM_THREADS", "3"));
    steps.check("generated content is current", || {
        current(project, built.as_ref(), &[])
    });
    steps.check("the same on a CPU without FMA and AVX2, one thread", || {
        current(project, built.as_ref(), &[cpu, one])
    });
    steps.check("the same on three threads", || {
        current(project, built.as_ref(), &[three])
    });
    let site = steps.run("the book builds and passes the gates", || {
        let site = site::build(project)?;
        let line = site_line(&site);
        Ok((site, line.into()))
    });
    steps.check("the book's listings compile and run", || {
        listings::test(project, needed(built.as_ref())?)
    });
    steps.check("the tests of the machinery", || cargo_test(project, "xtask"));
    steps.check("the tests of the library, equations and solutions", || {
        cargo_test(project, "mixtures")
    });
    steps.check("the book in a browser", || match site {
        Some(_) => browser(project, false),
        None => bail!("not run: the book does not build"),
    });
    steps.verdict("everything passes")
}

/// Builds the examples and tests the listings; `target/book-test` is left for `mdbook test -L`.
pub fn listings(project: &Project) -> Result<()> {
    let built = examples::build(project)?;
    println!("{} {}", mark("✓", 32), listings::test(project, &built)?);
    Ok(())
}

/// Opens the built book in headless Chromium.
pub fn browser(project: &Project, screens: bool) -> Result<Done> {
    if !project.site().join("index.html").is_file() {
        bail!("target/book holds no book yet; run `cargo xtask book` first");
    }
    let report = project.root.join("target/browser.txt");
    let _ = std::fs::remove_file(&report);
    let mut command = project.cargo();
    command.args(["test", "--package", "xtask", "--test", "browser", "--"]);
    command.args(["--ignored", "--nocapture", "--exact", "the_built_book"]);
    command.env("XTASK_SITE", project.site());
    command.env("XTASK_BROWSER_REPORT", &report);
    if screens {
        command.env("XTASK_SCREENS", project.screens());
    }
    succeed(&mut command, "the browser test")?;
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    Ok(match text.strip_prefix("skipped: ") {
        Some(why) => Done::Skipped(why.to_owned()),
        None if text.is_empty() => bail!("the browser test has no `the_built_book`"),
        None => Done::Passed(text),
    })
}

fn site_line(site: &Site) -> String {
    format!(
        "the book is built: {} pages, {} internal links, no fault",
        site.pages, site.links
    )
}

fn needed(built: Option<&Built>) -> Result<&Built> {
    match built {
        Some(built) => Ok(built),
        None => bail!("not run: the examples do not compile"),
    }
}

fn current(
    project: &Project,
    built: Option<&Built>,
    environment: &[(&str, &str)],
) -> Result<String> {
    let generated = examples::run(project, needed(built)?, environment)?;
    let changes = generated.changes_from(&Generated::committed(project)?);
    if changes.is_empty() {
        return Ok(format!("{} files, byte for byte", generated.len()));
    }
    let list: Vec<_> = changes.iter().map(Change::to_string).collect();
    let cure = if environment.is_empty() {
        "if the change is wanted: `cargo xtask bless`, look at the difference, commit it"
    } else {
        "print fewer digits, or a bound: bits of libm and of sums differ between machines"
    };
    bail!(
        "{} of {} files in book/ are not what the examples write:\n  {}\n{cure}",
        changes.len(),
        generated.len(),
        list.join("\n  ")
    );
}

/// Package by package: together, their features unite and half of both is compiled once more.
fn cargo_test(project: &Project, package: &str) -> Result<String> {
    let figures = tempfile::tempdir()?;
    let mut command = project.cargo();
    // One run is to tell all.
    command.args(["test", "--package", package, "--no-fail-fast"]);
    command.env("MIXTURES_FIGURES", figures.path());
    succeed(&mut command, &format!("cargo test --package {package}"))?;
    Ok(format!("cargo test --package {package}"))
}

fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status()?;
    if !status.success() {
        bail!("{what} failed ({status}); its output is above");
    }
    Ok(())
}
