//! The report as its readers get it: the promises of its specification, held on whole pages.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/report_preview/sample.rs"]
mod sample;

use chasqui_report::{
    Action, Annex, Change, ChangeFact, Confidence, Day, DayShares, Distribution, DistributionCell, Draft,
    Event, EventKind, Facts, Fairness, FeatureTest, GateCheck, GateOutcome, GateReport, GroupShare, Guard,
    Inaction, Language, Level, Lineage, Measure, MissingForMoney, Money, NumberStyle, Pace, PerformanceFact,
    Quality, QualityMeasure, Range, Report, ReportError, RolloutEvent, RolloutReport, Season, Unit,
    VersionShare, VersionUse,
};
use jiff::ToSpan;
use jiff::civil::date;

const LARGEST_PAGE: usize = 300_000;

/// What the body never says, in either language: statistics by name and names of algorithms.
const FORBIDDEN: [&str; 28] = [
    "p-valor",
    "valor p",
    "p-value",
    "psi",
    "deriva",
    "drift",
    "kolmogorov",
    "smirnov",
    "chi²",
    "chi-squared",
    "chi cuadrado",
    " ks ",
    "wasserstein",
    "jensen",
    "shannon",
    "hellinger",
    "kullback",
    "bayes",
    "bootstrap",
    "benjamini",
    "cbpe",
    "adwin",
    "xgboost",
    "lightgbm",
    "gradient boosting",
    "regresión logística",
    "random forest",
    "onnx",
];

fn draft() -> Draft {
    sample::important().unwrap()
}

fn page(draft: Draft, language: Language) -> String {
    Report::new(draft).unwrap().html(language).unwrap()
}

/// The body as a reader sees it, without the annex.
fn body(page: &str) -> String {
    let start = page.find("<body>").unwrap();
    let end = page.find("id=\"anexo-tecnico\"").unwrap();
    page[start..end].to_lowercase()
}

fn drafts_of_all_kinds() -> Vec<Draft> {
    let mut drafts = vec![draft()];
    let facts = [
        Facts::default(),
        Facts { change: ChangeFact::Seasonal, ..Facts::default() },
        Facts {
            change: ChangeFact::Confirmed,
            performance: PerformanceFact::WithinRange,
            ..Facts::default()
        },
        Facts { days_to_minimum: Some(12.4), ..Facts::default() },
        Facts { data_damaged: true, ..Facts::default() },
        Facts { group_harmed: true, ..Facts::default() },
        Facts {
            performance: PerformanceFact::BelowMinimum,
            change: ChangeFact::Confirmed,
            ..Facts::default()
        },
    ];
    let seasons = [
        Season::Unknown,
        Season::Expected { change: 0.34, event: "el décimo tercero".into() },
        Season::Expected { change: -0.1, event: "el Carnaval".into() },
        Season::Stronger { times: 1.7, event: "la Navidad".into() },
        Season::NoChange,
        Season::No,
        Season::Unknown,
    ];
    let inactions = [
        Inaction::Unknown,
        Inaction::NoConsequence,
        Inaction::LossPerMonth(Range::new(10.0, 20.0)),
        Inaction::NoDate,
        Inaction::RetrainInWeeks(Range::new(3.0, 7.0)),
        Inaction::Unknown,
        Inaction::Unknown,
    ];
    let actions = [
        Action::Nothing,
        Action::Review,
        Action::CheckSource,
        Action::Promote { version: "5".into() },
        Action::KeepPrevious { withdrawn: "5".into() },
        Action::SendOutcomes { per_week: 50 },
        Action::ProtectGroup { group: "Amazonía".into() },
    ];
    let missing = vec![
        MissingForMoney::ValuePerAnswer,
        MissingForMoney::Outcomes,
        MissingForMoney::ReferenceQuality,
        MissingForMoney::Volume,
    ];
    for (((facts, season), inaction), action) in facts.into_iter().zip(seasons).zip(inactions).zip(actions) {
        let mut draft = draft();
        draft.facts = facts;
        draft.season = season;
        draft.inaction = inaction;
        draft.recommendation.action = action;
        draft.quality = None;
        draft.money = Money::Unknown { missing: missing.clone() };
        draft.fairness = Fairness::NotMeasured;
        draft.confidence.certainty = None;
        drafts.push(draft);
    }
    drafts
}

