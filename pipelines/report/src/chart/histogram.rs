//! The same cells before and after: columns for intervals, horizontal bars for categories.

use super::Size;
use super::frame::{Legend, LegendKey, nothing_to_draw};
use super::scale::{Axis, Linear, fit, text_width};
use super::svg::{Anchor, Paint, Svg};
use crate::format::{Format, Unit};

/// More intervals than this are merged with their neighbours.
const MOST_COLUMNS: usize = 32;

/// Categories beyond this many are left out: the first ones are kept.
const MOST_CATEGORIES: usize = 12;

/// "Before" in grey and pale, "now" in blue and solid.
const BEFORE: Paint = Paint::Series(5);
const AFTER: Paint = Paint::Series(0);
const BEFORE_OPACITY: f64 = 0.55;

/// A distribution before and after; each side is scaled to its own sum.
#[derive(Debug, Clone)]
pub struct HistogramPair {
    /// The accessible name.
    pub title: String,
    /// The accessible description.
    pub description: String,
    /// The name of the first side (`Antes`).
    pub before_name: String,
    /// The name of the second side (`Ahora`).
    pub after_name: String,
    /// The cells.
    pub cells: HistogramCells,
    /// Count or share before, per cell.
    pub before: Vec<f64>,
    /// Count or share after, per cell.
    pub after: Vec<f64>,
}

/// What the cells of a [`HistogramPair`] are.
#[derive(Debug, Clone)]
pub enum HistogramCells {
    /// Intervals of a number.
    Intervals {
        /// Their borders, one more than there are intervals; the outermost may be infinite.
        edges: Vec<f64>,
        /// The unit of the borders.
        unit: Unit,
    },
    /// Categories.
    Categories(Vec<String>),
}

impl HistogramPair {
    /// Draws the chart for one place.
    pub fn svg(&self, format: Format, size: Size) -> String {
        let (Some(before), Some(after)) = (shares(&self.before), shares(&self.after)) else {
            return nothing_to_draw(&self.title, &self.description, format, size);
        };
        match &self.cells {
            HistogramCells::Intervals { edges, unit } => {
                let (edges, before, after) = merged(edges, &before, &after, MOST_COLUMNS);
                self.columns(&edges, unit, &before, &after, format, size)
            }
            HistogramCells::Categories(names) => self.categories(names, &before, &after, format, size),
        }
    }

    fn legend(&self, size: Size) -> Legend {
        let key = |name: &str, paint, opacity| LegendKey { name: name.into(), paint, line: None, opacity };
        Legend::new(
            vec![key(&self.before_name, BEFORE, BEFORE_OPACITY), key(&self.after_name, AFTER, 1.0)],
            size,
        )
    }

    fn columns(
        &self,
        edges: &[f64],
        unit: &Unit,
        before: &[f64],
        after: &[f64],
        format: Format,
        size: Size,
    ) -> String {
        let font = size.font();
        let highest = before.iter().chain(after).copied().fold(0.0, f64::max);
        let axis = Axis::around((0.0, highest), 4);
        let labels: Vec<String> =
            axis.ticks().into_iter().map(|tick| axis.label(tick, &Unit::Percent, format)).collect();
        let left = labels.iter().map(|label| text_width(label, font)).fold(0.0, f64::max) + font;
        let right = size.width() - font;
        let legend = self.legend(size);
        let top = legend.height() + font * 0.8;
        let bottom = top + size.plot_height() * 0.85;
        let scale = Linear::new((axis.low, axis.high), (bottom, top));
        let mut svg = Svg::new(size, bottom + font * 2.0, &self.title, &self.description);
        legend.draw(&mut svg);
        for (tick, label) in axis.ticks().into_iter().zip(&labels) {
            let y = scale.place(tick);
            svg.line((left, y), (right, y), if tick == 0.0 { Paint::Axis } else { Paint::Grid }, false);
            svg.muted_text(left - font * 0.5, y + font * 0.35, Anchor::End, label);
        }
        let pitch = (right - left) / before.len().max(1) as f64;
        let width = pitch * 0.42;
        for (index, (old, new)) in before.iter().zip(after).enumerate() {
            let x = left + pitch * index as f64 + pitch * 0.08;
            svg.rect((x, scale.place(*old)), (width, bottom - scale.place(*old)), BEFORE, BEFORE_OPACITY);
            svg.rect((x + width, scale.place(*new)), (width, bottom - scale.place(*new)), AFTER, 1.0);
        }
        draw_edges(&mut svg, edges, unit, (left, pitch), bottom, format, size);
        svg.finish()
    }

