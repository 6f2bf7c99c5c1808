//! What every chart has: its place's measures, a legend, and the drawing for "no data".

use super::Size;
use super::scale::{fit, text_width};
use super::svg::{Anchor, Paint, Svg};
use crate::format::{Format, Language};

impl Size {
    /// Width in units of the drawing.
    pub(crate) fn width(self) -> f64 {
        match self {
            Self::Narrow => 360.0,
            Self::Wide => 800.0,
        }
    }

    /// Text size in units: 11 pixels or more from 296 pixels (narrow) and from 600 pixels (wide) on.
    pub(crate) fn font(self) -> f64 {
        match self {
            Self::Narrow => 13.4,
            Self::Wide => 14.7,
        }
    }

    pub(crate) fn plot_height(self) -> f64 {
        match self {
            Self::Narrow => 170.0,
            Self::Wide => 230.0,
        }
    }

    pub(crate) fn most_points(self) -> usize {
        match self {
            Self::Narrow => 160,
            Self::Wide => 400,
        }
    }

    pub(crate) fn most_time_ticks(self) -> usize {
        match self {
            Self::Narrow => 5,
            Self::Wide => 8,
        }
    }
}

/// One entry of a legend.
pub(crate) struct LegendKey {
    pub(crate) name: String,
    pub(crate) paint: Paint,
    /// A line (dashed or not) instead of a square.
    pub(crate) line: Option<bool>,
    pub(crate) opacity: f64,
}

/// A legend above the plot, in as many rows as it needs.
pub(crate) struct Legend {
    keys: Vec<(LegendKey, f64, usize)>,
    rows: usize,
    font: f64,
}

impl Legend {
    pub(crate) fn new(keys: Vec<LegendKey>, size: Size) -> Self {
        let font = size.font();
        let (mut x, mut row) = (0.0, 0);
        let mut placed = Vec::new();
        for mut key in keys {
            key.name = fit(&key.name, size.width() - font * 3.0, font);
            let width = font * 3.4 + text_width(&key.name, font);
            if x > 0.0 && x + width > size.width() {
                (x, row) = (0.0, row + 1);
            }
            placed.push((key, x, row));
            x += width;
        }
        let rows = if placed.is_empty() { 0 } else { row + 1 };
        Self { keys: placed, rows, font }
    }

    pub(crate) fn height(&self) -> f64 {
        self.rows as f64 * self.font * 1.6
    }

    pub(crate) fn draw(&self, svg: &mut Svg) {
        for (key, x, row) in &self.keys {
            let y = self.font * 1.1 + *row as f64 * self.font * 1.6;
            let middle = y - self.font * 0.35;
            if let Some(dashed) = key.line {
                svg.polyline(&[(*x + 1.0, middle), (x + self.font * 1.7, middle)], key.paint, dashed);
            } else {
                let corner = (x + self.font * 0.4, middle - self.font * 0.45);
                svg.rect(corner, (self.font * 0.9, self.font * 0.9), key.paint, key.opacity);
            }
            svg.text(x + self.font * 2.1, y, Anchor::Start, &key.name);
        }
    }
}

/// The drawing of a chart without values.
pub(crate) fn nothing_to_draw(title: &str, description: &str, format: Format, size: Size) -> String {
    let mut svg = Svg::new(size, size.font() * 5.0, title, description);
    let text = match format.language {
        Language::Es => "Todavía no hay datos para este gráfico.",
        Language::En => "There are no data for this chart yet.",
    };
    svg.muted_text(size.width() / 2.0, size.font() * 2.8, Anchor::Middle, text);
    svg.finish()
}
