//! Plates of vehicles: `ABC-1234` and, older, `ABC-123`, beginning with the letter of a province; motorcycles
//! `AB123C`; diplomats, organisations and temporary stays `CD-1234`. Without the hyphen they mean the same.

use super::{Flaw, Form, without};

/// One letter for each of the 24 provinces.
const PROVINCES: &[u8] = b"ABCEGHIJKLMNOPQRSTUVWXYZ";
/// Consular and diplomatic corps, international organisations, technical assistance, temporary import.
const SPECIAL: [&[u8]; 5] = [b"CC", b"CD", b"OI", b"AT", b"IT"];

pub(super) fn plate(text: &str) -> Result<Form, Flaw> {
    let is_letters = |letters: &[u8]| letters.iter().all(u8::is_ascii_uppercase);
    let is_digits = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    let is_number = |digits: &[u8]| matches!(digits.len(), 3 | 4) && is_digits(digits);
    let is_car = |letters: &[u8], digits: &[u8]| {
        let is_private = letters.len() == 3 && is_letters(letters) && PROVINCES.contains(&letters[0]);
        (is_private || SPECIAL.contains(&letters)) && is_number(digits)
    };
    let bytes = text.as_bytes();
    if let Some(hyphen) = bytes.iter().position(|byte| *byte == b'-') {
        return if is_car(&bytes[..hyphen], &bytes[hyphen + 1..]) {
            Ok(Form::Normal)
        } else {
            Err(Flaw::Shape)
        };
    }
    if let [a, b, digits @ .., c] = bytes
        && digits.len() == 3
        && is_digits(digits)
        && is_letters(&[*a, *b, *c])
    {
        return Ok(Form::Normal);
    }
    let letters = bytes.iter().position(u8::is_ascii_digit).unwrap_or(bytes.len());
    if is_car(&bytes[..letters], &bytes[letters..]) { Ok(Form::Variant) } else { Err(Flaw::Shape) }
}

/// In capitals, with a hyphen between the letters and the digits of a car.
pub(super) fn normal(text: &str) -> Option<String> {
    let plain = without(text, &[' ', '-', '.']).to_ascii_uppercase();
    match plate(&plain).ok()? {
        Form::Normal => Some(plain),
        Form::Variant => {
            let letters = plain.bytes().position(|byte| byte.is_ascii_digit())?;
            Some(format!("{}-{}", &plain[..letters], &plain[letters..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cars_motorcycles_and_diplomats() {
        for good in ["PBA-1234", "GSO-123", "HA123B", "CD-1234", "OI-0123"] {
            assert_eq!(plate(good), Ok(Form::Normal), "{good}");
        }
        for variant in ["PBA1234", "GSO123", "CC1234"] {
            assert_eq!(plate(variant), Ok(Form::Variant), "{variant}");
        }
        for wrong in [
            "",
            "-",
            "PBA-12",
            "PBA-12345",
            "DBA-1234",
            "FBA-1234",
            "pba-1234",
            "PB-1234",
            "PBA -1234",
            "P8A-1234",
            "HA-123B",
            "HA1234B",
            "PBA-1-23",
            "ÑBA-1234",
        ] {
            assert_eq!(plate(wrong), Err(Flaw::Shape), "{wrong}");
        }
        assert_eq!(normal(" pba 1234"), Some("PBA-1234".into()));
        assert_eq!(normal("ha-123b"), Some("HA123B".into()));
        assert_eq!(normal("PBA-O123"), None);
    }

    proptest! {
        #[test]
        fn every_plate_survives_how_people_write_it(text in "[ABCEGHIJKLMNOPQRSTUVWXYZ][A-Z]{2}-[0-9]{3,4}") {
            prop_assert_eq!(plate(&text), Ok(Form::Normal));
            prop_assert_eq!(normal(&text.to_lowercase()), Some(text.clone()));
            prop_assert_eq!(normal(&text.replace('-', " ")), Some(text.clone()));
            prop_assert_eq!(normal(&text.replace('-', "")), Some(text));
        }
    }
}
