//! Publishing: one batch after the other, never two histories.
//!
//! A batch is decided by what is published, proposed in one durable write, cosigned, and published in a second. If anything fails in
//! between, the same bytes are tried again, here or after a restart.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use nexus_crypto::hashes::Hash;
use nexus_crypto::logs::LogId;
use nexus_crypto::proposals::Proposal;
use nexus_crypto::registrations::{Id, Registration};
use nexus_crypto::tree_heads::{HeadSignature, POLICY, PrevHash, TreeHead, UnsignedHead};
use nexus_crypto::trees::RightEdge;
use nexus_store::StoreError;
use nexus_store::transparency::{Batch, Leaf, LogState, LogStore};
use nexus_types::limits::LOG_BATCH_MAX;
use tokio::sync::{mpsc, oneshot, watch};

use super::StartError;
use super::cosign::{Asked, Question, Signed, round};
use super::register::{Book, Decision, Registered, not_published, published};
use crate::clock::Clock;
use crate::errors::{Error, Result};

/// Between two tries of what failed.
const AGAIN_MIN: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(2);

/// From so many in a batch on, more are waited for.
const CROWD_MIN: usize = 8;
/// How often others get their turn before a batch is closed.
const GATHER_TURNS_MAX: usize = 64;

/// What readers see.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// Leaves.
    pub size: u64,
    /// Different ids.
    pub users: u64,
    /// Heads.
    pub heads: u64,
    /// The latest.
    pub head: Option<Arc<TreeHead>>,
    /// Leaves that are proposed and not published yet.
    pub pending: u64,
    /// Did the last try to publish them fail?
    pub stuck: bool,
}

/// A registration whose caller waits.
pub(super) struct Waiting {
    pub(super) registration: Registration,
    pub(super) answer: oneshot::Sender<Result<Registered>>,
}

/// Who waits for which leaf of the batch, and whether it is new.
struct Awaited {
    answer: oneshot::Sender<Result<Registered>>,
    index: u64,
    new: bool,
}

/// The one who publishes.
pub(super) struct Publisher {
    id: LogId,
    store: LogStore,
    clock: Clock,
    seats: Arc<[Asked]>,
    /// No head may be older: the keys of its time must be those of today.
    not_before_s: i64,
    edge: RightEdge,
    pending: Option<Batch>,
    /// Leaves of the last batch.
    crowd: usize,
    view: watch::Sender<Published>,
}

/// Was publishing told to stop?
type Stopped = ControlFlow<()>;

impl Publisher {
    pub(super) fn new(id: LogId, store: LogStore, clock: Clock, seats: Arc<[Asked]>, state: LogState) -> Result<Self, StartError> {
        let from_s = |stored: &nexus_store::transparency::StoredKey| stored.key.from_s;
        let not_before_s = state.keys.iter().map(from_s).max().unwrap_or(0);
        let mut publisher = Self {
            id,
            store,
            clock,
            seats,
            not_before_s,
            edge: RightEdge::default(),
            pending: None,
            crowd: 0,
            view: watch::Sender::default(),
        };
        publisher.take(state).map_err(StartError::Damaged)?;
        Ok(publisher)
    }

    pub(super) fn published(&self) -> watch::Receiver<Published> {
        self.view.subscribe()
    }

