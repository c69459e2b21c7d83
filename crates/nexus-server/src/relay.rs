//! The relay: sealed envelopes from one connected session to another, by id. Its protocol page is `docs/protocol/relay.md`.
//!
//! `hub.rs` knows who holds which id, `session.rs` is the protocol without I/O, `connection.rs` the task of a session,
//! `transports.rs` the port behind which a session is a WebSocket (`sockets.rs`) or an event stream with posts (`event_streams.rs`).
//!
//! It deliberately keeps nothing: who is not connected gets nothing, and a restart forgets everybody.
//!
//! # Invariant
//! What somebody sends is in no log line, error, panic or `Debug`; it is in memory until its reader has it, and nowhere else.

mod allowances;
mod arrivals;
mod closings;
mod connection;
mod event_streams;
mod frames;
mod hub;
mod posts;
mod proofs;
mod session;
mod sockets;
mod transports;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use nexus_crypto::keys::PublicKey;
use nexus_types::limits::{RELAY_FRAME_BYTES, RELAY_FRAME_BYTES_MAX};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::time::Instant;

use crate::http::origins::{Origins, Verdict};
use crate::serve::Place;
use crate::websockets::handshakes;

use arrivals::Arrival;
use closings::Closing;
use connection::Connection;
use event_streams::{EventStream, Reader};
use hub::{Hub, Seat};
pub use session::Patience;
use session::Session;
use sockets::Socket;
use transports::{Inbox, Transport};

/// The key log does not answer. Whoever knows why has logged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysUnavailable;

/// Says which key is registered for an id now: `None` if it is no registered DID.
pub type Keys = Arc<dyn Fn(Arc<str>) -> BoxFuture<'static, Result<Option<PublicKey>, KeysUnavailable>> + Send + Sync>;

/// What the relay may be told about.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Whose pages are answered.
    pub origins: Origins,
    /// Bytes of a frame; at most [`RELAY_FRAME_BYTES_MAX`].
    pub frame_bytes_max: usize,
    /// When silence is an end.
    pub patience: Patience,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            origins: Origins::default(),
            frame_bytes_max: RELAY_FRAME_BYTES,
            patience: Patience::default(),
        }
    }
}

/// The relay of this node. Clones are the same relay.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    config: RelayConfig,
    keys: Keys,
    hub: Arc<Hub>,
    draining: AtomicBool,
    /// The event streams that frames may be posted to, by their tokens.
    streams: Mutex<HashMap<String, Stream>>,
}

/// An event stream, and whose it is.
#[derive(Clone)]
struct Stream {
    id: Arc<str>,
    events: Arc<EventStream>,
}

/// A stream that can be posted to for as long as this lives.
struct Listed {
    relay: Relay,
    token: String,
}

impl Listed {
    fn new(relay: &Relay, token: String, stream: Stream) -> Self {
        relay.streams().insert(token.clone(), stream);
        Self {
            relay: relay.clone(),
            token,
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.relay.streams().remove(&self.token);
    }
}

/// Who wants to come in.
struct Visitor {
    id: Arc<str>,
    /// The name under which the client knows us, in lower case.
    host: Box<str>,
}

/// Why somebody may not come in.
enum Refusal {
    Id,
    Host,
    Foreign,
    Crowded,
}

impl Relay {
    /// A relay with nobody in it. From now on a crash of this process leaves no core dump: frames may be in its memory.
    ///
    /// # Panics
    /// If a frame of that size would never fit into a reader's queue.
    pub fn new(config: RelayConfig, keys: Keys) -> Self {
        forbid_core_dumps();
        assert!(config.frame_bytes_max <= RELAY_FRAME_BYTES_MAX, "the configuration is checked");
        Self(Arc::new(Inner {
            config,
            keys,
            hub: Arc::default(),
            draining: AtomicBool::new(false),
            streams: Mutex::default(),
        }))
    }

    /// All routes of the relay: `GET /ws/{session_id}`, `GET /ws/{session_id}/events`, `POST /ws/{session_id}/frames`.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let (sockets, streams, posts) = (self.clone(), self.clone(), self.clone());
        Router::new()
            .route("/ws/{session_id}", get(async move |request: Request| sockets.upgrade(request)))
            .route(
                "/ws/{session_id}/events",
                get(async move |request: Request| streams.events(&request)),
            )
            .route(
                "/ws/{session_id}/frames",
                post(async move |request: Request| posts.post(request).await),
            )
    }

