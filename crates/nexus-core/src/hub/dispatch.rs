//! The dispatcher: the hub's reader of the log, with a durable cursor.
//!
//! It takes entries in order, records what the platform tells, makes a job for each reactor that wants an event, and moves its cursor,
//! all in one write. So nothing is passed over and nothing is made twice, wherever the process dies. It never waits for a reactor.
//!
//! What a rule makes that only makes events is in the same write: nothing outside can be in its way. And where nobody wants anything,
//! nothing is written but for the cursor, now and then: what was read again would come to nothing again.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nexus_store::sql::hub::{events as rows, stats};
use nexus_store::sql::reactors::{self, Attempt, NewJob};
use nexus_store::{Entry, StoreError, Tx, Window, log};
use nexus_types::events::Kind;
use nexus_types::hub::{AttemptOutcome, HubEvent};
use nexus_types::limits::{DISPATCH_ENTRIES_MAX, DISPATCH_ROWS_MAX, HOPS_MAX, JOBS_WAITING_MAX, MINUTE_MS};
use tokio::sync::watch;

use super::ingest::{self, Maker};
use super::rules::{Effect, Facts, Rule, TemplateError};
use super::{Hub, REACTOR_SOURCE, platform};
use crate::clock::Clock;
use crate::errors::Result;
use crate::reactors::{Last, Reactor, Work};

/// The name of the cursor.
pub(super) const READER: &str = "hub";
/// The first pause after a write that failed, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// After so long without anything new the cursor is written, if it is behind.
const IDLE: Duration = Duration::from_secs(1);
/// Entries that nobody wants, after which the cursor is written all the same.
const IDLE_ENTRIES_MAX: i64 = 2_000;

/// A reactor that wants an event.
struct Wish {
    reactor: Arc<Reactor>,
    key: String,
    order_key: Option<String>,
    /// Why it is not even tried.
    dead: Option<String>,
    /// What it comes to, if nobody else has a part in it.
    at_once: Option<Vec<Effect>>,
}

/// An event of a batch.
struct Item {
    event: HubEvent,
    /// Does it still have to be recorded?
    is_new: bool,
    wishes: Vec<Wish>,
}

/// How far it is.
struct Reader {
    hub: Hub,
    cursor: i64,
    /// The cursor as it is stored.
    stored: i64,
}

/// Events by minute and namespace.
pub(super) type Counts = HashMap<(i64, String), i64>;

/// Events that are not counted in the database yet, because nothing else of them had to be written.
#[derive(Default)]
pub(super) struct Uncounted(Mutex<Counts>);

impl Uncounted {
    fn add(&self, counts: Counts) {
        merge(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), counts);
    }

    fn take(&self) -> Counts {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn look(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn merge(all: &mut Counts, more: Counts) {
    for (key, events) in more {
        *all.entry(key).or_default() += events;
    }
}

fn counts(items: &[Item]) -> Counts {
    let mut counts = Counts::new();
    for Item { event, .. } in items {
        let minute = event.timestamp / MINUTE_MS;
        *counts.entry((minute, event.kind.namespace().to_owned())).or_default() += 1;
    }
    counts
}

/// What was done in a write, for the figures.
struct Done {
    reactor: Arc<Reactor>,
    event_ms: i64,
    took_us: i64,
}

/// Runs until told to stop.
pub(super) async fn run(hub: Hub, cursor: i64, mut stop: watch::Receiver<bool>) {
    let mut head = hub.0.db.bus().watch();
    let mut reader = Reader {
        hub,
        cursor,
        stored: cursor,
    };
    let mut pause = PAUSE_MIN;
    loop {
        let upto = *head.borrow_and_update();
        let passed = if *stop.borrow() {
            break;
        } else if upto > reader.cursor {
            reader.pass(upto).await
        } else {
            let is_behind = reader.stored < reader.cursor;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                changed = head.changed() => if changed.is_err() { break } else { continue },
                () = tokio::time::sleep(IDLE), if is_behind => {}
            }
            reader.write(vec![], reader.cursor).await
        };
        match passed {
            Ok(()) => pause = PAUSE_MIN,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the hub can't go on in the log; it tries again soon"
                );
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => break,
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
                }
            }
        }
    }
    if reader.stored < reader.cursor
        && let Err(error) = reader.write(vec![], reader.cursor).await
    {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "the hub reads a little of the log again at the next start"
        );
    }
}

