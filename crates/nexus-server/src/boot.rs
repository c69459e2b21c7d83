//! Starting and stopping a node. The only file that names a database.

mod hub;
mod key_log;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use nexus_core::bots::NewToken;
use nexus_core::hub::Hub;
use nexus_core::logins::Tokens;
use nexus_core::passwords::Hasher;
use nexus_core::transparency::Log;
use nexus_core::{App, Clock, Ports, admin_tokens, bots, sessions, sweeps};
use nexus_store::{Db, Options, StoreError, log};
use nexus_types::ErrorCode;
use nexus_types::ids::GuildId;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

pub use self::hub::{Changed, SourceChange, change_sources};
use crate::config::Settings;
use crate::data::{DATABASE, DataDir};
use crate::exits::{Exit, Failure};
use crate::gateway::{Gateway, GatewayConfig};
use crate::http::{Door, HubNode, LogNode, Node, Pages, Services, Vitals};
use crate::metrics;
use crate::outbound::OwnAddresses;
use crate::relay::Relay;
use crate::serve::{Connections, connections_max, listen_all};
use crate::streams::Streams;
pub use key_log::{LogAccess, begin_import};

/// This process's number among those that draw ids. There is one so far.
const NODE: i64 = 0;
/// Pages of the database in a MiB.
const PAGES_PER_MIB: u64 = 256;
/// For how long a stopping node waits for sockets of the relay, for requests, then for sockets of the gateway. Together less than
/// `DRAIN_MS_MAX`.
const RELAY_MAX: Duration = Duration::from_millis(500);
const REQUESTS_MAX: Duration = Duration::from_secs(5);
const SOCKETS_MAX: Duration = Duration::from_secs(2);

/// A node that serves.
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// What people type.
    pub url: String,
    /// The link for the first administrator, while there is none.
    pub setup_link: Option<String>,
    log: Option<(Log, Relay)>,
    hub: Option<(Hub, Streams)>,
    community: Option<Node>,
    sweeps: Option<JoinHandle<()>>,
    connections: Connections,
    /// Ended when the node stops, wherever they are.
    chores: Vec<AbortHandle>,
    stop: watch::Sender<bool>,
    db: Option<Db>,
    /// Released last.
    data: DataDir,
}

impl Running {
    /// Starts a node over a data directory.
    ///
    /// # Errors
    /// A [`Failure`] that says what is in the way.
    pub async fn start(data: DataDir, settings: Settings) -> Result<Self, Failure> {
        let listeners = listen_all(&settings.listen, settings.listen_is_default)?;
        let addresses: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let url = url(&settings, &addresses);
        let (stop, stopped) = watch::channel(false);
        let told = settings.roles.has_events().then(|| hub::read(&data, &settings)).transpose()?;
        let db = key_log::database(&data, &settings)?;
        let app = match &db {
            Some(db) if settings.roles.has_community() => Some(open(&data, db.clone(), &settings).await?),
            _ => None,
        };
        let clock = match (&app, &db) {
            (Some(app), _) => app.clock.clone(),
            (None, Some(db)) => Clock::system(sessions::highest_id(db).await.map_err(|cause| unusable(&cause))?, NODE),
            (None, None) => Clock::system(0, NODE),
        };
        let mut chores = vec![tokio::spawn(metrics::upkeep()).abort_handle()];
        let mut services = Services {
            origins: settings.origins.clone(),
            vitals: Vitals::new(settings.is_private).with_db(db.clone()),
            community: None,
            log: None,
            relay: None,
            hub: None,
        };
        let mut log = None;
        if settings.roles.has_transparency() {
            let (opened, more) = key_log::start(&data, db.clone(), &settings, clock.clone()).await?;
            chores.extend(more);
            let relay = key_log::relay(&opened, &settings);
            services = with_log(services, &settings, &opened, &relay);
            log = Some((opened, relay));
        }
        let mut setup_link = None;
        let sweeps = match (&app, &db) {
            (Some(app), _) => Some(tokio::spawn(sweeps::run(app.clone(), stopped))),
            (None, Some(db)) => Some(tokio::spawn(sweeps::run_log(
                db.clone(),
                clock.clone(),
                settings.events_ms,
                stopped,
            ))),
            (None, None) => None,
        };
        if let Some(app) = app {
            let setup_token = app.setup().new_link().await.map_err(|cause| unusable(&cause))?;
            setup_link = setup_token.map(|token| format!("{url}/setup#{token}"));
            services = with_community(services, &settings, app);
        }
        let community = services.community.clone();
        let mut hub = None;
        if let (Some(told), Some(db)) = (told, db.clone()) {
            let own = OwnAddresses::new(&settings.listen, settings.origins.public());
            own.set_bound(&addresses);
            let started = hub::start((&data, &settings), told, db, clock, own).await?;
            let streams = Streams::start(started.clone(), settings.origins.clone());
            services = with_hub(services, &settings, &started, &streams);
            hub = Some((started, streams));
        }
        let door = Door::new(services).behind(settings.trusted_proxies.clone());
        let connections = Connections::new(door, connections_max(settings.connections))
            .per_address(settings.connections_per_address as usize, settings.trusted_proxies.and_loopback());
        for listener in listeners {
            connections.accept(listener);
        }
        Ok(Self {
            addresses,
            url,
            setup_link,
            log,
            hub,
            community,
            sweeps,
            connections,
            chores,
            stop,
            db,
            data,
        })
    }

