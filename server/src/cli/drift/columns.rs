//! Which columns of two files are compared, with what, and which are not.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use chasqui_drift::{CategoryCounts, ColumnData, ComparedColumn, TableComparison};

use super::check_names;
use super::file::{OpenFile, TakenColumn, TakenFile};
use crate::cli::output;

/// What the user said about columns.
pub(super) struct Wanted<'a> {
    pub(super) only: &'a [String],
    pub(super) ignored: &'a [String],
    pub(super) texts: &'a [String],
}

/// The columns that are read, and those that are not.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) columns: BTreeSet<String>,
    pub(super) only_in_reference: Vec<String>,
    pub(super) only_in_current: Vec<String>,
    pub(super) not_asked: Vec<String>,
    pub(super) times: Vec<String>,
    pub(super) times_in_one: Vec<String>,
}

impl Chosen {
    /// Chooses by name, before anything is read; what is left out is said.
    pub(super) fn of(reference: &OpenFile, current: &OpenFile, wanted: &Wanted<'_>) -> anyhow::Result<Self> {
        check_names("--columns", wanted.only, reference)?;
        check_names("--columns", wanted.only, current)?;
        check_names("--ignore", wanted.ignored, reference)?;
        check_names("--text", wanted.texts, reference)?;
        let names = |file: &OpenFile| -> BTreeSet<String> { file.columns.iter().cloned().collect() };
        let (before, after) = (names(reference), names(current));
        let is_asked = |name: &&String| {
            (wanted.only.is_empty() || wanted.only.contains(name)) && !wanted.ignored.contains(name)
        };
        let both: Vec<&String> = before.intersection(&after).collect();
        ensure!(!both.is_empty(), no_common_columns(reference, current));
        let chosen = Self {
            columns: both.iter().copied().filter(is_asked).cloned().collect(),
            only_in_reference: before.difference(&after).filter(is_asked).cloned().collect(),
            only_in_current: after.difference(&before).filter(is_asked).cloned().collect(),
            not_asked: both.iter().copied().filter(|name| !is_asked(name)).cloned().collect(),
            ..Self::default()
        };
        ensure!(!chosen.columns.is_empty(), "every column that both files have is left out by --ignore");
        say_left_out("only in the reference", &chosen.only_in_reference);
        say_left_out("only in the current data", &chosen.only_in_current);
        Ok(chosen)
    }
}

/// What was seen in each file, and what may be wrong with it.
fn no_common_columns(reference: &OpenFile, current: &OpenFile) -> String {
    let mut text =
        format!("the files have no column in common: {}; {}", reference.described(), current.described());
    for file in [reference, current] {
        if let Some((_, false)) = file.seen.layout {
            let name = &file.name;
            text.extend([
                "; the first row of ",
                name,
                " was taken for values, write the names of the columns there",
            ]);
        } else if file.columns.len() == 1 {
            let name = &file.name;
            text.extend(["; if ", name, " is a table, say what separates its cells with --delimiter"]);
        }
    }
    text
}

fn say_left_out(why: &str, names: &[String]) {
    if !names.is_empty() {
        output::note(format!("left out ({why}): {}", names.join(", ")));
    }
}

/// A column's values as tests take them.
enum Prepared<'t> {
    Numbers(&'t [f64]),
    Counted(&'t CategoryCounts),
    NoCategories,
    Texts(Vec<Option<&'t str>>),
}

impl<'t> Prepared<'t> {
    /// None for times.
    fn of(column: &'t TakenColumn) -> Option<Self> {
        match column {
            TakenColumn::Numbers(column) => Some(Self::Numbers(column.values())),
            TakenColumn::Categories(counts) => Some(Self::Counted(counts)),
            TakenColumn::Texts(column) => Some(Self::Texts(column.texts())),
            TakenColumn::Times { .. } => None,
        }
    }

    /// Nothing, of the same type as `other`.
    fn empty_like(other: &Self) -> Self {
        match other {
            Self::Numbers(_) => Self::Numbers(&[]),
            Self::Counted(_) | Self::NoCategories => Self::NoCategories,
            Self::Texts(_) => Self::Texts(Vec::new()),
        }
    }

    fn data(&self) -> ColumnData<'_> {
        match self {
            Self::Numbers(numbers) => ColumnData::Numbers(numbers),
            Self::Counted(counts) => ColumnData::Counted(counts),
            Self::NoCategories => ColumnData::Categories(&[]),
            Self::Texts(texts) => ColumnData::Texts(texts),
        }
    }
}

/// The columns of both files beside each other.
pub(super) struct Pairs<'t> {
    pairs: Vec<(&'t str, Prepared<'t>, Prepared<'t>)>,
    /// Columns of different types, and what each side holds.
    differing: BTreeMap<&'t str, (&'static str, &'static str)>,
}

impl<'t> Pairs<'t> {
    /// Pairs what both files have; times and differing types are noted in `chosen` and said.
    pub(super) fn of(
        reference: &'t TakenFile,
        current: &'t TakenFile,
        chosen: &mut Chosen,
    ) -> anyhow::Result<Self> {
        let (mut pairs, mut differing) = (Vec::new(), BTreeMap::new());
        for (name, before) in reference.columns() {
            let Some(after) = current.column(name) else { continue };
            match (Prepared::of(before), Prepared::of(after)) {
                (Some(old), Some(new)) => {
                    let (old, new) = adopted((before, old), (after, new));
                    if old.data().column_type() != new.data().column_type() {
                        differing.insert(name, (before.noun(), after.noun()));
                    }
                    pairs.push((name, old, new));
                }
                (None, None) => chosen.times.push(name.to_owned()),
                _ if before.present() == 0 || after.present() == 0 => chosen.times.push(name.to_owned()),
                _ => chosen.times_in_one.push(name.to_owned()),
            }
        }
        say_left_out("dates and times, which move by nature", &chosen.times);
        say_left_out("dates in one file and something else in the other", &chosen.times_in_one);
        for (name, (before, after)) in &differing {
            output::note(format!(
                "{name:?} holds {before} in {} and {after} in {}: no test applies to it",
                reference.name, current.name
            ));
        }
        ensure!(!pairs.is_empty(), "the files have nothing but dates and times in common");
        Ok(Self { pairs, differing })
    }

    pub(super) fn compared(&self) -> Vec<ComparedColumn<'_>> {
        let compared = self.pairs.iter().map(|(name, reference, current)| ComparedColumn {
            name,
            reference: reference.data(),
            current: current.data(),
        });
        compared.collect()
    }

    /// Says which types differ where tests only say that they do.
    pub(super) fn explain(&self, compared: &mut TableComparison) {
        for (name, (before, after)) in &self.differing {
            let Some(column) = compared.columns.get_mut(*name) else { continue };
            for answer in column.tests.values_mut() {
                answer.reason = Some(format!(
                    "the column holds {before} in the reference and {after} in the current data"
                ));
            }
        }
    }
}

/// A side without any value has no type of its own: it takes the other's.
fn adopted<'t>(
    (before, old): (&TakenColumn, Prepared<'t>),
    (after, new): (&TakenColumn, Prepared<'t>),
) -> (Prepared<'t>, Prepared<'t>) {
    let differ = old.data().column_type() != new.data().column_type();
    match (differ, before.present(), after.present()) {
        (true, 0, _) => (Prepared::empty_like(&new), new),
        (true, _, 0) => {
            let empty = Prepared::empty_like(&old);
            (old, empty)
        }
        _ => (old, new),
    }
}
