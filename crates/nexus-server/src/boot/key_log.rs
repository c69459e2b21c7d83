//! The key log's part of a start: where it is kept, its secrets, its three cosigners.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use nexus_core::Clock;
use nexus_core::transparency::{LocalCosigner, Log, LogPorts, Seat, StartError};
use nexus_crypto::keys::SigningKey;
use nexus_crypto::logs::{KeyDocument, LogId};
use nexus_store::transparency::{JsonlOptions, LogStore, StoredKey};
use nexus_store::{Db, StoreError};
use tokio::task::AbortHandle;

use super::open_database;
use crate::config::{COSIGNERS, LogBackend, RemoteSeat, Settings, THIS_SERVER};
use crate::data::{self, DATABASE, DataDir};
use crate::exits::{Exit, Failure};
use crate::relay::{KeysUnavailable, Relay, RelayConfig};
use crate::transparency::measured::Measured;
use crate::transparency::remotes::{self, RemoteCosigner};
use crate::transparency::{keys, processes, rotations, sources};

/// The folder of the key log's files inside of the data directory.
const FOLDER: &str = "transparency";
/// Says that an import was cut off. What it left is the beginning of a log that others have seen more of.
const UNFINISHED: &str = "import.unfinished";

/// The database, if a role or the key log needs it.
pub(super) fn database(data: &DataDir, settings: &Settings) -> Result<Option<Db>, Failure> {
    if data.file(UNFINISHED).exists() {
        return Err(unfinished());
    }
    let roles = settings.roles;
    let log_needs = roles.has_transparency() && settings.log.backend == LogBackend::Sql;
    let needed = roles.has_community() || roles.has_events() || log_needs;
    needed.then(|| open_database(data, settings)).transpose()
}

/// Opens the key log and its cosigners. What is to be aborted at the end comes with it.
pub(super) async fn start(data: &DataDir, db: Option<Db>, settings: &Settings, clock: Clock) -> Result<(Log, Vec<AbortHandle>), Failure> {
    let store = store(data, db, settings).await?;
    let state = store.state().await.map_err(|cause| failed(&cause))?;
    let log_id = state.log_id.unwrap_or_else(|| LogId(clock.random()));
    // The same name again changes nothing.
    store.begin(log_id).await.map_err(|cause| failed(&cause))?;
    for name in COSIGNERS {
        rotations::settle(data, &state.keys, name)?;
    }
    let log_key = Arc::new(keys::log_key(data)?);
    let mut chores = vec![];
    let mut seats = vec![];
    for (name, place) in places(data, settings, &state.keys)? {
        let key = match place {
            Place::Elsewhere(remote) => {
                seats.push(remote_seat(remote, log_key.clone())?);
                continue;
            }
            Place::Here(key) => key,
        };
        let (seat, cosigner) = own_seat(data, name, *key, log_id, &clock)?;
        chores.push(tokio::spawn(processes::sweep(cosigner, clock.clone(), settings.log.evidence_days)).abort_handle());
        seats.push(seat);
    }
    let ports = LogPorts {
        store,
        clock,
        seats,
        log_key,
    };
    let log = Log::start(ports).await.map_err(unstarted)?;
    if settings.log.backend == LogBackend::Jsonl {
        write_document(data, log.document())?;
    }
    let document = log.document();
    tracing::info!(log = %document.log_id, statement = document.statement, leaves = log.counts().leaves, "the key log is open");
    Ok((log, chores))
}

/// The relay, which asks the log for the keys of registered ids.
pub(super) fn relay(log: &Log, settings: &Settings) -> Relay {
    let config = RelayConfig {
        origins: settings.origins.clone(),
        frame_bytes_max: settings.relay_payload_bytes_max,
        ..RelayConfig::default()
    };
    let log = log.clone();
    let keys = move |id: Arc<str>| {
        let log = log.clone();
        async move {
            log.key_of(&id).await.map_err(|cause| {
                tracing::error!(error = &cause as &dyn std::error::Error, "the relay could not look up a key");
                KeysUnavailable
            })
        }
        .boxed()
    };
    Relay::new(config, Arc::new(keys))
}

