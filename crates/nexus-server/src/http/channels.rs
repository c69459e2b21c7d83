//! `/channels` and `/guilds/{id}/channels`: conversation places.

use axum::Router;
use axum::routing::get;
use nexus_core::{App, Caller};
use nexus_types::channels::{Channel, CreateChannel, UpdateChannel};
use nexus_types::ids::{ChannelId, GuildId};

use super::error::ApiError;
use super::json::{Created, Json};
use super::limits::Slots;
use super::path::Path;
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new()
        .route(api!("/guilds/{id}/channels"), get(list).post(create))
        .route(api!("/channels/{id}"), get(show).patch(update).delete(delete))
}

async fn list(app: App, caller: Caller, Path(guild): Path<GuildId>) -> Result<Json<Vec<Channel>>, ApiError> {
    Ok(Json(app.channels().list(caller, guild).await?))
}

async fn create(
    app: App,
    caller: Caller,
    Path(guild): Path<GuildId>,
    slots: Slots,
    Json(draft): Json<CreateChannel>,
) -> Result<Created<Channel>, ApiError> {
    slots.channel(caller)?;
    Ok(Created(app.channels().create(caller, guild, draft).await?))
}

async fn show(app: App, caller: Caller, Path(channel): Path<ChannelId>) -> Result<Json<Channel>, ApiError> {
    Ok(Json(app.channels().show(caller, channel).await?))
}

async fn update(
    app: App,
    caller: Caller,
    Path(channel): Path<ChannelId>,
    slots: Slots,
    Json(draft): Json<UpdateChannel>,
) -> Result<Json<Channel>, ApiError> {
    slots.channel(caller)?;
    Ok(Json(app.channels().update(caller, channel, draft).await?))
}

async fn delete(app: App, caller: Caller, Path(channel): Path<ChannelId>, slots: Slots) -> Result<Json<Channel>, ApiError> {
    slots.channel(caller)?;
    Ok(Json(app.channels().delete(caller, channel).await?))
}
