//! From an HTTP request to a WebSocket's bare stream (RFC 6455, section 4.2).

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;

use crate::serve::Heads;

/// Checks an upgrade request, and answers its key. Where it came from was judged at the door.
///
/// # Errors
/// The status to refuse it with.
pub(crate) fn check(headers: &HeaderMap) -> Result<HeaderValue, StatusCode> {
    let has = |name: header::HeaderName, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(StatusCode::BAD_REQUEST);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(StatusCode::BAD_REQUEST)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| StatusCode::BAD_REQUEST)
}

/// The answer that switches protocols.
pub(crate) fn accept(key: HeaderValue) -> Response {
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, key)
        .body(Body::empty())
        .expect("a switch of protocols is a valid answer")
}

/// The answer that refuses.
pub(crate) fn refuse(status: StatusCode) -> Response {
    Response::builder()
        .status(status)
        .header(header::UPGRADE, "websocket")
        .body(Body::empty())
        .expect("a status alone is a valid answer")
}

/// The bare stream, and what was read of it already. `None` if it is no plain TCP.
pub(crate) fn take(upgraded: Upgraded) -> Option<(TcpStream, Vec<u8>)> {
    // Nothing but plain TCP is served so far; behind a proxy it is the proxy that speaks TLS.
    let Ok(parts) = upgraded.downcast::<TokioIo<Heads>>() else {
        tracing::error!("a WebSocket does not run over plain TCP");
        return None;
    };
    let already_read = parts.read_buf.to_vec();
    // It is a view of hyper's 8 KiB buffer, which must not stay for as long as the socket.
    drop(parts.read_buf);
    Some((parts.io.into_inner().into_inner(), already_read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers() -> HeaderMap {
        let base = [
            ("host", "chat.example:8080"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut map = HeaderMap::new();
        for (name, value) in base {
            map.insert(name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn the_key_is_answered_as_the_rfc_says() {
        assert_eq!(check(&headers()).expect("a good request"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
