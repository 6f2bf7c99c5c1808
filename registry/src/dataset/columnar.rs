//! Parquet files of our own: written for datasets and for the prediction log, and read back.
//!
//! Files from outside are not read here but in `foreign`, which trusts nothing.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::pace::Pace;
use crate::{Error, Result};

/// Rows of one batch when a file is read.
const BATCH_ROWS: usize = 65_536;
/// A row group is closed at this many bytes in memory.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Rows that are written without a pause.
const STRETCH_ROWS: usize = 128;
/// Rows of a page that is written beside requests.
const PAGE_ROWS: usize = 1024;

/// The columns that a reader wants.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// Every one.
    All,
    /// These, in the file's order.
    Named(Vec<String>),
}

impl Wanted {
    /// Columns by name.
    pub(crate) fn named(names: &[&str]) -> Self {
        Self::Named(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|known| known == name),
        }
    }

    /// The wanted columns of a batch in memory.
    pub(crate) fn project(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let fields = batch.schema();
        let places = fields.fields().iter().enumerate().filter(|(_, field)| self.contains(field.name()));
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        batch.project(&places).map_err(Error::internal)
    }
}

/// A Parquet file under construction. The same rows give the same bytes.
pub(crate) struct FileWriter {
    writer: ArrowWriter<Vec<u8>>,
}

impl FileWriter {
    pub(crate) fn new(schema: SchemaRef) -> Result<Self> {
        Self::with(schema, properties()?)
    }

    fn with(schema: SchemaRef, properties: WriterPropertiesBuilder) -> Result<Self> {
        let writer =
            ArrowWriter::try_new(Vec::new(), schema, Some(properties.build())).map_err(Error::internal)?;
        Ok(Self { writer })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(Error::internal)?;
        if self.writer.in_progress_size() >= ROW_GROUP_BYTES {
            self.writer.flush().map_err(Error::internal)?;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Bytes> {
        self.writer.into_inner().map(Bytes::from).map_err(Error::internal)
    }
}

fn properties() -> Result<WriterPropertiesBuilder> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(Error::internal)?))
        // The library's name and version would change the hash of a dataset with every upgrade.
        .set_created_by("chasqui".to_owned()))
}

/// One batch as a file, beside requests: in short stretches, with pages that are compressed in one of them. Numbers, and
/// the texts that are all `distinct`, have no dictionary, which would be compressed at once at the end.
pub(crate) fn write_slowly(batch: &RecordBatch, distinct: &[&str]) -> Result<Bytes> {
    let schema = batch.schema();
    let mut properties =
        properties()?.set_data_page_row_count_limit(PAGE_ROWS).set_write_batch_size(STRETCH_ROWS);
    for field in schema.fields() {
        let name = field.name();
        let is_few = *field.data_type() == DataType::Utf8 && !distinct.contains(&name.as_str());
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name.as_str()), is_few);
    }
    let (mut writer, mut pace) = (FileWriter::with(schema, properties)?, Pace::new());
    for start in (0..batch.num_rows()).step_by(STRETCH_ROWS) {
        writer.write(&batch.slice(start, STRETCH_ROWS.min(batch.num_rows() - start)))?;
        pace.step();
    }
    writer.finish()
}

/// Reads a file that [`FileWriter`] wrote.
pub(crate) fn read_own(bytes: Bytes, wanted: &Wanted) -> Result<Vec<RecordBatch>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(Error::internal)?;
    let schema = Arc::clone(builder.schema());
    let places = schema.fields().iter().enumerate().filter(|(_, field)| wanted.contains(field.name()));
    let mask = ProjectionMask::roots(builder.parquet_schema(), places.map(|(place, _)| place));
    let reader =
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(Error::internal)?;
    reader.map(|batch| batch.map_err(Error::internal)).collect()
}
