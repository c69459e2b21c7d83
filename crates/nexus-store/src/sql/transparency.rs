//! The key log's rows: what log it is, what is proposed, and publishing. Leaves, heads and nodes are in modules of their own.

pub mod keys;
pub mod leaves;
pub mod tree_heads;
pub mod tree_nodes;

use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::{KeyBytes, PublicKey, Signature};
use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::{Id, Registration};
use nexus_crypto::tree_heads::TreeHead;
use nexus_crypto::trees::RightEdge;
use nexus_types::limits::COSIGNER_KEYS_MAX;

use super::from_json;
use crate::transparency::{Batch, Grown, LogState, StoredKey, grow};
use crate::{Column, ColumnValue, StoreError, Tx, Value};

macro_rules! fixed_bytes {
    ($($name:ident),*) => {$(
        impl Column for $name {
            fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> { Column::column(value).map(Self) }
        }
        impl<'a> From<&'a $name> for Value<'a> {
            fn from(value: &'a $name) -> Self { Self::Bytes(&value.0) }
        }
    )*};
}

fixed_bytes!(Hash, KeyBytes, Signature, LogId);

impl Column for PublicKey {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        let key = KeyBytes::column(value)?;
        key.parse().map_err(|cause| StoreError::internal("read a key", cause))
    }
}

impl Column for Id {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        let ColumnValue::Text(text) = value else {
            return Err(StoreError::internal("read an id", "it is no text"));
        };
        Self::parse(text).map_err(|cause| StoreError::internal("read an id", cause))
    }
}

/// A size or an index as databases have it. Whoever asks beyond what fits means the end.
fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A size or an index as we have it.
fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|cause| StoreError::internal("read a size", cause))
}

/// The one row of the log, without its name.
struct Progress {
    size: u64,
    users: i64,
    heads: i64,
}

async fn progress(tx: &mut Tx<'_>) -> Result<Option<(LogId, Progress)>, StoreError> {
    tx.query_opt("SELECT log_id, size, users, heads FROM key_log", &[], |row| {
        let progress = Progress {
            size: unsigned(row.get(1)?)?,
            users: row.get(2)?,
            heads: row.get(3)?,
        };
        Ok((row.get(0)?, progress))
    })
    .await
}

async fn begun(tx: &mut Tx<'_>) -> Result<Progress, StoreError> {
    let progress = progress(tx).await?;
    progress
        .map(|(_, progress)| progress)
        .ok_or_else(|| StoreError::internal("write to the key log", "it was not begun"))
}

async fn edge(tx: &mut Tx<'_>, size: u64) -> Result<RightEdge, StoreError> {
    let peaks = tree_nodes::load(tx, &RightEdge::nodes(size)).await?;
    Ok(RightEdge::restore(size, peaks).expect("as many peaks as were asked for"))
}

async fn pending(tx: &mut Tx<'_>) -> Result<Option<String>, StoreError> {
    tx.query_opt("SELECT body FROM proposals", &[], |row| row.get(0)).await
}

/// How far the log is.
///
/// # Errors
/// Those of the store.
pub async fn state(tx: &mut Tx<'_>) -> Result<LogState, StoreError> {
    let Some((log_id, progress)) = progress(tx).await? else {
        return Ok(LogState::default());
    };
    let pending = pending(tx).await?;
    Ok(LogState {
        log_id: Some(log_id),
        size: progress.size,
        peaks: edge(tx, progress.size).await?.peaks().to_vec(),
        head: tree_heads::at(tx, progress.size).await?,
        heads: unsigned(progress.heads)?,
        users: unsigned(progress.users)?,
        pending: pending.as_deref().map(from_json).transpose()?,
        keys: keys::all(tx).await?,
    })
}

/// Names the log, once.
///
/// # Errors
/// [`StoreError::Internal`] if it has another name; those of the store.
pub async fn begin(tx: &mut Tx<'_>, log_id: &LogId) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO key_log (one, log_id) VALUES (1, $1) ON CONFLICT DO NOTHING",
        &[log_id.into()],
    )
    .await?;
    match progress(tx).await? {
        Some((named, _)) if named == *log_id => Ok(()),
        _ => Err(StoreError::internal("begin the key log", "it has another id already")),
    }
}

