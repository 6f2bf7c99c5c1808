//! The Spanish sentences of alerts about data and performance: no names of tests, figures as in Ecuador.

use chasqui_drift::calendar::Event;
use chasqui_drift::decision::Incident;
use chasqui_drift::kind::ChangeKind;
use chasqui_drift::quality::{Check, Fault};
use chasqui_report::Language;
use chasqui_report::format::Format;

use super::assessment::ColumnChange;
use super::performance::{Figure, StoredPerformance};
use super::{Assessment, StoredVerdict};

/// Columns, faults and groups that one sentence names.
const NAMED: usize = 3;

/// What is wrong with the data.
pub(super) fn faults(service: &str, faults: &[&Fault]) -> String {
    let told: Vec<String> = faults.iter().take(NAMED).map(|found| fault(found)).collect();
    let more = match faults.len().saturating_sub(NAMED) {
        0 => String::new(),
        1 => "; y 1 falla más".to_owned(),
        more => format!("; y {more} fallas más"),
    };
    format!("Los datos que llegan a «{service}» tienen fallas: {}{more}.", told.join("; "))
}

/// One fault, without a full stop.
pub(super) fn fault(fault: &Fault) -> String {
    let format = Format::new(Language::Es);
    let (before, after) = (format.percent(fault.before), format.percent(fault.after));
    let column = fault.column.as_deref().unwrap_or_default();
    let example =
        fault.example.as_ref().map(|example| format!(", por ejemplo «{example}»")).unwrap_or_default();
    match fault.check {
        Check::Missing => format!("«{column}» llega vacía en {after} de los casos (antes, en {before})"),
        Check::Type => format!("«{column}» trae valores de otro tipo en {after} de los casos{example}"),
        Check::Range => {
            format!("«{column}» trae valores fuera de lo posible en {after} de los casos{example}")
        }
        Check::Category => {
            format!("«{column}» trae valores que el modelo no conoce en {after} de los casos{example}")
        }
        Check::Duplicate => format!("{after} de los pedidos llegan repetidos (antes, {before})"),
        Check::Freshness if fault.after >= 1.0 => "no llegó ningún pedido en todo el período".to_owned(),
        Check::Freshness => format!("en el último {after} del período no llegó ningún pedido"),
        Check::Volume => {
            let count = |rows: f64| format.number(rows, 0);
            format!(
                "llegaron {} pedidos en el período, cuando lo usual son {}",
                count(fault.after),
                count(fault.before)
            )
        }
    }
}

/// What changed, since when, and where.
pub(super) fn change(stored: &StoredVerdict, incident: &Incident) -> String {
    let answers = stored.verdict.prediction.as_ref().map(|answers| answers.name.as_str());
    let columns: Vec<&str> =
        incident.columns.iter().map(String::as_str).filter(|column| Some(*column) != answers).collect();
    let what = match columns[..] {
        [] => "las respuestas del modelo cambiaron".to_owned(),
        [one] => format!("cambió «{one}»"),
        [first, second] => format!("cambiaron «{first}» y «{second}»"),
        [first, second, ..] => format!("cambiaron «{first}», «{second}» y {} más", columns.len() - 2),
    };
    let service = &stored.service;
    let mut title = format!("Los datos de «{service}» ya no se parecen a los del entrenamiento: {what}.");
    let followed = incident.columns.iter().find_map(|column| change_of(&stored.assessment, column));
    if let Some(change) = followed {
        title.extend(moment(change).map(|moment| format!(" {moment}")));
        title.extend(places(change).map(|places| format!(" {places}")));
    }
    title
}

/// That a season is much stronger than the year before.
pub(super) fn season(service: &str, event: Event) -> String {
    let season = match event {
        Event::MismasFechas => "en las mismas semanas del año anterior".to_owned(),
        event => format!("el año anterior por la misma temporada ({})", event.name()),
    };
    format!("Los datos de «{service}» cambiaron como {season}, pero esta vez con mucha más fuerza.")
}

fn change_of<'a>(assessment: &'a Assessment, column: &str) -> Option<&'a ColumnChange> {
    assessment.changes.iter().find(|change| change.column == column)
}

