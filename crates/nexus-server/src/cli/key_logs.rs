//! `nexus log`: what an auditor types, and whoever moves a log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use nexus_crypto::audits::FaultCode;
use nexus_crypto::logs::{KeyDocument, LogId};
use nexus_store::transparency::Compacted;

use super::{Data, Signals, runtime, say, stopped};
use crate::boot::{self, LogAccess};
use crate::config::Settings;
use crate::data::DataDir;
use crate::exits::{Exit, Failure};
use crate::transparency::files;
use crate::transparency::progress::Progress;
use crate::transparency::sources::Source;
use crate::transparency::verify::{Auditor, Rules, Signatures, Stopped, line};
use crate::transparency::watch::{Told, watch};

#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Recompute a log from a server or from exported files: every leaf, root, link and signature. Exit code 0 if it is honest, 1 if
    /// not, 8 if it can't be reached.
    Verify {
        /// https://HOST or a folder.
        place: String,
        #[command(flatten)]
        rules: RuleArgs,
        /// Whose signatures are checked: all, or newest:N.
        #[arg(long, default_value = "all", value_parser = Signatures::parse, value_name = "WHICH")]
        signatures: Signatures,
    },
    /// Verify a log again and again, and stop with exit code 1 and an alarm when it is not honest.
    Watch {
        /// https://HOST.
        url: String,
        #[command(flatten)]
        rules: RuleArgs,
        /// Seconds between two looks.
        #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
        every: u64,
    },
    /// Write the log of a stopped server into a new folder: users.jsonl, sth.jsonl, key-transparency.json.
    Export {
        /// A folder that does not exist yet.
        folder: PathBuf,
        #[command(flatten)]
        kept: Kept,
    },
    /// Verify exported files, and make them the log of a data directory that has none.
    Import {
        /// What an export wrote.
        folder: PathBuf,
        #[command(flatten)]
        kept: Kept,
    },
    /// Free what is not part of the log: of a stopped server, or of exported files.
    Compact {
        /// What an export wrote; without it, the log of the data directory.
        folder: Option<PathBuf>,
        #[command(flatten)]
        kept: Kept,
    },
}

#[derive(Debug, Args)]
pub(super) struct RuleArgs {
    /// Remember the last head and the keys here, and go on from them the next time.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Take the cosigners' keys from this document instead of believing the log at first use.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Kept {
    #[command(flatten)]
    data: Data,
    /// What the key log is kept in: sql or jsonl; as its server is started.
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

pub(super) fn log(command: LogCommand) -> Result<(), Failure> {
    match command {
        LogCommand::Verify { place, rules, signatures } => verify(&place, rules.read(signatures)?),
        LogCommand::Watch { url, rules, every } => watching(&url, rules.read(Signatures::All)?, every),
        LogCommand::Export { folder, kept } => export(&folder, kept),
        LogCommand::Import { folder, kept } => import(&folder, kept),
        LogCommand::Compact { folder, kept } => compact(folder.as_deref(), kept),
    }
}

impl RuleArgs {
    fn read(self, signatures: Signatures) -> Result<Rules, Failure> {
        let pinned = self.keys.as_deref().map(key_document).transpose()?;
        Ok(Rules {
            state: self.state,
            pinned,
            signatures,
        })
    }
}

fn key_document(path: &Path) -> Result<KeyDocument, Failure> {
    let read = std::fs::read(path).map_err(|cause| cause.to_string());
    let read = read.and_then(|text| serde_json::from_slice::<KeyDocument>(&text).map_err(|cause| cause.to_string()));
    let read = read.and_then(|document| document.judged().map_err(|cause| cause.to_string()));
    read.map_err(|cause| {
        Failure::new(
            Exit::Usage,
            format!("Can't use the keys in {}: {cause}.", path.display()),
            "It must hold what the log answered once on /.well-known/key-transparency.",
        )
    })
}

/// Says what an auditor found, and turns it into the end of the program.
fn dishonest(stopped: Stopped, word: &str) -> Failure {
    match stopped {
        Stopped::Failure(failure) => failure,
        Stopped::Fault(fault) if fault.code == FaultCode::Unreachable => Failure::new(
            Exit::Unreachable,
            format!("The log can't be reached: {}.", fault.detail),
            "Nothing is known of it now. Try again.",
        ),
        Stopped::Fault(fault) => {
            say(format_args!("{word}: {}", line(&fault)));
            Failure::new(
                Exit::Failed,
                "The log is not honest.",
                "Keep this output and the state file, and show them to others who rely on this log.",
            )
        }
    }
}

fn verify(place: &str, rules: Rules) -> Result<(), Failure> {
    let mut source = Source::open(place)?;
    let verified = runtime()?.block_on(async {
        let mut auditor = Auditor::begin(&source, rules).await?;
        auditor.advance(&mut source, Progress::new("leaves")).await?;
        Ok(auditor.verdict())
    });
    say(verified.map_err(|stopped| dishonest(stopped, "fault"))?);
    Ok(())
}

fn watching(url: &str, rules: Rules, every: u64) -> Result<(), Failure> {
    if rules.state.is_none() {
        return Err(Failure::new(
            Exit::Usage,
            "A monitor needs a file to remember what it saw.",
            "Name one: nexus log watch URL --state FILE",
        ));
    }
    let mut source = Source::open(url)?;
    if matches!(source, Source::Folder(_)) {
        return Err(Failure::new(
            Exit::Usage,
            "A folder does not grow.",
            "Watch a server: nexus log watch https://HOST --state FILE",
        ));
    }
    let tell = |told: Told<'_>| match told {
        Told::Grown(leaves) => say(format_args!("{} honest: {leaves} leaves", crate::transparency::now_s())),
        Told::Unreachable(fault) => eprintln!("warning: the log can't be reached: {}", fault.detail),
    };
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        tokio::select! {
            stopped = watch(&mut source, rules, Duration::from_secs(every), tell) => Err(dishonest(stopped, "ALARM")),
            () = signals.next() => Ok(()),
        }
    })
}

