//! The web client inside of the binary: hashed files for ever, `index.html` with a fresh nonce each time.
//!
//! A binary that was built without the web client says so on its page. In a debug build the files are read from the disk, so a
//! rebuilt client shows without a rebuilt server.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::not_found;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

/// What the web client's build writes where the nonce belongs.
const PLACEHOLDER: &str = "__NEXUS_NONCE__";
const INDEX: &str = "index.html";
/// What a worker may do: its policy is that of its own file. It calls the instance and compiles WebAssembly.
const SCRIPT_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; frame-ancestors 'none'";
const ABSENT: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Nexus</title></head><body>\
    <h1>Nexus is running</h1><p>This binary was built without the web client. Build both with <code>cargo xtask run</code>, \
    or use the API at <code>/api/v1</code>.</p></body></html>";

/// Answers whatever no route of the API knows: a file, the page, or 404.
pub(crate) async fn page(request: Request) -> Response {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let path = request.uri().path().trim_start_matches('/');
    if !reads || path.split('/').next() == Some("api") {
        return not_found();
    }
    if path.is_empty() || path == INDEX {
        return index();
    }
    // Only what the build made for browsers: not its manifest, not the packed copies under their own names.
    let hidden = path.split('/').any(|part| part.starts_with('.')) || path.rsplit_once('.').is_some_and(|(_, kind)| kind == "br");
    if let Some(file) = Files::get(path).filter(|_| !hidden) {
        return whole(path, file, request.headers());
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if !last.contains('.') && accepts(request.headers(), &ACCEPT, "text/html") {
        index()
    } else {
        not_found()
    }
}

/// The page. It is never cached, because its nonce is good for one answer.
fn index() -> Response {
    let nonce = nonce();
    let html = Files::get(INDEX).map_or(Cow::Borrowed(ABSENT), |file| {
        Cow::Owned(String::from_utf8_lossy(&file.data).replace(PLACEHOLDER, &nonce))
    });
    let mut response = Response::new(Body::from(html.into_owned()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, policy(&nonce));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    let nothing = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";
    headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(nothing));
    response
}

fn nonce() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the page may load: its own files, and styles that carry the nonce. `trusted-types` names the one policy that may make
/// addresses of workers.
fn policy(nonce: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; img-src 'self' blob:; \
         media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; font-src 'self'; frame-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types nexus"
    );
    HeaderValue::try_from(policy).expect("the nonce is URL-safe base64")
}

fn whole(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..16]));
    let hashed = path.starts_with("assets/");
    let mut response = if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let packed = accepts(headers, &ACCEPT_ENCODING, "br")
            .then(|| Files::get(&format!("{path}.br")))
            .flatten();
        let is_packed = packed.is_some();
        let mut response = Response::new(Body::from(bytes(packed.unwrap_or(file))));
        if is_packed {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind(path)));
        response
    };
    let caching = if hashed {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if kind(path).starts_with("text/javascript") {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SCRIPT_POLICY));
    }
    headers.insert(ETAG, HeaderValue::try_from(tag).expect("base64 is a header's value"));
    response
}

fn bytes(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    }
}

/// Does a list such as `text/html, */*;q=0.8` name this one?
fn accepts(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let items = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    items.map(str::trim).any(|item| {
        let (value, weight) = item.split_once(';').unwrap_or((item, ""));
        value.trim().eq_ignore_ascii_case(wanted) && !matches!(weight.trim(), "q=0" | "q=0.0")
    })
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