    /// How many sessions are connected.
    pub fn sessions(&self) -> usize {
        self.0.hub.count()
    }

    /// Bytes that wait for readers, together with what keeping them costs, and those of unfinished frames.
    pub fn waiting_bytes(&self) -> usize {
        self.0.hub.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Closes every session with 1012 and waits until they are gone, at most this long. An event stream is an answer that is still
    /// being written, so this comes before waiting for requests to end.
    pub async fn drain(&self, at_most: Duration) {
        self.0.draining.store(true, Ordering::Relaxed);
        for peer in self.0.hub.all() {
            peer.transport.close(Closing::Restart);
        }
        let gone = async {
            while self.sessions() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(at_most, gone).await.is_err() {
            tracing::warn!(left = self.sessions(), "relay sessions did not close in time");
        }
    }

    /// Answers an upgrade request, and serves the socket in a task of its own.
    pub fn upgrade(&self, mut request: Request) -> Response {
        let accept = match handshakes::check(request.headers()) {
            Ok(accept) => accept,
            Err(status) => return handshakes::refuse(status),
        };
        let visitor = match self.visitor(&request, "") {
            Ok(visitor) => visitor,
            Err(refusal) => return refusal.answer(),
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let place = request.extensions().get::<Place>().cloned();
        let relay = self.clone();
        let arrival = relay.0.hub.arrivals.expect(visitor.id.clone());
        tokio::spawn(async move {
            let _held = place;
            let Ok(upgraded) = upgrade.await else { return };
            let Some((tcp, already_read)) = handshakes::take(upgraded) else {
                return;
            };
            let waiting = relay.0.hub.waiting_bytes.clone();
            let socket = Arc::new(Socket::new(tcp, already_read, relay.0.config.frame_bytes_max, waiting));
            let transport = Transport::WebSocket(socket.clone());
            if let Some(seat) = relay.0.hub.sit(visitor.id.clone(), transport.clone()) {
                relay.serve(seat, visitor, Inbox::WebSocket(socket), arrival).await;
            } else {
                transport.close(Closing::TryLater);
                transport.finish().await;
            }
        });
        handshakes::accept(accept)
    }

    /// Answers a wish for events, and serves the session in a task of its own.
    fn events(&self, request: &Request) -> Response {
        // A stranger's page can't read the events, but it must not hold an id with them either.
        if self.0.config.origins.judge(request.headers()) == Verdict::Foreign {
            return Refusal::Foreign.answer();
        }
        let visitor = match self.visitor(request, "/events") {
            Ok(visitor) => visitor,
            Err(refusal) => return refusal.answer(),
        };
        let token = posts::draw_token();
        let (events, posts) = EventStream::open(&token, self.0.hub.waiting_bytes.clone());
        let Some(seat) = self.0.hub.sit(visitor.id.clone(), Transport::EventStream(events.clone())) else {
            return Refusal::Crowded.answer();
        };
        let stream = Stream {
            id: visitor.id.clone(),
            events: events.clone(),
        };
        let listed = Listed::new(self, token, stream);
        let inbox = Inbox::EventStream(events.clone(), posts);
        let arrival = self.0.hub.arrivals.expect(visitor.id.clone());
        tokio::spawn(async move { listed.relay.serve(seat, visitor, inbox, arrival).await });
        Response::builder()
            .header(CONTENT_TYPE, "text/event-stream")
            .header(CACHE_CONTROL, "no-store")
            // Without it nginx would hold events back.
            .header(HeaderName::from_static("x-accel-buffering"), "no")
            .body(Body::from_stream(Reader(events)))
            .expect("these are valid headers")
    }

    async fn serve(&self, seat: Seat, visitor: Visitor, inbox: Inbox, arrival: Arrival) {
        let patience = self.0.config.patience;
        if self.0.draining.load(Ordering::Relaxed) {
            // It came between the look at the door and the closing of all sessions.
            seat.peer.transport.close(Closing::Restart);
        }
        let connection = Connection {
            hub: self.0.hub.clone(),
            keys: self.0.keys.clone(),
            seat,
            session: Session::new(visitor.id, visitor.host, patience, 0),
            started: Instant::now(),
            patience: patience.proof,
        };
        connection.run(inbox, arrival).await;
    }

    /// Who asks; or why they may not come in now.
    fn visitor(&self, request: &Request, tail: &str) -> Result<Visitor, Refusal> {
        let id = session_id(request.uri().path(), tail).ok_or(Refusal::Id)?;
        let host = host(request.headers()).ok_or(Refusal::Host)?;
        if self.0.draining.load(Ordering::Relaxed) || self.0.hub.is_full() {
            return Err(Refusal::Crowded);
        }
        Ok(Visitor { id, host })
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<String, Stream>> {
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees to it that no crash writes memory to a disk.
fn forbid_core_dumps() {
    // To Linux, 1 says to dump nothing, also where a program takes the dump, for which 0 would count as no limit (core(5), coredump.c).
    let limit = Some(u64::from(cfg!(target_os = "linux")));
    let none = Rlimit {
        current: limit,
        maximum: limit,
    };
    if let Err(cause) = setrlimit(Resource::Core, none) {
        tracing::debug!(%cause, "core dumps stay as they are");
    }
}

/// The id in `/ws/{session_id}` and what follows it. In a path it may be percent-encoded, so a `%` of its own has to be.
fn session_id(path: &str, tail: &str) -> Option<Arc<str>> {
    let raw = path.strip_prefix("/ws/")?.strip_suffix(tail)?;
    let mut id = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        id.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(id).ok().filter(|id| frames::is_id(id)).map(Arc::from)
}

/// The one `Host` header, in lower case.
fn host(headers: &HeaderMap) -> Option<Box<str>> {
    let mut all = headers.get_all(HOST).iter();
    let host = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase().into())
}

/// An answer that says no. The sentence needs no escapes.
fn refuse(status: StatusCode, detail: &str) -> Response {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(format!(r#"{{"detail":"{detail}"}}"#)))
        .expect("a status and a sentence are a valid answer")
}

impl Refusal {
    fn answer(self) -> Response {
        let (status, detail) = match self {
            Self::Id => (
                StatusCode::BAD_REQUEST,
                "A session id has 1 to 255 bytes of A-Z a-z 0-9 : . _ @ % -.",
            ),
            Self::Host => (StatusCode::BAD_REQUEST, "There must be one Host header."),
            Self::Foreign => (StatusCode::FORBIDDEN, "This page may not use the relay."),
            Self::Crowded => (StatusCode::SERVICE_UNAVAILABLE, "There is no room for one more session now."),
        };
        let mut response = refuse(status, detail);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_in_a_path_is_decoded_once() {
        for (path, expected) in [
            ("/ws/alice", Some("alice")),
            ("/ws/did:nexo:alice@host", Some("did:nexo:alice@host")),
            ("/ws/did%3Anexo%3aalice", Some("did:nexo:alice")),
            ("/ws/100%25", Some("100%")),
            ("/ws/%2541", Some("%41")),
            ("/ws/", None),
            ("/ws/a%20b", None),
            ("/ws/a%2", None),
            ("/ws/a%zz", None),
            ("/ws/%ff", None),
            ("/ws/a/b", None),
            ("/ws/a%2Fb", None),
            ("/w/alice", None),
        ] {
            assert_eq!(session_id(path, "").as_deref(), expected, "{path}");
        }
        assert_eq!(session_id("/ws/a/events", "/events").as_deref(), Some("a"));
        assert_eq!(session_id(&format!("/ws/{}", "x".repeat(255)), "").map(|id| id.len()), Some(255));
        assert_eq!(session_id(&format!("/ws/{}", "x".repeat(256)), ""), None);
    }

    #[test]
    fn a_crash_leaves_no_dump() {
        Relay::new(RelayConfig::default(), Arc::new(|_| Box::pin(async { Ok(None) })));
        let limit = rustix::process::getrlimit(Resource::Core);
        assert!(limit.current.is_some_and(|bytes| bytes <= 1), "{limit:?}");
        assert!(limit.maximum.is_some_and(|bytes| bytes <= 1), "{limit:?}");
    }

    #[test]
    fn there_is_one_host_and_it_is_in_lower_case() {
        let headers = |hosts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in hosts {
                headers.append(HOST, HeaderValue::from_static(value));
            }
            headers
        };
        assert_eq!(host(&headers(&["Relay.Example:8000"])).as_deref(), Some("relay.example:8000"));
        for bad in [&[][..], &[""], &["a", "b"]] {
            assert_eq!(host(&headers(bad)), None, "{bad:?}");
        }
    }
}
