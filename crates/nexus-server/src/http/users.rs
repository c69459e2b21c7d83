//! `/users/@me`: the caller's own account and guilds.

use axum::Router;
use axum::routing::{delete, get};
use nexus_core::{App, Caller};
use nexus_types::guilds::GuildSummary;
use nexus_types::ids::GuildId;
use nexus_types::logins::ChangePassword;
use nexus_types::users::CurrentUser;

use super::error::ApiError;
use super::json::{Json, NoContent};
use super::limits::Slots;
use super::path::Path;
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new()
        .route(api!("/users/@me"), get(me).patch(change))
        .route(api!("/users/@me/guilds"), get(guilds))
        .route(api!("/users/@me/guilds/{id}"), delete(leave))
}

async fn me(app: App, caller: Caller) -> Result<Json<CurrentUser>, ApiError> {
    Ok(Json(app.users().me(caller).await?))
}

async fn change(app: App, caller: Caller, slots: Slots, Json(draft): Json<ChangePassword>) -> Result<Json<CurrentUser>, ApiError> {
    let key = caller.user.to_string();
    Ok(Json(slots.signing_in(&key, app.users().change_password(caller, draft)).await?))
}

async fn guilds(app: App, caller: Caller) -> Result<Json<Vec<GuildSummary>>, ApiError> {
    Ok(Json(app.guilds().list(caller).await?))
}

async fn leave(app: App, caller: Caller, Path(guild): Path<GuildId>, slots: Slots) -> Result<NoContent, ApiError> {
    slots.guild_change(caller)?;
    app.members().leave(caller, guild).await?;
    Ok(NoContent)
}