fn export(folder: &Path, kept: Kept) -> Result<(), Failure> {
    let (data, settings) = stopped(&kept.data.directory, kept.store)?;
    let moved = runtime()?.block_on(async {
        let access = LogAccess::open(&data, &settings).await?;
        let document = access.document().await?;
        let moved = files::export(&access.store, &document, folder).await;
        access.close().await;
        moved
    })?;
    say(format_args!(
        "{} leaves and {} heads are in {}.",
        moved.leaves,
        moved.heads,
        folder.display()
    ));
    say(format_args!("Anybody can verify them: nexus log verify {}", folder.display()));
    Ok(())
}

fn import(folder: &Path, kept: Kept) -> Result<(), Failure> {
    let (data, settings) = stopped(&kept.data.directory, kept.store)?;
    let moved = runtime()?.block_on(async {
        let access = LogAccess::open(&data, &settings).await?;
        let (mark, again) = boot::begin_import(&data)?;
        let before = held(&access).await;
        let moved = files::import(folder, &access.store, again).await;
        // What was refused before anything was written leaves no mark.
        let after = held(&access).await;
        let untouched = before.is_some() && before == after && (!again || after == Some((None, 0)));
        access.close().await;
        if moved.is_ok() || untouched {
            std::fs::remove_file(&mark).map_err(|cause| crate::data::unwritable(&mark, &cause))?;
        }
        moved.map_err(|stopped| dishonest(stopped, "fault"))
    })?;
    say(format_args!(
        "{} leaves and {} heads were verified and imported.",
        moved.leaves, moved.heads
    ));
    say(
        "Before you start the server, put the keys of its cosigners in place (COSIGNER_0_SK to COSIGNER_2_SK, or their files and lines in \
         nexus.toml) and log.key: the log goes on only under the keys that it lists.",
    );
    Ok(())
}

/// Which log is stored, and how much of it.
async fn held(access: &LogAccess) -> Option<(Option<LogId>, u64)> {
    let state = access.store.state().await.ok()?;
    Some((state.log_id, state.size))
}

fn compact(folder: Option<&Path>, kept: Kept) -> Result<(), Failure> {
    let (before, after) = if let Some(folder) = folder {
        let compacted = runtime()?.block_on(files::compact(folder));
        compacted.map_err(|stopped| dishonest(stopped, "fault"))?
    } else {
        let (data, settings) = stopped(&kept.data.directory, kept.store)?;
        runtime()?.block_on(compact_stored(&data, &settings))?
    };
    say(format_args!("{before} bytes before, {after} after; the log is the same."));
    Ok(())
}

async fn compact_stored(data: &DataDir, settings: &Settings) -> Result<(u64, u64), Failure> {
    let access = LogAccess::open(data, settings).await?;
    let compacted = access.store.compact().await;
    access.close().await;
    let Compacted { bytes_before, bytes_after } = compacted.map_err(|cause| {
        Failure::new(
            Exit::Store,
            format!("The key log was left as it is: {cause}."),
            "Look at what it names, then try again.",
        )
    })?;
    Ok((bytes_before, bytes_after))
}