impl Reader {
    /// One batch, of what was there when the head was at `upto`.
    async fn pass(&mut self, upto: i64) -> Result<()> {
        let entries = read(&self.hub, self.cursor).await?;
        // Without entries there are positions that nobody has: a restored log leaps over some.
        let last = entries.last().map_or(upto, |entry| entry.position);
        let (items, last) = plan(&self.hub, &entries, last).await;
        let is_quiet = items.iter().all(|item| item.wishes.is_empty() && !item.is_new);
        if is_quiet && last - self.stored < IDLE_ENTRIES_MAX {
            self.hub.0.uncounted.add(counts(&items));
            self.cursor = last;
            self.hub.0.recorded.send_replace(last);
            return Ok(());
        }
        self.write(items, last).await
    }

    /// Writes what comes of these, the counts so far, and the cursor.
    async fn write(&mut self, items: Vec<Item>, last: i64) -> Result<()> {
        let woken: Vec<_> = items
            .iter()
            .flat_map(|item| item.wishes.iter().map(|wish| wish.reactor.clone()))
            .collect();
        let before = self.hub.0.uncounted.take();
        let (mut all, clock) = (before.clone(), self.hub.0.clock.clone());
        merge(&mut all, counts(&items));
        let job = async move |tx: &mut Tx<'_>| write(tx, &clock, items, (all, last)).await;
        let done = match self.hub.0.db.write::<_, StoreError, _>(job).await {
            Ok(done) => done,
            Err(error) => {
                // It is read again.
                self.hub.0.uncounted.add(before);
                return Err(error.into());
            }
        };
        (self.cursor, self.stored) = (last, last);
        self.hub.0.recorded.send_replace(last);
        let now_ms = self.hub.0.clock.now_ms();
        for Done {
            reactor,
            event_ms,
            took_us,
        } in done
        {
            self.hub.0.meters.done_at_once(event_ms, now_ms);
            reactor.note_last(Last {
                trouble: None,
                at_ms: now_ms,
                took_us,
            });
        }
        for reactor in woken {
            reactor.wake.notify_one();
            if reactor.has_ended() {
                // It ended while this was written, and did not see these jobs.
                self.hub.give_up(&reactor).await?;
            }
        }
        Ok(())
    }
}

/// The entries after the cursor: from memory, or from the database if that does not reach back so far.
async fn read(hub: &Hub, cursor: i64) -> Result<Vec<Arc<Entry>>> {
    match hub.0.db.bus().after(cursor, DISPATCH_ENTRIES_MAX) {
        Window::Entries(entries) => Ok(entries),
        Window::Gone => {
            let job = async move |tx: &mut Tx<'_>| log::page(tx, cursor, DISPATCH_ENTRIES_MAX).await;
            let entries = hub.0.db.read::<_, StoreError, _>(job).await?;
            Ok(entries.into_iter().map(Arc::new).collect())
        }
    }
}

/// What is to be written of these entries, as many of them as fit into one write, and the position of the last of them.
async fn plan(hub: &Hub, entries: &[Arc<Entry>], last: i64) -> (Vec<Item>, i64) {
    let reactors = hub.reactors_now();
    let (mut items, mut rows) = (vec![], 0);
    for entry in entries {
        let Some((event, is_new)) = hub.event_of(entry) else { continue };
        // Rules may take their time over an event; others get their turn in between.
        tokio::task::consume_budget().await;
        let item = Item {
            wishes: wishes(hub, &reactors, &event),
            is_new,
            event,
        };
        let more = item.wishes.iter().map(Wish::rows).sum::<usize>() + usize::from(item.is_new);
        if rows > 0 && rows + more > DISPATCH_ROWS_MAX {
            return (items, entry.position - 1);
        }
        rows += more;
        items.push(item);
    }
    (items, last)
}