async fn store(data: &DataDir, db: Option<Db>, settings: &Settings) -> Result<LogStore, Failure> {
    let folder = data.file(FOLDER);
    match (settings.log.backend, db) {
        (LogBackend::Sql, Some(_)) if folder.join("log.json").exists() => Err(other_store("files", "jsonl")),
        (LogBackend::Sql, Some(db)) => Ok(LogStore::sql(db)),
        (LogBackend::Sql, None) => unreachable!("the database is opened for it"),
        (LogBackend::Jsonl, db) => {
            let elsewhere = match db {
                Some(db) => LogStore::sql(db).state().await.map_err(|cause| failed(&cause))?.log_id.is_some(),
                None => false,
            };
            if elsewhere {
                return Err(other_store("the database", "sql"));
            }
            // Reading the files takes its time, and nobody is served yet.
            LogStore::jsonl(&folder, JsonlOptions::default()).map_err(|cause| failed(&cause))
        }
    }
}

/// Where a cosigner is.
enum Place<'a> {
    /// In this process.
    Here(Box<SigningKey>),
    /// A program of its own.
    Elsewhere(&'a RemoteSeat),
}

/// Where each cosigner is. No two have the same key: that is seen before any of them opens its memory, or a first start would leave
/// memories of cosigners that never were.
fn places<'a>(data: &DataDir, settings: &'a Settings, stored: &[StoredKey]) -> Result<Vec<(&'static str, Place<'a>)>, Failure> {
    let mut places = Vec::with_capacity(COSIGNERS.len());
    let mut known = vec![];
    for name in COSIGNERS {
        let remote = settings.log.remotes.iter().find(|remote| remote.name == name);
        let (public_key, place) = if let Some(remote) = remote {
            (remote.public_key, Place::Elsewhere(remote))
        } else {
            let is_listed = |known: &StoredKey| known.key.cosigner == name && known.key.until_s.is_none() && known.url.is_none();
            let listed = stored.iter().any(is_listed);
            let (key, _) = keys::cosigner_key(data, name, listed, |variable| std::env::var(variable).ok())?;
            (key.public(), Place::Here(Box::new(key)))
        };
        if known.contains(&public_key) {
            return Err(unstarted(StartError::SameKey));
        }
        known.push(public_key);
        places.push((name, place));
    }
    Ok(places)
}

fn own_seat(data: &DataDir, name: &'static str, key: SigningKey, log_id: LogId, clock: &Clock) -> Result<(Seat, LocalCosigner), Failure> {
    let public_key = key.public();
    let path = keys::store_file(data, name);
    data::make_private(&data.file(keys::FOLDER))?;
    let cosigner = LocalCosigner::open(&path, key, log_id, clock.clone()).map_err(|cause| {
        Failure::new(
            Exit::Store,
            format!("Can't open the memory of {name}, {}: {cause}.", path.display()),
            "Restore the whole data directory from your backup; a cosigner without its memory could sign a second history.",
        )
    })?;
    let seat = Seat {
        name: name.to_owned(),
        public_key,
        operator: THIS_SERVER.to_owned(),
        url: None,
        cosigner: Arc::new(Measured::new(name, cosigner.clone())),
    };
    Ok((seat, cosigner))
}

fn remote_seat(remote: &RemoteSeat, log_key: Arc<SigningKey>) -> Result<Seat, Failure> {
    let variable = keys::variable(remote.name);
    if std::env::var_os(&variable).is_some() {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "transparency.cosigners says that {} is elsewhere, and {variable} says that it is here.",
                remote.name
            ),
            format!("Unset {variable}, or take the line of {} away.", remote.name),
        ));
    }
    let cosigner = RemoteCosigner::new(remotes::client(remotes::DEADLINE)?, remote.url.clone(), remote.public_key, log_key);
    Ok(Seat {
        name: remote.name.to_owned(),
        public_key: remote.public_key,
        operator: remote.operator.clone(),
        url: Some(remote.url.clone()),
        cosigner: Arc::new(Measured::new(remote.name, cosigner)),
    })
}