#[test]
fn the_body_has_no_statistics_and_no_algorithms_in_it() {
    for draft in drafts_of_all_kinds() {
        for language in [Language::Es, Language::En] {
            let body = body(&page(draft.clone(), language));
            for word in FORBIDDEN {
                assert!(!body.contains(word), "{language:?}: «{word}» stands in the body");
            }
        }
    }
}

#[test]
fn every_section_of_the_specification_is_there_in_its_order() {
    let page = page(draft(), Language::Es);
    let titles = [
        "Qué cambió</h2>",
        "Qué significa en dinero</h2>",
        "¿Es por la temporada?</h2>",
        "Qué recomendamos, quién y hasta cuándo</h2>",
        "Si no hacemos nada</h2>",
        "Qué tan seguros estamos</h2>",
        "Trato parejo entre grupos</h2>",
        "Anexo técnico</h2>",
    ];
    let places: Vec<usize> =
        titles.iter().map(|title| page.find(title).unwrap_or_else(|| panic!("{title}"))).collect();
    assert!(places.is_sorted());
    assert!(page.find("class=\"lead\"").unwrap() < places[0]);
}

#[test]
fn the_specification_s_sentences() {
    let page = page(draft(), Language::Es);
    for sentence in [
        "Los clientes que llegan hoy no se parecen a aquellos con los que aprendió el modelo: su ingreso promedio pasó de USD 612,40 a USD 548,10.",
        "De cada 100 respuestas, antes acertaba 83; ahora estimamos que acierta 78 (entre 76 y 80). Lo confirmaremos cuando lleguen los pagos de diciembre.",
        "El cambio fue de un día para otro, el 3 de noviembre. Conviene revisar si cambió el sistema de origen.",
        "Si sigue así, habrá que reentrenar entre 3 y 7 semanas más.",
        "Reentrenar cuesta cerca de USD 850,00 y evitaría perder entre USD 2.100,00 y USD 3.900,00 al mes.",
        "8 de cada 10",
        "27 de noviembre de 2026",
        "14:05",
        "20,9 %",
    ] {
        assert!(page.contains(sentence), "missing: {sentence}");
    }
}

#[test]
fn few_data_give_no_conclusion() {
    let mut draft = draft();
    draft.facts = Facts::default();
    draft.confidence = Confidence { rows_current: 46, rows_needed: 100, ..Confidence::default() };
    let report = Report::new(draft).unwrap();
    assert_eq!(
        report.verdict(Language::Es),
        "Todavía hay pocos datos (46 casos). Preferimos no dar una conclusión."
    );
    assert!(report.html(Language::Es).unwrap().contains("badge-neutral"));
}

#[test]
fn without_a_measured_performance_nothing_is_said_about_it() {
    let mut draft = draft();
    draft.facts = Facts::default();
    draft.quality = None;
    let verdict = |draft: &Draft| Report::new(draft.clone()).unwrap().verdict(Language::Es);
    assert_eq!(verdict(&draft), "No encontramos cambios importantes en los datos que llegan.");
    draft.facts.performance = PerformanceFact::WithinRange;
    assert_eq!(verdict(&draft), "El modelo trabaja como se espera: no encontramos cambios importantes.");
}

#[test]
fn a_season_is_told_with_its_size_and_its_event() {
    let mut draft = draft();
    draft.facts = Facts { change: ChangeFact::Seasonal, ..Facts::default() };
    draft.season = Season::Expected { change: 0.34, event: "el décimo tercero".into() };
    let report = Report::new(draft).unwrap();
    assert_eq!(report.level(), Level::Esperado);
    assert_eq!(
        report.verdict(Language::Es),
        "Hubo una subida de 34,0 %, igual que en la misma semana del año pasado por el décimo tercero. No hace falta hacer nada."
    );
}

