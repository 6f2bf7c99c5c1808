//! Charts as SVG text, for the report and the dashboard.
//!
//! Each chart is a struct of values; [`line()`], [`bars`], [`histogram_pair`], [`share_bar`] and [`share_history`]
//! turn it into an HTML fragment with two drawings, one for phones and one for wider places, of which the style
//! sheet ([`crate::page::STYLESHEET`]) shows the one that fits the place where it stands: text keeps 11 pixels
//! and more at both. A single drawing is the method `svg(format, size)`. Texts are escaped here; NaN, infinite
//! and missing values are gaps; long series are thinned to 400 points. Colours are those of Okabe and Ito,
//! darkened for contrast on white, and never the only difference.

mod bars;
mod frame;
mod histogram;
mod line;
mod scale;
mod share;
mod small;
mod svg;

pub use bars::{Bar, Bars};
pub use histogram::{HistogramCells, HistogramPair};
pub use line::{Band, LineChart, Marker, Series};
pub use share::{Share, ShareBar, ShareHistory, ShareSeries};
pub use svg::escape;

use crate::format::Format;

/// The place that a drawing is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Phones and narrow columns: 360 units wide.
    Narrow,
    /// Everything else: 800 units wide.
    Wide,
}

/// A line chart over time with its optional band and event marks.
pub fn line(chart: &LineChart, format: Format) -> String {
    both(|size| chart.svg(format, size))
}

/// Horizontal bars.
pub fn bars(chart: &Bars, format: Format) -> String {
    both(|size| chart.svg(format, size))
}

/// The same cells before and after, side by side.
pub fn histogram_pair(chart: &HistogramPair, format: Format) -> String {
    both(|size| chart.svg(format, size))
}

/// The same cells before and after in one small drawing, for pages with many of them.
pub fn histogram_small(chart: &HistogramPair, format: Format) -> String {
    match chart.small(format) {
        drawing if drawing.is_empty() => drawing,
        drawing => format!("<div class=\"chart\">{drawing}</div>"),
    }
}

/// One bar divided into shares.
pub fn share_bar(chart: &ShareBar, format: Format) -> String {
    both(|size| chart.svg(format, size))
}

/// Shares over time, stacked to 100 %.
pub fn share_history(chart: &ShareHistory, format: Format) -> String {
    both(|size| chart.svg(format, size))
}

fn both(draw: impl Fn(Size) -> String) -> String {
    format!("<div class=\"chart\">{}{}</div>", draw(Size::Narrow), draw(Size::Wide))
}
