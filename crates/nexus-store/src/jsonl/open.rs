//! Opening the files, whatever a crash left of them.
//!
//! The heads are what counts. With a proposal there are these cases, and no other can come from a crash:
//!
//! | `users.jsonl` | `sth.jsonl` | what it means | what is done |
//! |---|---|---|---|
//! | ends where the proposal begins, or within it | ends where the proposal begins | publishing had not begun, or not got far | both are cut back to where the proposal begins; it is still pending |
//! | holds all of it | ends within it | the heads were being appended; nobody saw them | the same |
//! | holds all of it | holds all of it | it was published | the proposal is removed |
//!
//! Whoever publishes it again appends the very same leaves and heads. Without a proposal a torn last line is cut off, and leaves without
//! a head are set aside in `unpublished.jsonl`. Everything else is damage, and is refused: a log is not mended by forgetting.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::TreeHead;
use serde::Deserialize;

use super::files::{append, cut, discard, failed, make_folder, open as open_file, read, sync_folder, unfinished};
use super::index::{HeadAt, Index};
use super::lines::{Line, Lines, Span};
use super::writer::LogFile;
use super::{HEADS, LOG, PROPOSAL, UNPUBLISHED, USERS};
use crate::StoreError;
use crate::transparency::Batch;

const OPEN: &str = "open the key log's files";

/// A head's line without what the index does not need.
#[derive(Deserialize)]
struct HeadLine {
    tree_size: u64,
    timestamp: i64,
}

/// A line that is none.
struct Bad {
    number: u64,
    /// Is it the last one, and without an end?
    is_torn: bool,
}

/// The good lines at the beginning of a file.
struct Good {
    /// Where the last of them ends.
    end: u64,
    /// Does it have its line feed?
    ended: bool,
    /// What is after them.
    bad: Option<Bad>,
}

impl Good {
    const NONE: Self = Self {
        end: 0,
        ended: true,
        bad: None,
    };

    fn take(&mut self, line: &Line<'_>) {
        (self.end, self.ended) = (line.end, line.ended);
    }

    fn stop(&mut self, line: &Line<'_>) {
        self.bad = Some(Bad {
            number: line.number,
            is_torn: !line.ended,
        });
    }
}

/// Opens the folder for this process alone, and says what is published and what is pending.
pub(super) fn open(folder: &Path) -> Result<(File, Index), StoreError> {
    make_folder(folder).map_err(failed(OPEN, folder))?;
    let lock = lock(folder)?;
    for name in [USERS, HEADS, LOG, PROPOSAL] {
        discard(&unfinished(folder, name));
    }
    let opened = |name| open_file(&folder.join(name)).map_err(failed(OPEN, &folder.join(name)));
    let mut index = Index::new(opened(USERS)?, opened(HEADS)?);
    sync_folder(folder).map_err(failed(OPEN, folder))?;
    if let Some(LogFile { log_id, keys, .. }) = json(folder, LOG)? {
        (index.log_id, index.keys) = (Some(log_id), keys);
    }
    let proposal = json::<Batch>(folder, PROPOSAL)?;
    Opening { folder, index }.settle(proposal).map(|index| (lock, index))
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let file = File::open(folder).map_err(failed(OPEN, folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::internal(
            OPEN,
            format_args!("{}: another process has them open", folder.display()),
        )),
        Err(TryLockError::Error(error)) => Err(failed(OPEN, folder)(error)),
    }
}

fn json<T: for<'de> Deserialize<'de>>(folder: &Path, name: &str) -> Result<Option<T>, StoreError> {
    let path = folder.join(name);
    let Some(bytes) = read(&path).map_err(failed(OPEN, &path))? else {
        return Ok(None);
    };
    let parsed = serde_json::from_slice(&bytes);
    parsed
        .map(Some)
        .map_err(|cause| StoreError::internal(OPEN, format_args!("{}: {cause}", path.display())))
}

struct Opening<'o> {
    folder: &'o Path,
    index: Index,
}

