//! What a fault is called, in English and in Spanish.

use std::fmt::Display;

use chasqui_registry::service::Format;
use chasqui_runtime::DataType;

use super::format::Flaw;
use super::rule::{Broken, Categories, Given, Rule};

/// Longest part of a value that is repeated.
const SHOWN: usize = 40;
/// Longest list that is repeated.
const LISTED: usize = 8;

/// A sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// English.
    pub en: String,
    /// Spanish.
    pub es: String,
}

impl Said {
    fn new(en: impl Into<String>, es: impl Into<String>) -> Self {
        Self { en: en.into(), es: es.into() }
    }

    /// With the place in front. Records are counted from 0.
    pub(super) fn at(self, record: Option<usize>, field: &str) -> Self {
        let Self { en, es } = self;
        match record {
            Some(record) => Self {
                en: format!("record {record}, field `{field}`: {en}"),
                es: format!("registro {record}, campo `{field}`: {es}"),
            },
            None => Self { en: format!("field `{field}`: {en}"), es: format!("campo `{field}`: {es}") },
        }
    }
}

/// A value as a sentence names it; one that is personal is not repeated.
pub(super) fn shown(given: Given<'_>, is_personal: bool) -> Said {
    if is_personal {
        return Said::new("the value", "el valor");
    }
    match given {
        Given::Missing => Said::new("null", "null"),
        Given::Number(number) => Said::new(number.to_string(), number.to_string()),
        Given::Text(text) => {
            let short: String = text.chars().take(SHOWN).collect();
            let more = if short.len() < text.len() { "…" } else { "" };
            let quoted = format!("{short:?}{more}");
            Said::new(quoted.clone(), quoted)
        }
    }
}

/// A word of JSON as a sentence names it.
pub(super) fn shown_word(word: &str, is_personal: bool) -> Said {
    if is_personal { shown(Given::Missing, true) } else { Said::new(word, word) }
}

/// Why a value of the wrong type is wrong; `refusal` is the signature's own sentence.
pub(super) fn wrong_type(datatype: DataType, refusal: String, shown: &Said, is_personal: bool) -> Said {
    let (en, es) = match datatype {
        DataType::Bytes => ("a text", "un texto"),
        DataType::Bool => ("true or false", "true o false"),
        DataType::Fp16 | DataType::Fp32 | DataType::Fp64 => ("a number", "un número"),
        _ => ("a whole number", "un número entero"),
    };
    if is_personal {
        return Said::new(
            format!("expected {en} of type {datatype}"),
            format!("se esperaba {es} de tipo {datatype}"),
        );
    }
    Said::new(refusal, format!("se esperaba {es} de tipo {datatype} y llegó {}", shown.es))
}

/// A record without a field that it must have.
pub(super) fn absent() -> Said {
    Said::new(
        "is missing; send null when its value is not known",
        "falta; envíe null cuando no se conoce su valor",
    )
}

/// Why a value is not as expected.
pub(super) fn broken(rule: &Rule, broken: Broken, given: Given<'_>) -> Said {
    let shown = shown(given, rule.is_personal);
    let bound = |en: &str, es: &str, bound: &dyn Display| {
        Said::new(format!("{} {en} {bound}", shown.en), format!("{} {es} {bound}", shown.es))
    };
    match broken {
        Broken::Absent => absent(),
        Broken::Type | Broken::Required => Said::new("a value is required", "el valor es obligatorio"),
        Broken::Min => bound("is below the minimum", "es menor que el mínimo", &rule.min),
        Broken::Max => bound("is above the maximum", "es mayor que el máximo", &rule.max),
        Broken::MaxLength => Said::new(
            format!("{} has more than {} characters", shown.en, rule.max_length),
            format!("{} tiene más de {} caracteres", shown.es, rule.max_length),
        ),
        Broken::Categories => not_listed(rule, &shown),
        Broken::Format(flaw) => badly_written(rule, flaw, &shown),
    }
}

