//! `nexus events`: looking at the hub's files before a start, and the sources of a server that is stopped.

use clap::{Args, Subcommand};
use nexus_core::hub::rules;

use super::{Data, runtime, say, stopped};
use crate::boot::{self, SourceChange};
use crate::config::{self, Flags, HubConfig};
use crate::data::CONFIG;
use crate::exits::{Exit, Failure};
use crate::hub::secrets::{self, Origin};
use crate::hub::{environment, types};

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
    /// Read the hub's types, secrets and rules as `serve` would, and say what is wrong with them. The server may be running.
    Check {
        #[command(flatten)]
        data: Data,
    },
    /// Who may send events. The server must be stopped; while it runs, its Hub page does the same.
    #[command(subcommand)]
    Source(Source),
}

#[derive(Debug, Subcommand)]
pub(super) enum Source {
    /// Make a source and print its secret, alone on the last line. It is shown once.
    Add {
        #[command(flatten)]
        new: NewSource,
        #[command(flatten)]
        data: Data,
    },
    /// Give a source a new secret and print it, alone on the last line. The one before is good for a day longer.
    Rotate {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        data: Data,
    },
    /// Remove a source. What it sent stays.
    Remove {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        data: Data,
    },
    /// List all sources.
    List {
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Debug, Args)]
pub(super) struct NewSource {
    /// Its name: 1 to 32 small letters, digits and dashes.
    #[arg(value_name = "NAME")]
    name: String,
    /// A type that it may send, or NAMESPACE:*; once or more. Without it, every type.
    #[arg(long = "event", value_name = "TYPE", default_values_t = ["*".to_owned()])]
    events: Vec<String>,
    /// It may read events of these types too.
    #[arg(long)]
    reads: bool,
    /// Each of its requests must carry X-Nexus-Timestamp.
    #[arg(long)]
    demand_timestamp: bool,
}

impl From<NewSource> for nexus_core::hub::NewSource {
    fn from(new: NewSource) -> Self {
        Self {
            name: new.name,
            events: new.events,
            reads: new.reads,
            demands_timestamp: new.demand_timestamp,
        }
    }
}

pub(super) fn events(command: EventsCommand) -> Result<(), Failure> {
    match command {
        EventsCommand::Check { data } => check(&data),
        EventsCommand::Source(Source::Add { new, data }) => change(&data, SourceChange::Add(new.into())),
        EventsCommand::Source(Source::Rotate { name, data }) => change(&data, SourceChange::Rotate(name)),
        EventsCommand::Source(Source::Remove { name, data }) => change(&data, SourceChange::Remove(name)),
        EventsCommand::Source(Source::List { data }) => change(&data, SourceChange::List),
    }
}

fn check(data: &Data) -> Result<(), Failure> {
    let folder = &data.directory;
    let settings = config::load(&folder.join(CONFIG), &Flags::default())?.settings()?;
    let environment = |name: &str| std::env::var(name).ok();
    let secrets = secrets::find(Some(&folder.join(secrets::OWN)), &environment)?;
    say(match secrets.map(|secrets| (secrets.origin, secrets.previous.is_some())) {
        Some((Origin::Environment, false)) => "secret: NEXUS_SECRET",
        Some((Origin::Environment, true)) => "secret: NEXUS_SECRET, and NEXUS_SECRET_PREVIOUS",
        Some((Origin::Own, _)) => "secret: hub.secret in the data directory; a server with --roles events needs NEXUS_SECRET",
        None => "secret: none yet; a server that serves everything makes one, one with --roles events needs NEXUS_SECRET",
    });
    let known = types::load(folder, &settings.hub.types)?;
    let own = settings.hub.types.len();
    say(format_args!("types: {} known, {own} of them from hub.types", known.list().len()));
    check_rules(folder, &settings.hub, &known)
}

fn check_rules(folder: &std::path::Path, hub: &HubConfig, known: &nexus_core::hub::TypeRegistry) -> Result<(), Failure> {
    let environment = environment::for_rules(config::environment())?;
    let checked = rules::check(&folder.join(&hub.reactors), known, &|name| environment.get(name).cloned());
    say(checked.to_string().trim_end());
    if checked.is_good() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        "Some of the rules can't be read.",
        "Correct them. Until then the server runs without them.",
    ))
}

fn change(data: &Data, change: SourceChange) -> Result<(), Failure> {
    let (data, settings) = stopped(&data.directory, None).map_err(running)?;
    let changed = runtime()?.block_on(boot::change_sources(&data, &settings, change))?;
    for source in &changed.sources {
        let events: Vec<_> = source.events.iter().map(ToString::to_string).collect();
        let reads = if source.reads { ", may read" } else { "" };
        let timely = if source.demands_timestamp {
            ", must send X-Nexus-Timestamp"
        } else {
            ""
        };
        say(format_args!("{}: {}{reads}{timely}", source.name, events.join(" ")));
    }
    if let Some(secret) = changed.secret {
        say("Sign each body with it: X-Nexus-Signature is the HMAC-SHA256 in hexadecimal digits. It is not shown again.");
        say(secret);
    }
    Ok(())
}

/// Where else it can be done.
fn running(failure: Failure) -> Failure {
    if failure.exit == Exit::InUse {
        let next = "Use its Hub page (/hub, Sources) or POST /events/sources, or stop it first.";
        return Failure {
            next: next.into(),
            ..failure
        };
    }
    failure
}
