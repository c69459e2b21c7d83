//! What is known of this deployment before anybody signs in: `/instance`, `/gateway`.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::HeaderMap;
use nexus_core::App;
use nexus_types::logins::Instance;
use serde_json::{Value, json};

use super::error::ApiError;
use super::json::Json;
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new()
        .route(api!("/instance"), get(show))
        .route(api!("/gateway"), get(gateway))
}

async fn show(app: App) -> Result<Json<Instance>, ApiError> {
    Ok(Json(app.setup().instance().await?))
}

async fn gateway(State(node): State<Node>, headers: HeaderMap) -> Json<Value> {
    Json(json!({ "url": node.origins.gateway_url(&headers) }))
}
