//! The event hub's part of a start: its secrets, its types, its way out, and what of the environment rules may name.

use std::collections::HashMap;
use std::sync::Arc;

use nexus_core::hub::rules;
use nexus_core::hub::sources::StoredSources;
use nexus_core::hub::{DefaultSecrets, Hub, HubPorts, HubSettings, NewSource, SourceInfo, TypeRegistry};
use nexus_core::{Clock, sessions};
use nexus_store::Db;

use super::{NODE, elsewhere, open_database, unusable};
use crate::config::{self, Settings};
use crate::data::{self, DataDir};
use crate::exits::{Exit, Failure};
use crate::hub::secrets::{self, Secrets};
use crate::hub::{environment, types};
use crate::outbound::{OutboundSettings, OwnAddresses, outbound};

/// Whose origin may be asked although it is private.
const FACTORY: &str = "FACTORY_API_URL";

/// What the hub is told by the operator, read before anything is written.
pub(super) struct Told {
    secrets: Secrets,
    types: TypeRegistry,
    environment: HashMap<String, String>,
}

/// Reads secrets, types and what rules may know of the environment.
pub(super) fn read(data: &DataDir, settings: &Settings) -> Result<Told, Failure> {
    Ok(Told {
        types: types::load(&data.file(""), &settings.hub.types)?,
        environment: environment::for_rules(config::environment())?,
        secrets: secrets::read(data, settings.roles, |name| std::env::var(name).ok())?,
    })
}

/// Starts the hub, at the very first time with the rules that come with the program. It never asks the addresses where this process itself listens.
pub(super) async fn start(
    (data, settings): (&DataDir, &Settings),
    told: Told,
    db: Db,
    clock: Clock,
    own: OwnAddresses,
) -> Result<Hub, Failure> {
    let rules = data.file(&settings.hub.reactors);
    rules::write_shipped(&rules).map_err(|cause| data::unwritable(&rules, &cause))?;
    let factory = told.environment.get(FACTORY).filter(|url| !url.is_empty());
    let out = OutboundSettings {
        private: settings.outbound_private.clone(),
        listed_origins: factory.cloned().into_iter().collect(),
        own,
    };
    let ports = HubPorts {
        db,
        clock,
        keys: Arc::new(data.keys(elsewhere)?),
        outbound: outbound(&out)?,
        settings: HubSettings {
            types: told.types,
            reactors_dir: rules,
            environment: told.environment,
            default_secrets: Some(DefaultSecrets {
                current: told.secrets.current,
                previous: told.secrets.previous,
            }),
            retention_ms: settings.hub.retention_ms,
            platform_events: settings.hub.platform_events,
            webhook_failure_days: settings.hub.webhook_failure_days,
        },
    };
    Hub::start(ports).await.map_err(|cause| unusable(&cause))
}

/// What `nexus events source` does.
#[derive(Debug)]
pub enum SourceChange {
    /// Makes one.
    Add(NewSource),
    /// Gives one a new secret.
    Rotate(String),
    /// Removes one.
    Remove(String),
    /// Lists all.
    List,
}

/// What came of a [`SourceChange`].
#[derive(Debug, Default)]
pub struct Changed {
    /// The sources that were asked for.
    pub sources: Vec<SourceInfo>,
    /// A secret that was made.
    pub secret: Option<String>,
}

/// Looks at the sources of a data directory in which no server runs, or changes them.
///
/// # Errors
/// A [`Failure`] if the database can't be opened or written, or the change is refused.
pub async fn change_sources(data: &DataDir, settings: &Settings, change: SourceChange) -> Result<Changed, Failure> {
    let known = types::load(&data.file(""), &settings.hub.types)?;
    let db = open_database(data, settings)?;
    let done = apply(data, db.clone(), known, change).await;
    db.close().await;
    done
}

async fn apply(data: &DataDir, db: Db, known: TypeRegistry, change: SourceChange) -> Result<Changed, Failure> {
    let keys = Arc::new(data.keys(elsewhere)?);
    let highest = sessions::highest_id(&db).await.map_err(|cause| unusable(&cause))?;
    let stored = StoredSources::open(db, keys, Clock::system(highest, NODE), known);
    let stored = stored.await.map_err(|cause| unusable(&cause))?;
    let sources = stored.view();
    let made = match change {
        SourceChange::Add(new) => Some(sources.add(new).await),
        SourceChange::Rotate(name) => Some(sources.rotate(&name).await),
        SourceChange::Remove(name) => {
            sources.remove(&name).await.map_err(|cause| refused(&cause))?;
            None
        }
        SourceChange::List => {
            return Ok(Changed {
                sources: sources.list(),
                secret: None,
            });
        }
    };
    let made = made.transpose().map_err(|cause| refused(&cause))?;
    Ok(made.map_or_else(Changed::default, |made| Changed {
        sources: vec![made.source],
        secret: Some(made.secret),
    }))
}

fn refused(cause: &nexus_core::Error) -> Failure {
    match cause.code() {
        Some(code) => Failure::new(Exit::Failed, code.message(), "Look which there are: nexus events source list"),
        None => unusable(cause),
    }
}
