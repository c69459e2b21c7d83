//! Sources: who may send events, and with which secret.

use axum::extract::State;
use nexus_core::hub::{NewSource, SourceInfo, SourceWithSecret};

use super::HubNode;
use super::access::Admin;
use crate::http::error::ApiError;
use crate::http::json::{Created, Json, NoContent};
use crate::http::path::Path;

pub(super) async fn sources(_: Admin, State(node): State<HubNode>) -> Json<Vec<SourceInfo>> {
    Json(node.0.hub.sources().list())
}

pub(super) async fn add_source(
    _: Admin,
    State(node): State<HubNode>,
    Json(new): Json<NewSource>,
) -> Result<Created<SourceWithSecret>, ApiError> {
    Ok(Created(node.0.hub.sources().add(new).await?))
}

pub(super) async fn rotate_source(
    _: Admin,
    State(node): State<HubNode>,
    Path(name): Path<String>,
) -> Result<Json<SourceWithSecret>, ApiError> {
    Ok(Json(node.0.hub.sources().rotate(&name).await?))
}

pub(super) async fn remove_source(_: Admin, State(node): State<HubNode>, Path(name): Path<String>) -> Result<NoContent, ApiError> {
    node.0.hub.sources().remove(&name).await?;
    Ok(NoContent)
}
