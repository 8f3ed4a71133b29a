//! Text: subscripts and superscripts, escaping, widths without a font, and numbers on axes.

use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shift {
    None,
    Sub,
    Super,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Style {
    shift: Shift,
    bold: bool,
}

/// Splits `x_n`, `10^{−3}`, `**x**_n` into runs; a backslash before `_`, `^`, `*` or `\` makes it
/// literal, and so does, for a shift, the end of the text or a space after it and, for `**`, that
/// no second one follows.
fn runs(label: &str) -> Vec<(Style, String)> {
    let mut runs: Vec<(Style, String)> = Vec::new();
    let mut bold = false;
    let mut append = |shift, bold, piece: &str| match runs.last_mut() {
        Some((last, text)) if *last == (Style { shift, bold }) => {
            text.push_str(piece)
        }
        _ => runs.push((Style { shift, bold }, piece.to_owned())),
    };
    let mut rest = label;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let next = after.chars().next();
        match (c, next) {
            ('\\', Some(literal @ ('_' | '^' | '*' | '\\'))) => {
                append(Shift::None, bold, literal.encode_utf8(&mut [0; 4]));
                rest = &after[1..];
            }
            ('*', Some('*')) if bold || after[1..].contains("**") => {
                bold = !bold;
                rest = &after[1..];
            }
            ('_' | '^', Some(first)) if !first.is_whitespace() => {
                let shift = if c == '_' { Shift::Sub } else { Shift::Super };
                if let (Some(body), Some(end)) =
                    (after.strip_prefix('{'), after.find('}'))
                {
                    append(shift, bold, &body[..end - 1]);
                    rest = &after[end + 1..];
                } else {
                    append(shift, bold, first.encode_utf8(&mut [0; 4]));
                    rest = &after[first.len_utf8()..];
                }
            }
            _ => {
                append(Shift::None, bold, c.encode_utf8(&mut [0; 4]));
                rest = after;
            }
        }
    }
    runs
}

/// The content of a `<text>` element of the given font size.
pub(super) fn to_svg(label: &str, size: f64, italic: bool) -> String {
    let mut out = String::new();
    let mut below = 0;
    for (Style { shift, bold }, content) in runs(label) {
        let target = match shift {
            Shift::None => 0,
            Shift::Sub => (0.2 * size).round() as i32,
            Shift::Super => (-0.36 * size).round() as i32,
        };
        let small = (0.72 * size).round();
        let mut attributes = String::new();
        if target != below {
            let _ = write!(attributes, " dy=\"{}\"", target - below);
        }
        if shift != Shift::None {
            let _ = write!(attributes, " font-size=\"{small}\"");
        }
        if bold {
            attributes.push_str(" font-weight=\"bold\"");
        }
        let body = escape(&keep_outer_spaces(&content), italic, bold);
        if attributes.is_empty() {
            out.push_str(&body);
        } else {
            let _ = write!(out, "<tspan{attributes}>{body}</tspan>");
        }
        below = target;
    }
    out
}

/// Viewers may drop a plain space where a span starts or ends; a no-break space they keep.
fn keep_outer_spaces(text: &str) -> String {
    let inner = text.trim_matches(' ');
    let before = text.len() - text.trim_start_matches(' ').len();
    let after = text.len() - before - inner.len();
    let space = |count| "\u{a0}".repeat(count);
    format!("{}{inner}{}", space(before), space(after))
}

/// Escapes XML; in italic text digits, capital Greek letters, and bold Latin ones stand upright,
/// as in mathematics.
fn escape(text: &str, italic: bool, bold: bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let upright = italic
            && (c.is_ascii_digit()
                || ('Α'..='Ω').contains(&c)
                || bold && c.is_ascii_alphabetic());
        if upright {
            out.push_str("<tspan font-style=\"normal\">");
        }
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // XML has no way to write most control characters.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        if upright {
            out.push_str("</tspan>");
        }
    }
    out
}

/// A guess, on the wide side, at the width of `label` in the viewer's sans-serif face, which
/// nobody knows here: counted in characters, each by its kind.
pub(super) fn width(label: &str, size: f64) -> f64 {
    runs(label)
        .iter()
        .map(|(style, text)| {
            let ems: f64 = text.chars().map(ems).sum();
            let heavy = if style.bold { 1.1 } else { 1.0 };
            heavy * ems * if style.shift == Shift::None { size } else { 0.72 * size }
        })
        .sum()
}

fn ems(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '\u{2009}' => {
            0.3
        }
        ' ' | 'f' | 'r' | 't' | 'I' | '(' | ')' | '[' | ']' | '-' | '/' => 0.38,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.9,
        '−' | '+' | '=' | '<' | '>' | '×' => 0.7,
        c if c.is_uppercase() => 0.68,
        '0'..='9' => 0.62,
        _ => 0.58,
    }
}

