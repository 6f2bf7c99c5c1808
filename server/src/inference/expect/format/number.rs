//! Numbers that come as texts, with decimal commas or points.

/// Reads a number by the convention of Ecuador: a comma before the fraction, points between groups of three.
pub(in crate::inference::expect) fn with_comma(text: &str) -> Option<f64> {
    let (sign, digits) = signed(text);
    parse(sign, digits, ',', '.')
}

/// Reads a number whose marks leave no doubt: `1384,10`, `1.384,10`, `1,384.10`, `1.384.000`, but not `1.384`,
/// which is a thousand and more to one and less than two to another.
pub(in crate::inference::expect) fn certain(text: &str) -> Option<f64> {
    let (sign, digits) = signed(text.trim());
    let commas = parse(sign, digits, ',', '.');
    let points = parse(sign, digits, '.', ',');
    match (commas, points) {
        (Some(one), Some(other)) => (one == other).then_some(one),
        (one, other) => one.or(other),
    }
}

fn signed(text: &str) -> (f64, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn parse(sign: f64, digits: &str, mark: char, group: char) -> Option<f64> {
    let (whole, fraction) = match digits.split_once(mark) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = if whole.contains(group) { is_grouped(whole, group) } else { is_number(whole) };
    if !is_whole || !fraction.is_none_or(is_number) {
        return None;
    }
    let mut plain: smallvec::SmallVec<[u8; 64]> = whole.bytes().filter(u8::is_ascii_digit).collect();
    if let Some(fraction) = fraction {
        plain.push(b'.');
        plain.extend_from_slice(fraction.as_bytes());
    }
    let number: f64 = std::str::from_utf8(&plain).ok()?.parse().ok()?;
    number.is_finite().then_some(sign * number)
}

/// One to three digits that do not begin with 0, then groups of three.
fn is_grouped(whole: &str, group: char) -> bool {
    let mut groups = whole.split(group);
    let first = groups.next().unwrap_or_default();
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && is_number(first)
        && groups.all(|part| part.len() == 3 && is_number(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_certain_is_read() {
        for (text, number) in [
            ("1.384,10", 1384.10),
            ("1,384.10", 1384.10),
            ("1384,10", 1384.10),
            ("1384.10", 1384.10),
            (" -0,5 ", -0.5),
            ("1.384.000", 1_384_000.0),
            ("0,384", 0.384),
            ("1384,123", 1384.123),
            ("+7", 7.0),
        ] {
            assert_eq!(certain(text), Some(number), "{text}");
        }
        for doubtful in [
            "1.384", "1,384", "-12.345", "", "-", ",", "1,2,3", "1.38,4.5", "1 384", "1e3", "NaN", "inf",
            "$5", "12.34.56", "--1", ",5", "5,",
        ] {
            assert_eq!(certain(doubtful), None, "{doubtful}");
        }
        assert_eq!(with_comma("1.384"), Some(1384.0));
        assert_eq!(with_comma("1,384"), Some(1.384));
        assert_eq!(with_comma("1384.5"), None);
        assert_eq!(with_comma(&"9".repeat(400)), None);
    }

    proptest! {
        #[test]
        fn written_with_commas_it_is_the_same_number(cents in -1_000_000_000_000_i64..1_000_000_000_000) {
            let (sign, size) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
            let mut whole = (size / 100).to_string();
            let mut place = whole.len();
            while place > 3 {
                place -= 3;
                whole.insert(place, '.');
            }
            let text = format!("{sign}{whole},{:02}", size % 100);
            let number: f64 = format!("{sign}{}.{:02}", size / 100, size % 100).parse().unwrap();
            prop_assert_eq!(with_comma(&text), Some(number));
            prop_assert_eq!(certain(&text), Some(number));
        }
    }
}