fn not_listed(rule: &Rule, shown: &Said) -> Said {
    let all: Vec<String> = match &rule.categories {
        Some(Categories::Numbers(numbers)) => numbers.iter().map(ToString::to_string).collect(),
        Some(Categories::Texts { listed, .. }) => listed.iter().map(|text| format!("{text:?}")).collect(),
        None => Vec::new(),
    };
    if all.len() <= LISTED {
        let all = all.join(", ");
        return Said::new(
            format!("{} is not one of {all}", shown.en),
            format!("{} no es uno de {all}", shown.es),
        );
    }
    let count = all.len();
    Said::new(
        format!("{} is not one of the {count} values of this field", shown.en),
        format!("{} no es uno de los {count} valores de este campo", shown.es),
    )
}

fn badly_written(rule: &Rule, flaw: Flaw, shown: &Said) -> Said {
    let Some(format) = rule.format else { return absent() };
    let (en, es) = name(format);
    let why = reason(format, flaw);
    Said::new(format!("{} is not {en}: {}", shown.en, why.en), format!("{} no es {es}: {}", shown.es, why.es))
}

fn name(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Cedula => ("a cédula", "una cédula"),
        Format::Ruc | Format::RucChecked => ("a RUC", "un RUC"),
        Format::Phone => ("a phone number of Ecuador", "un teléfono de Ecuador"),
        Format::MobilePhone => ("a mobile number of Ecuador", "un celular de Ecuador"),
        Format::FixedPhone => ("a fixed phone number of Ecuador", "un teléfono fijo de Ecuador"),
        Format::Plate => ("a plate of Ecuador", "una placa de Ecuador"),
        Format::ProvinceCode => ("the code of a province", "el código de una provincia"),
        Format::ProvinceName => ("the name of a province", "el nombre de una provincia"),
        Format::DateIso | Format::DateDmy => ("a date", "una fecha"),
        Format::DecimalComma => ("a number with a decimal comma", "un número con coma decimal"),
        Format::Email => ("an e-mail address", "un correo electrónico"),
    }
}

fn reason(format: Format, flaw: Flaw) -> Said {
    match flaw {
        Flaw::Digits(count) => Said::new(
            format!("it must be {count} digits and nothing else"),
            format!("deben ser {count} dígitos y nada más"),
        ),
        Flaw::LostZero(count) => Said::new(
            format!("it must be {count} digits; perhaps the first, a 0, was lost"),
            format!("deben ser {count} dígitos; quizás se perdió el primero, un 0"),
        ),
        Flaw::Province => Said::new(
            "its first two digits must be a province, 01 to 24, or 30",
            "sus dos primeros dígitos deben ser una provincia, de 01 a 24, o 30",
        ),
        Flaw::ThirdDigit => Said::new("its third digit is not possible", "su tercer dígito no es posible"),
        Flaw::CheckDigit => Said::new(
            "its check digit does not go with the others; one is mistyped",
            "su dígito verificador no concuerda con los demás; alguno está mal escrito",
        ),
        Flaw::Establishment => {
            Said::new("its last three digits must not be 000", "sus tres últimos dígitos no deben ser 000")
        }
        Flaw::NoSuchDay => Said::new("there is no such day", "ese día no existe"),
        Flaw::Shape => {
            let (en, es) = example(format);
            Said::new(format!("write {en}"), format!("escriba {es}"))
        }
    }
}

fn example(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Cedula => ("10 digits", "10 dígitos"),
        Format::Ruc | Format::RucChecked => ("13 digits", "13 dígitos"),
        Format::Phone => ("it like 0991234567 or 022345678", "como 0991234567 o 022345678"),
        Format::MobilePhone => ("it like 0991234567 or +593991234567", "como 0991234567 o +593991234567"),
        Format::FixedPhone => ("it like 022345678 or +59322345678", "como 022345678 o +59322345678"),
        Format::Plate => {
            ("it like PBA-1234, or HA123B for a motorcycle", "como PBA-1234, o HA123B para una moto")
        }
        Format::ProvinceCode => ("01 to 24, or 30", "de 01 a 24, o 30"),
        Format::ProvinceName => ("it with its accents, like Manabí", "con sus tildes, como Manabí"),
        Format::DateIso => ("it like 2026-01-31", "como 2026-01-31"),
        Format::DateDmy => ("it like 31/01/2026", "como 31/01/2026"),
        Format::DecimalComma => ("it like 1.384,10", "como 1.384,10"),
        Format::Email => ("it like ana@ejemplo.ec", "como ana@ejemplo.ec"),
    }
}
