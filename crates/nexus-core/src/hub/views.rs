//! The hub as people look at it: events with what became of them, dead letters, deliveries.

use nexus_store::sql::hub::events::{self as event_rows, Filter, StoredEvent};
use nexus_store::sql::reactors::{self as rows, Attempt, StoredJob, Turn};
use nexus_store::{StoreError, Tx};
use nexus_types::ErrorCode;
use nexus_types::hub::{AttemptOutcome, EventType, HubEvent, JobState, Pattern};
use nexus_types::ids::{HubEventId, JobId};
use nexus_types::limits::{EVENTS_PAGE_MAX, JOBS_PAGE_MAX};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Hub;
use crate::errors::Result;

/// Which events are asked for.
#[derive(Debug, Clone)]
pub struct EventQuery {
    /// At most so many.
    pub limit: i64,
    /// Of these types; empty for all.
    pub patterns: Vec<Pattern>,
    /// Of this source.
    pub source: Option<String>,
    /// Before this position.
    pub before: Option<i64>,
    /// With what became of them?
    pub lives: bool,
}

/// How it stands with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStanding {
    /// It will be tried.
    Waiting,
    /// It is being tried.
    Running,
    /// It was done.
    Done,
    /// A dead letter.
    Dead,
    /// A person said that it need not be done.
    Discarded,
}

/// A job.
///
/// # Shape
/// `{"id", "reactor", "event_id", "key", "state", "tries", "due": ms|null, "created": ms, "ended": ms|null, "took_ms": float|null,
/// "reason": string|null}`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobView {
    id: JobId,
    reactor: String,
    event_id: HubEventId,
    key: String,
    state: JobStanding,
    tries: i64,
    due: Option<i64>,
    created: i64,
    ended: Option<i64>,
    took_ms: Option<f64>,
    reason: Option<String>,
}

impl From<StoredJob> for JobView {
    fn from(job: StoredJob) -> Self {
        let state = match (job.state, job.turn) {
            (JobState::Waiting, Turn::LeasedUntil(_)) => JobStanding::Running,
            (JobState::Waiting, _) => JobStanding::Waiting,
            (JobState::Done, _) => JobStanding::Done,
            (JobState::Dead, _) => JobStanding::Dead,
            (JobState::Discarded, _) => JobStanding::Discarded,
        };
        Self {
            id: job.id,
            reactor: job.reactor,
            event_id: job.event_id,
            key: job.key,
            due: (state == JobStanding::Waiting).then_some(job.due_ms),
            state,
            tries: job.attempts,
            created: job.created_ms,
            ended: job.ended_ms,
            took_ms: job.took_us.map(ms),
            reason: job.reason,
        }
    }
}

fn ms(us: i64) -> f64 {
    us as f64 / 1_000.0
}

/// An attempt.
///
/// # Shape
/// `{"number", "began": ms, "took_ms": float, "outcome": "delivered"|"failed"|"refused", "status": int|null, "request": {..}|null,
/// "answer": {..}|null, "error": string|null}`
#[derive(Debug, Clone, Serialize)]
pub struct AttemptView {
    number: i64,
    began: i64,
    took_ms: f64,
    outcome: AttemptOutcome,
    status: Option<i64>,
    request: Option<Box<RawValue>>,
    answer: Option<Box<RawValue>>,
    error: Option<String>,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let json = |text: Option<String>| text.and_then(|text| RawValue::from_string(text).ok());
        Self {
            number: attempt.number,
            began: attempt.began_ms,
            took_ms: ms(attempt.took_us),
            outcome: attempt.outcome,
            status: attempt.status,
            request: json(attempt.request),
            answer: json(attempt.answer),
            error: attempt.error,
        }
    }
}

/// A job with its attempts.
///
/// # Shape
/// As [`JobView`], with `"attempts": [..]`.
#[derive(Debug, Clone, Serialize)]
pub struct TriedJob {
    #[serde(flatten)]
    job: JobView,
    attempts: Vec<AttemptView>,
}

/// An event, with what became of it if that was asked for.
///
/// # Shape
/// As [`HubEvent`], with `"jobs": [..]` perhaps.
#[derive(Debug, Clone, Serialize)]
pub struct ListedEvent {
    /// The event.
    #[serde(flatten)]
    pub event: HubEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<Vec<JobView>>,
}

/// Which event another was made of.
///
/// # Shape
/// `{"id", "event"}`
#[derive(Debug, Clone, Serialize)]
pub struct Cause {
    id: HubEventId,
    event: EventType,
}

/// All that is known of an event.
///
/// # Shape
/// As [`HubEvent`], with `"cause": {..}|null, "hops", "external_id": string|null, "jobs": [{.., "attempts": [..]}]`.
#[derive(Debug, Clone, Serialize)]
pub struct Life {
    #[serde(flatten)]
    event: HubEvent,
    cause: Option<Cause>,
    hops: i64,
    external_id: Option<String>,
    jobs: Vec<TriedJob>,
}

/// A job, its attempts and its event.
///
/// # Shape
/// As [`TriedJob`], with `"event": {..}`.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    #[serde(flatten)]
    tried: TriedJob,
    event: HubEvent,
}

