//! The web page, embedded in the binary. Every path that is no file of it gets its index: the page routes by itself.

use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::Problem;

/// Files whose names change with their content.
const HASHED: &str = "assets/";

/// What is shown when the binary was built without the page.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Fabrica</title>\
<p>This gateway was built without its web page. Build the page first (<code>make ui</code>), then the gateway.</p>\
<p>The REST API works: see <a href=\"/openapi.json\">/openapi.json</a>.</p></html>";

/// Variants that a build may leave beside a file, best first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Page;

/// Answers whatever no other route has.
pub async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    std::future::ready(serve(&method, uri.path(), &headers)).await
}

fn serve(method: &Method, path: &str, headers: &HeaderMap) -> Response {
    let path = path.trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return Problem::not_found("This path of the API").into_response();
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Only GET is possible here.");
        return ([(header::ALLOW, "GET, HEAD")], problem).into_response();
    }
    if !path.is_empty() && Page::get(path).is_some() {
        return file(path, headers).unwrap_or_else(not_found);
    }
    // A missing script must not be answered with a page: the browser would run neither.
    if path.starts_with(HASHED) {
        return not_found();
    }
    file("index.html", headers)
        .unwrap_or_else(|| (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response())
}

fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    let (encoding, found) = variant(path, headers)?;
    let tag = entity_tag(&found);
    let cache =
        if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common =
        [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static(cache))];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == tag) {
        return Some((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let mut response = (common, found.data.into_owned()).into_response();
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(response)
}

/// The file in the best encoding that the client takes and the build made.
fn variant(path: &str, headers: &HeaderMap) -> Option<(Option<&'static str>, EmbeddedFile)> {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let takes = |name: &str| {
        accepted.split(',').any(|item| {
            let mut parts = item.split(';').map(str::trim);
            parts.next() == Some(name) && !parts.any(|part| matches!(part, "q=0" | "q=0.0"))
        })
    };
    for (encoding, suffix) in ENCODINGS {
        if takes(encoding)
            && let Some(found) = Page::get(&format!("{path}{suffix}"))
        {
            return Some((Some(encoding), found));
        }
    }
    Page::get(path).map(|found| (None, found))
}

fn entity_tag(file: &EmbeddedFile) -> HeaderValue {
    let hash = file.metadata.sha256_hash();
    let text = URL_SAFE_NO_PAD.encode(&hash[..16]);
    HeaderValue::try_from(format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn not_found() -> Response {
    Problem::not_found("This file").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Response {
        serve(&Method::GET, path, &HeaderMap::new())
    }

    #[test]
    fn unknown_paths_of_the_api_and_assets_are_not_the_page() {
        assert_eq!(get("/api/v1/nothing").status(), 404);
        assert_eq!(get("/api").status(), 404);
        assert_eq!(get("/assets/gone.js").status(), 404);
        assert_eq!(serve(&Method::POST, "/", &HeaderMap::new()).status(), 405);
    }

    #[test]
    fn routes_of_the_page_get_its_index_or_the_reason_why_not() {
        let built = Page::get("index.html").is_some();
        let response = get("/ns/demo/sessions/a");
        assert_eq!(response.status(), if built { 200 } else { 503 });
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    }
}
