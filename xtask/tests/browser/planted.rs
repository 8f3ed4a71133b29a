//! Pages with one planted fault each: the test must see it, and must pass a page without any.

use crate::chromium::Chromium;
use crate::look::Look;
use std::fs;
use std::path::Path;

/// What stands in the page's `<main>`, and a part of the fault that must be told; none passes.
const PLANTED: [(&str, Option<&str>); 16] = [
    ("<p>text</p>", None),
    ("<p>a figure <img src='figures/good.svg' alt='a dot'></p>", None),
    (
        "<p>a formula <math><mi>x</mi></math>, the code <code>\\frac $$</code></p>",
        None,
    ),
    ("<div style='overflow-x: auto'><pre><code>WIDE</code></pre></div>", None),
    ("<script>console.error('planted')</script>", Some("console.error: planted")),
    (
        "<script>nothing.such()</script>",
        Some("uncaught: ReferenceError: nothing is not"),
    ),
    (
        "<script>setTimeout(() => { throw new Error('late') }, 0)</script>",
        Some("uncaught: Error: late"),
    ),
    (
        "<img src='figures/gone.svg' alt='gone'>",
        Some("broken image figures/gone.svg"),
    ),
    ("<img src='figures/bad.svg' alt='bad'>", Some("broken image figures/bad.svg")),
    (
        "<img src='http://127.0.0.1:9/a.png' alt='outside'>",
        Some("a request leaves the machine: http://127.0.0.1:9/a.png"),
    ),
    (
        "<script>fetch('https://127.0.0.1:9/x').catch(() => {})</script>",
        Some("a request leaves the machine: https://127.0.0.1:9/x"),
    ),
    (
        "<script src='gone.js'></script>",
        Some("a load fails: net::ERR_FILE_NOT_FOUND"),
    ),
    ("<p>the ratio \\frac{a}{b}</p>", Some("raw TeX: \\frac{a}{b}")),
    ("<pre><code> </code></pre>", Some("an empty listing")),
    ("<pre><code>WIDE</code></pre>", Some("sticks out of the window by")),
    ("<script src='heavy.js'></script>", Some("KB without its figures")),
];

#[test]
fn every_planted_fault_is_seen() {
    let mut browser = match crate::browser() {
        Ok(browser) => browser,
        Err(why) => return println!("skipped: {why}"),
    };
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path();
    fs::create_dir(site.join("figures")).unwrap();
    let dot = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><circle r='4'/></svg>";
    fs::write(site.join("figures/good.svg"), dot).unwrap();
    fs::write(site.join("figures/bad.svg"), "<svg").unwrap();
    fs::write(site.join("heavy.js"), " ".repeat(351_000)).unwrap();
    for (planted, expected) in PLANTED {
        let told = told_of(&mut browser, site, planted);
        match expected {
            Some(cause) => {
                assert!(
                    told.contains(cause),
                    "{planted}: expected {cause}, got\n{told}"
                )
            }
            None => assert_eq!(told, "", "{planted} has no fault"),
        }
    }
}

fn told_of(browser: &mut Chromium, site: &Path, planted: &str) -> String {
    let page = format!(
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>t</title>\
         <body style='overflow-x: hidden'><div style='overflow-x: auto'><main>{}</main></div></html>",
        planted.replace("WIDE", &"wide ".repeat(100))
    );
    fs::write(site.join("page.html"), page).unwrap();
    let narrow = Look::all()[1];
    narrow.at(browser, site, "page.html", None).faults.join("\n")
}
