//! Streams: WebSockets on which events of the hub come as they are committed, and those of the past to whoever asks for them. The page
//! of the protocol is `docs/protocol/events.md`.
//!
//! `session.rs` is the protocol without I/O, over `commands.rs` and `wants.rs`; `socket.rs` the WebSocket without tasks; `connection.rs`
//! the task that drives both; `desks.rs` carries each event to the streams that want it.
//!
//! It deliberately holds no state that a restart may not lose: a client knows the position of the last event that it has, and comes
//! back with it.

mod closings;
mod commands;
mod connection;
mod desks;
mod session;
mod socket;
mod wants;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use nexus_core::hub::{Access, Hub};
use nexus_types::ErrorCode;
use nexus_types::hub::Pattern;
use nexus_types::limits::STREAMS_MAX;
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use crate::http::origins::{Origins, Verdict};
use crate::metrics;
use crate::serve::Place;
use crate::websockets::handshakes;

use closings::Closing;
use connection::Connection;
use desks::Desk;
pub use session::Patience;
use session::Session;
use socket::{Socket, SocketKey};

/// Streams that read the past from the database at once. When all come back at the same time, the others wait, and nobody else has
/// to wait for them.
const READERS_MAX: usize = 4;

/// The streams of this node. Clones are the same streams.
#[derive(Clone)]
pub struct Streams(Arc<Inner>);

struct Inner {
    hub: Hub,
    origins: Origins,
    patience: Patience,
    desks: Vec<Desk>,
    /// How many streams may read from the database at once.
    turns: Semaphore,
    next_key: AtomicU64,
    draining: AtomicBool,
    /// Streams that are open or about to be.
    taken: AtomicUsize,
    sockets: Mutex<HashMap<SocketKey, Arc<Socket>>>,
}

/// Who listens.
///
/// # Shape
/// `{"who", "events": [pattern], "since": ms, "position"}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamInfo {
    /// Who opened it, in words.
    pub who: String,
    /// What it wants.
    pub events: Vec<Pattern>,
    /// When it was opened, in milliseconds since 1970.
    pub since: i64,
    /// Up to where everything that it wants was sent.
    pub position: i64,
}

/// One of the streams that may be open; given back when dropped.
struct Seat(Arc<Inner>);

/// Why nobody is let in.
enum Refusal {
    Foreign,
    Unknown,
    Forbidden,
    Crowded,
}

impl Streams {
    /// Starts the desks, one a core.
    pub fn start(hub: Hub, origins: Origins) -> Self {
        Self::start_with(hub, origins, Patience::default())
    }

    /// The same with another patience.
    pub fn start_with(hub: Hub, origins: Origins, patience: Patience) -> Self {
        let desks = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let changes = hub.sources().changes();
        let inner = Inner {
            desks: (0..desks).map(|_| Desk::start(hub.clone())).collect(),
            turns: Semaphore::new(READERS_MAX),
            hub,
            origins,
            patience,
            next_key: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            taken: AtomicUsize::new(0),
            sockets: Mutex::default(),
        };
        let streams = Self(Arc::new(inner));
        tokio::spawn(follow_sources(Arc::downgrade(&streams.0), changes));
        streams
    }

