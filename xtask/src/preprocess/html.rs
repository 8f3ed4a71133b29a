//! Small pieces of HTML.

/// What must not be parted from the formula before it: browsers would break the line in between.
pub fn glue(after: &str) -> &str {
    let end =
        after.find(|c: char| !matches!(c, ',' | '.' | ';' | ':' | '?' | '!' | ')'));
    &after[..end.unwrap_or(after.len())]
}

pub fn escape_attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// Width and height of an SVG, from its `viewBox`.
pub fn svg_size(svg: &str) -> Option<(u32, u32)> {
    let (_, rest) = svg.split_once("viewBox=\"")?;
    let (numbers, _) = rest.split_once('"')?;
    let numbers: Vec<f64> =
        numbers.split([' ', ',']).filter_map(|n| n.parse().ok()).collect();
    match numbers[..] {
        [_, _, width, height] => Some((width.round() as u32, height.round() as u32)),
        _ => None,
    }
}