/// `mantissa × 10^power` times `count`, as the label of a tick: a typographic minus, thin spaces
/// between thousands from five digits on, and powers of ten where the digits would be many.
pub(super) fn number(count: i64, mantissa: i64, power: i32) -> String {
    let digits = count * mantissa;
    if digits == 0 {
        return "0".to_owned();
    }
    let sign = if digits < 0 { "−" } else { "" };
    let digits = digits.unsigned_abs().to_string();
    if !(-5..=4).contains(&power) {
        let exponent = power + digits.len() as i32 - 1;
        let fraction = digits[1..].trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        let exponent = exponent.to_string().replace('-', "−");
        return format!("{sign}{}{point}{fraction}×10^{{{exponent}}}", &digits[..1]);
    }
    if power >= 0 {
        let whole = digits + &"0".repeat(power as usize);
        return format!("{sign}{}", group(&whole));
    }
    let decimals = power.unsigned_abs() as usize;
    let padded = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = padded.split_at(padded.len() - decimals);
    format!("{sign}{}.{fraction}", group(whole))
}

/// `10^exponent`, plainly where that is short.
pub(super) fn power_of_ten(exponent: i32, plain: bool) -> String {
    if plain {
        number(1, 1, exponent)
    } else {
        format!("10^{{{}}}", exponent.to_string().replace('-', "−"))
    }
}

fn group(whole: &str) -> String {
    if whole.len() < 5 {
        return whole.to_owned();
    }
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_shifted_spans_and_is_escaped() {
        assert_eq!(to_svg("a < b & c", 100.0, false), "a &lt; b &amp; c");
        assert_eq!(
            to_svg("x_n = 1", 100.0, false),
            "x<tspan dy=\"20\" font-size=\"72\">n</tspan><tspan dy=\"-20\">\u{a0}= 1</tspan>"
        );
        assert_eq!(
            to_svg("10^{−3} a point, x _i", 100.0, false),
            "10<tspan dy=\"-36\" font-size=\"72\">−3</tspan>\
             <tspan dy=\"36\">\u{a0}a point, x\u{a0}</tspan>\
             <tspan dy=\"20\" font-size=\"72\">i</tspan>"
        );
        assert_eq!(
            to_svg("10^{−3}", 100.0, false),
            "10<tspan dy=\"-36\" font-size=\"72\">−3</tspan>"
        );
        assert_eq!(to_svg(r"a\_b and c_ d_", 100.0, false), "a_b and c_ d_");
        assert_eq!(
            to_svg("{open _{x", 100.0, false),
            "{open\u{a0}<tspan dy=\"20\" font-size=\"72\">{</tspan><tspan dy=\"-20\">x</tspan>"
        );
        assert_eq!(
            to_svg("Σ", 100.0, true),
            "<tspan font-style=\"normal\">Σ</tspan>"
        );
    }

    #[test]
    fn two_stars_on_either_side_set_bold_type() {
        assert_eq!(
            to_svg("**x**_n", 100.0, true),
            "<tspan font-weight=\"bold\"><tspan font-style=\"normal\">x</tspan></tspan>\
             <tspan dy=\"20\" font-size=\"72\">n</tspan>"
        );
        assert_eq!(
            to_svg("**μ**", 100.0, true),
            "<tspan font-weight=\"bold\">μ</tspan>"
        );
        assert_eq!(to_svg("2 ** 3 * 4", 100.0, false), "2 ** 3 * 4");
        assert_eq!(to_svg(r"a\**b*\*", 100.0, false), "a**b**");
        assert!(width("**xx**", 10.0) > width("xx", 10.0));
        assert!(width("**xx**", 10.0) < width("xxx", 10.0));
    }

    #[test]
    fn widths_count_characters_not_bytes() {
        assert_eq!(width("µµµ", 10.0), width("nnn", 10.0));
        assert!(width("x_n", 10.0) < width("xn", 10.0));
    }

    #[test]
    fn numbers_read_as_in_print() {
        assert_eq!(number(-3, 5, -1), "−1.5");
        assert_eq!(number(0, 5, -1), "0");
        assert_eq!(number(1, 2, -2), "0.02");
        assert_eq!(number(-113, 2, 4), "−2\u{2009}260\u{2009}000");
        assert_eq!(number(12, 1, 0), "12");
        assert_eq!(number(4, 5, 2), "2000");
        assert_eq!(number(3, 5, 5), "1.5×10^{6}");
        assert_eq!(number(3, 1, -7), "3×10^{−7}");
    }
}
