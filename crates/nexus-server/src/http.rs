//! HTTP: a request becomes a use case, its result an answer. The page of this subsystem is `docs/subsystems/http.md`.
//!
//! One service of our own stands around the router ([`Door::answer`]): request id, a task for each request so that a client that
//! hangs up never cuts a job in half, panics, time, the origin rules, security headers, one log line. It deliberately is not a
//! tower of layers, each of which would box the future and the body again.
//!
//! # Invariant
//! No answer carries a CORS header. What an answer says of a failure of ours is its request id.

pub mod origins;

mod caller;
mod channels;
mod cookies;
mod error;
mod events;
mod guilds;
mod instance;
mod invites;
mod json;
mod limits;
mod logins;
mod members;
mod messages;
mod pages;
mod path;
mod read_states;
mod routes;
mod transparency;
mod typing;
mod users;
mod vitals;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, UPGRADE, VIA, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use hyper::body::Incoming;
use nexus_core::App;
use nexus_types::ErrorCode;
use nexus_types::limits::REQUEST_MS_MAX;
use tower::Service as _;
use tracing::Instrument as _;

use crate::gateway::Gateway;
use crate::metrics;
use crate::networks::Networks;
use crate::relay::Relay;
use crate::web;

use error::ApiError;
pub use events::{HubNode, ROUTES as HUB_ROUTES};
pub(crate) use json::{read as read_body, write as json_response};
use limits::{Limits, QuotaCell};
use origins::{Origins, Verdict};
pub use pages::Pages;
pub use transparency::{LogNode, ROUTES as TRANSPARENCY_ROUTES};
pub use vitals::Vitals;

/// The route of the API under its one true prefix; the others are rewritten to it.
macro_rules! api {
    ($path:literal) => {
        concat!("/api/v1", $path)
    };
}
use api;

/// Everything a request about communities may need of this process. Clones are the same node.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

/// See [`Node`].
pub struct Inner {
    /// The use cases.
    pub app: App,
    /// The WebSocket side.
    pub gateway: Gateway,
    /// Whose pages are answered.
    pub origins: Origins,
    limits: Limits,
}

impl std::ops::Deref for Node {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Node {
    /// A node that starts now; `rates` says whether requests are limited.
    pub fn new(app: App, gateway: Gateway, origins: Origins, rates: bool) -> Self {
        Self(Arc::new(Inner {
            app,
            gateway,
            origins,
            limits: Limits::new(rates),
        }))
    }
}

/// What this process serves. Each role brings routes with a state of its own; one that is absent brings none.
pub struct Services {
    /// Whose pages are answered.
    pub origins: Origins,
    /// How the process feels, for every role.
    pub vitals: Vitals,
    /// Communities.
    pub community: Option<Node>,
    /// The key log.
    pub log: Option<LogNode>,
    /// The relay.
    pub relay: Option<Relay>,
    /// The event hub.
    pub hub: Option<HubNode>,
}

impl From<Node> for Services {
    /// Communities alone.
    fn from(node: Node) -> Self {
        Self {
            origins: node.origins.clone(),
            vitals: Vitals::new(true).with_community(node.app.clone()),
            community: Some(node),
            log: None,
            relay: None,
            hub: None,
        }
    }
}

/// What the service knows of a request beside the request itself.
pub(crate) struct Exchange {
    /// Where it came from; never logged.
    address: IpAddr,
    /// What was asked for, letter for letter: whoever signs a request signs what was sent.
    asked: Uri,
    /// The limit it counted against.
    quota: QuotaCell,
    /// The route that matched, for the metrics.
    route: OnceLock<MatchedPath>,
}

/// The way in.
#[derive(Clone)]
pub struct Door {
    origins: Origins,
    gateway: Option<Gateway>,
    router: Router,
    proxies: Networks,
}

impl Door {
    /// The way to what this process serves.
    pub fn new(services: impl Into<Services>) -> Self {
        let services = services.into();
        let gateway = services.community.as_ref().map(|node| node.gateway.clone());
        let log_page = services.log.is_some();
        let mut router = Router::new().merge(vitals::routes().with_state(services.vitals));
        // Without communities there is nothing to sign in to.
        match (services.community, &services.hub) {
            (Some(node), _) => router = router.merge(community().with_state(node)),
            (None, Some(hub)) if !log_page => router = router.merge(events::front().with_state(hub.clone())),
            (None, _) => router = router.route("/", get(async || Redirect::temporary("/audit"))),
        }
        if let Some(log) = services.log {
            router = router.merge(transparency::routes().with_state(log));
        }
        if let Some(relay) = services.relay {
            router = router.merge(relay.routes());
        }
        if let Some(hub) = services.hub {
            router = router.merge(events::routes().with_state(hub));
        }
        Self {
            gateway,
            ..Self::plain(router.fallback(web::page), services.origins)
        }
    }

    /// The way to these routes alone, without the web client.
    pub fn plain(router: Router, origins: Origins) -> Self {
        Self {
            origins,
            gateway: None,
            router: router.route_layer(routes::Note),
            proxies: Networks::default(),
        }
    }

