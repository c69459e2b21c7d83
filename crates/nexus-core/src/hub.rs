//! The event hub: signed events in, reactors and streams out.
//!
//! An event that comes in is an entry of the log and a row of its own, in one write. The hub reads the log as everybody does
//! ([`dispatch`]), and makes a job for each reactor that wants an event ([`crate::reactors`]). Streams read the log live, and the hub's
//! own table for the past. The page of this subsystem is `docs/subsystems/hub.md`.
//!
//! # Invariant
//! Nothing of a private conversation's content comes into the hub: what the platform tells is ids ([`platform`]).

mod access;
mod catalogue;
mod dispatch;
pub mod dry_runs;
pub(crate) mod ingest;
pub mod platform;
mod repeats;
pub mod rules;
pub mod sources;
pub mod stats;
mod streams;
mod sweeps;
pub mod types;
pub mod views;
pub mod webhooks;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};

use nexus_store::sql::reactors as rows;
use nexus_store::{Db, StoreError, Tx, sql};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use access::{Access, AccessView};
pub use catalogue::{LastRun, ReactorInfo, ReactorState};
pub use ingest::Published;
pub use sources::{Claim, DefaultSecrets, NewSource, SecretMark, SourceAccess, SourceInfo, SourceWithSecret, SourcesView};
pub use streams::StreamEvent;
pub use types::{BadType, CustomType, TypeInfo, TypeRegistry};
pub use webhooks::{WebhookChange, WebhookDraft, WebhookInfo, Webhooks};

use crate::clock::Clock;
use crate::errors::Result;
use crate::keys::Keys;
use crate::outbound::Outbound;
use access::Tickets;
use catalogue::Catalogue;
use dispatch::Uncounted;
use sources::Sources;
use stats::Meters;

/// The account that writes what rules say. It joins a community the first time a rule writes there.
pub const HUB_BOT: &str = "nexus-hub";

/// What the source of an event begins with that a reactor made.
pub(crate) const REACTOR_SOURCE: &str = "reactor/";

/// What the operator chose.
pub struct HubSettings {
    /// The types that there are.
    pub types: TypeRegistry,
    /// The folder of rules.
    pub reactors_dir: PathBuf,
    /// What rules may name: variables of the environment.
    pub environment: HashMap<String, String>,
    /// The default source's secret; without it there is no default source.
    pub default_secrets: Option<DefaultSecrets>,
    /// For how long events and ended jobs are kept.
    pub retention_ms: i64,
    /// Does the platform tell the hub what happens?
    pub platform_events: bool,
    /// After how many days without a success a webhook is switched off; 0 for never.
    pub webhook_failure_days: u32,
}

impl fmt::Debug for HubSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HubSettings")
            .field("reactors_dir", &self.reactors_dir)
            .finish_non_exhaustive()
    }
}

/// What the hub needs.
pub struct HubPorts {
    /// The database and its bus.
    pub db: Db,
    /// Time, ids and randomness.
    pub clock: Clock,
    /// The instance's secrets.
    pub keys: Arc<Keys>,
    /// The way out.
    pub outbound: Outbound,
    /// What the operator chose.
    pub settings: HubSettings,
}

/// The use cases of the event hub. Clones are the same hub.
#[derive(Clone)]
pub struct Hub(pub(crate) Arc<Inner>);

