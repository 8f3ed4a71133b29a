//! Small pieces of HTML.

/// What must not be parted from the formula before it: browsers would break the line in between.
/// Of a compound, `$k$-means`, the hyphen alone: the line may break after it.
pub fn glue(after: &str) -> &str {
    let closes = |c: char| ",.;:?!)'’\"”".contains(c);
    let rest = after.trim_start_matches(closes);
    let rest = match rest.strip_prefix('-') {
        Some(rest) => rest,
        None => rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    &after[..after.len() - rest.len()]
}

/// The text of a code span, its options kept whole: browsers would break the line after `--`.
pub fn code(text: &str) -> String {
    let mut out = String::from("<code>");
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            out.push(' ');
        }
        let mut escaped = String::new();
        for c in word.chars() {
            if c.is_ascii_punctuation() {
                escaped.push_str(&format!("&#{};", c as u32));
            } else {
                escaped.push(c);
            }
        }
        if word.starts_with("--") {
            out.push_str(&glued(&escaped));
        } else {
            out.push_str(&escaped);
        }
    }
    out.push_str("</code>");
    out
}

pub fn glued(text: &str) -> String {
    format!("<span class=\"glued\">{text}</span>")
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
