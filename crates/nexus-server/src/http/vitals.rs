//! How the process feels: `/health`, `/livez`, `/readyz`, `/metrics`. Every role has these routes.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, body::Body};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use nexus_core::App;
use nexus_core::transparency::{CosignerState, Log};
use nexus_store::Db;
use nexus_types::ErrorCode;
use serde_json::{Value, json};

use super::Exchange;
use super::caller::bearer;
use super::error::ApiError;
use super::json::{self, Json};
use crate::metrics;
use crate::relay::Relay;

/// The format of Prometheus's text.
///
/// # Source
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a process knows of itself. Clones are the same process.
#[derive(Clone)]
pub struct Vitals {
    started: Instant,
    /// Can nobody but this machine connect?
    is_private: bool,
    app: Option<App>,
    db: Option<Db>,
    log: Option<Log>,
    relay: Option<Relay>,
}

impl Vitals {
    /// A process that begins to serve now; `is_private` if nobody but this machine can connect.
    pub fn new(is_private: bool) -> Self {
        metrics::start();
        Self {
            started: Instant::now(),
            is_private,
            app: None,
            db: None,
            log: None,
            relay: None,
        }
    }

    /// It serves communities.
    #[must_use]
    pub fn with_community(self, app: App) -> Self {
        Self {
            db: Some(app.db.clone()),
            app: Some(app),
            ..self
        }
    }

    /// It serves the key log, which may be kept in a database.
    #[must_use]
    pub fn with_log(self, log: Log, db: Option<Db>, relay: Relay) -> Self {
        Self {
            db: self.db.or(db),
            log: Some(log),
            relay: Some(relay),
            ..self
        }
    }
}

pub(super) fn routes() -> Router<Vitals> {
    Router::new()
        .route("/health", get(health))
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(measures))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The contract's health: the process answers.
async fn health(State(vitals): State<Vitals>) -> Json<Value> {
    let mut body = json!({ "status": "healthy", "timestamp": now_s() });
    if let Some(log) = &vitals.log {
        let counts = log.counts();
        body["users_count"] = counts.users.into();
        body["sth_count"] = counts.heads.into();
    }
    if vitals.app.is_some() {
        body["uptime"] = vitals.started.elapsed().as_secs().into();
    }
    Json(body)
}

async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// Can it write? If not, a load balancer should ask somebody else.
async fn ready(State(vitals): State<Vitals>) -> Response {
    match vitals.db.as_ref().map(Db::ready) {
        None | Some(Ok(())) => json::write(StatusCode::OK, &json!({ "status": "ready" })),
        Some(Err(reason)) => json::write(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "status": "unavailable", "reason": reason.to_string() }),
        ),
    }
}

/// The metrics: open to this machine where nobody else can connect, and where there are no accounts; else for administrators.
async fn measures(
    State(vitals): State<Vitals>,
    Extension(exchange): Extension<Arc<Exchange>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(app) = &vitals.app
        && !(vitals.is_private && exchange.address.to_canonical().is_loopback())
    {
        let token = bearer(&headers).ok_or(ErrorCode::Unauthorized)?;
        app.admin_tokens().verify(token).await?;
    }
    vitals.gauges();
    let mut response = Body::from(metrics::render()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    Ok(response)
}

impl Vitals {
    fn gauges(&self) {
        ::metrics::gauge!("process_up").set(1.0);
        ::metrics::gauge!("nexus_uptime_seconds").set(self.started.elapsed().as_secs_f64());
        metrics::process();
        let sessions = self.relay.as_ref().map_or(0, Relay::sessions);
        ::metrics::gauge!("ws_sessions").set(sessions as f64);
        let Some(log) = &self.log else { return };
        let counts = log.counts();
        ::metrics::gauge!("users_count").set(counts.users as f64);
        ::metrics::gauge!("sth_count").set(counts.heads as f64);
        ::metrics::gauge!("last_sth_timestamp").set(counts.last_timestamp_s.unwrap_or(0) as f64);
        ::metrics::gauge!("nexus_log_pending_leaves").set(counts.pending as f64);
        for cosigner in log.cosigners() {
            let up = f64::from(cosigner.state == CosignerState::Healthy);
            ::metrics::gauge!("nexus_log_cosigner_up", "cosigner" => cosigner.cosigner).set(up);
        }
    }
}
