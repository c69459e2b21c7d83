//! `/invites`, `/channels/{id}/invites` and `/guilds/{id}/invites`: how people come in.

use axum::Router;
use axum::routing::{get, post};
use nexus_core::{App, Caller};
use nexus_types::ids::{ChannelId, GuildId};
use nexus_types::invites::{CreateInvite, Invite};

use super::error::ApiError;
use super::json::{Json, OptionalJson};
use super::limits::Slots;
use super::path::Path;
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new()
        .route(api!("/channels/{id}/invites"), post(create))
        .route(api!("/guilds/{id}/invites"), get(list))
        .route(api!("/invites/{code}"), get(show).post(join).delete(delete))
}

async fn create(
    app: App,
    caller: Caller,
    Path(channel): Path<ChannelId>,
    slots: Slots,
    OptionalJson(draft): OptionalJson<CreateInvite>,
) -> Result<Json<Invite>, ApiError> {
    slots.invite(caller)?;
    Ok(Json(app.invites().create(caller, channel, draft).await?))
}

async fn list(app: App, caller: Caller, Path(guild): Path<GuildId>) -> Result<Json<Vec<Invite>>, ApiError> {
    Ok(Json(app.invites().list(caller, guild).await?))
}

async fn show(app: App, Path(code): Path<String>, slots: Slots) -> Result<Json<Invite>, ApiError> {
    Ok(Json(slots.guessing(app.invites().show(&code)).await?))
}

async fn join(app: App, caller: Caller, Path(code): Path<String>, slots: Slots) -> Result<Json<Invite>, ApiError> {
    slots.join(caller)?;
    Ok(Json(slots.guessing(app.invites().join(caller, &code)).await?))
}

async fn delete(app: App, caller: Caller, Path(code): Path<String>, slots: Slots) -> Result<Json<Invite>, ApiError> {
    Ok(Json(slots.guessing(app.invites().delete(caller, &code)).await?))
}
