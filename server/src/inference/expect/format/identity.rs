//! The identity number (cédula) and the taxpayer's number (RUC).
//!
//! Cédula: two digits of the province (01 to 24, 30 for Ecuadorians registered abroad), a third digit, six of a
//! sequence, and a check digit by module 10 with the weights 2 and 1 in turn, tens added to units (ISO/IEC 7812-1
//! annex B). The third digit was once below 6; the civil registry has issued numbers with 6 since
//! (0962467429, to a foreigner), so 0 to 6 are taken here.
//!
//! RUC: thirteen digits, the last three of which number the establishment, from 001. The third digit tells the kind:
//! 0 to 5 a natural person, whose first ten digits are the cédula; 9 a company or a foreigner without cédula, once
//! with a check digit at the tenth place by module 11 (weights 4 3 2 7 6 5 4 3 2); 6 a public entity, once with a
//! check digit at the ninth place by module 11 (weights 3 2 7 6 5 4 3 2), or a natural person whose cédula has 6
//! there. The tax authority (SRI) does not make the numbers of companies, public entities and foreigners by module
//! 11 any more: active companies fail it (0993370026001, 1793213150001), and only the SRI's register can tell.
//! So [`ruc`] asks for check digits of kinds 6 and 9 only when it is told to.

use super::{Flaw, Form, digits};

const COMPANY: [u8; 9] = [4, 3, 2, 7, 6, 5, 4, 3, 2];
const PUBLIC: [u8; 8] = [3, 2, 7, 6, 5, 4, 3, 2];

pub(super) fn cedula(text: &str) -> Result<Form, Flaw> {
    let digits: [u8; 10] = digits(text).ok_or_else(|| not_digits(text, 10))?;
    check_province(&digits)?;
    if digits[2] > 6 {
        return Err(Flaw::ThirdDigit);
    }
    if !is_cedula(&digits) {
        return Err(Flaw::CheckDigit);
    }
    Ok(Form::Normal)
}

/// `strictly` asks companies and public entities for their check digit too.
pub(super) fn ruc(text: &str, strictly: bool) -> Result<Form, Flaw> {
    let digits: [u8; 13] = digits(text).ok_or_else(|| not_digits(text, 13))?;
    check_province(&digits)?;
    let is_right = match digits[2] {
        0..=5 => is_cedula(&digits[..10]),
        6 => !strictly || is_public(&digits) || is_cedula(&digits[..10]),
        9 => !strictly || checks_by_11(&digits, &COMPANY),
        _ => return Err(Flaw::ThirdDigit),
    };
    if !is_right {
        return Err(Flaw::CheckDigit);
    }
    if digits[10..] == [0, 0, 0] {
        return Err(Flaw::Establishment);
    }
    Ok(Form::Normal)
}

fn not_digits(text: &str, wanted: usize) -> Flaw {
    let is_short = text.len() + 1 == wanted && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_short { Flaw::LostZero(wanted) } else { Flaw::Digits(wanted) }
}

fn check_province(digits: &[u8]) -> Result<(), Flaw> {
    match digits[0] * 10 + digits[1] {
        1..=24 | 30 => Ok(()),
        _ => Err(Flaw::Province),
    }
}

/// Whether the last digit checks the nine before it by module 10.
fn is_cedula(digits: &[u8]) -> bool {
    let mut sum = 0;
    for (place, digit) in digits.iter().enumerate() {
        let weighted = if place % 2 == 0 { digit * 2 } else { *digit };
        sum += if weighted > 9 { weighted - 9 } else { weighted };
    }
    sum.is_multiple_of(10)
}

fn is_public(digits: &[u8; 13]) -> bool {
    checks_by_11(digits, &PUBLIC) && digits[9..] != [0, 0, 0, 0]
}