/// See [`Hub`].
pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    keys: Arc<Keys>,
    pub(crate) outbound: Outbound,
    pub(crate) settings: HubSettings,
    sources: Sources,
    tickets: Tickets,
    catalogue: Catalogue,
    pub(crate) meters: Meters,
    uncounted: Uncounted,
    /// The id of [`HUB_BOT`], 0 while there is none.
    pub(crate) bot: AtomicI64,
    /// A webhook was switched off by its failures.
    pub(crate) webhooks_changed: Notify,
    /// Up to where the hub's own table is complete.
    recorded: watch::Sender<i64>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Hub {
    /// Opens the hub and goes on where it was.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn start(ports: HubPorts) -> Result<Self> {
        let HubPorts {
            db,
            clock,
            keys,
            outbound,
            settings,
        } = ports;
        let sources = Sources::load(db.clone(), keys.clone(), &clock, settings.default_secrets.clone()).await?;
        let head = db.bus().head();
        let job = async move |tx: &mut Tx<'_>| {
            let cursor = rows::cursor(tx, dispatch::READER).await?;
            if cursor.is_none() {
                rows::set_cursor(tx, dispatch::READER, head).await?;
            }
            // The only process: whoever held these is gone.
            rows::release_all(tx).await?;
            let bot = sql::users::named(tx, HUB_BOT).await?.filter(|user| user.bot);
            Ok::<_, StoreError>((cursor.unwrap_or(head), bot.map_or(0, |user| user.id.0)))
        };
        let (cursor, bot) = db.write(job).await?;
        let hub = Self(Arc::new(Inner {
            catalogue: Catalogue::default(),
            db,
            clock,
            keys,
            outbound,
            settings,
            sources,
            tickets: Tickets::default(),
            meters: Meters::default(),
            uncounted: Uncounted::default(),
            bot: AtomicI64::new(bot),
            webhooks_changed: Notify::new(),
            recorded: watch::Sender::new(cursor),
            stop: watch::Sender::new(false),
            tasks: Mutex::default(),
        }));
        hub.load_catalogue().await?;
        hub.announce_start().await?;
        hub.spawn(dispatch::run(hub.clone(), cursor, hub.stopped()));
        hub.spawn(stats::run(hub.clone(), hub.stopped()));
        hub.spawn(catalogue::watch(hub.clone(), hub.stopped()));
        hub.spawn(sweeps::run(hub.clone(), hub.stopped()));
        Ok(hub)
    }

    /// Ends dispatcher and reactors. What they were doing goes on at the next start.
    pub async fn stop(&self) {
        self.0.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the hub had panicked");
            }
        }
    }

    pub(crate) fn stopped(&self) -> watch::Receiver<bool> {
        self.0.stop.subscribe()
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(tokio::spawn(task));
    }

    /// Says that a process begins.
    async fn announce_start(&self) -> Result<()> {
        let payload = format!("{{\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"));
        let clock = self.0.clock.clone();
        let job = async move |tx: &mut Tx<'_>| ingest::tell(tx, &clock, types::START, payload).await;
        self.0.db.write::<_, StoreError, _>(job).await.map(drop)?;
        Ok(())
    }

    /// The types that there are.
    pub fn types(&self) -> &TypeRegistry {
        &self.0.settings.types
    }

    /// A variable of the environment, if a rule of the folder names it. Text that is only tried must not ask for others: whoever may
    /// run it dry may look after rules, not into the environment.
    fn named_variable(&self, name: &str) -> Option<String> {
        let rules = self.reactors().into_iter().filter_map(|reactor| self.rule(&reactor.name));
        let is_named = rules.into_iter().any(|rule| rule.variables().any(|named| named == name));
        self.0.settings.environment.get(name).filter(|_| is_named).cloned()
    }

    /// Who may send events.
    pub fn sources(&self) -> SourcesView<'_> {
        SourcesView {
            sources: &self.0.sources,
            clock: &self.0.clock,
            types: self.types(),
        }
    }

    /// Tickets for streams.
    pub fn access(&self) -> AccessView<'_> {
        AccessView {
            tickets: &self.0.tickets,
            clock: &self.0.clock,
        }
    }

    /// Outgoing webhooks.
    pub fn webhooks(&self) -> Webhooks<'_> {
        Webhooks(self)
    }

    /// The database, for who follows the log.
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Up to where [`Hub::past`] is complete.
    pub fn recorded(&self) -> watch::Receiver<i64> {
        self.0.recorded.subscribe()
    }
}
