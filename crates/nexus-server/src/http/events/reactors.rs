//! Reactors: how they stand, resting and going on, and what a rule would have done.

use axum::extract::State;
use nexus_core::hub::ReactorInfo;
use nexus_core::hub::dry_runs::{DryRun, DryRunReport};

use super::HubNode;
use super::access::Admin;
use crate::http::error::ApiError;
use crate::http::json::{Json, NoContent};
use crate::http::path::Path;

pub(super) async fn reactors(_: Admin, State(node): State<HubNode>) -> Json<Vec<ReactorInfo>> {
    Json(node.0.hub.reactors())
}

pub(super) async fn pause(_: Admin, State(node): State<HubNode>, Path(name): Path<String>) -> Result<NoContent, ApiError> {
    node.0.hub.pause(&name).await?;
    Ok(NoContent)
}

pub(super) async fn resume(_: Admin, State(node): State<HubNode>, Path(name): Path<String>) -> Result<NoContent, ApiError> {
    node.0.hub.resume(&name).await?;
    Ok(NoContent)
}

pub(super) async fn dry_run(_: Admin, State(node): State<HubNode>, Json(run): Json<DryRun>) -> Result<Json<DryRunReport>, ApiError> {
    Ok(Json(node.0.hub.dry_run(run).await?))
}
