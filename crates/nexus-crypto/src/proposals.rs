//! What a log sends to its cosigners.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hashes::Hash;
use crate::keys::PublicKey;
use crate::logs::LogId;
use crate::tree_heads::UnsignedHead;

/// Leaves in one [`Extension`].
pub const EXTENSION_LEAVES_MAX: usize = 1_000;

/// Leaves that are to be appended, each with the head it will have. A cosigner signs all of the heads or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Of which log.
    pub log_id: LogId,
    /// Leaves before these.
    pub first: u64,
    /// The hash of the head before these; none if they begin the log.
    pub before: Option<Hash>,
    /// The leaves.
    pub leaves: Vec<Hash>,
    /// Their heads, one for each leaf.
    pub heads: Vec<UnsignedHead>,
}

/// Leaves that are published already, for a cosigner that was away. It signs nothing for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Of which log.
    pub log_id: LogId,
    /// Leaves before these.
    pub first: u64,
    /// The leaves, at most [`EXTENSION_LEAVES_MAX`].
    pub leaves: Vec<Hash>,
    /// The published head of the tree that ends with them.
    pub head: UnsignedHead,
}

/// What the log's key signs over a request to a cosigner, so that nobody else can make it sign.
///
/// # Shape
/// `"nexus/proposal/1" ‖ the cosigner's key (32 bytes) ‖ SHA-256(body) ‖ the route, "sign" or "extend"`
pub fn request_message(cosigner: &PublicKey, route: &str, body: &[u8]) -> Vec<u8> {
    [
        &b"nexus/proposal/1"[..],
        cosigner.as_bytes(),
        &Sha256::digest(body),
        route.as_bytes(),
    ]
    .concat()
}
