//! Sessions of browsers: a signed cookie that names a key, so that every replica can check it and none keeps it.
//!
//! The cookie is `<key id>.<end, seconds since 1970>.<HMAC-SHA256 of both>`. It dies with its key, with its time,
//! and with the signing secret.

use actix_web::http::header::{self, HeaderMap};
use chasqui_registry::Micros;
use chasqui_registry::prediction_log::Pseudonymiser;
use uuid::Uuid;

/// The cookie's name.
pub const COOKIE: &str = "chasqui_session";
/// A working day.
const LIFETIME_SECONDS: i64 = 12 * 3600;

/// Signs and checks session cookies.
#[derive(Debug, Clone)]
pub struct Sessions {
    signer: Pseudonymiser,
}

impl Sessions {
    /// With this secret.
    pub fn new(secret: &[u8]) -> Self {
        // A key of its own, so that a signature never equals a pseudonym of the same text.
        let derived = Pseudonymiser::new(secret).pseudonym("chasqui session signing key");
        Self { signer: Pseudonymiser::new(derived.as_bytes()) }
    }

    fn sign(&self, key: Uuid, end: i64) -> String {
        self.signer.pseudonym(&format!("{key}.{end}"))
    }

    /// The `Set-Cookie` value of a new session.
    pub fn set_cookie(&self, key: Uuid, now: Micros, secure: bool) -> String {
        let end = now.0 / Micros::PER_SECOND + LIFETIME_SECONDS;
        let token = format!("{key}.{end}.{}", self.sign(key, end));
        let secure = if secure { "; Secure" } else { "" };
        format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={LIFETIME_SECONDS}{secure}")
    }

    /// The `Set-Cookie` value that ends a session in the browser.
    pub fn clear_cookie() -> String {
        format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    /// The key that a token stands for.
    pub fn check(&self, token: &str, now: Micros) -> Option<Uuid> {
        let mut parts = token.split('.');
        let (key, end, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let (key, end): (Uuid, i64) = (key.parse().ok()?, end.parse().ok()?);
        let is_genuine = equal(self.sign(key, end).as_bytes(), signature.as_bytes());
        (parts.next().is_none() && is_genuine && now.0 / Micros::PER_SECOND < end).then_some(key)
    }
}

/// Compares in a time that does not depend on where the texts differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// The session token of a request.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE && !value.is_empty()).then_some(value)
    })
}

/// Whether a request that changes something was sent by one of our own pages.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let (Some(origin), Some(host)) = (text("origin"), text("host")) else { return false };
    origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_session_lasts_its_time_and_cannot_be_forged() {
        let (sessions, key) = (Sessions::new(b"secret"), Uuid::from_u128(5));
        let now = Micros(1_700_000_000_000_000);
        let header = sessions.set_cookie(key, now, true);
        assert!(header.contains("HttpOnly; SameSite=Strict") && header.ends_with("Secure"));
        let sent = headers(&[("cookie", &format!("a=b; {}", header.split(';').next().unwrap()))]);
        let token = cookie(&sent).unwrap();
        assert_eq!(sessions.check(token, now), Some(key));
        assert_eq!(sessions.check(token, now.plus_seconds(LIFETIME_SECONDS)), None);
        assert_eq!(Sessions::new(b"other").check(token, now), None);
        let forged = token.replacen(&key.to_string(), &Uuid::from_u128(6).to_string(), 1);
        assert_eq!(sessions.check(&forged, now), None);
        assert_eq!(sessions.check("a.b.c", now), None);
    }

    #[test]
    fn changes_come_from_our_own_pages_only() {
        assert!(is_same_origin(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(!is_same_origin(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_same_origin(&headers(&[("origin", "http://x:80"), ("host", "x:80")])));
        assert!(!is_same_origin(&headers(&[("origin", "http://y"), ("host", "x")])));
        assert!(!is_same_origin(&headers(&[])));
    }
}
