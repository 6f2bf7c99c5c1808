//! Oracle values: the formats of the report's specification.

use jiff::civil::date as day;

use super::*;

const EN: Format = Format { language: Language::En, numbers: NumberStyle::ByLanguage };

#[test]
fn the_specification_s_examples() {
    assert_eq!(money(1384.10), "USD 1.384,10");
    assert_eq!(percent(0.209), "20,9 %");
    assert_eq!(date(day(2026, 11, 21)), "21 de noviembre de 2026");
    let at: Timestamp = "2026-11-21T19:05:59Z".parse().unwrap();
    assert_eq!(Format::ECUADOR.time(at), "14:05");
    assert_eq!(datetime(at), "21 de noviembre de 2026, 14:05");
    for (value, text) in
        [(612.40, "USD 612,40"), (548.1, "USD 548,10"), (850.0, "USD 850,00"), (3900.0, "USD 3.900,00")]
    {
        assert_eq!(money(value), text);
    }
    assert_eq!(percent(0.34), "34,0 %");
    assert_eq!(Format::ECUADOR.frequency(0.8), "8 de cada 10");
}

#[test]
fn a_company_may_choose_the_point() {
    let point = Format { language: Language::Es, numbers: NumberStyle::Point };
    assert_eq!(point.money(1384.10), "USD 1,384.10");
    assert_eq!(point.percent(0.209), "20.9 %");
    assert_eq!(point.date(day(2026, 11, 21)), "21 de noviembre de 2026");
}

#[test]
fn english() {
    assert_eq!(EN.money(1384.10), "USD 1,384.10");
    assert_eq!(EN.percent(0.209), "20.9%");
    assert_eq!(EN.date(day(2026, 11, 21)), "21 November 2026");
    assert_eq!(EN.frequency(0.8), "8 out of 10");
}

#[test]
fn thousands_signs_and_zeros() {
    let cases = [
        (0.0, 2, "0,00"),
        (-0.001, 2, "0,00"),
        (-1.5, 1, "-1,5"),
        (999.0, 0, "999"),
        (1000.0, 0, "1.000"),
        (-1_234_567.891, 2, "-1.234.567,89"),
        (999_999.999, 2, "1.000.000,00"),
        (1e15, 2, "1,00e15"),
        (f64::MAX, 2, "1,80e308"),
    ];
    for (value, decimals, text) in cases {
        assert_eq!(number(value, decimals), text);
    }
}

#[test]
fn what_is_not_a_number_is_a_dash() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let format = Format::ECUADOR;
        let texts = [
            format.number(value, 2),
            format.money(value),
            format.percent(value),
            format.plain(value),
            format.frequency(value),
        ];
        assert!(texts.iter().all(|text| text == NO_VALUE), "{texts:?}");
    }
}

#[test]
fn plain_numbers_have_the_decimals_that_they_need() {
    let cases = [
        (0.0, "0"),
        (0.031_24, "0,0312"),
        (0.5, "0,5"),
        (2.0, "2"),
        (83.449, "83,45"),
        (1250.4, "1.250"),
        (100.0, "100"),
        (1e-9, "0,000000001"),
    ];
    for (value, text) in cases {
        assert_eq!(Format::ECUADOR.plain(value), text);
    }
}

#[test]
fn certainty_is_never_rounded_to_always_or_never() {
    let format = Format::ECUADOR;
    let cases = [
        (1.0, "más de 99 de cada 100"),
        (0.97, "97 de cada 100"),
        (0.9, "9 de cada 10"),
        (0.1, "1 de cada 10"),
        (0.04, "4 de cada 100"),
        (0.0, "menos de 1 de cada 100"),
    ];
    for (probability, text) in cases {
        assert_eq!(format.frequency(probability), text);
    }
}

#[test]
fn a_day_begins_and_ends_in_guayaquil() {
    let late: Timestamp = "2026-11-22T04:59:59Z".parse().unwrap();
    assert_eq!(local_date(late), day(2026, 11, 21));
    assert_eq!(start_of_day(day(2026, 11, 21)), "2026-11-21T05:00:00Z".parse().unwrap());
}

#[test]
fn periods_do_not_repeat_themselves() {
    let format = Format::ECUADOR;
    assert_eq!(format.period(day(2026, 11, 1), day(2026, 11, 21)), "1 al 21 de noviembre de 2026");
    assert_eq!(
        format.period(day(2026, 10, 25), day(2026, 11, 21)),
        "25 de octubre al 21 de noviembre de 2026"
    );
    assert_eq!(
        format.period(day(2025, 12, 25), day(2026, 1, 5)),
        "25 de diciembre de 2025 al 5 de enero de 2026"
    );
    assert_eq!(format.period(day(2026, 1, 5), day(2026, 1, 5)), "5 de enero de 2026");
}

#[test]
fn units() {
    let format = Format::ECUADOR;
    assert_eq!(format.value(0.209, &Unit::Percent), "20,9 %");
    assert_eq!(format.value(12_480.0, &Unit::Count), "12.480");
    assert_eq!(format.value(3.5, &Unit::Of { decimals: 1, name: "días".into() }), "3,5 días");
}

#[test]
fn the_first_language_asked_for_decides() {
    assert_eq!(Language::of_tag("en-US,es;q=0.8"), Language::En);
    assert_eq!(Language::of_tag("es-EC"), Language::Es);
    assert_eq!(Language::of_tag(""), Language::Es);
    assert_eq!(Language::of_tag("ñ"), Language::Es);
}
