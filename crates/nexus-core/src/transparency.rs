//! The key log: registering keys, publishing heads that two of three cosigners signed, and what readers ask.
//!
//! One task publishes ([`publish`]): it takes what waits, proposes it durably, has it cosigned and publishes it, one batch after the
//! other. Everything else reads. The page of this subsystem is `docs/subsystems/transparency.md`.
//!
//! # Invariant
//! What was proposed is never changed or left: a retry and a restart ask the cosigners for the identical bytes. Nothing of a proposal
//! is visible before two cosigners signed it.

mod cosign;
mod local;
mod proofs;
mod publish;
mod register;
mod rotate;

use std::sync::Arc;

use nexus_crypto::keys::{PublicKey, SigningKey};
use nexus_crypto::logs::{KeyDocument, LogId};
use nexus_crypto::registrations::Id;
use nexus_crypto::tree_heads::TreeHead;
use nexus_store::transparency::{Leaf, LogStore};
use nexus_types::ErrorCode;
use nexus_types::limits::{GROWTH_HOURS_MAX, LOG_QUEUE_MAX};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::errors::{Error, Result};

pub use nexus_crypto::logs::THIS_SERVER;

pub use cosign::{Asked, Cosign, CosignError, CosignerHealth, CosignerState, Seat};
pub use local::{LocalCosigner, SignError};
pub use proofs::{Consistency, Inclusion};
pub use publish::Published;
pub use register::{Draft, Registered};
pub use rotate::{NewKey, RotateError, rotate};

const HOUR_S: i64 = 3_600;

/// What the key log needs.
pub struct LogPorts {
    /// Where it is kept.
    pub store: LogStore,
    /// Time and randomness.
    pub clock: Clock,
    /// The three cosigners.
    pub seats: Vec<Seat>,
    /// Signs what cosigners are asked.
    pub log_key: Arc<SigningKey>,
}

/// Why the key log can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key that this cosigner has is not the one that the log lists for it.
    #[error("{cosigner} has another key than the log lists for it")]
    KeyDiffers {
        /// Its name.
        cosigner: String,
    },
    /// Two seats have the same key, so that one could sign for two.
    #[error("two cosigners have the same key")]
    SameKey,
    /// The store failed, or holds no log that can be.
    #[error("the store failed")]
    Store(#[from] nexus_store::StoreError),
    /// What is stored contradicts itself.
    #[error("what is stored is no log: {0}")]
    Damaged(&'static str),
}

/// The use cases of the key log. Clones are the same log.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    id: LogId,
    store: LogStore,
    clock: Clock,
    document: KeyDocument,
    seats: Arc<[Asked]>,
    queue: mpsc::Sender<publish::Waiting>,
    published: watch::Receiver<Published>,
    stop: watch::Sender<bool>,
    publisher: tokio::sync::Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// How large the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Different ids.
    pub users: u64,
    /// Published heads.
    pub heads: u64,
    /// Published leaves.
    pub leaves: u64,
    /// When the latest head was made, in seconds since 1970.
    pub last_timestamp_s: Option<i64>,
    /// Leaves that were proposed and are not published yet.
    pub pending: u64,
}

/// Registrations in an hour.
///
/// # Shape
/// `{"start": seconds since 1970, "registrations"}`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Growth {
    /// The hour's first second.
    pub start: i64,
    /// Leaves whose heads were made in it.
    pub registrations: u64,
}

