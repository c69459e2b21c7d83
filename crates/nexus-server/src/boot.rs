//! Starting and stopping a node. The only file that names a database.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use nexus_core::logins::Tokens;
use nexus_core::passwords::Hasher;
use nexus_core::{App, Clock, Ports, sessions, sweeps};
use nexus_store::{Db, Options, StoreError, log};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Settings;
use crate::data::{DATABASE, DataDir};
use crate::exits::{Exit, Failure};
use crate::gateway::{Gateway, GatewayConfig};
use crate::http::{Door, Node};
use crate::serve::{Connections, connections_max, listen_all};

/// This process's number among those that draw ids. There is one so far.
const NODE: i64 = 0;
/// Pages of the database in a MiB.
const PAGES_PER_MIB: u64 = 256;
/// For how long a stopping node waits for requests, then for sockets. Together less than `DRAIN_MS_MAX`.
const REQUESTS_MAX: Duration = Duration::from_secs(5);
const SOCKETS_MAX: Duration = Duration::from_millis(2_500);

/// A node that serves.
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// What people type.
    pub url: String,
    /// The link for the first administrator, while there is none.
    pub setup_link: Option<String>,
    node: Node,
    connections: Connections,
    sweeps: JoinHandle<()>,
    stop: watch::Sender<bool>,
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
        let app = open(&data, &settings).await?;
        let setup_token = app.setup().new_link().await.map_err(|cause| unusable(&cause))?;

        let origins = settings.origins.clone();
        let gateway = Gateway::start(app.clone(), GatewayConfig { origins });
        let node = Node::new(app.clone(), gateway, settings.origins, settings.rates);
        let door = Door::new(node.clone()).behind(settings.trusted_proxies.clone());
        let connections = Connections::new(door, connections_max(settings.connections))
            .per_address(settings.connections_per_address as usize, settings.trusted_proxies.and_loopback());
        let (stop, stopped) = watch::channel(false);
        let sweeps = tokio::spawn(sweeps::run(app, stopped));
        for listener in listeners {
            connections.accept(listener);
        }
        let setup_link = setup_token.map(|token| format!("{url}/setup#{token}"));
        Ok(Self {
            addresses,
            url,
            setup_link,
            node,
            connections,
            sweeps,
            stop,
            data,
        })
    }

    /// The use cases of this node, for tests that serve inside their own process.
    pub fn app(&self) -> &App {
        &self.node.app
    }

    /// Stops accepting, lets requests finish, closes every socket so that it can resume, and closes the database. Says whether
    /// everything ended by itself.
    pub async fn stop(self) -> bool {
        self.stop.send_replace(true);
        let finished = self.connections.finish(REQUESTS_MAX).await;
        self.node.gateway.drain(SOCKETS_MAX).await;
        let swept = self.sweeps.await.is_ok();
        self.node.app.db.close().await;
        drop(self.data);
        finished && swept
    }
}

async fn open(data: &DataDir, settings: &Settings) -> Result<App, Failure> {
    let keys = data.keys(|variable| std::env::var_os(variable).map(PathBuf::from))?;
    let options = Options {
        read_threads: settings.store.read_threads as usize,
        cache_kib: settings.store.cache_kib as usize,
        max_page_count: Some(u64::from(settings.store.size_mib_max) * PAGES_PER_MIB).filter(|pages| *pages > 0),
        ..Options::default()
    };
    let db = Db::open(&data.file(DATABASE), options).map_err(|cause| unopened(data, &cause))?;
    let highest = sessions::highest_id(&db).await.map_err(|cause| unusable(&cause))?;
    let app = App::new(Ports {
        db,
        clock: Clock::system(highest, NODE),
        keys,
        hasher: Hasher::new(settings.password_cost),
        settings: nexus_core::Settings {
            name: settings.name.clone(),
            registration_open: settings.registration_open,
            registration_needs_admin: !settings.is_private,
        },
        tokens: Tokens::default(),
    });
    Tokens::rebuild(&app).await.map_err(|cause| unusable(&cause))?;
    Ok(app)
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