/// Whether the digit after the weighted ones checks them by module 11; no number has the check digit 10.
fn checks_by_11(digits: &[u8], weights: &[u8]) -> bool {
    let weighted = digits.iter().zip(weights).map(|(digit, weight)| u32::from(digit * weight));
    let sum: u32 = weighted.sum();
    (sum + u32::from(digits[weights.len()])).is_multiple_of(11)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The digit that completes nine by module 10, computed on the decimal texts.
    fn tenth(nine: &str) -> char {
        let mut sum = 0;
        for (place, digit) in nine.chars().enumerate() {
            let product = digit.to_digit(10).unwrap() * if place % 2 == 0 { 2 } else { 1 };
            sum += product.to_string().chars().map(|digit| digit.to_digit(10).unwrap()).sum::<u32>();
        }
        char::from_digit((1000 - sum) % 10, 10).unwrap()
    }

    fn province() -> impl Strategy<Value = String> {
        prop_oneof![(1_u32..=24).prop_map(|code| format!("{code:02}")), Just("30".to_owned())]
    }

    fn cedulas(third: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = String> {
        (province(), third, "[0-9]{6}").prop_map(|(province, third, rest)| {
            let nine = format!("{province}{third}{rest}");
            let check = tenth(&nine);
            format!("{nine}{check}")
        })
    }

    /// A number with the check digit of module 11 after `weights`, and an establishment; `None` when it would be 10.
    fn by_11(province: &str, third: u32, sequence: &str, weights: &[u32]) -> Option<String> {
        let body: String = format!("{province}{third}{sequence}").chars().take(weights.len()).collect();
        let sum: u32 =
            body.chars().zip(weights).map(|(digit, weight)| digit.to_digit(10).unwrap() * weight).sum();
        let check = match sum % 11 {
            0 => 0,
            remainder => 11 - remainder,
        };
        (check < 10).then(|| format!("{body}{check}"))
    }

    fn changed(text: &str, place: usize, by: u32) -> String {
        let digit = |c: char| char::from_digit((c.to_digit(10).unwrap() + by) % 10, 10).unwrap();
        text.chars().enumerate().map(|(at, c)| if at == place { digit(c) } else { c }).collect()
    }

    #[test]
    fn known_numbers() {
        for good in ["1710034065", "0962467429", "0101016905", "1803557964", "1713175071"] {
            assert_eq!(cedula(good), Ok(Form::Normal), "{good}");
        }
        for (bad, flaw) in [
            ("1710034066", Flaw::CheckDigit),
            ("2510034065", Flaw::Province),
            ("0010034065", Flaw::Province),
            ("1770034065", Flaw::ThirdDigit),
            ("171003406", Flaw::LostZero(10)),
            ("17100340655", Flaw::Digits(10)),
            ("171003406x", Flaw::Digits(10)),
            ("171003406-5", Flaw::Digits(10)),
            ("١٧١٠٠٣٤٠٦٥", Flaw::Digits(10)),
            ("", Flaw::Digits(10)),
        ] {
            assert_eq!(cedula(bad), Err(flaw), "{bad}");
        }
        // A natural person, a foreigner with a cédula, a company and a public entity of the old rules.
        for good in ["1713175071001", "0962467429001", "1790011674001", "1792060346001", "1760001550001"] {
            assert_eq!((ruc(good, false), ruc(good, true)), (Ok(Form::Normal), Ok(Form::Normal)), "{good}");
        }
        // Companies in the register of the SRI whose numbers follow no module.
        for new in ["1793213150001", "1793189906001", "0993366721001", "0993370026001", "0993381661001"] {
            assert_eq!((ruc(new, false), ruc(new, true)), (Ok(Form::Normal), Err(Flaw::CheckDigit)), "{new}");
        }
        for (bad, flaw) in [
            ("1713175071000", Flaw::Establishment),
            ("1790011674000", Flaw::Establishment),
            ("1760001550000", Flaw::Establishment),
            ("1713175072001", Flaw::CheckDigit),
            ("1770011674001", Flaw::ThirdDigit),
            ("1780011674001", Flaw::ThirdDigit),
            ("3190011674001", Flaw::Province),
            ("713175071001", Flaw::LostZero(13)),
            ("17131750710011", Flaw::Digits(13)),
        ] {
            assert_eq!(ruc(bad, false), Err(flaw), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_cedula_passes_and_no_digit_can_be_changed(text in cedulas(0..=6), place in 0_usize..10, by in 1_u32..10) {
            prop_assert_eq!(cedula(&text), Ok(Form::Normal));
            prop_assert!(cedula(&changed(&text, place, by)).is_err());
        }

        #[test]
        fn two_neighbours_exchanged_are_found_unless_0_and_9(text in cedulas(0..=6), place in 3_usize..9) {
            let mut letters: Vec<char> = text.chars().collect();
            letters.swap(place, place + 1);
            let mut pair = [letters[place], letters[place + 1]];
            pair.sort_unstable();
            let exchanged: String = letters.into_iter().collect();
            let is_seen = pair[0] != pair[1] && pair != ['0', '9'];
            prop_assert_eq!(cedula(&exchanged).is_err(), is_seen);
        }

        #[test]
        fn a_person_has_a_number_per_establishment(text in cedulas(0..=5), shop in 0_u32..1000, place in 0_usize..10, by in 1_u32..10) {
            let number = format!("{text}{shop:03}");
            prop_assert_eq!(ruc(&number, false).is_ok(), shop > 0);
            // Another third digit makes it a number of another kind.
            if place != 2 {
                prop_assert!(ruc(&changed(&number, place, by), false).is_err());
            }
        }

        #[test]
        fn module_11_finds_every_changed_digit(province in province(), sequence in "[0-9]{6}", shop in 1_u32..1000, place in 0_usize..10, by in 1_u32..10) {
            let weights = COMPANY.map(u32::from);
            if let (Some(start), true) = (by_11(&province, 9, &sequence, &weights), place != 2) {
                let number = format!("{start}{shop:03}");
                prop_assert_eq!(ruc(&number, true), Ok(Form::Normal));
                prop_assert!(ruc(&changed(&number, place, by), true).is_err());
            }
        }

        #[test]
        fn a_public_entity_is_checked_at_the_ninth_place(province in province(), sequence in "[0-9]{5}", shop in 1_u32..1000) {
            let weights = PUBLIC.map(u32::from);
            if let Some(start) = by_11(&province, 6, &sequence, &weights) {
                let number = format!("{start}0{shop:03}");
                prop_assert_eq!(ruc(&number, true), Ok(Form::Normal));
                prop_assert_eq!(ruc(&format!("{start}0000"), false), Err(Flaw::Establishment));
            }
        }
    }
}
