//! The sizes that the pages of a Parquet file claim, read before any page is.
//!
//! A decoder reserves what a page header claims. Only headers are walked here (Apache Parquet format,
//! `PageHeader`; Thrift compact protocol), by a reader that knows no more of Thrift than it needs.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::ChunkReader;

use crate::{Error, Result};

/// Largest page, decompressed. Writers make pages of about 1 MiB; a dictionary page may be larger.
const MAX_PAGE_BYTES: i64 = 256 << 20;
/// All pages together, decompressed.
const MAX_TOTAL_BYTES: i64 = 8 << 30;
const MAX_DEPTH: usize = 8;
/// Bytes that hold nearly every page header; more are read where one is longer.
const HEADER_BYTES: u64 = 1024;

/// Thrift's type codes that are looked for.
const STOP: u8 = 0;
const INT32: u8 = 5;

/// Checks every page of every column.
pub(super) fn check<R: ChunkReader>(source: &R, metadata: &ParquetMetaData) -> Result<()> {
    let mut total = 0_i64;
    for group in metadata.row_groups() {
        for column in group.columns() {
            total = total.saturating_add(check_column(source, column)?);
            if total > MAX_TOTAL_BYTES {
                return Err(Error::TooLarge(format!(
                    "the file decompresses to more than {MAX_TOTAL_BYTES} bytes"
                )));
            }
        }
    }
    Ok(())
}

/// Walks the pages of one column chunk; returns their decompressed size.
fn check_column<R: ChunkReader>(source: &R, column: &ColumnChunkMetaData) -> Result<i64> {
    let name = column.column_path().string();
    let damaged =
        || Error::Invalid(format!("the Parquet file is damaged: column `{name}` is not where it should be"));
    let first =
        column.dictionary_page_offset().filter(|&offset| offset > 0).unwrap_or(column.data_page_offset());
    let first = first.min(column.data_page_offset());
    let mut place = u64::try_from(first).map_err(|_| damaged())?;
    let length = u64::try_from(column.compressed_size()).map_err(|_| damaged())?;
    let end = place.checked_add(length).filter(|end| *end <= source.len()).ok_or_else(damaged)?;
    let mut total = 0_i64;
    while place < end {
        let header = header_at(source, place, end).ok_or_else(damaged)?;
        if header.decompressed > MAX_PAGE_BYTES {
            let claimed = header.decompressed;
            return Err(Error::TooLarge(format!(
                "a page of column `{name}` claims {claimed} bytes; at most {MAX_PAGE_BYTES} are read"
            )));
        }
        let compressed = u64::try_from(header.compressed).map_err(|_| damaged())?;
        let next = place.checked_add(header.length).and_then(|begin| begin.checked_add(compressed));
        place = next.filter(|next| *next <= end).ok_or_else(damaged)?;
        total = total.saturating_add(header.decompressed);
    }
    Ok(total)
}

/// What a page header says.
struct Header {
    decompressed: i64,
    compressed: i64,
    /// Its own bytes.
    length: u64,
}

fn header_at<R: ChunkReader>(source: &R, place: u64, end: u64) -> Option<Header> {
    let mut window = HEADER_BYTES;
    loop {
        let size = window.min(end - place);
        let bytes = source.get_bytes(place, usize::try_from(size).ok()?).ok()?;
        let mut thrift = Thrift { rest: &bytes };
        if let Some((decompressed, compressed)) = thrift.page_sizes() {
            let length = (bytes.len() - thrift.rest.len()) as u64;
            return Some(Header { decompressed, compressed, length });
        }
        if size == end - place {
            return None;
        }
        window = window.saturating_mul(64);
    }
}

/// Thrift's compact protocol, as far as skipping over fields needs it.
struct Thrift<'a> {
    rest: &'a [u8],
}

impl Thrift<'_> {
    /// Reads a `PageHeader` to its end: `uncompressed_page_size` (field 2) and `compressed_page_size` (field 3).
    fn page_sizes(&mut self) -> Option<(i64, i64)> {
        let (mut decompressed, mut compressed) = (None, None);
        let mut id = 0;
        loop {
            let kind = self.field(&mut id)?;
            match (id, kind) {
                (_, STOP) => break,
                (2, INT32) => decompressed = Some(self.zigzag()?),
                (3, INT32) => compressed = Some(self.zigzag()?),
                _ => self.skip(kind, MAX_DEPTH)?,
            }
        }
        Some((decompressed.filter(|&size| size >= 0)?, compressed.filter(|&size| size >= 0)?))
    }

    /// The type of the next field, whose number replaces `id`; `STOP` at the end of the struct.
    fn field(&mut self, id: &mut i64) -> Option<u8> {
        let byte = self.byte()?;
        if byte != STOP {
            *id = match byte >> 4 {
                0 => self.zigzag()?,
                delta => id.checked_add(i64::from(delta))?,
            };
        }
        Some(byte & 0x0f)
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.advance(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.advance(8),
            8 => {
                let length = self.varint()?;
                self.advance(usize::try_from(length).ok()?)
            }
            9 | 10 => self.skip_list(depth),
            12 => {
                let mut id = 0;
                loop {
                    match self.field(&mut id)? {
                        STOP => return Some(()),
                        kind => self.skip(kind, depth)?,
                    }
                }
            }
            _ => None,
        }
    }

    fn skip_list(&mut self, depth: usize) -> Option<()> {
        let byte = self.byte()?;
        let count = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
        let kind = byte & 0x0f;
        for _ in 0..count {
            // In a list a boolean takes a byte, unlike in a struct.
            let kind = if kind <= 2 { 3 } else { kind };
            self.skip(kind, depth)?;
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn advance(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
