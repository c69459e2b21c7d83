//! Outgoing webhooks: where events are sent, with which secret, and what was delivered.

use axum::extract::State;
use axum::response::Response;
use nexus_core::hub::views::Delivery;
use nexus_core::hub::{WebhookChange, WebhookDraft, WebhookInfo};
use nexus_types::ids::{JobId, WebhookId};
use nexus_types::limits::JOBS_PAGE_MAX;

use super::access::Admin;
use super::looks::JOBS_DEFAULT;
use super::{HubNode, accepted};
use crate::http::error::ApiError;
use crate::http::json::{Created, Json, NoContent};
use crate::http::path::{Path, Query};

pub(super) async fn webhooks(_: Admin, State(node): State<HubNode>) -> Result<Json<Vec<WebhookInfo>>, ApiError> {
    Ok(Json(node.0.hub.webhooks().list().await?))
}

pub(super) async fn add_webhook(
    _: Admin,
    State(node): State<HubNode>,
    Json(draft): Json<WebhookDraft>,
) -> Result<Created<WebhookInfo>, ApiError> {
    Ok(Created(node.0.hub.webhooks().create(draft).await?))
}

pub(super) async fn webhook(_: Admin, State(node): State<HubNode>, Path(id): Path<WebhookId>) -> Result<Json<WebhookInfo>, ApiError> {
    Ok(Json(node.0.hub.webhooks().show(id).await?))
}

pub(super) async fn change_webhook(
    _: Admin,
    State(node): State<HubNode>,
    Path(id): Path<WebhookId>,
    Json(change): Json<WebhookChange>,
) -> Result<Json<WebhookInfo>, ApiError> {
    Ok(Json(node.0.hub.webhooks().update(id, change).await?))
}

pub(super) async fn remove_webhook(_: Admin, State(node): State<HubNode>, Path(id): Path<WebhookId>) -> Result<NoContent, ApiError> {
    node.0.hub.webhooks().remove(id).await?;
    Ok(NoContent)
}

pub(super) async fn rotate_webhook(
    _: Admin,
    State(node): State<HubNode>,
    Path(id): Path<WebhookId>,
) -> Result<Json<WebhookInfo>, ApiError> {
    Ok(Json(node.0.hub.webhooks().rotate(id).await?))
}

pub(super) async fn test_webhook(_: Admin, State(node): State<HubNode>, Path(id): Path<WebhookId>) -> Result<Response, ApiError> {
    Ok(accepted(&node.0.hub.webhooks().test(id).await?))
}

pub(super) async fn deliveries(
    _: Admin,
    State(node): State<HubNode>,
    Path(id): Path<WebhookId>,
    query: Query,
) -> Result<Json<Vec<Delivery>>, ApiError> {
    let (before, limit) = (query.id("before")?, query.limit(JOBS_DEFAULT, JOBS_PAGE_MAX)?);
    Ok(Json(node.0.hub.webhooks().deliveries(id, before, limit).await?))
}

pub(super) async fn redeliver(
    _: Admin,
    State(node): State<HubNode>,
    Path((id, job)): Path<(WebhookId, JobId)>,
) -> Result<Response, ApiError> {
    Ok(accepted(&node.0.hub.webhooks().replay(id, job).await?))
}
