//! The event hub's routes: events in and out, and everything that looks after reactors, sources and webhooks.
//!
//! Every failure here is `{"error", "message", "field"?}` (see [`super::routes::shape`]). The contract is `docs/protocol/events.md`.
//!
//! # Invariant
//! A request is judged by its signature before anything else of it is looked at but its length.

mod access;
mod looks;
mod reactors;
mod sources;
mod webhooks;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{delete, get, patch, post};
use http::StatusCode;
use http::header::{AUTHORIZATION, UPGRADE};
use nexus_core::hub::{Access, Hub, Published};
use nexus_types::ErrorCode;
use nexus_types::ids::HubEventId;
use nexus_types::limits::{BAD_SIGNATURES_PER_MINUTE, EVENT_BYTES_MAX, SECOND_MS, TICKET_MS};
use serde::Serialize;

use super::error::ApiError;
use super::json::{self, Json, TakesJson};
use super::limits::WrongLimit;
use super::{Exchange, Node};
use crate::metrics;
use crate::streams::Streams;
use access::{EVENT_ID, header};
use looks::{dead_letters, discard, life, list, open_streams, replay, run, stats, types};
use reactors::{dry_run, pause, reactors, resume};
use sources::{add_source, remove_source, rotate_source, sources};
use webhooks::{add_webhook, change_webhook, deliveries, redeliver, remove_webhook, rotate_webhook, test_webhook, webhook, webhooks};

/// What a source signs to get a ticket. It is no event, so that whoever recorded a signed event can't open a stream with it.
const TICKET_BODY: &[u8] = b"{}";
/// Bytes of that body, with white space around it.
const TICKET_BYTES_MAX: usize = 1_024;

/// Everything a request about the hub may need of this process. Clones are the same node.
#[derive(Clone)]
pub struct HubNode(Arc<Inner>);

struct Inner {
    hub: Hub,
    streams: Streams,
    /// Where people sign in, if this process serves communities.
    community: Option<Node>,
    wrong_signatures: WrongLimit,
}

impl TakesJson for HubNode {}

impl HubNode {
    /// The hub with its streams, and the people who may be its administrators; `rates` says whether requests are limited.
    pub fn new(hub: Hub, streams: Streams, community: Option<Node>, rates: bool) -> Self {
        Self(Arc::new(Inner {
            hub,
            streams,
            community,
            wrong_signatures: WrongLimit::new("wrong_signatures", rates.then_some(BAD_SIGNATURES_PER_MINUTE)),
        }))
    }
}

