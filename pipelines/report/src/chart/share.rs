//! Parts of a whole: one bar, or a stack over time.

use jiff::Timestamp;

use super::Size;
use super::frame::{Legend, LegendKey, nothing_to_draw};
use super::line::draw_time_axis;
use super::scale::{Linear, seconds, text_width};
use super::svg::{Anchor, COLOURS, Paint, Svg};
use crate::format::{Format, Language};

/// One bar divided into parts.
#[derive(Debug, Clone, Default)]
pub struct ShareBar {
    /// The accessible name.
    pub title: String,
    /// The accessible description.
    pub description: String,
    /// The parts, the largest first; from the sixth on they are drawn together.
    pub parts: Vec<Share>,
}

/// One part of a whole.
#[derive(Debug, Clone, Default)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// Its size; the sizes are scaled to their sum.
    pub share: f64,
}

/// Parts of a whole over time.
#[derive(Debug, Clone, Default)]
pub struct ShareHistory {
    /// The accessible name.
    pub title: String,
    /// The accessible description.
    pub description: String,
    /// The moments at which each period begins, ascending.
    pub at: Vec<Timestamp>,
    /// The parts, the most important first; from the sixth on they are drawn together.
    pub series: Vec<ShareSeries>,
}

/// One part over time.
#[derive(Debug, Clone, Default)]
pub struct ShareSeries {
    /// Its name.
    pub name: String,
    /// Its size in each period; each period is scaled to its sum.
    pub values: Vec<f64>,
}

impl ShareBar {
    /// Draws the bar for one place.
    pub fn svg(&self, format: Format, size: Size) -> String {
        let shown = COLOURS.len();
        let mut parts: Vec<(String, f64)> = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let share = positive(part.share);
            match parts.last_mut() {
                Some(last) if index >= shown => *last = (rest_name(format).into(), last.1 + share),
                _ => parts.push((part.name.clone(), share)),
            }
        }
        let total: f64 = parts.iter().map(|(_, share)| share).sum();
        if total <= 0.0 {
            return nothing_to_draw(&self.title, &self.description, format, size);
        }
        let font = size.font();
        let keys = parts.iter().enumerate().map(|(index, (name, share))| LegendKey {
            name: format!("{name} · {}", format.percent(share / total)),
            paint: Paint::Series(index),
            line: None,
            opacity: 1.0,
        });
        let legend = Legend::new(keys.collect(), size);
        let (top, height) = (legend.height() + font * 0.5, font * 2.0);
        let mut svg = Svg::new(size, top + height + 2.0, &self.title, &self.description);
        legend.draw(&mut svg);
        let mut x = 0.0;
        for (index, (_, share)) in parts.iter().enumerate() {
            let width = share / total * size.width();
            svg.rect((x, top), ((width - 1.5).max(0.5), height), Paint::Series(index), 1.0);
            x += width;
        }
        svg.finish()
    }
}

impl ShareHistory {
    /// Draws the stack for one place.
    pub fn svg(&self, format: Format, size: Size) -> String {
        let (Some(first), Some(last)) = (self.at.first(), self.at.last()) else {
            return nothing_to_draw(&self.title, &self.description, format, size);
        };
        let columns = self.columns(size);
        if columns.iter().all(|(_, shares)| shares.iter().sum::<f64>() <= 0.0) {
            return nothing_to_draw(&self.title, &self.description, format, size);
        }
        let font = size.font();
        let legend = Legend::new(self.legend_keys(format), size);
        let left = text_width(&format.percent_with(1.0, 0), font) + font;
        let right = size.width() - font;
        let top = legend.height() + font * 0.8;
        let bottom = top + size.plot_height() * 0.7;
        // The last period is as long as the one before it.
        let step =
            columns.last().zip(columns.iter().nth_back(1)).map_or(86_400.0, |(a, b)| (a.0 - b.0).max(1.0));
        let end = columns.last().map_or(seconds(*last), |column| column.0) + step;
        let time = Linear::new((seconds(*first), end), (left, right));
        let scale = Linear::new((0.0, 1.0), (bottom, top));

        let mut svg = Svg::new(size, bottom + font * 2.0, &self.title, &self.description);
        legend.draw(&mut svg);
        for tick in [0.0, 0.5, 1.0] {
            let y = scale.place(tick);
            svg.line((left, y), (right, y), if tick == 0.0 { Paint::Axis } else { Paint::Grid }, false);
            svg.muted_text(left - font * 0.5, y + font * 0.35, Anchor::End, &format.percent_with(tick, 0));
        }
        let parts = columns.first().map_or(0, |(_, shares)| shares.len());
        let edges: Vec<f64> = columns.iter().map(|(at, _)| *at).chain([end]).collect();
        for part in 0..parts {
            let (mut upper, mut lower) = (Vec::new(), Vec::new());
            for ((_, shares), pair) in columns.iter().zip(edges.windows(2)) {
                let below: f64 = shares[..part].iter().sum();
                let above = below + shares[part];
                for at in pair {
                    extend_step(&mut upper, (time.place(*at), scale.place(above)));
                    extend_step(&mut lower, (time.place(*at), scale.place(below)));
                }
            }
            lower.reverse();
            upper.extend(lower);
            svg.area(&upper, Paint::Series(part), 0.92);
        }
        draw_time_axis(&mut svg, time, (*first, *last), bottom, format, size);
        svg.finish()
    }

    fn legend_keys(&self, format: Format) -> Vec<LegendKey> {
        let shown = self.series.len().min(COLOURS.len());
        let rest = self.series.len() > COLOURS.len();
        (0..shown)
            .map(|index| LegendKey {
                name: if rest && index + 1 == shown {
                    rest_name(format).into()
                } else {
                    self.series[index].name.clone()
                },
                paint: Paint::Series(index),
                line: None,
                opacity: 0.92,
            })
            .collect()
    }

    /// The shares of each drawn column (beginning in seconds, shares of the parts); neighbours are joined when
    /// there are more periods than columns fit.
    fn columns(&self, size: Size) -> Vec<(f64, Vec<f64>)> {
        let most = size.most_points() / 4;
        let joined = self.at.len().div_ceil(most).max(1);
        let shown = self.series.len().min(COLOURS.len());
        let mut columns = Vec::new();
        for start in (0..self.at.len()).step_by(joined) {
            let mut shares = vec![0.0; shown];
            for period in start..(start + joined).min(self.at.len()) {
                for (part, series) in self.series.iter().enumerate() {
                    let value = series.values.get(period).copied().map_or(0.0, positive);
                    shares[part.min(shown.saturating_sub(1))] += value;
                }
            }
            let total: f64 = shares.iter().sum();
            if total > 0.0 {
                for share in &mut shares {
                    *share /= total;
                }
            }
            columns.push((seconds(self.at[start]), shares));
        }
        columns
    }
}

/// Adds a corner to a line of steps; a step that stays at its height is one longer step.
fn extend_step(line: &mut Vec<(f64, f64)>, corner: (f64, f64)) {
    if let [.., (_, before), last] = line.as_mut_slice()
        && *before == corner.1
        && last.1 == corner.1
    {
        *last = corner;
    } else {
        line.push(corner);
    }
}

/// A size that can be summed: NaN and negative count as nothing.
fn positive(value: f64) -> f64 {
    if value.is_finite() { value.clamp(0.0, 1e150) } else { 0.0 }
}

fn rest_name(format: Format) -> &'static str {
    match format.language {
        Language::Es => "las demás",
        Language::En => "the rest",
    }
}
