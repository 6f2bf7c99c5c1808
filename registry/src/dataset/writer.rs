//! A dataset on its way into Parquet, profiled as it passes.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use super::columnar::FileWriter;
use super::profile::{ColumnSummary, Profiler};
use crate::{Error, Result};

/// What takes the rows of a file, in batches of one schema.
pub(super) type Sink<'a> = dyn FnMut(&RecordBatch) -> Result<()> + 'a;

/// Takes batches of one schema.
pub(crate) struct DatasetWriter {
    file: FileWriter,
    profilers: Vec<Profiler>,
    rows: u64,
}

/// What came out.
pub(crate) struct Written {
    pub(crate) parquet: Bytes,
    pub(crate) profile: Vec<ColumnSummary>,
    pub(crate) rows: u64,
}

impl DatasetWriter {
    pub(crate) fn new(schema: SchemaRef) -> Result<Self> {
        let profilers =
            schema.fields().iter().map(|field| Profiler::new(field)).collect::<Result<Vec<_>>>()?;
        Ok(Self { file: FileWriter::new(schema)?, profilers, rows: 0 })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for (profiler, column) in self.profilers.iter_mut().zip(batch.columns()) {
            profiler.add(column);
        }
        self.rows += batch.num_rows() as u64;
        self.file.write(batch)
    }

    pub(crate) fn finish(self) -> Result<Written> {
        if self.rows == 0 {
            return Err(Error::Invalid("there are no rows".to_owned()));
        }
        let profile = self.profilers.into_iter().map(Profiler::finish).collect();
        Ok(Written { parquet: self.file.finish()?, profile, rows: self.rows })
    }
}
