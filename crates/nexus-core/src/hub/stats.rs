//! How the hub does: events a minute, how soon reactors begin, what became of jobs.
//!
//! Events are counted in the writes of the dispatcher; those that nobody wanted are counted in memory until then, a second at most. What reactors did is gathered in memory and written every few seconds: a
//! process that dies takes the last of it along.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nexus_store::sql::hub::stats::{self as rows, Reaction};
use nexus_store::sql::reactors::{self, LeasedJob};
use nexus_store::{StoreError, Tx};
use nexus_types::limits::{DAY_MS, HUB_MINUTES_KEPT, MINUTE_MS};
use serde::Serialize;
use tokio::sync::watch;

use super::Hub;
use super::dispatch::Counts;
use crate::errors::Result;

/// How often what was gathered is written.
const FLUSH: Duration = Duration::from_secs(5);
/// Reactions of a flush that are kept to find the typical one.
const SAMPLES_MAX: usize = 4_096;

/// What reactors did since the last flush.
#[derive(Default)]
struct Gathered {
    samples_ms: Vec<i64>,
    samples: i64,
    delivered: i64,
    retried: i64,
    dead: i64,
}

impl Gathered {
    fn reacted(&mut self, event_ms: i64, now_ms: i64) {
        self.samples += 1;
        if self.samples_ms.len() < SAMPLES_MAX {
            self.samples_ms.push((now_ms - event_ms).max(0));
        }
    }
}

/// Gathers. See the module.
#[derive(Default)]
pub(crate) struct Meters(Mutex<Gathered>);

impl Meters {
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reactor begins with a job, for the first time.
    pub(crate) fn reacted(&self, job: &LeasedJob, now_ms: i64) {
        if job.attempts > 0 {
            return;
        }
        self.gathered().reacted(job.event.event.timestamp, now_ms);
    }

    /// A reactor did something in the dispatcher's own write.
    pub(crate) fn done_at_once(&self, event_ms: i64, now_ms: i64) {
        let mut gathered = self.gathered();
        gathered.reacted(event_ms, now_ms);
        gathered.delivered += 1;
    }

    pub(crate) fn delivered(&self) {
        self.gathered().delivered += 1;
    }

    pub(crate) fn retried(&self) {
        self.gathered().retried += 1;
    }

    pub(crate) fn dead(&self) {
        self.gathered().dead += 1;
    }

    /// What was gathered, if anything; it begins anew.
    fn take(&self) -> Option<Reaction> {
        let mut gathered = std::mem::take(&mut *self.gathered());
        if gathered.samples + gathered.delivered + gathered.retried + gathered.dead == 0 {
            return None;
        }
        gathered.samples_ms.sort_unstable();
        let at = |share: usize| {
            let last = gathered.samples_ms.len().saturating_sub(1);
            gathered.samples_ms.get(last * share / 100).map_or(0, |ms| ms * 1_000)
        };
        Some(Reaction {
            samples: gathered.samples,
            typical_us: at(50),
            slow_us: at(95),
            delivered: gathered.delivered,
            retried: gathered.retried,
            dead: gathered.dead,
        })
    }
}

/// Writes what was gathered until told to stop, and then once more.
pub(super) async fn run(hub: Hub, mut stop: watch::Receiver<bool>) {
    loop {
        let stopping = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(FLUSH) => false,
        };
        if let Err(error) = flush(&hub).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the hub's figures of some seconds are lost"
            );
        }
        if stopping {
            return;
        }
    }
}

async fn flush(hub: &Hub) -> Result<()> {
    let Some(reaction) = hub.0.meters.take() else { return Ok(()) };
    let minute = hub.0.clock.now_ms() / MINUTE_MS;
    let job = async move |tx: &mut Tx<'_>| rows::reaction(tx, minute, &reaction).await;
    Ok(hub.0.db.write_background::<_, StoreError, _>(job).await?)
}

/// # Shape
/// `{"start": ms, "events", "retried", "dead"}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MinuteStats {
    start: i64,
    events: i64,
    retried: i64,
    dead: i64,
}

/// # Shape
/// `{"start": ms, "typical_ms", "slow_ms"}`: the median and 95 in 100.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReactionStats {
    start: i64,
    typical_ms: f64,
    slow_ms: f64,
}

/// Since midnight, UTC.
///
/// # Shape
/// `{"events", "delivered", "retried", "dead"}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the shape says it")]
pub struct DayStats {
    pub events: i64,
    pub delivered: i64,
    pub retried: i64,
    pub dead: i64,
}

/// # Shape
/// `{"namespace", "events"}`, since midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamespaceStats {
    namespace: String,
    events: i64,
}

