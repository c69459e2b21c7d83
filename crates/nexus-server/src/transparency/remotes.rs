//! A cosigner that is a program of its own, asked over HTTP.
//!
//! What is asked is signed by the log's key; what is answered is checked by the caller against the cosigner's. So TLS keeps what is
//! asked private and the connection up, and nothing rests on it. It deliberately follows no redirect and uses no proxy.
//!
//! # Shape
//! `POST /sign` with a proposal: 200 `{"signatures": [base64]}`; `POST /extend` with an extension: 200 `{"size"}`. Both: 409
//! `{"error": "behind", "size"}` or `{"error": "refused", "reason", "detail"}`, 401 for a request that the log's key did not sign.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use nexus_core::transparency::{Cosign, CosignError};
use nexus_crypto::keys::{PublicKey, Signature, SigningKey};
use nexus_crypto::proposals::{Extension, Proposal, request_message};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exits::{Exit, Failure};

/// Carries the log's signature over the body.
pub const SIGNATURE_HEADER: &str = "x-nexus-signature";
/// How long a cosigner may take to answer.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// How long it may take to reach it.
const CONNECT: Duration = Duration::from_secs(2);
/// Bytes of the longest answer that is read: a signature takes 91, and a batch is small.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// What a cosigner answers when it signed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Signed {
    pub(super) signatures: Vec<Signature>,
}

/// What a cosigner answers when it took in leaves.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Extended {
    pub(super) size: u64,
}

/// What a cosigner answers when it does neither.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub(super) enum Declined {
    Behind { size: u64 },
    Refused { reason: String, detail: String },
}

/// What asks other processes: no redirects, no proxies, and an answer within the deadline.
///
/// # Errors
/// A [`Failure`] if this machine has no usable certificates.
pub fn client(deadline: Duration) -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(deadline)
        .user_agent(concat!("nexus/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|cause| {
            Failure::new(
                Exit::Failed,
                format!("Can't speak HTTPS: {}.", chain(&cause)),
                "Install the certificates of public authorities (ca-certificates).",
            )
        })
}

/// A cosigner elsewhere.
pub struct RemoteCosigner {
    client: reqwest::Client,
    url: String,
    public_key: PublicKey,
    log_key: Arc<SigningKey>,
}

impl RemoteCosigner {
    /// The cosigner at this address with this key, asked in the name of the log's key.
    pub fn new(client: reqwest::Client, url: String, public_key: PublicKey, log_key: Arc<SigningKey>) -> Self {
        Self {
            client,
            url,
            public_key,
            log_key,
        }
    }

    async fn ask<T: DeserializeOwned>(&self, route: &str, question: &impl Serialize) -> Result<T, CosignError> {
        let body = serde_json::to_vec(question).expect("our shapes have string keys and no failing parts");
        let signature = STANDARD.encode(self.log_key.sign(&request_message(&self.public_key, route, &body)).0);
        let request = self
            .client
            .post(format!("{}/{route}", self.url))
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, signature)
            .body(body);
        let mut response = request.send().await.map_err(|cause| unreachable(chain(&cause)))?;
        let mut answer = vec![];
        while let Some(chunk) = response.chunk().await.map_err(|cause| unreachable(chain(&cause)))? {
            if answer.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(unreachable("its answer is too long".to_owned()));
            }
            answer.extend_from_slice(&chunk);
        }
        let unreadable = |_| unreachable("its answer can't be read".to_owned());
        match response.status() {
            StatusCode::OK => serde_json::from_slice(&answer).map_err(unreadable),
            StatusCode::CONFLICT => Err(match serde_json::from_slice(&answer).map_err(unreadable)? {
                Declined::Behind { size } => CosignError::Behind { size },
                Declined::Refused { reason, .. } => CosignError::Refused { reason },
            }),
            StatusCode::UNAUTHORIZED => Err(unreachable("it does not know the key of this log".to_owned())),
            status => Err(unreachable(format!("it answered {}", status.as_u16()))),
        }
    }
}

fn unreachable(cause: String) -> CosignError {
    CosignError::Unreachable { cause }
}

/// The causes of a failure in one line, without the address: operators see it on a public page.
pub(super) fn chain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

impl Cosign for RemoteCosigner {
    fn sign(&self, proposal: Arc<Proposal>) -> BoxFuture<'_, Result<Vec<Signature>, CosignError>> {
        async move { self.ask("sign", &*proposal).await.map(|signed: Signed| signed.signatures) }.boxed()
    }

    fn extend(&self, extension: Extension) -> BoxFuture<'_, Result<u64, CosignError>> {
        async move { self.ask("extend", &extension).await.map(|extended: Extended| extended.size) }.boxed()
    }
}
