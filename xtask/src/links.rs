//! The gate on the rendered book: every link lands, nothing is loaded from outside, nothing of the
//! source's syntax is left over. mdBook checks none of this.

use crate::files;
use crate::page::{Link, PageFacts};
use anyhow::{Context, Result};
use percent_encoding::percent_decode_str;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A rendered page and the Markdown it came from, both relative to their folders.
pub struct Page {
    pub html: PathBuf,
    pub source: PathBuf,
}

pub struct Checked {
    pub faults: Vec<Fault>,
    pub pages: usize,
    /// Internal links and loads that were followed.
    pub links: usize,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The Markdown file below the sources, with the line where it can be told.
    source: Option<(PathBuf, Option<usize>)>,
    page: PathBuf,
    pub cause: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some((file, Some(line))) => {
                write!(f, "book/{}:{line}: ", file.display())?
            }
            Some((file, None)) => write!(f, "book/{}: ", file.display())?,
            None => {}
        }
        write!(f, "{} (in {})", self.cause, self.page.display())
    }
}

/// Looks at every file below `site`. `pages` says which Markdown file below `sources` to blame.
pub fn check(site: &Path, sources: &Path, pages: &[Page]) -> Result<Checked> {
    let mut parsed = BTreeMap::new();
    let mut styles = Vec::new();
    for file in files::below(site)? {
        let path = file.strip_prefix(site)?.to_path_buf();
        if path == Path::new("print.html") {
            // mdBook's concatenation of all the others.
            continue;
        }
        match file.extension().and_then(|e| e.to_str()) {
            Some("html") => {
                let text = fs::read_to_string(&file)
                    .with_context(|| format!("{}: cannot read", file.display()))?;
                parsed.insert(path, PageFacts::of(&text));
            }
            Some("css") => styles.push((path, fs::read_to_string(&file)?)),
            _ => {}
        }
    }
    let mut gate = Gate {
        site,
        parsed: &parsed,
        blame: Blame { sources, pages },
        faults: BTreeSet::new(),
        links: 0,
    };
    for (path, facts) in &parsed {
        for link in &facts.links {
            gate.follow(path, &facts.base, link);
        }
        for fault in &facts.faults {
            gate.fault(path, &fault.needle, fault.cause.clone());
        }
    }
    for (path, text) in &styles {
        for address in crate::page::css_addresses(text) {
            gate.follow(path, "", &Link::load("url()", address));
        }
    }
    Ok(Checked {
        pages: parsed.len(),
        links: gate.links,
        faults: gate.faults.into_iter().collect(),
    })
}

struct Gate<'a> {
    site: &'a Path,
    parsed: &'a BTreeMap<PathBuf, PageFacts>,
    blame: Blame<'a>,
    faults: BTreeSet<Fault>,
    links: usize,
}

impl Gate<'_> {
    fn follow(&mut self, page: &Path, base: &str, link: &Link) {
        let address = link.address.trim();
        let scheme = scheme_of(address);
        if address.starts_with("//")
            || matches!(scheme, Some("http" | "https" | "ws" | "wss"))
        {
            if link.loads {
                let cause = format!(
                    "<{}> loads {address} from outside; ship the file with the book",
                    link.element
                );
                self.fault(page, address, cause);
            }
            return;
        }
        match scheme {
            Some("file") => {
                let cause = format!(
                    "{address} names a file of this machine; link relatively"
                );
                return self.fault(page, address, cause);
            }
            Some(_) => return,
            None => {}
        }
        self.links += 1;
        if let Err(cause) = self.resolve(page, base, address) {
            self.fault(page, address, cause);
        }
    }

    fn resolve(&self, page: &Path, base: &str, address: &str) -> Result<(), String> {
        let (before, fragment) = match address.split_once('#') {
            Some((before, fragment)) => (before, Some(fragment)),
            None => (address, None),
        };
        let path = before.split('?').next().unwrap_or_default();
        let path = percent_decode_str(path).decode_utf8_lossy();
        let target = if path.is_empty() {
            page.to_path_buf()
        } else if let Some(path) = path.strip_prefix('/') {
            if base.is_empty() {
                return Err(format!("{address} is absolute: it fails from file://"));
            }
            normal(Path::new(""), Path::new(path)).ok_or("outside")?
        } else {
            let folder = match base {
                "" => page.parent().unwrap_or(Path::new("")),
                base => Path::new(base.trim_start_matches('/')),
            };
            normal(folder, Path::new(path.as_ref()))
                .ok_or_else(|| format!("dead link {address}: it leaves the book"))?
        };
        let file = self.site.join(&target);
        if !file.is_file() {
            let what = if file.is_dir() { "a folder" } else { "no file" };
            return Err(format!(
                "dead link {address}: {} is {what} in the rendered book",
                target.display()
            ));
        }
        let (Some(fragment), Some(facts)) = (fragment, self.parsed.get(&target))
        else {
            return Ok(());
        };
        let fragment = percent_decode_str(fragment).decode_utf8_lossy();
        if fragment.is_empty() || facts.ids.contains(fragment.as_ref()) {
            return Ok(());
        }
        Err(format!(
            "dead fragment {address}: {} has no id \"{fragment}\"",
            target.display()
        ))
    }

    fn fault(&mut self, page: &Path, needle: &str, cause: String) {
        let source = self.blame.source(page, needle);
        // index.html repeats the first chapter: one fault of one source is told once.
        let repeats = |fault: &Fault| fault.cause == cause && fault.source == source;
        if source.is_some() && self.faults.iter().any(repeats) {
            return;
        }
        self.faults.insert(Fault { source, page: page.to_path_buf(), cause });
    }
}

/// Finds whom to blame for a page.
struct Blame<'a> {
    sources: &'a Path,
    pages: &'a [Page],
}

impl Blame<'_> {
    fn source(&self, page: &Path, needle: &str) -> Option<(PathBuf, Option<usize>)> {
        let page = self.pages.iter().find(|known| known.html == page)?;
        let text =
            fs::read_to_string(self.sources.join(&page.source)).unwrap_or_default();
        // A link to a chapter is written with .md and rendered with .html.
        let written = needle.replace(".html", ".md");
        let line = text
            .lines()
            .position(|line| line.contains(needle) || line.contains(&written));
        let line = line.filter(|_| !needle.is_empty()).map(|index| index + 1);
        Some((page.source.clone(), line))
    }
}

fn scheme_of(address: &str) -> Option<&str> {
    let (scheme, _) = address.split_once(':')?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    valid.then_some(scheme)
}

/// `folder`/`path` without `.` and `..`; none if it climbs out of the book.
fn normal(folder: &Path, path: &Path) -> Option<PathBuf> {
    let mut whole = PathBuf::new();
    for component in folder.join(path).components() {
        match component {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir if !whole.pop() => return None,
            _ => {}
        }
    }
    Some(whole)
}