/// Keeps a batch until it is published.
///
/// # Errors
/// See [`LogStore::propose`](crate::transparency::LogStore::propose).
pub async fn propose(tx: &mut Tx<'_>, batch: &Batch) -> Result<(), StoreError> {
    let progress = begun(tx).await?;
    let body = batch.to_json();
    if let Some(before) = pending(tx).await? {
        return if before == body {
            Ok(())
        } else {
            Err(StoreError::internal("propose a batch", "another is pending"))
        };
    }
    let edge = edge(tx, progress.size).await?;
    batch.check(edge, tree_heads::hash_at(tx, progress.size).await?)?;
    tx.execute("INSERT INTO proposals (one, body) VALUES (1, $1)", &[(&body).into()])
        .await
        .map(drop)
}

/// Publishes the pending batch.
///
/// # Errors
/// See [`LogStore::publish`](crate::transparency::LogStore::publish).
pub async fn publish(tx: &mut Tx<'_>, batch: &Batch, heads: &[TreeHead]) -> Result<(), StoreError> {
    batch.check_signed(heads)?;
    let Some(body) = pending(tx).await? else {
        let size = begun(tx).await?.size;
        let published = tree_heads::at(tx, size).await?.map(|signed| signed.head);
        // Whose signatures were there first does not matter.
        return if published.is_some() && published.as_ref() == batch.heads.last() {
            Ok(())
        } else {
            Err(StoreError::internal("publish a batch", "none is pending"))
        };
    };
    if body != batch.to_json() {
        return Err(StoreError::internal("publish a batch", "another is pending"));
    }
    append(tx, &batch.registrations, heads).await?;
    tx.execute("DELETE FROM proposals", &[]).await.map(drop)
}

/// Appends what was published elsewhere.
///
/// # Errors
/// See [`LogStore::append_published`](crate::transparency::LogStore::append_published).
pub async fn append_published(tx: &mut Tx<'_>, registrations: &[Registration], heads: &[TreeHead]) -> Result<(), StoreError> {
    if pending(tx).await?.is_some() {
        return Err(StoreError::internal("append to the key log", "a batch is pending"));
    }
    append(tx, registrations, heads).await
}

async fn append(tx: &mut Tx<'_>, registrations: &[Registration], heads: &[TreeHead]) -> Result<(), StoreError> {
    let progress = begun(tx).await?;
    let edge = edge(tx, progress.size).await?;
    let last = tree_heads::hash_at(tx, progress.size).await?;
    let Grown { edge, nodes } = grow(edge, last, registrations, heads.iter().map(|signed| &signed.head))?;
    let mut users = progress.users;
    let mut left = registrations.iter();
    for (node, hash) in &nodes {
        if node.level > 0 {
            tree_nodes::insert(tx, *node, hash).await?;
        } else {
            let registration = left.next().expect("each leaf has a registration");
            users += i64::from(leaves::insert(tx, node.index, registration, hash).await?);
        }
    }
    for head in heads {
        tree_heads::insert(tx, head).await?;
    }
    let heads = progress.heads + heads.len() as i64;
    tx.execute(
        "UPDATE key_log SET size = $1, users = $2, heads = $3",
        &[whole(edge.size()).into(), users.into(), heads.into()],
    )
    .await
    .map(drop)
}

/// Puts these keys in the place of all earlier ones.
///
/// # Errors
/// See [`LogStore::set_keys`](crate::transparency::LogStore::set_keys).
pub async fn set_keys(tx: &mut Tx<'_>, list: &[StoredKey]) -> Result<(), StoreError> {
    begun(tx).await?;
    if list.len() > COSIGNER_KEYS_MAX {
        return Err(StoreError::internal("set the cosigners' keys", "there are too many"));
    }
    keys::replace(tx, list).await
}

/// Bytes of the whole database.
///
/// # Errors
/// Those of the store.
pub async fn bytes(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    let pages = tx.query_opt("PRAGMA page_count", &[], |row| row.get::<i64>(0)).await?;
    let size = tx.query_opt("PRAGMA page_size", &[], |row| row.get::<i64>(0)).await?;
    unsigned(pages.unwrap_or(0) * size.unwrap_or(0))
}
