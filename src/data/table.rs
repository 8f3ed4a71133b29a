use std::fs::File;
use std::io::Read;
use std::path::Path;

use nalgebra::DMatrix;

use crate::{Error, Result};

/// A CSV file with a header line, kept as text until its columns are asked for as numbers.
///
/// ```
/// use mixtures::data::Table;
///
/// let text = "length,width,species\n5.1,3.5,setosa\n4.9,3.0,setosa\n";
/// let table = Table::parse("iris.csv", text.as_bytes())?;
/// assert_eq!(table.columns(&["width", "length"])?.row(1).iter().collect::<Vec<_>>(), [&3.0, &4.9]);
/// let error = table.matrix().unwrap_err().to_string();
/// assert!(error.starts_with("iris.csv, line 2, column \"species\": \"setosa\" is not a finite number"));
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    file: String,
    names: Vec<String>,
    /// Each row with the line that it begins on.
    records: Vec<(u64, csv::StringRecord)>,
}

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    /// If the file cannot be opened, has no header or no rows, or a row has more or fewer fields
    /// than the header.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let name = path.as_ref().display().to_string();
        match File::open(&path) {
            Ok(file) => Table::parse(&name, file),
            Err(e) => Err(fault(&name, None, None, format!("cannot be opened: {e}"))),
        }
    }

    /// Reads from anything that can be read; `name` stands in the errors.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn parse(name: &str, from: impl Read) -> Result<Self> {
        let text = std::io::read_to_string(from).map_err(|e| {
            fault(name, None, None, format!("cannot be read as UTF-8 text: {e}"))
        })?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let whole = |e: csv::Error| {
            let reason = match e.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    format!("has {len} fields, but the header has {expected_len}")
                }
                _ => e.to_string(),
            };
            fault(name, e.position().map(|p| line_of(&text, p)), None, reason)
        };
        let names: Vec<String> =
            reader.headers().map_err(whole)?.iter().map(String::from).collect();
        let mut records = Vec::new();
        for record in reader.records() {
            let record = record.map_err(whole)?;
            let line = record.position().map_or(0, |p| line_of(&text, p));
            records.push((line, record));
        }
        if names.is_empty() || records.is_empty() {
            let missing = if names.is_empty() {
                "there is no header line"
            } else {
                "there are no rows"
            };
            return Err(fault(name, None, None, missing.to_string()));
        }
        Ok(Table { file: name.to_string(), names, records })
    }

    /// The names in the header.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// All columns as numbers, N×D in the file's order.
    ///
    /// # Errors
    /// If a field is not a finite number: the error names its line, column and text.
    pub fn matrix(&self) -> Result<DMatrix<f64>> {
        self.numbers(&(0..self.names.len()).collect::<Vec<_>>())
    }

    /// The named columns as numbers, N×(as many as named), in the order named.
    ///
    /// # Errors
    /// If there is no such column, or a field of one is not a finite number.
    pub fn columns(&self, names: &[&str]) -> Result<DMatrix<f64>> {
        let indices: Vec<usize> =
            names.iter().map(|n| self.index(n)).collect::<Result<_>>()?;
        self.numbers(&indices)
    }

    /// The named column as text: labels to compare a fit with.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn text(&self, name: &str) -> Result<Vec<&str>> {
        let index = self.index(name)?;
        Ok(self.records.iter().map(|(_, record)| &record[index]).collect())
    }

    fn index(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|n| n == name).ok_or_else(|| {
            let known = self.names.join(", ");
            fault(
                &self.file,
                None,
                Some(name),
                format!("no such column; there are {known}"),
            )
        })
    }

    fn numbers(&self, columns: &[usize]) -> Result<DMatrix<f64>> {
        let mut x = DMatrix::zeros(self.records.len(), columns.len());
        for (n, (line, record)) in self.records.iter().enumerate() {
            for (j, &column) in columns.iter().enumerate() {
                let field = &record[column];
                x[(n, j)] = match field.parse::<f64>() {
                    Ok(value) if value.is_finite() => value,
                    _ => {
                        let reason = match field {
                            "" => {
                                "is empty; fill the gap or remove the row".to_string()
                            }
                            _ => format!("{field:?} is not a finite number"),
                        };
                        return Err(fault(
                            &self.file,
                            Some(*line),
                            Some(&self.names[column]),
                            reason,
                        ));
                    }
                };
            }
        }
        Ok(x)
    }
}

/// The line that a record begins on: the reader's position is from before any blank lines.
fn line_of(text: &str, position: &csv::Position) -> u64 {
    let blank =
        text[position.byte() as usize..].bytes().take_while(|b| b"\r\n".contains(b));
    position.line() + blank.filter(|&b| b == b'\n').count() as u64
}

fn fault(
    file: &str,
    line: Option<u64>,
    column: Option<&str>,
    reason: String,
) -> Error {
    Error::Csv {
        file: file.to_string(),
        line,
        column: column.map(String::from),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        let table = Table::parse("t.csv", text.as_bytes());
        table.and_then(|t| t.matrix()).unwrap_err().to_string()
    }

    #[test]
    fn faults_name_line_and_column() {
        assert_eq!(
            message("a,b\n1,2\n3,x\n"),
            "t.csv, line 3, column \"b\": \"x\" is not a finite number"
        );
        assert_eq!(
            message("a,b\n1,2\n\n3,\n"),
            "t.csv, line 4, column \"b\": is empty; fill the gap or remove the row"
        );
        assert_eq!(
            message("a,b\n1,2\n3\n"),
            "t.csv, line 3: has 1 fields, but the header has 2"
        );
        assert_eq!(
            message("a\nNaN\n"),
            "t.csv, line 2, column \"a\": \"NaN\" is not a finite number"
        );
        assert_eq!(message("a,b\n"), "t.csv: there are no rows");
        assert_eq!(message(""), "t.csv: there is no header line");
        let table = Table::parse("t.csv", "a,b\n1,2\n".as_bytes()).unwrap();
        assert_eq!(
            table.columns(&["c"]).unwrap_err().to_string(),
            "t.csv, column \"c\": no such column; there are a, b"
        );
        let missing = Table::read("no/such.csv").unwrap_err().to_string();
        assert!(missing.starts_with("no/such.csv: cannot be opened"), "{missing}");
    }

    #[test]
    fn quotes_and_spaces_are_read() {
        let table =
            Table::parse("t.csv", "a,\"b c\"\n 1 ,\"2\"\n".as_bytes()).unwrap();
        assert_eq!(table.columns(&["b c", "a"]).unwrap().as_slice(), [2.0, 1.0]);
        assert_eq!(table.text("a").unwrap(), ["1"]);
    }
}
