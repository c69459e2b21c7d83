//! A cosigner in this process: its key, and its own record of what it saw and signed.
//!
//! It checks as one of another operator would, from its own last head; what it can't do is to be independent of who runs it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _};
use nexus_crypto::cosigners::{Refusal, State};
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::{PublicKey, Signature, SigningKey};
use nexus_crypto::logs::LogId;
use nexus_crypto::proposals::{Extension, Proposal};
use nexus_store::StoreError;
use nexus_store::cosigners::{CosignerStore, Evidence, Signed};
use serde::Serialize;

use super::cosign::{Cosign, CosignError};
use crate::clock::Clock;

/// A cosigner whose key and store are here. Clones are the same cosigner.
#[derive(Clone)]
pub struct LocalCosigner(Arc<Inner>);

struct Inner {
    key: SigningKey,
    clock: Clock,
    signing: Mutex<Signing>,
}

/// Held while it signs: a cosigner does one thing after the other.
struct Signing {
    store: CosignerStore,
    state: State,
    /// Did a write fail, so that `state` may not be what is stored?
    doubtful: bool,
}

/// Why it did not sign.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignError {
    /// It would be wrong to.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What it signs can't be stored, and is therefore not told.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LocalCosigner {
    /// Opens the record of a cosigner, or begins one. Blocks.
    ///
    /// # Errors
    /// Those of the store; also if the record is of another log.
    pub fn open(path: &Path, key: SigningKey, log_id: LogId, clock: Clock) -> Result<Self, StoreError> {
        let store = CosignerStore::open(path, log_id)?;
        let state = store.state()?;
        let signing = Signing {
            store,
            state,
            doubtful: false,
        };
        Ok(Self(Arc::new(Inner {
            key,
            clock,
            signing: Mutex::new(signing),
        })))
    }

    /// Its key.
    pub fn public_key(&self) -> PublicKey {
        self.0.key.public()
    }

    /// What it has seen.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// What it refused, the last first.
    ///
    /// # Errors
    /// Those of the store.
    pub fn evidence(&self, limit: usize) -> Result<Vec<Evidence>, StoreError> {
        self.lock().store.evidence(limit)
    }

    /// How much of that there is. Blocks.
    ///
    /// # Errors
    /// Those of the store.
    pub fn refused_count(&self) -> Result<u64, StoreError> {
        self.lock().store.refused_count()
    }

    /// Forgets what it refused longest ago, and says how much that was. Blocks.
    ///
    /// # Errors
    /// Those of the store.
    pub fn sweep_evidence(&self, before_ms: i64) -> Result<usize, StoreError> {
        self.lock().store.sweep(before_ms)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Signing> {
        self.0.signing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs a proposal if the log only grew, after storing leaves and signatures. The same proposal gets signatures over the same
    /// heads. Blocks. `asked` gives what was asked, as it came, to be kept as evidence.
    ///
    /// # Errors
    /// [`SignError`]. A refusal that says that the log is not honest is kept as evidence.
    pub fn sign_now(&self, proposal: &Proposal, asked: impl FnOnce() -> String) -> Result<Vec<Signature>, SignError> {
        let mut signing = self.lock();
        signing.settle()?;
        let checked = match signing.check(proposal) {
            // Signed anew, as the key may be another than then; the heads are not.
            Ok(Verdict::Again(hashes)) => return Ok(hashes.iter().map(|hash| self.0.key.sign(&hash.0)).collect()),
            Ok(Verdict::New(checked)) => checked,
            Err(cause) => return Err(signing.refused(cause, asked, self.0.clock.now_ms())),
        };
        let sign = |(size, head): (u64, &Hash)| Signed {
            size,
            head: *head,
            signature: self.0.key.sign(&head.0),
        };
        let signed: Vec<Signed> = (proposal.first + 1..).zip(&checked.hashes).map(sign).collect();
        signing.doubtful = true;
        signing.store.record(&checked.state, &proposal.leaves, &signed)?;
        signing.doubtful = false;
        signing.state = checked.state;
        Ok(signed.into_iter().map(|signed| signed.signature).collect())
    }

    /// Takes in published leaves, and says how many were seen then. Blocks.
    ///
    /// # Errors
    /// As [`LocalCosigner::sign_now`].
    pub fn extend_now(&self, extension: &Extension, asked: impl FnOnce() -> String) -> Result<u64, SignError> {
        let mut signing = self.lock();
        signing.settle()?;
        let state = match signing.grow(extension) {
            Ok(state) => state,
            Err(cause) => return Err(signing.refused(cause, asked, self.0.clock.now_ms())),
        };
        signing.doubtful = true;
        signing.store.extend(&state, &extension.leaves)?;
        signing.doubtful = false;
        signing.state = state;
        Ok(signing.state.size())
    }
}

enum Verdict {
    /// The hashes of heads that were signed before.
    Again(Vec<Hash>),
    New(nexus_crypto::cosigners::Checked),
}

impl Signing {
    /// After a write of unknown outcome: what is stored counts.
    fn settle(&mut self) -> Result<(), StoreError> {
        if self.doubtful {
            self.state = self.store.state()?;
            self.doubtful = false;
        }
        Ok(())
    }

    fn check(&self, proposal: &Proposal) -> Result<Verdict, SignError> {
        let end = proposal.first + proposal.leaves.len() as u64;
        let shaped = !proposal.heads.is_empty() && proposal.heads.len() == proposal.leaves.len();
        let seen = shaped && end <= self.state.size() && proposal.log_id == self.state.log_id;
        if seen {
            self.again(proposal).map(Verdict::Again)
        } else {
            Ok(Verdict::New(self.state.check(proposal)?))
        }
    }

    /// The state with these leaves. To be told again what was seen is nobody's fault; to be told another story is.
    fn grow(&self, extension: &Extension) -> Result<State, SignError> {
        let seen = extension.log_id == self.state.log_id && extension.first < self.state.size();
        if !seen {
            return Ok(self.state.extend(extension)?);
        }
        let tree_size = extension.head.tree_size;
        for (index, leaf) in (extension.first..self.state.size()).zip(&extension.leaves) {
            if self.store.leaf(index)? != Some(*leaf) {
                return Err(Refusal::Root { tree_size }.into());
            }
        }
        Err(Refusal::Passed { tree_size }.into())
    }

    /// The hashes of these heads, if each was signed before.
    fn again(&self, proposal: &Proposal) -> Result<Vec<Hash>, SignError> {
        let mut hashes = Vec::with_capacity(proposal.heads.len());
        for ((head, leaf), index) in proposal.heads.iter().zip(&proposal.leaves).zip(proposal.first..) {
            let tree_size = index + 1;
            if head.tree_size != tree_size {
                return Err(Refusal::Shape.into());
            }
            match self.store.signed(tree_size)? {
                Some((hash, _)) if hash == head.hash() => hashes.push(hash),
                Some(_) => return Err(Refusal::TwoRoots { tree_size }.into()),
                None if self.store.leaf(index)? == Some(*leaf) => return Err(Refusal::Passed { tree_size }.into()),
                None => return Err(Refusal::Root { tree_size }.into()),
            }
        }
        Ok(hashes)
    }

    /// Keeps what shows that the log is not honest.
    fn refused(&self, cause: SignError, asked: impl FnOnce() -> String, now_ms: i64) -> SignError {
        if let SignError::Refused(refusal) = &cause
            && refusal.is_accusation()
        {
            match self.store.refuse(refusal.word(), &refusal.to_string(), &asked(), now_ms) {
                Ok(true) => {}
                Ok(false) => tracing::warn!("a cosigner keeps as much evidence as it may, and no more"),
                Err(cause) => tracing::error!(%cause, "a cosigner could not keep its evidence"),
            }
        }
        cause
    }
}

/// What is kept of a question in the same process, where nobody signs it.
fn spelled(question: &impl Serialize) -> String {
    serde_json::to_string(question).expect("our shapes have string keys and no failing parts")
}

impl Cosign for LocalCosigner {
    fn sign(&self, proposal: Arc<Proposal>) -> BoxFuture<'_, Result<Vec<Signature>, CosignError>> {
        let own = self.clone();
        async move { blocking(move || own.sign_now(&proposal, || spelled(&*proposal))).await }.boxed()
    }

    fn extend(&self, extension: Extension) -> BoxFuture<'_, Result<u64, CosignError>> {
        let own = self.clone();
        async move { blocking(move || own.extend_now(&extension, || spelled(&extension))).await }.boxed()
    }

    fn is_local(&self) -> bool {
        true
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, SignError> + Send + 'static) -> Result<T, CosignError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(SignError::Refused(Refusal::Behind { size }))) => Err(CosignError::Behind { size }),
        Ok(Err(SignError::Refused(refusal))) => Err(CosignError::Refused {
            reason: refusal.to_string(),
        }),
        Ok(Err(SignError::Store(cause))) => Err(CosignError::Unreachable { cause: cause.to_string() }),
        Err(_) => Err(CosignError::Unreachable {
            cause: "it panicked".to_owned(),
        }),
    }
}