    /// Believes these proxies about where a request came from.
    #[must_use]
    pub fn behind(self, proxies: Networks) -> Self {
        Self { proxies, ..self }
    }

    /// Answers one request. `alive` is dropped when its work is done, which may be after the client has gone.
    pub async fn answer<A: Send + 'static>(&self, request: hyper::Request<Incoming>, peer: IpAddr, alive: A) -> Response {
        let began = Instant::now();
        let id = RequestId::draw();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let exchange = Arc::new(Exchange {
            address: self.proxies.client(peer, request.headers()),
            asked: uri.clone(),
            quota: QuotaCell::default(),
            route: OnceLock::new(),
        });
        let span = tracing::info_span!("request", id = id.as_str());
        let (door, known) = (self.clone(), exchange.clone());
        let work = async move {
            let response = door.route(request.map(Body::new), known).await;
            drop(alive);
            response
        };
        let task = tokio::spawn(work.instrument(span.clone()));
        let at_most = Duration::from_millis(REQUEST_MS_MAX.cast_unsigned());
        let mut response = match tokio::time::timeout(at_most, task).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => ApiError::panicked().into_response(),
            Err(_) => ApiError::too_slow().into_response(),
        };
        if response.status() == StatusCode::METHOD_NOT_ALLOWED && response.extensions().get::<ApiError>().is_none() {
            response.extensions_mut().insert(ApiError::from(ErrorCode::MethodNotAllowed));
        }
        let error = response.extensions_mut().remove::<ApiError>();
        if let Some(error) = &error {
            error.render(&mut response, id.as_str(), routes::shape(uri.path()));
        }
        if let Some(quota) = exchange.quota.get() {
            limits::write_headers(&quota, response.headers_mut());
        }
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            self.secure(&mut response, id.header());
        }
        let line = Line {
            method: &method,
            uri: &uri,
            status: response.status().as_u16(),
            ms: began.elapsed().as_millis() as u64,
        };
        span.in_scope(|| line.log(error.as_ref()));
        let route = exchange.route.get().map_or("none", MatchedPath::as_str);
        metrics::answered(&method, route, line.status, began.elapsed());
        response
    }

    async fn route(&self, mut request: Request, exchange: Arc<Exchange>) -> Response {
        if let Some(uri) = routes::normal(request.uri()) {
            *request.uri_mut() = uri;
        }
        let upgrades = request.method() == Method::GET && request.headers().contains_key(UPGRADE);
        let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        if (upgrades || changes) && self.origins.judge(request.headers()) == Verdict::Foreign {
            let code = if cookies::is_sent(request.headers()) {
                ErrorCode::CsrfFailed
            } else {
                ErrorCode::ForeignOrigin
            };
            return ApiError::from(code).into_response();
        }
        if upgrades
            && let Some(gateway) = &self.gateway
            && ["/", "/gateway"].contains(&request.uri().path())
        {
            return gateway.upgrade(request);
        }
        request.extensions_mut().insert(exchange);
        let Ok(response) = self.router.clone().call(request).await;
        response
    }

    /// The headers that every answer has. A page brings its own policy and caching.
    fn secure(&self, response: &mut Response, id: HeaderValue) {
        const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("x-request-id"), id);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        );
        // Without it discord.py takes a 429 for a ban by a proxy and gives up.
        headers.insert(VIA, HeaderValue::from_static("1.1 nexus"));
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("private, no-store"));
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING));
        if self.origins.is_secure() {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
    }
}

/// Everything about communities.
fn community() -> Router<Node> {
    Router::new()
        .merge(logins::routes())
        .merge(users::routes())
        .merge(guilds::routes())
        .merge(members::routes())
        .merge(channels::routes())
        .merge(messages::routes())
        .merge(read_states::routes())
        .merge(typing::routes())
        .merge(invites::routes())
        .merge(instance::routes())
}

/// No route and no file has this path.
pub(crate) fn not_found() -> Response {
    ApiError::from(ErrorCode::NotFound).into_response()
}

/// Names a request in its answer and in the log: 16 hexadecimal digits that nobody can foresee or count.
struct RequestId(String);

impl RequestId {
    fn draw() -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(format!("{:016x}", KEY.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))))
    }

    fn as_str(&self) -> &str {
        &self.0
    }

    fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("hexadecimal digits are a header's value")
    }
}

/// The log line of a request. It never holds a body, a token, an address, or a path with a code in it.
struct Line<'a> {
    method: &'a Method,
    uri: &'a Uri,
    status: u16,
    ms: u64,
}

impl Line<'_> {
    fn log(&self, error: Option<&ApiError>) {
        let Self { method, uri, status, ms } = self;
        if let Some(fault) = error.and_then(ApiError::fault) {
            let route = routes::template(uri.path());
            tracing::error!(%method, route, status, ms, fault, "a request failed, and we are at fault");
        } else if tracing::enabled!(tracing::Level::DEBUG) {
            let (route, word) = (
                routes::template(uri.path()),
                error.and_then(ApiError::code).map_or("", ErrorCode::word),
            );
            tracing::debug!(%method, route, status, ms, error = word, "answered");
        }
    }
}
