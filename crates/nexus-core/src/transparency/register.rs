//! Registering a key: what is asked, what is decided, what is answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nexus_crypto::keys::{KeyBytes, PublicKey};
use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::{BadRotation, Id, InvalidRegistration, Registration, Rotation};
use nexus_crypto::tree_heads::TreeHead;
use nexus_store::transparency::{Leaf, LogStore};
use nexus_types::ErrorCode;
use nexus_types::limits::ID_HISTORY_MAX;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Log;
use super::publish::Waiting;
use crate::errors::{Error, Result};

/// How long a registration waits for its head before its caller is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// When to come back.
const COME_BACK_MS: i64 = 2_000;
/// Ids of this instance's own accounts begin so; they are registered by signing in, not by whoever comes first.
const RESERVED: &str = "did:nexus:";

/// What is to be registered, as it came.
///
/// # Shape
/// `{"id", "public_key", "timestamp", "rotation"?: {"old", "new"}}`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the contract's names")]
pub struct Draft {
    pub id: String,
    pub public_key: String,
    pub timestamp: i64,
    #[serde(default)]
    pub rotation: Option<Rotation>,
}

impl Draft {
    fn parse(self, now_s: i64) -> Result<Registration> {
        let refused = |cause: InvalidRegistration| match cause {
            InvalidRegistration::Id => ErrorCode::InvalidDid,
            InvalidRegistration::Timestamp => ErrorCode::InvalidTimestamp,
        };
        let id = Id::parse(&self.id).map_err(refused)?;
        let key = PublicKey::parse(&self.public_key).map_err(|_| ErrorCode::InvalidPublicKey)?;
        let mut registration = Registration::new(id, key, self.timestamp, now_s).map_err(refused)?;
        if self.id.starts_with(RESERVED) {
            return Err(Error::refused(ErrorCode::DidReserved));
        }
        registration.rotation = self.rotation;
        Ok(registration)
    }
}

/// A registration and the head that was published with it.
///
/// # Shape
/// `{"tree_size", "leaf_index", "sth"}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// Is the leaf new, or did it stand there already?
    #[serde(skip)]
    pub new: bool,
    /// The size of its head.
    pub tree_size: u64,
    /// Where the leaf stands.
    pub leaf_index: u64,
    /// Its head.
    pub sth: Arc<TreeHead>,
}

impl Log {
    /// Registers a key. The answer comes once leaf and signed head are published together.
    ///
    /// # Errors
    /// What is wrong with the draft, a conflict with the id's key, or [`ErrorCode::NotPublished`]: then the same draft may be sent again.
    pub async fn register(&self, draft: Draft) -> Result<Registered> {
        let registration = draft.parse(self.0.clock.now_ms() / 1_000)?;
        // The publisher looks as well, and in order; but while it can't publish, nobody has to wait for what needs no publishing.
        if self.0.published.borrow().stuck
            && let Some(answer) = self.without_publishing(&registration).await?
        {
            return Ok(answer);
        }
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { registration, answer };
        self.0.queue.try_send(waiting).map_err(|_| not_published())?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(not_published()),
        }
    }
}

impl Log {
    /// The answer to a registration that stands in the log, or that its id's key rules out.
    async fn without_publishing(&self, registration: &Registration) -> Result<Option<Registered>> {
        let Some(leaf) = self.current(registration.id.clone()).await? else {
            return Ok(None);
        };
        if leaf.registration.public_key == registration.public_key {
            return published(&self.0.store, self.latest(), leaf.index).await.map(Some);
        }
        if registration.rotation.is_none() {
            return Err(Error::refused(ErrorCode::DidTaken));
        }
        Ok(None)
    }
}

/// A leaf that was published before, with its head. An imported log may have fewer heads than leaves; the latest stands for any leaf
/// below it.
pub(super) async fn published(store: &LogStore, latest: Option<Arc<TreeHead>>, index: u64) -> Result<Registered> {
    let head = store.head_at(index + 1).await?.map(Arc::new);
    let sth = head.or(latest).ok_or_else(not_published)?;
    Ok(Registered {
        new: false,
        tree_size: sth.head.tree_size,
        leaf_index: index,
        sth,
    })
}

