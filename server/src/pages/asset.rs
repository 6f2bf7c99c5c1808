//! The style sheet, the scripts and the sign of the pages, embedded. Their names carry a hash of what is in them, so
//! that browsers may keep them for ever and still see a new one at once.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use chasqui_registry::artifact::Sha256Hex;

const YEAR: &str = "public, max-age=31536000, immutable";

/// A file for browsers.
pub(super) struct Asset {
    name: String,
    kind: &'static str,
    body: String,
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let body = format!("{}{}", chasqui_report::page::STYLESHEET, include_str!("../../static/pages.css"));
    Asset::new("css", "text/css; charset=utf-8", body)
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("js", "text/javascript; charset=utf-8", include_str!("../../static/live.js").into())
});
static REFERENCE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("js", "text/javascript; charset=utf-8", include_str!("../../static/reference.js").into())
});
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("../../static/icon.svg").into()));

impl Asset {
    fn new(ending: &str, kind: &'static str, body: String) -> Self {
        let hash = Sha256Hex::of_slice(body.as_bytes());
        let start: String = hash.as_str().chars().take(16).collect();
        Self { name: format!("{start}.{ending}"), kind, body }
    }

    fn path(&self) -> String {
        format!("/static/{}", self.name)
    }
}

/// Where the assets are.
pub(super) struct Paths {
    pub(super) style: String,
    pub(super) script: String,
    pub(super) reference: String,
    pub(super) icon: String,
}

impl Paths {
    pub(super) fn new() -> Self {
        Self { style: STYLE.path(), script: SCRIPT.path(), reference: REFERENCE.path(), icon: ICON.path() }
    }
}

/// Answers with an asset.
pub(super) async fn show(file: web::Path<String>) -> HttpResponse {
    let assets: [&'static Asset; 4] = [&STYLE, &SCRIPT, &REFERENCE, &ICON];
    let Some(asset) = assets.into_iter().find(|asset| asset.name == *file) else {
        return HttpResponse::NotFound()
            .insert_header((header::CONTENT_TYPE, "text/plain"))
            .body("not found\n");
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, asset.kind))
        .insert_header((header::CACHE_CONTROL, YEAR))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(asset.body.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_content() {
        let one = Asset::new("css", "text/css", "a{}".into());
        assert_eq!(one.name, Asset::new("css", "text/css", "a{}".into()).name);
        assert_ne!(one.name, Asset::new("css", "text/css", "b{}".into()).name);
        assert!(one.path().starts_with("/static/") && one.path().contains(".css"));
    }

    #[actix_web::test]
    async fn assets_are_kept_by_browsers_and_others_are_not_there() {
        let name = Paths::new().script.rsplit('/').next().unwrap().to_owned();
        let found = show(web::Path::from(name)).await;
        assert_eq!(found.status(), 200);
        assert_eq!(found.headers().get("cache-control").unwrap(), YEAR);
        assert_eq!(show(web::Path::from("../Cargo.toml".to_owned())).await.status(), 404);
    }
}
