//! Who asks: from `Authorization: Bearer …`, or `Bot …`, to a [`Caller`]. Cookies never say who asks.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use nexus_core::{App, Caller};
use nexus_types::ErrorCode;

use super::Node;
use super::error::ApiError;

impl FromRequestParts<Node> for App {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, node: &Node) -> Result<Self, Self::Rejection> {
        Ok(node.app.clone())
    }
}

/// The caller, counted against the limit over all routes.
impl FromRequestParts<Node> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, node: &Node) -> Result<Self, ApiError> {
        let caller = match (bearer(&parts.headers), bot(&parts.headers)) {
            (Some(token), _) => node.app.logins().authenticate(token).await?,
            (None, Some(token)) => node.app.bots().authenticate(token).await?,
            (None, None) => return Err(ErrorCode::Unauthorized.into()),
        };
        node.limits.request(caller)?;
        Ok(caller)
    }
}

/// A person's bare token, or an administrator's.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    token(headers, "bearer")
}

/// A bot's bare token.
pub(super) fn bot(headers: &HeaderMap) -> Option<&str> {
    token(headers, "bot")
}

fn token<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| token.trim())
}
