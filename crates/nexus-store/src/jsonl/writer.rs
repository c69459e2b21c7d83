//! Writing to the files: everything here runs one after the other.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::{Id, Registration};
use nexus_crypto::tree_heads::TreeHead;
use nexus_types::limits::COSIGNER_KEYS_MAX;
use serde::{Deserialize, Serialize};

use super::files::{append, cut, discard, failed, remove, replace, sync_folder};
use super::index::HeadAt;
use super::lines::write_line;
use super::{HEADS, JsonlOptions, LOG, PROPOSAL, Shared, USERS};
use crate::StoreError;
use crate::transparency::{Batch, Grown, StoredKey, grow};

/// The content of `log.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct LogFile {
    pub(super) version: u32,
    pub(super) log_id: LogId,
    #[serde(default)]
    pub(super) keys: Vec<StoredKey>,
}

/// What the one who writes remembers.
pub(super) struct Writer {
    options: JsonlOptions,
    /// What a failed write left could not be cut off yet.
    is_torn: bool,
}

impl Writer {
    pub(super) fn new(options: JsonlOptions) -> Self {
        Self { options, is_torn: false }
    }

    pub(super) fn propose(&mut self, shared: &Shared, batch: Arc<Batch>) -> Result<(), StoreError> {
        begun(shared)?;
        let (pending, edge, last, used) = {
            let index = shared.index();
            let used = index.leaves_end + index.heads_end;
            (index.pending.clone(), index.edge.clone(), index.last_hash(), used)
        };
        if let Some(pending) = pending {
            return if pending == batch {
                Ok(())
            } else {
                Err(StoreError::internal("propose a batch", "another is pending"))
            };
        }
        batch.check(edge, last)?;
        let body = batch.to_json();
        if self.room(used) < body.len() as u64 {
            return Err(StoreError::Full);
        }
        let path = shared.folder.join(PROPOSAL);
        if let Err(error) = replace(&shared.folder, PROPOSAL, body.as_bytes()) {
            // If it is there but its name may not last, it must not stay: nobody is told that it was kept.
            discard(&path);
            return Err(failed("propose a batch", &path)(error));
        }
        shared.show(|index| index.pending = Some(batch));
        Ok(())
    }

    pub(super) fn publish(&mut self, shared: &Shared, batch: &Batch, heads: Vec<TreeHead>) -> Result<(), StoreError> {
        batch.check_signed(&heads)?;
        let pending = shared.index().pending.clone();
        match pending {
            Some(pending) if *pending == *batch => {}
            Some(_) => return Err(StoreError::internal("publish a batch", "another is pending")),
            None => {
                let published = shared.index().head.as_ref().map(|signed| signed.head);
                // Whose signatures were there first does not matter.
                return if published.is_some() && published.as_ref() == batch.heads.last() {
                    Ok(())
                } else {
                    Err(StoreError::internal("publish a batch", "none is pending"))
                };
            }
        }
        self.append(shared, &batch.registrations, heads)?;
        // If this does not last, the next start finds it published and removes it then.
        discard(&shared.folder.join(PROPOSAL));
        Ok(())
    }

    pub(super) fn append_published(
        &mut self,
        shared: &Shared,
        registrations: &[Registration],
        heads: Vec<TreeHead>,
    ) -> Result<(), StoreError> {
        begun(shared)?;
        if shared.index().pending.is_some() {
            return Err(StoreError::internal("append to the key log", "a batch is pending"));
        }
        self.append(shared, registrations, heads)
    }

    /// Leaves, then heads, each synced, then everybody sees them.
    fn append(&mut self, shared: &Shared, registrations: &[Registration], heads: Vec<TreeHead>) -> Result<(), StoreError> {
        self.mend(shared)?;
        let (edge, last) = {
            let index = shared.index();
            (index.edge.clone(), index.last_hash())
        };
        let Grown { edge, nodes } = grow(edge, last, registrations, heads.iter().map(|signed| &signed.head))?;
        let new_ids = new_ids(shared, registrations)?;
        let text = Text::new(shared, registrations, &heads);
        self.write(shared, &text)?;
        shared.show(|index| {
            for ((registration, start), is_new) in registrations.iter().zip(&text.leaf_starts).zip(new_ids) {
                index.add_leaf(*start, &registration.id, is_new);
            }
            for (node, hash) in nodes {
                index.add_node(node, hash);
            }
            index.heads.extend(&text.heads_at);
            index.leaves_end += text.leaves.len() as u64;
            index.heads_end += text.heads.len() as u64;
            index.edge = edge;
            index.head = heads.into_iter().next_back();
            index.pending = None;
        });
        Ok(())
    }

