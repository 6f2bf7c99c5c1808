//! The page of a comparison: what it says, and that it stays small whatever it is given.

use chasqui_report::Language;
use chasqui_report::comparison::{
    ColumnFigures, ComparedCells, ComparedColumn, ComparedKind, ComparedTable, Comparison, ComparisonRules,
    LeftOut, LeftOutReason, LineReason, LineScore, Sampling, TestLine,
};
use jiff::Timestamp;

fn test(name: &'static str, score_kind: LineScore, score: Option<f64>) -> TestLine {
    let decides = score_kind == LineScore::PValue;
    let (threshold, drifted) = (0.05, score.is_some_and(|score| decides == (score <= 0.05)));
    let reason = score.is_none().then_some(LineReason::Constant);
    TestLine { name, score_kind, score, threshold, drifted, decides, reason }
}

fn number(name: &str, effect: f64) -> ComparedColumn {
    let figures = |mean| ColumnFigures { missing: 0.01, mean: Some(mean), deviation: Some(3.0) };
    ComparedColumn {
        name: name.into(),
        kind: ComparedKind::Numeric,
        drifted: effect > 0.1,
        effect: Some(effect),
        adjusted_p: Some(0.000_001),
        tests: vec![
            test("ks", LineScore::PValue, Some(0.000_01)),
            test("wasserstein", LineScore::Distance, Some(0.31)),
            test("jensenshannon", LineScore::Distance, Some(0.041)),
            test("psi", LineScore::Distance, None),
        ],
        before: figures(1234.5),
        after: ColumnFigures { missing: 0.12, ..figures(1384.1) },
        cells: Some(ComparedCells::Intervals {
            edges: (0..=20).map(|edge| f64::from(edge) * 100.0).collect(),
            before: (0..20).map(|bin| f64::from(bin + 1)).collect(),
            after: (0..20).map(|bin| f64::from(20 - bin)).collect(),
        }),
        new: None,
    }
}

fn city(name: &str) -> ComparedColumn {
    let cells = [("Quito", 0.5, 0.2), ("Loja", 0.2, 0.5), ("Manta", 0.1, 0.1)];
    let cells = cells.map(|(name, before, after)| (name.to_owned(), before, after)).to_vec();
    ComparedColumn {
        kind: ComparedKind::Categorical,
        tests: vec![test("chisquare", LineScore::PValue, Some(0.001))],
        cells: Some(ComparedCells::Categories(cells)),
        ..number(name, 0.3)
    }
}

fn comparison(columns: Vec<ComparedColumn>) -> Comparison {
    Comparison {
        reference: ComparedTable { name: "entrenamiento.csv".into(), rows: 10_000_000 },
        current: ComparedTable { name: "noviembre.csv".into(), rows: 12_480 },
        generated_at: Timestamp::constant(1_795_000_000, 0),
        drifted: columns.iter().any(|column| column.drifted),
        rules: ComparisonRules::Calibrated { alpha: 0.05, min_effect: 0.01 },
        columns,
        left_out: vec![LeftOut { names: vec!["fecha".into()], why: LeftOutReason::Times }],
        sampling: None,
    }
}

#[test]
fn the_page_speaks_plain_spanish_with_the_formats_of_ecuador() {
    let html = comparison(vec![number("precio", 0.4), city("ciudad"), number("edad", 0.001)])
        .html(Language::Es)
        .unwrap();
    for said in [
        "lang=\"es-EC\"",
        "Cambiaron 2 de 3 columnas: precio, ciudad.",
        "El promedio pasó de 1.234 a 1.384.",
        "«Loja» pasó de 20,0 % a 50,0 % de las filas.",
        "Vacíos: antes 1,0 %, ahora 12,0 %.",
        "10.000.000 filas",
        "&#60; 0,0001",
        "No se aplica: todos los valores son iguales",
        "<td>Lo supera",
        "Son fechas u horas, que avanzan siempre: fecha.",
        "las demás",
    ] {
        assert!(html.contains(said), "«{said}» is not in\n{html}");
    }
    assert_eq!(html.matches("class=\"chart-small\"").count(), 3);
    assert!(!html.contains("NaN") && !html.contains("http://") && !html.contains("https://"));
}

