//! Pages for people: behind a sign-in, in Spanish, safe, and readable on a telephone.

use chasqui_tests::{ADMIN_KEY, Answer, Server, chromium};
use reqwest::Method;
use serde_json::json;

use crate::answers::{items, text};
use crate::browser::look;
use crate::fixtures::{register, regression};
use crate::journey;

async fn sign_in(server: &Server, form: &str) -> Answer {
    let request =
        server.request(Method::POST, "/login").header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(form.to_owned()).send().await.unwrap()).await.unwrap()
}

async fn page(server: &Server, path: &str, cookie: &str) -> Answer {
    let request = server.request(Method::GET, path).header("accept", "text/html").header("cookie", cookie);
    Answer::of(request.send().await.unwrap()).await.unwrap()
}

/// The session's cookie, as a browser sends it back.
async fn session(server: &Server) -> String {
    let answer = sign_in(server, &format!("key={ADMIN_KEY}&next=%2Fservices%2Fventas")).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/services/ventas")));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(ADMIN_KEY));
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_opens_the_pages_and_ends() {
    let mut server = Server::start().await;
    server.key = String::new();
    let form = server.get("/login").await;
    assert!(form.text().contains("Entrar a Chasqui") && form.text().contains("lang=\"es"), "{}", form.text());
    assert_eq!(sign_in(&server, "key=wrong-wrong-wrong").await.status, 401);
    assert_eq!(sign_in(&server, "key=").await.status, 422);
    for elsewhere in ["https%3A%2F%2Fexample.org", "%2F%2Fexample.org", "%2F%5Cexample.org"] {
        let answer = sign_in(&server, &format!("key={ADMIN_KEY}&next={elsewhere}")).await;
        assert_eq!(answer.header("location"), Some("/"), "{elsewhere}");
    }

    let cookie = session(&server).await;
    let panel = page(&server, "/", &cookie).await;
    assert_eq!(panel.status, 200);
    assert!(panel.text().contains("Panel"), "{}", panel.text());
    assert_eq!(page(&server, "/services/none", &cookie).await.status, 404);
    let forged = cookie.replace('.', "0.");
    assert_eq!(page(&server, "/", &forged).await.status, 303);

    // A form of another site comes without the cookie; if a browser sent it all the same, it is refused.
    let foreign = server.request(Method::POST, "/api/v1/models").header("cookie", &cookie);
    let foreign =
        foreign.header("origin", "https://example.org").body("{\"name\":\"x\"}").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let out = server.request(Method::POST, "/logout").header("cookie", &cookie);
    let out = out.header("origin", server.url.origin().ascii_serialization()).send().await.unwrap();
    assert_eq!(out.status(), 303);
    assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn pages_carry_the_headers_that_keep_them_safe() {
    let server = Server::start().await;
    // Somebody registers a model with a name that is a page of its own.
    let hostile = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E";
    register(&server, hostile, regression(4.0)).await.ok();
    let cookie = session(&server).await;
    for path in ["/", &format!("/services/{hostile}"), "/services/none"] {
        let answer = page(&server, path, &cookie).await;
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(!answer.text().contains("<img src=x"), "a name is text, not markup");
    }
    let english = page(&server, "/?lang=en", &cookie).await;
    assert!(english.text().contains("lang=\"en\""), "{}", english.text());
}

#[tokio::test]
async fn pages_are_spanish_and_fit_a_desk_and_a_telephone() {
    let Some(chromium) = chromium() else { return };
    let server = Server::start().await;
    journey::whole(&server).await;
    // A rollout that is live while we look, and a name that does not break by itself.
    register(&server, "ventas", regression(7.0)).await.ok();
    let plan = json!({ "version": 3, "steps": [{ "weight": 0.25, "hold": "1h" }] });
    server.post("/api/v1/services/ventas/rollouts", &plan).await.ok();
    server.wait_for("/api/v1/services/ventas", |service| service["shares"][1]["share"] == 0.25).await;
    let long = "pronostico_de_demanda_diaria_por_tienda_y_categoria_de_producto_".repeat(3);
    register(&server, &long, regression(5.0)).await.ok();

    let reports = server.get("/api/v1/services/ventas/reports").await.ok();
    let report = format!("/reports/{}", text(&items(&reports)[0]["id"]));
    let long = format!("/services/{long}");
    let pages =
        ["/", "/services/ventas", &long, "/login", "/services/none", &report, "/api", "/api#startRollout"];
    let seen = look(&chromium, &server, &pages, &[1280, 390]);
    assert_eq!(seen.len(), 2 * pages.len());
    for page in &seen {
        let what = format!("{} at {} px", page.path, page.width);
        assert!(page.needed <= page.width, "{what} needs {} px", page.needed);
        assert!(page.style_rules > 20, "{what} has no style");
        assert!(page.language.starts_with("es"), "{what} says it is in {}", page.language);
        assert!(page.headings.iter().any(|heading| !heading.is_empty()), "{what} has no heading");
    }
    let of = |path: &str| seen.iter().find(|page| page.path == path).unwrap();
    for heading in ["Panel", "Servicios", "Alertas", "Trabajos en marcha", "Últimos informes"] {
        assert!(of("/").headings.iter().any(|seen| seen == heading), "{heading}: {:?}", of("/").headings);
    }
    let panel = &of("/").text;
    for part in ["ventas", "Versión campeona", "Versión 2 · 75,0 %", "Versión 3 · 25,0 %"] {
        assert!(panel.replace('\u{a0}', " ").contains(part), "{part} is not on the dashboard: {panel}");
    }
    let service = of("/services/ventas");
    for heading in ["ventas", "Cambios en los datos"] {
        assert!(service.headings.iter().any(|seen| seen == heading), "{heading}: {:?}", service.headings);
    }
    assert!(of(&report).charts >= 2, "a report has two charts at least: {}", of(&report).text);
    assert!(of("/login").text.contains("Clave de API"));
}
