//! The language that a program is told its faults in: English, unless it asks for Spanish.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::problem::Problem;

/// A problem in the language of the request.
pub(super) fn told_to(request: &HttpRequest, problem: Problem) -> Problem {
    if is_spanish(request) { problem.in_spanish() } else { problem }
}

/// Whether a request asks for Spanish: `?lang=`, else `Accept-Language` (RFC 9110, 12.5.4).
pub(super) fn is_spanish(request: &HttpRequest) -> bool {
    let mut query = url::form_urlencoded::parse(request.query_string().as_bytes());
    let chosen = query.find(|(name, _)| name == "lang");
    let accepted = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    match &chosen {
        Some((_, tag)) => is(tag, "es"),
        None => accepted.is_some_and(prefers_spanish),
    }
}

/// Whether a tag is of a language: `es-EC` is of `es`.
fn is(tag: &str, language: &str) -> bool {
    tag.split('-').next().is_some_and(|first| first.trim().eq_ignore_ascii_case(language))
}

/// Whether a list of language ranges puts Spanish before English.
fn prefers_spanish(ranges: &str) -> bool {
    let mut best = (0.0, false);
    for range in ranges.split(',') {
        let (tag, parameter) = range.split_once(';').unwrap_or((range, ""));
        let quality = parameter.trim().strip_prefix("q=").map_or(Some(1.0), |text| text.parse::<f64>().ok());
        let is_spanish = is(tag, "es");
        if (is_spanish || is(tag, "en")) && quality.is_some_and(|quality| quality > best.0) {
            best = (quality.unwrap_or_default(), is_spanish);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_asked_for_first_wins() {
        for spanish in ["es", "es-EC", "ES, en;q=0.5", "fr, es;q=0.9, en;q=0.8", "en;q=0.2,es;q=0.3"] {
            assert!(prefers_spanish(spanish), "{spanish}");
        }
        for english in ["", "en", "en, es", "es;q=0, en", "fr", "*", "est", "es;q=x", "es;q=0.5, en-GB"] {
            assert!(!prefers_spanish(english), "{english}");
        }
    }
}