    fn categories(
        &self,
        names: &[String],
        before: &[f64],
        after: &[f64],
        format: Format,
        size: Size,
    ) -> String {
        let font = size.font();
        let rows: Vec<(&String, f64, f64)> = names
            .iter()
            .zip(before.iter().zip(after))
            .map(|(name, (old, new))| (name, *old, *new))
            .take(MOST_CATEGORIES)
            .collect();
        let highest = rows.iter().map(|(_, old, new)| old.max(*new)).fold(0.0, f64::max);
        let above = size == Size::Narrow;
        let widest = rows.iter().map(|(name, ..)| text_width(name, font)).fold(0.0, f64::max) + font;
        let left = if above { 0.0 } else { widest.min(size.width() * 0.34) };
        let room = text_width(&format.percent(1.0), font) + font;
        let scale = Linear::new((0.0, highest), (left, size.width() - room));
        let pitch = if above { font * 4.3 } else { font * 3.1 };
        let legend = self.legend(size);
        let height = legend.height() + font * 0.6 + rows.len() as f64 * pitch;
        let mut svg = Svg::new(size, height, &self.title, &self.description);
        legend.draw(&mut svg);
        let thickness = font * 1.1;
        for (index, (name, old, new)) in rows.into_iter().enumerate() {
            let mut y = legend.height() + font * 0.6 + index as f64 * pitch;
            if above {
                svg.text(0.0, y + font, Anchor::Start, &fit(name, size.width(), font));
                y += font * 1.35;
            } else {
                let name = fit(name, left - font * 0.6, font);
                svg.text(left - font * 0.6, y + thickness + font * 0.35, Anchor::End, &name);
            }
            for (share, paint, opacity, offset) in
                [(old, BEFORE, BEFORE_OPACITY, 0.0), (new, AFTER, 1.0, thickness + 1.0)]
            {
                let end = scale.place(share);
                svg.rect((left, y + offset), ((end - left).max(1.5), thickness), paint, opacity);
                let text = format.percent(share);
                svg.muted_text(end + font * 0.4, y + offset + font * 0.95, Anchor::Start, &text);
            }
        }
        svg.finish()
    }
}

/// Edges and shares with neighbouring intervals merged until there are at most `most`.
pub(super) fn merged(
    edges: &[f64],
    before: &[f64],
    after: &[f64],
    most: usize,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let cells = before.len().min(after.len()).min(edges.len().saturating_sub(1));
    let together = cells.div_ceil(most).max(1);
    let sum = |values: &[f64]| -> Vec<f64> {
        values[..cells].chunks(together).map(|chunk| chunk.iter().sum()).collect()
    };
    let mut kept: Vec<f64> = edges[..cells].iter().step_by(together).copied().collect();
    kept.push(edges.get(cells).copied().unwrap_or(f64::NAN));
    (kept, sum(before), sum(after))
}

/// The share of each cell; none when the values are empty or sum to nothing.
pub(super) fn shares(values: &[f64]) -> Option<Vec<f64>> {
    let clean: Vec<f64> =
        values.iter().map(|value| if value.is_finite() { value.clamp(0.0, 1e300) } else { 0.0 }).collect();
    let largest = clean.iter().copied().fold(0.0, f64::max);
    if largest <= 0.0 {
        return None;
    }
    // Dividing by the largest first keeps the sum finite.
    let sum: f64 = clean.iter().map(|value| value / largest).sum();
    Some(clean.iter().map(|value| value / largest / sum).collect())
}

/// Borders below the columns, as many as fit.
fn draw_edges(
    svg: &mut Svg,
    edges: &[f64],
    unit: &Unit,
    (left, pitch): (f64, f64),
    bottom: f64,
    format: Format,
    size: Size,
) {
    let font = size.font();
    let span = edges
        .iter()
        .copied()
        .filter(|edge| edge.is_finite())
        .fold(0.0, |most: f64, edge| most.max(edge.abs()));
    let text = |edge: f64| match unit {
        Unit::Percent => format.percent_with(edge, 0),
        _ if span >= 100.0 => format.number(edge, 0),
        _ => format.plain(edge),
    };
    let mut free_from = f64::NEG_INFINITY;
    for (index, edge) in edges.iter().enumerate().filter(|(_, edge)| edge.is_finite()) {
        let tick = left + pitch * index as f64;
        let label = text(*edge);
        let half = text_width(&label, font) / 2.0;
        let x = tick.clamp(half, size.width() - half);
        if x - half < free_from {
            continue;
        }
        svg.line((tick, bottom), (tick, bottom + 4.0), Paint::Axis, false);
        svg.muted_text(x, bottom + font * 1.5, Anchor::Middle, &label);
        free_from = x + half + font * 1.2;
    }
}
