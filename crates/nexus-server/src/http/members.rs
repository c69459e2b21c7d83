//! `/guilds/{id}/members`: who belongs to a community.

use axum::Router;
use axum::routing::get;
use nexus_core::{App, Caller};
use nexus_types::ids::{GuildId, UserId};
use nexus_types::limits::MEMBERS_PAGE_MAX;
use nexus_types::members::Member;

use super::error::ApiError;
use super::json::{Json, NoContent};
use super::limits::Slots;
use super::path::{Path, Query};
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new()
        .route(api!("/guilds/{id}/members"), get(list))
        .route(api!("/guilds/{id}/members/{user}"), get(show).delete(remove))
}

async fn list(app: App, caller: Caller, Path(guild): Path<GuildId>, query: Query) -> Result<Json<Vec<Member>>, ApiError> {
    // Discord's default is 1; the web client always says how many it wants.
    let (limit, after) = (query.limit(1, MEMBERS_PAGE_MAX)?, query.position("after")?.unwrap_or_default());
    Ok(Json(app.members().list(caller, guild, limit, after).await?))
}

async fn show(app: App, caller: Caller, Path((guild, user)): Path<(GuildId, UserId)>) -> Result<Json<Member>, ApiError> {
    Ok(Json(app.members().show(caller, guild, user).await?))
}

async fn remove(app: App, caller: Caller, Path((guild, user)): Path<(GuildId, UserId)>, slots: Slots) -> Result<NoContent, ApiError> {
    slots.guild_change(caller)?;
    app.members().remove(caller, guild, user).await?;
    Ok(NoContent)
}
