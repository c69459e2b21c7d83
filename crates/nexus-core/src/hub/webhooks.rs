//! Outgoing webhooks: endpoints that get events, signed as Standard Webhooks.
//!
//! A delivery is a job of the reactor `webhook/ID`, with the tries, the breaker and the dead letters of every reactor. An endpoint that
//! fails for days is switched off, with the reason.
//!
//! # Source
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use nexus_store::sql::hub::Rotation;
use nexus_store::sql::hub::webhooks as rows;
use nexus_store::sql::hub::webhooks::{Endpoint as EndpointRow, NewWebhook, StoredWebhook};
use nexus_store::sql::reactors::{self as jobs, NewJob, StoredJob};
use nexus_store::{StoreError, Tx};
use nexus_types::ErrorCode;
use nexus_types::hub::{HubEvent, Pattern, WebhookState};
use nexus_types::ids::{HubEventId, JobId, WebhookId};
use nexus_types::limits::{
    DESCRIPTION_CHARS_MAX, OUTBOUND_MS, ROWS_PER_JOB_MAX, SECOND_MS, SECRET_OVERLAP_MS, URL_BYTES_MAX, WEBHOOKS_MAX,
};
use nexus_types::timestamps::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::types::field;
use super::views::{Delivery, JobView};
use super::{Hub, ingest, platform};
use crate::errors::{Error, Result};
use crate::outbound::{Call, CallError, Method};
use crate::reactors::WEBHOOK_PREFIX;

/// What seals a secret.
const LABEL: &str = "hub/webhook";
/// What a secret begins with, so that its kind is known.
const SECRET_PREFIX: &str = "whsec_";

/// An endpoint, ready to be served.
pub(crate) struct Endpoint {
    pub(crate) id: WebhookId,
    pub(crate) url: String,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) description: String,
    /// The present one, and the one before with its end.
    secrets: Vec<(Zeroizing<Vec<u8>>, Option<i64>)>,
    /// Since when nothing succeeded, 0 if the last delivery did.
    pub(crate) failing_since_ms: AtomicI64,
    /// Was it switched off by its failures? Then it is read anew.
    pub(crate) disabled: AtomicBool,
}

/// # Shape
/// `{"type", "timestamp": ISO 8601, "data": {"id", "position", "source", "payload"}}`
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: HubEventId,
    position: i64,
    source: &'a str,
    payload: &'a RawValue,
}

impl Endpoint {
    /// Is it served in the same way?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let parts = |one: &Self| (one.id, one.url.clone(), one.patterns.clone(), one.description.clone());
        parts(self) == parts(other) && self.secrets == other.secrets && !self.disabled.load(Ordering::Relaxed)
    }

    /// The request that delivers an event. The id is the same at every try, so that the receiver knows a repetition.
    pub(crate) fn call(&self, event: &HubEvent, key: &str, now_ms: i64) -> Call {
        let body = Body {
            r#type: event.kind.as_str(),
            timestamp: Timestamp(event.timestamp),
            data: Data {
                id: event.id,
                position: event.position,
                source: &event.source,
                payload: &event.payload,
            },
        };
        let body = serde_json::to_vec(&body).expect("an event serialises");
        let (id, timestamp) = (format!("evt_{key}"), (now_ms / SECOND_MS).to_string());
        let valid = self
            .secrets
            .iter()
            .filter(|(_, until_ms)| until_ms.is_none_or(|until_ms| now_ms < until_ms));
        let signatures: Vec<_> = valid.map(|(secret, _)| sign(secret, &id, &timestamp, &body)).collect();
        Call {
            method: Method::Post,
            url: self.url.clone(),
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("webhook-id".into(), id),
                ("webhook-timestamp".into(), timestamp),
                ("webhook-signature".into(), signatures.join(" ")),
            ],
            body,
            timeout_ms: OUTBOUND_MS,
        }
    }
}

