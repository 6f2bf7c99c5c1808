//! From values to places: round ticks, dates on an axis, the width of texts, thinning.

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;

use crate::format::{Format, NO_VALUE, Unit, local_date, start_of_day};

/// Values beyond this are drawn at it, so that differences stay finite.
const LARGEST: f64 = 1e300;

/// A linear scale from values to places.
#[derive(Clone, Copy)]
pub(crate) struct Linear {
    pub(crate) low: f64,
    pub(crate) high: f64,
    from: f64,
    to: f64,
}

impl Linear {
    pub(crate) fn new((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        Self { low, high, from, to }
    }

    pub(crate) fn place(self, value: f64) -> f64 {
        let span = self.high - self.low;
        if span <= 0.0 {
            return f64::midpoint(self.from, self.to);
        }
        self.from + (value.clamp(self.low, self.high) - self.low) / span * (self.to - self.from)
    }
}

/// Lowest and highest of the finite values.
pub(crate) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).map(|value| value.clamp(-LARGEST, LARGEST)).fold(
        None,
        |seen, value| {
            let (low, high) = seen.unwrap_or((value, value));
            Some((value.min(low), value.max(high)))
        },
    )
}

/// An axis with round ticks that covers the extent: its ends and the distance of its ticks.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    step: f64,
}

impl Axis {
    /// About `ticks` round intervals around the extent.
    pub(crate) fn around((low, high): (f64, f64), ticks: usize) -> Self {
        let span = high - low;
        let span = if span > low.abs().max(high.abs()) * 1e-9 { span } else { low.abs().max(1e-9) };
        let step = round_step(span / ticks.max(1) as f64);
        let bottom = (low / step).floor() * step;
        let mut top = (high / step).ceil() * step;
        if top <= bottom {
            top = bottom + step;
        }
        Self { low: bottom, high: top, step }
    }

    pub(crate) fn ticks(self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step).round().clamp(1.0, 20.0) as usize;
        (0..=count).map(|index| self.low + self.step * index as f64).collect()
    }

    /// A tick's label, with the decimals that the step asks for.
    pub(crate) fn label(self, value: f64, unit: &Unit, format: Format) -> String {
        if !value.is_finite() {
            return NO_VALUE.into();
        }
        let value = if value.abs() < self.step * 1e-6 { 0.0 } else { value };
        let decimals = |step: f64| (-step.log10() + 1e-9).ceil().clamp(0.0, 9.0) as usize;
        if *unit == Unit::Percent {
            return format.percent_with(value, decimals(self.step * 100.0));
        }
        let number = if self.high.abs().max(self.low.abs()) >= 1e7 {
            format!("{} M", format.number(value / 1e6, decimals(self.step / 1e6)))
        } else {
            format.number(value, decimals(self.step))
        };
        if *unit == Unit::Money { format!("USD {number}") } else { number }
    }
}

/// The next of 1, 2, 2.5, 5 × 10ⁿ.
fn round_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    let lead = raw / power;
    let round = [1.0, 2.0, 2.5, 5.0].into_iter().find(|candidate| lead <= candidate + 1e-9).unwrap_or(10.0);
    round * power
}

/// Seconds since the epoch, the unit of time axes.
pub(crate) fn seconds(at: Timestamp) -> f64 {
    at.as_second() as f64
}

/// Ticks of a time axis: seconds and labels, at most `most` of them.
pub(crate) fn time_ticks(from: Timestamp, to: Timestamp, most: usize, format: Format) -> Vec<(f64, String)> {
    let span = (to.as_second() - from.as_second()).max(0);
    let most = most.max(2);
    if span < 2 * 86_400 {
        return clock_ticks(from, to, most, format);
    }
    let (first, last) = (local_date(from), local_date(to));
    let days = span / 86_400;
    let step = [1, 2, 3, 7, 14, 21, 28].into_iter().find(|step| days / step < most as i64);
    let mut ticks = Vec::new();
    if let Some(step) = step {
        let mut day = first;
        while day <= last && ticks.len() <= most {
            ticks.push((seconds(start_of_day(day)), format.short_date(day)));
            let Ok(next) = day.checked_add(step.days()) else { break };
            day = next;
        }
    } else {
        month_ticks(first, last, most, format, &mut ticks);
    }
    ticks.retain(|(at, _)| *at >= seconds(from) && *at <= seconds(to));
    ticks
}

fn month_ticks(first: Date, last: Date, most: usize, format: Format, ticks: &mut Vec<(f64, String)>) {
    let months = i64::from(last.year() - first.year()) * 12 + i64::from(last.month() - first.month());
    let step = [1, 2, 3, 6, 12, 24, 60, 120, 600, 6000]
        .into_iter()
        .find(|step| months / step < most as i64)
        .unwrap_or(12_000);
    let mut day = first.first_of_month();
    while day <= last && ticks.len() <= most + 1 {
        let label = format!("{} {}", format.short_month(day.month()), day.year());
        ticks.push((seconds(start_of_day(day)), label));
        let Ok(next) = day.checked_add(step.months()) else { break };
        day = next;
    }
}

