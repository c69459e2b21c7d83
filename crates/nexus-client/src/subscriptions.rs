//! One subscription, kept alive: every event once and in order into the callback, across restarts of the hub and lost connections.
//!
//! It has a stream of its own. The position moves only after the callback is done with an event, and every connection begins there; so
//! nothing is lost, and what comes twice is dropped. A callback that fails gets the same event again, with growing pauses, until it succeeds
//! or `on_error` answers [`Verdict::Skip`]: an event that was not dealt with is never passed over silently.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use nexus_types::hub::HubEvent;
use tokio::sync::watch;
use tokio::task::{Id, JoinHandle};

use crate::api::Api;
use crate::errors::{HubError, Verdict};
use crate::frames::{Frame, Gap, Status, Subscribe};
use crate::pauses::{backoff, chance};
use crate::streams::{Ending, Stream};

const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_CAP: Duration = Duration::from_secs(10);
/// A signature or token that was refused is not accepted a second later.
const REFUSED: Duration = Duration::from_mins(1);
const CALLBACK_FIRST: Duration = Duration::from_secs(1);
const CALLBACK_CAP: Duration = Duration::from_mins(1);
/// The hub's close code for a reader that was too slow.
const TOO_SLOW: Ending = Ending::Closed(4901);
/// As many types as the hub takes in one list.
const PATTERNS_MAX: usize = 20;
/// No position yet: the hub has not said where it stands.
const NOWHERE: i64 = -1;

type BoxError = Box<dyn Error + Send + Sync>;
type Answer = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
type OnError = Box<dyn FnMut(&HubError) -> Verdict + Send>;
pub(crate) type Callback = Box<dyn FnMut(HubEvent) -> Answer + Send>;

/// Where a subscription begins, and who hears of its troubles.
#[derive(Default)]
pub struct SubscribeOptions {
    since: Option<i64>,
    on_gap: Option<Box<dyn FnMut(Gap) + Send>>,
    on_error: Option<OnError>,
}

impl SubscribeOptions {
    /// Begin after this position: 0 for everything that the hub still has. Without it, with what happens from now on.
    #[must_use]
    pub fn since(mut self, position: i64) -> Self {
        self.since = Some(position);
        self
    }

    /// Is told that some of what was asked for is gone. Events go on with what there is.
    #[must_use]
    pub fn on_gap(mut self, act: impl FnMut(Gap) + Send + 'static) -> Self {
        self.on_gap = Some(Box::new(act));
        self
    }

    /// Is told everything that goes wrong. Without it, it is logged as a warning.
    #[must_use]
    pub fn on_error(mut self, act: impl FnMut(&HubError) -> Verdict + Send + 'static) -> Self {
        self.on_error = Some(Box::new(act));
        self
    }
}

/// A subscription that runs, until it or its client is closed. Dropping the handle does not end it.
#[derive(Clone)]
pub struct Subscription(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    id: Id,
    task: Mutex<Option<JoinHandle<()>>>,
    /// The task is over; for whoever closes while another one does.
    over: watch::Receiver<bool>,
}

struct Shared {
    position: AtomicI64,
    ready: watch::Sender<bool>,
    closed: watch::Sender<bool>,
}

impl Subscription {
    pub(crate) fn start(api: Arc<Api>, events: &[&str], options: SubscribeOptions, callback: Callback) -> Result<Self, HubError> {
        if !(1..=PATTERNS_MAX).contains(&events.len()) {
            return Err(HubError::Misused(format!("subscribe to 1 to {PATTERNS_MAX} types of events")));
        }
        let shared = Arc::new(Shared {
            position: AtomicI64::new(options.since.unwrap_or(NOWHERE)),
            ready: watch::Sender::new(false),
            closed: watch::Sender::new(false),
        });
        let run = Run {
            api,
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            callback,
            options,
            shared: Arc::clone(&shared),
            attempt: 0,
        };
        let (ended, over) = watch::channel(false);
        let task = tokio::spawn(async move {
            run.run().await;
            ended.send_replace(true);
        });
        Ok(Self(Arc::new(Handle {
            shared,
            id: task.id(),
            task: Mutex::new(Some(task)),
            over,
        })))
    }

    /// Waits until the hub has said for the first time that it will tell; or until the subscription is closed.
    pub async fn ready(&self) {
        let mut ready = self.0.shared.ready.subscribe();
        // The sender lives in the handle, so waiting cannot fail.
        drop(ready.wait_for(|ready| *ready).await);
    }

    /// Everything up to here was dealt with. Store it, and pass it as `since` next time. None until the hub has said where it stands.
    pub fn position(&self) -> Option<i64> {
        self.0.shared.position()
    }

    /// Ends it. A callback that runs may finish, and is waited for unless it is the caller; none is called after.
    pub async fn close(&self) {
        self.0.shared.closed.send_replace(true);
        self.0.shared.ready.send_replace(true);
        let task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if tokio::task::try_id() == Some(self.0.id) {
            return;
        }
        if let Some(task) = task {
            if let Err(cause) = task.await {
                tracing::warn!(%cause, "a callback of a subscription panicked");
            }
        } else {
            drop(self.0.over.clone().wait_for(|over| *over).await);
        }
    }
}

