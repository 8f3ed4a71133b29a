//! Where the project stands on this disk, and how its commands are started.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace: every path the tasks use hangs off its root.
#[derive(Clone, Debug)]
pub struct Project {
    pub root: PathBuf,
}

impl Project {
    /// `cargo run` tells a program its package's folder at run time, so a moved or copied checkout
    /// is found where it is now, not where it was compiled. Started bare, cargo is asked.
    pub fn locate() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = match package.as_deref().and_then(Path::parent) {
            Some(parent) if parent.join("book.toml").is_file() => {
                parent.to_path_buf()
            }
            _ => located_by_cargo()?,
        };
        if !root.join("book.toml").is_file() {
            bail!(
                "{}: no book.toml here; run `cargo xtask` inside the checkout",
                root.display()
            );
        }
        Ok(Self { root })
    }

    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn examples(&self) -> PathBuf {
        self.root.join("examples")
    }

    pub fn sources(&self) -> PathBuf {
        self.root.join("book")
    }

    /// The rendered book.
    pub fn site(&self) -> PathBuf {
        self.root.join("target/book")
    }

    /// Hard links to the crates that the book's listings are compiled against.
    pub fn listing_crates(&self) -> PathBuf {
        self.root.join("target/book-test")
    }

    pub fn screens(&self) -> PathBuf {
        self.root.join("target/screens")
    }

    /// A cargo command in the workspace, by the same cargo that started this program.
    pub fn cargo(&self) -> Command {
        let mut command =
            Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.current_dir(&self.root);
        forget_this_package(&mut command);
        command
    }

    /// `path` as a person in the workspace's folder would write it.
    pub fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// Removes what `cargo run` says about *this* package: a child that reads it would be misled.
pub fn forget_this_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name.as_ref());
        }
    }
}

fn located_by_cargo() -> Result<PathBuf> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["locate-project", "--workspace", "--message-format", "plain"])
        .output()
        .context("cannot start `cargo locate-project`")?;
    if !output.status.success() {
        bail!(
            "not inside the checkout: `cargo locate-project --workspace` found no workspace"
        );
    }
    let manifest = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let root = manifest.parent().context("a manifest has a folder")?;
    Ok(root.to_path_buf())
}
