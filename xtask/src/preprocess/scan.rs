//! Splits a chapter into fences, directives and running text, each with its line number.
//!
//! Only as much Markdown is understood as is needed to leave code alone: fences (also inside lists
//! and quotations), and in [`super::inline`] code spans, escapes and raw HTML.

use super::fault::Faults;

/// A stretch of a chapter.
#[derive(Debug)]
pub enum Block<'a> {
    Text {
        line: usize,
        text: &'a str,
    },
    Fence(Fence<'a>),
    /// `:::kind args`
    Open {
        line: usize,
        kind: &'a str,
        args: &'a str,
    },
    /// `:::`
    Close {
        line: usize,
    },
}

#[derive(Debug)]
pub struct Fence<'a> {
    pub line: usize,
    /// What stands before each line of the fence: indentation and quotation marks.
    pub prefix: String,
    pub info: &'a str,
    /// The lines inside, without the prefix.
    pub body: Vec<&'a str>,
    /// All of it, as written.
    pub raw: &'a str,
}

impl Fence<'_> {
    pub fn language(&self) -> &str {
        self.info.split([' ', '\t', ',']).next().unwrap_or_default()
    }

    /// The one line that is not blank, if there is exactly one.
    pub fn only_line(&self) -> Option<&str> {
        let mut lines = self.body.iter().map(|l| l.trim()).filter(|l| !l.is_empty());
        let first = lines.next()?;
        lines.next().is_none().then_some(first)
    }
}

/// Splits `content`; an unclosed fence is a fault of `file`.
pub fn blocks<'a>(
    content: &'a str,
    file: &str,
    faults: &mut Faults,
) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    let mut text_start: Option<(usize, usize)> = None;
    let mut lines = numbered_lines(content).peekable();

    while let Some(at) = lines.next() {
        let block = if let Some(opening) = Opening::of(at.text) {
            let mut body = Vec::new();
            let mut closed_at = None;
            for inner in lines.by_ref() {
                let stripped =
                    strip_prefix(inner.text, opening.width, opening.quotes);
                if opening.closes(stripped) {
                    closed_at = Some(inner.end);
                    break;
                }
                body.push(stripped);
            }
            if closed_at.is_none() {
                faults.add(
                    file,
                    at.number,
                    "this code fence is never closed",
                    "close it with the same marker on a line of its own",
                );
            }
            Some(Block::Fence(Fence {
                line: at.number,
                prefix: opening.prefix,
                info: opening.info,
                body,
                raw: &content[at.start..closed_at.unwrap_or(content.len())],
            }))
        } else if let Some(directive) = at.text.strip_prefix(":::") {
            let directive = directive.trim();
            let (kind, args) =
                directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
            Some(if kind.is_empty() {
                Block::Close { line: at.number }
            } else {
                Block::Open { line: at.number, kind, args: args.trim() }
            })
        } else {
            None
        };

        match block {
            None => {
                text_start.get_or_insert((at.number, at.start));
            }
            Some(block) => {
                if let Some((line, start)) = text_start.take() {
                    blocks
                        .push(Block::Text { line, text: &content[start..at.start] });
                }
                blocks.push(block);
            }
        }
    }
    if let Some((line, start)) = text_start {
        blocks.push(Block::Text { line, text: &content[start..] });
    }
    blocks
}

struct Line<'a> {
    number: usize,
    start: usize,
    /// Just after the line's end, its newline included.
    end: usize,
    text: &'a str,
}

fn numbered_lines(content: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    content.split_inclusive('\n').enumerate().map(move |(i, raw)| {
        let line = Line {
            number: i + 1,
            start,
            end: start + raw.len(),
            text: raw.trim_end_matches(['\n', '\r']),
        };
        start = line.end;
        line
    })
}

struct Opening<'a> {
    prefix: String,
    width: usize,
    quotes: usize,
    marker: char,
    length: usize,
    info: &'a str,
}

impl<'a> Opening<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let width = container_width(line);
        let rest = &line[width..];
        let marker = rest.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let length = rest.chars().take_while(|&c| c == marker).count();
        let info = rest[length..].trim();
        // A backtick in the info string makes it a code span instead.
        if length < 3 || (marker == '`' && info.contains('`')) {
            return None;
        }
        Some(Opening {
            prefix: continuation(&line[..width]),
            width,
            quotes: line[..width].matches('>').count(),
            marker,
            length,
            info,
        })
    }

    fn closes(&self, stripped: &str) -> bool {
        let stripped = stripped.trim();
        stripped.len() >= self.length && stripped.chars().all(|c| c == self.marker)
    }
}

/// The bytes of `line` taken by indentation, quotation marks and list markers.
pub fn container_width(line: &str) -> usize {
    let bytes = line.as_bytes();
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        at += match rest.first() {
            Some(b' ' | b'\t' | b'>') => 1,
            Some(b'-' | b'*' | b'+') if rest.get(1) == Some(&b' ') => 2,
            Some(_)
                if digits > 0
                    && matches!(rest.get(digits), Some(b'.' | b')'))
                    && rest.get(digits + 1) == Some(&b' ') =>
            {
                digits + 2
            }
            _ => return at,
        };
    }
}

/// The prefix of a line that continues the block that `prefix` began: list markers become spaces.
pub fn continuation(prefix: &str) -> String {
    prefix.chars().map(|c| if matches!(c, '>' | '\t') { c } else { ' ' }).collect()
}

/// Takes off at most `width` bytes of spaces and at most `quotes` quotation marks.
fn strip_prefix(line: &str, width: usize, mut quotes: usize) -> &str {
    let mut at = 0;
    for b in line.bytes().take(width) {
        match b {
            b' ' | b'\t' => {}
            b'>' if quotes > 0 => quotes -= 1,
            _ => break,
        }
        at += 1;
    }
    &line[at..]
}
