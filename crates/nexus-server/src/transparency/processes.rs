//! `nexus cosigner serve`: a cosigner as a program of its own, with a data directory, a key and a memory that nobody else writes to.
//!
//! It checks from what it saw itself and stores what it signs before it tells it. It deliberately serves nobody but the log whose key
//! it was given: everything but its state must be signed by that key. The shapes are in [`super::remotes`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use nexus_core::Clock;
use nexus_core::transparency::{LocalCosigner, SignError};
use nexus_crypto::cosigners::Refusal;
use nexus_crypto::keys::{PublicKey, Signature, SigningKey};
use nexus_crypto::logs::LogId;
use nexus_crypto::proposals::{Extension, Proposal, request_message};
use nexus_types::limits::DAY_MS;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::remotes::{Declined, Extended, SIGNATURE_HEADER, Signed};
use super::{keys, spelled};
use crate::data::DataDir;
use crate::exits::{Exit, Failure};
use crate::http::origins::Origins;
use crate::http::{Door, json_response, read_body};
use crate::networks::Networks;
use crate::serve::{Connections, connections_max, listen_all};

/// Its key inside of its data directory.
pub const KEY: &str = "cosigner.key";
/// Its memory inside of its data directory.
pub const STORE: &str = "cosigner.db";
/// Bytes of the longest question: a batch of 128 leaves takes less than 64 KiB, a page of 1,000 leaves as much.
const QUESTION_BYTES_MAX: usize = 512 * 1024;
/// Questions that are answered at once; there is one log.
const CONNECTIONS: u32 = 64;
const REQUESTS_MAX: Duration = Duration::from_secs(5);
/// How often old evidence is looked for.
const SWEEP: Duration = Duration::from_hours(1);

/// What a cosigner needs to know.
#[derive(Debug, Clone)]
pub struct CosignerSettings {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// Whose questions are answered.
    pub log_key: PublicKey,
    /// About which log.
    pub log_id: LogId,
    /// For how long refused proposals are kept; 0 for ever.
    pub evidence_days: u32,
}

/// A cosigner that serves.
pub struct RunningCosigner {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// Its key.
    pub public_key: PublicKey,
    connections: Connections,
    sweeps: tokio::task::JoinHandle<()>,
    /// Released last.
    data: DataDir,
}

/// The key of a cosigner's data directory, made at the first use.
///
/// # Errors
/// A [`Failure`] if it is open to others, damaged, or missing beside what it signed.
pub fn own_key(data: &DataDir) -> Result<SigningKey, Failure> {
    let path = data.file(KEY);
    if path.exists() {
        return keys::read(&path);
    }
    if data.file(STORE).exists() {
        return Err(Failure::new(
            Exit::Data,
            format!("{} is missing, but this cosigner has signed with it.", path.display()),
            "Restore it from your backup; a key made anew would be another cosigner's.",
        ));
    }
    keys::make(&path)
}

impl RunningCosigner {
    /// Starts a cosigner over a data directory.
    ///
    /// # Errors
    /// A [`Failure`] that says what is in the way.
    pub fn start(data: DataDir, settings: &CosignerSettings) -> Result<Self, Failure> {
        let listeners = listen_all(&settings.listen, false)?;
        let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let key = own_key(&data)?;
        let clock = Clock::system(0, 0);
        let cosigner = LocalCosigner::open(&data.file(STORE), key, settings.log_id, clock.clone()).map_err(|cause| {
            Failure::new(
                Exit::Store,
                format!("Can't open the memory of this cosigner: {cause}."),
                "It belongs to one log and one process. Restore it from your backup if it is damaged; never delete it while its key is used.",
            )
        })?;
        let shared = Arc::new(Shared {
            cosigner: cosigner.clone(),
            log_key: settings.log_key,
            log_id: settings.log_id,
        });
        let sweeps = tokio::spawn(sweep(cosigner.clone(), clock, settings.evidence_days));
        let door = Door::plain(routes().with_state(shared), Origins::default());
        let most = connections_max(Some(CONNECTIONS));
        let connections = Connections::new(door, most).per_address(most, Networks::default().and_loopback());
        for listener in listeners {
            connections.accept(listener);
        }
        Ok(Self {
            addresses,
            public_key: cosigner.public_key(),
            connections,
            sweeps,
            data,
        })
    }

    /// Lets questions that it has begun with finish. Says whether all did.
    pub async fn stop(self) -> bool {
        let finished = self.connections.finish(REQUESTS_MAX).await;
        self.sweeps.abort();
        drop(self.data);
        finished
    }
}

/// Forgets evidence that is older than so many days, until it is aborted; none for 0.
pub(crate) async fn sweep(cosigner: LocalCosigner, clock: Clock, days: u32) {
    if days == 0 {
        return;
    }
    let age_ms = i64::from(days) * DAY_MS;
    loop {
        let (cosigner, before_ms) = (cosigner.clone(), clock.now_ms() - age_ms);
        match tokio::task::spawn_blocking(move || cosigner.sweep_evidence(before_ms)).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(count)) => tracing::info!(count, "old evidence was removed"),
            Ok(Err(cause)) => tracing::warn!(%cause, "old evidence could not be removed; it is tried again later"),
        }
        tokio::time::sleep(SWEEP).await;
    }
}

struct Shared {
    cosigner: LocalCosigner,
    log_key: PublicKey,
    log_id: LogId,
}

fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(state))
        .route("/health", get(health))
        .route("/sign", post(sign))
        .route("/extend", post(extend))
        .fallback(async || answer(StatusCode::NOT_FOUND, &json!({ "error": "not_found" })))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    json_response(status, body)
}

