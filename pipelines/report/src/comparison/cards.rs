//! The columns on the page: a card with a drawing for those that changed most, a line of a table for the others, as
//! many as there is room for.

use askama::Template;

use super::sentences::{LONGEST_NAME, Sentences, is_tested, ordered};
use super::texts::ComparisonTexts;
use super::{ComparedCells, ComparedColumn};
use crate::chart::{HistogramCells, HistogramPair, histogram_small};
use crate::format::{NO_VALUE, Unit};
use crate::level::Level;
use crate::page;
use crate::texts::fill;
use crate::view::clip;

/// Columns drawn at most.
const MOST_CARDS: usize = 200;
/// Bytes that cards and lines may take together: the page has 300 kB, its frame about 25.
const ROOM: usize = 265_000;
/// Of these, kept for the lines of columns that are not drawn.
const ROOM_FOR_LINES: usize = 60_000;
/// Categories drawn, all others together among them.
const MOST_CATEGORIES: usize = 6;
/// A smaller share of other categories is not drawn.
const LEAST_SHARE: f64 = 0.0005;
/// About the bytes of a line.
const LINE_BYTES: usize = 160;

/// What the page shows of the columns.
pub(super) struct Shown {
    pub(super) drawn: Vec<String>,
    pub(super) lines: Vec<[String; 5]>,
    /// Columns that found no room.
    pub(super) missing: usize,
}

#[derive(Template)]
#[template(path = "comparison_card.html")]
struct Card<'a> {
    t: &'a ComparisonTexts,
    level: &'static str,
    badge: String,
    name: String,
    words: String,
    chart: String,
    /// Name, score, threshold and verdict; no score where there is no answer.
    tests: Vec<[String; 4]>,
}

/// Fits the columns into their room.
pub(super) fn shown(columns: &[ComparedColumn], tell: Sentences) -> Result<Shown, askama::Error> {
    let ordered = ordered(columns);
    let beyond = ordered.len().saturating_sub(MOST_CARDS);
    let mut room = ROOM - (beyond * LINE_BYTES).min(ROOM_FOR_LINES);
    let mut cards = Vec::new();
    for column in ordered.iter().take(MOST_CARDS) {
        let card = card(column, tell).render()?;
        // A column that is not drawn needs a line.
        let rest = (ordered.len() - cards.len() - 1) * LINE_BYTES;
        let needed = card.len() + rest.min(ROOM_FOR_LINES).saturating_sub(beyond * LINE_BYTES);
        if needed > room {
            break;
        }
        room -= card.len();
        cards.push(card);
    }
    let mut room = ROOM - cards.iter().map(String::len).sum::<usize>();
    let mut lines = Vec::new();
    for column in &ordered[cards.len()..] {
        let line = line(column, tell);
        let size = line.iter().map(String::len).sum::<usize>() + LINE_BYTES / 2;
        if size > room {
            break;
        }
        room -= size;
        lines.push(line);
    }
    let missing = ordered.len() - cards.len() - lines.len();
    Ok(Shown { drawn: cards, lines, missing })
}

fn card(column: &ComparedColumn, tell: Sentences) -> Card<'static> {
    let (level, badge) = match (column.drifted, is_tested(column)) {
        (true, _) => ("importante", sign(Level::Importante, tell.t.changed)),
        (false, true) => ("normal", sign(Level::Normal, tell.t.same)),
        (false, false) => ("neutral", page::neutral_badge(tell.t.not_tested)),
    };
    let tests = column
        .tests
        .iter()
        .map(|test| [test.name.into(), tell.score(test), tell.format.plain(test.threshold), tell.test(test)]);
    Card {
        t: tell.t,
        level,
        badge,
        name: clip(&column.name, LONGEST_NAME),
        words: tell.column(column),
        chart: chart(column, tell),
        tests: tests.collect(),
    }
}

/// A level's sign and colour with a word of this page.
pub(super) fn sign(level: Level, word: &str) -> String {
    format!(
        "<span class=\"badge badge-{}\">{}<span>{}</span></span>",
        level.code(),
        level.icon(),
        crate::chart::escape(word)
    )
}

fn chart(column: &ComparedColumn, tell: Sentences) -> String {
    let Some(cells) = &column.cells else { return String::new() };
    let (cells, before, after) = match cells {
        ComparedCells::Intervals { edges, before, after } => {
            let cells = HistogramCells::Intervals { edges: edges.clone(), unit: Unit::Plain };
            (cells, before.clone(), after.clone())
        }
        ComparedCells::Categories(cells) => {
            let cells = with_the_others(cells, tell.t.others);
            (
                HistogramCells::Categories(cells.iter().map(|cell| clip(&cell.0, LONGEST_NAME)).collect()),
                cells.iter().map(|cell| cell.1).collect(),
                cells.iter().map(|cell| cell.2).collect(),
            )
        }
    };
    let pair = HistogramPair {
        title: fill(tell.t.chart, &[("name", &clip(&column.name, LONGEST_NAME))]),
        description: String::new(),
        before_name: tell.t.before.into(),
        after_name: tell.t.now.into(),
        cells,
        before,
        after,
    };
    histogram_small(&pair, tell.format)
}

/// As many categories as are drawn, the last of them all others together: a drawing's shares are of everything.
fn with_the_others(cells: &[(String, f64, f64)], others: &str) -> Vec<(String, f64, f64)> {
    let rest = |cells: &[(String, f64, f64)]| {
        let sum = |of: fn(&(String, f64, f64)) -> f64| (1.0 - cells.iter().map(of).sum::<f64>()).max(0.0);
        (sum(|cell| cell.1), sum(|cell| cell.2))
    };
    let (before, after) = rest(cells);
    if cells.len() <= MOST_CATEGORIES && before.max(after) < LEAST_SHARE {
        return cells.to_vec();
    }
    let mut kept = cells[..cells.len().min(MOST_CATEGORIES - 1)].to_vec();
    let (before, after) = rest(&kept);
    kept.push((others.to_owned(), before, after));
    kept
}

/// Column, type, verdict, how far it moved, adjusted p.
fn line(column: &ComparedColumn, tell: Sentences) -> [String; 5] {
    let verdict = match (column.drifted, is_tested(column)) {
        (true, _) => tell.t.changed,
        (false, true) => tell.t.same,
        (false, false) => tell.t.not_tested,
    };
    [
        clip(&column.name, LONGEST_NAME),
        tell.t.kinds[column.kind as usize].into(),
        verdict.into(),
        column.effect.map_or_else(|| NO_VALUE.into(), |effect| tell.format.percent(effect)),
        column.adjusted_p.map_or_else(|| NO_VALUE.into(), |p| tell.p_value(p)),
    ]
}
