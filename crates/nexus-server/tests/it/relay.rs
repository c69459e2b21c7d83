//! The relay over both transports: one suite, and what is particular to each.

mod clients;
mod ids;
mod limits;
mod secrecy;
mod suite;
mod transports;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::{PublicKey, SigningKey};
use nexus_server::http::Door;
use nexus_server::http::origins::Origins;
use nexus_server::relay::{Keys, KeysUnavailable, Relay, RelayConfig};
use nexus_server::serve::{Connections, listen_all};
use serde_json::{Value, json};

use clients::{Client, Kind};

/// Runs each of these over both transports.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod web_socket {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Kind::WebSocket).await;
            })+
        }
        mod event_stream {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Kind::EventStream).await;
            })+
        }
    };
}
use on_both;

/// A relay that listens, and the keys that are registered.
struct Stage {
    address: SocketAddr,
    relay: Relay,
    keys: Arc<Mutex<HashMap<String, PublicKey>>>,
    connections: Connections,
}

impl Stage {
    fn new() -> Self {
        Self::with(RelayConfig::default())
    }

    fn with(config: RelayConfig) -> Self {
        let keys: Arc<Mutex<HashMap<String, PublicKey>>> = Arc::default();
        let known = keys.clone();
        let lookup: Keys = Arc::new(move |id: Arc<str>| {
            let found = known.lock().expect("nobody panicked").get(&*id).copied();
            Box::pin(async move { if &*id == "did:unknown" { Err(KeysUnavailable) } else { Ok(found) } })
        });
        let relay = Relay::new(config, lookup);
        let listener = listen_all(&[SocketAddr::from(([127, 0, 0, 1], 0))], false)
            .expect("the port is free")
            .pop()
            .expect("one address, one listener");
        let address = listener.local_addr().expect("it has an address");
        let origins = Origins::new(None, vec![], true);
        let connections = Connections::new(Door::plain(relay.routes(), origins), 4_096);
        connections.accept(listener);
        Self {
            address,
            relay,
            keys,
            connections,
        }
    }

    /// Registers a key for an id.
    fn register(&self, id: &str, key: &SigningKey) {
        self.keys.lock().expect("nobody panicked").insert(id.to_owned(), key.public());
    }

    async fn connect(&self, kind: Kind, id: &str) -> Client {
        Client::connect(kind, self.address, id).await
    }

    /// A session of a registered id, proven.
    async fn connect_proven(&self, kind: Kind, id: &str, key: &SigningKey) -> Client {
        let mut client = self.connect(kind, id).await;
        let nonce = challenged(&mut client).await;
        client.send(&signed(key, &self.host(), id, nonce)).await;
        assert_eq!(client.json().await, json!({"type": "ready", "session_id": id}));
        client
    }

    /// A session of a secret's id, proven.
    async fn connect_secret(&self, kind: Kind, secret: &str) -> Client {
        let mut client = self.connect(kind, &secret_id(secret)).await;
        client.send(&shown(secret)).await;
        assert_eq!(client.json().await, json!({"type": "ready", "session_id": secret_id(secret)}));
        client
    }

    fn host(&self) -> String {
        self.address.to_string()
    }

    /// Waits until so many sessions are connected.
    async fn until_sessions(&self, count: usize) {
        let reached = async {
            while self.relay.sessions() != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reached)
            .await
            .expect("the sessions are counted");
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// The nonce of the challenge that comes next.
async fn challenged(client: &mut Client) -> [u8; 32] {
    nonce_in(&client.json().await)
}

fn nonce_in(challenge: &Value) -> [u8; 32] {
    assert_eq!(challenge["type"], "challenge", "{challenge}");
    let nonce = STANDARD.decode(challenge["nonce"].as_str().expect("a nonce")).expect("base64");
    nonce.try_into().expect("32 bytes")
}

/// The proof of a registered id.
fn signed(key: &SigningKey, host: &str, id: &str, nonce: [u8; 32]) -> String {
    let message = [b"nexus/relay/1", host.as_bytes(), id.as_bytes(), &nonce].concat();
    json!({"type": "auth", "signature": key.sign(&message)}).to_string()
}

/// The id of a secret.
fn secret_id(secret: &str) -> String {
    let hash = Hash::of(secret.as_bytes());
    hash.0.iter().fold("h-".to_owned(), |id, byte| id + &format!("{byte:02x}"))
}

/// The proof of a secret's id.
fn shown(secret: &str) -> String {
    json!({"type": "auth", "secret": STANDARD.encode(secret)}).to_string()
}

fn envelope(from: &str, to: &str, payload: &str) -> String {
    json!({"from": from, "to": to, "payload": payload}).to_string()
}

/// An envelope of so many bytes.
fn envelope_of(from: &str, to: &str, bytes: usize) -> String {
    let empty = envelope(from, to, "").len();
    let text = envelope(from, to, &"x".repeat(bytes - empty));
    assert_eq!(text.len(), bytes);
    text
}

fn error(word: &str) -> Value {
    json!({"type": "error", "error": word})
}