/// When a change began, as far as its kind has a beginning.
fn moment(change: &ColumnChange) -> Option<String> {
    let format = Format::new(Language::Es);
    let began = change.began?;
    let (on, earliest, latest) = (
        format.day_and_month(began.on),
        format.day_and_month(began.earliest),
        format.day_and_month(began.latest),
    );
    let between = if began.earliest == began.latest {
        String::new()
    } else {
        format!(" (entre el {earliest} y el {latest})")
    };
    match change.description.kind {
        ChangeKind::Sudden => Some(format!("El cambio fue de un día para otro, el {on}{between}.")),
        ChangeKind::Gradual { .. } => Some(format!("El cambio es lento; empezó cerca del {on}{between}.")),
        ChangeKind::OneOff { .. } => Some(format!("Empezó el {on}{between}, y puede ser pasajero.")),
        _ => None,
    }
}

/// The groups that moved otherwise than the rest.
fn places(change: &ColumnChange) -> Option<String> {
    let names: Vec<String> =
        change.groups.iter().take(NAMED).map(|group| format!("«{}»", group.name)).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("Se nota sobre todo en {one}.")),
        [first @ .., last] => Some(format!("Se nota sobre todo en {} y {last}.", first.join(", "))),
    }
}

/// What performance was and is.
pub(super) fn performance(stored: &StoredPerformance) -> String {
    let service = &stored.service;
    let Some((figure, estimated)) = stored.performance.decisive() else {
        return format!("El desempeño de «{service}» bajó.");
    };
    format!("El desempeño de «{service}» bajó: {}.", figure_in_words(figure, estimated))
}

fn figure_in_words(figure: &Figure, estimated: bool) -> String {
    let format = Format::new(Language::Es);
    let is_share = !figure.is_loss();
    let show = |value: f64| if is_share { format.number(value * 100.0, 0) } else { format.plain(value) };
    let (now, low, high) = (show(figure.value), show(figure.lower), show(figure.upper));
    let before = figure.reference.map(show);
    match (figure.measure.as_str(), before, estimated) {
        ("accuracy", Some(before), true) => {
            format!(
                "de cada 100 respuestas, antes acertaba {before}; ahora estimamos que acierta {now} (entre {low} y {high})"
            )
        }
        ("accuracy", Some(before), false) => {
            format!(
                "de cada 100 respuestas, antes acertaba {before} y ahora acierta {now} (entre {low} y {high})"
            )
        }
        ("mean_absolute", Some(before), true) => {
            format!("su error medio era {before} y ahora lo estimamos en {now} (entre {low} y {high})")
        }
        ("mean_absolute", Some(before), false) => {
            format!("su error medio pasó de {before} a {now} (entre {low} y {high})")
        }
        _ => format!("está por debajo de lo usual ({now}, entre {low} y {high})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_in_plain_words() {
        let of = |check, column: Option<&str>, before, after, example: Option<&str>| Fault {
            check,
            column: column.map(str::to_owned),
            before,
            after,
            example: example.map(str::to_owned),
        };
        let empty = of(Check::Missing, Some("precio"), 0.001, 0.12, None);
        assert_eq!(fault(&empty), "«precio» llega vacía en 12,0 % de los casos (antes, en 0,1 %)");
        let few = of(Check::Volume, None, 1400.0, 210.0, None);
        assert_eq!(fault(&few), "llegaron 210 pedidos en el período, cuando lo usual son 1.400");
        let silent = of(Check::Freshness, None, 0.1, 2.1, None);
        assert_eq!(fault(&silent), "no llegó ningún pedido en todo el período");
        let odd = of(Check::Range, Some("precio"), 0.0, 0.05, Some("-3"));
        let told = faults("ventas", &[&empty, &odd]);
        assert!(
            told.starts_with("Los datos que llegan a «ventas» tienen fallas: «precio» llega vacía"),
            "{told}"
        );
        assert!(told.ends_with("en 5,0 % de los casos, por ejemplo «-3»."), "{told}");
        let many = faults("ventas", &[&empty, &odd, &few, &few, &few]);
        assert!(many.ends_with("; y 2 fallas más."), "{many}");
    }

    #[test]
    fn a_stronger_season_is_told_with_its_name() {
        assert_eq!(
            season("ventas", Event::Carnaval),
            "Los datos de «ventas» cambiaron como el año anterior por la misma temporada (Carnaval), pero esta vez con \
             mucha más fuerza."
        );
    }

    #[test]
    fn performance_is_told_before_and_now() {
        let figure = Figure {
            measure: "accuracy".into(),
            value: 0.78,
            sampling_error: 0.007,
            lower: 0.76,
            upper: 0.80,
            thresholds: None,
            reference: Some(0.83),
            fell: true,
        };
        let told = figure_in_words(&figure, true);
        assert_eq!(
            told,
            "de cada 100 respuestas, antes acertaba 83; ahora estimamos que acierta 78 (entre 76 y 80)"
        );
    }
}
