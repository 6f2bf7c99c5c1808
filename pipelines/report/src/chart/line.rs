//! Lines over time, with a band and marks of what happened.

use jiff::Timestamp;

use super::Size;
use super::frame::{Legend, LegendKey, nothing_to_draw};
use super::scale::{Axis, Linear, extent, fit, seconds, text_width, thinned_runs, time_ticks};
use super::svg::{Anchor, Paint, Svg};
use crate::format::{Format, Unit};

/// Marks beyond this many are left out: the first ones are kept.
const MOST_MARKERS: usize = 12;

/// Rows of labels above the plot; a mark whose label finds no room keeps only its line.
const MARKER_ROWS: usize = 4;

/// A line chart over time.
#[derive(Debug, Clone, Default)]
pub struct LineChart {
    /// The accessible name.
    pub title: String,
    /// The accessible description: what a reader would see.
    pub description: String,
    /// The unit of the values.
    pub unit: Unit,
    /// The moments, ascending; one per value of each series.
    pub at: Vec<Timestamp>,
    /// The lines, the most important first; the first six are drawn.
    pub series: Vec<Series>,
    /// A band behind the lines.
    pub band: Option<Band>,
    /// What happened.
    pub markers: Vec<Marker>,
    /// Whether the axis begins at zero.
    pub from_zero: bool,
}

/// One line.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its values; `None` and NaN are gaps.
    pub values: Vec<Option<f64>>,
    /// Dashed, for estimates and expectations.
    pub dashed: bool,
}

/// An area between two limits, in the colour of the first line.
#[derive(Debug, Clone, Default)]
pub struct Band {
    /// Its name in the legend.
    pub name: String,
    /// The lower limits.
    pub low: Vec<Option<f64>>,
    /// The upper limits.
    pub high: Vec<Option<f64>>,
}

/// A vertical mark.
#[derive(Debug, Clone)]
pub struct Marker {
    /// When.
    pub at: Timestamp,
    /// What happened (`cambio detectado`).
    pub label: String,
    /// Whether it is a warning.
    pub alert: bool,
}

impl LineChart {
    /// Draws the chart for one place.
    pub fn svg(&self, format: Format, size: Size) -> String {
        let Some((axis, first, last)) = self.axes() else {
            return nothing_to_draw(&self.title, &self.description, format, size);
        };
        let font = size.font();
        let legend = Legend::new(self.legend_keys(), size);
        let labels: Vec<String> =
            axis.ticks().into_iter().map(|tick| axis.label(tick, &self.unit, format)).collect();
        let left = labels.iter().map(|label| text_width(label, font)).fold(0.0, f64::max) + font;
        let right = size.width() - font;
        let time = Linear::new((seconds(first), seconds(last)), (left, right));
        let placed = self.placed_markers(time, size);
        let rows = placed.iter().filter_map(|mark| mark.row).max().map_or(0, |row| row + 1);
        let top = legend.height() + font * 0.8 + rows as f64 * font * 1.35;
        let bottom = top + size.plot_height();
        let scale = Linear::new((axis.low, axis.high), (bottom, top));

        let mut svg = Svg::new(size, bottom + font * 2.0, &self.title, &self.description);
        legend.draw(&mut svg);
        for (tick, label) in axis.ticks().into_iter().zip(&labels) {
            let y = scale.place(tick);
            svg.line((left, y), (right, y), if tick == axis.low { Paint::Axis } else { Paint::Grid }, false);
            svg.muted_text(left - font * 0.5, y + font * 0.35, Anchor::End, label);
        }
        draw_time_axis(&mut svg, time, (first, last), bottom, format, size);
        self.draw_band(&mut svg, time, scale, size);
        draw_markers(&mut svg, &placed, legend.height(), bottom);
        for (index, series) in self.series.iter().enumerate().take(6) {
            for run in thinned_runs(&self.points(&series.values), size.most_points()) {
                let points: Vec<(f64, f64)> =
                    run.iter().map(|(x, y)| (time.place(*x), scale.place(*y))).collect();
                svg.polyline(&points, Paint::Series(index), series.dashed);
            }
        }
        svg.finish()
    }

    fn points(&self, values: &[Option<f64>]) -> Vec<(f64, Option<f64>)> {
        self.at.iter().zip(values).map(|(at, value)| (seconds(*at), *value)).collect()
    }

    /// The value axis and the ends of time; none when there is nothing to draw.
    fn axes(&self) -> Option<(Axis, Timestamp, Timestamp)> {
        let (first, last) = (*self.at.first()?, *self.at.last()?);
        let lines = self.series.iter().take(6).flat_map(|series| series.values.iter().take(self.at.len()));
        let band = self.band.iter().flat_map(|band| band.low.iter().chain(&band.high));
        let zero = self.from_zero.then_some(Some(0.0));
        lines.clone().flatten().find(|value| value.is_finite())?;
        let extent = extent(lines.chain(band).chain(zero.iter()).copied().flatten())?;
        Some((Axis::around(extent, 4), first, last.max(first)))
    }