/// The caller is to come back.
pub(super) fn not_published() -> Error {
    Error::later(ErrorCode::NotPublished, COME_BACK_MS)
}

/// What becomes of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// A new leaf, at this index.
    New(u64),
    /// It stands at this index.
    Existing(u64),
    /// It can't be.
    Refused(ErrorCode),
}

/// What a batch is decided by: the ids that it names as they stand after what was decided so far.
pub(super) struct Book {
    log_id: LogId,
    next: u64,
    ids: HashMap<Id, Page>,
    new_ids: u64,
}

struct Page {
    index: u64,
    current: Registration,
    left: Vec<KeyBytes>,
}

impl Book {
    /// The ids of a batch: `current` leaves, and the whole histories of those that are to change their key.
    pub(super) fn new(log_id: LogId, next: u64, current: HashMap<Id, Leaf>, histories: &HashMap<Id, Vec<Leaf>>) -> Self {
        let page = |(id, leaf): (Id, Leaf)| {
            let keys = histories.get(&id).into_iter().flatten().map(|leaf| leaf.registration.public_key);
            let left = keys.filter(|key| *key != leaf.registration.public_key).collect();
            let page = Page {
                index: leaf.index,
                current: leaf.registration,
                left,
            };
            (id, page)
        };
        Self {
            log_id,
            next,
            ids: current.into_iter().map(page).collect(),
            new_ids: 0,
        }
    }

    /// Ids that were not there before.
    pub(super) fn new_ids(&self) -> u64 {
        self.new_ids
    }

    /// Decides about one, and remembers it.
    pub(super) fn decide(&mut self, registration: &Registration) -> Decision {
        let index = self.next;
        if let Some(page) = self.ids.get_mut(&registration.id) {
            match registration.may_follow(&page.current, &page.left, &self.log_id) {
                Ok(()) if page.left.len() + 1 >= ID_HISTORY_MAX => return Decision::Refused(ErrorCode::TooManyKeys),
                Ok(()) => {
                    page.left.push(page.current.public_key);
                    (page.current, page.index) = (registration.clone(), index);
                }
                Err(BadRotation::SameKey) => return Decision::Existing(page.index),
                Err(BadRotation::Missing) => return Decision::Refused(ErrorCode::DidTaken),
                Err(BadRotation::KeyReturned) => return Decision::Refused(ErrorCode::KeyReturned),
                Err(BadRotation::NotLater) => return Decision::Refused(ErrorCode::RotationNotLater),
                Err(BadRotation::Invalid) => return Decision::Refused(ErrorCode::RotationInvalid),
            }
        } else if registration.rotation.is_some() {
            return Decision::Refused(ErrorCode::RotationInvalid);
        } else {
            let page = Page {
                index,
                current: registration.clone(),
                left: vec![],
            };
            self.ids.insert(registration.id.clone(), page);
            self.new_ids += 1;
        }
        self.next += 1;
        Decision::New(index)
    }
}

#[cfg(test)]
mod tests {
    use nexus_crypto::keys::SigningKey;
    use nexus_crypto::registrations::rotation_message;

    use super::*;

    const LOG: LogId = LogId([1; 32]);

    fn key(number: u8) -> SigningKey {
        SigningKey::from_seed(&[number; 32])
    }

    fn plain(id: &str, number: u8, time_s: i64) -> Registration {
        let id = Id::parse(id).expect("a good id");
        Registration::new(id, key(number).public(), time_s, time_s).expect("a good time")
    }

    fn rotated(from: &Registration, by: u8, to: u8, time_s: i64) -> Registration {
        let mut next = plain(from.id.as_str(), to, time_s);
        let message = rotation_message(&LOG, &from.leaf(), &next.leaf());
        next.rotation = Some(Rotation {
            old: key(by).sign(&message),
            new: key(to).sign(&message),
        });
        next
    }