/// How the hub does.
///
/// # Shape
/// `{"minutes": [..], "reactions": [..], "today": {..}, "namespaces": [..], "dead_letters", "reactors", "webhooks", "head": position}`;
/// minutes without events are there with 0, minutes without reactions are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the shape says it")]
pub struct Stats {
    pub minutes: Vec<MinuteStats>,
    pub reactions: Vec<ReactionStats>,
    pub today: DayStats,
    pub namespaces: Vec<NamespaceStats>,
    pub dead_letters: i64,
    pub reactors: usize,
    pub webhooks: usize,
    pub head: i64,
}

/// What the database knows.
struct Found {
    events: Vec<(i64, i64)>,
    reactions: Vec<(i64, Reaction)>,
    today: Vec<(i64, Reaction)>,
    namespaces: Vec<(String, i64)>,
    dead_letters: i64,
}

impl Found {
    /// What is not in the database yet.
    fn add(&mut self, uncounted: Counts, midnight: i64) {
        for ((minute, namespace), events) in uncounted {
            match self.events.iter_mut().find(|(at, _)| *at == minute) {
                Some((_, count)) => *count += events,
                None => self.events.push((minute, events)),
            }
            if minute < midnight {
                continue;
            }
            match self.namespaces.iter_mut().find(|(known, _)| *known == namespace) {
                Some((_, count)) => *count += events,
                None => self.namespaces.push((namespace, events)),
            }
        }
        self.namespaces.sort();
    }
}

impl Hub {
    /// How the hub did in the last minutes, and since midnight.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stats(&self, minutes: i64) -> Result<Stats> {
        let now_ms = self.0.clock.now_ms();
        let to = now_ms / MINUTE_MS;
        let from = to - minutes.clamp(1, HUB_MINUTES_KEPT) + 1;
        let midnight = now_ms / DAY_MS * DAY_MS / MINUTE_MS;
        let job = async move |tx: &mut Tx<'_>| {
            // The end is exclusive there.
            Ok::<_, StoreError>(Found {
                events: rows::minutes(tx, from, to + 1).await?,
                reactions: rows::reactions(tx, from, to + 1).await?,
                today: rows::reactions(tx, midnight, to + 1).await?,
                namespaces: rows::namespaces(tx, midnight).await?,
                dead_letters: reactors::dead_count(tx).await?,
            })
        };
        let uncounted = self.0.uncounted.look();
        let mut found = self.0.db.read(job).await?;
        found.add(uncounted, midnight);
        let all = self.reactors_now();
        let webhooks = all
            .iter()
            .filter(|reactor| reactor.name.starts_with(crate::reactors::WEBHOOK_PREFIX))
            .count();
        Ok(Stats {
            minutes: (from..=to).map(|minute| minute_stats(minute, &found)).collect(),
            reactions: found
                .reactions
                .iter()
                .filter(|(_, reaction)| reaction.samples > 0)
                .map(reaction_stats)
                .collect(),
            today: today(&found),
            namespaces: found
                .namespaces
                .into_iter()
                .map(|(namespace, events)| NamespaceStats { namespace, events })
                .collect(),
            dead_letters: found.dead_letters,
            reactors: all.len() - webhooks,
            webhooks,
            head: self.0.db.bus().head(),
        })
    }
}

fn minute_stats(minute: i64, found: &Found) -> MinuteStats {
    let events = found.events.iter().find(|(at, _)| *at == minute).map_or(0, |(_, events)| *events);
    let reaction = found.reactions.iter().find(|(at, _)| *at == minute).map(|(_, reaction)| reaction);
    MinuteStats {
        start: minute * MINUTE_MS,
        events,
        retried: reaction.map_or(0, |reaction| reaction.retried),
        dead: reaction.map_or(0, |reaction| reaction.dead),
    }
}

fn reaction_stats((minute, reaction): &(i64, Reaction)) -> ReactionStats {
    ReactionStats {
        start: minute * MINUTE_MS,
        typical_ms: reaction.typical_us as f64 / 1_000.0,
        slow_ms: reaction.slow_us as f64 / 1_000.0,
    }
}

fn today(found: &Found) -> DayStats {
    let sum = |of: fn(&Reaction) -> i64| found.today.iter().map(|(_, reaction)| of(reaction)).sum();
    DayStats {
        events: found.namespaces.iter().map(|(_, events)| events).sum(),
        delivered: sum(|reaction| reaction.delivered),
        retried: sum(|reaction| reaction.retried),
        dead: sum(|reaction| reaction.dead),
    }
}