/// A dead letter.
///
/// # Shape
/// As [`Delivery`], with `"advice"`: what to do, a sentence.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    #[serde(flatten)]
    delivery: Delivery,
    advice: String,
}

pub(super) fn page_limit(limit: i64, most: i64) -> Result<()> {
    if (1..=most).contains(&limit) {
        Ok(())
    } else {
        Err(ErrorCode::InvalidLimit.into())
    }
}

/// A job with its attempts and its event, in a transaction.
async fn delivery(tx: &mut Tx<'_>, job: StoredJob) -> Result<Delivery, StoreError> {
    let event = event_rows::at(tx, job.position).await?;
    let event = event.ok_or_else(|| StoreError::internal("read a job's event", "it is gone"))?.event;
    Ok(Delivery {
        tried: tried(tx, job).await?,
        event,
    })
}

async fn tried(tx: &mut Tx<'_>, job: StoredJob) -> Result<TriedJob, StoreError> {
    let attempts = rows::attempts_of(tx, job.id).await?;
    Ok(TriedJob {
        job: job.into(),
        attempts: attempts.into_iter().map(AttemptView::from).collect(),
    })
}

impl Hub {
    /// Events, the newest first.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLimit`].
    pub async fn events(&self, query: EventQuery) -> Result<Vec<ListedEvent>> {
        page_limit(query.limit, EVENTS_PAGE_MAX)?;
        let EventQuery {
            limit,
            patterns,
            source,
            before,
            lives,
        } = query;
        let filter = Filter {
            kinds: patterns,
            source,
            before,
            limit,
        };
        let job = async move |tx: &mut Tx<'_>| {
            let mut listed = vec![];
            for stored in event_rows::page(tx, &filter).await? {
                let jobs = if lives {
                    let jobs = rows::jobs_of(tx, stored.event.position).await?;
                    Some(jobs.into_iter().map(JobView::from).collect())
                } else {
                    None
                };
                listed.push(ListedEvent { event: stored.event, jobs });
            }
            Ok::<_, StoreError>(listed)
        };
        Ok(self.0.db.read(job).await?)
    }

    /// All that is known of an event.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`].
    pub async fn life(&self, id: HubEventId) -> Result<Life> {
        let job = async move |tx: &mut Tx<'_>| {
            let Some(stored) = event_rows::load(tx, id).await? else {
                return Ok(None);
            };
            let cause = match stored.cause {
                0 => None,
                position => event_rows::at(tx, position).await?,
            };
            let mut jobs = vec![];
            for job in rows::jobs_of(tx, stored.event.position).await? {
                jobs.push(tried(tx, job).await?);
            }
            Ok::<_, StoreError>(Some((stored, cause, jobs)))
        };
        let (stored, cause, jobs) = self.0.db.read(job).await?.ok_or(ErrorCode::UnknownEvent)?;
        let StoredEvent {
            event, hops, external_id, ..
        } = stored;
        Ok(Life {
            event,
            cause: cause.map(|cause| Cause {
                id: cause.event.id,
                event: cause.event.kind,
            }),
            hops,
            external_id,
            jobs,
        })
    }

    /// Dead letters, the newest first.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLimit`].
    pub async fn dead_letters(&self, before: Option<JobId>, limit: i64) -> Result<Vec<DeadLetter>> {
        page_limit(limit, JOBS_PAGE_MAX)?;
        let job = async move |tx: &mut Tx<'_>| {
            let mut letters = vec![];
            for job in rows::dead_letters(tx, before, limit).await? {
                letters.push(delivery(tx, job).await?);
            }
            Ok::<_, StoreError>(letters)
        };
        let letters: Vec<Delivery> = self.0.db.read(job).await?;
        let letter = |delivery: Delivery| DeadLetter {
            advice: self.advice(&delivery.tried.job),
            delivery,
        };
        Ok(letters.into_iter().map(letter).collect())
    }

    /// What to do about a dead letter.
    fn advice(&self, job: &JobView) -> String {
        if self.running(&job.reactor).is_err() {
            return "Its reactor is gone. Bring it back and replay this, or discard it.".to_owned();
        }
        match &job.reason {
            // What the hub itself could not do says what to do.
            Some(reason) if reason.contains("then replay this") || reason.contains("then discard this") => reason.clone(),
            Some(reason) if reason.contains("Correct the") => format!("{reason} Then replay this."),
            _ if job.reactor.starts_with(crate::reactors::WEBHOOK_PREFIX) => {
                "Look whether the receiver works (send it a test), then replay this.".to_owned()
            }
            _ => "Look whether the other side works again, then replay this.".to_owned(),
        }
    }

    pub(super) async fn deliveries(&self, reactor: &str, before: Option<JobId>, limit: i64) -> Result<Vec<Delivery>> {
        page_limit(limit, JOBS_PAGE_MAX)?;
        let reactor = reactor.to_owned();
        let job = async move |tx: &mut Tx<'_>| {
            let mut deliveries = vec![];
            for job in rows::jobs(tx, &reactor, before, limit).await? {
                deliveries.push(delivery(tx, job).await?);
            }
            Ok::<_, StoreError>(deliveries)
        };
        Ok(self.0.db.read(job).await?)
    }
}
