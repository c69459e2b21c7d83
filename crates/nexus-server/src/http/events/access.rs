//! Who asks the hub: a source by its signature, an administrator by a token.
//!
//! # Invariant
//! Everything that can be wrong with a signature is the same 401, and nothing of a request is logged.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Method};
use nexus_core::admin_tokens;
use nexus_core::hub::{Access, Claim, SourceAccess};
use nexus_types::ErrorCode;

use super::HubNode;
use crate::http::Exchange;
use crate::http::caller::{bearer, bot};
use crate::http::error::ApiError;

/// The id that a source gives an event.
pub(super) const EVENT_ID: &str = "x-nexus-event-id";
const SOURCE: &str = "x-nexus-source";
const SIGNATURE: &str = "x-nexus-signature";
const TIMESTAMP: &str = "x-nexus-timestamp";

/// A header's text; one that is no text is an empty one, which nothing accepts.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

impl HubNode {
    /// Which source signed these bytes. From an address with too many wrong signatures nothing is looked at.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidSignature`], [`ErrorCode::StaleTimestamp`], [`ErrorCode::RateLimited`].
    pub(super) fn signed(
        &self,
        exchange: &Exchange,
        headers: &HeaderMap,
        signed: &[u8],
        must_be_timely: bool,
    ) -> Result<SourceAccess, ApiError> {
        let claim = Claim {
            source: header(headers, SOURCE),
            signature: header(headers, SIGNATURE),
            timestamp: header(headers, TIMESTAMP),
            signed,
            must_be_timely,
        };
        let hub = &self.0.hub;
        self.0.wrong_signatures.judge(exchange, || hub.sources().verify(claim))
    }

    /// Which administrator's token this is.
    ///
    /// # Errors
    /// [`ErrorCode::Unauthorized`] for nobody's token, [`ErrorCode::MissingPermission`] for that of somebody who is no administrator.
    pub(super) async fn by_token(&self, headers: &HeaderMap) -> Result<Access, ApiError> {
        let Some(token) = bearer(headers) else {
            return self.refuse_bot(headers).await;
        };
        if admin_tokens::is_one(token) {
            admin_tokens::verify(self.0.hub.db(), token).await?;
            return Ok(Access::Admin);
        }
        let node = self.0.community.as_ref().ok_or(ErrorCode::Unauthorized)?;
        let caller = node.app.logins().authenticate(token).await?;
        node.limits.request(caller)?;
        let login = caller.require_login()?;
        if !node.app.users().me(caller).await?.admin {
            return Err(ErrorCode::MissingPermission.into());
        }
        Ok(Access::Administrator { user: caller.user, login })
    }

    /// A bot is told that it may not; whoever only says that it is one, that nobody knows it.
    async fn refuse_bot(&self, headers: &HeaderMap) -> Result<Access, ApiError> {
        let (Some(node), Some(token)) = (&self.0.community, bot(headers)) else {
            return Err(ErrorCode::Unauthorized.into());
        };
        node.app.bots().authenticate(token).await?;
        Err(ErrorCode::MissingPermission.into())
    }

    /// Who asks, of a request whose body is not signed.
    ///
    /// # Errors
    /// As [`HubNode::signed`] and [`HubNode::by_token`].
    pub(super) async fn asker(&self, method: &Method, headers: &HeaderMap, exchange: &Exchange) -> Result<Access, ApiError> {
        // A request with a body signs that, and no route for administrators is for sources.
        let by_signature = headers.contains_key(SIGNATURE) && [Method::GET, Method::HEAD].contains(method);
        if headers.contains_key(http::header::AUTHORIZATION) || !by_signature {
            return self.by_token(headers).await;
        }
        let target = exchange.asked.path_and_query().map_or("/", |target| target.as_str());
        let line = format!("{method} {target}");
        Ok(Access::Source(self.signed(exchange, headers, line.as_bytes(), true)?))
    }
}

async fn of_parts(parts: &Parts, node: &HubNode) -> Result<Access, ApiError> {
    let exchange = parts.extensions.get::<Arc<Exchange>>().expect("every request has its exchange");
    node.asker(&parts.method, &parts.headers, exchange).await
}

/// Somebody who may look after the hub. It comes before everything else that a request holds.
pub(super) struct Admin;

impl FromRequestParts<HubNode> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, node: &HubNode) -> Result<Self, ApiError> {
        if of_parts(parts, node).await?.is_admin() {
            Ok(Self)
        } else {
            Err(ErrorCode::MissingPermission.into())
        }
    }
}

/// Somebody who may read events.
pub(super) struct Reader(pub Access);

impl FromRequestParts<HubNode> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, node: &HubNode) -> Result<Self, ApiError> {
        let access = of_parts(parts, node).await?;
        if access.is_reader() {
            Ok(Self(access))
        } else {
            Err(ErrorCode::MissingPermission.into())
        }
    }
}
