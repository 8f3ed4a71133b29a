//! TeX to MathML, in a form that Markdown passes through unharmed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};

use super::fault::Faults;
use super::macros::Macros;

/// A fault inside one formula: the line within it, counted from 0, and what is wrong.
#[derive(Debug, PartialEq)]
pub struct TexError {
    pub line: usize,
    pub cause: String,
    pub cure: String,
}

pub struct Math {
    converter: LatexToMathML,
    macros: Macros,
}

impl Math {
    /// Reads the macros of `source`, the content of `file`.
    pub fn new(source: &str, file: &str, faults: &mut Faults) -> Self {
        let macros = Macros::read(source, file, faults);
        // Without macros of its own, the converter has nothing that could be wrong.
        let converter =
            LatexToMathML::new(MathCoreConfig::default()).unwrap_or_default();
        Math { converter, macros }
    }

    /// MathML on one line, with every character escaped that Markdown could take for its own.
    pub fn render(&self, tex: &str, display: bool) -> Result<String, TexError> {
        // An error at the end of the input is to name the last line, not the delimiter's.
        let expanded = self.macros.expand(tex.trim_end())?;
        // math-core prints the option of `\\[4pt]` as text.
        if let Some(at) = row_with_option(&expanded) {
            return Err(TexError {
                line: expanded[..at].matches('\n').count(),
                cause: "`\\\\[…]` with a length is not supported".into(),
                cure: "use plain `\\\\`".into(),
            });
        }
        let style = if display { MathDisplay::Block } else { MathDisplay::Inline };
        let mathml = self
            .converter
            .convert_with_local_state(&expanded, style)
            .map_err(|error| {
                let start = error.0.start.min(expanded.len());
                TexError {
                    line: expanded
                        .get(..start)
                        .map_or(0, |before| before.matches('\n').count()),
                    cause: format!("bad TeX in `{}`: {error}", one_line(tex)),
                    cure: "correct the formula, or define the macro in macros.tex"
                        .into(),
                }
            })?
            .mathml;
        let mut mathml = markdown_safe(&lighter(mathml));
        if !display && leans(&mathml) {
            mathml.insert_str("<math".len(), " class=\"lean\"");
        }
        if let Some(c) = mathml.chars().find(|c| !in_font(*c)) {
            return Err(TexError {
                line: 0,
                cause: format!(
                    "`{}` needs U+{:04X} ({c}), which the math font shipped with the book lacks",
                    one_line(tex),
                    c as u32
                ),
                cure: "add it to xtask/theme/fonts/NewCMMath.txt and make the subset anew, \
                       as that file says"
                    .into(),
            });
        }
        Ok(mathml)
    }
}

fn row_with_option(tex: &str) -> Option<usize> {
    tex.match_indices("\\\\[").map(|(at, _)| at).find(|at| {
        tex[at + 3..]
            .starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
    })
}

fn one_line(tex: &str) -> String {
    tex.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Shortens what math-core repeats: a page holds hundreds of formulas, and its weight is limited.
/// The classes stand in the theme's style sheet.
fn lighter(mathml: String) -> String {
    const COLUMN: [(&str, &str); 3] = [
        ("text-align: right;justify-items: end;padding-right: 0;", "r"),
        ("text-align: left;justify-items: start;padding-left: 0;", "l"),
        ("text-align: left;justify-items: start;padding-right: 0;", "c"),
    ];
    // The variation selectors that tell two script alphabets apart: the font has one.
    let mut mathml = mathml.replace(['\u{FE00}', '\u{FE01}'], "");
    for (style, class) in COLUMN {
        mathml = mathml
            .replace(&format!(" style=\"{style}\""), &format!(" class=\"{class}\""));
    }
    // The empty space keeps Firefox from spacing identifiers of several letters; of one letter
    // there is nothing to space once the selector is gone.
    let mut out = String::with_capacity(mathml.len());
    let mut rest = mathml.as_str();
    while let Some(at) = rest.find("<mrow><mspace/><mi>") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let inner = &from["<mrow><mspace/>".len()..];
        rest = from;
        if let Some(end) = inner.find("</mi></mrow>")
            && inner["<mi>".len()..end].chars().count() == 1
        {
            out.push_str(&inner[..end + "</mi>".len()]);
            rest = &inner[end + "</mi></mrow>".len()..];
        } else {
            out.push_str("<mrow><mspace/><mi>");
            rest = &rest["<mrow><mspace/><mi>".len()..];
        }
    }
    out.push_str(rest);
    out
}

/// Whether a formula ends with a letter that leans over what follows it: browsers leave out the
/// italic correction there.
fn leans(mathml: &str) -> bool {
    let last = mathml.trim_end_matches("</math>").trim_end_matches("</mrow>");
    let letter = last.strip_suffix("</mi>").and_then(|l| l.rsplit_once("<mi>"));
    letter.is_some_and(|(_, letter)| {
        let mut chars = letter.chars();
        let slanted = |c| "CEFHIJKMNPTUVWXYZfℒ𝒩𝒯ℱℋ𝒲𝒱𝒴𝒰𝒫".contains(c);
        chars.next().is_some_and(slanted) && chars.next().is_none()
    })
}