impl Opening<'_> {
    fn settle(mut self, proposal: Option<Batch>) -> Result<Index, StoreError> {
        let mut good_heads = self.scan_heads()?;
        let mut pending = match proposal {
            Some(batch) if self.is_published(&batch)? => {
                // All its leaves are there too, unless the disk forgot what it had synced; then it is published again.
                let heads = self.index.heads.len();
                let leaves = self.scan_leaves(self.index.heads.last().map_or(0, |head| head.tree_size))?;
                if self.index.size() >= batch.end() {
                    return self.finish(&good_heads, heads, &leaves, None);
                }
                Some(batch)
            }
            other => other,
        };
        let mut keep = self.index.heads.len();
        if let Some(batch) = &pending {
            keep = self.index.heads.partition_point(|head| head.tree_size <= batch.first);
            if keep.checked_sub(1).map_or(0, |last| self.index.heads[last].tree_size) != batch.first {
                return Err(self.damaged(HEADS, "it ends before the proposal begins"));
            }
            good_heads.bad = None;
        }
        let size = keep.checked_sub(1).map_or(0, |last| self.index.heads[last].tree_size);
        let leaves = self.scan_leaves(size)?;
        let pending = pending.take();
        self.finish(&good_heads, keep, &leaves, pending)
    }

    /// Reads where the heads are.
    fn scan_heads(&mut self) -> Result<Good, StoreError> {
        let (path, mut good) = (self.folder.join(HEADS), Good::NONE);
        let sth = Arc::clone(&self.index.sth);
        let mut lines = Lines::new(&sth, u64::MAX).map_err(failed(OPEN, &path))?;
        while let Some(line) = lines.next().map_err(failed(OPEN, &path))? {
            let Some(HeadLine { tree_size, timestamp }) = line.parse() else {
                good.stop(&line);
                break;
            };
            if self.index.heads.last().map_or(0, |last| last.tree_size) >= tree_size {
                return Err(self.damaged(HEADS, format_args!("line {}: the log does not grow there", line.number)));
            }
            good.take(&line);
            self.index.heads.push(HeadAt {
                start: line.start,
                tree_size,
                timestamp,
            });
        }
        self.index.heads_end = good.end;
        Ok(good)
    }

    /// Are all heads of the proposal there?
    fn is_published(&self, batch: &Batch) -> Result<bool, StoreError> {
        let after = self.index.heads.partition_point(|head| head.tree_size <= batch.first);
        let found = &self.index.heads[after..];
        for (place, (at, proposed)) in (after..).zip(found.iter().zip(&batch.heads)) {
            let same = at.tree_size == proposed.tree_size && self.head(place)?.head == *proposed;
            if !same {
                return Err(self.damaged(HEADS, "it goes on with heads that were not proposed"));
            }
        }
        Ok(found.len() >= batch.heads.len())
    }

    fn head(&self, place: usize) -> Result<TreeHead, StoreError> {
        let heads = &self.index.heads;
        let span = Span {
            file: Arc::clone(&self.index.sth),
            start: heads[place].start,
            end: heads.get(place + 1).map_or(self.index.heads_end, |next| next.start),
            count: 1,
        };
        Ok(span.read()?.pop().expect("one was counted"))
    }

    /// Reads so many leaves, or as many as there are.
    fn scan_leaves(&mut self, size: u64) -> Result<Good, StoreError> {
        let (path, mut good) = (self.folder.join(USERS), Good::NONE);
        let users = Arc::clone(&self.index.users);
        self.index.forget_leaves();
        let mut lines = Lines::new(&users, u64::MAX).map_err(failed(OPEN, &path))?;
        while self.index.size() < size {
            let Some(line) = lines.next().map_err(failed(OPEN, &path))? else {
                break;
            };
            let Some(registration) = line.parse::<Registration>() else {
                good.stop(&line);
                break;
            };
            good.take(&line);
            for (node, hash) in self.index.edge.append(registration.leaf()) {
                self.index.add_node(node, hash);
            }
            self.index.leaves_end = line.start;
            let is_new = self.is_new(&registration)?;
            self.index.add_leaf(line.start, &registration.id, is_new);
        }
        self.index.leaves_end = good.end;
        Ok(good)
    }

    fn is_new(&self, registration: &Registration) -> Result<bool, StoreError> {
        let mut next = self.index.newest(&registration.id);
        while let Some(leaf) = next {
            let before = self.index.leaves(leaf, 1).read::<Registration>()?;
            if before.iter().any(|before| before.id == registration.id) {
                return Ok(false);
            }
            next = self.index.earlier(leaf);
        }
        Ok(true)
    }

    /// Checks that leaves and heads belong together, and makes the files end where the log does.
    fn finish(mut self, good_heads: &Good, keep: usize, leaves: &Good, pending: Option<Batch>) -> Result<Index, StoreError> {
        if let Some(bad) = good_heads.bad.as_ref().filter(|bad| !bad.is_torn) {
            return Err(self.damaged(HEADS, format_args!("line {} is no tree head", bad.number)));
        }
        let size = keep.checked_sub(1).map_or(0, |last| self.index.heads[last].tree_size);
        if self.index.size() < size {
            return Err(match &leaves.bad {
                Some(bad) => self.damaged(USERS, format_args!("line {} is no registration, but has a head", bad.number)),
                None => self.damaged(USERS, format_args!("it holds {} leaves of {size}", self.index.size())),
            });
        }
        self.index.head = keep.checked_sub(1).map(|last| self.head(last)).transpose()?;
        if self
            .index
            .head
            .as_ref()
            .is_some_and(|signed| signed.head.root != self.index.edge.root())
        {
            return Err(self.damaged(USERS, "its leaves do not have the root of the newest head"));
        }
        let heads_ended = good_heads.ended || keep < self.index.heads.len();
        self.index.heads_end = self.index.heads.get(keep).map_or(self.index.heads_end, |next| next.start);
        self.index.heads.truncate(keep);
        if let Some(batch) = pending {
            batch.check(self.index.edge.clone(), self.index.last_hash())?;
            self.check_rest(&batch)?;
            self.index.pending = Some(batch.into());
        } else {
            self.set_aside()?;
        }
        self.index.heads_end = self.end(HEADS, self.index.heads_end, heads_ended)?;
        self.index.leaves_end = self.end(USERS, self.index.leaves_end, leaves.ended)?;
        if self.index.pending.is_none() {
            discard(&self.folder.join(PROPOSAL));
        }
        Ok(self.index)
    }

    /// Makes a file end with its last line that counts.
    fn end(&self, name: &str, end: u64, ended: bool) -> Result<u64, StoreError> {
        let path = self.folder.join(name);
        let file = if name == HEADS { &self.index.sth } else { &self.index.users };
        cut(file, end).map_err(failed(OPEN, &path))?;
        if ended {
            return Ok(end);
        }
        append(file, end, b"\n", u64::MAX).map_err(failed(OPEN, &path))?;
        Ok(end + 1)
    }

    /// Leaves without a head, of which a batch is pending, must be its first ones.
    fn check_rest(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut proposed = batch.registrations.iter();
        self.each_after(|line| match line.parse::<Registration>() {
            Some(registration) if proposed.next() == Some(&registration) => Ok(true),
            Some(_) => Err(self.damaged(USERS, format_args!("line {} is a leaf that was not proposed", line.number))),
            None => Ok(false),
        })
    }

    /// Leaves without a head, of which none is pending, are no part of the log, but are not thrown away either.
    fn set_aside(&self) -> Result<(), StoreError> {
        let mut found = Vec::new();
        self.each_after(|line| {
            let is_leaf = line.parse::<Registration>().is_some();
            if is_leaf {
                found.extend_from_slice(line.bytes);
                found.push(b'\n');
            } else if line.ended {
                return Err(self.damaged(USERS, format_args!("line {} is no registration", line.number)));
            }
            Ok(is_leaf)
        })?;
        if found.is_empty() {
            return Ok(());
        }
        let path: PathBuf = self.folder.join(UNPUBLISHED);
        tracing::warn!("leaves without a tree head are no part of the log; they are in {}", path.display());
        let kept = || -> io::Result<()> {
            let mut file = open_file(&path)?;
            let end = file.metadata()?.len();
            append(&file, end, &found, u64::MAX)?;
            file.flush()?;
            sync_folder(self.folder)
        };
        kept().map_err(failed(OPEN, &path))
    }

    /// Looks at the lines after the leaves that count, until told to stop.
    fn each_after(&self, mut look: impl FnMut(&Line<'_>) -> Result<bool, StoreError>) -> Result<(), StoreError> {
        let path = self.folder.join(USERS);
        let mut lines = Lines::new(&self.index.users, u64::MAX).map_err(failed(OPEN, &path))?;
        while let Some(line) = lines.next().map_err(failed(OPEN, &path))? {
            if line.start >= self.index.leaves_end && !look(&line)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn damaged(&self, name: &str, cause: impl std::fmt::Display) -> StoreError {
        StoreError::internal(OPEN, format_args!("{}: {cause}", self.folder.join(name).display()))
    }
}
