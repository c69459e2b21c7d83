//! Outgoing endpoints. A webhook is a reactor of the name `webhook/ID`; its deliveries are that reactor's jobs.

use nexus_types::hub::{Pattern, WebhookState};
use nexus_types::ids::WebhookId;

use super::Rotation;
use crate::sql::{from_json, reactors, to_json};
use crate::{Row, StoreError, Tx};

/// The text of a statement over webhooks, in the order that [`stored`] reads.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, url, description, patterns, secret, previous, previous_until_ms, state, reason, failing_since_ms, created_ms
            FROM hub_webhooks ",
            $tail
        )
    };
}

/// What a person says endpoint a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where events are sent.
    pub url: String,
    /// In words.
    pub description: String,
    /// Which events.
    pub patterns: Vec<Pattern>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWebhook {
    /// Its id.
    pub id: WebhookId,
    /// Where, what.
    pub endpoint: Endpoint,
    /// What deliveries are signed with.
    pub secret: Vec<u8>,
    /// What they were signed with before.
    pub previous: Option<Vec<u8>>,
    /// Until when they still are, too.
    pub previous_until_ms: Option<i64>,
    /// Whether it is served.
    pub state: WebhookState,
    /// Why it is not.
    pub reason: Option<String>,
    /// Since when every delivery failed.
    pub failing_since_ms: Option<i64>,
    /// When it was added.
    pub created_ms: i64,
}

fn stored(row: &Row<'_>) -> Result<StoredWebhook, StoreError> {
    Ok(StoredWebhook {
        id: row.get(0)?,
        endpoint: Endpoint {
            url: row.get(1)?,
            description: row.get(2)?,
            patterns: from_json(&row.get::<String>(3)?)?,
        },
        secret: row.get(4)?,
        previous: row.get(5)?,
        previous_until_ms: row.get(6)?,
        state: row.get(7)?,
        reason: row.get(8)?,
        failing_since_ms: row.get(9)?,
        created_ms: row.get(10)?,
    })
}

/// A new webhook's row.
#[derive(Debug, Clone, Copy)]
pub struct NewWebhook<'a> {
    /// Its id.
    pub id: WebhookId,
    /// Where, what.
    pub endpoint: &'a Endpoint,
    /// What deliveries are signed with.
    pub secret: &'a [u8],
    /// When.
    pub created_ms: i64,
}

/// Adds a webhook, which is on; false if there are as many as there may be.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, webhook: NewWebhook<'_>, most: i64) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO hub_webhooks (id, url, description, patterns, secret, rotated_ms, state, created_ms)
        SELECT $1, $2, $3, $4, $5, $6, 0, $6 WHERE (SELECT COUNT(*) FROM hub_webhooks) < $7";
    let patterns = to_json(&webhook.endpoint.patterns);
    let args = [
        webhook.id.into(),
        (&webhook.endpoint.url).into(),
        (&webhook.endpoint.description).into(),
        (&patterns).into(),
        webhook.secret.into(),
        webhook.created_ms.into(),
        most.into(),
    ];
    Ok(tx.execute(INSERT, &args).await? == 1)
}

/// Every webhook, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<StoredWebhook>, StoreError> {
    tx.query(select!("ORDER BY id"), &[], stored).await
}

/// One webhook.
///
/// # Errors
/// Those of the store.
pub async fn load(tx: &mut Tx<'_>, id: WebhookId) -> Result<Option<StoredWebhook>, StoreError> {
    tx.query_opt(select!("WHERE id = $1"), &[id.into()], stored).await
}

/// Changes where and what; false if there is no such webhook.
///
/// # Errors
/// Those of the store.
pub async fn update(tx: &mut Tx<'_>, id: WebhookId, endpoint: &Endpoint) -> Result<bool, StoreError> {
    const UPDATE: &str = "UPDATE hub_webhooks SET url = $2, description = $3, patterns = $4 WHERE id = $1";
    let patterns = to_json(&endpoint.patterns);
    let args = [
        id.into(),
        (&endpoint.url).into(),
        (&endpoint.description).into(),
        (&patterns).into(),
    ];
    Ok(tx.execute(UPDATE, &args).await? == 1)
}

/// Gives a webhook another secret; false if there is no such webhook.
///
/// # Errors
/// Those of the store.
pub async fn rotate(tx: &mut Tx<'_>, id: WebhookId, rotation: Rotation<'_>) -> Result<bool, StoreError> {
    const ROTATE: &str = "UPDATE hub_webhooks SET secret = $2, previous = $3, previous_until_ms = $4, rotated_ms = $5 WHERE id = $1";
    let args = [
        id.into(),
        rotation.secret.into(),
        rotation.previous.into(),
        rotation.previous_until_ms.into(),
        rotation.rotated_ms.into(),
    ];
    Ok(tx.execute(ROTATE, &args).await? == 1)
}

/// Switches a webhook, and forgets since when it fails; false if there is no such webhook.
///
/// # Errors
/// Those of the store.
pub async fn set_state(tx: &mut Tx<'_>, id: WebhookId, state: WebhookState, reason: Option<&str>) -> Result<bool, StoreError> {
    const SET: &str = "UPDATE hub_webhooks SET state = $2, reason = $3, failing_since_ms = NULL WHERE id = $1";
    Ok(tx.execute(SET, &[id.into(), state.into(), reason.into()]).await? == 1)
}

/// Remembers since when a webhook fails, or that it works again. The first failure counts until then; true if this changed something.
///
/// # Errors
/// Those of the store.
pub async fn failing(tx: &mut Tx<'_>, id: WebhookId, since_ms: Option<i64>) -> Result<bool, StoreError> {
    const FAILS: &str = "UPDATE hub_webhooks SET failing_since_ms = $2 WHERE id = $1 AND failing_since_ms IS NULL";
    const WORKS: &str = "UPDATE hub_webhooks SET failing_since_ms = NULL WHERE id = $1 AND failing_since_ms IS NOT NULL";
    let changed = match since_ms {
        Some(since_ms) => tx.execute(FAILS, &[id.into(), since_ms.into()]).await?,
        None => tx.execute(WORKS, &[id.into()]).await?,
    };
    Ok(changed == 1)
}

/// Removes endpoint `rows` rows of a webhook's deliveries, and once there are none the webhook. Says how many; call it again until it
/// says 0.
///
/// # Errors
/// Those of the store.
pub async fn remove(tx: &mut Tx<'_>, id: WebhookId, rows: i64) -> Result<usize, StoreError> {
    let removed = reactors::remove_jobs(tx, &format!("webhook/{id}"), rows).await?;
    if removed > 0 {
        return Ok(removed);
    }
    let removed = tx.execute("DELETE FROM hub_webhooks WHERE id = $1", &[id.into()]).await?;
    Ok(usize::try_from(removed).unwrap_or(usize::MAX))
}
