//! Splits running text into math, references, values and everything else.

use super::fault::Faults;
use super::scan::container_width;

#[derive(Debug, PartialEq)]
pub enum Inline<'a> {
    /// Markdown that is left to mdBook.
    Raw(&'a str),
    Math {
        line: usize,
        display: bool,
        tex: String,
    },
    /// `[@label]`
    Reference {
        line: usize,
        label: &'a str,
    },
    /// `{{#value ch04: key}}`
    Value {
        line: usize,
        spec: &'a str,
    },
    /// The text of a code span with an option in it, `cargo run --example x`.
    Code(&'a str),
    /// What must stay on one line: "M-step", "Student-t", "90 %", "20 000".
    Compound(&'a str),
}

/// The part of `{{#name rest}}` after `name`, and the length of the whole, if `text` starts so.
pub fn helper<'a>(text: &'a str, name: &str) -> Option<(&'a str, usize)> {
    let inner = text.strip_prefix("{{#")?.strip_prefix(name)?;
    let end = inner.find("}}")?;
    let rest = &inner[..end];
    rest.starts_with(char::is_whitespace)
        .then_some((rest.trim(), 3 + name.len() + end + 2))
}

/// Splits `text`, which begins at `first_line` of `file`.
pub fn split<'a>(
    text: &'a str,
    first_line: usize,
    file: &str,
    faults: &mut Faults,
) -> Vec<Inline<'a>> {
    let mut scanner =
        Scanner { text, first_line, raw_from: 0, at: 0, out: Vec::new() };
    scanner.run(file, faults);
    scanner.out
}

struct Scanner<'a> {
    text: &'a str,
    first_line: usize,
    raw_from: usize,
    at: usize,
    out: Vec<Inline<'a>>,
}

impl<'a> Scanner<'a> {
    fn line(&self) -> usize {
        self.first_line + self.text[..self.at].matches('\n').count()
    }

    /// Ends the raw stretch here and puts `inline`, which is `len` bytes long, after it.
    fn push(&mut self, inline: Inline<'a>, len: usize) {
        self.flush();
        self.out.push(inline);
        self.at += len;
        self.raw_from = self.at;
    }

    fn flush(&mut self) {
        if self.raw_from < self.at {
            let raw = &self.text[self.raw_from..self.at];
            self.out.push(Inline::Raw(raw));
        }
    }

    fn run(&mut self, file: &str, faults: &mut Faults) {
        while let Some(c) = self.text[self.at..].chars().next() {
            let rest = &self.text[self.at..];
            match c {
                '\\' => {
                    let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
                    self.at += 1 + escaped;
                }
                '`' => {
                    let len = code_span_len(rest);
                    match option_in(&rest[..len]) {
                        Some(code) => self.push(Inline::Code(code), len),
                        None => self.at += len,
                    }
                }
                _ if c.is_ascii_alphanumeric() => {
                    let len = rest
                        .find(|c: char| !c.is_alphanumeric())
                        .unwrap_or(rest.len());
                    match compound_len(rest) {
                        Some(len) if starts_word(&self.text[..self.at]) => {
                            self.push(Inline::Compound(&rest[..len]), len)
                        }
                        _ => self.at += len,
                    }
                }
                '<' => self.at += html_len(rest),
                '$' => self.math(rest, file, faults),
                '[' if rest.starts_with("[@") => match rest.find(']') {
                    Some(end) => {
                        let inline = Inline::Reference {
                            line: self.line(),
                            label: &rest[2..end],
                        };
                        self.push(inline, end + 1);
                    }
                    None => {
                        faults.add(
                            file,
                            self.line(),
                            "this reference is never closed",
                            "write `[@label]`",
                        );
                        self.at += 2;
                    }
                },
                '{' if rest.starts_with("{{#") => match helper(rest, "value") {
                    Some((spec, len)) => {
                        let line = self.line();
                        self.push(Inline::Value { line, spec }, len);
                    }
                    None => {
                        faults.add(
                            file,
                            self.line(),
                            format!("leftover `{}`", shorten(rest)),
                            "in running text only `{{#value chNN: key}}` is known; \
                             an include or an output stands alone in a fence",
                        );
                        self.at += 3;
                    }
                },
                _ => self.at += c.len_utf8(),
            }
        }
        self.flush();
    }

