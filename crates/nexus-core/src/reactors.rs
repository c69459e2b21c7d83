//! The reactor runtime: code that answers events, each piece by itself.
//!
//! The hub's dispatcher makes a job of each event that a reactor wants, in the write that moves its cursor. From there each reactor has
//! a foreman of its own ([`foreman`]): it leases jobs that are due, runs a few at once, and settles each in one write together with
//! what follows from it. Search, previews, push and federation will be reactors too.
//!
//! # Invariant
//! A job runs at least once, and what it changes here happens exactly once, because it is in the write that settles it. What it asks of
//! others carries the same key at every try. No reactor waits for another, and none holds back the log.

pub(crate) mod breaker;
pub(crate) mod foreman;
pub(crate) mod notes;
pub(crate) mod perform;
pub(crate) mod schedule;
pub(crate) mod settle;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use nexus_types::hub::{EventType, Pattern};
use nexus_types::limits::REACTOR_CONCURRENCY;
use tokio::sync::{Notify, watch};

use crate::hub::rules::Rule;
use crate::hub::webhooks::Endpoint;
use breaker::Breaker;

/// What the names of webhooks' reactors begin with. No rule's name has a slash.
pub(crate) const WEBHOOK_PREFIX: &str = "webhook/";

/// What a reactor does.
#[derive(Clone)]
pub(crate) enum Work {
    /// What a rule says.
    Rule(Arc<Rule>),
    /// Deliver to an endpoint.
    Webhook(Arc<Endpoint>),
}

impl Work {
    /// What it listens to.
    pub(crate) fn patterns(&self) -> &[Pattern] {
        match self {
            Self::Rule(rule) => rule.patterns(),
            Self::Webhook(endpoint) => &endpoint.patterns,
        }
    }

    /// Does it listen to this type?
    pub(crate) fn listens(&self, kind: &EventType) -> bool {
        self.patterns().iter().any(|pattern| pattern.matches(kind))
    }

    /// Does it ask others? If not, many of its jobs are settled in one write.
    pub(crate) fn asks_others(&self) -> bool {
        match self {
            Self::Rule(rule) => rule.has_http(),
            Self::Webhook(_) => true,
        }
    }

    /// Is it the same as the other?
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rule(one), Self::Rule(other)) => one.is_same(other),
            (Self::Webhook(one), Self::Webhook(other)) => one.is_same(other),
            _ => false,
        }
    }

    fn concurrency(&self) -> usize {
        match self {
            Self::Rule(rule) => rule.concurrency(),
            Self::Webhook(_) => REACTOR_CONCURRENCY,
        }
    }
}

/// How the last job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Last {
    /// Why it did not work, if it did not.
    pub(crate) trouble: Option<Arc<str>>,
    pub(crate) at_ms: i64,
    pub(crate) took_us: i64,
}

/// A reactor of this process.
pub(crate) struct Reactor {
    pub(crate) name: Arc<str>,
    work: RwLock<Work>,
    /// Tells the foreman that there may be something to do.
    pub(crate) wake: Notify,
    pub(crate) paused: AtomicBool,
    /// Jobs that wait and jobs that are dead, counted along.
    pub(crate) waiting: AtomicI64,
    pub(crate) dead: AtomicI64,
    breaker: Mutex<Breaker>,
    /// When it was last told to go on after a pause: no job's time counts from before.
    pub(crate) resumed_ms: AtomicI64,
    /// Does it get no events any more?
    ended: watch::Sender<bool>,
    last: Mutex<Option<Last>>,
}

impl Reactor {
    pub(crate) fn new(name: Arc<str>, work: Work, paused: bool) -> Self {
        Self {
            name,
            work: RwLock::new(work),
            wake: Notify::new(),
            paused: AtomicBool::new(paused),
            waiting: AtomicI64::new(0),
            dead: AtomicI64::new(0),
            breaker: Mutex::default(),
            resumed_ms: AtomicI64::new(0),
            ended: watch::Sender::new(false),
            last: Mutex::default(),
        }
    }

    /// What it does now.
    pub(crate) fn work(&self) -> Work {
        self.work.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on it does this. Jobs that wait are done so, too, and at once: what was in their way may be mended. If nothing changed,
    /// nothing is done.
    pub(crate) fn change(&self, work: Work) {
        if self.work().is_same(&work) {
            return;
        }
        *self.work.write().unwrap_or_else(PoisonError::into_inner) = work;
        self.breaker().succeeded();
        self.wake.notify_one();
    }

    /// One more job of it waits.
    pub(crate) fn one_more(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// It gets no events any more, and its foreman ends.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Did it end?
    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Changes when it ends.
    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    pub(crate) fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn last(&self) -> Option<Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note_last(&self, last: Last) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }
}
