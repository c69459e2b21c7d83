//! A reactor's foreman: one task that leases jobs as they become due, lets a few run at once, and notes how they ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nexus_store::sql::reactors::{self as rows, LeasedJob};
use nexus_store::{StoreError, Tx};
use nexus_types::limits::{JOB_LEASE_MS, SECOND_MS};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::breaker::Gate;
use super::perform::perform;
use super::settle::{Ended, Tried};
use super::{Last, Reactor, Work};
use crate::errors::Result;
use crate::hub::Hub;

/// Jobs that ask nobody and are settled in one write.
const BATCH_MAX: usize = 48;
/// How long a foreman waits when the store failed.
const STORE_PAUSE_MS: i64 = SECOND_MS;
/// The longest sleep, so that a clock that was set is noticed.
const SLEEP_MS_MAX: i64 = 60 * SECOND_MS;
/// How long jobs may go on when the process stops. What is cut off is done again at the next start.
const STOP_MAX: Duration = Duration::from_millis(1_500);

/// What a foreman knows.
struct Foreman {
    hub: Hub,
    reactor: Arc<Reactor>,
    running: JoinSet<Option<i64>>,
    /// When to look for jobs; `None` if none waits.
    next_ms: Option<i64>,
}

/// Runs until told to stop, or until its reactor ends.
pub(crate) async fn run(hub: Hub, reactor: Arc<Reactor>, mut stop: watch::Receiver<bool>) {
    let mut foreman = Foreman {
        hub,
        reactor,
        running: JoinSet::new(),
        next_ms: Some(0),
    };
    let mut ending = foreman.reactor.ending();
    loop {
        // Between two steps nothing is lost: what was leased is in `running` or settled.
        let pause = foreman.step().await;
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ending.wait_for(|ended| *ended) => break,
            Some(ended) = foreman.running.join_next(), if !foreman.running.is_empty() => {
                // A job whose task was lost comes back when its lease ends.
                let due_ms = ended.ok().flatten();
                foreman.look_by(due_ms);
            }
            () = foreman.reactor.wake.notified() => foreman.next_ms = Some(0),
            () = tokio::time::sleep(pause) => {}
        }
    }
    let finish = async { while foreman.running.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_MAX, finish).await.is_err() {
        tracing::info!(reactor = %foreman.reactor.name, "jobs were cut off; they are done again at the next start");
    }
}

impl Foreman {
    /// Looks again by then at the latest.
    fn look_by(&mut self, due_ms: Option<i64>) {
        if let Some(due_ms) = due_ms {
            self.next_ms = Some(self.next_ms.map_or(due_ms, |next_ms| next_ms.min(due_ms)));
        }
    }

    /// Begins what can begin, and says how long there is nothing more to begin.
    async fn step(&mut self) -> Duration {
        let now_ms = self.hub.0.clock.now_ms();
        let work = self.reactor.work();
        let (room, until_ms) = self.room(&work, now_ms);
        let due = self.next_ms.is_some_and(|next_ms| next_ms <= now_ms);
        if room == 0 || !due {
            let next_ms = if room == 0 { until_ms } else { self.next_ms };
            let pause_ms = next_ms.map_or(SLEEP_MS_MAX, |next_ms| (next_ms - now_ms).clamp(1, SLEEP_MS_MAX));
            return Duration::from_millis(pause_ms.unsigned_abs());
        }
        if let Err(error) = self.begin(&work, room, now_ms).await {
            tracing::warn!(reactor = %self.reactor.name, error = &error as &dyn std::error::Error, "a reactor can't get at its jobs");
            self.next_ms = Some(now_ms + STORE_PAUSE_MS);
        }
        Duration::ZERO
    }

    /// How many jobs may begin, and if none, until when.
    fn room(&self, work: &Work, now_ms: i64) -> (usize, Option<i64>) {
        if self.reactor.is_paused() || self.reactor.has_ended() {
            return (0, None);
        }
        if !work.asks_others() {
            return (BATCH_MAX, None);
        }
        let free = work.concurrency().saturating_sub(self.running.len());
        match self.reactor.breaker().gate(now_ms) {
            Gate::Open => (free, None),
            Gate::One => (free.min(1), None),
            Gate::Shut { until_ms } => (0, until_ms),
        }
    }

