//! `/channels/{id}/messages`: sending and reading back.

use axum::Router;
use axum::routing::get;
use nexus_core::{App, Caller};
use nexus_types::ErrorCode;
use nexus_types::ids::{ChannelId, MessageId};
use nexus_types::limits::{HISTORY_PAGE_DEFAULT, HISTORY_PAGE_MAX};
use nexus_types::messages::{Anchor, CreateMessage, Message};

use super::error::ApiError;
use super::json::Json;
use super::limits::Slots;
use super::path::{Path, Query};
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new()
        .route(api!("/channels/{id}/messages"), get(history).post(create))
        .route(api!("/channels/{id}/messages/{message}"), get(show))
}

async fn create(
    app: App,
    caller: Caller,
    Path(channel): Path<ChannelId>,
    slots: Slots,
    Json(draft): Json<CreateMessage>,
) -> Result<Json<Message>, ApiError> {
    slots.message(caller, channel)?;
    Ok(Json(app.messages().send(caller, channel, draft).await?))
}

async fn history(app: App, caller: Caller, Path(channel): Path<ChannelId>, query: Query) -> Result<Json<Vec<Message>>, ApiError> {
    let (anchor, limit) = (anchor(&query)?, query.limit(HISTORY_PAGE_DEFAULT, HISTORY_PAGE_MAX)?);
    Ok(Json(app.messages().history(caller, channel, anchor, limit).await?))
}

async fn show(app: App, caller: Caller, Path((channel, id)): Path<(ChannelId, MessageId)>) -> Result<Json<Message>, ApiError> {
    Ok(Json(app.messages().show(caller, channel, id).await?))
}

/// One of `before`, `after` and `around`, or none.
fn anchor(query: &Query) -> Result<Anchor, ErrorCode> {
    match (query.position("before")?, query.position("after")?, query.position("around")?) {
        (None, None, None) => Ok(Anchor::Latest),
        (Some(id), None, None) => Ok(Anchor::Before(id)),
        (None, Some(id), None) => Ok(Anchor::After(id)),
        (None, None, Some(id)) => Ok(Anchor::Around(id)),
        _ => Err(ErrorCode::InvalidQuery),
    }
}
