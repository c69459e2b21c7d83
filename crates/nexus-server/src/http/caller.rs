//! Who asks: from `Authorization: Bearer …` to a [`Caller`]. Cookies never say who asks.

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
        let token = bearer(&parts.headers).ok_or(ErrorCode::Unauthorized)?;
        let caller = node.app.logins().authenticate(token).await?;
        node.limits.request(caller)?;
        Ok(caller)
    }
}

/// The bare token.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