fn clock_ticks(from: Timestamp, to: Timestamp, most: usize, format: Format) -> Vec<(f64, String)> {
    let span = (to.as_second() - from.as_second()).max(1);
    let step = [1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200]
        .into_iter()
        .find(|step| span / step < most as i64)
        .unwrap_or(86_400);
    // Guayaquil is a whole number of hours from UTC; 12-hour steps are counted from its midnight.
    let shift = 5 * 3600;
    let mut at = (from.as_second() - shift).div_euclid(step) * step + shift;
    let mut ticks = Vec::new();
    while at <= to.as_second() {
        if at >= from.as_second()
            && let Ok(moment) = Timestamp::from_second(at)
        {
            ticks.push((at as f64, format.time(moment)));
        }
        at += step;
    }
    ticks
}

/// About how wide a text is, in units of the drawing.
pub(crate) fn text_width(text: &str, font: f64) -> f64 {
    text.chars()
        .map(|character| match character {
            'i' | 'l' | 'j' | '.' | ',' | ':' | ' ' | '|' | 'í' | '1' | '\'' => 0.33,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.88,
            _ if character.is_uppercase() => 0.68,
            _ => 0.55,
        })
        .sum::<f64>()
        * font
}

/// Cuts a text to a width, with "…" at its end.
pub(crate) fn fit(text: &str, width: f64, font: f64) -> String {
    if text_width(text, font) <= width {
        return text.into();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if text_width(&kept, font) + font * 0.8 > width {
            break;
        }
    }
    kept.pop();
    format!("{}…", kept.trim_end())
}

/// The runs of consecutive points between gaps, thinned to about `most` points in all: each of `most / 2` equal
/// stretches keeps its lowest and its highest point, so that no peak disappears.
pub(crate) fn thinned_runs(points: &[(f64, Option<f64>)], most: usize) -> Vec<Vec<(f64, f64)>> {
    let size = if points.len() <= most { 1 } else { points.len().div_ceil((most / 2).max(1)) };
    let mut runs = vec![Vec::new()];
    for stretch in points.chunks(size) {
        let known: Vec<(f64, f64)> = stretch
            .iter()
            .filter_map(|(x, y)| Some((*x, (*y).filter(|value| value.is_finite())?.clamp(-LARGEST, LARGEST))))
            .collect();
        let lowest = known.iter().enumerate().min_by(|a, b| a.1.1.total_cmp(&b.1.1)).map(|(index, _)| index);
        let highest = known.iter().enumerate().max_by(|a, b| a.1.1.total_cmp(&b.1.1)).map(|(index, _)| index);
        let (Some(low), Some(high)) = (lowest, highest) else {
            runs.push(Vec::new());
            continue;
        };
        if let Some(run) = runs.last_mut() {
            run.push(known[low.min(high)]);
            if low != high {
                run.push(known[low.max(high)]);
            }
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_round_and_cover_the_values() {
        for extent in
            [(0.0, 1.0), (-3.2, 7.9), (0.82, 0.83), (5.0, 5.0), (0.0, 0.0), (-1e300, 1e300), (1e-12, 2e-12)]
        {
            let axis = Axis::around(extent, 4);
            let ticks = axis.ticks();
            let slack = axis.step * 1e-6;
            assert!(
                axis.low - slack <= extent.0 && axis.high + slack >= extent.1,
                "{extent:?}: {} {}",
                axis.low,
                axis.high
            );
            assert!((2..=12).contains(&ticks.len()), "{extent:?}: {ticks:?}");
        }
    }

    #[test]
    fn tick_labels_have_the_decimals_of_their_step() {
        let format = Format::ECUADOR;
        let axis = Axis::around((0.0, 0.4), 4);
        assert_eq!(axis.label(0.2, &Unit::Percent, format), "20 %");
        let axis = Axis::around((500.0, 1500.0), 4);
        assert_eq!(axis.label(1250.0, &Unit::Money, format), "USD 1.250");
        let axis = Axis::around((0.82, 0.84), 4);
        assert_eq!(axis.label(0.825, &Unit::Plain, format), "0,825");
    }

    #[test]
    fn thinning_keeps_peaks_gaps_and_the_bound() {
        let mut points: Vec<(f64, Option<f64>)> =
            (0..100_000).map(|index| (f64::from(index), Some((f64::from(index) / 500.0).sin()))).collect();
        points[51_234].1 = Some(9.0);
        for point in &mut points[60_000..70_000] {
            point.1 = None;
        }
        let runs = thinned_runs(&points, 400);
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().map(Vec::len).sum::<usize>() <= 400);
        assert!(runs.iter().flatten().any(|(_, y)| *y == 9.0));
    }

    #[test]
    fn time_ticks_suit_hours_days_months_and_years() {
        let start: Timestamp = "2026-11-01T05:00:00Z".parse().unwrap();
        for (span, first) in [
            (6 * 3600, "00:00"),
            (20 * 86_400, "1 nov"),
            (300 * 86_400, "nov 2026"),
            (4000 * 86_400, "nov 2026"),
        ] {
            let ticks = time_ticks(start, start + jiff::SignedDuration::from_secs(span), 7, Format::ECUADOR);
            assert!((3..=8).contains(&ticks.len()), "{span}: {ticks:?}");
            assert_eq!(ticks[0].1, first);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(fit("Quito", 100.0, 13.0), "Quito");
        let cut = fit("Santo Domingo de los Tsáchilas", 90.0, 13.0);
        assert!(cut.ends_with('…') && text_width(&cut, 13.0) <= 95.0, "{cut}");
    }
}
