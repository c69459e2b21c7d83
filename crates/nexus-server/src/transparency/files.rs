//! `nexus log export`, `import` and `compact`: a log as the append-only files of the original contract, and back.
//!
//! # Invariant
//! A folder appears whole or not at all, and an import changes nothing before all of it was verified.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nexus_crypto::logs::{KeyDocument, keys_follow};
use nexus_crypto::tree_heads::KeyHistory;
use nexus_store::StoreError;
use nexus_store::transparency::{LogState, LogStore};
use serde::Serialize;

use super::progress::Progress;
use super::sources::{DOCUMENT, HEADS, LEAVES, Page, Source};
use super::verify::{Auditor, Rules, Signatures, Stopped};
use crate::data;
use crate::exits::{Exit, Failure};

/// Leaves and heads in one step; an import writes as many rows of each in one job.
const STEP: u64 = 250;

/// What was written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Leaves.
    pub leaves: u64,
    /// Heads.
    pub heads: u64,
}

/// Files that are being written.
struct Draft {
    target: PathBuf,
    folder: PathBuf,
    leaves: BufWriter<File>,
    heads: BufWriter<File>,
    moved: Moved,
}

impl Draft {
    fn begin(target: &Path) -> Result<Self, Failure> {
        let taken = fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some());
        if taken {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} is not empty.", target.display()),
                "Name a folder that does not exist yet.",
            ));
        }
        let draft = target.with_added_extension("new");
        let make = || -> io::Result<(File, File)> {
            // What an export left behind that was cut off.
            if draft.exists() {
                fs::remove_dir_all(&draft)?;
            }
            DirBuilder::new().recursive(true).mode(0o700).create(&draft)?;
            let file = |name: &str| OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft.join(name));
            Ok((file(LEAVES)?, file(HEADS)?))
        };
        let (leaves, heads) = make().map_err(|cause| data::unwritable(&draft, &cause))?;
        Ok(Self {
            target: target.to_owned(),
            leaves: BufWriter::new(leaves),
            heads: BufWriter::new(heads),
            folder: draft,
            moved: Moved { leaves: 0, heads: 0 },
        })
    }

    fn append(&mut self, page: &Page) -> Result<(), Failure> {
        self.moved.leaves += page.leaves.len() as u64;
        self.moved.heads += page.heads.len() as u64;
        lines(&mut self.leaves, &page.leaves)
            .and_then(|()| lines(&mut self.heads, &page.heads))
            .map_err(|cause| data::unwritable(&self.folder, &cause))
    }

    fn finish(self, document: &KeyDocument) -> Result<Moved, Failure> {
        let Self {
            target,
            folder,
            leaves,
            heads,
            moved,
        } = self;
        let end = || -> io::Result<()> {
            for file in [leaves, heads] {
                file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            }
            let text = serde_json::to_vec_pretty(document).expect("our shapes have string keys and no failing parts");
            data::write_whole(&folder.join(DOCUMENT), &text)?;
            // Takes the place of nothing or of an empty folder.
            fs::rename(&folder, &target)?;
            data::sync_folder(&target)
        };
        end().map_err(|cause| data::unwritable(&target, &cause))?;
        Ok(moved)
    }
}

