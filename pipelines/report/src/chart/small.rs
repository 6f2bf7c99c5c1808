//! A distribution before and after in little room, for pages with hundreds of them. The style sheet of the page
//! ([`crate::page::STYLESHEET`]) paints it; it does not stand alone.

use std::fmt::Write;

use super::histogram::{HistogramCells, HistogramPair, merged, shares};
use super::scale::{fit, text_width};
use super::svg::escape;
use crate::format::{Format, Language, Unit};

const WIDTH: f64 = 320.0;
const FONT: f64 = 12.0;
/// Height of the tallest column.
const TALLEST: f64 = 84.0;
/// More intervals than this are merged with their neighbours.
const MOST_COLUMNS: usize = 24;
/// Categories beyond this many are left out: the first ones are kept.
const MOST_CATEGORIES: usize = 6;
/// Room for a category's name.
const NAME_ROOM: f64 = 98.0;
/// A category's two bars, one below the other.
const BAR: f64 = 8.0;
const PITCH: f64 = 24.0;

impl HistogramPair {
    /// Draws the pair 320 units wide: "before" as a grey area, "now" as a blue line, or a pair of bars for each category.
    pub fn small(&self, format: Format) -> String {
        let (Some(before), Some(after)) = (shares(&self.before), shares(&self.after)) else {
            return String::new();
        };
        let (height, drawing) = match &self.cells {
            HistogramCells::Intervals { edges, unit } => {
                let (edges, before, after) = merged(edges, &before, &after, MOST_COLUMNS);
                columns(&edges, unit, [&before, &after], format)
            }
            HistogramCells::Categories(names) => categories(names, [&before, &after], format),
        };
        let title = escape(&self.title);
        format!(
            "<svg class=\"chart-small\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\">{drawing}</svg>"
        )
    }
}

/// Steps over the same intervals.
fn columns(edges: &[f64], unit: &Unit, sides: [&[f64]; 2], format: Format) -> (f64, String) {
    let highest = sides.iter().flat_map(|side| side.iter()).copied().fold(0.0, f64::max);
    let top = FONT + 4.0;
    let bottom = top + TALLEST;
    let pitch = WIDTH / sides[0].len().max(1) as f64;
    let mut out = String::with_capacity(1024);
    for (side, class) in sides.iter().zip(["s5 fl was", "s0 ln"]) {
        let _ = write!(
            out,
            "<path class=\"{class}\" d=\"M0 {bottom:.0}{}V{bottom:.0}\"/>",
            steps(side, highest, pitch, bottom)
        );
    }
    let most = format.percent(highest);
    let most = match format.language {
        Language::Es => format!("hasta {most}"),
        Language::En => format!("up to {most}"),
    };
    text(&mut out, (WIDTH, FONT - 1.0), "e", &most);
    if let (Some(low), Some(high)) = (edges.first(), edges.last())
        && low.is_finite()
        && high.is_finite()
    {
        let (low, high) = match unit {
            Unit::Percent => (format.percent_with(*low, 0), format.percent_with(*high, 0)),
            _ => format.pair(*low, *high),
        };
        text(&mut out, (0.0, bottom + FONT + 2.0), "b", &low);
        text(&mut out, (WIDTH, bottom + FONT + 2.0), "e", &high);
    }
    (bottom + FONT + 5.0, out)
}

/// A line of steps in whole units, each one up or down and across; a share that is not nothing is seen.
fn steps(side: &[f64], highest: f64, pitch: f64, bottom: f64) -> String {
    let mut out = String::new();
    let mut drawn = 0.0;
    for (index, share) in side.iter().enumerate() {
        let tall = if highest > 0.0 { share / highest * TALLEST } else { 0.0 };
        let tall = if *share > 0.0 { tall.max(1.0) } else { 0.0 };
        let across = (pitch * (index + 1) as f64).round() - drawn;
        drawn += across;
        let _ = write!(out, "V{:.0}h{across:.0}", bottom - tall);
    }
    out
}

/// Two bars for each category, with its name before and its shares behind.
fn categories(names: &[String], sides: [&[f64]; 2], format: Format) -> (f64, String) {
    let shown = names.len().min(MOST_CATEGORIES).min(sides[0].len());
    let highest = sides.iter().flat_map(|side| &side[..shown]).copied().fold(0.0, f64::max);
    let values: Vec<String> = (0..shown)
        .map(|row| format!("{} → {}", format.percent(sides[0][row]), format.percent(sides[1][row])))
        .collect();
    let value_room = values.iter().map(|value| text_width(value, FONT)).fold(0.0, f64::max) + 14.0;
    let room = (WIDTH - NAME_ROOM - value_room - 6.0).max(20.0);
    let mut out = String::with_capacity(1024);
    for (side, class) in sides.iter().zip(["s5 fl was", "s0 fl"]) {
        let offset = if class.starts_with("s5") { 3.0 } else { 3.0 + BAR };
        let _ = write!(out, "<path class=\"{class}\" d=\"");
        for (row, share) in side[..shown].iter().enumerate() {
            let width = if highest > 0.0 { (share / highest * room).max(1.0) } else { 1.0 };
            let y = row as f64 * PITCH + offset;
            let _ = write!(out, "M{NAME_ROOM} {y:.0}h{width:.0}v{BAR}h-{width:.0}z");
        }
        out.push_str("\"/>");
    }
    for (row, (name, value)) in names.iter().zip(&values).enumerate() {
        let y = row as f64 * PITCH + 3.0 + BAR + FONT * 0.36;
        text(&mut out, (0.0, y), "b", &fit(name, NAME_ROOM - 6.0, FONT));
        text(&mut out, (WIDTH, y), "e", value);
    }
    (shown as f64 * PITCH + 2.0, out)
}

/// A text that begins ("b") or ends ("e") at its place.
fn text(out: &mut String, (x, y): (f64, f64), class: &str, text: &str) {
    let text = escape(text);
    let anchor = if class == "e" { " text-anchor=\"end\"" } else { "" };
    let _ = write!(out, "<text x=\"{x:.0}\" y=\"{y:.0}\"{anchor}>{text}</text>");
}
