//! One look at one page, in one theme and one width.

use crate::chromium::{Chromium, Event};
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a page may weigh with all it loads, figures aside.
const BUDGET: u64 = 350_000;

#[derive(Clone, Copy)]
pub struct Look {
    theme: &'static str,
    width: u32,
}

pub struct Seen {
    pub faults: Vec<String>,
    /// Bytes on disk of the page and what it requested, figures aside.
    pub weight: u64,
}

/// The pages a reader can come to, below a rendered book.
pub struct Pages {
    pub names: Vec<String>,
}

impl Pages {
    pub fn below(site: &Path) -> Self {
        let mut names = Vec::new();
        for entry in fs::read_dir(site).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            // A server's page for dead links, the sidebar's frame, and all chapters in one.
            let apart = ["404.html", "toc.html", "print.html"];
            if name.ends_with(".html") && !apart.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names.sort();
        assert!(!names.is_empty(), "{} holds no page", site.display());
        Self { names }
    }
}

impl Look {
    pub fn all() -> [Self; 4] {
        let look = |theme, width| Self { theme, width };
        [
            look("light", 1280),
            look("light", 390),
            look("navy", 1280),
            look("navy", 390),
        ]
    }

    /// Loads the page and gathers its faults.
    pub fn at(
        self,
        browser: &mut Chromium,
        site: &Path,
        page: &str,
        screens: Option<&Path>,
    ) -> Seen {
        let metrics = json!({
            "width": self.width, "height": 800, "deviceScaleFactor": 1, "mobile": false
        });
        browser.call("Emulation.setDeviceMetricsOverride", metrics);
        let theme = format!(
            "try {{ localStorage.setItem('mdbook-theme', '{}') }} catch {{}}",
            self.theme
        );
        let script = browser.call(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": theme }),
        );
        browser.load(&format!("file://{}/{page}", site.display()));
        let facts = browser.evaluate(include_str!("look.js"));
        browser.call("Page.removeScriptToEvaluateOnNewDocument", script);

        let mut faults: Vec<String> = strings(&facts["faults"]);
        faults.extend(browser.events().iter().filter_map(fault));
        let themed =
            strings(&facts["themed"]).iter().any(|class| class == self.theme);
        if facts["sidebar"] != 0 && !themed {
            faults.push("the theme was not taken up".to_owned());
        }
        let loaded = loaded(browser.events(), site);
        let weight = loaded.iter().map(|(size, _)| size).sum();
        if weight > BUDGET {
            let kilobytes = |bytes: u64| bytes.div_ceil(1000);
            let heaviest = loaded
                .iter()
                .take(5)
                .map(|(size, path)| format!("{path} {}", kilobytes(*size)));
            faults.push(format!(
                "the page weighs {} KB without its figures: {} …",
                kilobytes(weight),
                heaviest.collect::<Vec<_>>().join(", ")
            ));
        }
        if let Some(folder) = screens {
            let stem = page.trim_end_matches(".html");
            let name = format!("{stem}-{}-{}.png", self.theme, self.width);
            screenshot(browser, self.width, &facts["height"], &folder.join(name));
        }
        let unique: BTreeSet<_> = faults.into_iter().collect();
        let named = unique.into_iter().map(|fault| {
            format!("{page} ({}, {} px): {fault}", self.theme, self.width)
        });
        Seen { faults: named.collect(), weight }
    }
}

fn strings(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// What an event tells against the page, if anything.
fn fault(event: &Event) -> Option<String> {
    let params = &event.params;
    match event.method.as_str() {
        "Runtime.exceptionThrown" => {
            let details = &params["exceptionDetails"];
            let thrown = details["exception"]["description"].as_str();
            let text = thrown.or(details["text"].as_str()).unwrap_or("an exception");
            Some(format!("uncaught: {}", text.lines().next().unwrap_or_default()))
        }
        "Runtime.consoleAPICalled"
            if params["type"] == "error" || params["type"] == "assert" =>
        {
            let first = &params["args"][0];
            let text = first["value"].as_str().or(first["description"].as_str());
            Some(format!("console.error: {}", text.unwrap_or("?")))
        }
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            let entry = &params["entry"];
            let at = entry["url"].as_str().unwrap_or_default();
            Some(format!("the browser logs: {} {at}", entry["text"].as_str()?))
        }
        "Network.requestWillBeSent" => {
            let address = params["request"]["url"].as_str()?;
            let inside = ["file:", "data:", "about:", "blob:"];
            let leaves = !inside.iter().any(|scheme| address.starts_with(scheme));
            leaves.then(|| format!("a request leaves the machine: {address}"))
        }
        "Network.webSocketCreated" => {
            Some(format!("a socket is opened: {}", params["url"]))
        }
        "Network.loadingFailed" if params["canceled"] != true => {
            let error = params["errorText"].as_str().unwrap_or("?");
            Some(format!("a load fails: {error} ({})", params["type"].as_str()?))
        }
        _ => None,
    }
}

/// What the page requested, figures aside, with its size on disk, the heaviest first.
fn loaded<'a>(events: &'a [Event], site: &Path) -> Vec<(u64, &'a str)> {
    let root = format!("file://{}/", site.display());
    let requested: BTreeSet<&str> = events
        .iter()
        .filter(|event| event.method == "Network.requestWillBeSent")
        .filter_map(|event| {
            event.params["request"]["url"].as_str()?.strip_prefix(&root)
        })
        .filter_map(|address| address.split(['?', '#']).next())
        .filter(|path| !path.starts_with("figures/"))
        .collect();
    let size =
        |path: &str| fs::metadata(site.join(path)).map_or(0, |file| file.len());
    let mut sizes: Vec<_> =
        requested.iter().map(|&path| (size(path), path)).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

fn screenshot(browser: &mut Chromium, width: u32, height: &Value, file: &Path) {
    // Taller than this Chromium draws blank.
    let height = height.as_u64().unwrap_or(800).clamp(1, 16_000);
    let picture = browser.call(
        "Page.captureScreenshot",
        json!({
            "format": "png", "captureBeyondViewport": true,
            "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        }),
    );
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let picture = picture["data"].as_str().unwrap();
    fs::write(file, BASE64.decode(picture.as_bytes()).unwrap()).unwrap();
}