fn lines(file: &mut BufWriter<File>, values: &[impl Serialize]) -> io::Result<()> {
    for value in values {
        serde_json::to_writer(&mut *file, value)?;
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes a log into a folder that does not exist yet.
///
/// # Errors
/// A [`Failure`] if it can't be read or written.
pub async fn export(store: &LogStore, document: &KeyDocument, target: &Path) -> Result<Moved, Failure> {
    let size = store.state().await.map_err(|cause| failed(&cause))?.size;
    let mut draft = Draft::begin(target)?;
    let mut progress = Progress::new("leaves");
    let mut at = 0;
    while at < size {
        let page = stored(store, at, (at + STEP).min(size)).await.map_err(|cause| failed(&cause))?;
        draft.append(&page)?;
        at += page.leaves.len() as u64;
        progress.show(at, size);
    }
    draft.finish(document)
}

/// Leaves from an index up to another, and their heads.
async fn stored(store: &LogStore, from: u64, end: u64) -> Result<Page, StoreError> {
    let leaves = store.leaves(from, (end - from) as usize).await?;
    let mut heads = store.heads(Some(end + 1), (end - from) as usize).await?;
    heads.reverse();
    heads.retain(|head| head.head.tree_size > from);
    if leaves.is_empty() {
        return Err(StoreError::internal("read the log", "a leaf is missing"));
    }
    Ok(Page {
        leaves: leaves.into_iter().map(|leaf| leaf.registration).collect(),
        heads,
    })
}

/// Verifies the files of an export wholly, then appends what a log lacks: one that is empty, or that is their beginning, as an older
/// copy of it is. With `again` the log is as an import that was cut off left it.
///
/// # Errors
/// The fault of the files, or a [`Failure`].
pub async fn import(folder: &Path, store: &LogStore, again: bool) -> Result<Moved, Stopped> {
    let state = store.state().await.map_err(|cause| failed(&cause))?;
    if state.pending.is_some() {
        return Err(proposed().into());
    }
    let text = folder.display().to_string();
    let auditor = audited(&text, Signatures::All).await?;
    let (size, document) = (auditor.last().map_or(0, |head| head.head.tree_size), auditor.document());

    let wrong = |cause: StoreError| Stopped::Failure(failed(&cause));
    let begun = again || state.log_id.is_none() || goes_on(&state, &text, document).await?;
    if !begun || state.log_id.is_some_and(|log_id| log_id != document.log_id) || state.size > size {
        return Err(in_use().into());
    }
    store.begin(document.log_id).await.map_err(wrong)?;
    store.set_keys(document.cosigners.clone()).await.map_err(wrong)?;
    let mut source = Source::open(&text)?;
    let mut progress = Progress::new("leaves imported");
    let mut moved = Moved { leaves: 0, heads: 0 };
    let mut waiting = Page::default();
    let mut at = state.size;
    while at < size {
        let page = source.page(at, (at + STEP).min(size)).await?;
        at += page.leaves.len() as u64;
        waiting.leaves.extend(page.leaves);
        waiting.heads.extend(page.heads);
        // What is appended must end with a head.
        if waiting.heads.last().is_some_and(|head| head.head.tree_size == at) {
            let Page { leaves, heads } = std::mem::take(&mut waiting);
            moved.leaves += leaves.len() as u64;
            moved.heads += heads.len() as u64;
            store.append_published(leaves, heads).await.map_err(wrong)?;
        }
        progress.show(at, size);
    }
    Ok(moved)
}

/// The verified files of a folder.
async fn audited(folder: &str, signatures: Signatures) -> Result<Auditor, Stopped> {
    let rules = Rules {
        state: None,
        pinned: None,
        signatures,
    };
    let mut source = Source::open(folder)?;
    let mut auditor = Auditor::begin(&source, rules).await?;
    auditor.advance(&mut source, Progress::new("leaves verified")).await?;
    Ok(auditor)
}

/// Is what is stored the beginning of this export, and under keys that those of the export follow?
async fn goes_on(state: &LogState, folder: &str, document: &KeyDocument) -> Result<bool, Stopped> {
    let Some(head) = &state.head else { return Ok(false) };
    let stored = KeyHistory(state.keys.iter().map(|stored| stored.key.clone()).collect());
    let keys = keys_follow(&document.log_id, &stored, &document.keys());
    let size = head.head.tree_size;
    let page = Source::open(folder)?.page(size - 1, size + 1).await?;
    let same = page.heads.iter().any(|known| known.head == head.head);
    // A leaf more, or there is nothing to import.
    Ok(same && keys.is_ok() && page.leaves.len() == 2)
}

fn in_use() -> Failure {
    Failure::new(
        Exit::Usage,
        "There is a key log in this data directory already, and it is not the beginning of this one.",
        "Import into a data directory in which no server has run, or into an older copy of the same log.",
    )
}

fn proposed() -> Failure {
    Failure::new(
        Exit::Usage,
        "The key log of this data directory holds a proposal that is not published.",
        "Start the server until its cosigners have signed it. If they refuse, put the copy back that has no proposal, and import into that.",
    )
}

/// Writes the files of an export anew, without blank lines and spaces, after verifying them. They are replaced only if nothing was lost.
///
/// # Errors
/// The fault of the files, or a [`Failure`].
pub async fn compact(folder: &Path) -> Result<(u64, u64), Stopped> {
    let text = folder.display().to_string();
    let auditor = audited(&text, Signatures::Newest(0)).await?;
    let size = auditor.last().map_or(0, |head| head.head.tree_size);
    let before = bytes(folder);

    let target = folder.with_added_extension("compacted");
    let mut draft = Draft::begin(&target)?;
    let mut source = Source::open(&text)?;
    let mut at = 0;
    while at < size {
        let page = source.page(at, (at + STEP).min(size)).await?;
        at += page.leaves.len() as u64;
        draft.append(&page)?;
    }
    draft.finish(auditor.document())?;
    // The new files are the same log, so it does not matter which of them a crash leaves in place.
    for name in [LEAVES, HEADS] {
        fs::rename(target.join(name), folder.join(name)).map_err(|cause| data::unwritable(folder, &cause))?;
    }
    let swept = fs::remove_dir_all(&target).and_then(|()| File::open(folder)?.sync_all());
    swept.map_err(|cause| data::unwritable(folder, &cause))?;
    Ok((before, bytes(folder)))
}

fn bytes(folder: &Path) -> u64 {
    let size = |name| fs::metadata(folder.join(name)).map_or(0, |metadata| metadata.len());
    [LEAVES, HEADS].map(size).iter().sum()
}

fn failed(cause: &StoreError) -> Failure {
    let why = std::error::Error::source(cause).map_or_else(|| cause.to_string(), |source| format!("{cause}: {source}"));
    Failure::new(
        Exit::Store,
        format!("The key log can't be used: {why}."),
        "Make room on the disk if it is full, then try again.",
    )
}
