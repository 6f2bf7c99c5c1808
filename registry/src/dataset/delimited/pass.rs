//! One pass over delimited text that may be larger than memory: values are read with the types that the beginning of
//! the file suggests while every row is still evidence of the types. Where the evidence of all rows says otherwise, the
//! answer is to begin again with the types that it proved; so the result is that of looking at every row first.

use arrow::record_batch::RecordBatch;
use csv::StringRecord;

use super::{Delimited, Rows, apply_types, check_last_quote, check_row, may_be_unclosed, names_of};
use crate::Result;
use crate::dataset::cells::TableBuilder;
use crate::dataset::dialect::Dialect;
use crate::dataset::infer::{self, ColumnFormat, ColumnType, Evidence, Stated};
use crate::dataset::input::Input;
use crate::dataset::number::DecimalMark;
use crate::dataset::{Upload, text};

/// Rows of a batch: small enough that what was just read is still in the processor's cache when it is used.
const BATCH_ROWS: usize = 4096;
/// As many of the last bytes as it takes to see whether a quote was closed.
const END_BYTES: u64 = 256;

impl Delimited {
    /// What the beginning of a text says about all of it.
    pub(in crate::dataset) fn presume(sample: &str, dialect: Dialect, upload: &Upload) -> Result<Self> {
        let mut rows = Rows::open(Box::new(sample.as_bytes()), &dialect);
        let mut record = StringRecord::new();
        rows.next(&mut record)?;
        let names = names_of(&record, dialect.header)?;
        let mut evidence = vec![Evidence::default(); names.len()];
        let mut more = !dialect.header || rows.next(&mut record)?;
        while more {
            // The last row may be cut; one that is wrong is met again, and told, when all rows are read.
            if record.len() == names.len() {
                record.iter().zip(&mut evidence).for_each(|(cell, evidence)| evidence.add(cell));
            }
            more = rows.next(&mut record)?;
        }
        let formats = decide(&names, &evidence, &dialect, upload)?;
        Ok(Self { dialect, names, formats })
    }
}

fn decide(
    names: &[String],
    evidence: &[Evidence],
    dialect: &Dialect,
    upload: &Upload,
) -> Result<Vec<ColumnFormat>> {
    let stated = Stated { decimal: upload.decimal, dates: upload.date_format };
    let mut formats = infer::decide(evidence, stated, dialect.delimiter);
    apply_types(names, &mut formats, upload)?;
    Ok(formats)
}

/// What a pass came to.
pub(in crate::dataset) enum Step {
    /// More rows.
    Rows(RecordBatch),
    /// Everything given so far was read with wrong types: begin again with these.
    Again(Delimited),
    /// There are no more rows.
    End,
}

/// One pass over a delimited file. Numbers of either kind are read as `Float64`.
pub(in crate::dataset) struct Pass {
    file: Delimited,
    rows: Rows<'static>,
    record: StringRecord,
    columns: TableBuilder,
    /// Of the types of all rows so far; none when they are certain.
    evidence: Option<Vec<Evidence>>,
    /// A cell does not have the presumed type: only evidence is collected from there on.
    refuted: bool,
    unclosed: Option<u64>,
}

impl Pass {
    /// Begins at the beginning. With `certain` types, a cell that does not fit is an error.
    pub(in crate::dataset) fn begin(file: Delimited, input: &Input, certain: bool) -> Result<Self> {
        let mut rows = Rows::open(text::reader(input.reader()?, file.dialect.encoding), &file.dialect);
        let mut record = StringRecord::new();
        if file.dialect.header {
            rows.next(&mut record)?;
        }
        let formats: Vec<ColumnFormat> = file.formats.iter().map(|format| as_number(*format)).collect();
        let columns = TableBuilder::new(&file.names, &formats).with_batch_rows(BATCH_ROWS);
        let evidence = (!certain).then(|| vec![Evidence::default(); file.names.len()]);
        Ok(Self { file, rows, record, columns, evidence, refuted: false, unclosed: None })
    }

    /// What was found or presumed.
    pub(in crate::dataset) fn file(&self) -> &Delimited {
        &self.file
    }

    /// The schema of the batches.
    pub(in crate::dataset) fn schema(&self) -> arrow::datatypes::SchemaRef {
        self.columns.schema()
    }

    /// The last row could not be read because it is not UTF-8.
    pub(in crate::dataset) fn is_garbled(&self) -> bool {
        self.rows.garbled
    }

    /// Reads on.
    pub(in crate::dataset) fn next(&mut self, input: &Input, upload: &Upload) -> Result<Step> {
        while self.rows.next(&mut self.record)? {
            input.begin_row();
            check_row(&self.record, &self.file.names, self.rows.number, &self.file.dialect)?;
            self.take_row()?;
            self.unclosed = may_be_unclosed(&self.record).then_some(self.rows.number);
            if !self.refuted && self.columns.is_full() {
                return self.columns.take().map(Step::Rows);
            }
        }
        if let Some(row) = self.unclosed.take() {
            check_last_quote(&input.end(END_BYTES)?, &self.file.dialect, row)?;
        }
        if !self.refuted && !self.columns.is_empty() {
            return self.columns.take().map(Step::Rows);
        }
        self.conclude(upload)
    }

    fn take_row(&mut self) -> Result<()> {
        let row = self.rows.number;
        for (place, cell) in self.record.iter().enumerate() {
            match &mut self.evidence {
                None => self.columns.push(place, cell, row)?,
                Some(evidence) if self.refuted => evidence[place].add(cell),
                Some(evidence) => {
                    if let Some((plain, mark)) = self.columns.push_plain(place, cell) {
                        evidence[place].add_plain(plain, mark);
                    } else {
                        evidence[place].add(cell);
                        self.refuted = self.columns.push(place, cell, row).is_err();
                    }
                }
            }
        }
        self.columns.end_row();
        Ok(())
    }

    fn conclude(&mut self, upload: &Upload) -> Result<Step> {
        let Some(evidence) = self.evidence.take() else { return Ok(Step::End) };
        let file = &self.file;
        let formats = decide(&file.names, &evidence, &file.dialect, upload)?;
        let same =
            formats.iter().zip(&file.formats).all(|(proved, presumed)| reads_alike(*proved, *presumed));
        if same && !self.refuted {
            return Ok(Step::End);
        }
        let (dialect, names) = (file.dialect.clone(), file.names.clone());
        Ok(Step::Again(Delimited { dialect, names, formats }))
    }
}

fn as_number(format: ColumnFormat) -> ColumnFormat {
    match format.kind {
        ColumnType::Int64 => ColumnFormat { kind: ColumnType::Float64, ..format },
        _ => format,
    }
}

/// Whether every cell that has both formats gives the same value in both.
fn reads_alike(a: ColumnFormat, b: ColumnFormat) -> bool {
    let mark = |format: ColumnFormat| format.decimal.unwrap_or(DecimalMark::Point);
    let (a, b) = (as_number(a), as_number(b));
    a.kind == b.kind && mark(a) == mark(b) && a.dates == b.dates
}