/// What everybody may know of it.
async fn state(State(shared): State<Arc<Shared>>) -> Response {
    let cosigner = shared.cosigner.clone();
    let looked = tokio::task::spawn_blocking(move || (cosigner.state(), cosigner.refused_count())).await;
    let Ok((state, Ok(refused))) = looked else {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": "store" }));
    };
    let body = json!({
        "public_key": spelled(&shared.cosigner.public_key()),
        "log_id": shared.log_id,
        "size": state.size(),
        "last": state.last,
        "refused": refused,
    });
    answer(StatusCode::OK, &body)
}

async fn health() -> Response {
    answer(StatusCode::OK, &json!({ "status": "healthy", "timestamp": super::now_s() }))
}

async fn sign(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (proposal, asked): (Proposal, Asked) = match question(&shared, "sign", request).await {
        Ok(question) => question,
        Err(refused) => return refused,
    };
    let cosigner = shared.cosigner.clone();
    let signed = tokio::task::spawn_blocking(move || cosigner.sign_now(&proposal, || asked.spelled())).await;
    told(signed.map(|signed| signed.map(|signatures| Signed { signatures })))
}

async fn extend(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (extension, asked): (Extension, Asked) = match question(&shared, "extend", request).await {
        Ok(question) => question,
        Err(refused) => return refused,
    };
    let cosigner = shared.cosigner.clone();
    let extended = tokio::task::spawn_blocking(move || cosigner.extend_now(&extension, || asked.spelled())).await;
    told(extended.map(|extended| extended.map(|size| Extended { size })))
}

/// Reads a question that the log's key signed.
async fn question<T: DeserializeOwned>(shared: &Shared, route: &'static str, request: Request) -> Result<(T, Asked), Response> {
    let (parts, body) = request.into_parts();
    let unsigned = || {
        answer(
            StatusCode::UNAUTHORIZED,
            &json!({ "error": "unsigned", "detail": "the log's key did not sign this" }),
        )
    };
    let misshapen = |detail: String| answer(StatusCode::BAD_REQUEST, &json!({ "error": "misshapen", "detail": detail }));
    let header = parts.headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    let bytes = header
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|bytes| bytes.try_into().ok());
    let signature = Signature(bytes.ok_or_else(unsigned)?);
    let body = read_body(body, QUESTION_BYTES_MAX)
        .await
        .map_err(|_| misshapen(format!("at most {QUESTION_BYTES_MAX} bytes")))?;
    if !shared
        .log_key
        .verifies(&request_message(&shared.cosigner.public_key(), route, &body), &signature)
    {
        return Err(unsigned());
    }
    let question = serde_json::from_slice(&body).map_err(|cause| misshapen(cause.to_string()))?;
    let asked = Asked {
        route,
        signature,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    Ok((question, asked))
}

/// What the log asked, as it came, with its signature: evidence that only the log's key can have made.
#[derive(Serialize)]
struct Asked {
    route: &'static str,
    signature: Signature,
    body: String,
}

impl Asked {
    fn spelled(&self) -> String {
        serde_json::to_string(self).expect("our shapes have string keys and no failing parts")
    }
}

fn told<T: Serialize>(outcome: Result<Result<T, SignError>, tokio::task::JoinError>) -> Response {
    match outcome {
        Ok(Ok(done)) => answer(StatusCode::OK, &done),
        Ok(Err(SignError::Refused(Refusal::Behind { size }))) => answer(StatusCode::CONFLICT, &Declined::Behind { size }),
        Ok(Err(SignError::Refused(refusal))) => {
            let (reason, detail) = (refusal.word().to_owned(), refusal.to_string());
            tracing::error!(reason, detail, "the log asked for what this cosigner does not sign");
            answer(StatusCode::CONFLICT, &Declined::Refused { reason, detail })
        }
        Ok(Err(SignError::Store(cause))) => {
            tracing::error!(%cause, "what was to be signed could not be stored");
            answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": "store" }))
        }
        Err(_) => answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "internal" })),
    }
}

#[cfg(test)]
mod tests {
    use nexus_crypto::hashes::Hash;
    use nexus_crypto::tree_heads::{POLICY, PrevHash, UnsignedHead};

    use super::*;

    /// A head whose root is not that of its leaf.
    fn lie(log_id: LogId) -> Proposal {
        let head = UnsignedHead {
            tree_size: 1,
            root: Hash::of(b"a root"),
            prev_hash: PrevHash(None),
            policy: POLICY,
            timestamp: 1,
        };
        Proposal {
            log_id,
            first: 0,
            before: None,
            leaves: vec![Hash::of(b"a leaf")],
            heads: vec![head],
        }
    }

    #[tokio::test]
    async fn evidence_is_forgotten_after_so_many_days_and_for_0_never() {
        const MOMENT: Duration = Duration::from_millis(200);
        let (folder, log_id, clock) = (tempfile::tempdir().expect("a folder"), LogId([3; 32]), Clock::fixed(DAY_MS));
        let key = SigningKey::from_seed(&[9; 32]);
        let cosigner = LocalCosigner::open(&folder.path().join(STORE), key, log_id, clock.clone()).expect("made");
        cosigner.sign_now(&lie(log_id), String::new).expect_err("it is refused");
        for (passed_days, kept_days, left) in [(7, 7, 1), (8, 0, 1), (8, 7, 0)] {
            clock.set(DAY_MS + passed_days * DAY_MS);
            // It goes on until it is aborted, but for 0 days it has nothing to do.
            let ended = tokio::time::timeout(MOMENT, sweep(cosigner.clone(), clock.clone(), kept_days)).await;
            assert_eq!(ended.is_ok(), kept_days == 0);
            assert_eq!(cosigner.refused_count(), Ok(left), "{kept_days} days");
        }
    }
}
