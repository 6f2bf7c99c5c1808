//! Horizontal bars.

use super::Size;
use super::frame::nothing_to_draw;
use super::scale::{Linear, extent, fit, text_width};
use super::svg::{Anchor, Paint, Svg};
use crate::format::{Format, Unit};

/// Bars beyond this many are left out: the first ones are kept.
const MOST_BARS: usize = 30;

/// Horizontal bars, in the order given; the first 30 are drawn.
#[derive(Debug, Clone, Default)]
pub struct Bars {
    /// The accessible name.
    pub title: String,
    /// The accessible description.
    pub description: String,
    /// The unit of the values.
    pub unit: Unit,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, Default)]
pub struct Bar {
    /// Its name.
    pub label: String,
    /// Its length; negative to the left of zero.
    pub value: f64,
    /// In the warning colour.
    pub alert: bool,
}

impl Bars {
    /// Draws the chart for one place.
    pub fn svg(&self, format: Format, size: Size) -> String {
        let bars = self.bars.iter().take(MOST_BARS);
        let Some((low, high)) = extent(bars.clone().map(|bar| bar.value)) else {
            return nothing_to_draw(&self.title, &self.description, format, size);
        };
        let font = size.font();
        let texts: Vec<String> = bars.clone().map(|bar| format.value(bar.value, &self.unit)).collect();
        let text_room = texts.iter().map(|text| text_width(text, font)).fold(0.0, f64::max) + font;
        // On a phone the name stands above its bar; elsewhere to the left of it.
        let above = size == Size::Narrow;
        let names = bars.clone().map(|bar| text_width(&bar.label, font)).fold(0.0, f64::max) + font;
        let left = if above { 0.0 } else { names.min(size.width() * 0.34) };
        let room_left_of_zero = if low < 0.0 { text_room } else { 0.0 };
        let scale = Linear::new(
            (low.min(0.0), high.max(0.0)),
            (left + room_left_of_zero, size.width() - if high > 0.0 { text_room } else { font }),
        );
        let (pitch, thickness) = if above { (font * 2.9, font * 0.95) } else { (font * 1.9, font * 1.1) };
        let drawn = texts.len();
        let mut svg = Svg::new(size, drawn as f64 * pitch + font * 0.4, &self.title, &self.description);
        for (index, (bar, text)) in bars.zip(&texts).enumerate() {
            let top = index as f64 * pitch + if above { font * 1.5 } else { font * 0.4 };
            let name_room = if above { size.width() } else { left - font * 0.6 };
            let name = fit(&bar.label, name_room, font);
            if above {
                svg.text(0.0, top - font * 0.35, Anchor::Start, &name);
            } else {
                svg.text(left - font * 0.6, top + thickness * 0.5 + font * 0.35, Anchor::End, &name);
            }
            let zero = scale.place(0.0);
            let end = if bar.value.is_finite() { scale.place(bar.value) } else { zero };
            let paint = if bar.alert { Paint::Alert } else { Paint::Series(0) };
            svg.rect((zero.min(end), top), ((end - zero).abs().max(1.5), thickness), paint, 1.0);
            let (x, anchor) = if bar.value < 0.0 {
                (end - font * 0.4, Anchor::End)
            } else {
                (end + font * 0.4, Anchor::Start)
            };
            svg.muted_text(x, top + thickness * 0.5 + font * 0.35, anchor, text);
        }
        svg.finish()
    }
}
