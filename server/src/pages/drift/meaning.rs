//! What a verdict means, in words: faults of the data, the season, and of which kind and since when a change is.

use chasqui_drift::calendar::{Event, SeasonalVerdict};
use chasqui_drift::kind::ChangeKind;
use chasqui_drift::quality::{Check, Fault};
use chasqui_pipelines::monitor::{ColumnChange, MOST_GROUPS, SeasonReading};
use chasqui_report::fill;
use jiff::civil::Date;

use crate::pages::voice::{Voice, clip};

/// Groups that a sentence names.
const GROUPS: usize = 3;

/// One fault of the data.
pub(super) fn fault(fault: &Fault, voice: Voice) -> String {
    let t = voice.t;
    let text = match fault.check {
        Check::Missing => t.fault_missing,
        Check::Type => t.fault_type,
        Check::Range => t.fault_range,
        Check::Category => t.fault_category,
        Check::Duplicate => t.fault_duplicate,
        Check::Freshness if fault.after >= 1.0 => t.fault_silence,
        Check::Freshness => t.fault_freshness,
        Check::Volume => t.fault_volume,
    };
    let figure = |value: f64| match fault.check {
        Check::Volume => voice.format.number(value, 0),
        _ => voice.format.percent(value),
    };
    let example = fault.example.as_deref().map(|example| voice.quoted(example));
    let example = example.map(|value| fill(t.fault_example, &[("value", &value)])).unwrap_or_default();
    let name = voice.quoted(fault.column.as_deref().unwrap_or_default());
    fill(
        text,
        &[
            ("name", &name),
            ("before", &figure(fault.before)),
            ("after", &figure(fault.after)),
            ("example", &example),
        ],
    )
}

/// What the season makes of a change; none where it says nothing.
pub(super) fn season(reading: &SeasonReading, voice: Voice) -> Option<String> {
    let t = voice.t;
    let compared = |text: &str, event: &str| {
        let (from, to) = reading.compared_with?;
        let (from, to) = (voice.format.short_date(from), voice.format.short_date(to));
        Some(fill(text, &[("event", event), ("from", &from), ("to", &to)]))
    };
    match &reading.verdict {
        SeasonalVerdict::Steady => None,
        SeasonalVerdict::Alarm => compared(t.season_no, ""),
        SeasonalVerdict::Expected { event, notice } => {
            let text = if *event == Event::MismasFechas { t.season_same } else { t.season_expected };
            let told = compared(text, event.name())?;
            Some(if *notice { format!("{told} {}", t.season_notice) } else { told })
        }
        SeasonalVerdict::Watched { event, since } => {
            let since = voice.format.day_and_month(*since);
            Some(fill(t.season_watched, &[("event", event.name()), ("since", &since)]))
        }
    }
}

/// That there are more groups than are looked at.
pub(super) fn too_many_groups(voice: Voice) -> String {
    let most = voice.format.number(MOST_GROUPS as f64, 0);
    fill(voice.t.groups_too_many, &[("most", &most)])
}

/// Of which kind a column's change is, since when, and where it shows.
pub(super) fn change(change: &ColumnChange, voice: Voice) -> Option<String> {
    let t = voice.t;
    let dated = |text: &str| {
        let began = change.began?;
        let day = |date: Date| voice.format.day_and_month(date);
        let between = if began.earliest == began.latest {
            String::new()
        } else {
            fill(t.kind_between, &[("a", &day(began.earliest)), ("b", &day(began.latest))])
        };
        Some(fill(text, &[("on", &day(began.on)), ("between", &between)]))
    };
    let kind = match change.description.kind {
        ChangeKind::Unknown => Some(t.kind_unknown.to_owned()),
        ChangeKind::Steady => None,
        ChangeKind::Sudden => dated(t.kind_sudden),
        ChangeKind::Gradual { .. } => dated(t.kind_gradual),
        ChangeKind::OneOff { .. } => dated(t.kind_one_off),
        ChangeKind::Recurring { period } => {
            Some(fill(t.kind_recurring, &[("days", &voice.format.number(period, 0))]))
        }
    };
    let groups: Vec<String> = change.groups.iter().take(GROUPS).map(|group| clip(&group.name)).collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let places = (!groups.is_empty()).then(|| fill(t.kind_groups, &[("names", &voice.list(&groups))]));
    let told: Vec<String> = kind.into_iter().chain(places).collect();
    (!told.is_empty()).then(|| told.join(" "))
}

#[cfg(test)]
mod tests {
    use chasqui_drift::kind::ChangeDescription;
    use chasqui_pipelines::monitor::ChangeInterval;
    use chasqui_report::Language;
    use jiff::civil::date;

    use super::*;

    fn reading(verdict: SeasonalVerdict) -> SeasonReading {
        SeasonReading {
            verdict,
            compared_with: Some((date(2025, 12, 17), date(2025, 12, 23))),
            since: None,
            source: None,
            rows: 300,
            columns: Vec::new(),
        }
    }

    #[test]
    fn a_season_that_explains_needs_nothing_to_be_done() {
        let voice = Voice::new(Language::Es);
        let expected = |notice| SeasonalVerdict::Expected { event: Event::DecimoTercero, notice };
        let told = season(&reading(expected(false)), voice).unwrap();
        assert!(told.starts_with("Cambio esperado por temporada (Décimo tercero"), "{told}");
        assert!(told.ends_with("No hace falta hacer nada."), "{told}");
        assert!(season(&reading(expected(true)), voice).unwrap().contains("más fuerte"));
        let watched = SeasonalVerdict::Watched { event: Event::Carnaval, since: date(2026, 2, 14) };
        assert!(season(&reading(watched), voice).unwrap().contains("desde el 14 de febrero"));
        assert!(season(&reading(SeasonalVerdict::Steady), voice).is_none());
        let english = season(&reading(SeasonalVerdict::Alarm), Voice::new(Language::En)).unwrap();
        assert!(english.starts_with("It is not the season"), "{english}");
    }

    #[test]
    fn a_period_without_any_request_is_told_as_that() {
        let of = |after| Fault { check: Check::Freshness, column: None, before: 0.1, after, example: None };
        let voice = Voice::new(Language::Es);
        assert_eq!(fault(&of(2.1), voice), "No llegó ningún pedido en todo el período.");
        assert_eq!(fault(&of(0.4), voice), "En el último 40,0 % del período no llegó ningún pedido.");
    }

    #[test]
    fn groups_without_a_past_are_told_of() {
        let told = too_many_groups(Voice::new(Language::Es));
        assert_eq!(told, "Hay más de 500 grupos: no se mira en cuáles se nota el cambio.");
    }

    #[test]
    fn a_sudden_change_has_a_date_and_an_interval() {
        let description = ChangeDescription {
            kind: ChangeKind::Sudden,
            began: None,
            confirmed: true,
            size: 1.0,
            evidence: 9.0,
        };
        let began =
            ChangeInterval { on: date(2016, 4, 18), earliest: date(2016, 4, 16), latest: date(2016, 4, 19) };
        let one = ColumnChange { column: "a".into(), description, began: Some(began), groups: Vec::new() };
        let told = change(&one, Voice::new(Language::Es)).unwrap();
        assert_eq!(
            told,
            "El cambio fue de un día para otro, el 18 de abril (entre el 16 de abril y el 19 de abril)."
        );
    }
}
