//! What somebody who registers a key in the browser needs beside `WebCrypto`: leaves, and the bytes that a change of key signs.

use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::{Registration, rotation_message};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::pages::{read, thrown};

/// The hash of a registration's leaf, in base64. A rotation is not part of it.
///
/// # Errors
/// The fault, as JSON.
#[wasm_bindgen]
pub fn leaf_of(registration: &[u8]) -> Result<String, String> {
    let registration: Registration = read(registration, "the registration").map_err(|fault| thrown(&fault))?;
    Ok(registration.leaf().to_string())
}

/// What both keys sign when an id changes from its current registration to the next, in this log.
///
/// # Errors
/// The fault, as JSON.
#[wasm_bindgen]
pub fn rotation_message_of(log_id: &str, current: &[u8], next: &[u8]) -> Result<Vec<u8>, String> {
    let message = || {
        let log: LogId = read(format!("\"{log_id}\"").as_bytes(), "the log id")?;
        let current: Registration = read(current, "the current registration")?;
        let next: Registration = read(next, "the next registration")?;
        Ok(rotation_message(&log, &current.leaf(), &next.leaf()))
    };
    message().map_err(|fault| thrown(&fault))
}
