//! A made-up service with every part of a report filled: credit scoring, three weeks after an income column
//! changed from one day to the next.

use chasqui_report::{
    Action, Annex, Change, ChangeFact, Confidence, Day, DayShares, Distribution, Draft, Event, EventKind,
    Facts, Fairness, FeatureTest, GateCheck, GateOutcome, GateReport, GroupShare, Guard, History, Inaction,
    Lineage, Measure, Money, NumberStyle, Pace, PerformanceFact, Period, Quality, QualityMeasure, Range,
    Recommendation, RolloutEvent, RolloutReport, Season, Unit, VersionShare, VersionUse,
};
use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};

const DAYS: i32 = 56;

/// A report of the level "Importante".
///
/// # Errors
/// When a date is out of range, which the constants exclude.
pub(crate) fn important() -> Result<Draft, jiff::Error> {
    let to = date(2026, 11, 21);
    let from = to.checked_sub((DAYS - 1).days())?;
    Ok(Draft {
        service: "Aprobación de crédito en tienda".into(),
        company: Some("Comercial Andina".into()),
        subject: Some("los clientes".into()),
        generated_at: "2026-11-21T19:05:00Z".parse()?,
        period: Period { from, to },
        numbers: NumberStyle::ByLanguage,
        facts: Facts {
            change: ChangeFact::Confirmed,
            performance: PerformanceFact::LossLikely,
            ..Facts::default()
        },
        quality: Some(Quality {
            measure: QualityMeasure::Hits,
            before: 0.83,
            now: 0.78,
            range: Range::new(0.76, 0.80),
            estimated: true,
            awaited: Some("los pagos de diciembre".into()),
        }),
        changes: changes(),
        money: Money::Known { loss_per_month: Range::new(2100.0, 3900.0) },
        season: Season::No,
        recommendation: Recommendation {
            action: Action::Retrain { cost: Some(850.0), avoids_per_month: Some(Range::new(2100.0, 3900.0)) },
            responsible: Some("Jefatura de crédito".into()),
            due: Some(date(2026, 11, 27)),
        },
        inaction: Inaction::RetrainInWeeks(Range::new(3.0, 7.0)),
        confidence: Confidence {
            certainty: Some(0.82),
            rows_reference: 48_200,
            rows_current: 11_364,
            rows_needed: 200,
            outcomes: Some(1_840),
        },
        fairness: Fairness::Measured { attribute: "región".into(), groups: groups() },
        history: history(from)?,
        annex: annex()?,
    })
}

fn changes() -> Vec<Change> {
    let edges: Vec<f64> = (0..=14).map(|step| 200.0 + 75.0 * f64::from(step)).collect();
    let bell = |middle: f64| -> Vec<Option<f64>> {
        edges[..14]
            .iter()
            .map(|edge| Some(4000.0 * (-((edge + 37.5 - middle) / 190.0).powi(2) / 2.0).exp()))
            .collect()
    };
    let (before, after) = (bell(612.4), bell(548.1));
    vec![
        Change {
            feature: "ingreso_mensual".into(),
            label: Some("ingreso".into()),
            measure: Measure::Mean,
            unit: Unit::Money,
            before: 612.40,
            after: 548.10,
            range: Some(Range::new(541.2, 555.0)),
            pace: Pace::Sudden { on: date(2026, 11, 3) },
            coincides_with: Some("la actualización del sistema de cajas".into()),
            verified_cause: None,
            distribution: Some(Distribution::Intervals {
                edges: edges.into_iter().map(Some).collect(),
                before,
                after,
            }),
        },
        Change {
            feature: "canal".into(),
            label: None,
            measure: Measure::Share { value: "tienda en línea".into() },
            unit: Unit::Percent,
            before: 0.209,
            after: 0.312,
            range: Some(Range::new(0.303, 0.321)),
            pace: Pace::Gradual { since: Some(date(2026, 10, 12)), weeks_left: Some(Range::new(3.0, 7.0)) },
            coincides_with: None,
            verified_cause: Some("campaña en redes sociales".into()),
            distribution: None,
        },
        Change {
            feature: "antiguedad_laboral".into(),
            label: Some("antigüedad laboral".into()),
            measure: Measure::Missing,
            unit: Unit::Percent,
            before: 0.02,
            after: 0.094,
            range: None,
            pace: Pace::Unknown,
            coincides_with: None,
            verified_cause: None,
            distribution: None,
        },
    ]
}

