//! The gateway: WebSocket sessions that get the log live and resume from it.
//!
//! `session.rs` is the protocol without I/O, `socket.rs` its WebSocket without tasks, `connection.rs` the task that drives both,
//! `fanout.rs` the shards that carry each event to the sessions that may see it, `frames.rs` the bytes.
//!
//! It deliberately holds no state that a restart may not lose: a session's id is a sealed token, and RESUME reads the log.

mod connection;
mod fanout;
mod frames;
mod session;
mod socket;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use nexus_core::App;
use nexus_types::gateway::CloseCode;
use nexus_types::ids::LoginId;
use nexus_types::limits::SOCKETS_PER_LOGIN_MAX;

use crate::http::origins::Origins;
use crate::serve::Place;
use crate::websockets::handshakes;
use fanout::Shard;
use socket::{Socket, SocketKey};

/// What the gateway needs to know of its instance.
#[derive(Debug, Clone, Default)]
pub struct GatewayConfig {
    /// Under which address clients find us.
    pub origins: Origins,
}

/// The gateway of this node. Clones are the same gateway.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    app: App,
    config: GatewayConfig,
    shards: Vec<Shard>,
    next_key: AtomicU64,
    draining: AtomicBool,
    /// Every open socket, for closing all of them.
    sockets: Mutex<HashMap<SocketKey, Arc<Socket>>>,
    /// Sockets of each login.
    logins: Mutex<HashMap<LoginId, usize>>,
}

impl Gateway {
    /// Starts the shards, one a core.
    pub fn start(app: App, config: GatewayConfig) -> Self {
        let shards = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let shards = (0..shards).map(|_| Shard::start(app.db.clone())).collect();
        Self(Arc::new(Inner {
            app,
            config,
            shards,
            next_key: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            sockets: Mutex::default(),
            logins: Mutex::default(),
        }))
    }

    /// Answers an upgrade request, and serves the socket in a task of its own.
    pub fn upgrade(&self, mut request: Request) -> Response {
        let accept = match handshakes::check(request.headers()) {
            Ok(accept) => accept,
            Err(status) => return handshakes::refuse(status),
        };
        if self.0.draining.load(Ordering::Relaxed) {
            return handshakes::refuse(StatusCode::SERVICE_UNAVAILABLE);
        }
        let url = self.0.config.origins.gateway_url(request.headers());
        let version = query_value(request.uri().query().unwrap_or_default(), "v");
        let version_known = version.is_none_or(|version| version == "10" || version == "9");
        let upgrade = hyper::upgrade::on(&mut request);
        let place = request.extensions().get::<Place>().cloned();
        let gateway = self.clone();
        tokio::spawn(async move {
            let _held = place;
            let Ok(upgraded) = upgrade.await else { return };
            let Some((tcp, already_read)) = handshakes::take(upgraded) else {
                return;
            };
            let key = SocketKey(gateway.0.next_key.fetch_add(1, Ordering::Relaxed));
            let socket = Arc::new(Socket::new(key, tcp, already_read));
            gateway.sockets().insert(key, socket.clone());
            if gateway.0.draining.load(Ordering::Relaxed) {
                // It came between the look above and the closing of all sockets.
                socket.close(CloseCode::Restart);
            }
            connection::run(gateway.clone(), socket, url, version_known).await;
            gateway.sockets().remove(&key);
        });
        handshakes::accept(accept)
    }

    /// Closes every socket with 1012 and waits until they are gone, at most this long.
    pub async fn drain(&self, at_most: Duration) {
        self.0.draining.store(true, Ordering::Relaxed);
        let all: Vec<_> = self.sockets().values().cloned().collect();
        for socket in all {
            socket.close(CloseCode::Restart);
        }
        let gone = async {
            while !self.sockets().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(at_most, gone).await.is_err() {
            tracing::warn!(left = self.sockets().len(), "sockets did not close in time");
        }
    }

    fn sockets(&self) -> std::sync::MutexGuard<'_, HashMap<SocketKey, Arc<Socket>>> {
        self.0.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a socket of a login; `None` if it has as many as it may.
    fn seat(&self, login: LoginId) -> Option<Seat> {
        let mut logins = self.0.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let count = logins.entry(login).or_insert(0);
        if *count == SOCKETS_PER_LOGIN_MAX {
            return None;
        }
        *count += 1;
        Some(Seat {
            gateway: self.clone(),
            login,
        })
    }

    fn shard(&self, key: SocketKey) -> &Shard {
        &self.0.shards[(key.0 % self.0.shards.len() as u64) as usize]
    }
}

/// One of a login's sockets; uncounted when dropped.
struct Seat {
    gateway: Gateway,
    login: LoginId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut logins = self.gateway.0.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = logins.get_mut(&self.login) {
            *count -= 1;
            if *count == 0 {
                logins.remove(&self.login);
            }
        }
    }
}

fn query_value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