    #[test]
    fn a_batch_is_decided_in_order_and_by_itself() {
        let stored = Leaf {
            index: 3,
            registration: plain("old", 1, 10),
        };
        let id = stored.registration.id.clone();
        let mut book = Book::new(LOG, 7, HashMap::from([(id, stored.clone())]), &HashMap::new());
        let second = rotated(&stored.registration, 1, 2, 11);
        for (registration, decision) in [
            (plain("new", 5, 10), Decision::New(7)),
            (plain("new", 5, 12), Decision::Existing(7)),
            (plain("new", 6, 12), Decision::Refused(ErrorCode::DidTaken)),
            (plain("old", 1, 99), Decision::Existing(3)),
            (
                rotated(&stored.registration, 9, 2, 11),
                Decision::Refused(ErrorCode::RotationInvalid),
            ),
            (
                rotated(&stored.registration, 1, 2, 10),
                Decision::Refused(ErrorCode::RotationNotLater),
            ),
            (second.clone(), Decision::New(8)),
            (second.clone(), Decision::Existing(8)),
            (
                rotated(&stored.registration, 1, 3, 12),
                Decision::Refused(ErrorCode::RotationInvalid),
            ),
            (rotated(&second, 2, 1, 12), Decision::Refused(ErrorCode::KeyReturned)),
            (rotated(&second, 2, 3, 12), Decision::New(9)),
            (
                rotated(&plain("ghost", 1, 1), 1, 2, 5),
                Decision::Refused(ErrorCode::RotationInvalid),
            ),
        ] {
            assert_eq!(book.decide(&registration), decision, "{registration:?}");
        }
    }

    #[test]
    fn a_key_that_was_left_long_ago_never_returns() {
        let (first, second) = (plain("a", 1, 10), rotated(&plain("a", 1, 10), 1, 2, 11));
        let leaf = |index: u64, registration: &Registration| Leaf {
            index,
            registration: registration.clone(),
        };
        let id = first.id.clone();
        let history = HashMap::from([(id.clone(), vec![leaf(0, &first), leaf(1, &second)])]);
        let mut book = Book::new(LOG, 2, HashMap::from([(id, leaf(1, &second))]), &history);
        assert_eq!(book.decide(&rotated(&second, 2, 1, 12)), Decision::Refused(ErrorCode::KeyReturned));
    }

    #[test]
    fn an_id_has_an_end_of_keys() {
        let first = plain("a", 1, 10);
        let history: Vec<_> = (0..ID_HISTORY_MAX as u64 - 1)
            .map(|index| {
                let mut registration = first.clone();
                registration.public_key.0[..8].copy_from_slice(&index.to_be_bytes());
                Leaf { index, registration }
            })
            .collect();
        let id = first.id.clone();
        let book = |leaves: &[Leaf]| {
            let mut leaves = leaves.to_vec();
            leaves.last_mut().expect("there are leaves").registration = first.clone();
            let last = leaves[leaves.len() - 1].clone();
            Book::new(
                LOG,
                5_000,
                HashMap::from([(id.clone(), last)]),
                &HashMap::from([(id.clone(), leaves)]),
            )
        };
        let next = rotated(&first, 1, 2, 11);
        let mut full = book(&history);
        assert_eq!(full.decide(&next), Decision::New(5_000));
        assert_eq!(full.decide(&rotated(&next, 2, 3, 12)), Decision::Refused(ErrorCode::TooManyKeys));
        assert_eq!(full.decide(&next), Decision::Existing(5_000), "what stands there is still found");
    }

    #[test]
    fn a_draft_is_refused_by_what_is_wrong_with_it() {
        let key = serde_json::to_value(key(1).public()).expect("it serialises");
        let draft = Draft {
            id: "did:nexo:a".into(),
            public_key: key.as_str().expect("text").into(),
            timestamp: 100,
            rotation: None,
        };
        assert!(draft.clone().parse(100).is_ok());
        let code = |change: fn(&mut Draft)| {
            let mut bad = draft.clone();
            change(&mut bad);
            bad.parse(100).expect_err("it is bad").code()
        };
        assert_eq!(code(|draft| draft.id = "a b".into()), Some(ErrorCode::InvalidDid));
        assert_eq!(code(|draft| draft.public_key = "AAAA".into()), Some(ErrorCode::InvalidPublicKey));
        assert_eq!(code(|draft| draft.timestamp = -1), Some(ErrorCode::InvalidTimestamp));
        assert_eq!(code(|draft| draft.timestamp = 401), Some(ErrorCode::InvalidTimestamp));
        assert_eq!(code(|draft| draft.id = "did:nexus:a".into()), Some(ErrorCode::DidReserved));
    }
}
