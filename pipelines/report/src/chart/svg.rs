//! The writer: elements, escaping, colours. Only what the charts need.

use std::fmt::Write;

use super::Size;

/// The colours of the series where no style sheet applies; with one, the classes `s0`…`s5` decide.
pub(crate) const COLOURS: [&str; 6] = ["#0063a6", "#c2410c", "#00785a", "#8a4f9e", "#8a6100", "#5b6770"];

const TEXT: &str = "#36424d";
const MUTED: &str = "#5b6770";
const GRID: &str = "#e1e6ea";

/// Where a text hangs on its point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a shape is painted.
#[derive(Clone, Copy)]
pub(crate) enum Paint {
    /// The grid.
    Grid,
    /// An axis, a marker of information.
    Axis,
    /// A marker that warns.
    Alert,
    /// A series, by its number.
    Series(usize),
}

impl Paint {
    fn colour(self) -> &'static str {
        match self {
            Self::Grid => GRID,
            Self::Axis => MUTED,
            Self::Alert => COLOURS[1],
            Self::Series(index) => COLOURS[index % COLOURS.len()],
        }
    }

    fn class(self) -> String {
        match self {
            Self::Grid => "cg".into(),
            Self::Axis => "ca".into(),
            Self::Alert => "cw".into(),
            Self::Series(index) => format!("s{}", index % COLOURS.len()),
        }
    }
}

/// An SVG drawing under construction.
pub(crate) struct Svg {
    out: String,
    font: f64,
}

impl Svg {
    /// Opens a drawing with its accessible name and description.
    pub(crate) fn new(size: Size, height: f64, title: &str, description: &str) -> Self {
        let class = match size {
            Size::Narrow => "chart-narrow",
            Size::Wide => "chart-wide",
        };
        let (width, font) = (size.width(), size.font());
        let title = escape(title);
        let mut out = String::with_capacity(8192);
        let _ = write!(
            out,
            "<svg class=\"{class}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{title}\" font-family=\"system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif\" font-size=\"{font}\"><title>{title}</title><desc>{}</desc>",
            escape(description)
        );
        Self { out, font }
    }

    /// The text size of the drawing.
    pub(crate) fn font(&self) -> f64 {
        self.font
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        self.styled_text(x, y, anchor, "ct", text);
    }

    pub(crate) fn muted_text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        self.styled_text(x, y, anchor, "cm", text);
    }

    fn styled_text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let fill = if class == "ct" { TEXT } else { MUTED };
        let text = escape(text);
        let _ = write!(
            self.out,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\"{anchor} fill=\"{fill}\">{text}</text>"
        );
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), paint: Paint, dashed: bool) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let dash = if dashed { " stroke-dasharray=\"4 3\"" } else { "" };
        let (class, colour) = (paint.class(), paint.colour());
        let _ = write!(
            self.out,
            "<path class=\"{class} ln\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{colour}\"{dash}/>"
        );
    }

    /// An open line through points.
    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], paint: Paint, dashed: bool) {
        let [(x, y), rest @ ..] = points else { return };
        if rest.is_empty() {
            return self.dot(*x, *y, paint);
        }
        let dash = if dashed { " stroke-dasharray=\"7 4\"" } else { "" };
        let (class, colour) = (paint.class(), paint.colour());
        let _ = write!(
            self.out,
            "<path class=\"{class} ln\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.2\" stroke-linejoin=\"round\" stroke-linecap=\"round\"{dash} d=\""
        );
        self.points(points);
        self.out.push_str("\"/>");
    }

    /// A closed area.
    pub(crate) fn area(&mut self, points: &[(f64, f64)], paint: Paint, opacity: f64) {
        if points.len() < 3 {
            return;
        }
        let (class, colour) = (paint.class(), paint.colour());
        let _ = write!(self.out, "<path class=\"{class} fl\" fill=\"{colour}\" opacity=\"{opacity}\" d=\"");
        self.points(points);
        self.out.push_str("Z\"/>");
    }

    fn points(&mut self, points: &[(f64, f64)]) {
        for (index, (x, y)) in points.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            let _ = write!(self.out, "{command}{x:.1} {y:.1}");
        }
    }

    pub(crate) fn rect(&mut self, corner: (f64, f64), size: (f64, f64), paint: Paint, opacity: f64) {
        let ((x, y), (width, height)) = (corner, size);
        let (class, colour) = (paint.class(), paint.colour());
        let faded = if opacity < 1.0 { format!(" opacity=\"{opacity}\"") } else { String::new() };
        let _ = write!(
            self.out,
            "<rect class=\"{class} fl\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"1.5\" fill=\"{colour}\"{faded}/>",
            width.max(0.0),
            height.max(0.0)
        );
    }

    pub(crate) fn dot(&mut self, x: f64, y: f64, paint: Paint) {
        let (class, colour) = (paint.class(), paint.colour());
        let _ = write!(
            self.out,
            "<circle class=\"{class} fl\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\" fill=\"{colour}\"/>"
        );
    }

    pub(crate) fn finish(mut self) -> String {
        self.out.push_str("</svg>");
        self.out
    }
}

/// Escapes a text for HTML and SVG, in elements and in quoted attributes; drops the control characters that XML
/// does not allow.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            _ if character.is_control() => {}
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_harmless() {
        assert_eq!(
            escape("<a href=\"x\" o='y'>&\u{0}\n"),
            "&lt;a href=&quot;x&quot; o=&#39;y&#39;&gt;&amp; "
        );
    }
}