#[test]
fn subjects_agree_with_their_article() {
    let mut draft = draft();
    draft.facts = Facts { change: ChangeFact::Confirmed, ..Facts::default() };
    draft.subject = Some("las tiendas".into());
    let verdict = Report::new(draft).unwrap().verdict(Language::Es);
    assert!(
        verdict.starts_with("Las tiendas que llegan hoy no se parecen a aquellas con las que aprendió"),
        "{verdict}"
    );
}

#[test]
fn orange_and_red_need_a_responsible_and_a_date() {
    for facts in [
        Facts { performance: PerformanceFact::LossLikely, ..Facts::default() },
        Facts { data_damaged: true, ..Facts::default() },
    ] {
        let mut nobody = draft();
        nobody.facts = facts.clone();
        nobody.recommendation.responsible = Some("  ".into());
        assert!(
            matches!(Report::new(nobody), Err(ReportError::Invalid(message)) if message.contains("responsible"))
        );
        let mut undated = draft();
        undated.facts = facts;
        undated.recommendation.due = None;
        assert!(
            matches!(Report::new(undated), Err(ReportError::Invalid(message)) if message.contains("due"))
        );
    }
    let mut calm = draft();
    calm.facts = Facts::default();
    calm.recommendation.responsible = None;
    calm.recommendation.due = None;
    assert_eq!(Report::new(calm).unwrap().level(), Level::Normal);
}

#[test]
fn a_period_that_ends_before_it_begins_is_refused() {
    let mut draft = draft();
    std::mem::swap(&mut draft.period.from, &mut draft.period.to);
    assert!(matches!(Report::new(draft), Err(ReportError::Invalid(message)) if message.contains("period")));
}

#[test]
fn at_most_three_changes_are_told() {
    let mut draft = draft();
    draft.changes = std::iter::repeat_n(draft.changes[0].clone(), 7).collect();
    assert_eq!(Report::new(draft).unwrap().draft().changes.len(), 3);
}

#[test]
fn json_goes_both_ways_and_keeps_the_rules() {
    let report = Report::new(draft()).unwrap();
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.starts_with("{\"level\":\"importante\""));
    let again: Report = serde_json::from_str(&json).unwrap();
    assert!(again.html(Language::Es).unwrap() == report.html(Language::Es).unwrap(), "the page changed");
    let nobody = json.replace("\"responsible\":\"Jefatura de crédito\"", "\"responsible\":null");
    assert!(serde_json::from_str::<Report>(&nobody).unwrap_err().to_string().contains("responsible"));
}

#[test]
fn numbers_that_do_not_exist_survive_json_and_never_reach_the_page() {
    let mut draft = draft();
    let nothing = f64::NAN;
    draft.changes[0].before = nothing;
    draft.changes[0].range = Some(Range { low: f64::NEG_INFINITY, high: f64::INFINITY });
    draft.quality.as_mut().unwrap().now = nothing;
    draft.money = Money::Known { loss_per_month: Range { low: nothing, high: 3.0 } };
    draft.confidence.certainty = Some(nothing);
    for day in &mut draft.history.days {
        (day.predicted, day.actual, day.error) = (Some(nothing), Some(f64::INFINITY), Some(f64::MAX));
    }
    draft.history.shares[0].shares[0].share = nothing;
    draft.annex.features[0].psi = nothing;
    let report = Report::new(draft).unwrap();
    let again: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    for report in [report, again] {
        let page = report.html(Language::Es).unwrap();
        let content = &page[page.find("<body>").unwrap()..];
        for word in ["NaN", "inf ", "inf\"", "inf<", "-inf"] {
            assert!(!content.contains(word), "«{word}» stands on the page");
        }
        assert!(content.contains('—'));
    }
}

