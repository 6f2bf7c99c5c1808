//! Signing in with an API key, and out.
//!
//! The cookie is `SameSite=Strict`, so forms of other sites come without it; signing out is a form of its own, and
//! signing in is refused when another site sends the form: nobody is signed in with a key that is not theirs.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::visit::{Frame, Visit, render, see_other};
use crate::app::App;
use crate::auth::Sessions;
use crate::body;
use crate::problem::{Problem, Result};

/// Bytes of the form.
const FORM_BYTES: usize = 16 << 10;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    frame: Frame,
    next: &'a str,
    fault: &'static str,
}

/// The form.
pub(super) async fn form(visit: Visit) -> HttpResponse {
    let next = local(visit.query("next").unwrap_or("/"));
    page(&visit, StatusCode::OK, next, "")
}

fn page(visit: &Visit, status: StatusCode, next: &str, fault: &'static str) -> HttpResponse {
    let page = LoginPage { frame: visit.frame(visit.voice.t.login_title), next, fault };
    match render(&page) {
        Ok(html) => visit.html(status, html),
        Err(problem) => visit.failed(&problem),
    }
}

/// Opens a session and leads to where the reader wanted to go.
pub(super) async fn sign_in(
    visit: Visit,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let sent = match read(&request, payload).await {
        Ok(sent) => sent,
        Err(problem) => return visit.failed(&problem),
    };
    let next = local(&sent.next);
    let t = visit.voice.t;
    if sent.key.is_empty() {
        return page(&visit, StatusCode::UNPROCESSABLE_ENTITY, next, t.login_empty);
    }
    match app.keys.sign_in(&sent.key, app.config.has_secure_cookies()) {
        Some(cookie) => see_other(next).insert_header((header::SET_COOKIE, cookie)).finish(),
        None => page(&visit, StatusCode::UNAUTHORIZED, next, t.login_wrong),
    }
}

/// Ends the session in this browser.
pub(super) async fn sign_out() -> HttpResponse {
    see_other("/login").insert_header((header::SET_COOKIE, Sessions::clear_cookie())).finish()
}

#[derive(Default)]
struct Sent {
    key: String,
    next: String,
}

async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Sent> {
    if is_from_elsewhere(request.headers()) {
        return Err(Problem::forbidden("the form to sign in was sent by another site"));
    }
    let bytes = body::read(request, payload, FORM_BYTES).await?;
    let mut sent = Sent::default();
    for (name, value) in url::form_urlencoded::parse(&bytes) {
        match &*name {
            "key" => value.trim().clone_into(&mut sent.key),
            "next" => sent.next = value.into_owned(),
            _ => {}
        }
    }
    Ok(sent)
}

/// Browsers say where a form comes from; programs, which carry no cookies of others, need not.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = text("origin") else { return false };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    !text("host").zip(authority).is_some_and(|(host, authority)| host.eq_ignore_ascii_case(authority))
}

/// A path on this server; anything else would let a link send people elsewhere after they signed in. Browsers read a
/// backslash as a slash and skip tabs and line ends, so none of them is allowed.
pub(super) fn local(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//");
    let is_plain = !next.contains(|character: char| character == '\\' || character.is_control());
    let is_elsewhere = ["/login", "/logout"].iter().any(|page| {
        next.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '/', '#']))
    });
    if is_path && is_plain && next.is_ascii() && !is_elsewhere { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    #[test]
    fn the_form_leads_to_this_server_only() {
        for here in ["/", "/services/x?a=b", "/services/a%C3%B1o", "/loginx"] {
            assert_eq!(local(here), here);
        }
        let elsewhere = [
            "",
            "x",
            "https://example.org",
            "//example.org",
            "/\\example.org",
            "/\t/example.org",
            "/\n/example.org",
            "javascript:alert(1)",
            "/login?next=/login",
            "/logout",
            "/año",
        ];
        for next in elsewhere {
            assert_eq!(local(next), "/", "{next:?}");
        }
    }

    #[test]
    fn other_sites_cannot_sign_people_in() {
        let from = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            }
            is_from_elsewhere(&headers)
        };
        assert!(!from(&[]));
        assert!(!from(&[("sec-fetch-site", "same-origin")]));
        assert!(from(&[("sec-fetch-site", "cross-site")]));
        assert!(from(&[("sec-fetch-site", "same-site")]));
        assert!(!from(&[("origin", "http://x:80"), ("host", "x:80")]));
        assert!(from(&[("origin", "http://y"), ("host", "x")]));
        assert!(from(&[("origin", "null"), ("host", "x")]));
    }
}
