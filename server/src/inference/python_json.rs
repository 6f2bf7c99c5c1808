//! The numbers that Python's `json` writes and JSON does not have (RFC 8259, 6): `NaN` becomes `null`, which is what it
//! means here; infinities stay and are refused by the parser.

use std::borrow::Cow;

/// The body with `null` for every `NaN` that stands outside texts. A body without one is not copied.
pub(super) fn without_nan(body: &[u8]) -> Cow<'_, [u8]> {
    if !body.windows(3).any(|three| three == b"NaN") {
        return Cow::Borrowed(body);
    }
    let mut plain = Vec::with_capacity(body.len() + body.len() / 8);
    let mut rest = body;
    let mut is_in_text = false;
    while let Some((&byte, tail)) = rest.split_first() {
        if !is_in_text && rest.starts_with(b"NaN") {
            plain.extend_from_slice(b"null");
            rest = &rest[3..];
            continue;
        }
        plain.push(byte);
        rest = tail;
        match byte {
            b'"' => is_in_text = !is_in_text,
            b'\\' if is_in_text => {
                if let Some((&escaped, tail)) = rest.split_first() {
                    plain.push(escaped);
                    rest = tail;
                }
            }
            _ => {}
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(body: &str) -> String {
        String::from_utf8(without_nan(body.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn nan_outside_texts_is_null() {
        assert_eq!(plain("[NaN, 1, NaN]"), "[null, 1, null]");
        assert_eq!(plain(r#"["NaN", "a\"NaN", "\\", NaN]"#), r#"["NaN", "a\"NaN", "\\", null]"#);
        assert!(matches!(without_nan(b"[1,2]"), Cow::Borrowed(_)));
        assert_eq!(plain(r#"{"NaN": "\"#), r#"{"NaN": "\"#);
        // What is no JSON stays none.
        assert!(serde_json::from_str::<serde_json::Value>(&plain("[-NaN]")).is_err());
    }

    proptest! {
        #[test]
        fn json_without_nan_stays_as_it_is(texts: Vec<String>) {
            let body = serde_json::to_string(&texts).unwrap();
            prop_assert_eq!(plain(&body), body);
        }
    }
}
