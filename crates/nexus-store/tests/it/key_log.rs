//! A key log for tests: registrations, batches with right heads, and a place where a log can be opened again and again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::{KeyBytes, Signature, SigningKey};
use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::{Id, Registration, Rotation};
use nexus_crypto::tree_heads::{CosignerKey, EndedAt, HeadSignature, POLICY, PrevHash, TreeHead, UnsignedHead};
use nexus_crypto::trees::RightEdge;
use nexus_store::transparency::{Batch, JsonlOptions, LogState, LogStore, StoredKey};
use nexus_store::{Db, Options, StoreError};
use tempfile::TempDir;

use crate::support;

pub(crate) const LOG: LogId = LogId([7; 32]);

/// Makes a test of every law, per backend. A law is `async fn(home: Home)`.
macro_rules! on_each_log {
    ($($law:ident),+ $(,)?) => {
        mod sql {
            $(#[test]
            fn $law() {
                $crate::support::run(async { super::$law($crate::key_log::Home::sql()).await; });
            })+
        }
        mod jsonl {
            $(#[test]
            fn $law() {
                $crate::support::run(async { super::$law($crate::key_log::Home::jsonl()).await; });
            })+
        }
    };
}

enum Kind {
    Sql(Option<Db>),
    Jsonl,
}

/// Where a log lives.
pub(crate) struct Home {
    folder: TempDir,
    kind: Kind,
    copies: usize,
}

/// How much room a disk has.
#[derive(Clone, Copy)]
pub(crate) enum Room {
    Enough,
    /// For a few hundred leaves.
    Small,
}

impl Home {
    pub(crate) fn sql() -> Self {
        Self::new(Kind::Sql(None))
    }

    pub(crate) fn jsonl() -> Self {
        Self::new(Kind::Jsonl)
    }

    fn new(kind: Kind) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            kind,
            copies: 0,
        }
    }

    /// The folder of the files.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().join("transparency")
    }

    /// Opens the log; every handle of an earlier opening must be gone.
    pub(crate) async fn open(&mut self) -> LogStore {
        self.open_with(Room::Enough).await
    }

    pub(crate) async fn open_with(&mut self, room: Room) -> LogStore {
        let folder = self.folder();
        match &mut self.kind {
            Kind::Sql(db) => {
                if let Some(db) = db.take() {
                    db.close().await;
                }
                let max_page_count = matches!(room, Room::Small).then_some(150);
                let options = Options {
                    max_page_count,
                    ..support::options()
                };
                let opened = support::open(&self.folder, options);
                *db = Some(opened.clone());
                LogStore::sql(opened)
            }
            Kind::Jsonl => {
                let bytes_max = matches!(room, Room::Small).then_some(200_000);
                LogStore::jsonl(&folder, JsonlOptions { bytes_max }).expect("the files open")
            }
        }
    }

    /// Opens a copy of what is on the disk at this moment, as after `kill -9`. The first one is gone.
    pub(crate) async fn kill_and_open(&mut self) -> LogStore {
        self.copies += 1;
        let copy = tempfile::tempdir().expect("a temporary folder");
        copy_folder(self.folder.path(), copy.path());
        if let Kind::Sql(db) = &mut self.kind
            && let Some(db) = db.take()
        {
            db.close().await;
        }
        self.folder = copy;
        self.open().await
    }
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for file in fs::read_dir(from).expect("the folder is read") {
        let file = file.expect("a file");
        let target = to.join(file.file_name());
        if file.file_type().expect("a type").is_dir() {
            fs::create_dir_all(&target).expect("a folder is made");
            copy_folder(&file.path(), &target);
        } else {
            fs::copy(file.path(), &target).expect("the file is copied");
        }
    }
}

pub(crate) fn id(name: &str) -> Id {
    Id::parse(name).expect("a good id")
}

/// A registration whose key is 32 times the same byte; only the 0th key of an id has no rotation.
pub(crate) fn registration(name: &str, key: u8, timestamp_s: i64) -> Registration {
    let rotation = (key > 0).then_some(Rotation {
        old: Signature([key; 64]),
        new: Signature([key + 1; 64]),
    });
    Registration {
        id: id(name),
        public_key: KeyBytes([key; 32]),
        timestamp_s,
        rotation,
    }
}

/// So many people's first registrations.
pub(crate) fn people(numbers: std::ops::Range<u64>) -> Vec<Registration> {
    numbers
        .map(|number| registration(&format!("did:nexo:{number}"), 0, number as i64))
        .collect()
}

/// A batch with right heads, one for each leaf, of a time.
pub(crate) fn batch(state: &LogState, registrations: Vec<Registration>, timestamp: i64) -> Batch {
    let mut edge = RightEdge::restore(state.size, state.peaks.clone()).expect("the peaks fit the size");
    let mut prev_hash = PrevHash(state.head.as_ref().map(|signed| signed.head.hash()));
    let mut head = |registration: &Registration| {
        edge.append(registration.leaf());
        let head = UnsignedHead {
            tree_size: edge.size(),
            root: edge.root(),
            prev_hash,
            policy: POLICY,
            timestamp,
        };
        prev_hash = PrevHash(Some(head.hash()));
        head
    };
    let heads = registrations.iter().map(&mut head).collect();
    Batch {
        first: state.size,
        registrations,
        heads,
    }
}

/// Signed by two; the store does not look at signatures.
pub(crate) fn sign(batch: &Batch) -> Vec<TreeHead> {
    let sign = |head: &UnsignedHead| TreeHead {
        head: *head,
        signatures: ["cosigner_0", "cosigner_2"]
            .map(|cosigner| HeadSignature {
                cosigner: cosigner.into(),
                sig: Signature([head.tree_size as u8; 64]),
            })
            .into(),
    };
    batch.heads.iter().map(sign).collect()
}

/// Proposes and publishes.
pub(crate) async fn publish(log: &LogStore, registrations: Vec<Registration>, timestamp: i64) -> Result<Vec<TreeHead>, StoreError> {
    let batch = Arc::new(batch(&log.state().await?, registrations, timestamp));
    log.propose(Arc::clone(&batch)).await?;
    let heads = sign(&batch);
    log.publish(batch, heads.clone()).await?;
    Ok(heads)
}

/// A log that is begun and holds so many people.
pub(crate) async fn begun_with(log: &LogStore, people_count: u64) {
    log.begin(LOG).await.expect("it begins");
    let mut at = 0;
    while at < people_count {
        let end = people_count.min(at + 100);
        publish(log, people(at..end), 1_000).await.expect("it is published");
        at = end;
    }
}

pub(crate) fn key(name: &str, seed: u8, from_s: i64) -> StoredKey {
    let secret = SigningKey::from_seed(&[seed; 32]);
    StoredKey {
        key: CosignerKey {
            cosigner: name.into(),
            public_key: secret.public(),
            from_s,
            until_s: (seed > 1).then_some(from_s + 5),
            endorsement: (seed > 2).then(|| secret.sign(b"x")),
            ended_at: (seed > 1).then(|| EndedAt {
                tree_size: u64::from(seed),
                head: Hash::of(&[seed]),
            }),
        },
        operator: format!("operator {seed}"),
        url: (seed > 3).then(|| "https://cosigner.example".into()),
    }
}

/// The root, level by level, as the contract says it in words.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let pairs = level.chunks(2);
        level = pairs
            .map(|pair| {
                if let [left, right] = pair {
                    Hash::node(left, right)
                } else {
                    pair[0]
                }
            })
            .collect();
    }
    level.first().copied().unwrap_or(Hash::EMPTY)
}
