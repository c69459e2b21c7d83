//! `/channels/{id}/messages/{id}/ack`: I have read up to here.

use axum::Router;
use axum::routing::post;
use nexus_core::{App, Caller};
use nexus_types::ids::{ChannelId, MessageId};

use super::error::ApiError;
use super::json::NoContent;
use super::path::Path;
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new().route(api!("/channels/{id}/messages/{message}/ack"), post(ack))
}

async fn ack(app: App, caller: Caller, Path((channel, message)): Path<(ChannelId, MessageId)>) -> Result<NoContent, ApiError> {
    app.read_states().ack(caller, channel, message).await?;
    Ok(NoContent)
}
