//! `/auth` and `/setup`: getting in, staying in, getting out.

use axum::Router;
use axum::response::Response;
use axum::routing::{delete, get, post};
use http::StatusCode;
use nexus_core::{App, Caller};
use nexus_types::ErrorCode;
use nexus_types::ids::LoginId;
use nexus_types::logins::{Login, Refresh, Register, Setup, SignIn};

use super::cookies::{Client, Cookie};
use super::error::ApiError;
use super::json::{Json, NoContent, OptionalJson};
use super::limits::Slots;
use super::path::Path;
use super::{Node, api};
use crate::web;

pub(super) fn routes() -> Router<Node> {
    Router::new()
        .route(api!("/auth/register"), post(register))
        .route(api!("/auth/login"), post(sign_in))
        .route(api!("/auth/refresh"), post(refresh))
        .route(api!("/auth/logout"), post(sign_out))
        .route(api!("/auth/logins"), get(list))
        .route(api!("/auth/logins/{id}"), delete(end))
        .route("/setup", post(set_up).get(web::page))
}

async fn register(app: App, client: Client, slots: Slots, Json(draft): Json<Register>) -> Result<Response, ApiError> {
    let granted = slots.registering(app.logins().register(draft, &client.name)).await?;
    Ok(client.grant(StatusCode::CREATED, granted))
}

async fn sign_in(app: App, client: Client, slots: Slots, Json(draft): Json<SignIn>) -> Result<Response, ApiError> {
    let name = draft.username.clone();
    let granted = slots.signing_in(&name, app.logins().sign_in(draft, &client.name)).await?;
    Ok(client.grant(StatusCode::OK, granted))
}

async fn refresh(
    app: App,
    client: Client,
    Cookie(cookie): Cookie,
    OptionalJson(body): OptionalJson<Refresh>,
) -> Result<Response, ApiError> {
    let token = body.refresh_token.or(cookie).ok_or(ErrorCode::InvalidRefreshToken)?;
    Ok(client.grant(StatusCode::OK, app.logins().refresh(&token).await?))
}

/// Ends the login of the cookie or, without one, that of the access token.
async fn sign_out(app: App, client: Client, Cookie(cookie): Cookie, caller: Result<Caller, ApiError>) -> Result<Response, ApiError> {
    match cookie {
        Some(token) => app.logins().sign_out_with(&token).await?,
        None => app.logins().sign_out(caller?).await?,
    }
    Ok(client.forget())
}

async fn list(app: App, caller: Caller) -> Result<Json<Vec<Login>>, ApiError> {
    Ok(Json(app.logins().list(caller).await?))
}

async fn end(app: App, caller: Caller, Path(login): Path<LoginId>) -> Result<NoContent, ApiError> {
    app.logins().end(caller, login).await?;
    Ok(NoContent)
}

async fn set_up(app: App, client: Client, slots: Slots, Json(draft): Json<Setup>) -> Result<Response, ApiError> {
    let granted = slots.guessing(app.setup().complete(draft, &client.name)).await?;
    Ok(client.grant(StatusCode::CREATED, granted))
}
