//! The hub as people look at it: events with what became of them, dead letters, deliveries, dry runs.

use nexus_store::sql::hub::events::{self as event_rows, Filter, StoredEvent};
use nexus_store::sql::reactors::{self as rows, Attempt, NewJob, StoredJob, Turn};
use nexus_store::{StoreError, Tx};
use nexus_types::ErrorCode;
use nexus_types::hub::{AttemptOutcome, EventType, HubEvent, JobState, PLATFORM_SOURCE, Pattern};
use nexus_types::ids::{HubEventId, JobId, WebhookId};
use nexus_types::limits::{DRY_RUN_EVENTS_MAX, EVENTS_PAGE_MAX, JOBS_PAGE_MAX};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ingest::{self, Draft};
use super::rules::{DryRunLine, Facts, Rule, RuleError, dry_run};
use super::webhooks::reactor_name;
use super::{Hub, platform};
use crate::errors::Result;
use crate::reactors::{Reactor, Work};

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

/// What shall be run dry.
#[derive(Debug, Clone, Deserialize)]
pub struct DryRun {
    /// A rule of the folder.
    pub name: Option<String>,
    /// Or a rule's text.
    pub rule: Option<String>,
    /// Past events to look at, the newest.
    #[serde(default = "dry_limit")]
    pub limit: i64,
}

fn dry_limit() -> i64 {
    50
}

/// What a rule would have done.
///
/// # Shape
/// `{"errors": [{"file", "line", "column", "reason", "hint"}], "idle": string|null, "events": [..]}`
#[derive(Serialize)]
pub struct DryRunReport {
    errors: Vec<RuleError>,
    idle: Option<String>,
    events: Vec<DryRunLine>,
}

/// Has it been seen that a reactor wants an event?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanting {
    /// It is asked.
    Asked,
    /// It had this event before.
    Known,
}

