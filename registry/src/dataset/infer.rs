//! The type of a column, concluded from every one of its cells.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::moment::{self, DateOrder, Orders};
use super::number::{self, DecimalMark, Number, Plain};

/// The types that a dataset's columns have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// 64-bit integers.
    Int64,
    /// 64-bit floating point numbers.
    Float64,
    /// True or false.
    Boolean,
    /// UTF-8 text.
    Text,
    /// Days of the calendar.
    Date,
    /// Microseconds, as written, or UTC where the source gave an offset.
    Timestamp,
}

/// How the cells of one column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnFormat {
    /// The type that every present cell has.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// The decimal mark of its numbers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decimal: Option<DecimalMark>,
    /// The order of its dates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dates: Option<DateOrder>,
}

/// A cell that says "nothing here". In text columns only blanks do: `NA` may be a word there.
pub(crate) fn is_missing(cell: &str) -> bool {
    let cell = cell.trim();
    cell.is_empty()
        || (cell.len() <= 4
            && ["na", "n/a", "nan", "null", "none", "nil", "-", "s/d", "n/d"]
                .iter()
                .any(|marker| cell.eq_ignore_ascii_case(marker)))
}

pub(crate) fn parse_boolean(cell: &str) -> Option<bool> {
    let cell = cell.trim();
    if cell.eq_ignore_ascii_case("true") || cell.eq_ignore_ascii_case("verdadero") {
        return Some(true);
    }
    (cell.eq_ignore_ascii_case("false") || cell.eq_ignore_ascii_case("falso")).then_some(false)
}

/// What the cells under one decimal mark have been so far.
#[derive(Debug, Clone, Copy)]
struct Numeric {
    possible: bool,
    integers: bool,
}

impl Numeric {
    const OPEN: Self = Self { possible: true, integers: true };

    fn add(&mut self, number: Option<Number>) {
        self.possible &= number.is_some();
        self.integers &= matches!(number, Some(Number::Integer(_)));
    }
}

/// What the cells of a column have been so far.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    present: u64,
    point: Numeric,
    comma: Numeric,
    /// A mark occurred: the two notations read some cell differently.
    marked: bool,
    boolean: bool,
    orders: Orders,
    time: bool,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            present: 0,
            point: Numeric::OPEN,
            comma: Numeric::OPEN,
            marked: false,
            boolean: true,
            orders: Orders::ALL,
            time: false,
        }
    }
}

impl Evidence {
    pub(crate) fn add(&mut self, cell: &str) {
        match number::plain(cell, DecimalMark::Point) {
            Some(plain) => self.add_plain(plain, DecimalMark::Point),
            None => self.add_any(cell),
        }
    }

    fn add_any(&mut self, cell: &str) {
        if is_missing(cell) {
            return;
        }
        self.present += 1;
        if self.point.possible || self.comma.possible {
            self.add_number(cell);
        }
        if self.boolean {
            self.boolean = parse_boolean(cell).is_some();
        }
        self.add_moment(cell);
    }

    /// Adds a number in plain notation under `mark`, with what a careful look at its cell would conclude.
    pub(crate) fn add_plain(&mut self, plain: Plain, mark: DecimalMark) {
        self.present += 1;
        self.boolean = false;
        self.orders = Orders::NONE;
        if matches!(plain.number, Number::Float(_)) {
            self.marked = true;
            let (own, other) = match mark {
                DecimalMark::Point => (&mut self.point, &mut self.comma),
                DecimalMark::Comma => (&mut self.comma, &mut self.point),
            };
            own.integers = false;
            if !plain.looks_grouped {
                other.add(None);
            }
        }
    }

    fn add_number(&mut self, cell: &str) {
        if cell.bytes().any(|byte| matches!(byte, b'.' | b',')) {
            self.marked = true;
            self.point.add(number::parse(cell, DecimalMark::Point));
            self.comma.add(number::parse(cell, DecimalMark::Comma));
        } else {
            let number = number::parse(cell, DecimalMark::Point);
            self.point.add(number);
            self.comma.add(number);
        }
    }

    /// Adds a text of a source in which numbers and booleans have types of their own.
    pub(crate) fn add_text(&mut self, cell: &str) {
        self.present += 1;
        self.point.possible = false;
        self.comma.possible = false;
        self.boolean = false;
        self.add_moment(cell);
    }

    fn add_moment(&mut self, cell: &str) {
        if self.orders == Orders::NONE {
            return;
        }
        match moment::orders(cell) {
            Some((orders, time)) => {
                self.orders = self.orders.and(orders);
                self.time |= time;
            }
            None => self.orders = Orders::NONE,
        }
    }

    /// The mark that this column cannot be read without.
    fn demands(&self) -> Option<DecimalMark> {
        if self.present == 0 || !self.marked {
            return None;
        }
        match (self.point.possible, self.comma.possible) {
            (true, false) => Some(DecimalMark::Point),
            (false, true) => Some(DecimalMark::Comma),
            _ => None,
        }
    }

    fn numeric(&self, mark: DecimalMark) -> Numeric {
        match mark {
            DecimalMark::Point => self.point,
            DecimalMark::Comma => self.comma,
        }
    }
}

/// What the uploader stated instead of leaving it to detection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stated {
    pub decimal: Option<DecimalMark>,
    pub dates: Option<DateOrder>,
}