    /// Answers an upgrade request, and serves the socket in a task of its own. `access` is who the request's headers say it is; a
    /// browser, whose WebSockets can't say it in a header, has a ticket instead.
    pub fn upgrade(&self, mut request: Request, access: Option<Access>) -> Response {
        if self.0.origins.judge(request.headers()) == Verdict::Foreign {
            return Refusal::Foreign.answer();
        }
        let ticket = ticket(&request);
        if access.is_none() && ticket.is_none() {
            return Refusal::Unknown.answer();
        }
        let accept = match handshakes::check(request.headers()) {
            Ok(accept) => accept,
            Err(status) => return handshakes::refuse(status),
        };
        let Some(seat) = self.seat() else {
            return Refusal::Crowded.answer();
        };
        // What happens to the access after this position is heard.
        let position = self.0.hub.db().bus().head();
        // Last, as it is used up by this.
        let access = access.or_else(|| ticket.and_then(|ticket| self.0.hub.access().redeem(&ticket)));
        let access = match access {
            Some(access) if !access.is_reader() => return Refusal::Forbidden.answer(),
            Some(access) => access,
            None => return Refusal::Unknown.answer(),
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let place = request.extensions().get::<Place>().cloned();
        tokio::spawn(async move {
            let _held = place;
            let Ok(upgraded) = upgrade.await else { return };
            if let Some((tcp, already_read)) = handshakes::take(upgraded) {
                seat.serve(access, position, tcp, already_read).await;
            }
        });
        handshakes::accept(accept)
    }

    /// Who listens, those first that came first.
    pub fn list(&self) -> Vec<StreamInfo> {
        let mut all = self.0.all();
        all.sort_by_key(|socket| socket.key.0);
        let info = |socket: &Arc<Socket>| {
            let (events, position) = socket.shown();
            StreamInfo {
                who: socket.access.words(),
                events: events.into(),
                since: socket.opened_ms,
                position,
            }
        };
        all.iter().map(info).collect()
    }

    /// How many streams are open.
    pub fn count(&self) -> usize {
        self.0.sockets().len()
    }

    /// Closes every stream with 1012 and waits until they are gone, at most this long.
    pub async fn drain(&self, at_most: Duration) {
        self.0.draining.store(true, Ordering::Relaxed);
        for socket in self.0.all() {
            socket.close(Closing::Restart);
        }
        let gone = async {
            while self.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(at_most, gone).await.is_err() {
            tracing::warn!(left = self.count(), "streams did not close in time");
        }
    }

    fn seat(&self) -> Option<Seat> {
        if self.0.draining.load(Ordering::Relaxed) {
            return None;
        }
        let seat = Seat(self.0.clone());
        (self.0.taken.fetch_add(1, Ordering::Relaxed) < STREAMS_MAX).then_some(seat)
    }
}

impl Inner {
    fn sockets(&self) -> MutexGuard<'_, HashMap<SocketKey, Arc<Socket>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<Arc<Socket>> {
        self.sockets().values().cloned().collect()
    }

    /// Ends the streams of sources that are gone or have other rights, and those that a secret opened which is no longer good.
    fn end_stale(&self) {
        for socket in self.all() {
            if let Access::Source(source) = &socket.access
                && !self.hub.sources().holds(source)
            {
                socket.close(Closing::AccessEnded);
            }
        }
    }
}

impl Seat {
    async fn serve(self, access: Access, position: i64, tcp: TcpStream, already_read: Vec<u8>) {
        let inner = &*self.0;
        let rights = match &access {
            Access::Admin | Access::Administrator { .. } => None,
            Access::Source(source) => Some(source.patterns.clone()),
        };
        let key = SocketKey(inner.next_key.fetch_add(1, Ordering::Relaxed));
        let desk = &inner.desks[(key.0 % inner.desks.len() as u64) as usize];
        let socket = Arc::new(Socket::new(key, access, wall_ms(), tcp, already_read));
        inner.sockets().insert(key, socket.clone());
        desk.arrive(socket.clone(), position).await;
        if inner.draining.load(Ordering::Relaxed) {
            // It came between the look above and the closing of all streams.
            socket.close(Closing::Restart);
        }
        let session = Session::new(inner.hub.types().clone(), rights, inner.patience, 0);
        Connection::new((&inner.hub, desk, &inner.turns), socket.clone(), session)
            .serve()
            .await;
        desk.leave(key).await;
        // What is rare is kept elsewhere, so that an idle stream has no room for it.
        Box::pin(Connection::finish(&socket)).await;
        inner.sockets().remove(&key);
        metrics::stream_closed(socket.closing().map_or("client", Closing::word));
        drop(self);
        Box::pin(Connection::linger(&socket)).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends streams whose sources change.
async fn follow_sources(streams: Weak<Inner>, mut changes: watch::Receiver<u64>) {
    while changes.changed().await.is_ok() {
        match streams.upgrade() {
            Some(inner) => inner.end_stale(),
            None => return,
        }
    }
}

/// What the clock on the wall says.
fn wall_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

/// The ticket in `?token=`. It is in an alphabet that needs no percent signs.
fn ticket(request: &Request) -> Option<String> {
    let pairs = request.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    let ticket = pairs.into_iter().find(|(name, _)| *name == "token").map(|(_, value)| value)?;
    (!ticket.is_empty()).then(|| ticket.to_owned())
}

impl Refusal {
    fn answer(self) -> Response {
        let (status, word, message) = match self {
            Self::Foreign => of(ErrorCode::ForeignOrigin),
            Self::Forbidden => of(ErrorCode::MissingPermission),
            Self::Unknown => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "An administrator's token or a fresh ticket is needed.",
            ),
            Self::Crowded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "There is no room for one more stream now.",
            ),
        };
        let body = json!({ "error": word, "message": message });
        let mut response = Response::builder()
            .status(status)
            .header(CONTENT_TYPE, "application/json")
            .header(CACHE_CONTROL, "no-store")
            .body(Body::from(body.to_string()))
            .expect("a status and a sentence are a valid answer");
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

fn of(code: ErrorCode) -> (StatusCode, &'static str, &'static str) {
    let status = StatusCode::from_u16(code.status()).expect("the codes have valid statuses");
    (status, code.word(), code.message())
}
