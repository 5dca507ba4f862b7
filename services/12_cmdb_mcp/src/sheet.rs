//! A CSV text as rows that can be changed one by one, the others staying as they are.
//!
//! Rows are kept as bytes, so that rows nobody understands survive a change of their neighbours.
//! Columns of other programs stay too. What the columns mean is not known here.

use csv::{ByteRecord, ReaderBuilder, Terminator, WriterBuilder};

/// Most rows of one file.
pub(crate) const MAX_ROWS: usize = 100_000;

/// A header and its rows.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    header: Vec<String>,
    rows: Vec<ByteRecord>,
    crlf: bool,
}

/// Why a text is no sheet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SheetError {
    /// The header lacks a column.
    #[error("the header has no column {0}")]
    Column(&'static str),
    /// Two columns have one name.
    #[error("the header has column {0} twice")]
    Twice(String),
    /// More rows than [`MAX_ROWS`].
    #[error("more than {MAX_ROWS} rows")]
    TooLong,
    /// Not CSV.
    #[error("not CSV text")]
    Csv(#[from] csv::Error),
}

impl Sheet {
    /// No rows under these columns.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            header: columns.into_iter().map(str::to_owned).collect(),
            rows: Vec::new(),
            crlf: false,
        }
    }

    /// Reads a text whose header has at least the columns `required`.
    pub(crate) fn parse(text: &[u8], required: &[&'static str]) -> Result<Self, SheetError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(text);
        let header = reader.byte_headers()?;
        let header: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
            .collect();
        if let Some(missing) = required
            .iter()
            .find(|name| !header.iter().any(|h| h == *name))
        {
            return Err(SheetError::Column(missing));
        }
        for (index, name) in header.iter().enumerate() {
            if !name.is_empty() && header.iter().skip(index + 1).any(|other| other == name) {
                return Err(SheetError::Twice(name.clone()));
            }
        }
        let mut rows = Vec::new();
        for row in reader.byte_records() {
            if rows.len() == MAX_ROWS {
                return Err(SheetError::TooLong);
            }
            rows.push(row?);
        }
        let first_line = text.split(|byte| *byte == b'\n').next();
        let crlf = first_line.is_some_and(|line| line.ends_with(b"\r"));
        Ok(Self { header, rows, crlf })
    }

    /// The whole text.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, SheetError> {
        let terminator = match self.crlf {
            true => Terminator::CRLF,
            false => Terminator::Any(b'\n'),
        };
        let mut writer = WriterBuilder::new()
            .flexible(true)
            .terminator(terminator)
            .from_writer(Vec::new());
        writer.write_record(&self.header)?;
        for row in &self.rows {
            writer.write_byte_record(row)?;
        }
        writer
            .into_inner()
            .map_err(|error| SheetError::Csv(error.into_error().into()))
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Names of the columns.
    pub(crate) fn columns(&self) -> usize {
        self.header.len()
    }

    /// How many fields a row has.
    pub(crate) fn width(&self, row: usize) -> usize {
        self.rows.get(row).map_or(0, ByteRecord::len)
    }

    /// The text of a field, `""` when the row is short or the column missing; `None` when it is not
    /// UTF-8.
    pub(crate) fn get(&self, row: usize, column: &str) -> Option<&str> {
        let field = self
            .position(column)
            .and_then(|position| self.rows.get(row)?.get(position));
        std::str::from_utf8(field.unwrap_or_default()).ok()
    }

    /// Sets fields of a row, adding columns that are missing and hold something.
    pub(crate) fn set(&mut self, row: usize, fields: &[(&str, &str)]) {
        for (column, text) in fields {
            if self.position(column).is_none() && !text.is_empty() {
                self.header.push((*column).to_owned());
            }
        }
        let Some(old) = self.rows.get(row) else {
            return;
        };
        let mut values: Vec<Vec<u8>> = old.iter().map(<[u8]>::to_vec).collect();
        values.resize(values.len().max(self.header.len()), Vec::new());
        for (column, text) in fields {
            let slot = self.position(column).and_then(|at| values.get_mut(at));
            if let Some(slot) = slot {
                *slot = text.as_bytes().to_vec();
            }
        }
        if let Some(row) = self.rows.get_mut(row) {
            *row = values.into_iter().collect();
        }
    }

    /// Adds a row at the end.
    pub(crate) fn add(&mut self, fields: &[(&str, &str)]) {
        self.rows.push(ByteRecord::new());
        self.set(self.rows.len() - 1, fields);
    }

    /// Keeps the rows for which `keep` says so; it gets their indices.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut index = 0;
        self.rows.retain(|_| {
            index += 1;
            keep(index - 1)
        });
    }

    fn position(&self, column: &str) -> Option<usize> {
        self.header.iter().position(|name| name == column)
    }
}

/// The number of a row for people: as a spreadsheet shows it, the header being row 1.
pub(crate) const fn number(row: usize) -> usize {
    row + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, edit: impl FnOnce(&mut Sheet), expected: &str) {
        let mut sheet = Sheet::parse(text.as_bytes(), &["a"]).unwrap();
        edit(&mut sheet);
        let bytes = sheet.to_bytes().unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn untouched_rows_and_foreign_columns_stay() {
        check(
            "\u{feff}A,x\r\n1,\"y,y\"\r\n2\r\n",
            |sheet| sheet.set(1, &[("a", "3"), ("b", "new"), ("c", "")]),
            "a,x,b\r\n1,\"y,y\"\r\n3,,new\r\n",
        );
        check(
            "a\n1\n2\n3\n",
            |sheet| sheet.retain(|row| row != 1),
            "a\n1\n3\n",
        );
        check("a\n", |sheet| sheet.add(&[("a", "x\ny")]), "a\n\"x\ny\"\n");
    }

    #[test]
    fn bytes_that_are_no_text_survive() {
        let mut sheet = Sheet::parse(b"a,b\n\xff,1\n2,2\n", &["a"]).unwrap();
        assert_eq!(sheet.get(0, "a"), None);
        sheet.set(1, &[("b", "3")]);
        assert_eq!(sheet.to_bytes().unwrap(), b"a,b\n\xff,1\n2,3\n");
    }

    #[test]
    fn a_header_that_cannot_be_used_is_refused() {
        let refused = |text: &str| {
            let error = Sheet::parse(text.as_bytes(), &["a", "b"]).unwrap_err();
            error.to_string()
        };
        assert_eq!(refused("a,c\n"), "the header has no column b");
        assert_eq!(refused(""), "the header has no column a");
        assert_eq!(refused("a,b,A\n"), "the header has column a twice");
    }
}