/// Who wants an event.
fn wishes(hub: &Hub, reactors: &[Arc<Reactor>], event: &HubEvent) -> Vec<Wish> {
    if event.kind.as_str() == platform::TEST {
        // It is for one webhook, which has its job.
        return vec![];
    }
    let facts = Facts::new(event);
    let mut wishes = vec![];
    for reactor in reactors {
        let work = reactor.work();
        if !work.listens(&event.kind) {
            continue;
        }
        let wanted = match &work {
            Work::Webhook(_) => Ok(Some((event.id.to_string(), None))),
            // What the hub's own bot writes starts no rule, or two rules could talk for ever.
            Work::Rule(_) if hub.is_own_message(event) => Ok(None),
            Work::Rule(rule) => wanted(rule, &facts),
        };
        let (key, order_key, mut dead) = match wanted {
            Ok(None) => continue,
            Ok(Some((key, order_key))) => (key, order_key, full(reactor)),
            Err(fault) => (event.id.to_string(), None, Some(mend(&fault))),
        };
        let mut at_once = None;
        if let Work::Rule(rule) = &work
            && rule.only_emits()
            && dead.is_none()
            && order_key.is_none()
            && !reactor.is_paused()
        {
            match guarded(|| rule.effects(&facts, None)) {
                Ok(effects) => at_once = Some(effects),
                Err(fault) => dead = Some(mend(&fault)),
            }
        }
        wishes.push(Wish {
            reactor: reactor.clone(),
            key,
            order_key,
            dead,
            at_once,
        });
    }
    wishes
}

/// What a rule says to an event: key and order.
fn wanted(rule: &Rule, facts: &Facts<'_>) -> Result<Option<(String, Option<String>)>, String> {
    let wanted = guarded(|| rule.wants(facts))?;
    Ok(wanted.map(|wanted| (wanted.key, wanted.order_key)))
}

/// Asks a rule. A panic is that rule's own fault.
fn guarded<T>(ask: impl FnOnce() -> Result<T, TemplateError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(answer) => answer.map_err(|fault| fault.to_string()),
        Err(_) => Err("The rule panicked. The server's operator finds it in the log.".to_owned()),
    }
}

fn mend(fault: &str) -> String {
    format!("{fault} Mend the rule, then replay this.")
}

impl Wish {
    /// Rows that it makes, about.
    fn rows(&self) -> usize {
        1 + self.at_once.as_ref().map_or(0, |effects| 1 + 2 * effects.len())
    }
}

/// Why a reactor takes no more jobs, if so.
fn full(reactor: &Reactor) -> Option<String> {
    let waiting = reactor.waiting.load(Ordering::Relaxed);
    (waiting >= JOBS_WAITING_MAX)
        .then(|| format!("{waiting} jobs of this reactor wait already. Look why it is so far behind, then replay this."))
}

/// Writes a batch, and says what was done in it.
async fn write(tx: &mut Tx<'_>, clock: &Clock, items: Vec<Item>, (counts, last): (Counts, i64)) -> Result<Vec<Done>, StoreError> {
    let mut done = vec![];
    for item in items {
        if item.is_new {
            record(tx, &item.event).await?;
        }
        if item.wishes.is_empty() {
            continue;
        }
        let makers = makers(tx, &item.event).await?;
        for wish in item.wishes {
            let began = Instant::now();
            if add(tx, clock, &item.event, (&wish, &makers)).await? {
                done.push(Done {
                    reactor: wish.reactor,
                    event_ms: item.event.timestamp,
                    took_us: began.elapsed().as_micros() as i64,
                });
            }
        }
    }
    for ((minute, namespace), events) in counts {
        stats::count(tx, minute, &namespace, events).await?;
    }
    reactors::set_cursor(tx, READER, last).await?;
    Ok(done)
}

/// Records what the platform tells; once, however often it is read.
async fn record(tx: &mut Tx<'_>, event: &HubEvent) -> Result<(), StoreError> {
    let row = rows::NewHubEvent {
        position: event.position,
        id: event.id,
        kind: &event.kind,
        source: &event.source,
        payload: event.payload.get(),
        at_ms: event.timestamp,
        external_id: None,
        body_hash: None,
        cause: 0,
        hops: 0,
    };
    rows::record(tx, &row).await.map(drop)
}