#[test]
fn texts_from_outside_are_harmless() {
    let attack = "\"><script>alert('x')</script>&";
    let page = page(hostile(attack, 3), Language::Es);
    assert!(!page.contains("<script"));
    assert!(!page.contains("alert('x')"));
    assert!(page.contains("&lt;script&gt;") || page.contains("&#60;script&#62;"));
}

#[test]
fn the_page_stays_small_whatever_the_input() {
    for filler in ["\"", "ñ", "😀", "x"] {
        for language in [Language::Es, Language::En] {
            let page = page(hostile(&filler.repeat(2_000), 1_500), language);
            assert!(page.len() < LARGEST_PAGE, "{} bytes with «{filler}»", page.len());
        }
    }
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = page(draft(), Language::Es);
    for reference in ["src=", "<link", "@import", "url(", "<script"] {
        assert!(!page.contains(reference), "{reference}");
    }
    assert_eq!(page.matches("http").count(), page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
}

#[test]
fn charts_are_there_and_accessible() {
    let page = page(draft(), Language::Es);
    let charts = page.matches("<div class=\"chart\">").count();
    assert!(charts >= 5, "{charts} charts");
    assert_eq!(page.matches("role=\"img\"").count(), 2 * charts);
    assert_eq!(page.matches("<desc>").count(), 2 * charts);
    assert!(page.contains("cambio detectado: ingreso"));
    assert!(page.contains("versión nueva: 4"));
}

#[test]
fn a_report_without_history_says_so_calmly() {
    let mut draft = draft();
    draft.history.days.clear();
    draft.history.shares.clear();
    draft.changes.clear();
    draft.annex = Annex::default();
    let page = page(draft, Language::Es);
    assert!(page.contains("No encontramos cambios importantes"));
    assert!(page.contains("No hay pruebas registradas"));
}

#[test]
fn the_annex_shows_thirty_columns_and_counts_the_rest() {
    let page = page(hostile("columna", 100), Language::Es);
    assert!(
        page.contains("y 70 columnas más que no se muestran (20 con deriva)."),
        "the rest is not counted"
    );
    let annex = &page[page.find("id=\"anexo-tecnico\"").unwrap()..];
    assert_eq!(annex.matches("<code>columna</code></td><td class=\"num\">").count(), 30);
}

#[test]
fn english_and_the_decimal_point_are_choices() {
    let english = page(draft(), Language::En);
    assert!(
        english.contains("<html lang=\"en\">") && english.contains("USD 548.10") && english.contains("31.2%")
    );
    let mut point = draft();
    point.numbers = NumberStyle::Point;
    let spanish = page(point, Language::Es);
    assert!(spanish.contains("USD 2,100.00") && spanish.contains("31.2 %"));
}

/// Every text is `text`, every list has `many` entries.
fn hostile(text: &str, many: usize) -> Draft {
    let mut draft = draft();
    let name = || text.to_owned();
    draft.service = name();
    draft.company = Some(name());
    draft.subject = Some(name());
    draft.quality = Some(Quality {
        measure: QualityMeasure::Error { unit: Unit::Of { decimals: 2, name: "días".into() } },
        before: 1.0,
        now: 2.0,
        range: Range::new(1.5, 2.5),
        estimated: true,
        awaited: Some(name()),
    });
    let cells = |index: usize| DistributionCell { label: name(), before: index as f64, after: 1.0 };
    draft.changes = (0..many.min(9))
        .map(|_| Change {
            feature: name(),
            label: None,
            measure: Measure::Share { value: name() },
            unit: Unit::Of { decimals: 99, name: name() },
            before: f64::MAX,
            after: f64::MIN,
            range: None,
            pace: Pace::Unknown,
            coincides_with: Some(name()),
            verified_cause: None,
            distribution: Some(Distribution::Categories((0..many.min(99)).map(cells).collect())),
        })
        .collect();
    draft.money = Money::Unknown { missing: (0..many).map(|_| MissingForMoney::Other(name())).collect() };
    draft.season = Season::Stronger { times: 2.0, event: name() };
    draft.recommendation.action = Action::Other(name());
    draft.recommendation.responsible = Some(name());
    let group =
        |_| GroupShare { group: name(), favourable: 0.5, range: Some(Range::new(0.4, 0.6)), cases: u64::MAX };
    draft.fairness = Fairness::Measured { attribute: name(), groups: (0..many).map(group).collect() };
    hostile_history(&mut draft, text, many);
    draft.annex = hostile_annex(text, many);
    draft
}

fn hostile_history(draft: &mut Draft, text: &str, many: usize) {
    let first = date(2020, 1, 1);
    let on = |index: usize| first.checked_add((index as i64).days()).unwrap();
    let wave = |index: usize, phase: f64| Some((index as f64 * 1.7 + phase).sin() * 1e6);
    draft.history.target = Some(text.into());
    draft.history.days = (0..many)
        .map(|index| Day {
            date: on(index),
            predictions: (index as u64 * 7919) % 100_000,
            predicted: wave(index, 0.0),
            actual: wave(index, 1.0),
            low: wave(index, 2.0),
            high: wave(index, 3.0),
            error: wave(index, 4.0),
        })
        .collect();
    let kinds =
        [EventKind::ChangeDetected, EventKind::Retrained, EventKind::NewVersion, EventKind::RolledBack];
    draft.history.events = (0..many)
        .map(|index| Event { date: on(index), kind: kinds[index % 4], detail: Some(text.into()) })
        .collect();
    let version = |index: usize, day: usize| VersionShare {
        version: format!("{index}{text}"),
        share: ((index * 31 + day * 17) % 23) as f64,
    };
    draft.history.shares = (0..many)
        .map(|day| DayShares { date: on(day), shares: (0..9).map(|index| version(index, day)).collect() })
        .collect();
}

fn hostile_annex(text: &str, many: usize) -> Annex {
    let name = || text.to_owned();
    let feature = |index: usize| FeatureTest {
        feature: name(),
        test: name(),
        statistic: 0.123_456,
        p_value: 0.5,
        adjusted_p: 0.5,
        psi: 1e-9,
        effect: 123_456.0,
        effect_floor: 0.001_234,
        importance: Some(0.1),
        drifted: index < many / 2,
    };
    let at = "2026-11-21T19:05:00Z".parse().unwrap();
    let version = |_| VersionUse {
        version: name(),
        aliases: vec![name(); 9],
        share: 0.5,
        since: Some(at),
        until: Some(at),
        sha256: Some(name()),
    };
    let check = |_| GateCheck {
        name: name(),
        outcome: GateOutcome::Undecided,
        champion: Some(0.1),
        candidate: Some(0.2),
        difference: Some(0.1),
        low: Some(0.0),
        high: Some(0.2),
        detail: Some(name()),
    };
    let guard = |_| Guard { metric: name(), evidence: 1.0, threshold: 250.0 };
    let event = |_| RolloutEvent {
        at,
        state: name(),
        weight: Some(0.1),
        reason: Some(name()),
        guards: (0..many.min(20)).map(guard).collect(),
    };
    Annex {
        features: (0..many).map(feature).collect(),
        windows: Some(8),
        alpha: Some(0.05),
        versions: (0..many).map(version).collect(),
        gate: Some(GateReport {
            candidate: name(),
            champion: name(),
            outcome: GateOutcome::Failed,
            at: Some(at),
            checks: (0..many).map(check).collect(),
        }),
        rollout: Some(RolloutReport {
            id: name(),
            version: name(),
            state: name(),
            events: (0..many).map(event).collect(),
        }),
        lineage: Lineage {
            version: Some(name()),
            dataset: Some(name()),
            dataset_sha256: Some(name()),
            run: Some(name()),
            parent: Some(name()),
            algorithm: Some(name()),
            code: Some(name()),
            trained_at: Some(at),
        },
    }
}