/// Decides every column of a file together: where a column's own cells leave the decimal mark open (`1.234`),
/// the columns that show it decide, and failing those a semicolon-separated file with commas in it means commas.
pub(crate) fn decide(columns: &[Evidence], stated: Stated, delimiter: char) -> Vec<ColumnFormat> {
    let votes = |mark| columns.iter().filter(|column| column.demands() == Some(mark)).count();
    let common = stated.decimal.unwrap_or_else(|| {
        let (points, commas) = (votes(DecimalMark::Point), votes(DecimalMark::Comma));
        // A value such as `1,234` is a fraction only where commas do not separate the cells.
        let ambiguous_commas = delimiter == ';' && columns.iter().any(Evidence::only_commas);
        if commas > points || (commas == points && ambiguous_commas) {
            DecimalMark::Comma
        } else {
            DecimalMark::Point
        }
    });
    columns.iter().map(|column| decide_column(column, stated, common)).collect()
}

impl Evidence {
    /// Every cell is an integer with points for thousands, or a fraction with a comma.
    fn only_commas(&self) -> bool {
        self.present > 0 && self.marked && self.comma.possible && !self.comma.integers && self.point.possible
    }
}

fn decide_column(column: &Evidence, stated: Stated, common: DecimalMark) -> ColumnFormat {
    let plain = |kind| ColumnFormat { kind, decimal: None, dates: None };
    if column.present == 0 {
        return plain(ColumnType::Text);
    }
    let mark = stated.decimal.or(column.demands()).unwrap_or(common);
    let numeric = column.numeric(mark);
    if numeric.possible {
        let kind = if numeric.integers { ColumnType::Int64 } else { ColumnType::Float64 };
        return ColumnFormat { kind, decimal: column.marked.then_some(mark), dates: None };
    }
    if column.boolean {
        return plain(ColumnType::Boolean);
    }
    let order = match stated.dates {
        Some(order) => column.orders.allows(order).then_some(order),
        None => column.orders.preferred(),
    };
    match order {
        Some(order) => {
            let kind = if column.time { ColumnType::Timestamp } else { ColumnType::Date };
            ColumnFormat { kind, decimal: None, dates: Some(order) }
        }
        None => plain(ColumnType::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(columns: &[&[&str]], delimiter: char) -> Vec<(ColumnType, Option<DecimalMark>)> {
        let evidence: Vec<Evidence> = columns
            .iter()
            .map(|cells| {
                let mut evidence = Evidence::default();
                cells.iter().for_each(|cell| evidence.add(cell));
                evidence
            })
            .collect();
        decide(&evidence, Stated::default(), delimiter).iter().map(|c| (c.kind, c.decimal)).collect()
    }

    #[test]
    fn lets_clear_columns_decide_for_unclear_ones() {
        let (int, float) = (ColumnType::Int64, ColumnType::Float64);
        let (point, comma) = (Some(DecimalMark::Point), Some(DecimalMark::Comma));
        assert_eq!(decided(&[&["1.234"], &["1,5"]], ';'), [(int, comma), (float, comma)]);
        assert_eq!(decided(&[&["1.234"], &["2.5"]], ';'), [(float, point), (float, point)]);
        assert_eq!(decided(&[&["1.234"]], ';'), [(float, point)]);
        assert_eq!(decided(&[&["1,234"]], ';'), [(float, comma)]);
        assert_eq!(decided(&[&["1,234"]], ','), [(int, point)]);
        assert_eq!(decided(&[&["1.5"], &["1,5"]], ';'), [(float, point), (float, comma)]);
        assert_eq!(decided(&[&["1.5", "1,5"]], ';')[0].0, ColumnType::Text);
    }

    #[test]
    fn reads_kinds_from_all_cells() {
        let kind = |cells: &[&str]| decided(&[cells], ',')[0].0;
        assert_eq!(kind(&["1", "2", "NA", ""]), ColumnType::Int64);
        assert_eq!(kind(&["1", "2.5"]), ColumnType::Float64);
        assert_eq!(kind(&["1", "2", "tres"]), ColumnType::Text);
        assert_eq!(kind(&["TRUE", "falso"]), ColumnType::Boolean);
        assert_eq!(kind(&["1712345678", "0912345678"]), ColumnType::Text);
        assert_eq!(kind(&["2026-01-01", "n/a"]), ColumnType::Date);
        assert_eq!(kind(&["2026-01-01", "2026-01-01 10:00"]), ColumnType::Timestamp);
        assert_eq!(kind(&["13/01/2026", "01/13/2026"]), ColumnType::Text);
        assert_eq!(kind(&["", "NA"]), ColumnType::Text);
    }

    #[test]
    fn plain_numbers_leave_the_same_evidence() {
        for mark in [DecimalMark::Point, DecimalMark::Comma] {
            for before in ["", "x", "1.234", "1,234", "1.5", "2,5", "true", "2026-01-01", "7"] {
                for cell in
                    ["0", "12", "-3", "1.234", "0.123", "12.5", "-1.5", "1234.567", "1,234", "0,5", "12,34"]
                {
                    let Some(plain) = number::plain(cell, mark) else { continue };
                    let mut careful = Evidence::default();
                    careful.add_any(before);
                    let mut quick = careful.clone();
                    careful.add_any(cell);
                    quick.add_plain(plain, mark);
                    let seen = |evidence: &Evidence| {
                        decide(std::slice::from_ref(evidence), Stated::default(), ';')[0]
                    };
                    assert_eq!(seen(&careful), seen(&quick), "{before:?}, {cell:?}, {mark:?}");
                    assert_eq!(careful.demands(), quick.demands(), "{before:?}, {cell:?}, {mark:?}");
                    assert_eq!(careful.only_commas(), quick.only_commas(), "{before:?}, {cell:?}, {mark:?}");
                }
            }
        }
    }
}
