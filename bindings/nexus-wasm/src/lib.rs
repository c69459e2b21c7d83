//! The verifier of the key log for browsers: `nexus_crypto::audits` and proofs behind calls that JavaScript can make.
//!
//! It converts and keeps, and decides nothing: pages come in as the bytes that the log answered, faults go out as the JSON of
//! [`nexus_crypto::audits::Fault`], and every complete subtree is kept for proofs and for the picture of the tree. It does no I/O; the
//! web client's worker fetches (`web/src/features/transparency/`). `cargo xtask wasm` builds it.

mod audits;
mod nodes;
mod pages;
mod registrations;

pub use audits::Audit;
pub use registrations::{leaf_of, rotation_message_of};