/// `v1,` and the HMAC over `id.timestamp.body` in base64.
fn sign(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes any key");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// What a person says of a webhook.
#[derive(Debug, Clone, Deserialize)]
pub struct WebhookDraft {
    /// Where events are sent.
    pub url: String,
    /// Which.
    pub events: Vec<String>,
    /// In words.
    #[serde(default)]
    pub description: String,
}

/// What a person changes of a webhook.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct WebhookChange {
    /// Where events are sent.
    pub url: Option<String>,
    /// Which.
    pub events: Option<Vec<String>>,
    /// In words.
    pub description: Option<String>,
    /// On or off.
    pub state: Option<WebhookState>,
}

/// A webhook as it is listed.
///
/// # Shape
/// `{"id", "url", "events": [pattern], "description", "state": "on"|"off"|"disabled", "reason": string|null, "failing_since": ms|null,
/// "created": ms, "previous_until": ms|null, "secret"?: "whsec_…"}`; the secret only where it was made just now.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookInfo {
    /// Its id.
    pub id: WebhookId,
    /// Where events are sent.
    pub url: String,
    /// Which.
    pub events: Vec<Pattern>,
    /// In words.
    pub description: String,
    /// Is it served?
    pub state: WebhookState,
    /// Why not.
    pub reason: Option<String>,
    /// Since when nothing succeeded.
    pub failing_since: Option<i64>,
    /// When it was made.
    pub created: i64,
    /// Until when the secret before is used too.
    pub previous_until: Option<i64>,
    /// What deliveries are signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl From<StoredWebhook> for WebhookInfo {
    fn from(row: StoredWebhook) -> Self {
        Self {
            id: row.id,
            url: row.endpoint.url,
            events: row.endpoint.patterns,
            description: row.endpoint.description,
            state: row.state,
            reason: row.reason,
            failing_since: row.failing_since_ms,
            created: row.created_ms,
            previous_until: row.previous_until_ms,
            secret: None,
        }
    }
}

/// The name of a webhook's reactor.
pub(crate) fn reactor_name(id: WebhookId) -> String {
    format!("{WEBHOOK_PREFIX}{id}")
}

/// The use cases of webhooks.
pub struct Webhooks<'a>(pub(super) &'a Hub);