fn page_limit(limit: i64, most: i64) -> Result<()> {
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

    /// Lets a dead letter be tried again, as if it had just come. What a rule that was mended does not want is discarded.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`], [`ErrorCode::WrongState`] if it is not dead or its reactor gets no events.
    pub async fn replay(&self, id: JobId) -> Result<JobView> {
        let now_ms = self.0.clock.now_ms();
        let job = async move |tx: &mut Tx<'_>| {
            let Some(job) = rows::job(tx, id).await? else { return Ok(None) };
            let event = event_rows::at(tx, job.position).await?;
            Ok::<_, StoreError>(event.map(|event| (job, event.event)))
        };
        let (job, event) = self.0.db.read(job).await?.ok_or(ErrorCode::UnknownEvent)?;
        let reactor = self.running(&job.reactor).map_err(|_| ErrorCode::WrongState)?;
        let wanted = match reactor.work() {
            Work::Rule(rule) => rule.wants(&Facts::new(&event)).ok(),
            Work::Webhook(_) => None,
        };
        // It died before its rule could say its key.
        let is_plain = job.key == event.id.to_string();
        let job = async move |tx: &mut Tx<'_>| {
            let goes_on = match &wanted {
                Some(None) => false,
                Some(Some(wanted)) if is_plain && wanted.key != job.key => {
                    rows::rekey(tx, id, &wanted.key, wanted.order_key.as_deref()).await?
                }
                _ => true,
            };
            let replayed = goes_on && rows::replay(tx, id, now_ms).await?;
            let discarded = !goes_on && rows::discard(tx, id, now_ms).await?;
            Ok::<_, StoreError>((replayed, discarded, rows::job(tx, id).await?))
        };
        let (replayed, discarded, job) = self.0.db.write(job).await?;
        let job = job.ok_or(ErrorCode::UnknownEvent)?;
        if !replayed && !discarded {
            return Err(ErrorCode::WrongState.into());
        }
        self.count_back(&job.reactor, i64::from(replayed));
        Ok(job.into())
    }

    /// Says that a dead letter need not be done.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`], [`ErrorCode::WrongState`] if it is not dead.
    pub async fn discard(&self, id: JobId) -> Result<()> {
        let now_ms = self.0.clock.now_ms();
        let job = async move |tx: &mut Tx<'_>| {
            let discarded = rows::discard(tx, id, now_ms).await?;
            Ok::<_, StoreError>((discarded, rows::job(tx, id).await?))
        };
        let (discarded, job) = self.0.db.write(job).await?;
        let job = job.ok_or(ErrorCode::UnknownEvent)?;
        if !discarded {
            return Err(ErrorCode::WrongState.into());
        }
        self.count_back(&job.reactor, 0);
        Ok(())
    }

    /// A letter is not dead any more; so many wait again.
    fn count_back(&self, reactor: &str, waiting: i64) {
        use std::sync::atomic::Ordering::Relaxed;
        if let Ok(reactor) = self.running(reactor) {
            reactor.dead.fetch_sub(1, Relaxed);
            reactor.waiting.fetch_add(waiting, Relaxed);
            reactor.wake.notify_one();
        }
    }

    /// Runs a reactor for an event once more, whatever it did before. To others it is a new request, with a key of its own.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`] for an event or a reactor that is not there, [`ErrorCode::WrongState`] if the reactor does not want the
    /// event.
    pub async fn run_again(&self, id: HubEventId, reactor: &str) -> Result<JobView> {
        self.again(id, &*self.running(reactor)?, Wanting::Asked).await
    }

    async fn again(&self, id: HubEventId, reactor: &Reactor, wanting: Wanting) -> Result<JobView> {
        let stored = self
            .0
            .db
            .read::<_, StoreError, _>(async move |tx: &mut Tx<'_>| event_rows::load(tx, id).await)
            .await?;
        let event = stored.ok_or(ErrorCode::UnknownEvent)?.event;
        let wanted = match &reactor.work() {
            work if wanting == Wanting::Asked && !work.listens(&event.kind) => None,
            Work::Webhook(_) => Some((id.to_string(), None)),
            Work::Rule(rule) => match rule.wants(&Facts::new(&event)) {
                Ok(wanted) => wanted.map(|wanted| (wanted.key, wanted.order_key)),
                // It says why when it runs.
                Err(_) => Some((id.to_string(), None)),
            },
        };
        let (key, order_key) = wanted.ok_or(ErrorCode::WrongState)?;
        let (name, now_ms) = (reactor.name.clone(), self.0.clock.now_ms());
        let job = async move |tx: &mut Tx<'_>| -> Result<StoredJob> {
            let mut new = NewJob {
                reactor: &name,
                position: event.position,
                key: &key,
                order_key: order_key.as_deref(),
                due_ms: now_ms,
                now_ms,
            };
            let mut job = rows::add(tx, &new).await?;
            if job.is_none() {
                let times = rows::jobs_of(tx, event.position)
                    .await?
                    .iter()
                    .filter(|job| *job.reactor == *name)
                    .count();
                let again = format!("{key}~{id}~{}", times + 1);
                new.key = &again;
                job = rows::add(tx, &new).await?;
            }
            let job = job.ok_or(ErrorCode::WrongState)?;
            Ok(rows::job(tx, job).await?.ok_or(ErrorCode::UnknownEvent)?)
        };
        let job = self.0.db.write(job).await?;
        reactor.waiting.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        reactor.wake.notify_one();
        Ok(job.into())
    }

    /// Delivers once more: what is dead is tried again, what was done is done again.
    pub(super) async fn repeat(&self, reactor: &str, id: JobId) -> Result<JobView> {
        let job = self
            .0
            .db
            .read::<_, StoreError, _>(async move |tx: &mut Tx<'_>| rows::job(tx, id).await)
            .await?;
        let job = job.filter(|job| job.reactor == reactor).ok_or(ErrorCode::UnknownEvent)?;
        match job.state {
            JobState::Dead => self.replay(id).await,
            // A test is of a type that nobody listens to.
            JobState::Done | JobState::Discarded => self.again(job.event_id, &*self.running(reactor)?, Wanting::Known).await,
            JobState::Waiting => Err(ErrorCode::WrongState.into()),
        }
    }

    /// An event for one webhook alone.
    pub(super) async fn add_test(&self, id: WebhookId) -> Result<JobView> {
        let reactor = self.running(&reactor_name(id))?;
        let (name, clock, now_ms) = (reactor.name.clone(), self.0.clock.clone(), self.0.clock.now_ms());
        let job = async move |tx: &mut Tx<'_>| -> Result<StoredJob> {
            let kind = EventType::parse(platform::TEST).expect("it is a type");
            let payload = RawValue::from_string(format!("{{\"webhook_id\":\"{id}\"}}")).expect("it is JSON");
            let draft = Draft {
                kind: &kind,
                payload,
                source: PLATFORM_SOURCE,
                external: None,
                cause: 0,
                hops: 0,
            };
            let event = ingest::commit(tx, &clock, draft).await?;
            let new = NewJob {
                reactor: &name,
                position: event.position,
                key: &event.id.to_string(),
                order_key: None,
                due_ms: now_ms,
                now_ms,
            };
            let job = rows::add(tx, &new).await?.ok_or(ErrorCode::WrongState)?;
            Ok(rows::job(tx, job).await?.ok_or(ErrorCode::UnknownEvent)?)
        };
        let job = self.0.db.write(job).await?;
        reactor.waiting.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        reactor.wake.notify_one();
        Ok(job.into())
    }

    /// What a rule would have done for past events. Nothing is sent or written.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLimit`], [`ErrorCode::InvalidRule`] without a name or a text, [`ErrorCode::UnknownEvent`] for a rule that is
    /// not there.
    pub async fn dry_run(&self, wanted: DryRun) -> Result<DryRunReport> {
        page_limit(wanted.limit, DRY_RUN_EVENTS_MAX)?;
        // Whoever tries a rule has mostly just written it.
        self.reload_rules().await?;
        let read = match (&wanted.name, &wanted.rule) {
            (_, Some(text)) => {
                let name = wanted.name.as_deref().unwrap_or("rule");
                let environment = |name: &str| self.named_variable(name);
                Rule::read(name, text, self.types(), &environment).map(std::sync::Arc::new)
            }
            (Some(name), None) => Ok(self.rule(name).ok_or(ErrorCode::UnknownEvent)?),
            (None, None) => return Err(ErrorCode::InvalidRule.into()),
        };
        let rule = match read {
            Ok(rule) => rule,
            Err(errors) => {
                return Ok(DryRunReport {
                    errors,
                    idle: None,
                    events: vec![],
                });
            }
        };
        let filter = Filter {
            kinds: rule.patterns().to_vec(),
            source: None,
            before: None,
            limit: wanted.limit,
        };
        let job = async move |tx: &mut Tx<'_>| event_rows::page(tx, &filter).await;
        let stored = self.0.db.read::<_, StoreError, _>(job).await?;
        let events: Vec<_> = stored.into_iter().map(|stored| stored.event).collect();
        let idle = rule.idle().map(str::to_owned);
        let lines = tokio::task::spawn_blocking(move || dry_run(&rule, &events)).await;
        Ok(DryRunReport {
            errors: vec![],
            idle,
            events: lines.map_err(|cause| crate::Error::internal("run a rule dry", cause))?,
        })
    }
}