    /// The use cases of communities, if this node serves them, for tests that serve inside their own process.
    pub fn app(&self) -> Option<&App> {
        self.community.as_ref().map(|node| &node.app)
    }

    /// Stops accepting, lets requests finish, closes every socket so that it can resume, and closes log and database. Says whether
    /// everything ended by itself.
    pub async fn stop(self) -> bool {
        self.stop.send_replace(true);
        // An event stream is a request that goes on until the relay ends it.
        if let Some((_, relay)) = &self.log {
            relay.drain(RELAY_MAX).await;
        }
        let finished = self.connections.finish(REQUESTS_MAX).await;
        // At once, so that together they take no longer than one of them may.
        tokio::join!(end_community(self.community), end_hub(self.hub));
        let swept = match self.sweeps {
            Some(sweeps) => sweeps.await.is_ok(),
            None => true,
        };
        if let Some((log, _)) = self.log {
            log.stop().await;
        }
        for chore in self.chores {
            chore.abort();
        }
        if let Some(db) = self.db {
            db.close().await;
        }
        drop(self.data);
        finished && swept
    }
}

fn with_log(services: Services, settings: &Settings, log: &Log, relay: &Relay) -> Services {
    let rate = settings.rates.then_some(settings.log.registrations_per_second);
    let pages = Pages::beside(settings.store.read_threads as usize);
    Services {
        vitals: services.vitals.with_log(log.clone(), relay.clone()),
        log: Some(LogNode::new(log.clone(), rate, pages)),
        relay: Some(relay.clone()),
        ..services
    }
}

fn with_community(services: Services, settings: &Settings, app: App) -> Services {
    let origins = settings.origins.clone();
    let gateway = Gateway::start(app.clone(), GatewayConfig { origins });
    Services {
        vitals: services.vitals.with_community(app.clone()),
        community: Some(Node::new(app, gateway, settings.origins.clone(), settings.rates)),
        ..services
    }
}

fn with_hub(services: Services, settings: &Settings, hub: &Hub, streams: &Streams) -> Services {
    let people = services.community.clone();
    Services {
        vitals: services.vitals.with_hub(hub.clone(), streams.clone()),
        hub: Some(HubNode::new(hub.clone(), streams.clone(), people, settings.rates)),
        ..services
    }
}

async fn end_community(community: Option<Node>) {
    if let Some(node) = community {
        node.gateway.drain(SOCKETS_MAX).await;
    }
}

/// No request is left that could post an event.
async fn end_hub(hub: Option<(Hub, Streams)>) {
    let Some((hub, streams)) = hub else { return };
    streams.drain(SOCKETS_MAX).await;
    hub.stop().await;
}

async fn open(data: &DataDir, db: Db, settings: &Settings) -> Result<App, Failure> {
    let highest = sessions::highest_id(&db).await.map_err(|cause| unusable(&cause))?;
    let app = App::new(Ports {
        db,
        clock: Clock::system(highest, NODE),
        keys: data.keys(elsewhere)?,
        hasher: Hasher::new(settings.password_cost),
        settings: nexus_core::Settings {
            name: settings.name.clone(),
            registration_open: settings.registration_open,
            registration_needs_admin: !settings.is_private,
            events_ms: settings.events_ms,
        },
        tokens: Tokens::default(),
    });
    Tokens::rebuild(&app).await.map_err(|cause| unusable(&cause))?;
    Ok(app)
}

