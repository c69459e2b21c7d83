//! `nexus cosigner rotate`: a new key takes the place of a cosigner's, with the old key's word for it.
//!
//! Two ways. A cosigner of this process is done in one step. One of another operator takes three: its operator makes the new key
//! ([`prepare`]), the log's operator enters it ([`enter`]), and the cosigner begins to use it ([`finish`]). Where the old key is lost
//! there is no word of it ([`replace`]), and everybody who saw it is alarmed, as they should be.
//!
//! # Invariant
//! The new key is on the disk before the log knows it, and the old one is given up only after that.

use std::fs;
use std::path::{Path, PathBuf};

use nexus_core::transparency::{NewKey, RotateError, rotate};
use nexus_crypto::keys::{PublicKey, Signature, SigningKey};
use nexus_crypto::logs::{LogId, endorsement_message};
use nexus_store::transparency::{LogState, LogStore, StoredKey};

use super::keys::{self, Origin};
use super::{now_s, processes};
use crate::data::{self, DataDir};
use crate::exits::{Exit, Failure};

/// How far ahead a prepared key begins: long enough to stop the log's server and enter it, less than it accepts.
const AHEAD_S: i64 = 240;

/// A key that was made, and what the old one says of it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The new key.
    pub public_key: PublicKey,
    /// The old key's word for it.
    pub endorsement: Signature,
    /// From this second on.
    pub from_s: i64,
}

/// Where a new key waits until the log knows it.
fn waiting(path: &Path) -> PathBuf {
    path.with_added_extension("next")
}

/// The key that waits beside another, made if there is none.
fn next_key(path: &Path) -> Result<SigningKey, Failure> {
    let next = waiting(path);
    if next.exists() { keys::read(&next) } else { keys::make(&next) }
}

fn take_over(path: &Path) -> Result<(), Failure> {
    let step = || -> std::io::Result<()> {
        fs::rename(waiting(path), path)?;
        data::sync_folder(path)
    };
    step().map_err(|cause| data::unwritable(path, &cause))
}

/// Gives a cosigner of this process a new key. Says where the key is if it has to be taken from there into the environment.
///
/// # Errors
/// A [`Failure`]; nothing was changed then.
pub async fn rotate_own(
    data: &DataDir,
    store: &LogStore,
    name: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(Prepared, Option<PathBuf>), Failure> {
    let state = store.state().await.map_err(|cause| refused(name, &cause.into()))?;
    let current = current(&state.keys, name)?;
    let log_id = state.log_id.ok_or_else(|| unknown(name))?;
    let (old, origin) = keys::cosigner_key(data, name, current.url.is_none(), environment)?;
    if old.public() != current.key.public_key {
        return Err(Failure::new(
            Exit::Usage,
            format!("The key of {name} is not in this data directory."),
            "If it is a program of its own, let its operator run: nexus cosigner rotate --cosigner NAME --log-id ID --data DIR",
        ));
    }
    let path = keys::key_file(data, name);
    data::make_private(&data.file(keys::FOLDER))?;
    let new = next_key(&path)?;
    let prepared = endorse(&old, &new, log_id, name, begins(&state, current));
    record(
        store,
        successor(current, prepared.public_key, prepared.from_s, Some(prepared.endorsement)),
    )
    .await?;
    match origin {
        Origin::File => take_over(&path).map(|()| (prepared, None)),
        Origin::Environment => Ok((prepared, Some(waiting(&path)))),
    }
}

/// Enters the new key of a cosigner elsewhere.
///
/// # Errors
/// A [`Failure`]; nothing was changed then.
pub async fn enter(store: &LogStore, name: &str, prepared: &Prepared) -> Result<(), Failure> {
    let state = store.state().await.map_err(|cause| refused(name, &cause.into()))?;
    let current = current(&state.keys, name)?;
    record(
        store,
        successor(current, prepared.public_key, prepared.from_s, Some(prepared.endorsement)),
    )
    .await
}

/// Gives a cosigner whose key is lost a new one: that of a program elsewhere, or one that is made here.
///
/// # Errors
/// A [`Failure`]; nothing was changed then.
pub async fn replace(data: &DataDir, store: &LogStore, name: &str, elsewhere: Option<PublicKey>) -> Result<PublicKey, Failure> {
    let state = store.state().await.map_err(|cause| refused(name, &cause.into()))?;
    let current = current(&state.keys, name)?;
    let from_s = begins(&state, current);
    if let Some(public_key) = elsewhere {
        record(store, successor(current, public_key, from_s, None)).await?;
        return Ok(public_key);
    }
    if current.url.is_some() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{name} is a program of its own."),
            "Let its operator make a key in a new directory (nexus cosigner key --data NEW), and add it: --public-key KEY",
        ));
    }
    let path = keys::key_file(data, name);
    if path.exists() {
        return Err(Failure::new(
            Exit::Usage,
            format!("The key of {name} is not lost: {} holds it.", path.display()),
            "Leave --lost away, so that the old key speaks for the new one.",
        ));
    }
    data::make_private(&data.file(keys::FOLDER))?;
    let public_key = next_key(&path)?.public();
    // The log knows it already if this was cut off before.
    if current.key.public_key != public_key {
        record(store, successor(current, public_key, from_s, None)).await?;
    }
    take_over(&path).map(|()| public_key)
}