    /// Goes on from what is stored.
    fn take(&mut self, state: LogState) -> std::result::Result<(), &'static str> {
        let edge = RightEdge::restore(state.size, state.peaks).ok_or("it lacks a peak of the tree")?;
        let head = state.head.as_ref().map(|head| (head.head.tree_size, head.head.root));
        if head.unwrap_or((0, Hash::EMPTY)) != (edge.size(), edge.root()) {
            return Err("its newest head is not that of its tree");
        }
        self.edge = edge;
        self.view.send_replace(Published {
            size: state.size,
            users: state.users,
            heads: state.heads,
            head: state.head.map(Arc::new),
            pending: state.pending.as_ref().map_or(0, |batch| batch.registrations.len() as u64),
            stuck: false,
        });
        self.pending = state.pending;
        Ok(())
    }

    /// Publishes until told to stop.
    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Waiting>, mut stop: watch::Receiver<bool>) {
        loop {
            if let Some(batch) = self.pending.take()
                && self.finish(batch, None, vec![], &mut stop).await.is_break()
            {
                return;
            }
            let first = tokio::select! {
                first = waiting.recv() => first,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let Some(first) = first else { return };
            self.gather(&waiting).await;
            let mut batch = vec![first];
            while batch.len() < LOG_BATCH_MAX
                && let Ok(next) = waiting.try_recv()
            {
                batch.push(next);
            }
            // Who went away was told to come back, and will.
            batch.retain(|waiting| !waiting.answer.is_closed());
            if self.publish(batch, &mut stop).await.is_break() {
                return;
            }
        }
    }

    /// Where many come at once, lets those who are about to ask do so: one batch more costs a round of cosigning and three writes. Nobody
    /// waits for a timer, only for what is ready to run.
    async fn gather(&self, waiting: &mpsc::Receiver<Waiting>) {
        let mut before = 0;
        for _ in 0..GATHER_TURNS_MAX {
            if self.crowd < CROWD_MIN || waiting.len() + 1 >= LOG_BATCH_MAX {
                return;
            }
            tokio::task::yield_now().await;
            if waiting.len() == before {
                return;
            }
            before = waiting.len();
        }
    }

    /// Decides about some registrations, and publishes those that are new.
    async fn publish(&mut self, waiting: Vec<Waiting>, stop: &mut watch::Receiver<bool>) -> Stopped {
        let mut book = match self.book(&waiting).await {
            Ok(book) => book,
            Err(cause) => {
                refuse_all(waiting.into_iter().map(|waiting| waiting.answer), &cause.into());
                return ControlFlow::Continue(());
            }
        };
        let (mut registrations, mut awaited) = (vec![], vec![]);
        for Waiting { registration, answer } in waiting {
            match book.decide(&registration) {
                Decision::New(index) => {
                    registrations.push(registration);
                    awaited.push(Awaited { answer, index, new: true });
                }
                Decision::Existing(index) if index >= self.edge.size() => awaited.push(Awaited { answer, index, new: false }),
                Decision::Existing(index) => self.answer_existing(index, answer),
                Decision::Refused(code) => drop(answer.send(Err(Error::refused(code)))),
            }
        }
        if registrations.is_empty() {
            return ControlFlow::Continue(());
        }
        self.crowd = registrations.len();
        let users = Some(book.new_ids());
        let batch = self.batch(registrations);
        if let Err(cause) = self.store.propose(Arc::new(batch.clone())).await {
            refuse_all(awaited.into_iter().map(|awaited| awaited.answer), &cause.into());
            return self.reload(stop).await;
        }
        self.finish(batch, users, awaited, stop).await
    }

    /// The ids that a batch names, as they stand.
    async fn book(&self, waiting: &[Waiting]) -> std::result::Result<Book, StoreError> {
        let mut ids: Vec<Id> = waiting.iter().map(|waiting| waiting.registration.id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        let current = self.store.current(ids).await?;
        let mut histories = HashMap::<Id, Vec<Leaf>>::new();
        for Waiting { registration, .. } in waiting.iter().filter(|waiting| waiting.registration.rotation.is_some()) {
            if current.contains_key(&registration.id) && !histories.contains_key(&registration.id) {
                let history = self.store.history(registration.id.clone()).await?;
                histories.insert(registration.id.clone(), history);
            }
        }
        Ok(Book::new(self.id, self.edge.size(), current, &histories))
    }

    /// The heads of new leaves, one each.
    fn batch(&self, registrations: Vec<Registration>) -> Batch {
        let latest = self.view.borrow().head.clone();
        let last_s = latest.as_ref().map_or(0, |head| head.head.timestamp);
        let timestamp = (self.clock.now_ms() / 1_000).max(last_s).max(self.not_before_s);
        let mut prev_hash = PrevHash(latest.map(|head| head.head.hash()));
        let mut edge = self.edge.clone();
        let head = |registration: &Registration| {
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
        Batch {
            first: self.edge.size(),
            heads: registrations.iter().map(head).collect(),
            registrations,
        }
    }

    /// Has a proposed batch cosigned and publishes it, however often it takes. Who waits is told after the first failure. `users` are the
    /// ids that it brings, if that is known.
    async fn finish(&mut self, batch: Batch, users: Option<u64>, mut awaited: Vec<Awaited>, stop: &mut watch::Receiver<bool>) -> Stopped {
        let batch = Arc::new(batch);
        self.view.send_modify(|view| view.pending = batch.registrations.len() as u64);
        let question = self.question(&batch);
        let mut again = AGAIN_MIN;
        // What was signed is kept: only the write is tried again, and cosigners are never asked about what may be published already.
        let mut ready = None;
        let heads = loop {
            let tried = match &ready {
                None => self.ready(&batch, users, &question).await.map(|made| ready = Some(made)),
                Some(ready) => match self.store.publish(batch.clone(), ready.heads.clone()).await {
                    Ok(()) => break self.show(&question, ready),
                    Err(cause) => Err(cause.into()),
                },
            };
            if let Err(cause) = tried {
                self.view.send_modify(|view| view.stuck = true);
                refuse_all(awaited.drain(..).map(|awaited| awaited.answer), &cause);
                rest(again, stop).await?;
                again = (again * 2).min(AGAIN_MAX);
            }
        };
        for Awaited { answer, index, new } in awaited {
            let registered = Registered {
                new,
                tree_size: index + 1,
                leaf_index: index,
                sth: heads[(index - batch.first) as usize].clone(),
            };
            // Who went away will come back and find the leaf.
            answer.send(Ok(registered)).ok();
        }
        ControlFlow::Continue(())
    }

    fn question(&self, batch: &Batch) -> Question {
        let before = self.view.borrow().head.as_ref().map(|head| head.head.hash());
        let proposal = Proposal {
            log_id: self.id,
            first: batch.first,
            before,
            leaves: batch.registrations.iter().map(Registration::leaf).collect(),
            heads: batch.heads.clone(),
        };
        Question {
            hashes: batch.heads.iter().map(UnsignedHead::hash).collect(),
            proposal: Arc::new(proposal),
            now_s: self.clock.now_ms() / 1_000,
        }
    }

    /// One round of cosigning, and what else is to be known before the publishing write.
    async fn ready(&self, batch: &Batch, users: Option<u64>, question: &Question) -> std::result::Result<Ready, Failed> {
        let signed = round(&self.seats, &self.store, question).await.ok_or(Failed::NoQuorum)?;
        let users = match users {
            Some(users) => users,
            None => self.new_users(batch).await?,
        };
        Ok(Ready {
            heads: self.signed(batch, &signed),
            users,
        })
    }

    /// Lets readers see what was published, and gives its heads.
    fn show(&mut self, question: &Question, ready: &Ready) -> Vec<Arc<TreeHead>> {
        for leaf in &question.proposal.leaves {
            self.edge.append(*leaf);
        }
        let heads: Vec<_> = ready.heads.iter().cloned().map(Arc::new).collect();
        self.view.send_modify(|view| {
            view.size = self.edge.size();
            view.users += ready.users;
            view.heads += heads.len() as u64;
            view.head = heads.last().cloned();
            view.pending = 0;
            view.stuck = false;
        });
        heads
    }

    fn signed(&self, batch: &Batch, signed: &[Signed]) -> Vec<TreeHead> {
        let head = |(place, head): (usize, &UnsignedHead)| TreeHead {
            head: *head,
            signatures: signed
                .iter()
                .map(|(seat, signatures)| HeadSignature {
                    cosigner: self.seats[*seat].name().to_owned(),
                    sig: signatures[place],
                })
                .collect(),
        };
        batch.heads.iter().enumerate().map(head).collect()
    }

    /// How many ids a batch brings. It is not published yet, so what is stored is what was before it.
    async fn new_users(&self, batch: &Batch) -> std::result::Result<u64, StoreError> {
        let mut ids: Vec<Id> = batch.registrations.iter().map(|registration| registration.id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        let all = ids.len();
        Ok((all - self.store.current(ids).await?.len()) as u64)
    }

    /// After a proposal of unknown outcome: what became of it?
    async fn reload(&mut self, stop: &mut watch::Receiver<bool>) -> Stopped {
        let mut again = AGAIN_MIN;
        loop {
            let taken = match self.store.state().await {
                Ok(state) => self.take(state).map_err(str::to_owned),
                Err(cause) => Err(cause.to_string()),
            };
            let Err(cause) = taken else { return ControlFlow::Continue(()) };
            tracing::error!(cause, "the key log can't be read; it is tried again");
            rest(again, stop).await?;
            again = (again * 2).min(AGAIN_MAX);
        }
    }

    /// Answers with a leaf that was published before, beside the publishing.
    fn answer_existing(&self, index: u64, answer: oneshot::Sender<Result<Registered>>) {
        let (store, latest) = (self.store.clone(), self.view.borrow().head.clone());
        tokio::spawn(async move {
            let registered = published(&store, latest, index).await;
            answer.send(registered).ok();
        });
    }
}

/// A batch that only needs to be written.
struct Ready {
    heads: Vec<TreeHead>,
    /// Ids that it brings.
    users: u64,
}

/// Why a batch is not published yet.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("fewer than two cosigners signed")]
    NoQuorum,
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn refuse_all(answers: impl Iterator<Item = oneshot::Sender<Result<Registered>>>, cause: &Failed) {
    tracing::warn!(%cause, "registrations are not published yet");
    for answer in answers {
        let error = match cause {
            Failed::NoQuorum => not_published(),
            Failed::Store(cause) => cause.clone().into(),
        };
        answer.send(Err(error)).ok();
    }
}

async fn rest(time: Duration, stop: &mut watch::Receiver<bool>) -> Stopped {
    tokio::select! {
        () = tokio::time::sleep(time) => ControlFlow::Continue(()),
        _ = stop.wait_for(|stop| *stop) => ControlFlow::Break(()),
    }
}
