//! What the gates need to know of one rendered page.

use scraper::node::Element;
use scraper::{Html, Node};
use std::collections::HashSet;

#[derive(Default)]
pub struct PageFacts {
    pub ids: HashSet<String>,
    pub links: Vec<Link>,
    pub faults: Vec<PageFault>,
    /// `<base href>`, which mdBook gives its 404 page; empty for every other.
    pub base: String,
}

/// An address in a page or a style sheet.
pub struct Link {
    pub element: String,
    pub address: String,
    /// The page fetches it by itself, where a link waits for the reader's click.
    pub loads: bool,
}

impl Link {
    pub fn load(element: &str, address: impl Into<String>) -> Self {
        Self { element: element.into(), address: address.into(), loads: true }
    }
}

/// A fault that shows in one page alone.
pub struct PageFault {
    pub cause: String,
    /// A piece of the source by which to find the line, or empty.
    pub needle: String,
}

/// Text in these is not prose: code, or not shown at all.
const NO_PROSE: [&str; 6] =
    ["code", "pre", "script", "style", "annotation", "noscript"];

impl PageFacts {
    pub fn of(html: &str) -> Self {
        let document = Html::parse_document(html);
        let mut facts = Self::default();
        for node in document.tree.nodes() {
            match node.value() {
                Node::Element(element) => {
                    let text = || {
                        scraper::ElementRef::wrap(node).map(|e| e.text().collect())
                    };
                    facts.element(element, || text().unwrap_or_default());
                }
                Node::Text(text) => {
                    let parents: Vec<_> = node
                        .ancestors()
                        .filter_map(|parent| parent.value().as_element())
                        .map(Element::name)
                        .collect();
                    facts.text(text, &parents);
                }
                _ => {}
            }
        }
        facts
    }

    fn element(&mut self, element: &Element, text: impl Fn() -> String) {
        let name = element.name();
        if let Some(id) = element.attr("id")
            && !self.ids.insert(id.to_owned())
        {
            let cause = format!(
                "the id \"{id}\" stands twice on the page: rename a label or a heading"
            );
            self.fault(cause, &format!(":::result {id} "));
        }
        match name {
            "a" | "area" => {
                self.ids.extend(element.attr("name").map(str::to_owned));
                if let Some(address) = element.attr("href") {
                    self.links
                        .push(Link { loads: false, ..Link::load(name, address) });
                }
            }
            "base" => self.base = element.attr("href").unwrap_or_default().to_owned(),
            "link" => {
                // A canonical address is said, not fetched.
                let said = ["canonical", "alternate", "license", "author"];
                let rel = element.attr("rel").unwrap_or_default();
                if let Some(address) = element.attr("href") {
                    self.links.push(Link {
                        loads: !said.contains(&rel),
                        ..Link::load(name, address)
                    });
                }
            }
            "code" if text().trim().is_empty() => {
                let cause =
                    "an empty listing: its include or its anchor holds nothing";
                self.fault(cause.into(), "{{#");
            }
            "img" => {
                let address = element.attr("src").unwrap_or_default();
                if element.attr("alt").is_none_or(|alt| alt.trim().is_empty()) {
                    self.fault(
                        format!("the image {address} has no alt text"),
                        address,
                    );
                }
            }
            "merror" => self.fault(format!("a formula failed: {}", text()), ""),
            "style" => {
                for address in css_addresses(&text()) {
                    self.links.push(Link::load(name, address));
                }
            }
            _ => {}
        }
        self.loads(element);
    }

    fn loads(&mut self, element: &Element) {
        let name = element.name();
        for attribute in ["src", "data", "poster", "xlink:href"] {
            if let Some(address) = element.attr(attribute) {
                self.links.push(Link::load(name, address));
            }
        }
        if let ("use" | "image", Some(address)) = (name, element.attr("href")) {
            self.links.push(Link::load(name, address));
        }
        for candidate in element.attr("srcset").unwrap_or_default().split(',') {
            if let Some(address) = candidate.split_whitespace().next() {
                self.links.push(Link::load(name, address));
            }
        }
        for address in css_addresses(element.attr("style").unwrap_or_default()) {
            self.links.push(Link::load(name, address));
        }
    }

    fn text(&mut self, text: &str, parents: &[&str]) {
        let inside = |name: &&str| parents.contains(name);
        // In a listing raw braces are an include that was not resolved; in a code span, a mention.
        let listing = inside(&"pre");
        let prose = !NO_PROSE.iter().any(inside);
        if (listing || prose)
            && let Some(found) = text.find("{{#")
        {
            let shown = excerpt(&text[found..]);
            self.fault(format!("an unresolved directive is left: {shown}"), &shown);
        }
        if !prose {
            return;
        }
        if let Some(found) = text.find("$$") {
            let shown = excerpt(&text[found..]);
            self.fault(format!("raw TeX is left: {shown}"), &shown);
        }
        if let Some(found) = tex_command(text) {
            let shown = excerpt(&text[found..]);
            self.fault(format!("raw TeX is left: {shown}"), &shown);
        }
    }

    fn fault(&mut self, cause: String, needle: &str) {
        let needle = needle.to_owned();
        self.faults.push(PageFault { cause, needle });
    }
}

/// The byte where a backslash and a letter stand together.
fn tex_command(text: &str) -> Option<usize> {
    let pairs = text.as_bytes().windows(2);
    pairs
        .into_iter()
        .position(|pair| pair[0] == b'\\' && pair[1].is_ascii_alphabetic())
}

/// The start of a text, up to the end of its line.
fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(40).collect()
}

/// The addresses that a style sheet loads: `url(…)` and `@import "…"`.
pub fn css_addresses(css: &str) -> Vec<String> {
    let unquoted = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    let mut found: Vec<_> = css
        .split("url(")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(address, _)| unquoted(address))
        .collect();
    for rest in css.split("@import").skip(1) {
        let address = rest.split(';').next().unwrap_or_default();
        if !address.contains("url(") {
            found.push(unquoted(address));
        }
    }
    found
}