    /// On the disk both, or neither.
    fn write(&mut self, shared: &Shared, text: &Text) -> Result<(), StoreError> {
        let (users, sth, leaves_end, heads_end) = {
            let index = shared.index();
            (Arc::clone(&index.users), Arc::clone(&index.sth), index.leaves_end, index.heads_end)
        };
        let room = self.room(leaves_end + heads_end);
        let left = room.saturating_sub(text.leaves.len() as u64);
        let written = append(&users, leaves_end, &text.leaves, room)
            .map_err(failed("append leaves", &shared.folder.join(USERS)))
            .and_then(|()| append(&sth, heads_end, &text.heads, left).map_err(failed("append heads", &shared.folder.join(HEADS))));
        let Err(error) = written else { return Ok(()) };
        self.is_torn = true;
        if let Err(still) = self.mend(shared) {
            tracing::error!("what a failed write left can't be cut off yet: {still}");
        }
        Err(error)
    }

    /// Cuts off what a failed write left. Until that works, nothing is written.
    fn mend(&mut self, shared: &Shared) -> Result<(), StoreError> {
        if !self.is_torn {
            return Ok(());
        }
        let mended: io::Result<()> = {
            let index = shared.index();
            // Heads first: leaves without heads are nothing, heads without leaves would be a lie.
            cut(&index.sth, index.heads_end).and_then(|()| cut(&index.users, index.leaves_end))
        };
        mended.map_err(|error| {
            tracing::error!(%error, "the key log's files do not take writes");
            StoreError::Unavailable
        })?;
        self.is_torn = false;
        Ok(())
    }

    /// Bytes that may still be written.
    fn room(&self, used: u64) -> u64 {
        self.options.bytes_max.map_or(u64::MAX, |max| max.saturating_sub(used))
    }
}

/// Names the log.
pub(super) fn begin(shared: &Shared, log_id: LogId) -> Result<(), StoreError> {
    let (named, keys) = {
        let index = shared.index();
        (index.log_id, index.keys.clone())
    };
    match named {
        Some(named) if named == log_id => Ok(()),
        Some(_) => Err(StoreError::internal("begin the key log", "it has another id already")),
        None => {
            save(shared, log_id, keys)?;
            shared.show(|index| index.log_id = Some(log_id));
            Ok(())
        }
    }
}

/// Replaces the cosigners' keys.
pub(super) fn set_keys(shared: &Shared, keys: Vec<StoredKey>) -> Result<(), StoreError> {
    let log_id = begun(shared)?;
    if keys.len() > COSIGNER_KEYS_MAX {
        return Err(StoreError::internal("set the cosigners' keys", "there are too many"));
    }
    save(shared, log_id, keys.clone())?;
    shared.show(|index| index.keys = keys);
    Ok(())
}

/// Removes a proposal that is published.
pub(super) fn remove_outdated(shared: &Shared) -> Result<(), StoreError> {
    let path = shared.folder.join(PROPOSAL);
    if shared.index().pending.is_some() || !path.exists() {
        return Ok(());
    }
    remove(&path)
        .and_then(|()| sync_folder(&shared.folder))
        .map_err(failed("remove a proposal", &path))
}

fn begun(shared: &Shared) -> Result<LogId, StoreError> {
    let log_id = shared.index().log_id;
    log_id.ok_or_else(|| StoreError::internal("write to the key log", "it was not begun"))
}

fn save(shared: &Shared, log_id: LogId, keys: Vec<StoredKey>) -> Result<(), StoreError> {
    let file = LogFile { version: 1, log_id, keys };
    let text = serde_json::to_vec_pretty(&file).expect("plain values serialise");
    replace(&shared.folder, LOG, &text).map_err(failed("write the log's id and keys", &shared.folder.join(LOG)))
}

/// Which of these are their ids' first leaves?
fn new_ids(shared: &Shared, registrations: &[Registration]) -> Result<Vec<bool>, StoreError> {
    let mut among_these: HashSet<&Id> = HashSet::new();
    let ids = registrations.iter().map(|registration| &registration.id);
    ids.map(|id| Ok(among_these.insert(id) && shared.newest(id, 1)?.is_empty()))
        .collect()
}

/// Lines to append.
struct Text {
    leaves: Vec<u8>,
    leaf_starts: Vec<u64>,
    heads: Vec<u8>,
    heads_at: Vec<HeadAt>,
}

impl Text {
    fn new(shared: &Shared, registrations: &[Registration], signed: &[TreeHead]) -> Self {
        let (leaves_end, heads_end) = {
            let index = shared.index();
            (index.leaves_end, index.heads_end)
        };
        let (mut leaves, mut leaf_starts) = (Vec::new(), Vec::with_capacity(registrations.len()));
        for registration in registrations {
            leaf_starts.push(leaves_end + leaves.len() as u64);
            write_line(&mut leaves, registration);
        }
        let (mut heads, mut heads_at) = (Vec::new(), Vec::with_capacity(signed.len()));
        for signed in signed {
            heads_at.push(HeadAt::new(heads_end + heads.len() as u64, &signed.head));
            write_line(&mut heads, signed);
        }
        Self {
            leaves,
            leaf_starts,
            heads,
            heads_at,
        }
    }
}
