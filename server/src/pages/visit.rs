//! One visit of a page: who reads it, in which language, and how it is answered.

use std::convert::Infallible;

use actix_web::http::header::HeaderMap;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use askama::Template;
use chasqui_registry::user::Role;
use chasqui_report::Language;
use futures::future::{Ready, ready};

use super::asset;
use super::texts::Texts;
use super::voice::Voice;
use crate::auth::Identity;
use crate::problem::{Problem, Result};

/// Remembers the language.
const LANGUAGE_COOKIE: &str = "chasqui_lang";

/// Only what this server sends, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A reader of a page.
pub(super) struct Visit {
    pub(super) voice: Voice,
    /// None on the page where people sign in.
    pub(super) identity: Option<Identity>,
    /// Where the server was reached, for examples: `http://localhost:8080`.
    pub(super) origin: String,
    path: String,
    query: Vec<(String, String)>,
}

/// What every page shows around its content.
pub(super) struct Frame {
    pub(super) t: &'static Texts,
    pub(super) language: &'static str,
    pub(super) title: String,
    pub(super) assets: asset::Paths,
    /// The name of the key, and what it may do.
    pub(super) reader: Option<(String, &'static str)>,
    /// The same page in the other language, and its tag.
    pub(super) other: (String, &'static str),
    pub(super) is_panel: bool,
}

impl FromRequest for Visit {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        let chosen = query.iter().find(|(name, _)| name == "lang").map(|(_, value)| value.as_str());
        let language = language_of(chosen.or_else(|| remembered(request.headers())));
        let connection = request.connection_info();
        ready(Ok(Self {
            voice: Voice::new(language),
            identity: request.extensions().get::<Identity>().cloned(),
            origin: format!("{}://{}", connection.scheme(), connection.host()),
            path: request.path().to_owned(),
            query,
        }))
    }
}

/// The language chosen before.
fn remembered(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == LANGUAGE_COOKIE).then_some(value)
    })
}

/// Spanish unless English is asked for.
fn language_of(tag: Option<&str>) -> Language {
    tag.map_or(Language::Es, Language::of_tag)
}

impl Visit {
    /// A value of the query.
    pub(super) fn query(&self, wanted: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// Whether the reader may change things.
    pub(super) fn may_edit(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.role >= Role::Editor)
    }

    /// What stands around the content of a page.
    pub(super) fn frame(&self, title: impl Into<String>) -> Frame {
        let t = self.voice.t;
        let reader = self.identity.as_ref().map(|identity| {
            let role = match identity.role {
                Role::Viewer => t.roles[0],
                Role::Editor => t.roles[1],
                Role::Admin => t.roles[2],
            };
            (super::voice::clip(identity.actor.as_str()), role)
        });
        Frame {
            t,
            language: self.voice.language().tag(),
            title: title.into(),
            assets: asset::Paths::new(),
            reader,
            other: self.in_other_language(),
            is_panel: self.path == "/",
        }
    }

    fn in_other_language(&self) -> (String, &'static str) {
        let other = match self.voice.language() {
            Language::Es => "en",
            Language::En => "es",
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.query.iter().filter(|(name, _)| name != "lang"));
        query.append_pair("lang", other);
        (format!("?{}", query.finish()), other)
    }

    /// Answers with a page, or with the page that tells what went wrong.
    pub(super) fn answer(&self, page: Result<String>) -> HttpResponse {
        match page {
            Ok(html) => self.html(StatusCode::OK, html),
            Err(problem) => self.failed(&problem),
        }
    }

    /// Sends the reader on, or tells what went wrong.
    pub(super) fn send_to(&self, place: Result<String>) -> HttpResponse {
        match place {
            Ok(place) => see_other(&place).finish(),
            Err(problem) => self.failed(&problem),
        }
    }

    /// A page with the headers that keep it safe and private.
    pub(super) fn html(&self, status: StatusCode, html: String) -> HttpResponse {
        let mut response = HttpResponse::build(status);
        private(&mut response, POLICY);
        response.insert_header((header::CONTENT_LANGUAGE, self.voice.language().tag()));
        if let Some(cookie) = self.language_cookie() {
            response.insert_header((header::SET_COOKIE, cookie));
        }
        response.body(html)
    }

