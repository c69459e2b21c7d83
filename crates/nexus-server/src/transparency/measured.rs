//! A cosigner whose answers are counted and timed.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use nexus_core::transparency::{Cosign, CosignError};
use nexus_crypto::keys::Signature;
use nexus_crypto::proposals::{Extension, Proposal};

use crate::metrics;

/// See the module.
pub(crate) struct Measured<C> {
    name: &'static str,
    cosigner: C,
}

impl<C: Cosign> Measured<C> {
    /// Counts under this name, which is one of three.
    pub(crate) fn new(name: &'static str, cosigner: C) -> Self {
        Self { name, cosigner }
    }
}

impl<C: Cosign> Cosign for Measured<C> {
    fn sign(&self, proposal: Arc<Proposal>) -> BoxFuture<'_, Result<Vec<Signature>, CosignError>> {
        async move {
            let began = Instant::now();
            let leaves = proposal.leaves.len();
            let signed = self.cosigner.sign(proposal).await;
            let failure = signed.as_ref().err().map(|cause| match cause {
                CosignError::Behind { .. } => "behind",
                CosignError::Refused { .. } => "refused",
                CosignError::Unreachable { .. } => "unreachable",
            });
            metrics::cosigned(self.name, leaves, began.elapsed(), failure);
            signed
        }
        .boxed()
    }

    fn extend(&self, extension: Extension) -> BoxFuture<'_, Result<u64, CosignError>> {
        self.cosigner.extend(extension)
    }

    fn is_local(&self) -> bool {
        self.cosigner.is_local()
    }
}