    async fn begin(&mut self, work: &Work, room: usize, now_ms: i64) -> Result<()> {
        let jobs = self.lease(room, now_ms).await?;
        let found = jobs.len();
        if work.asks_others() {
            let is_probe = found > 0 && self.reactor.breaker().gate(now_ms) == Gate::One;
            if is_probe {
                self.reactor.breaker().probe();
            }
            for job in jobs {
                let (hub, reactor, work) = (self.hub.clone(), self.reactor.clone(), work.clone());
                self.running
                    .spawn(async move { run_one(&hub, &reactor, &work, (job, is_probe)).await });
            }
        } else if found > 0 {
            let due_ms = self.run_batch(work, jobs).await;
            self.look_by(due_ms);
        }
        if found < room {
            let name = self.reactor.name.clone();
            let next_ms = self
                .hub
                .0
                .db
                .read::<_, StoreError, _>(async move |tx: &mut Tx<'_>| rows::next_due(tx, &name).await)
                .await?;
            self.next_ms = next_ms;
        }
        Ok(())
    }

    async fn lease(&self, room: usize, now_ms: i64) -> Result<Vec<LeasedJob>> {
        let name = self.reactor.name.clone();
        let limit = room as i64;
        let job = async move |tx: &mut Tx<'_>| rows::lease(tx, &name, now_ms, now_ms + JOB_LEASE_MS, limit).await;
        Ok(self.hub.0.db.write::<_, StoreError, _>(job).await?)
    }

    /// Runs jobs that ask nobody, and settles them together. Says when one of them is due again.
    async fn run_batch(&self, work: &Work, jobs: Vec<LeasedJob>) -> Option<i64> {
        let (hub, reactor) = (&self.hub, &self.reactor);
        let mut tried = Vec::with_capacity(jobs.len());
        for job in jobs {
            hub.0.meters.reacted(&job, hub.0.clock.now_ms());
            let performed = perform(work, &job, &hub.0.outbound, &hub.0.clock).await;
            tried.push(Arc::new(Tried { job, performed }));
        }
        if let Ok(all) = hub.write_settled(reactor, tried.clone()).await {
            let ended = all
                .into_iter()
                .zip(&tried)
                .map(|(ended, tried)| note(hub, reactor, tried.performed.took_us, ended));
            return ended.flatten().min();
        }
        // Something of one of them was refused: each by itself.
        let mut next_ms: Option<i64> = None;
        for tried in tried {
            let Ok(tried) = Arc::try_unwrap(tried) else { continue };
            let due_ms = finish(hub, reactor, tried).await;
            next_ms = next_ms.into_iter().chain(due_ms).min();
        }
        next_ms
    }
}

/// Runs one job that asks others. Says when it is due again, if it is.
async fn run_one(hub: &Hub, reactor: &Reactor, work: &Work, (job, is_probe): (LeasedJob, bool)) -> Option<i64> {
    hub.0.meters.reacted(&job, hub.0.clock.now_ms());
    let performed = perform(work, &job, &hub.0.outbound, &hub.0.clock).await;
    {
        let mut breaker = reactor.breaker();
        match performed.reached {
            Some(true) => breaker.succeeded(),
            Some(false) => breaker.failed(hub.0.clock.now_ms(), is_probe),
            None => breaker.asked_nobody(is_probe),
        }
    }
    finish(hub, reactor, Tried { job, performed }).await
}

/// Settles an attempt and notes how it ended. A settlement that fails is made again when the lease ends, after another attempt.
async fn finish(hub: &Hub, reactor: &Reactor, tried: Tried) -> Option<i64> {
    let took_us = tried.performed.took_us;
    match hub.settle(reactor, tried).await {
        Ok(ended) => note(hub, reactor, took_us, ended),
        Err(error) => {
            tracing::warn!(reactor = %reactor.name, error = &error as &dyn std::error::Error, "an attempt could not be recorded");
            Some(hub.0.clock.now_ms() + JOB_LEASE_MS)
        }
    }
}

fn note(hub: &Hub, reactor: &Reactor, took_us: i64, ended: Ended) -> Option<i64> {
    let at_ms = hub.0.clock.now_ms();
    let last = |trouble| Last { trouble, at_ms, took_us };
    match ended {
        Ended::Done => {
            reactor.waiting.fetch_sub(1, Ordering::Relaxed);
            reactor.note_last(last(None));
            hub.0.meters.delivered();
            // Another of the same order may be free now.
            Some(0).filter(|_| reactor.waiting.load(Ordering::Relaxed) > 0)
        }
        Ended::Retry { due_ms, reason } => {
            reactor.note_last(last(Some(reason.into())));
            hub.0.meters.retried();
            Some(due_ms)
        }
        Ended::Dead { reason } => {
            reactor.waiting.fetch_sub(1, Ordering::Relaxed);
            reactor.dead.fetch_add(1, Ordering::Relaxed);
            reactor.note_last(last(Some(reason.into())));
            hub.0.meters.dead();
            Some(0)
        }
        Ended::Discarded => {
            reactor.waiting.fetch_sub(1, Ordering::Relaxed);
            Some(0)
        }
        Ended::Lost => Some(0),
    }
}
