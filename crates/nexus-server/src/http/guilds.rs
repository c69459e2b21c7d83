//! `/guilds`: communities.

use axum::Router;
use axum::routing::{get, post};
use nexus_core::{App, Caller};
use nexus_types::guilds::{CreateGuild, CreatedGuild, Guild, UpdateGuild};
use nexus_types::ids::GuildId;
use nexus_types::roles::Role;

use super::error::ApiError;
use super::json::{Created, Json, NoContent};
use super::limits::Slots;
use super::path::Path;
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new()
        .route(api!("/guilds"), post(create))
        .route(api!("/guilds/{id}"), get(show).patch(update).delete(delete))
        .route(api!("/guilds/{id}/roles"), get(roles))
}

async fn create(app: App, caller: Caller, slots: Slots, Json(draft): Json<CreateGuild>) -> Result<Created<CreatedGuild>, ApiError> {
    slots.guild(caller)?;
    Ok(Created(app.guilds().create(caller, draft).await?))
}

async fn show(app: App, caller: Caller, Path(guild): Path<GuildId>) -> Result<Json<Guild>, ApiError> {
    Ok(Json(app.guilds().show(caller, guild).await?))
}

async fn update(
    app: App,
    caller: Caller,
    Path(guild): Path<GuildId>,
    slots: Slots,
    Json(draft): Json<UpdateGuild>,
) -> Result<Json<Guild>, ApiError> {
    slots.guild_change(caller)?;
    Ok(Json(app.guilds().update(caller, guild, draft).await?))
}

async fn delete(app: App, caller: Caller, Path(guild): Path<GuildId>, slots: Slots) -> Result<NoContent, ApiError> {
    slots.guild_change(caller)?;
    app.guilds().delete(caller, guild).await?;
    Ok(NoContent)
}

async fn roles(app: App, caller: Caller, Path(guild): Path<GuildId>) -> Result<Json<Vec<Role>>, ApiError> {
    Ok(Json(app.guilds().show(caller, guild).await?.roles))
}