/// The reactors in the chain that led to an event, the last one first. It is cut off at [`HOPS_MAX`].
async fn makers(tx: &mut Tx<'_>, event: &HubEvent) -> Result<Vec<String>, StoreError> {
    let mut makers = vec![];
    let (mut source, mut position) = (event.source.clone(), event.position);
    while let Some(maker) = source.strip_prefix(REACTOR_SOURCE) {
        makers.push(maker.to_owned());
        if makers.len() as i64 > HOPS_MAX {
            break;
        }
        let Some(stored) = rows::at(tx, position).await? else { break };
        let Some(cause) = rows::at(tx, stored.cause).await? else { break };
        (source, position) = (cause.event.source, stored.cause);
    }
    Ok(makers)
}

/// Why a reactor does not answer an event, if that would be a loop.
fn looped(makers: &[String], reactor: &str) -> Option<String> {
    if makers.iter().any(|maker| maker == reactor) {
        return Some(format!(
            "This event came of itself: {reactor} is in the chain that led to it. Change what it listens to, then discard this."
        ));
    }
    (makers.len() as i64 > HOPS_MAX)
        .then(|| format!("This event came of {HOPS_MAX} others in a row. Let rules answer what comes from outside, then discard this."))
}

/// Adds a job. Says whether it is done already.
async fn add(tx: &mut Tx<'_>, clock: &Clock, event: &HubEvent, (wish, makers): (&Wish, &[String])) -> Result<bool, StoreError> {
    let now_ms = clock.now_ms();
    let job = NewJob {
        reactor: &wish.reactor.name,
        position: event.position,
        key: &wish.key,
        order_key: wish.order_key.as_deref(),
        due_ms: now_ms,
        now_ms,
    };
    let looped = looped(makers, &wish.reactor.name);
    let dead = looped.as_deref().or(wish.dead.as_deref());
    let (added, counter) = match (dead, &wish.at_once) {
        (Some(reason), _) => (reactors::add_dead(tx, &job, reason).await?, &wish.reactor.dead),
        (None, Some(effects)) => return do_at_once(tx, clock, (event, effects), (&job, makers)).await,
        (None, None) => (reactors::add(tx, &job).await?, &wish.reactor.waiting),
    };
    // Off by what a failed commit would have added, until the next start; the count bounds and shows, it decides nothing.
    counter.fetch_add(i64::from(added.is_some()), Ordering::Relaxed);
    Ok(false)
}

/// Adds a job that is done, and what it comes to; false if it was done before.
async fn do_at_once(
    tx: &mut Tx<'_>,
    clock: &Clock,
    (event, effects): (&HubEvent, &[Effect]),
    (job, makers): (&NewJob<'_>, &[String]),
) -> Result<bool, StoreError> {
    let attempt = Attempt {
        number: 1,
        began_ms: job.now_ms,
        took_us: 0,
        outcome: AttemptOutcome::Delivered,
        status: None,
        request: None,
        answer: None,
        error: None,
    };
    if reactors::add_done(tx, job, &attempt).await?.is_none() {
        return Ok(false);
    }
    let maker = Maker {
        reactor: job.reactor,
        cause: event.position,
        hops: makers.len() as i64 + 1,
    };
    for effect in effects {
        // A rule that only makes events has no other effects.
        let Effect::Emit { kind, payload } = effect else { continue };
        ingest::emit(tx, clock, &maker, (kind, payload)).await?;
    }
    Ok(true)
}

impl Hub {
    /// The event that an entry of the log is in the hub, and whether it still has to be recorded.
    pub(crate) fn event_of(&self, entry: &Entry) -> Option<(HubEvent, bool)> {
        if entry.kind == Kind::HubEvent as i64 {
            let json = nexus_types::hub::whole(entry.position, &entry.body);
            let event = serde_json::from_str(&json)
                .inspect_err(|cause| tracing::error!(%cause, position = entry.position, "an entry of the hub can't be read"));
            return event.ok().map(|event| (event, false));
        }
        if !self.0.settings.platform_events {
            return None;
        }
        platform::event(entry).map(|event| (event, true))
    }
}
