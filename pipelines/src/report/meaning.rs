//! What verdicts mean and how the model does, as a report tells it: season, pace, money, outlook and groups.

use chasqui_drift::calendar::{Event, SeasonalVerdict};
use chasqui_drift::decision::{Advice, GroupFairness, RetrainingForecast};
use chasqui_drift::kind::ChangeKind;
use chasqui_drift::quality::Fault;
use chasqui_report::{
    Action, Fairness, GroupShare, Inaction, Money, Pace, Quality, QualityMeasure, Range, Season, Unit,
};

use crate::monitor::performance::{StoredPerformance, Value, WindowPerformance};
use crate::monitor::{ColumnChange, StoredVerdict};

const WEEKS_PER_MONTH: f64 = 365.25 / 12.0 / 7.0;
const DAYS_PER_WEEK: f64 = 7.0;

/// The data arrive broken: empty, of another type or impossible.
pub(super) fn is_damaged(stored: &StoredVerdict) -> bool {
    stored.verdict.missing_changed || stored.assessment.faults.iter().any(Fault::is_damage)
}

/// Whether the season explains what a verdict found.
pub(super) fn season(stored: &StoredVerdict) -> Season {
    if !stored.verdict.drifted {
        return Season::NoChange;
    }
    let Some(reading) = &stored.assessment.season else { return Season::Unknown };
    let strongest =
        reading.columns.iter().max_by(|a, b| a.likeness.from_training.total_cmp(&b.likeness.from_training));
    match reading.verdict {
        SeasonalVerdict::Expected { event, notice: true } => {
            let times = strongest
                .map_or(f64::NAN, |column| column.likeness.from_training / column.likeness.last_year);
            Season::Stronger { times, event: phrase(event) }
        }
        SeasonalVerdict::Expected { event, notice: false } => {
            let name = strongest.map_or("", |column| column.column.as_str());
            Season::Expected { change: relative_change(stored, name), event: phrase(event) }
        }
        SeasonalVerdict::Alarm if reading.compared_with.is_some() => Season::No,
        _ => Season::Unknown,
    }
}

/// By how much the mean of a column moved, as a fraction; 0 where it has none.
fn relative_change(stored: &StoredVerdict, name: &str) -> f64 {
    let mut columns = stored.verdict.features.iter().chain(&stored.verdict.prediction);
    let column = columns.find(|column| column.name == name);
    let means = column.and_then(|column| column.before.mean.zip(column.after.mean));
    means.filter(|(before, _)| *before != 0.0).map_or(0.0, |(before, after)| after / before - 1.0)
}

/// An event with its article.
fn phrase(event: Event) -> String {
    match event {
        Event::DecimoTercero => "el décimo tercero".into(),
        Event::DecimoCuartoCosta | Event::DecimoCuartoSierra => "el décimo cuarto".into(),
        Event::Carnaval => "el Carnaval".into(),
        Event::SemanaSanta => "la Semana Santa".into(),
        Event::Difuntos => "el feriado de Difuntos".into(),
        Event::DiaDeLaMadre => "el Día de la Madre".into(),
        Event::BlackFriday => "el Black Friday".into(),
        Event::Utilidades => "el pago de utilidades".into(),
        Event::ClasesCosta | Event::ClasesSierra => "el inicio de clases".into(),
        Event::Quincena => "la quincena".into(),
        Event::FinDeMes => "el fin de mes".into(),
        Event::MismasFechas => "la época del año".into(),
        Event::Propio(name) => format!("«{}»", name.as_str()),
    }
}

/// How a column's change came.
pub(super) fn pace(change: Option<&ColumnChange>, performance: Option<&WindowPerformance>) -> Pace {
    let Some((change, began)) = change.and_then(|change| Some((change, change.began?))) else {
        return Pace::Unknown;
    };
    match change.description.kind {
        ChangeKind::Sudden | ChangeKind::OneOff { .. } => Pace::Sudden { on: began.on },
        ChangeKind::Gradual { .. } => {
            Pace::Gradual { since: Some(began.on), weeks_left: performance.and_then(weeks_left) }
        }
        _ => Pace::Unknown,
    }
}

/// Weeks until retraining will be needed.
fn weeks_left(performance: &WindowPerformance) -> Option<Range> {
    match performance.forecast? {
        RetrainingForecast::Due { crossing, .. } => {
            let latest = crossing.latest.or(crossing.likeliest)?;
            Some(Range::new(f64::from(crossing.earliest), f64::from(latest)))
        }
        _ => None,
    }
}

/// Days until the decisive measure is expected beyond its limit, at the earliest.
pub(super) fn days_to_minimum(performance: &WindowPerformance) -> Option<f64> {
    match performance.forecast? {
        RetrainingForecast::Now => Some(0.0),
        RetrainingForecast::Due { crossing, .. } => Some(f64::from(crossing.earliest) * DAYS_PER_WEEK),
        _ => None,
    }
}

