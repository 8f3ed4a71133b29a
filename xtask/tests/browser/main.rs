//! Opens pages in headless Chromium and looks for what no reading of the files can tell: errors of
//! scripts, requests, what is drawn.

mod chromium;
mod look;
mod planted;

use chromium::Chromium;
use look::{Look, Pages};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A browser, or the reason why there is none; with `CI` set there must be one.
fn browser() -> Result<Chromium, String> {
    match chromium::find() {
        Some(program) => Ok(Chromium::launch(&program)),
        None => {
            let why = "no chromium, chromium-browser, google-chrome or $CHROME on this machine";
            let ci =
                std::env::var("CI").is_ok_and(|ci| !ci.is_empty() && ci != "false");
            assert!(!ci, "{why}, and in CI the browser test is never skipped");
            Err(why.to_owned())
        }
    }
}

/// `cargo xtask browser` runs this one, on the book that `cargo xtask book` built.
#[test]
#[ignore = "needs the built book: run `cargo xtask browser`"]
fn the_built_book() {
    let site =
        std::env::var_os("XTASK_SITE").expect("run through `cargo xtask browser`");
    let report = |text: &str| {
        println!("{text}");
        if let Some(file) = std::env::var_os("XTASK_BROWSER_REPORT") {
            std::fs::write(file, text).unwrap();
        }
    };
    let mut browser = match browser() {
        Ok(browser) => browser,
        Err(why) => return report(&format!("skipped: {why}")),
    };
    let site = PathBuf::from(site);
    let screens = std::env::var_os("XTASK_SCREENS").map(PathBuf::from);
    let pages = Pages::below(&site);
    let mut faults = Vec::new();
    let mut heaviest = (0, String::new());
    for page in &pages.names {
        for look in Look::all() {
            let seen = look.at(&mut browser, &site, page, screens.as_deref());
            heaviest = heaviest.max((seen.weight, page.clone()));
            faults.extend(seen.faults);
        }
    }
    faults.extend(search(&mut browser, &site));
    assert!(
        faults.is_empty(),
        "{} faults in the browser:\n  {}",
        faults.len(),
        faults.join("\n  ")
    );
    report(&format!(
        "{} pages, light and dark, wide and narrow; the heaviest is {} with {} KB",
        pages.names.len(),
        heaviest.1,
        heaviest.0.div_ceil(1000)
    ));
}

/// The search, which loads its index when it is first used, finds a word that the book has.
fn search(browser: &mut Chromium, site: &Path) -> Vec<String> {
    let faults = Look::all()[0].at(browser, site, "index.html", None).faults;
    browser.evaluate("document.getElementById('mdbook-search-toggle').click()");
    let asked = Instant::now();
    let results = "(() => {
        const bar = document.getElementById('mdbook-searchbar');
        bar.value = 'gaussian';
        bar.dispatchEvent(new KeyboardEvent('keyup'));
        return document.querySelectorAll('#mdbook-searchresults > li').length;
    })()";
    while browser.evaluate(results) == 0 {
        if asked.elapsed() > Duration::from_secs(5) {
            return vec!["the search finds nothing for \"gaussian\"".to_owned()];
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    faults
}
