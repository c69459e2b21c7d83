//! The key log around its use cases: secrets, cosigners of other processes, the cosigner program, and the commands of auditors.
//!
//! What the log decides is `nexus_core::transparency`, what a verifier checks `nexus_crypto::audits`. The page of this subsystem is
//! `docs/subsystems/transparency.md`, that for operators `docs/guide/transparency.md`.

pub mod evidence;
pub mod files;
pub mod keys;
pub(crate) mod measured;
pub mod processes;
pub mod progress;
pub mod remotes;
pub mod rotations;
pub mod sources;
pub mod states;
pub mod verify;
pub mod watch;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nexus_crypto::keys::{PublicKey, Signature};

/// A key as people copy it.
pub fn spelled(key: &PublicKey) -> String {
    STANDARD.encode(key.as_bytes())
}

/// A signature as people copy it.
pub fn spelled_signature(signature: &Signature) -> String {
    STANDARD.encode(signature.0)
}

/// Seconds since 1970.
pub(crate) fn now_s() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs().cast_signed())
}