/// Beside the files, so that they can be verified as they are.
fn write_document(data: &DataDir, document: &KeyDocument) -> Result<(), Failure> {
    let path = data.file(FOLDER).join(sources::DOCUMENT);
    let text = serde_json::to_vec_pretty(document).expect("our shapes have string keys and no failing parts");
    data::write_whole(&path, &text).map_err(|cause| data::unwritable(&path, &cause))
}

/// The key log of a data directory in which no server runs, for the command line.
pub struct LogAccess {
    /// Where it is kept.
    pub store: LogStore,
    db: Option<Db>,
    log_key: SigningKey,
}

impl LogAccess {
    /// Opens it.
    ///
    /// # Errors
    /// A [`Failure`].
    pub async fn open(data: &DataDir, settings: &Settings) -> Result<Self, Failure> {
        let db = match settings.log.backend {
            LogBackend::Sql => Some(open_database(data, settings)?),
            // Only to see that the log is not there.
            LogBackend::Jsonl if data.file(DATABASE).exists() => Some(open_database(data, settings)?),
            LogBackend::Jsonl => None,
        };
        Ok(Self {
            store: store(data, db.clone(), settings).await?,
            db,
            log_key: keys::log_key(data)?,
        })
    }

    /// Whose signatures count.
    ///
    /// # Errors
    /// A [`Failure`] if there is no log.
    pub async fn document(&self) -> Result<KeyDocument, Failure> {
        let state = self.store.state().await.map_err(|cause| failed(&cause))?;
        let log_id = state.log_id.ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "There is no key log in this data directory.",
                "Name another with --data. If its server ran with --store, give the same here.",
            )
        })?;
        Ok(KeyDocument::new(log_id, self.log_key.public(), state.keys))
    }

    /// Closes it.
    pub async fn close(self) {
        if let Some(db) = self.db {
            db.close().await;
        }
    }
}

/// Marks a data directory until an import is done, so that no server starts with half a log. Says whether one was cut off before.
///
/// # Errors
/// A [`Failure`] if it can't be marked.
pub fn begin_import(data: &DataDir) -> Result<(PathBuf, bool), Failure> {
    let path = data.file(UNFINISHED);
    let cut_off = path.exists();
    data::write_whole(&path, b"").map_err(|cause| data::unwritable(&path, &cause))?;
    Ok((path, cut_off))
}

fn unfinished() -> Failure {
    Failure::new(
        Exit::Data,
        "An import into this data directory was cut off, so its key log is not whole.",
        "Run the same nexus log import again.",
    )
}

fn other_store(place: &str, store: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("The key log of this data directory is kept in {place}."),
        format!(
            "Start with --store {store}, or set transparency.store = \"{store}\". To move it: nexus log export, then nexus log import."
        ),
    )
}

fn failed(cause: &StoreError) -> Failure {
    let why = std::error::Error::source(cause).map_or_else(|| cause.to_string(), |source| format!("{cause}: {source}"));
    Failure::new(
        Exit::Store,
        format!("The key log can't be used: {why}."),
        "If the disk is full, make room; else restore the whole data directory from your backup.",
    )
}

fn unstarted(cause: StartError) -> Failure {
    match cause {
        StartError::KeyDiffers { cosigner } => {
            let variable = keys::variable(&cosigner);
            Failure::new(
                Exit::Data,
                format!("{cosigner} has another key than the key log lists for it."),
                format!(
                    "Restore its key ({variable}, its file, or its line in transparency.cosigners). To let a new one take its place: \
                     nexus cosigner rotate --cosigner {cosigner}"
                ),
            )
        }
        StartError::SameKey => Failure::new(
            Exit::Data,
            "Two cosigners have the same key, so one of them could sign for both.",
            "Give each of COSIGNER_0_SK, COSIGNER_1_SK and COSIGNER_2_SK a key of its own.",
        ),
        StartError::Store(cause) => failed(&cause),
        StartError::Damaged(what) => Failure::new(
            Exit::Store,
            format!("What is stored is no key log: {what}."),
            "Restore the whole data directory from your backup.",
        ),
    }
}
