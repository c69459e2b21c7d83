//! Asking the three cosigners: in parallel, with a deadline; one that is away is normal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::{PublicKey, Signature};
use nexus_crypto::proposals::{EXTENSION_LEAVES_MAX, Extension, Proposal};
use nexus_crypto::tree_heads::POLICY;
use nexus_store::transparency::LogStore;
use serde::Serialize;
use tokio::sync::mpsc;

/// A cosigner that did not answer by then did not answer.
const DEADLINE: Duration = Duration::from_secs(3);
/// Once enough have signed, the others are waited for so long, unless they failed the last time.
const GRACE: Duration = Duration::from_millis(50);

/// Somebody who signs heads after checking that the log only grew.
///
/// A trait, because one implementation is in this crate and the other speaks HTTP, which this crate never learns about.
pub trait Cosign: Send + Sync {
    /// Signatures over the heads of a proposal, in their order; the same ones when asked again.
    fn sign(&self, proposal: Arc<Proposal>) -> BoxFuture<'_, Result<Vec<Signature>, CosignError>>;

    /// Takes in published leaves after having been away, and says how many it has seen then.
    fn extend(&self, extension: Extension) -> BoxFuture<'_, Result<u64, CosignError>>;

    /// Are its answers computed in this process, so that its signatures need no checking?
    fn is_local(&self) -> bool {
        false
    }
}

/// Why a cosigner did not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// It was away and has seen fewer leaves.
    #[error("it has seen {size} leaves only")]
    Behind {
        /// So many.
        size: u64,
    },
    /// It says that the log is not honest, or that it is not its log.
    #[error("it refused: {reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
    /// It did not answer, or not as a cosigner does.
    #[error("it can't be reached: {cause}")]
    Unreachable {
        /// Why.
        cause: String,
    },
}

/// One of the three.
pub struct Seat {
    /// `cosigner_0` to `cosigner_2`.
    pub name: String,
    /// Its key.
    pub public_key: PublicKey,
    /// Who holds it, in words.
    pub operator: String,
    /// Where it answers, if it is a program of its own.
    pub url: Option<String>,
    /// It itself.
    pub cosigner: Arc<dyn Cosign>,
}

/// How a cosigner was the last time it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CosignerState {
    /// It signs, as far as is known.
    Healthy,
    /// It was away and takes in what it missed.
    Behind,
    /// It did not answer.
    Unreachable,
    /// It says that the log is not honest.
    Refused,
}

/// How a cosigner is.
///
/// # Shape
/// `{"cosigner", "public_key", "operator", "url", "state", "signed_size", "last_signed", "error"}`; seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names of the shape")]
pub struct CosignerHealth {
    pub cosigner: String,
    pub public_key: PublicKey,
    pub operator: String,
    pub url: Option<String>,
    pub state: CosignerState,
    pub signed_size: Option<u64>,
    pub last_signed: Option<i64>,
    pub error: Option<String>,
}

/// A seat and how it went.
pub struct Asked {
    seat: Seat,
    health: Mutex<Health>,
    /// Held while it is asked: one that takes long to catch up is not asked a second time meanwhile.
    busy: tokio::sync::Mutex<()>,
}

struct Health {
    state: CosignerState,
    signed_size: Option<u64>,
    last_signed_s: Option<i64>,
    error: Option<String>,
}

/// What a round is about.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) proposal: Arc<Proposal>,
    /// The hashes of its heads.
    pub(super) hashes: Arc<[Hash]>,
    pub(super) now_s: i64,
}

