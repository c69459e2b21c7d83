//! Registrations as their holders make them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nexus_crypto::keys::SigningKey;
use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::{Id, Registration, rotation_message};
use serde_json::{Value, json};

use crate::server::Server;

/// A time at which every registration of a test may have been made.
pub(crate) const TIME_S: i64 = 1_700_000_000;

pub(crate) fn key(seed: u8) -> SigningKey {
    let mut bytes = [seed; 32];
    bytes[0] = 0x51;
    SigningKey::from_seed(&bytes)
}

/// What somebody registers.
pub(crate) fn draft(id: &str, seed: u8, time_s: i64) -> Value {
    json!({ "id": id, "public_key": STANDARD.encode(key(seed).public().as_bytes()), "timestamp": time_s })
}

fn registration(id: &str, seed: u8, time_s: i64) -> Registration {
    let id = Id::parse(id).expect("a good id");
    Registration::new(id, key(seed).public(), time_s, time_s).expect("a good time")
}

/// The change from one key to another, signed by both.
pub(crate) fn rotated(log: &LogId, id: &str, (old, old_s): (u8, i64), (new, new_s): (u8, i64)) -> Value {
    let message = rotation_message(log, &registration(id, old, old_s).leaf(), &registration(id, new, new_s).leaf());
    let sign = |seed: u8| STANDARD.encode(key(seed).sign(&message).0);
    let mut draft = draft(id, new, new_s);
    draft["rotation"] = json!({ "old": sign(old), "new": sign(new) });
    draft
}

impl Server {
    /// A key log and a relay alone, over a fresh directory.
    pub(crate) fn of_transparency() -> Self {
        Self::fresh_with(&["--roles", "transparency", "--no-rate-limits"])
    }

    /// Registers a key, and answers with the status.
    pub(crate) fn register_key(&self, id: &str, seed: u8) -> u16 {
        self.ask("POST", "/did/register").json(&draft(id, seed, TIME_S)).send().status()
    }

    /// The text of its metrics.
    pub(crate) fn metrics(&self) -> String {
        let answer = self.ask("GET", "/metrics").send();
        assert_eq!(answer.status(), 200, "{answer:?}");
        answer.body
    }
}