impl Webhooks<'_> {
    /// All of them, the oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self) -> Result<Vec<WebhookInfo>> {
        let rows = self
            .0
            .0
            .db
            .read::<_, StoreError, _>(async |tx: &mut Tx<'_>| rows::all(tx).await)
            .await?;
        Ok(rows.into_iter().map(WebhookInfo::from).collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`].
    pub async fn show(&self, id: WebhookId) -> Result<WebhookInfo> {
        let row = self
            .0
            .0
            .db
            .read::<_, StoreError, _>(async move |tx: &mut Tx<'_>| rows::load(tx, id).await)
            .await?;
        row.map(WebhookInfo::from).ok_or_else(|| ErrorCode::UnknownEvent.into())
    }

    /// Makes a webhook. Its secret is shown once.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidUrl`], [`ErrorCode::BlockedAddress`], [`ErrorCode::InvalidPatterns`], [`ErrorCode::TooManyInHub`].
    pub async fn create(&self, draft: WebhookDraft) -> Result<WebhookInfo> {
        let hub = &self.0.0;
        let about = self.about(draft.url, &draft.events, draft.description)?;
        let (secret, sealed) = self.draw();
        let (id, now_ms) = (WebhookId(hub.clock.next_id()), hub.clock.now_ms());
        let job = async move |tx: &mut Tx<'_>| -> Result<bool> {
            let new = NewWebhook {
                id,
                endpoint: &about,
                secret: &sealed,
                created_ms: now_ms,
            };
            Ok(rows::insert(tx, new, WEBHOOKS_MAX as i64).await?)
        };
        if !hub.db.write(job).await? {
            return Err(ErrorCode::TooManyInHub.into());
        }
        self.0.reload_webhooks().await?;
        let shown = self.show(id).await?;
        Ok(WebhookInfo {
            secret: Some(secret),
            ..shown
        })
    }

    /// Changes a webhook. Switching it on forgets its failures.
    ///
    /// # Errors
    /// As [`Webhooks::create`]; [`ErrorCode::UnknownEvent`], and [`ErrorCode::WrongState`] for a state that only failing leads to.
    pub async fn update(&self, id: WebhookId, change: WebhookChange) -> Result<WebhookInfo> {
        let now = self.show(id).await?;
        let names: Vec<_> = now.events.iter().map(ToString::to_string).collect();
        let about = self.about(
            change.url.unwrap_or(now.url),
            change.events.as_ref().unwrap_or(&names),
            change.description.unwrap_or(now.description),
        )?;
        if change.state == Some(WebhookState::Disabled) {
            return Err(ErrorCode::WrongState.into());
        }
        let state = change.state.filter(|state| *state != now.state);
        let job = async move |tx: &mut Tx<'_>| -> Result<()> {
            rows::update(tx, id, &about).await?;
            if let Some(state) = state {
                rows::set_state(tx, id, state, None).await?;
            }
            Ok(())
        };
        self.0.0.db.write(job).await?;
        self.0.reload_webhooks().await?;
        self.show(id).await
    }

    /// Gives a webhook a new secret. For a day deliveries are signed with both.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`].
    pub async fn rotate(&self, id: WebhookId) -> Result<WebhookInfo> {
        let hub = &self.0.0;
        let (secret, sealed) = self.draw();
        let now_ms = hub.clock.now_ms();
        let job = async move |tx: &mut Tx<'_>| -> Result<bool> {
            let Some(row) = rows::load(tx, id).await? else { return Ok(false) };
            let rotation = Rotation {
                secret: &sealed,
                previous: Some(&row.secret),
                previous_until_ms: Some(now_ms + SECRET_OVERLAP_MS),
                rotated_ms: now_ms,
            };
            Ok(rows::rotate(tx, id, rotation).await?)
        };
        if !hub.db.write(job).await? {
            return Err(ErrorCode::UnknownEvent.into());
        }
        self.0.reload_webhooks().await?;
        let shown = self.show(id).await?;
        Ok(WebhookInfo {
            secret: Some(secret),
            ..shown
        })
    }

    /// Removes a webhook with its deliveries.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`].
    pub async fn remove(&self, id: WebhookId) -> Result<()> {
        self.show(id).await?;
        let db = &self.0.0.db;
        // From here on nothing is delivered, whatever becomes of the rows.
        db.write::<_, Error, _>(async move |tx: &mut Tx<'_>| {
            Ok(rows::set_state(tx, id, WebhookState::Off, Some("It is being removed.")).await?)
        })
        .await?;
        self.0.reload_webhooks().await?;
        let rows_max = ROWS_PER_JOB_MAX as i64;
        while db
            .write::<_, Error, _>(async move |tx: &mut Tx<'_>| Ok(rows::remove(tx, id, rows_max).await?))
            .await?
            > 0
        {}
        self.0.reload_webhooks().await
    }

    /// Sends an event to this webhook alone, to see whether it arrives.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`], [`ErrorCode::WrongState`] if it is switched off.
    pub async fn test(&self, id: WebhookId) -> Result<JobView> {
        if self.show(id).await?.state != WebhookState::On {
            return Err(ErrorCode::WrongState.into());
        }
        self.0.add_test(id).await
    }

    /// What was delivered or tried, the newest first.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`], [`ErrorCode::InvalidLimit`].
    pub async fn deliveries(&self, id: WebhookId, before: Option<JobId>, limit: i64) -> Result<Vec<Delivery>> {
        self.show(id).await?;
        self.0.deliveries(&reactor_name(id), before, limit).await
    }

    /// Delivers once more: what is dead is tried again, what was done is done again.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`], [`ErrorCode::WrongState`] for what waits anyway.
    pub async fn replay(&self, id: WebhookId, job: JobId) -> Result<JobView> {
        self.0.repeat(&reactor_name(id), job).await
    }

    fn about(&self, url: String, events: &[String], description: String) -> Result<EndpointRow> {
        if url.len() > URL_BYTES_MAX {
            return Err(field(ErrorCode::InvalidUrl, "url", "It is too long."));
        }
        self.0.0.outbound.check(&url).map_err(|fault| {
            let code = match fault {
                CallError::Blocked(_) => ErrorCode::BlockedAddress,
                _ => ErrorCode::InvalidUrl,
            };
            field(code, "url", &fault.to_string())
        })?;
        if description.chars().count() > DESCRIPTION_CHARS_MAX {
            return Err(field(ErrorCode::InvalidBody, "description", "It is too long."));
        }
        Ok(EndpointRow {
            url,
            description,
            patterns: self.0.types().patterns(events)?,
        })
    }

    /// A new secret, and the same sealed.
    fn draw(&self) -> (String, Vec<u8>) {
        let bytes = Zeroizing::new(self.0.0.clock.random::<32>());
        let sealed = self.0.0.keys.seal(LABEL, bytes.as_slice()).into_bytes();
        (format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes.as_slice())), sealed)
    }
}