impl Shared {
    fn position(&self) -> Option<i64> {
        Some(self.position.load(Ordering::Acquire)).filter(|position| *position != NOWHERE)
    }

    fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    async fn closed(&self) {
        drop(self.closed.subscribe().wait_for(|closed| *closed).await);
    }

    async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.closed() => {}
        }
    }
}

/// What the task of a subscription holds.
struct Run {
    api: Arc<Api>,
    events: Vec<String>,
    callback: Callback,
    options: SubscribeOptions,
    shared: Arc<Shared>,
    attempt: u32,
}

impl Run {
    async fn run(mut self) {
        while !self.shared.is_closed() {
            let before = self.shared.position();
            let time = match self.connect().await {
                Ok(TOO_SLOW | Ending::Full) if self.shared.position() != before => Duration::ZERO,
                Ok(_) => self.backoff(),
                Err(problem) => {
                    let time = if problem.is_temporary() {
                        self.backoff().max(problem.retry_after())
                    } else {
                        backoff(0, REFUSED, REFUSED, chance())
                    };
                    if !self.shared.is_closed() {
                        self.report(&problem);
                    }
                    time
                }
            };
            self.shared.pause(time).await;
        }
    }

    /// One connection, from its ticket to its end.
    async fn connect(&mut self) -> Result<Ending, HubError> {
        let shared = Arc::clone(&self.shared);
        let command = Subscribe {
            action: "subscribe",
            events: &self.events,
            since: shared.position(),
        };
        let first = serde_json::to_string(&command).expect("a command serialises");
        let mut stream = tokio::select! {
            opened = open(Arc::clone(&self.api), first) => opened?,
            () = shared.closed() => return Ok(Ending::Left),
        };
        let mut has_begun = false;
        loop {
            let text = tokio::select! {
                biased;
                () = shared.closed() => return Ok(Ending::Left),
                text = stream.next() => text,
            };
            let Some(text) = text else { break };
            let frame = Frame::read(&text);
            has_begun |= matches!(frame, Frame::Status(Status::Subscribed { .. }));
            self.take(frame).await;
        }
        let ending = stream.ending().await;
        if has_begun {
            Ok(ending)
        } else {
            Err(HubError::silence("the stream ended before it began", format!("{ending:?}")))
        }
    }

    async fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Event(event) => {
                if self.shared.position().is_none_or(|position| event.position > position) {
                    self.handle(event).await;
                }
            }
            Frame::Status(Status::Subscribed { position, gap, unknown }) => self.begin(position, gap, unknown),
            Frame::Status(Status::CaughtUp { position }) => {
                self.shared.position.fetch_max(position, Ordering::AcqRel);
            }
            Frame::Status(Status::Error { error, message }) => {
                self.report(&HubError::Refused {
                    status: 0,
                    message: message.unwrap_or_else(|| format!("the stream answered {error}")),
                    code: error,
                    field: None,
                });
            }
            Frame::Other => {}
        }
    }

    fn begin(&mut self, position: i64, gap: bool, unknown: Vec<String>) {
        self.attempt = 0;
        let since = self.shared.position();
        // A hub that was restored from a backup counts from where it stood then: what it tells now is new, though its position is not.
        if since.is_none_or(|since| gap && position < since) {
            self.shared.position.store(position, Ordering::Release);
        }
        self.shared.ready.send_replace(true);
        if let (true, Some(since), Some(on_gap)) = (gap, since, &mut self.options.on_gap) {
            on_gap(Gap { since, position });
        }
        if !unknown.is_empty() {
            self.report(&HubError::UnknownTypes(unknown));
        }
    }

    async fn handle(&mut self, event: HubEvent) {
        for tries in 1.. {
            let Err(cause) = self.call(event.clone()).await else { break };
            let problem = HubError::Callback {
                event: Box::new(event.clone()),
                tries,
                cause,
            };
            if self.report(&problem) == Verdict::Skip {
                break;
            }
            self.shared.pause(backoff(tries - 1, CALLBACK_FIRST, CALLBACK_CAP, chance())).await;
            if self.shared.is_closed() {
                return;
            }
        }
        self.shared.position.store(event.position, Ordering::Release);
    }

    /// A callback that panics has failed; it must not end the subscription.
    async fn call(&mut self, event: HubEvent) -> Result<(), BoxError> {
        let callback = &mut self.callback;
        AssertUnwindSafe(async move { callback(event).await })
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err("it panicked".into()))
    }

    fn backoff(&mut self) -> Duration {
        self.attempt += 1;
        backoff(self.attempt - 1, RETRY_FIRST, RETRY_CAP, chance())
    }

    fn report(&mut self, problem: &HubError) -> Verdict {
        if let Some(on_error) = &mut self.options.on_error {
            return on_error(problem);
        }
        let cause = problem.source().map(ToString::to_string);
        tracing::warn!(%problem, cause, "the subscription is in trouble");
        Verdict::Retry
    }
}

async fn open(api: Arc<Api>, first: String) -> Result<Stream, HubError> {
    let url = api.stream().await?;
    Stream::open(&api.http, url, first).await
}
