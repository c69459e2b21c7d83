//! Writing both files anew, without what is not part of the log.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use nexus_crypto::hashes::Hash;
use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::{PrevHash, TreeHead};
use nexus_crypto::trees::RightEdge;

use super::files::{discard, failed, open, sync_folder, unfinished};
use super::index::HeadAt;
use super::lines::{Lines, write_line};
use super::writer::remove_outdated;
use super::{HEADS, Shared, USERS};
use crate::StoreError;
use crate::transparency::Compacted;

const COMPACT: &str = "compact the key log's files";

/// A file that is written anew.
struct Anew {
    name: &'static str,
    out: BufWriter<File>,
    end: u64,
}

impl Anew {
    fn new(shared: &Shared, name: &'static str) -> Result<Self, StoreError> {
        let path = unfinished(&shared.folder, name);
        let file = open(&path).and_then(|file| file.set_len(0).map(|()| file));
        Ok(Self {
            name,
            out: BufWriter::with_capacity(1 << 18, file.map_err(failed(COMPACT, &path))?),
            end: 0,
        })
    }

    /// Writes a line and says where it begins.
    fn add(&mut self, value: &impl serde::Serialize) -> io::Result<u64> {
        let mut line = Vec::new();
        write_line(&mut line, value);
        self.out.write_all(&line)?;
        let start = self.end;
        self.end += line.len() as u64;
        Ok(start)
    }

    /// Puts it in the place of the old one.
    fn take_place(self, shared: &Shared) -> Result<Arc<File>, StoreError> {
        let path = shared.folder.join(self.name);
        let file = self.out.into_inner().map_err(|error| failed(COMPACT, &path)(error.into_error()))?;
        let placed = || {
            file.sync_all()?;
            fs::rename(unfinished(&shared.folder, self.name), &path)
        };
        placed().map_err(failed(COMPACT, &path))?;
        if let Err(error) = sync_folder(&shared.folder) {
            // Whichever of the two a power cut leaves, they hold the same.
            tracing::warn!(%error, "could not sync the folder of the key log's files");
        }
        Ok(file.into())
    }
}

/// What the old files hold, written anew.
struct Copied {
    users: Anew,
    leaf_starts: Vec<u64>,
    sth: Anew,
    heads: Vec<HeadAt>,
    edge: RightEdge,
    last: Option<Hash>,
}

/// Reads every leaf and head, checks them, and replaces one file after the other. A crash in between leaves an old and a new one, which
/// hold the same log.
pub(super) fn compact(shared: &Shared) -> Result<Compacted, StoreError> {
    remove_outdated(shared)?;
    let bytes_before = bytes(shared)?;
    rewrite(shared).inspect_err(|_| {
        for name in [USERS, HEADS] {
            discard(&unfinished(&shared.folder, name));
        }
    })?;
    Ok(Compacted {
        bytes_before,
        bytes_after: bytes(shared)?,
    })
}

fn rewrite(shared: &Shared) -> Result<(), StoreError> {
    let Copied {
        users,
        leaf_starts,
        sth,
        heads,
        ..
    } = copy(shared)?;
    let end = users.end;
    let file = users.take_place(shared)?;
    shared.show(|index| {
        (index.users, index.leaf_starts, index.leaves_end) = (file, leaf_starts, end);
    });
    let end = sth.end;
    let file = sth.take_place(shared)?;
    shared.show(|index| (index.sth, index.heads, index.heads_end) = (file, heads, end));
    Ok(())
}

fn copy(shared: &Shared) -> Result<Copied, StoreError> {
    let (old_users, old_sth, leaves_end, heads_end) = {
        let index = shared.index();
        (Arc::clone(&index.users), Arc::clone(&index.sth), index.leaves_end, index.heads_end)
    };
    let (users_path, heads_path) = (shared.folder.join(USERS), shared.folder.join(HEADS));
    let users_failed = failed(COMPACT, &users_path);
    let heads_failed = failed(COMPACT, &heads_path);
    let wrong = |name: &str, number: u64, cause: &str| {
        let path = shared.folder.join(name);
        Err(StoreError::internal(
            COMPACT,
            format_args!("{}: line {number} {cause}", path.display()),
        ))
    };
    let mut leaves = Lines::new(&old_users, leaves_end).map_err(&users_failed)?;
    let mut heads = Lines::new(&old_sth, heads_end).map_err(&heads_failed)?;
    let mut copied = Copied {
        users: Anew::new(shared, USERS)?,
        leaf_starts: Vec::new(),
        sth: Anew::new(shared, HEADS)?,
        heads: Vec::new(),
        edge: RightEdge::default(),
        last: None,
    };
    while let Some(line) = heads.next().map_err(&heads_failed)? {
        let Some(signed) = line.parse::<TreeHead>() else {
            return wrong(HEADS, line.number, "is no tree head");
        };
        while copied.edge.size() < signed.head.tree_size {
            let Some(leaf) = leaves.next().map_err(&users_failed)? else {
                return wrong(HEADS, line.number, "has more leaves than there are");
            };
            let Some(registration) = leaf.parse::<Registration>() else {
                return wrong(USERS, leaf.number, "is no registration");
            };
            copied.edge.append(registration.leaf());
            copied.leaf_starts.push(copied.users.add(&registration).map_err(&users_failed)?);
        }
        if signed.head.root != copied.edge.root() {
            return wrong(HEADS, line.number, "has another root than its leaves");
        }
        if signed.head.prev_hash != PrevHash(copied.last) {
            return wrong(HEADS, line.number, "does not link to the head before");
        }
        copied.last = Some(signed.head.hash());
        let start = copied.sth.add(&signed).map_err(&heads_failed)?;
        copied.heads.push(HeadAt::new(start, &signed.head));
    }
    let index = shared.index();
    let same = copied.edge == index.edge && copied.last == index.last_hash() && copied.heads.len() == index.heads.len();
    if same && leaves.next().map_err(&users_failed)?.is_none() {
        drop(index);
        return Ok(copied);
    }
    Err(StoreError::internal(COMPACT, "what was read is not the log that was opened"))
}

fn bytes(shared: &Shared) -> Result<u64, StoreError> {
    let index = shared.index();
    let length = |file: &File| file.metadata().map(|metadata| metadata.len());
    length(&index.users)
        .and_then(|users| Ok(users + length(&index.sth)?))
        .map_err(failed(COMPACT, &shared.folder))
}
