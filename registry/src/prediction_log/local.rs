//! Predictions that are still in local segment files, of this process or of others that share the folder.

use std::io;
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;

use super::columns::SegmentRows;
use super::segment::{Contents, EXTENSION};
use super::shape::Shape;
use crate::pace::Pace;
use crate::{Micros, Result};

/// The files of a folder with this extension, oldest first.
pub(super) fn files(folder: &Path, wanted: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == wanted) {
            paths.push(path);
        }
    }
    // Names begin with a UUIDv7: they sort by the start of their process, then by number.
    paths.sort();
    Ok(paths)
}

/// The rows of one shape in one segment.
pub(super) struct Group {
    pub(super) shape: Shape,
    pub(super) rows: RecordBatch,
}

/// Sorts the records of a segment by shape, those that are wanted by shape and time; also says how many bytes were
/// damaged.
pub(super) fn groups(
    contents: &Contents,
    wanted: impl Fn(&Shape, Micros) -> bool,
) -> Result<(Vec<Group>, usize)> {
    let mut tables: Vec<(Shape, SegmentRows)> = Vec::new();
    let mut pace = Pace::new();
    let damaged = contents.visit(|shape, record| {
        pace.step();
        if !wanted(shape, record.at) {
            return;
        }
        let place =
            tables.iter().position(|(known, _)| known.digest() == shape.digest()).unwrap_or_else(|| {
                tables.push((shape.clone(), SegmentRows::new(shape)));
                tables.len() - 1
            });
        tables[place].1.push(&record);
    });
    let groups = tables.into_iter().map(|(shape, mut rows)| Ok(Group { rows: rows.finish()?, shape }));
    Ok((groups.collect::<Result<Vec<_>>>()?, damaged))
}

/// The local rows that are wanted, by shape and time. A file that is sealed meanwhile is no longer there, and its
/// rows are in object storage: list those after this.
pub(super) fn read_folder(folder: &Path, wanted: impl Fn(&Shape, Micros) -> bool) -> Result<Vec<Group>> {
    let paths = files(folder, EXTENSION).map_err(|error| super::unavailable("list the folder of", &error))?;
    let mut all = Vec::new();
    for path in paths {
        let contents = match Contents::read(&path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                tracing::error!(path = %path.display(), error = %error, "a log segment is not readable");
                continue;
            }
        };
        all.extend(groups(&contents, &wanted)?.0);
    }
    Ok(all)
}