/// When a key that is made now may begin.
fn begins(state: &LogState, current: &StoredKey) -> i64 {
    let latest_s = state.head.as_ref().map_or(0, |head| head.head.timestamp);
    now_s().max(latest_s + 1).max(current.key.from_s + 1)
}

/// In the data directory of a cosigner's own program: makes the new key, and lets the old one speak for it. It may be repeated if the
/// time ran out before the log's operator had entered it.
///
/// # Errors
/// A [`Failure`].
pub fn prepare(data: &DataDir, name: &str, log_id: LogId) -> Result<Prepared, Failure> {
    let old = processes::own_key(data)?;
    let new = next_key(&data.file(processes::KEY))?;
    Ok(endorse(&old, &new, log_id, name, now_s() + AHEAD_S))
}

/// Lets the cosigner's own program use the key that was prepared.
///
/// # Errors
/// A [`Failure`] if none was.
pub fn finish(data: &DataDir) -> Result<PublicKey, Failure> {
    let path = data.file(processes::KEY);
    let next = waiting(&path);
    if !next.exists() {
        return Err(Failure::new(
            Exit::Usage,
            "No new key waits here.",
            "Make one first: nexus cosigner rotate --cosigner NAME --log-id ID --data DIR",
        ));
    }
    let key = keys::read(&next)?.public();
    take_over(&path)?;
    Ok(key)
}

/// Ends a rotation that was cut off between the log and the file: the log knows the key that waits.
///
/// # Errors
/// A [`Failure`] if the file can't be read or moved.
pub fn settle(data: &DataDir, stored: &[StoredKey], name: &str) -> Result<(), Failure> {
    let path = keys::key_file(data, name);
    let next = waiting(&path);
    let known = stored
        .iter()
        .find(|known| known.key.cosigner == name && known.key.until_s.is_none());
    match known {
        Some(known) if next.exists() && path.exists() && keys::read(&next)?.public() == known.key.public_key => take_over(&path),
        _ => Ok(()),
    }
}

fn endorse(old: &SigningKey, new: &SigningKey, log_id: LogId, name: &str, from_s: i64) -> Prepared {
    let public_key = new.public();
    Prepared {
        public_key,
        endorsement: old.sign(&endorsement_message(&log_id, name, &public_key, from_s)),
        from_s,
    }
}

fn current<'a>(stored: &'a [StoredKey], name: &str) -> Result<&'a StoredKey, Failure> {
    let is_current = |known: &&StoredKey| known.key.cosigner == name && known.key.until_s.is_none();
    stored.iter().find(is_current).ok_or_else(|| unknown(name))
}

/// The key that takes the place of the current one, at the same operator.
fn successor(current: &StoredKey, public_key: PublicKey, from_s: i64, endorsement: Option<Signature>) -> NewKey {
    NewKey {
        cosigner: current.key.cosigner.clone(),
        public_key,
        from_s,
        endorsement,
        operator: current.operator.clone(),
        url: current.url.clone(),
    }
}

async fn record(store: &LogStore, new: NewKey) -> Result<(), Failure> {
    let name = new.cosigner.clone();
    let recorded = rotate(store, new, now_s()).await;
    recorded.map(drop).map_err(|cause| refused(&name, &cause))
}

fn unknown(name: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("The key log of this data directory has no cosigner {name}."),
        "Start the server once, so that it begins its log; the cosigners are cosigner_0, cosigner_1 and cosigner_2.",
    )
}

fn refused(name: &str, cause: &RotateError) -> Failure {
    let (exit, next) = match cause {
        RotateError::Pending => (
            Exit::Failed,
            "Start the server and wait until /metrics shows nexus_log_pending_leaves 0.",
        ),
        RotateError::Store(_) => (Exit::Store, "Make room on the disk if it is full, then try again."),
        RotateError::From(_) => (
            Exit::Usage,
            "Let the cosigner's operator make the endorsement anew, and enter it within four minutes.",
        ),
        RotateError::UnknownCosigner(_) | RotateError::KnownKey(_) | RotateError::Endorsement => {
            (Exit::Usage, "Check what was entered against what the cosigner's operator sent.")
        }
    };
    Failure::new(exit, format!("The key of {name} can't be changed: {cause}."), next)
}