fn groups() -> Vec<GroupShare> {
    [("Costa", 0.412, 6120), ("Sierra", 0.398, 4410), ("Amazonía", 0.371, 702), ("Galápagos", 0.402, 132)]
        .into_iter()
        .map(|(group, favourable, cases)| GroupShare {
            group: group.into(),
            favourable,
            range: Some(Range::new(
                favourable - 0.6 / f64::from(cases).sqrt(),
                favourable + 0.6 / f64::from(cases).sqrt(),
            )),
            cases: cases as u64,
        })
        .collect()
}

/// Smooth noise without randomness.
fn wobble(day: i32, phase: f64) -> f64 {
    let day = f64::from(day);
    (day * 0.9 + phase).sin() * 0.6 + (day * 2.3 + phase * 2.0).sin() * 0.4
}

fn history(from: Date) -> Result<History, jiff::Error> {
    let (mut days, mut shares) = (Vec::new(), Vec::new());
    for day in 0..DAYS {
        let date = from.checked_add(day.days())?;
        let changed = day >= 38;
        let predicted = 0.42 + 0.012 * wobble(day, 0.3) + if changed { -0.035 } else { 0.0 };
        let actual = 0.42 + 0.016 * wobble(day, 2.0) + if changed { 0.01 } else { 0.0 };
        days.push(Day {
            date,
            predictions: (200.0 + 30.0 * wobble(day, 1.0) + if day % 7 == 1 { -70.0 } else { 0.0 }) as u64,
            predicted: Some(predicted),
            actual: (day < 50).then_some(actual),
            low: Some(0.39),
            high: Some(0.45),
            error: (day < 50).then_some(0.17 + 0.01 * wobble(day, 4.0) + if changed { 0.05 } else { 0.0 }),
        });
        let canary = match day {
            0..=20 => 0.0,
            21..=24 => 0.1,
            25..=28 => 0.5,
            _ => 1.0,
        };
        shares.push(DayShares {
            date,
            shares: vec![
                VersionShare { version: "3".into(), share: 1.0 - canary },
                VersionShare { version: "4".into(), share: canary },
            ],
        });
    }
    let event = |day: i32, kind, detail: &str| -> Result<Event, jiff::Error> {
        Ok(Event { date: from.checked_add(day.days())?, kind, detail: Some(detail.into()) })
    };
    let events = vec![
        event(18, EventKind::Retrained, "versión 4")?,
        event(21, EventKind::NewVersion, "4")?,
        event(38, EventKind::ChangeDetected, "ingreso")?,
    ];
    Ok(History {
        days,
        unit: Unit::Percent,
        target: Some("créditos pagados a tiempo".into()),
        events,
        shares,
    })
}

