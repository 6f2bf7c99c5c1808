//! Answers records that come line by line: for each line one line, in order. A line at fault gets its fault, and the
//! rest goes on; what can be asked together is.

use super::expect::Warnings;
use super::lines::Line;
use super::records::{Records, parse_one};
use super::rows::{Asked, Inquiry, Spread};
use super::schema::Schema;
use super::{friendly, json};
use crate::problem::Problem;

/// Most records that are asked at once.
const BATCH: usize = 256;

/// Lines on their way to one answer.
struct Batch<'a> {
    records: Records<'a>,
    /// What is known of each line before the model is asked: the warnings of a record, or its problem.
    lines: Vec<(u64, Result<Warnings, Problem>)>,
}

/// Answers lines whose problems are told in Spanish or in English.
pub(super) fn answer(inquiry: &Inquiry<'_>, lines: &[Line], is_spanish: bool) -> Result<Vec<u8>, Problem> {
    let schema = inquiry.records_only()?;
    let limit = inquiry.inference.limits.json_bytes;
    let told = |problem: Problem| if is_spanish { problem.in_spanish() } else { problem };
    let mut out = Vec::with_capacity(160 * lines.len());
    for chunk in lines.chunks(BATCH) {
        let mut batch = Batch { records: Records::new(), lines: Vec::with_capacity(chunk.len()) };
        for line in chunk {
            let read = read(inquiry, schema, line, limit).map(|(record, warnings)| {
                batch.records.append(record);
                warnings
            });
            batch.lines.push((line.number, read.map_err(told)));
        }
        write(inquiry, schema, batch, &mut out, &told);
    }
    Ok(out)
}

/// Reads one line and looks at what is expected of it.
fn read<'a>(
    inquiry: &Inquiry<'_>,
    schema: &Schema,
    line: &'a Line,
    limit: usize,
) -> Result<(Records<'a>, Warnings), Problem> {
    let bytes = line.bytes.as_ref().ok_or_else(|| Problem::too_large("the line", limit))?;
    let mut record = parse_one(bytes, schema)?;
    let warnings = inquiry.check(schema, &mut record)?;
    Ok((record, warnings))
}

fn write(
    inquiry: &Inquiry<'_>,
    schema: &Schema,
    batch: Batch<'_>,
    out: &mut Vec<u8>,
    told: &dyn Fn(Problem) -> Problem,
) {
    let metrics = &inquiry.inference.metrics;
    let refuse = |problem: &Problem| metrics.refuse(inquiry.route.name.as_str(), problem.code());
    let asked = ask(inquiry, schema, batch.records);
    let mut rows = asked.iter().flat_map(|part| match part {
        Ok(asked) => asked.rows().map(Ok).collect::<Vec<_>>(),
        Err(problem) => vec![Err(problem)],
    });
    for (number, known) in &batch.lines {
        match known {
            Err(problem) => {
                refuse(problem);
                fault(out, *number, problem);
            }
            Ok(warnings) => match rows.next() {
                Some(Ok((answered, row))) => {
                    begin(out, *number);
                    friendly::members(out, answered, row);
                    warnings.write(out);
                    out.extend_from_slice(b"}\n");
                }
                Some(Err(problem)) => {
                    refuse(problem);
                    fault(out, *number, &told(problem.clone()));
                }
                None => fault(out, *number, &Problem::internal(&"a line of a stream has no answer")),
            },
        }
    }
    drop(rows);
    for asked in asked.into_iter().flatten() {
        asked.tell(inquiry);
    }
}

/// Asks about records together; when the model finds a fault in one of them, about each alone.
fn ask(inquiry: &Inquiry<'_>, schema: &Schema, records: Records<'_>) -> Vec<Result<Asked, Problem>> {
    if records.rows == 0 {
        return Vec::new();
    }
    let problem = match inquiry.ask(schema, &records, Spread::Apart) {
        Ok(asked) => return vec![Ok(asked)],
        Err(problem) => problem,
    };
    if !problem.status().is_client_error() || records.rows == 1 {
        return (0..records.rows).map(|_| Err(problem.clone())).collect();
    }
    let each = records.into_each(schema);
    each.map(|record| inquiry.ask(schema, &record, Spread::Apart)).collect()
}

/// Writes the line of a problem.
pub(super) fn fault(out: &mut Vec<u8>, number: u64, problem: &Problem) {
    begin(out, number);
    out.extend_from_slice(b"\"error\":");
    problem.write(out);
    out.extend_from_slice(b"}\n");
}

fn begin(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(b"{\"line\":");
    json::integer(out, i128::from(number));
    out.push(b',');
}
