//! The book's notation: the macros of `macros.tex`, and their expansion.

use std::collections::HashMap;

use super::fault::Faults;
use super::math::TexError;

/// Macros by name.
pub struct Macros(HashMap<String, Macro>);

#[derive(Debug, Clone)]
struct Macro {
    arguments: usize,
    body: String,
}

/// Nested expansions beyond this can only be a macro that expands to itself.
const DEEPEST_EXPANSION: usize = 20;

impl Macros {
    /// Reads the `\newcommand{\name}[n]{body}` lines of `source`, the content of `file`.
    pub fn read(source: &str, file: &str, faults: &mut Faults) -> Self {
        let mut macros = HashMap::new();
        for (i, line) in source.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('%') {
                continue;
            }
            match parse_macro(line) {
                Some((name, definition)) => {
                    if macros.insert(name.clone(), definition).is_some() {
                        faults.add(
                            file,
                            i + 1,
                            format!("`\\{name}` is defined twice"),
                            "keep one definition",
                        );
                    }
                }
                None => faults.add(
                    file,
                    i + 1,
                    "this line is no macro definition",
                    "write `\\newcommand{\\name}[n]{body}` on one line, or a `%` comment",
                ),
            }
        }
        Macros(macros)
    }

    pub fn expand(&self, tex: &str) -> Result<String, TexError> {
        self.expand_at(tex, 0)
    }

    /// Replaces the book's macros by their bodies. Done on the text, as TeX would, because
    /// math-core looks for `^` and `_` before it expands: `\x_n\T` would not stack its scripts.
    fn expand_at(&self, tex: &str, depth: usize) -> Result<String, TexError> {
        let mut out = String::with_capacity(tex.len());
        let mut rest = tex;
        let consumed =
            |rest: &str| tex[..tex.len() - rest.len()].matches('\n').count();
        while let Some(at) = rest.find('\\') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let name_len =
                rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let (name, after) = rest.split_at(name_len);
            let Some(definition) = self.0.get(name) else {
                // A control symbol takes its character along, lest `\\` be read twice.
                let len = match name_len {
                    0 => after.chars().next().map_or(0, char::len_utf8),
                    n => n,
                };
                out.push('\\');
                out.push_str(&rest[..len]);
                rest = &rest[len..];
                continue;
            };
            if depth > DEEPEST_EXPANSION {
                return Err(TexError {
                    line: consumed(rest),
                    cause: format!("the macro `\\{name}` expands to itself"),
                    cure: "correct it in macros.tex".into(),
                });
            }
            let mut body = definition.body.clone();
            let line = consumed(rest);
            rest = after;
            for i in 1..=definition.arguments {
                let Some((argument, after)) = take_argument(rest) else {
                    return Err(TexError {
                        line,
                        cause: format!(
                            "`\\{name}` takes {} arguments and finds {}",
                            definition.arguments,
                            i - 1
                        ),
                        cure: "give each argument in braces".into(),
                    });
                };
                body = body.replace(&format!("#{i}"), argument);
                rest = after;
            }
            let body = self
                .expand_at(&body, depth + 1)
                .map_err(|e| TexError { line, ..e })?;
            out.push_str(&body);
            // `\given x` → `\mid x`: a space that ended a name still has to.
            if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
                out.push(' ');
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn parse_macro(line: &str) -> Option<(String, Macro)> {
    let rest = line.strip_prefix("\\newcommand")?;
    let (name, rest) = take_braced(rest)?;
    let name = name.strip_prefix('\\')?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let (arguments, rest) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (count, rest) = rest.split_once(']')?;
            (count.parse().ok()?, rest)
        }
        None => (0, rest),
    };
    let (body, rest) = take_braced(rest)?;
    let rest = rest.trim();
    (rest.is_empty() || rest.starts_with('%'))
        .then(|| (name.to_string(), Macro { arguments, body: body.to_string() }))
}

/// The inside of the braces at the start of `text`, and what follows them.
fn take_braced(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0usize;
    let mut escaped = false;
    if !text.starts_with('{') {
        return None;
    }
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some((&text[1..i], &text[i + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

/// A macro's argument: a braced group, a command, or one character.
fn take_argument(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if text.starts_with('{') {
        return take_braced(text);
    }
    let len = match text.strip_prefix('\\') {
        Some(name) => {
            1 + name
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(name.len())
                .max(1)
        }
        None => text.chars().next()?.len_utf8(),
    };
    Some((text.get(..len)?, &text[len..]))
}