fn annex() -> Result<Annex, jiff::Error> {
    let columns = [
        "ingreso_mensual",
        "canal",
        "antiguedad_laboral",
        "edad",
        "provincia",
        "monto_solicitado",
        "plazo_meses",
        "compras_previas",
        "dias_desde_compra",
        "tipo_vivienda",
        "cargas_familiares",
        "categoria",
    ];
    let features = columns
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let drifted = index < 3;
            let rank = index as f64;
            FeatureTest {
                feature: (*name).into(),
                test: if matches!(index, 1 | 4 | 9 | 11) { "chisquare" } else { "ks" }.into(),
                statistic: if drifted { 0.21 - 0.04 * rank } else { 0.012 + 0.001 * rank },
                p_value: if drifted { 1e-12 * 10f64.powf(rank) } else { 0.18 + 0.06 * rank },
                adjusted_p: if drifted { 8e-12 * 10f64.powf(rank) } else { 0.62 },
                psi: if drifted { 0.31 - 0.06 * rank } else { 0.008 },
                effect: if drifted { 0.36 - 0.08 * rank } else { 0.03 },
                effect_floor: 0.06,
                importance: Some(0.26 / (1.0 + rank * 0.6)),
                drifted,
            }
        })
        .collect();
    let at = |text: &str| text.parse::<Timestamp>();
    Ok(Annex {
        features,
        windows: Some(8),
        alpha: Some(0.05),
        versions: vec![
            VersionUse {
                version: "4".into(),
                aliases: vec!["champion".into()],
                share: 0.533,
                since: Some(at("2026-10-18T14:00:00Z")?),
                until: None,
                sha256: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into()),
            },
            VersionUse {
                version: "3".into(),
                aliases: Vec::new(),
                share: 0.467,
                since: Some(at("2026-08-02T15:30:00Z")?),
                until: Some(at("2026-10-26T03:10:00Z")?),
                sha256: Some("60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".into()),
            },
        ],
        gate: Some(gate(at("2026-10-15T02:20:00Z")?)),
        rollout: Some(rollout()?),
        lineage: Lineage {
            version: Some("4".into()),
            dataset: Some("solicitudes, versión 7".into()),
            dataset_sha256: Some("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".into()),
            run: Some("credito · 0198f3c2".into()),
            parent: Some("3".into()),
            algorithm: Some("gradient boosting, 200 árboles".into()),
            code: Some("a41c9e0".into()),
            trained_at: Some(at("2026-10-15T02:12:00Z")?),
        },
    })
}

fn gate(at: Timestamp) -> GateReport {
    let check = |name: &str, champion, candidate, low, high| GateCheck {
        name: name.into(),
        outcome: GateOutcome::Passed,
        champion: Some(champion),
        candidate: Some(candidate),
        difference: Some(candidate - champion),
        low,
        high,
        detail: None,
    };
    GateReport {
        candidate: "4".into(),
        champion: "3".into(),
        outcome: GateOutcome::Passed,
        at: Some(at),
        checks: vec![
            check("log_loss", 0.4312, 0.4127, Some(-0.0231), Some(-0.0139)),
            check("latency_p99_ms", 1.84, 1.91, None, None),
            check("size_mib", 3.1, 3.4, None, None),
        ],
    }
}

fn rollout() -> Result<RolloutReport, jiff::Error> {
    let step =
        |at: &str, state: &str, weight, reason: Option<&str>, errors| -> Result<RolloutEvent, jiff::Error> {
            Ok(RolloutEvent {
                at: at.parse()?,
                state: state.into(),
                weight,
                reason: reason.map(Into::into),
                guards: vec![
                    Guard { metric: "errors".into(), evidence: errors, threshold: 250.0 },
                    Guard { metric: "latency".into(), evidence: 0.44, threshold: 333.0 },
                ],
            })
        };
    Ok(RolloutReport {
        id: "0198f3c2-7b1e-7c55-9d0a-51d2c0b7f1aa".into(),
        version: "4".into(),
        state: "SUCCEEDED".into(),
        events: vec![
            step("2026-10-18T14:00:00Z", "STEP_1", Some(0.1), None, 0.81)?,
            step(
                "2026-10-22T14:00:00Z",
                "STEP_2",
                Some(0.5),
                Some("permanencia cumplida, sin evidencia de daño"),
                0.37,
            )?,
            step("2026-10-26T14:00:00Z", "SUCCEEDED", Some(1.0), Some("aprobado por operaciones"), 0.12)?,
        ],
    })
}
