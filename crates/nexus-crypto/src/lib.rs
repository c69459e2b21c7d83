//! Cryptography without I/O: the transparency log's leaves, tree, proofs and heads.
//!
//! It deliberately knows no clock, no randomness, no file and no socket, so that the same code runs in the server, in a cosigner, in a
//! verifier and, compiled to WebAssembly, in a browser. The contract is byte-exact; the page of this subsystem is
//! `docs/subsystems/transparency.md`.

pub mod audits;
pub mod cosigners;
pub mod hashes;
pub mod keys;
pub mod logs;
pub mod proofs;
pub mod proposals;
pub mod registrations;
pub mod tree_heads;
pub mod trees;