/// The estimated quality of the latest window, where it may be believed.
pub(super) fn estimated_quality(stored: &StoredPerformance) -> Option<Quality> {
    let performance = &stored.performance;
    let figure = performance.estimated.first().filter(|_| performance.doubts.is_empty())?;
    let measure = match figure.measure.as_str() {
        "accuracy" => QualityMeasure::Hits,
        "mean_absolute" => QualityMeasure::Error { unit: Unit::Plain },
        _ => return None,
    };
    Some(Quality {
        measure,
        before: figure.reference?,
        now: figure.value,
        range: Range::new(figure.lower, figure.upper),
        estimated: true,
        awaited: None,
    })
}

/// What is lost in a month, as a range.
fn monthly(value: &Value) -> Range {
    let (low, high) = value.weekly_loss.interval();
    Range::new(low * WEEKS_PER_MONTH, high * WEEKS_PER_MONTH)
}

/// What the performance means in dollars, where answers have a worth.
pub(super) fn money(performance: Option<&WindowPerformance>) -> Option<Money> {
    let value = performance?.value?;
    Some(Money::Known { loss_per_month: monthly(&value) })
}

/// Retraining with what it costs and avoids, where that is known and it pays.
pub(super) fn retraining(performance: Option<&WindowPerformance>, cost: f64) -> Action {
    let paying = performance.and_then(|performance| performance.value);
    match paying {
        Some(value) if matches!(value.advice, Advice::Retrain { .. }) => {
            Action::Retrain { cost: Some(cost), avoids_per_month: Some(monthly(&value)) }
        }
        _ => Action::Retrain { cost: None, avoids_per_month: None },
    }
}

/// What happens if nobody does anything, as far as the performance tells.
pub(super) fn inaction(performance: Option<&WindowPerformance>) -> Option<Inaction> {
    let performance = performance?;
    let losing = performance.value.filter(|value| value.weekly_loss.interval().0 > 0.0);
    if let Some(value) = losing {
        return Some(Inaction::LossPerMonth(monthly(&value)));
    }
    if let Some(weeks) = weeks_left(performance) {
        return Some(Inaction::RetrainInWeeks(weeks));
    }
    let steady = matches!(performance.forecast?, RetrainingForecast::NoDate { .. });
    steady.then_some(Inaction::NoDate)
}

/// The groups and how often each is answered favourably.
pub(super) fn fairness(attribute: Option<&str>, performance: Option<&WindowPerformance>) -> Fairness {
    let groups = performance.map(|performance| performance.fairness.as_slice()).unwrap_or_default();
    let Some(attribute) = attribute.filter(|_| !groups.is_empty()) else { return Fairness::NotMeasured };
    let share = |group: &GroupFairness| {
        let selection = group.selection?;
        Some(GroupShare {
            group: group.name.clone(),
            favourable: selection.rate.rate,
            range: Some(Range::new(selection.rate.lower, selection.rate.upper)),
            cases: group.cases as u64,
        })
    };
    Fairness::Measured { attribute: attribute.to_owned(), groups: groups.iter().filter_map(share).collect() }
}

#[cfg(test)]
mod tests {
    use chasqui_drift::calendar::EventName;
    use chasqui_drift::decision::{Crossing, Loss, Payoff};

    use super::*;

    fn value(dollars: f64, advice: Advice) -> Value {
        Value {
            per_prediction: 1.0,
            error: 0.01,
            at_reference: 1.1,
            weekly_predictions: 1000.0,
            weekly_loss: Loss { dollars, error: 10.0 },
            advice,
        }
    }

    #[test]
    fn a_loss_is_told_by_the_month_and_retraining_with_its_cost() {
        let pays = Advice::Retrain { payoff: Payoff { net: 300.0, probability: 0.95 } };
        let performance =
            WindowPerformance { value: Some(value(100.0, pays)), ..WindowPerformance::default() };
        let Some(Money::Known { loss_per_month }) = money(Some(&performance)) else { panic!("known") };
        assert!((loss_per_month.low + loss_per_month.high - 2.0 * 434.8).abs() < 1.0, "{loss_per_month:?}");
        let Action::Retrain { cost, avoids_per_month } = retraining(Some(&performance), 850.0) else {
            panic!("it pays")
        };
        assert!(cost == Some(850.0) && avoids_per_month.is_some());
        assert!(matches!(inaction(Some(&performance)), Some(Inaction::LossPerMonth(_))));
        assert_eq!(money(None), None);
    }

    #[test]
    fn a_date_foreseen_is_told_in_weeks_and_days() {
        let crossing = Crossing { earliest: 3, likeliest: Some(5), latest: Some(7) };
        let forecast = RetrainingForecast::Due { crossing, probability: 0.9, slope: (-0.02, -0.01) };
        let performance = WindowPerformance { forecast: Some(forecast), ..WindowPerformance::default() };
        assert_eq!(days_to_minimum(&performance), Some(21.0));
        let Some(Inaction::RetrainInWeeks(weeks)) = inaction(Some(&performance)) else { panic!("due") };
        assert_eq!((weeks.low, weeks.high), (3.0, 7.0));
    }

    #[test]
    fn events_have_their_article() {
        assert_eq!(phrase(Event::Carnaval), "el Carnaval");
        let own = EventName::try_from("Aniversario".to_owned()).unwrap();
        assert_eq!(phrase(Event::Propio(own)), "«Aniversario»");
    }
}