    /// A language chosen by hand is remembered for a year.
    fn language_cookie(&self) -> Option<String> {
        self.query("lang")?;
        let value = match self.voice.language() {
            Language::Es => "es",
            Language::En => "en",
        };
        Some(format!("{LANGUAGE_COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"))
    }

    /// The page that tells what went wrong.
    pub(super) fn failed(&self, problem: &Problem) -> HttpResponse {
        let status = problem.status();
        let kind = match status {
            StatusCode::NOT_FOUND => 0,
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => 1,
            StatusCode::CONFLICT => 2,
            StatusCode::SERVICE_UNAVAILABLE => 3,
            _ if status.is_server_error() => 4,
            _ => 5,
        };
        let t = self.voice.t;
        let page = ErrorPage {
            frame: self.frame(t.error_titles[kind]),
            words: t.error_words[kind],
            detail: if status == StatusCode::NOT_FOUND { "" } else { problem.detail() },
        };
        match render(&page) {
            Ok(html) => self.html(status, html),
            Err(problem) => problem.response(),
        }
    }
}

/// Writes a page.
pub(super) fn render(page: &impl Template) -> Result<String> {
    page.render().map_err(|error| Problem::internal(&error))
}

/// A redirection after a form, or to a page.
pub(super) fn see_other(place: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, place)).insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

/// Headers of everything that only its reader may see.
pub(super) fn private(response: &mut HttpResponseBuilder, policy: &'static str) {
    response
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        // Forms are known by their origin, which a stricter policy would hide from ourselves.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"));
}

/// What answers a browser where no page is.
pub(super) async fn not_found(visit: Visit) -> HttpResponse {
    visit.failed(&Problem::not_found("there is no such page"))
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    words: &'static str,
    detail: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody;
    use actix_web::test::TestRequest;

    async fn visit(request: TestRequest) -> Visit {
        let request = request.to_http_request();
        let Ok(visit) = Visit::from_request(&request, &mut actix_web::dev::Payload::None).await;
        visit
    }

    #[actix_web::test]
    async fn spanish_unless_english_is_chosen_which_is_remembered() {
        let plain = visit(TestRequest::with_uri("/").insert_header(("accept-language", "en"))).await;
        assert_eq!(plain.voice.language(), Language::Es);
        assert!(plain.html(StatusCode::OK, String::new()).headers().get("set-cookie").is_none());

        let chosen = visit(TestRequest::with_uri("/?lang=en")).await;
        assert_eq!(chosen.voice.language(), Language::En);
        let answer = chosen.html(StatusCode::OK, String::new());
        let cookie = answer.headers().get("set-cookie").unwrap().to_str().unwrap();
        assert!(cookie.starts_with("chasqui_lang=en; ") && cookie.contains("SameSite=Lax"), "{cookie}");

        let later = visit(TestRequest::with_uri("/").insert_header(("cookie", "chasqui_lang=en"))).await;
        assert_eq!(later.voice.language(), Language::En);
        let back =
            visit(TestRequest::with_uri("/?lang=es").insert_header(("cookie", "chasqui_lang=en"))).await;
        assert_eq!(back.voice.language(), Language::Es);
    }

    #[actix_web::test]
    async fn the_other_language_keeps_the_query() {
        let visit = visit(TestRequest::with_uri("/login?next=%2Fa%3Fb&lang=es")).await;
        assert_eq!(visit.in_other_language(), ("?next=%2Fa%3Fb&lang=en".to_owned(), "en"));
    }

    #[actix_web::test]
    async fn what_went_wrong_is_a_safe_page_with_its_status() {
        let visit = visit(TestRequest::with_uri("/services/x?a=%3Cb%3E")).await;
        let answer = visit.failed(&Problem::conflict("the state is <script>"));
        assert_eq!(answer.status(), 409);
        let policy = answer.headers().get("content-security-policy").unwrap().to_str().unwrap().to_owned();
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers().get("cache-control").unwrap(), "no-store");
        let html = answer.into_body().try_into_bytes().unwrap();
        let html = std::str::from_utf8(&html).unwrap();
        assert!(html.contains("Ahora no se puede hacer"), "{html}");
        assert!(!html.contains("<script>") && !html.contains("style="), "{html}");
    }
}
