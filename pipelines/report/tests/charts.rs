//! The charts as pages use them.

use chasqui_report::chart::{
    Band, Bar, Bars, HistogramCells, HistogramPair, LineChart, Marker, Series, Share, ShareBar, ShareHistory,
    ShareSeries, Size, bars, histogram_pair, line, share_bar, share_history,
};
use chasqui_report::{Format, Language, Unit};
use jiff::{SignedDuration, Timestamp};

const FORMAT: Format = Format::ECUADOR;

fn moments(count: usize, seconds: i64) -> Vec<Timestamp> {
    let start = Timestamp::constant(1_795_000_000, 0);
    (0..count).map(|index| start + SignedDuration::from_secs(seconds * index as i64)).collect()
}

fn waves(count: usize) -> LineChart {
    let values = (0..count).map(|index| Some((index as f64 / 40.0).sin())).collect();
    LineChart {
        title: "Ventas".into(),
        description: "Ventas de cada día".into(),
        at: moments(count, 86_400),
        series: vec![Series { name: "ventas".into(), values, dashed: false }],
        ..LineChart::default()
    }
}

/// Every attribute that holds a number, and every path, is made of finite numbers.
fn assert_finite(svg: &str) {
    for word in ["NaN", "inf"] {
        assert!(!svg.contains(word), "«{word}» in {}", &svg[..svg.len().min(2000)]);
    }
}

#[test]
fn long_series_are_thinned_to_four_hundred_points() {
    let chart = waves(20_000);
    let svg = chart.svg(FORMAT, Size::Wide);
    let points = svg.matches('L').count();
    assert!(points <= 420, "{points} points");
    assert!(line(&chart, FORMAT).len() < 20_000);
}

#[test]
fn both_drawings_are_accessible_and_scale() {
    let html = line(&waves(30), FORMAT);
    assert_eq!(html.matches("role=\"img\"").count(), 2);
    assert_eq!(html.matches("<title>Ventas</title>").count(), 2);
    assert_eq!(html.matches("<desc>Ventas de cada día</desc>").count(), 2);
    assert!(html.contains("viewBox=\"0 0 360 ") && html.contains("viewBox=\"0 0 800 "));
    assert!(!html.contains("<svg width") && !html.contains("\" height=\"100"));
}

#[test]
fn axes_speak_spanish_of_ecuador() {
    let mut chart = waves(3);
    chart.unit = Unit::Money;
    chart.series[0].values = vec![Some(500.0), Some(1200.0), Some(1500.0)];
    let svg = chart.svg(FORMAT, Size::Wide);
    assert!(svg.contains("USD 1.250") || svg.contains("USD 1.500"), "{svg}");
    assert!(svg.contains(" nov<"), "{svg}");
}

#[test]
fn nothing_and_impossible_values_are_drawn_calmly() {
    let mut chart = waves(10);
    chart.series[0].values = vec![None; 10];
    assert!(chart.svg(FORMAT, Size::Wide).contains("Todavía no hay datos"));
    assert!(LineChart::default().svg(Format::new(Language::En), Size::Narrow).contains("no data"));
    chart.series[0].values = vec![Some(f64::NAN), Some(f64::INFINITY), Some(f64::MAX), Some(f64::MIN), None];
    chart.band = Some(Band { name: "r".into(), low: vec![Some(f64::NAN); 10], high: vec![Some(1.0); 3] });
    chart.markers = vec![Marker { at: chart.at[3], label: "x".into(), alert: true }];
    for size in [Size::Narrow, Size::Wide] {
        assert_finite(&chart.svg(FORMAT, size));
    }
    let bars = Bars { bars: vec![Bar { value: f64::NAN, ..Bar::default() }], ..Bars::default() };
    assert_finite(&bars.svg(FORMAT, Size::Wide));
}

#[test]
fn markers_carry_their_label_and_stay_inside() {
    let mut chart = waves(30);
    chart.markers = (0..30)
        .map(|index| Marker {
            at: chart.at[index],
            label: format!("cambio detectado {index}"),
            alert: index % 2 == 0,
        })
        .collect();
    chart.markers.push(Marker { at: Timestamp::UNIX_EPOCH, label: "fuera".into(), alert: false });
    let svg = chart.svg(FORMAT, Size::Narrow);
    assert!(svg.contains("cambio detectado 0<"));
    assert!(!svg.contains("fuera"));
}

#[test]
fn bars_go_both_ways_from_zero() {
    let bar = |label: &str, value| Bar { label: label.into(), value, alert: value < 0.0 };
    let chart = Bars {
        unit: Unit::Percent,
        bars: vec![bar("sube", 0.2), bar("baja", -0.1), bar("<b>", 0.0)],
        ..Bars::default()
    };
    let html = bars(&chart, FORMAT);
    assert!(html.contains("20,0 %") && html.contains("-10,0 %") && html.contains("&lt;b&gt;"));
    assert_finite(&html);
}

#[test]
fn histograms_take_intervals_and_categories() {
    let pair = |cells| HistogramPair {
        title: "ingreso".into(),
        description: "antes y ahora".into(),
        before_name: "Antes".into(),
        after_name: "Ahora".into(),
        cells,
        before: (0..100).map(f64::from).collect(),
        after: vec![1.0; 100],
    };
    let mut edges: Vec<f64> = (0..=100).map(f64::from).collect();
    (edges[0], edges[100]) = (f64::NEG_INFINITY, f64::INFINITY);
    let intervals = histogram_pair(&pair(HistogramCells::Intervals { edges, unit: Unit::Plain }), FORMAT);
    assert_finite(&intervals);
    assert!(intervals.matches("<rect").count() <= 2 * (2 * 32 + 2));
    let names = (0..100).map(|index| format!("Santo Domingo de los Tsáchilas {index}")).collect();
    let categories = histogram_pair(&pair(HistogramCells::Categories(names)), FORMAT);
    assert_finite(&categories);
    let empty = HistogramPair { before: vec![0.0; 3], ..pair(HistogramCells::Categories(Vec::new())) };
    assert!(empty.svg(FORMAT, Size::Wide).contains("Todavía no hay datos"));
    let short = HistogramPair {
        after: vec![1.0],
        ..pair(HistogramCells::Intervals { edges: vec![1.0], unit: Unit::Money })
    };
    assert_finite(&short.svg(FORMAT, Size::Narrow));
}

#[test]
fn shares_add_up_and_the_small_ones_are_joined() {
    let parts = (1..=9).map(|index| Share { name: format!("v{index}"), share: 1.0 }).collect();
    let bar = share_bar(&ShareBar { title: "tráfico".into(), parts, ..ShareBar::default() }, FORMAT);
    assert!(bar.contains("las demás · 44,4 %"), "{bar}");
    let series = (1..=9)
        .map(|index| ShareSeries {
            name: format!("v{index}"),
            values: vec![f64::NAN, 1.0, -4.0, f64::from(index)],
        })
        .collect();
    let history = ShareHistory { at: moments(4, 86_400), series, ..ShareHistory::default() };
    let html = share_history(&history, FORMAT);
    assert_finite(&html);
    assert!(html.contains("las demás"));
    let one = ShareHistory {
        at: moments(1, 1),
        series: vec![ShareSeries { name: "v1".into(), values: vec![2.0] }],
        ..ShareHistory::default()
    };
    assert_finite(&one.svg(FORMAT, Size::Narrow));
}