    /// A single line needs no legend: the title names it.
    fn legend_keys(&self) -> Vec<LegendKey> {
        if self.series.len() == 1 && self.band.is_none() {
            return Vec::new();
        }
        let lines = self.series.iter().enumerate().take(6).map(|(index, series)| LegendKey {
            name: series.name.clone(),
            paint: Paint::Series(index),
            line: Some(series.dashed),
            opacity: 1.0,
        });
        let band = self.band.iter().map(|band| LegendKey {
            name: band.name.clone(),
            paint: Paint::Series(0),
            line: None,
            opacity: 0.2,
        });
        lines.chain(band).collect()
    }

    fn draw_band(&self, svg: &mut Svg, time: Linear, scale: Linear, size: Size) {
        let Some(band) = &self.band else { return };
        // Both limits must exist at a point, so that the two edges have the same runs.
        let (mut low, mut high) = (Vec::new(), Vec::new());
        for ((at, bottom), top) in self.at.iter().zip(&band.low).zip(&band.high) {
            let known = |limit: &Option<f64>| limit.filter(|value| value.is_finite());
            let both = known(bottom).zip(known(top));
            low.push((seconds(*at), both.map(|(bottom, _)| bottom)));
            high.push((seconds(*at), both.map(|(_, top)| top)));
        }
        let most = size.most_points();
        for (lower, upper) in thinned_runs(&low, most).iter().zip(&thinned_runs(&high, most)) {
            let edge = upper.iter().chain(lower.iter().rev());
            let points: Vec<(f64, f64)> = edge.map(|(x, y)| (time.place(*x), scale.place(*y))).collect();
            svg.area(&points, Paint::Series(0), 0.16);
        }
    }

    /// Gives each mark inside the chart's time a row for its label, to the right of its line or to the left.
    fn placed_markers(&self, time: Linear, size: Size) -> Vec<PlacedMarker> {
        let font = size.font();
        let mut inside: Vec<&Marker> = self
            .markers
            .iter()
            .filter(|mark| (time.low..=time.high).contains(&seconds(mark.at)))
            .take(MOST_MARKERS)
            .collect();
        inside.sort_by_key(|mark| mark.at);
        let mut taken: Vec<Vec<(f64, f64)>> = vec![Vec::new(); MARKER_ROWS];
        let mut placed = Vec::new();
        for mark in inside {
            let x = time.place(seconds(mark.at));
            let label = fit(&mark.label, size.width() * 0.72, font);
            let width = text_width(&label, font) + font * 0.9;
            let to_the_right = x + width <= size.width();
            let (from, to) = if to_the_right { (x, x + width) } else { (x - width, x) };
            let row =
                taken.iter().position(|row| row.iter().all(|(start, end)| to <= *start || from >= *end));
            if let Some(row) = row {
                taken[row].push((from, to));
            }
            placed.push(PlacedMarker { x, label, to_the_right, row, alert: mark.alert });
        }
        placed
    }
}

struct PlacedMarker {
    x: f64,
    label: String,
    to_the_right: bool,
    row: Option<usize>,
    alert: bool,
}

fn draw_markers(svg: &mut Svg, markers: &[PlacedMarker], top: f64, bottom: f64) {
    let font = svg.font();
    for mark in markers {
        let paint = if mark.alert { Paint::Alert } else { Paint::Axis };
        let y = top + font * 1.1 + mark.row.unwrap_or(0) as f64 * font * 1.35;
        svg.line((mark.x, y - font * 0.4), (mark.x, bottom), paint, true);
        svg.dot(mark.x, y - font * 0.35, paint);
        if mark.row.is_some() {
            let (offset, anchor) = if mark.to_the_right { (0.5, Anchor::Start) } else { (-0.5, Anchor::End) };
            svg.text(mark.x + offset * font, y, anchor, &mark.label);
        }
    }
}

/// Labels below the plot; those that would touch their neighbour or leave the drawing are left out.
pub(crate) fn draw_time_axis(
    svg: &mut Svg,
    time: Linear,
    (first, last): (Timestamp, Timestamp),
    bottom: f64,
    format: Format,
    size: Size,
) {
    let font = size.font();
    let mut free_from = f64::NEG_INFINITY;
    for (at, label) in time_ticks(first, last, size.most_time_ticks(), format) {
        let half = text_width(&label, font) / 2.0;
        let tick = time.place(at);
        let x = tick.clamp(half, size.width() - half);
        svg.line((tick, bottom), (tick, bottom + 4.0), Paint::Axis, false);
        if x - half >= free_from {
            svg.muted_text(x, bottom + font * 1.5, Anchor::Middle, &label);
            free_from = x + half + font * 0.5;
        }
    }
}