/// Makes the list and the router out of one table, so that a document which has the list has the routes.
macro_rules! routes {
    ($($method:ident $path:literal => $handler:ident,)*) => {
        /// Every route of the event hub: the method in small letters, and the path. `docs/OPENAPI.yml` has the same.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        pub(super) fn routes() -> Router<HubNode> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

routes! {
    post "/events" => publish,
    get "/events" => list,
    get "/events/types" => types,
    get "/events/stats" => stats,
    get "/events/streams" => open_streams,
    get "/events/stream" => stream,
    post "/events/tickets" => ticket,
    get "/events/dead-letters" => dead_letters,
    post "/events/dead-letters/{id}/replay" => replay,
    delete "/events/dead-letters/{id}" => discard,
    get "/events/reactors" => reactors,
    post "/events/reactors/dry-run" => dry_run,
    post "/events/reactors/{name}/pause" => pause,
    post "/events/reactors/{name}/resume" => resume,
    get "/events/sources" => sources,
    post "/events/sources" => add_source,
    post "/events/sources/{name}/rotate" => rotate_source,
    delete "/events/sources/{name}" => remove_source,
    get "/events/webhooks" => webhooks,
    post "/events/webhooks" => add_webhook,
    get "/events/webhooks/{id}" => webhook,
    patch "/events/webhooks/{id}" => change_webhook,
    delete "/events/webhooks/{id}" => remove_webhook,
    post "/events/webhooks/{id}/rotate" => rotate_webhook,
    post "/events/webhooks/{id}/test" => test_webhook,
    get "/events/webhooks/{id}/deliveries" => deliveries,
    post "/events/webhooks/{id}/deliveries/{job}/replay" => redeliver,
    get "/events/{id}" => life,
    post "/events/{id}/run" => run,
}

/// The front of a process without communities: the stream for programs, the page for people.
pub(super) fn front() -> Router<HubNode> {
    Router::new().route("/", get(at_the_front))
}

async fn at_the_front(state: State<HubNode>, request: Request) -> Response {
    if request.headers().contains_key(UPGRADE) {
        stream(state, request).await.into_response()
    } else {
        Redirect::temporary("/hub").into_response()
    }
}

/// # Shape
/// `{"status": "dispatched"|"duplicate", "event": as it was sent, "id", "position"}`
#[derive(Serialize)]
struct PublishedBody {
    status: &'static str,
    event: String,
    id: HubEventId,
    position: i64,
}

impl PublishedBody {
    fn status_of(published: &Published) -> &'static str {
        if published.duplicate { "duplicate" } else { "dispatched" }
    }
}

/// Takes an event in. The body's content type does not matter: the contract names none.
async fn publish(
    State(node): State<HubNode>,
    Extension(exchange): Extension<Arc<Exchange>>,
    request: Request,
) -> Result<Json<PublishedBody>, ApiError> {
    let began = Instant::now();
    let result = try_publish(&node, &exchange, request).await;
    let outcome = match &result {
        Ok(published) => PublishedBody::status_of(published),
        Err(error) => match error.code() {
            Some(ErrorCode::InvalidSignature | ErrorCode::StaleTimestamp) => "unsigned",
            Some(ErrorCode::RateLimited) => "limited",
            Some(ErrorCode::EventConflict) => "conflict",
            Some(_) => "refused",
            None => "failed",
        },
    };
    metrics::published(outcome, began.elapsed());
    let published = result?;
    Ok(Json(PublishedBody {
        status: PublishedBody::status_of(&published),
        event: published.event,
        id: published.id,
        position: published.position,
    }))
}

async fn try_publish(node: &HubNode, exchange: &Exchange, request: Request) -> Result<Published, ApiError> {
    let (parts, body) = request.into_parts();
    let body = json::read(body, EVENT_BYTES_MAX).await?;
    let source = node.signed(exchange, &parts.headers, &body, false)?;
    json::strict(&body)?;
    Ok(node.0.hub.ingest(&source, &body, header(&parts.headers, EVENT_ID)).await?)
}

/// # Shape
/// `{"ticket", "expires_in": int s}`
#[derive(Serialize)]
struct TicketBody {
    ticket: String,
    expires_in: i64,
}

/// A ticket for whoever may read: a browser can't send a header with a WebSocket.
async fn ticket(
    State(node): State<HubNode>,
    Extension(exchange): Extension<Arc<Exchange>>,
    request: Request,
) -> Result<Json<TicketBody>, ApiError> {
    let (parts, body) = request.into_parts();
    let access = if parts.headers.contains_key(AUTHORIZATION) {
        node.by_token(&parts.headers).await?
    } else {
        let body = json::read(body, TICKET_BYTES_MAX).await?;
        let source = node.signed(&exchange, &parts.headers, &body, true)?;
        if body.trim_ascii() != TICKET_BODY {
            return Err(ErrorCode::InvalidSignature.into());
        }
        Access::Source(source)
    };
    let ticket = node.0.hub.access().ticket(access)?;
    let expires_in = TICKET_MS / SECOND_MS;
    Ok(Json(TicketBody { ticket, expires_in }))
}

/// Opens a stream. Who may not is told so before the upgrade; a browser has a ticket in the query instead of a header.
async fn stream(State(node): State<HubNode>, request: Request) -> Result<Response, ApiError> {
    let access = if request.headers().contains_key(AUTHORIZATION) {
        Some(node.by_token(request.headers()).await?)
    } else {
        None
    };
    Ok(node.0.streams.upgrade(request, access))
}

/// An answer with status 202: it will happen.
fn accepted(value: &impl Serialize) -> Response {
    json::write(StatusCode::ACCEPTED, value)
}
