//! What a person has done once more, or not at all: dead letters are replayed or discarded, a reactor runs for an event again.

use nexus_store::sql::hub::events as event_rows;
use nexus_store::sql::reactors::{self as rows, NewJob, StoredJob};
use nexus_store::{StoreError, Tx};
use nexus_types::ErrorCode;
use nexus_types::hub::JobState;
use nexus_types::ids::{HubEventId, JobId};

use super::Hub;
use super::rules::Facts;
use super::views::JobView;
use crate::errors::Result;
use crate::reactors::{Reactor, Work};

/// Has it been seen that a reactor wants an event?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanting {
    /// It is asked.
    Asked,
    /// It had this event before.
    Known,
}

impl Hub {
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
        reactor.one_more();
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
}
