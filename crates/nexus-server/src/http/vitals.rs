//! How the process feels: `/health`, `/livez`, `/readyz`, `/metrics`. Every role has these routes.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, body::Body};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use nexus_core::hub::{Hub, ReactorInfo, ReactorState};
use nexus_core::transparency::{CosignerState, Log};
use nexus_core::{App, admin_tokens};
use nexus_store::Db;
use nexus_types::ErrorCode;
use serde_json::{Value, json};

use super::Exchange;
use super::caller::bearer;
use super::error::ApiError;
use super::json::{self, Json};
use crate::metrics;
use crate::relay::Relay;
use crate::streams::Streams;

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
    hub: Option<(Hub, Streams)>,
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
            hub: None,
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

    /// It keeps something in this database.
    #[must_use]
    pub fn with_db(self, db: Option<Db>) -> Self {
        Self { db, ..self }
    }

    /// It serves the event hub.
    #[must_use]
    pub fn with_hub(self, hub: Hub, streams: Streams) -> Self {
        Self {
            hub: Some((hub, streams)),
            ..self
        }
    }

    /// It serves the key log.
    #[must_use]
    pub fn with_log(self, log: Log, relay: Relay) -> Self {
        Self {
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

/// The contracts' health: the process answers. That of the hub alone has another word.
async fn health(State(vitals): State<Vitals>) -> Json<Value> {
    let uptime_s = vitals.started.elapsed().as_secs();
    let Some(log) = &vitals.log else {
        return Json(if vitals.hub.is_some() {
            json!({ "status": "ok", "uptime": uptime_s })
        } else {
            json!({ "status": "healthy", "timestamp": now_s(), "uptime": uptime_s })
        });
    };
    let counts = log.counts();
    let mut body = json!({ "status": "healthy", "timestamp": now_s(), "users_count": counts.users, "sth_count": counts.heads });
    if vitals.app.is_some() || vitals.hub.is_some() {
        body["uptime"] = uptime_s.into();
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

/// The metrics: open to this machine where nobody else can connect, and where the key log is served alone; else for administrators.
async fn measures(
    State(vitals): State<Vitals>,
    Extension(exchange): Extension<Arc<Exchange>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let db = vitals.db.as_ref().filter(|_| vitals.app.is_some() || vitals.hub.is_some());
    if let Some(db) = db
        && !(vitals.is_private && exchange.address.to_canonical().is_loopback())
    {
        let token = bearer(&headers).ok_or(ErrorCode::Unauthorized)?;
        admin_tokens::verify(db, token).await?;
    }
    vitals.hub_gauges().await?;
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

    async fn hub_gauges(&self) -> Result<(), ApiError> {
        let Some((hub, streams)) = &self.hub else { return Ok(()) };
        let behind = hub.db().bus().head() - *hub.recorded().borrow();
        let stats = hub.stats(1).await?;
        metrics::hub(&metrics::HubFigures {
            streams: streams.count(),
            lag_entries: behind.max(0),
            dead_letters: stats.dead_letters,
            today: [
                ("events", stats.today.events),
                ("delivered", stats.today.delivered),
                ("retried", stats.today.retried),
                ("dead", stats.today.dead),
            ],
        });
        let figures = |info: ReactorInfo| metrics::ReactorFigures {
            resting: info.state == ReactorState::Resting,
            waiting: info.waiting,
            dead: info.dead,
            name: info.name,
        };
        metrics::reactors(hub.reactors().into_iter().map(figures));
        Ok(())
    }
}
