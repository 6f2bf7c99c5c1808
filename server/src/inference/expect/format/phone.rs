//! Telephone numbers (ITU-T E.164, country code 593; Ecuador's national numbering plan).
//!
//! Mobile: 09 and eight digits. Fixed: 0, an area from 2 to 7, and seven digits, the first of which is 2 to 8.
//! The same numbers begin with +593 instead of 0 for calls from abroad. Normal is the way with 0.

use super::{Flaw, Form, without};

pub(super) fn mobile(text: &str) -> Result<Form, Flaw> {
    let (national, form) = national(text).ok_or(Flaw::Shape)?;
    let is_mobile = national.len() == 9 && national.starts_with('9');
    if is_mobile { Ok(form) } else { Err(Flaw::Shape) }
}

pub(super) fn fixed(text: &str) -> Result<Form, Flaw> {
    let (national, form) = national(text).ok_or(Flaw::Shape)?;
    let is_fixed = match national.as_bytes() {
        [b'2'..=b'7', b'2'..=b'8', rest @ ..] => rest.len() == 6,
        _ => false,
    };
    if is_fixed { Ok(form) } else { Err(Flaw::Shape) }
}

/// The digits after the 0 or the country code.
fn national(text: &str) -> Option<(&str, Form)> {
    let (digits, form) = match text.strip_prefix("+593") {
        Some(digits) => (digits, Form::Variant),
        None => (text.strip_prefix('0')?, Form::Normal),
    };
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some((digits, form))
}

/// Without what only groups digits, and with 0 before the national number; a mobile number may have lost its 0.
pub(super) fn normal(text: &str) -> String {
    let plain = without(text, &[' ', '-', '.', '(', ')']);
    let abroad = ["+593", "00593", "593"].iter().find_map(|prefix| plain.strip_prefix(prefix));
    match abroad {
        Some(national) => format!("0{}", national.strip_prefix('0').unwrap_or(national)),
        None if plain.len() == 9 && plain.starts_with('9') => format!("0{plain}"),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::expect::format;
    use chasqui_registry::service::Format;
    use proptest::prelude::*;

    #[test]
    fn mobile_and_fixed_are_told_apart() {
        assert_eq!(mobile("0991234567"), Ok(Form::Normal));
        assert_eq!(mobile("+593991234567"), Ok(Form::Variant));
        assert_eq!(fixed("022345678"), Ok(Form::Normal));
        assert_eq!(fixed("+59342345678"), Ok(Form::Variant));
        for wrong in [
            "099123456",
            "09912345678",
            "0891234567",
            "022345678",
            "991234567",
            "09912a4567",
            "+5930991234567",
            "",
            "0",
        ] {
            assert_eq!(mobile(wrong), Err(Flaw::Shape), "{wrong}");
        }
        for wrong in
            ["0991234567", "02234567", "0223456789", "012345678", "082345678", "021345678", "2345678"]
        {
            assert_eq!(fixed(wrong), Err(Flaw::Shape), "{wrong}");
        }
        assert!(
            format::read(Format::Phone, "0991234567").is_ok()
                && format::read(Format::Phone, "072345678").is_ok()
        );
        assert!(format::read(Format::Phone, "112").is_err());
    }

    #[test]
    fn ways_to_write_one_number_are_one() {
        for text in [
            "099 123 4567",
            "(099) 123-4567",
            "+593 99 123 4567",
            "+593 (0)99.123.4567",
            "00593991234567",
            "593991234567",
            "991234567",
        ] {
            assert_eq!(format::normal(Format::Phone, text).as_deref(), Some("0991234567"), "{text}");
        }
        assert_eq!(format::normal(Format::FixedPhone, "(02) 234-5678").as_deref(), Some("022345678"));
        for doubtful in ["2345678", "099123456", "0991234567 ext 3", "0991234567/0981234567", "1 800 123456"]
        {
            assert_eq!(format::normal(Format::Phone, doubtful), None, "{doubtful}");
        }
    }

    proptest! {
        #[test]
        fn every_mobile_number_has_both_ways(rest in "[0-9]{8}") {
            prop_assert_eq!(mobile(&format!("09{rest}")), Ok(Form::Normal));
            prop_assert_eq!(mobile(&format!("+5939{rest}")), Ok(Form::Variant));
            prop_assert_eq!(normal(&format!("+593 9{rest}")), format!("09{rest}"));
        }
    }
}
