//! `/channels/{id}/typing`: I am writing.

use axum::Router;
use axum::routing::post;
use nexus_core::{App, Caller};
use nexus_types::ids::ChannelId;

use super::error::ApiError;
use super::json::NoContent;
use super::limits::Slots;
use super::path::Path;
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new().route(api!("/channels/{id}/typing"), post(start))
}

async fn start(app: App, caller: Caller, Path(channel): Path<ChannelId>, slots: Slots) -> Result<NoContent, ApiError> {
    slots.typing(caller, channel)?;
    app.typing().start(caller, channel).await?;
    Ok(NoContent)
}
