//! `nexus-bench`: starts the server as its users do, loads it from a second process, and measures what it costs.
//!
//! Every figure stands beside the floor of the same run and the goal of the project. Each bench checks what it did: a gap, a
//! repeat or a lost message ends it with an error. It deliberately asserts nothing about time. How to read it: `docs/subsystems/bench.md`.

mod accounts;
mod chat;
mod cores;
mod engine;
mod events;
mod fanout;
mod floors;
mod frames;
mod history;
mod http;
mod loads;
mod log;
mod processes;
mod report;
mod rows;
mod servers;
mod sessions;
mod starts;
mod store;
mod storms;

use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tokio::task::LocalSet;

use crate::cores::{Cores, Place};
use crate::report::Report;

/// What a part of the bench answers.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures a Nexus server beside the floors of this machine.
#[derive(Debug, Parser)]
#[command(name = "nexus-bench")]
pub(crate) struct Options {
    /// What to measure; nothing for all.
    names: Vec<Name>,
    /// One short run instead of five.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often everything is measured.
    #[arg(long)]
    runs: Option<usize>,
    /// Where the JSON goes; beside this program if absent.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The folder for databases, on the disk to be measured; beside this program if absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The server's program.
    #[arg(long, env = "NEXUS_BIN", value_name = "FILE")]
    pub(crate) server: PathBuf,
    /// Sessions of the memory row and the reconnect storms.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) sessions: usize,
    /// The folder with the verifier in WebAssembly, as `cargo xtask wasm` makes it.
    #[arg(long, env = "NEXUS_WASM", value_name = "DIR")]
    pub(crate) wasm: Option<PathBuf>,
    /// Only these parts: start, fanout, crowd, history of `chat`; inside, registrations, proofs, audits, browser of `log`;
    /// intake, reactions, streams, kill, chain of `events`.
    #[arg(long, value_name = "PART")]
    pub(crate) part: Vec<String>,
}

/// A bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Durable sends and the store.
    Store,
    /// Sessions: fan-out, memory, reconnecting, history, cold start.
    Chat,
    /// The key log: registrations, proofs, audits.
    Log,
    /// The event hub: events in, reactors, streams, a kill in the middle.
    Events,
}

/// What every part needs.
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) cores: Cores,
    pub(crate) folder: PathBuf,
    pub(crate) report: Report,
}

impl Bench {
    /// Seconds of load per row.
    pub(crate) fn seconds(&self, quick: u64, full: u64) -> u64 {
        if self.options.quick { quick } else { full }
    }

    /// Is this part wanted?
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.options.part.is_empty() || self.options.part.iter().any(|wanted| wanted == part)
    }

    /// A new folder for a database, on the disk to be measured.
    pub(crate) fn temporary(&self) -> Outcome<tempfile::TempDir> {
        Ok(tempfile::Builder::new().prefix("nexus-bench-").tempdir_in(&self.folder)?)
    }
}

/// Runs the generator's side of a measurement: one thread, so that it fits on its core.
pub(crate) fn generate<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    let outcome = tasks.block_on(&runtime, work);
    // The sessions' tasks end here.
    drop(tasks);
    outcome
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let options = Options::parse();
    processes::raise_files()?;
    let beside = std::env::current_exe()?.parent().ok_or("this program is in no folder")?.to_owned();
    let folder = options.data.clone().unwrap_or_else(|| beside.clone());
    let json = options.json.clone().unwrap_or_else(|| beside.join("nexus-bench.json"));
    let runs = options.runs.unwrap_or(if options.quick { 1 } else { 5 });
    let names = if options.names.is_empty() {
        vec![Name::Store, Name::Chat, Name::Log, Name::Events]
    } else {
        options.names.clone()
    };

    let mut bench = Bench {
        options,
        cores: Cores::find()?,
        folder,
        report: Report::start(),
    };
    bench.cores.pin(Place::Generator)?;
    println!("{}", bench.report.heading(&bench.cores, runs));
    for run in 1..=runs {
        for name in &names {
            eprintln!("run {run} of {runs}: {name:?}");
            match name {
                Name::Store => store::run(&mut bench)?,
                Name::Chat => chat::run(&mut bench)?,
                Name::Log => log::run(&mut bench)?,
                Name::Events => events::run(&mut bench)?,
            }
        }
    }
    println!("{}", bench.report.table());
    std::fs::write(&json, bench.report.json(runs))?;
    eprintln!("{}", json.display());
    Ok(())
}
