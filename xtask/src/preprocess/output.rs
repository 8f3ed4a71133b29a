//! Reads what an example printed: its sections and its values.

/// `book/output/chNN.txt`: sections headed by `# name`, values as `key = value`.
#[derive(Debug, Default)]
pub struct Output {
    pub sections: Vec<Section>,
    values: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Section {
    pub name: String,
    pub line: usize,
    pub text: String,
}

impl Output {
    pub fn parse(text: &str) -> Self {
        let mut output = Output::default();
        for (i, line) in text.lines().enumerate() {
            if let Some(name) = line.strip_prefix("# ") {
                output.sections.push(Section {
                    name: name.trim().to_string(),
                    line: i + 1,
                    text: String::new(),
                });
                continue;
            }
            if let Some(section) = output.sections.last_mut() {
                section.text.push_str(line.trim_end());
                section.text.push('\n');
            }
            if let Some((key, value)) = line.trim_start().split_once(" = ") {
                output
                    .values
                    .push((key.trim_end().to_string(), value.trim().to_string()));
            }
        }
        for section in &mut output.sections {
            section.text = section.text.trim_matches('\n').to_string();
        }
        output
    }

    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// The value of `key`, or how many lines have that key if it is not exactly one.
    pub fn value(&self, key: &str) -> Result<&str, usize> {
        let mut found = self.values.iter().filter(|(k, _)| k == key);
        match (found.next(), found.count()) {
            (Some((_, value)), 0) => Ok(value),
            (None, _) => Err(0),
            (Some(_), more) => Err(more + 1),
        }
    }
}

/// A value in running text: nothing in it is Markdown, and a minus sign looks like one.
pub fn in_prose(value: &str) -> String {
    let mut out = String::new();
    for (i, c) in value.char_indices() {
        let number_follows =
            value[i + c.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
        if c == '-' && number_follows {
            out.push('\u{2212}');
        } else if c.is_ascii_punctuation() {
            out.push_str(&format!("&#{};", c as u32));
        } else {
            out.push(c);
        }
    }
    out
}

/// A value inside a formula: `1.2e-12` becomes `1.2 \times 10^{-12}`.
pub fn in_math(value: &str) -> String {
    match value.split_once('e') {
        Some((mantissa, exponent))
            if mantissa.parse::<f64>().is_ok() && exponent.parse::<i32>().is_ok() =>
        {
            let exponent = exponent.trim_start_matches('+');
            format!("{mantissa} \\times 10^{{{exponent}}}")
        }
        _ => value.replace('%', "\\%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_values() {
        let output = Output::parse(
            "# first run\n\n  mean = 3.5\na = 1\n\n# next\nmean x = 2\na = 1\n",
        );
        assert_eq!(output.section("first run").unwrap().text, "  mean = 3.5\na = 1");
        assert_eq!(output.value("mean"), Ok("3.5"));
        assert_eq!(output.value("mean x"), Ok("2"));
        assert_eq!(output.value("a"), Err(2));
        assert_eq!(output.value("b"), Err(0));
    }

    #[test]
    fn exponents_are_set_as_powers() {
        assert_eq!(in_math("-1.5e-12"), "-1.5 \\times 10^{-12}");
        assert_eq!(in_math("12.5"), "12.5");
        assert_eq!(in_prose("a_b"), "a&#95;b");
        assert_eq!(in_prose("-15"), "\u{2212}15");
    }
}