fn elsewhere(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// Opens the database of a data directory as the settings say, with the secrets that belong to it.
fn open_database(data: &DataDir, settings: &Settings) -> Result<Db, Failure> {
    // Made before the database, whichever role comes first: a secret that is missing beside a database counts as lost.
    data.secrets(elsewhere)?;
    let options = Options {
        read_threads: settings.store.read_threads as usize,
        cache_kib: settings.store.cache_kib as usize,
        max_page_count: Some(u64::from(settings.store.size_mib_max) * PAGES_PER_MIB).filter(|pages| *pages > 0),
        ..Options::default()
    };
    Db::open(&data.file(DATABASE), options).map_err(|cause| unopened(data, &cause))
}

/// Gives the log of a restored database a new name, so that no session from before goes on in it.
///
/// # Errors
/// A [`Failure`] if the database can't be opened or written.
pub async fn restored(data: &DataDir) -> Result<(), Failure> {
    let db = Db::open(&data.file(DATABASE), Options::default()).map_err(|cause| unopened(data, &cause))?;
    let renewed = db.write(log::renew_epoch).await;
    db.close().await;
    renewed.map_err(|cause: StoreError| unusable(&cause.into()))
}

/// Makes a token for administrators' routes.
///
/// # Errors
/// A [`Failure`] if the database can't be opened or written.
pub async fn admin_token(data: &DataDir, settings: &Settings) -> Result<String, Failure> {
    let db = open_database(data, settings)?;
    let token = admin_tokens::create(&db, &Clock::system(0, NODE)).await;
    db.close().await;
    token.map_err(|cause| match cause.code() {
        Some(code) => Failure::new(Exit::Failed, code.message(), "End all of them first: nexus admin token revoke-all"),
        None => unusable(&cause),
    })
}

/// Ends every token for administrators' routes, and says how many there were.
///
/// # Errors
/// A [`Failure`] if the database can't be opened or written.
pub async fn revoke_admin_tokens(data: &DataDir, settings: &Settings) -> Result<u64, Failure> {
    let db = open_database(data, settings)?;
    let ended = admin_tokens::revoke_all(&db).await;
    db.close().await;
    ended.map_err(|cause| unusable(&cause))
}

/// Makes a bot with a token, and puts it into a community if one is named.
///
/// # Errors
/// A [`Failure`] if the database can't be opened or written, or the bot can't be made.
pub async fn create_bot(data: &DataDir, settings: &Settings, name: &str, guild: Option<GuildId>) -> Result<NewToken, Failure> {
    let db = open_database(data, settings)?;
    let made = match sessions::highest_id(&db).await {
        Ok(highest) => bots::create(&db, &Clock::system(highest, NODE), name, guild).await,
        Err(cause) => Err(cause),
    };
    db.close().await;
    made.map_err(|cause| match cause.code() {
        Some(ErrorCode::InvalidBody) => Failure::new(
            Exit::Usage,
            format!("{name:?} can't be a bot's name."),
            "Choose one of 2 to 32 letters, digits, dots, dashes and underscores.",
        ),
        Some(ErrorCode::NotABot) => Failure::new(
            Exit::Failed,
            format!("The name {name} belongs to a person, or looks like one that does."),
            "Choose another name.",
        ),
        Some(ErrorCode::UnknownGuild) => Failure::new(
            Exit::Failed,
            "There is no such community.",
            "Take its id from the address of its page: the number after /channels/.",
        ),
        Some(code) => Failure::new(Exit::Failed, code.message(), "Leave --guild out, or use a bot that exists."),
        None => unusable(&cause),
    })
}

fn unopened(data: &DataDir, cause: &StoreError) -> Failure {
    Failure::new(
        Exit::Store,
        format!("Can't open the database {}: {cause}.", data.file(DATABASE).display()),
        "If it was written by a newer version, start that one; if the disk is full, make room; else restore it from your backup.",
    )
}

fn unusable(cause: &nexus_core::Error) -> Failure {
    let why = std::error::Error::source(cause).map_or_else(|| cause.to_string(), |source| format!("{cause}: {source}"));
    Failure::new(
        Exit::Store,
        format!("The database can't be used: {why}."),
        "Make room on the disk if it is full, then start again.",
    )
}

/// What people type: the public address, or `localhost` if that leads here, or the address itself.
fn url(settings: &Settings, addresses: &[SocketAddr]) -> String {
    if let Some(public) = settings.origins.public() {
        return public.to_owned();
    }
    let local = addresses
        .iter()
        .find(|address| address.ip().is_loopback() || address.ip().is_unspecified());
    match (local, addresses.first()) {
        (Some(address), _) => format!("http://localhost:{}", address.port()),
        (None, Some(address)) => format!("http://{address}"),
        (None, None) => String::new(),
    }
}