impl Log {
    /// Opens the log, and goes on with a proposal that was not published.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(ports: LogPorts) -> std::result::Result<Self, StartError> {
        let LogPorts {
            store,
            clock,
            seats,
            log_key,
        } = ports;
        let mut state = store.state().await?;
        let id = state.log_id.unwrap_or_else(|| LogId(clock.random()));
        store.begin(id).await?;
        state.keys = rotate::check_seats(&store, state.keys, &seats).await?;
        let document = KeyDocument::new(id, log_key.public(), state.keys.clone());
        let seats: Arc<[Asked]> = seats.into_iter().map(Asked::new).collect();
        let (queue, waiting) = mpsc::channel(LOG_QUEUE_MAX);
        let (stop, stopped) = watch::channel(false);
        let publisher = publish::Publisher::new(id, store.clone(), clock.clone(), seats.clone(), state)?;
        let published = publisher.published();
        let task = tokio::spawn(publisher.run(waiting, stopped));
        Ok(Self(Arc::new(Inner {
            id,
            store,
            clock,
            document,
            seats,
            queue,
            published,
            stop,
            publisher: tokio::sync::Mutex::new(Some(task)),
        })))
    }

    /// Publishes no more. What was proposed stays and is published after the next start.
    pub async fn stop(&self) {
        self.0.stop.send_replace(true);
        if let Some(task) = self.0.publisher.lock().await.take()
            && task.await.is_err()
        {
            tracing::error!("the publisher of the key log panicked");
        }
    }

    /// Which log this is.
    pub fn id(&self) -> LogId {
        self.0.id
    }

    /// The keys that count, and who holds them.
    pub fn document(&self) -> &KeyDocument {
        &self.0.document
    }

    /// How large it is, from memory.
    pub fn counts(&self) -> Counts {
        let published = self.0.published.borrow();
        Counts {
            users: published.users,
            heads: published.heads,
            leaves: published.size,
            last_timestamp_s: published.head.as_ref().map(|head| head.head.timestamp),
            pending: published.pending,
        }
    }

    /// The latest head.
    pub fn latest(&self) -> Option<Arc<TreeHead>> {
        self.0.published.borrow().head.clone()
    }

    /// Heads below a size, or the newest, newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn chain(&self, limit: usize, before: Option<u64>) -> Result<Vec<TreeHead>> {
        Ok(self.0.store.heads(before, limit).await?)
    }

    /// Leaves in the order of the log.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Leaf>> {
        Ok(self.0.store.leaves(from, limit).await?)
    }

    /// The current leaf of an id.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownDid`], or those of the store.
    pub async fn did(&self, id: Id) -> Result<Leaf> {
        self.current(id).await?.ok_or(Error::refused(ErrorCode::UnknownDid))
    }

    async fn current(&self, id: Id) -> Result<Option<Leaf>> {
        Ok(self.0.store.current(vec![id.clone()]).await?.remove(&id))
    }

    /// Every leaf of an id, oldest first.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownDid`], or those of the store.
    pub async fn history(&self, id: Id) -> Result<Vec<Leaf>> {
        let leaves = self.0.store.history(id).await?;
        if leaves.is_empty() {
            return Err(Error::refused(ErrorCode::UnknownDid));
        }
        Ok(leaves)
    }

    /// The key of a registered id, for who must prove to hold it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn key_of(&self, id: &str) -> Result<Option<PublicKey>> {
        let Ok(id) = Id::parse(id) else { return Ok(None) };
        let leaf = self.current(id).await?;
        let key = leaf.map(|leaf| leaf.registration.public_key.parse()).transpose();
        key.map_err(|cause| Error::internal("read a registered key", cause))
    }

    /// How the cosigners are.
    pub fn cosigners(&self) -> Vec<CosignerHealth> {
        self.0.seats.iter().map(Asked::health).collect()
    }

    /// Registrations of the last hours, those without any left out, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn growth(&self, hours: i64) -> Result<Vec<Growth>> {
        let hours = hours.clamp(1, GROWTH_HOURS_MAX);
        let this_hour_s = self.0.clock.now_ms() / 1_000 / HOUR_S * HOUR_S;
        let grown = self.0.store.growth(this_hour_s - (hours - 1) * HOUR_S, HOUR_S).await?;
        let hour = |(start, registrations)| Growth { start, registrations };
        Ok(grown.into_iter().map(hour).collect())
    }
}