impl Hub {
    /// An event for one webhook alone.
    async fn add_test(&self, id: WebhookId) -> Result<JobView> {
        let reactor = self.running(&reactor_name(id))?;
        let (name, clock, now_ms) = (reactor.name.clone(), self.0.clock.clone(), self.0.clock.now_ms());
        let job = async move |tx: &mut Tx<'_>| -> Result<StoredJob> {
            let payload = format!("{{\"webhook_id\":\"{id}\"}}");
            let event = ingest::tell(tx, &clock, platform::TEST, payload).await?;
            let new = NewJob {
                reactor: &name,
                position: event.position,
                key: &event.id.to_string(),
                order_key: None,
                due_ms: now_ms,
                now_ms,
            };
            let job = jobs::add(tx, &new).await?.ok_or(ErrorCode::WrongState)?;
            Ok(jobs::job(tx, job).await?.ok_or(ErrorCode::UnknownEvent)?)
        };
        let job = self.0.db.write(job).await?;
        reactor.one_more();
        Ok(job.into())
    }

    /// The endpoints that are served, as they stand in the database.
    pub(super) async fn endpoints(&self) -> Result<Vec<Endpoint>> {
        let rows = self
            .0
            .db
            .read::<_, StoreError, _>(async |tx: &mut Tx<'_>| rows::all(tx).await)
            .await?;
        let served = rows.into_iter().filter(|row| row.state == WebhookState::On);
        Ok(served.map(|row| self.endpoint(row)).collect())
    }

    fn endpoint(&self, row: StoredWebhook) -> Endpoint {
        let open = |sealed: &[u8]| {
            let text = std::str::from_utf8(sealed).ok()?;
            self.0.keys.open(LABEL, text).map(Zeroizing::new)
        };
        let current = open(&row.secret).map(|secret| (secret, None));
        let previous = row.previous.as_deref().and_then(open).map(|secret| (secret, row.previous_until_ms));
        if current.is_none() {
            tracing::error!(webhook = %row.id, "the secret of webhook {} can't be opened; rotate it", row.id);
        }
        Endpoint {
            id: row.id,
            url: row.endpoint.url,
            patterns: row.endpoint.patterns,
            description: row.endpoint.description,
            secrets: current.into_iter().chain(previous).collect(),
            failing_since_ms: AtomicI64::new(row.failing_since_ms.unwrap_or(0)),
            disabled: AtomicBool::new(false),
        }
    }
}

/// That an endpoint began to fail, or works again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// Nothing succeeds since then.
    Fails {
        /// When.
        since_ms: i64,
    },
    /// A delivery succeeded.
    Works,
}

impl Turned {
    /// As it is stored.
    pub(crate) fn since_ms(self) -> Option<i64> {
        match self {
            Self::Fails { since_ms } => Some(since_ms),
            Self::Works => None,
        }
    }
}

impl Endpoint {
    /// Notes how a delivery went. Says what is to be written of it, if anything changed.
    pub(crate) fn note(&self, delivered: bool, now_ms: i64) -> Option<Turned> {
        let before_ms = self.failing_since_ms.load(Ordering::Relaxed);
        let (to_ms, turned) = match (delivered, before_ms) {
            (true, 1..) => (0, Turned::Works),
            (false, 0) => (now_ms, Turned::Fails { since_ms: now_ms }),
            _ => return None,
        };
        let exchanged = self
            .failing_since_ms
            .compare_exchange(before_ms, to_ms, Ordering::Relaxed, Ordering::Relaxed);
        exchanged.is_ok().then_some(turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the specification's own libraries.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let signature = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
