//! How values are written in Ecuador: identity and tax numbers, phones, plates, provinces, dates, decimal commas;
//! and e-mail addresses. Pure functions of texts; a good text costs no allocation.
//!
//! They stand here and not in the registry, which only knows the formats' names: nothing but answering requests
//! looks at single values.

mod date;
mod email;
mod identity;
pub(super) mod number;
mod phone;
mod plate;
mod province;

use chasqui_registry::service::Format;

/// Every format.
pub(super) const ALL: [Format; 13] = [
    Format::Cedula,
    Format::Ruc,
    Format::RucChecked,
    Format::Phone,
    Format::MobilePhone,
    Format::FixedPhone,
    Format::Plate,
    Format::ProvinceCode,
    Format::ProvinceName,
    Format::DateIso,
    Format::DateDmy,
    Format::DecimalComma,
    Format::Email,
];

/// How well a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The one way in which equal values are equal texts.
    Normal,
    /// Another way that is right too.
    Variant,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is not this many digits.
    Digits(usize),
    /// It is one digit less: spreadsheets drop a leading zero.
    LostZero(usize),
    /// It begins with the code of no province.
    Province,
    /// Its third digit says nothing.
    ThirdDigit,
    /// A digit does not go with the others.
    CheckDigit,
    /// The establishment is 000.
    Establishment,
    /// There is no such day.
    NoSuchDay,
    /// It is written otherwise.
    Shape,
}

/// Reads a text that should be written in a format.
pub(super) fn read(format: Format, text: &str) -> Result<Form, Flaw> {
    match format {
        Format::Cedula => identity::cedula(text),
        Format::Ruc => identity::ruc(text, false),
        Format::RucChecked => identity::ruc(text, true),
        Format::Phone => phone::mobile(text).or_else(|_| phone::fixed(text)),
        Format::MobilePhone => phone::mobile(text),
        Format::FixedPhone => phone::fixed(text),
        Format::Plate => plate::plate(text),
        Format::ProvinceCode => province::code(text),
        Format::ProvinceName => province::name(text),
        Format::DateIso => date::iso(text),
        Format::DateDmy => date::day_first(text),
        Format::DecimalComma => number::with_comma(text).map(|_| Form::Normal).ok_or(Flaw::Shape),
        Format::Email => email::email(text),
    }
}

/// The normal way to write what a text means; `None` when that is in doubt.
pub(super) fn normal(format: Format, text: &str) -> Option<String> {
    let normal = match format {
        Format::Cedula | Format::Ruc | Format::RucChecked => without(text, &[' ', '-', '.']),
        Format::Phone | Format::MobilePhone | Format::FixedPhone => phone::normal(text),
        Format::Plate => plate::normal(text)?,
        Format::ProvinceCode => province::padded(text),
        Format::ProvinceName => province::known(text)?.to_owned(),
        Format::DateIso => date::to_iso(text)?,
        Format::DateDmy => date::to_day_first(text)?,
        Format::DecimalComma => text.trim().to_owned(),
        Format::Email => email::normal(text)?,
    };
    (read(format, &normal) == Ok(Form::Normal)).then_some(normal)
}

/// Whether a number is the code of a province: for fields of numbers, which keep no leading zero.
pub(super) fn is_province(number: f64) -> bool {
    number.fract() == 0.0 && ((1.0..=24.0).contains(&number) || number == 30.0)
}

/// The values of exactly `N` digits.
fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: &[u8; N] = text.as_bytes().try_into().ok()?;
    bytes.iter().all(u8::is_ascii_digit).then(|| bytes.map(|byte| byte - b'0'))
}

fn without(text: &str, dropped: &[char]) -> String {
    text.chars().filter(|letter| !dropped.contains(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn province_numbers() {
        assert!([1.0, 24.0, 30.0].into_iter().all(is_province));
        assert!(![0.0, 25.0, 29.0, 31.0, 1.5, -1.0, f64::NAN, f64::INFINITY].into_iter().any(is_province));
    }

    proptest! {
        #[test]
        fn no_text_breaks_them_and_the_normal_way_is_a_fixed_point(text: String, near in "[ 0-9A-Za-z+@./,()-]{0,20}") {
            for text in [&text, &near] {
                for format in ALL {
                    let normal = normal(format, text);
                    if let Some(normal) = &normal {
                        prop_assert_eq!(read(format, normal), Ok(Form::Normal));
                        let again = super::normal(format, normal);
                        prop_assert_eq!(again.as_ref(), Some(normal));
                    }
                    // A text that is already normal is left alone; a variant has a normal way.
                    match read(format, text) {
                        Ok(Form::Normal) => prop_assert_eq!(normal.as_ref(), Some(text), "{:?}", format),
                        Ok(Form::Variant) => prop_assert!(normal.is_some(), "{:?} {:?}", format, text),
                        Err(_) => {}
                    }
                }
            }
        }
    }
}
