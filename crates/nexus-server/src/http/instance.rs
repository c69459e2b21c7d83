//! What is known of this deployment before anybody signs in, and how it feels: `/instance`, `/gateway`, `/health`.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use nexus_core::App;
use nexus_types::logins::Instance;
use serde_json::{Value, json};

use super::error::ApiError;
use super::json::{self, Json};
use super::{Node, api};

pub(super) fn routes() -> Router<Node> {
    Router::new()
        .route(api!("/instance"), get(show))
        .route(api!("/gateway"), get(gateway))
        .route("/health", get(health))
        .route("/livez", get(live))
        .route("/readyz", get(ready))
}

async fn show(app: App) -> Result<Json<Instance>, ApiError> {
    Ok(Json(app.setup().instance().await?))
}

async fn gateway(State(node): State<Node>, headers: HeaderMap) -> Json<Value> {
    Json(json!({ "url": node.origins.gateway_url(&headers) }))
}

/// The contract's health: the process answers.
async fn health(State(node): State<Node>) -> Json<Value> {
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Json(json!({ "status": "healthy", "timestamp": timestamp, "uptime": node.started.elapsed().as_secs() }))
}

async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// Can it write? If not, a load balancer should ask somebody else.
async fn ready(State(node): State<Node>) -> Response {
    match node.app.db.ready() {
        Ok(()) => json::write(StatusCode::OK, &json!({ "status": "ready" })),
        Err(reason) => json::write(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "status": "unavailable", "reason": reason.to_string() }),
        ),
    }
}
