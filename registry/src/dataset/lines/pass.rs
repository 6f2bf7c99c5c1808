//! JSON lines larger than memory: once over all lines to conclude the types, once more to read them.

use std::io::{BufRead, BufReader, Read};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{Filler, Findings};
use crate::dataset::input::Input;
use crate::dataset::text::{self, TextEncoding};
use crate::dataset::{ColumnFormat, Upload};
use crate::{Error, Result};

/// The lines of a file, numbered from 1.
struct LineReader {
    reader: BufReader<Box<dyn Read + Send>>,
    line: String,
    number: u64,
}

impl LineReader {
    fn open(input: &Input, encoding: TextEncoding) -> Result<Self> {
        let reader = BufReader::with_capacity(1 << 16, text::reader(input.reader()?, encoding));
        Ok(Self { reader, line: String::new(), number: 0 })
    }

    /// The next line that is not blank.
    fn next(&mut self, input: &Input) -> Result<Option<(u64, &str)>> {
        loop {
            self.line.clear();
            self.number += 1;
            let number = self.number;
            let count = self
                .reader
                .read_line(&mut self.line)
                .map_err(|error| Error::Invalid(format!("row {number}: the file cannot be read: {error}")))?;
            if count == 0 {
                return Ok(None);
            }
            input.begin_row();
            if !self.line.trim().is_empty() {
                break;
            }
        }
        Ok(Some((self.number, self.line.trim_end_matches(['\r', '\n']))))
    }
}

/// A pass over lines whose columns are known.
pub(in crate::dataset) struct LinePass {
    lines: LineReader,
    filler: Filler,
    encoding: TextEncoding,
}

impl LinePass {
    /// Looks at every line, and begins again at the first.
    pub(in crate::dataset) fn begin(input: &Input, encoding: TextEncoding, upload: &Upload) -> Result<Self> {
        let mut lines = LineReader::open(input, encoding)?;
        let mut findings = Findings::default();
        while let Some((row, line)) = lines.next(input)? {
            findings.add(row, line)?;
        }
        let (names, formats): (Vec<String>, Vec<ColumnFormat>) = findings.conclude(upload)?;
        let filler = Filler::new(&names, &formats);
        Ok(Self { lines: LineReader::open(input, encoding)?, filler, encoding })
    }

    /// The schema of the batches.
    pub(in crate::dataset) fn schema(&self) -> SchemaRef {
        self.filler.columns.schema()
    }

    /// How the text is encoded.
    pub(in crate::dataset) fn encoding(&self) -> TextEncoding {
        self.encoding
    }

    /// The next rows.
    pub(in crate::dataset) fn next(&mut self, input: &Input) -> Result<Option<RecordBatch>> {
        while let Some((row, line)) = self.lines.next(input)? {
            self.filler.add(row, line)?;
            if self.filler.columns.is_full() {
                return self.filler.columns.take().map(Some);
            }
        }
        if self.filler.columns.is_empty() { Ok(None) } else { self.filler.columns.take().map(Some) }
    }
}
