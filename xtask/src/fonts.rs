//! The library must draw without the system's fonts.

use crate::project::Project;
use anyhow::{Result, bail};

/// plotters measures text with the system's fonts as soon as any crate turns its `ttf` on; from
/// then on figures differ from machine to machine.
const SYSTEM_FONTS: [&str; 3] = ["ttf-parser", "ab_glyph", "font-kit"];

pub fn check(project: &Project) -> Result<String> {
    for name in SYSTEM_FONTS {
        if let Some(line) = in_tree(project, name)? {
            bail!(
                "`cargo tree --edges features --package mixtures` shows {line}: turn off the feature \
                 that brings it (`--invert {name}` says whose), or figures depend on the machine's fonts"
            );
        }
    }
    Ok(format!("none of {} in its tree", SYSTEM_FONTS.join(", ")))
}

/// The line of a package in the library's tree, its tests and examples included: they are built
/// with one set of features.
pub fn in_tree(project: &Project, name: &str) -> Result<Option<String>> {
    let output = project
        .cargo()
        .args(["tree", "--package", "mixtures", "--prefix", "none"])
        .args(["--edges", "normal,build,dev,features"])
        .output()?;
    if !output.status.success() {
        bail!(
            "cargo tree failed: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    let tree = String::from_utf8(output.stdout)?;
    let of_package = |line: &&str| line.split(' ').next() == Some(name);
    Ok(tree.lines().find(of_package).map(str::to_owned))
}