#[test]
fn the_page_speaks_english_when_asked() {
    let html = comparison(vec![number("price", 0.4)]).html(Language::En).unwrap();
    for said in ["lang=\"en\"", "The only compared column changed: price.", "from 1,234 to 1,384", "12.0%"] {
        assert!(html.contains(said), "“{said}” is not in\n{html}");
    }
}

#[test]
fn the_page_stays_small_whatever_the_columns() {
    let awkward = "<\"'&>ñ".repeat(40);
    for count in [1, 30, 200, 201, 400, 4096] {
        for all_tests in [false, true] {
            let columns = (0..count).map(|index| {
                let mut column = number(&format!("{awkward}{index}"), f64::from(index) / f64::from(count));
                if all_tests {
                    let tests = column.tests.clone();
                    column.tests = tests.iter().cycle().take(19).cloned().collect();
                }
                column
            });
            let html = comparison(columns.collect()).html(Language::Es).unwrap();
            assert!(html.len() < 300_000, "{count} columns, {} bytes", html.len());
            let drawn = html.matches("class=\"chart-small\"").count();
            assert_eq!(html.contains("Se dibujan"), drawn < count as usize, "{count}: {drawn}");
            assert!(html.contains("columnas no caben") || count < 4096);
        }
    }
}

#[test]
fn two_hundred_usual_columns_are_nearly_all_drawn() {
    let columns = (0..200).map(|index| number(&format!("columna_{index}"), 0.2)).collect();
    let html = comparison(columns).html(Language::Es).unwrap();
    let drawn = html.matches("class=\"chart-small\"").count();
    assert!(drawn >= 150, "{drawn}");
}

#[test]
fn names_from_outside_are_harmless() {
    let mut column = city("<script>alert(1)</script>");
    column.cells =
        Some(ComparedCells::Categories(vec![("<img src=x>".into(), 0.4, 0.6), ("b".into(), 0.6, 0.4)]));
    column.new = Some((vec!["<b>".into()], 0.9));
    let html = comparison(vec![column]).html(Language::Es).unwrap();
    assert!(!html.contains("<script>") && !html.contains("<img") && !html.contains("<b>"));
}

#[test]
fn sampling_is_said() {
    let mut comparison = comparison(vec![number("precio", 0.4)]);
    comparison.sampling = Some(Sampling {
        reference: (1_000_000, 10_000_000),
        current: (12_480, 12_480),
        error: 0.0017,
        confidence: 0.99,
        seed: 7,
        tests: vec![("empirical_mmd", 750)],
        grouped: vec!["cliente".into()],
    });
    let html = comparison.html(Language::Es).unwrap();
    for said in [
        "De «entrenamiento.csv» se tomó al azar 1.000.000 de 10.000.000 filas.",
        "De «noviembre.csv» se usaron todas sus 12.480 filas.",
        "semilla 7",
        "0,17 % a lo sumo, con 99 % de seguridad",
        "La prueba empirical_mmd mira a lo sumo 750 filas",
        "se contaron en 1.024 grupos: cliente.",
    ] {
        assert!(html.contains(said), "«{said}» is not in\n{html}");
    }
}

#[test]
fn nothing_to_draw_and_nothing_tested_is_said() {
    let empty = ComparedColumn {
        drifted: false,
        effect: None,
        adjusted_p: None,
        tests: vec![TestLine {
            reason: Some(LineReason::TypesDiffer),
            ..test("ks", LineScore::PValue, None)
        }],
        cells: None,
        ..number("codigo", 0.0)
    };
    let html = comparison(vec![empty]).html(Language::Es).unwrap();
    assert!(html.contains("Ninguna columna se pudo comparar"));
    assert!(html.contains("la columna es de un tipo en la referencia y de otro en los datos de ahora"));
}