impl Asked {
    pub(super) fn new(seat: Seat) -> Self {
        let health = Health {
            state: CosignerState::Healthy,
            signed_size: None,
            last_signed_s: None,
            error: None,
        };
        Self {
            seat,
            health: Mutex::new(health),
            busy: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.seat.name
    }

    pub(super) fn health(&self) -> CosignerHealth {
        let health = self.lock();
        CosignerHealth {
            cosigner: self.seat.name.clone(),
            public_key: self.seat.public_key,
            operator: self.seat.operator.clone(),
            url: self.seat.url.clone(),
            state: health.state,
            signed_size: health.signed_size,
            last_signed: health.last_signed_s,
            error: health.error.clone(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_healthy(&self) -> bool {
        self.lock().state == CosignerState::Healthy
    }

    /// Asks, tells it first what it missed if it was away, and remembers how it went.
    async fn ask(&self, store: &LogStore, question: &Question) -> Option<Vec<Signature>> {
        let _busy = self.busy.try_lock().ok()?;
        let answer = self.sign(store, question).await;
        let mut health = self.lock();
        let state = match &answer {
            Ok(_) => {
                health.signed_size = question.proposal.heads.last().map(|head| head.tree_size);
                health.last_signed_s = Some(question.now_s);
                CosignerState::Healthy
            }
            Err(CosignError::Behind { .. }) => CosignerState::Behind,
            Err(CosignError::Refused { .. }) => CosignerState::Refused,
            Err(CosignError::Unreachable { .. }) => CosignerState::Unreachable,
        };
        health.error = answer.as_ref().err().map(ToString::to_string);
        if health.state != state {
            let (cosigner, error) = (self.name(), health.error.as_deref());
            match state {
                CosignerState::Healthy => tracing::info!(cosigner, "a cosigner signs again"),
                CosignerState::Refused => tracing::error!(cosigner, error, "a cosigner refuses to sign"),
                CosignerState::Behind | CosignerState::Unreachable => tracing::warn!(cosigner, error, "a cosigner does not sign"),
            }
        }
        health.state = state;
        answer.ok()
    }

    async fn sign(&self, store: &LogStore, question: &Question) -> Result<Vec<Signature>, CosignError> {
        let signatures = loop {
            match self.once(self.seat.cosigner.sign(question.proposal.clone())).await {
                Err(CosignError::Behind { size }) if size < question.proposal.first => {
                    self.lock().state = CosignerState::Behind;
                    self.catch_up(store, question, size).await?;
                }
                answer => break answer?,
            }
        };
        let good = |(hash, signature): (&Hash, &Signature)| self.seat.public_key.verifies(&hash.0, signature);
        let all = signatures.len() == question.hashes.len();
        if all && (self.seat.cosigner.is_local() || question.hashes.iter().zip(&signatures).all(good)) {
            Ok(signatures)
        } else {
            let cause = "its signatures are not good".to_owned();
            Err(CosignError::Unreachable { cause })
        }
    }

    /// Tells it one page of published leaves after the other, up to where the proposal begins.
    async fn catch_up(&self, store: &LogStore, question: &Question, mut size: u64) -> Result<(), CosignError> {
        while size < question.proposal.first {
            let extension = extension(store, question, size).await?;
            let grown = self.once(self.seat.cosigner.extend(extension)).await?;
            if grown <= size {
                let cause = format!("it stays at {size} leaves");
                return Err(CosignError::Unreachable { cause });
            }
            size = grown;
        }
        Ok(())
    }

    async fn once<T>(&self, answer: BoxFuture<'_, Result<T, CosignError>>) -> Result<T, CosignError> {
        let late = || CosignError::Unreachable {
            cause: format!("no answer within {} s", DEADLINE.as_secs()),
        };
        tokio::time::timeout(DEADLINE, answer).await.unwrap_or_else(|_| Err(late()))
    }
}

/// The next page of published leaves after `size`, up to a published head.
async fn extension(store: &LogStore, question: &Question, size: u64) -> Result<Extension, CosignError> {
    let ours = |cause: String| CosignError::Unreachable { cause };
    let end = (size + EXTENSION_LEAVES_MAX as u64).min(question.proposal.first);
    let heads = store.heads(Some(end + 1), 1).await.map_err(|cause| ours(cause.to_string()))?;
    let head = heads.into_iter().next().filter(|head| head.head.tree_size > size);
    let head = head.ok_or_else(|| ours(format!("there is no head soon after {size} leaves")))?.head;
    let count = (head.tree_size - size) as usize;
    let leaves = store.leaves(size, count).await.map_err(|cause| ours(cause.to_string()))?;
    Ok(Extension {
        log_id: question.proposal.log_id,
        first: size,
        leaves: leaves.iter().map(|leaf| leaf.registration.leaf()).collect(),
        head,
    })
}

/// What one cosigner answered: its seat, and its signatures in the order of the heads.
pub(super) type Signed = (usize, Vec<Signature>);

/// Asks all of them at once, and answers with what at least two signed, in the order of their seats; `None` if fewer did.
pub(super) async fn round(seats: &Arc<[Asked]>, store: &LogStore, question: &Question) -> Option<Vec<Signed>> {
    let (tell, mut told) = mpsc::channel(seats.len());
    let mut awaited = seats.iter().filter(|asked| asked.is_healthy()).count();
    for seat in 0..seats.len() {
        let (seats, store, question, tell) = (seats.clone(), store.clone(), question.clone(), tell.clone());
        // On its own, so that one who is late still takes the leaves in, and is there for the next.
        tokio::spawn(async move {
            let healthy = seats[seat].is_healthy();
            let signatures = seats[seat].ask(&store, &question).await;
            tell.send((seat, healthy, signatures)).await.ok();
        });
    }
    drop(tell);
    let mut signed = vec![];
    let enough = POLICY.t as usize;
    let (deadline, mut grace) = (tokio::time::Instant::now() + DEADLINE, None);
    while signed.len() < seats.len() && (signed.len() < enough || awaited > 0) {
        let until = grace.unwrap_or(deadline);
        let Ok(Some((seat, healthy, signatures))) = tokio::time::timeout_at(until, told.recv()).await else {
            break;
        };
        awaited -= usize::from(healthy && awaited > 0);
        signed.extend(signatures.map(|signatures| (seat, signatures)));
        if signed.len() >= enough && grace.is_none() {
            grace = Some(tokio::time::Instant::now() + GRACE);
        }
    }
    signed.sort_by_key(|(seat, _)| *seat);
    (signed.len() >= enough).then_some(signed)
}