/// Escapes, in the text between tags, all ASCII that is neither a letter, a digit nor a space:
/// Markdown's own characters, and those that smart punctuation would bend. The rest of the book
/// sees the same characters again, since Markdown decodes entities.
fn markdown_safe(mathml: &str) -> String {
    let mut out = String::with_capacity(mathml.len() * 2);
    let mut in_tag = false;
    let mut rest = mathml;
    while let Some(c) = rest.chars().next() {
        let mut len = c.len_utf8();
        match c {
            '\n' => out.push(' '),
            '<' => {
                in_tag = true;
                out.push(c);
            }
            '>' => {
                in_tag = false;
                out.push(c);
            }
            '&' if !in_tag => {
                len = rest.find(';').map_or(1, |end| end + 1);
                out.push_str(&rest[..len]);
            }
            _ if !in_tag && c.is_ascii_punctuation() => {
                out.push_str(&format!("&#{};", c as u32));
            }
            _ => out.push(c),
        }
        rest = &rest[len..];
    }
    out
}

/// The code points that the subset of the math font was made with, as its note lists them.
static FONT: LazyLock<BTreeSet<char>> = LazyLock::new(|| {
    let note = include_str!("../../theme/fonts/NewCMMath.txt");
    note.lines()
        .filter(|line| line.starts_with("U+"))
        .flat_map(|line| line.split([',', ' ']))
        .filter_map(|range| range.trim().strip_prefix("U+"))
        .flat_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let code = |hex| u32::from_str_radix(hex, 16).unwrap_or_default();
            (code(first)..=code(last)).filter_map(char::from_u32)
        })
        .collect()
});

/// Whether the shipped font draws `c`; invisible operators need no glyph.
fn in_font(c: char) -> bool {
    c.is_ascii() || ('\u{2061}'..='\u{2064}').contains(&c) || FONT.contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn math(macros: &str) -> Math {
        let mut faults = Faults::default();
        let math = Math::new(macros, "macros.tex", &mut faults);
        faults.into_result().unwrap();
        math
    }

    #[test]
    fn scripts_stack_after_a_macro() {
        let math =
            math("\\newcommand{\\x}{{\\mathbf x}}\n\\newcommand{\\T}{^{\\mathsf T}}");
        let mathml = math.render("\\x_n\\T", false).unwrap();
        assert_eq!(
            mathml,
            "<math><msubsup><mi>𝐱</mi><mi>n</mi><mi>𝖳</mi></msubsup></math>"
        );
    }

    #[test]
    fn macros_nest_and_take_arguments() {
        let math = math(
            "\\newcommand{\\N}{\\mathcal N}\n\\newcommand{\\normal}[2]{\\N(#1 \\given #2)}\n\\newcommand{\\given}{\\mid}",
        );
        assert_eq!(
            math.render("\\normal{x}{\\mu}", false).unwrap(),
            math.render("\\mathcal N(x \\mid \\mu)", false).unwrap()
        );
        assert!(math.render("\\normal{x}", false).is_err());
    }

    #[test]
    fn nothing_is_left_for_markdown_to_eat() {
        let safe = math("").render("a * b \\_ [c] | ` x'", true).unwrap();
        let text: String = safe
            .split('<')
            .filter_map(|part| part.split_once('>'))
            .map(|(_, text)| text)
            .collect();
        for c in "*_[]|`\\'\n".chars() {
            assert!(!text.contains(c), "{c:?} in {safe}");
        }
    }

    #[test]
    fn a_slanted_letter_at_the_end_is_marked() {
        let math = math("");
        let lean = |tex, display| math.render(tex, display).unwrap().contains("lean");
        assert!(lean("s/W", false) && lean("\\mathcal N", false));
        assert!(!lean("W_1", false) && !lean("\\mathbf W", false));
        assert!(!lean("x", false) && !lean("W", true));
    }

    #[test]
    fn an_error_knows_its_line() {
        let error = math("").render("a\n+ \\foo", true).unwrap_err();
        assert_eq!(error.line, 1);
        assert!(error.cause.contains("\\foo"), "{error:?}");
        let error = math("").render("a \\\\\n b \\\\[4pt] c", true).unwrap_err();
        assert_eq!(error.line, 1);
    }

    #[test]
    fn a_macro_that_expands_to_itself_is_an_error() {
        let math = math("\\newcommand{\\a}{\\b}\n\\newcommand{\\b}{\\a}");
        assert!(math.render("\\a", false).unwrap_err().cause.contains("itself"));
    }
}