    fn math(&mut self, rest: &'a str, file: &str, faults: &mut Faults) {
        let display = rest.starts_with("$$");
        let delimiter = if display { "$$" } else { "$" };
        let body = &rest[delimiter.len()..];
        let Some(end) = math_end(body, delimiter) else {
            faults.add(
                file,
                self.line(),
                format!("`{delimiter}` opens math that its paragraph does not close"),
                "close it before the next blank line; a dollar sign is written `\\$`",
            );
            self.at += delimiter.len();
            return;
        };
        let tex = &body[..end];
        if !display && (tex.trim() != tex || tex.is_empty()) {
            faults.add(
                file,
                self.line(),
                format!(
                    "inline math `${tex}$` is empty, or begins or ends with a space"
                ),
                "write `$x$`; a dollar sign is written `\\$`",
            );
        }
        let line_start = self.text[..self.at].rfind('\n').map_or(0, |i| i + 1);
        let first = &self.text[line_start..self.at];
        let quotes = first[..container_width(first)].matches('>').count();
        let inline =
            Inline::Math { line: self.line(), display, tex: unquote(tex, quotes) };
        self.push(inline, end + 2 * delimiter.len());
    }
}

/// Where the delimiter stands that ends the math, in the same paragraph.
fn math_end(body: &str, delimiter: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(c) = body[at..].chars().next() {
        let rest = &body[at..];
        if rest.starts_with(delimiter) {
            return Some(at);
        }
        match c {
            '$' => return None,
            '\\' => at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '\n' if blank(rest[1..].lines().next().unwrap_or_default()) => {
                return None;
            }
            _ => at += c.len_utf8(),
        }
    }
    None
}

fn blank(line: &str) -> bool {
    line.chars().all(|c| c == '>' || c.is_whitespace())
}

/// Takes the quotation marks off the lines after the first. Newlines stay, to keep line numbers.
fn unquote(tex: &str, quotes: usize) -> String {
    let mut lines = tex.split('\n');
    let mut out = lines.next().unwrap_or_default().to_string();
    for mut line in lines {
        for _ in 0..quotes {
            line = line.trim_start();
            line = line.strip_prefix('>').unwrap_or(line);
        }
        out.push('\n');
        out.push_str(line);
    }
    out
}

/// The length of the code span at the start of `text`, or of the backticks that open none.
fn code_span_len(text: &str) -> usize {
    let run = text.bytes().take_while(|&b| b == b'`').count();
    let mut at = run;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with('`') {
            let closing = rest.bytes().take_while(|&b| b == b'`').count();
            if closing == run {
                return at + run;
            }
            at += closing;
        } else if rest.starts_with('\n')
            && blank(rest[1..].lines().next().unwrap_or_default())
        {
            break;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    run
}

/// The text of a code span of single backticks, if an option stands in it.
fn option_in(span: &str) -> Option<&str> {
    let code = span.strip_prefix('`')?.strip_suffix('`')?;
    // In a table a bar is escaped even in code: such a span is left to Markdown.
    let plain = !code.contains(['`', '|', '\n', '\\']);
    (plain && code.contains(" --")).then_some(code)
}

/// Whether a word of the text begins after `before`, and not a part of an address.
fn starts_word(before: &str) -> bool {
    let open = |c: char| c.is_whitespace() || "([*“".contains(c);
    before.chars().next_back().is_none_or(open) && !before.ends_with("](")
}

/// The length of what must stay on one line at the start of `text`: a compound of one letter and
/// a word in either order, a number with its percent sign, or one of five digits and more.
fn compound_len(text: &str) -> Option<usize> {
    let len = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (word, after) = text.split_at(len);
    if word.bytes().all(|b| b.is_ascii_digit()) {
        let tail = [" %", " 000"].into_iter().find(|tail| after.starts_with(tail))?;
        return Some(len + tail.len());
    }
    let mut letters = after.strip_prefix('-').unwrap_or("").chars();
    let single = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.next().is_none_or(|c| !c.is_alphanumeric() && c != '-');
    if single && len > 1 {
        return Some(len + 2);
    }
    let rest = text.strip_prefix(|c: char| c.is_ascii_alphabetic())?;
    let word = rest.strip_prefix('-')?;
    let end = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
    (end > 0).then_some(2 + end)
}

/// The length of the HTML tag, comment or autolink at the start of `text`; 1 if there is none.
fn html_len(text: &str) -> usize {
    if text.starts_with("<!--") {
        return text.find("-->").map_or(text.len(), |end| end + 3);
    }
    let named = text[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    match text.find(['>', '\n']) {
        Some(end) if named && text[end..].starts_with('>') => end + 1,
        _ => 1,
    }
}

fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.find("}}") {
        Some(end) => line[..end + 2].to_string(),
        None => line.chars().take(40).collect(),
    }
}
