//! The command line. Data goes to stdout, everything else to stderr; a failure names its cause and the next command.
//!
//! `docs/guide/configuration.md` lists the flags and exit codes for operators.

mod cosigners;
mod events;
mod key_logs;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use nexus_types::ids::GuildId;
use nexus_types::limits::DRAIN_MS_MAX;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::boot::{self, Running};
use crate::config::{self, Flags, Settings};
use crate::data::{CONFIG, DATABASE, DataDir};
use crate::exits::{Exit, Failure};
use crate::roles::Roles;
use crate::{health, logs};

const EXITS: &str = "Exit codes: 0 fine, 1 failed or unhealthy, 2 wrong flag or configuration, 3 data directory in use, \
    4 data directory or a secret unsafe or damaged, 5 can't listen, 6 can't open the database, 7 stopping took too long, \
    8 the key log can't be reached.";

/// How long what runs on threads of its own may go on after everything was done and stopped.
const THREADS_LEFT: Duration = Duration::from_millis(500);

/// A community platform in one binary.
#[derive(Debug, Parser)]
#[command(name = "nexus", version, after_help = EXITS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve.
    Serve(Serve),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(Config),
    /// Say that the data directory is a restored backup, before serving it: clients then begin anew instead of going on in a
    /// history that is gone.
    Restored {
        #[command(flatten)]
        data: Data,
    },
    /// For administrators.
    #[command(subcommand)]
    Admin(Admin),
    /// Verify, watch and move the key log.
    #[command(subcommand)]
    Log(key_logs::LogCommand),
    /// A cosigner of a key log, as a program of its own.
    #[command(subcommand)]
    Cosigner(cosigners::CosignerCommand),
    /// The event hub: look at its files, and at who may send events.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Ask a running server how it is; the exit code says it.
    Health {
        /// Where it listens.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
    },
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Read the configuration as `serve` would, and print every setting with its source.
    Check {
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Tokens for administrators' routes, such as /metrics.
    #[command(subcommand)]
    Token(Token),
    /// Accounts of programs.
    #[command(subcommand)]
    Bot(Bot),
}

#[derive(Debug, Subcommand)]
enum Token {
    /// Make a token and print it, alone on the last line. It is shown once. The server must be stopped.
    Create {
        #[command(flatten)]
        data: Data,
    },
    /// End all tokens. The server must be stopped.
    RevokeAll {
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Debug, Subcommand)]
enum Bot {
    /// Make a bot and print its token, alone on the last line. It is shown once. A bot that exists gets another token, and the one
    /// before it ends. The server must be stopped.
    Create {
        /// Its name, of 2 to 32 letters, digits, dots, dashes and underscores.
        #[arg(value_name = "NAME")]
        name: String,
        /// The community to put it into.
        #[arg(long, value_name = "ID")]
        guild: Option<GuildId>,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Debug, Args)]
struct Data {
    /// The directory that holds everything: database, keys, nexus.toml.
    #[arg(long = "data", env = "NEXUS_DATA", default_value = "./nexus-data", value_name = "DIR")]
    directory: PathBuf,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    data: Data,
    /// What to serve: transparency (the key log and the relay; alone on port 8000), events (the event hub; alone on port 3000), both
    /// as transparency,events, or without this flag everything (on port 8080).
    #[arg(long, value_name = "LIST", value_parser = Roles::parse)]
    roles: Option<Roles>,
    /// What the key log is kept in: sql or jsonl.
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// Where to listen, once or more; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<String>,
    /// Limit nobody; for tests and benches, only where nobody else can connect.
    #[arg(long)]
    no_rate_limits: bool,
    /// json, pretty, or auto.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(serve) => run(serve),
        Command::Config(Config::Check { data }) => check(&data),
        Command::Restored { data } => restored(&data),
        Command::Admin(Admin::Token(token)) => admin_token(&token),
        Command::Admin(Admin::Bot(Bot::Create { name, guild, data })) => create_bot(&name, guild, &data),
        Command::Log(command) => key_logs::log(command),
        Command::Cosigner(command) => cosigners::cosigner(command),
        Command::Events(command) => events::events(command),
        Command::Health { url } => health::ask(&url).map(say),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// A line for whoever reads stdout. If nobody does any more, that is no reason to stop.
fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
}

fn check(data: &Data) -> Result<(), Failure> {
    let layers = config::load(&data.directory.join(CONFIG), &Flags::default())?;
    layers.settings()?;
    say(layers.to_string().trim_end());
    Ok(())
}

fn restored(data: &Data) -> Result<(), Failure> {
    if !data.directory.join(DATABASE).exists() {
        return Err(Failure::new(
            Exit::Data,
            format!("There is no database in {}.", data.directory.display()),
            "Put the backup there first, or name its directory with --data.",
        ));
    }
    let data = DataDir::open(&data.directory)?;
    runtime()?.block_on(boot::restored(&data))?;
    say("Start the server now. Every client will begin a new session and keep its login.");
    Ok(())
}

fn run(serve: Serve) -> Result<(), Failure> {
    let data = DataDir::open(&serve.data.directory)?;
    data.write_config(config::TEMPLATE)?;
    let flags = Flags {
        roles: serve.roles.unwrap_or_default(),
        store: serve.store,
        listen: serve.listen,
        no_rate_limits: serve.no_rate_limits,
        log_format: serve.log_format,
    };
    let settings = config::load(&data.file(CONFIG), &flags)?.settings()?;
    logs::start(settings.log_format, &settings.log_level)?;
    runtime()?.block_on(serve_until_told(data, settings))
}

fn admin_token(token: &Token) -> Result<(), Failure> {
    match token {
        Token::Create { data } => {
            let (data, settings) = stopped(&data.directory, None)?;
            let token = runtime()?.block_on(boot::admin_token(&data, &settings))?;
            say("Send it as: Authorization: Bearer TOKEN. It is not shown again.");
            say(token);
        }
        Token::RevokeAll { data } => {
            let (data, settings) = stopped(&data.directory, None)?;
            let ended = runtime()?.block_on(boot::revoke_admin_tokens(&data, &settings))?;
            say(format_args!("{ended} ended."));
        }
    }
    Ok(())
}

fn create_bot(name: &str, guild: Option<GuildId>, data: &Data) -> Result<(), Failure> {
    let (data, settings) = stopped(&data.directory, None)?;
    let made = runtime()?.block_on(boot::create_bot(&data, &settings, name, guild))?;
    if made.replaced {
        say("This bot existed. The token that it had is no longer good.");
    }
    say("Send it as: Authorization: Bot TOKEN. It is not shown again.");
    say(made.token);
    Ok(())
}

/// A data directory in which no server runs, and its settings.
fn stopped(directory: &Path, store: Option<String>) -> Result<(DataDir, Settings), Failure> {
    let data = DataDir::open(directory)?;
    data.write_config(config::TEMPLATE)?;
    let flags = Flags { store, ..Flags::default() };
    let settings = config::load(&data.file(CONFIG), &flags)?.settings()?;
    Ok((data, settings))
}

/// The threads of one command.
struct Threads(Runtime);

impl Threads {
    /// Runs this to its end. Threads that the system keeps are left behind: a name server that does not answer holds them for as long
    /// as it likes, and nothing can stop that but the end of the process.
    fn block_on<T>(self, work: impl Future<Output = T>) -> T {
        let done = self.0.block_on(work);
        self.0.shutdown_timeout(THREADS_LEFT);
        done
    }
}

fn runtime() -> Result<Threads, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map(Threads).map_err(|cause| {
        Failure::new(
            Exit::Failed,
            format!("Can't start threads: {cause}."),
            "Check the limits of this user.",
        )
    })
}

async fn serve_until_told(data: DataDir, settings: Settings) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    advise(&settings);
    let running = Running::start(data, settings).await?;
    if let Some(link) = &running.setup_link {
        say(format_args!("Make the first administrator here, within a day: {link}"));
    }
    // The last line on stdout, so that a script may stop reading here.
    say(format_args!("Your server is running at {}", running.url));
    tracing::info!(addresses = ?running.addresses, version = env!("CARGO_PKG_VERSION"), "serving");
    signals.next().await;
    tracing::info!("stopping; a second signal stops at once");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(130);
    });
    watch_over_the_stop();
    if running.stop().await {
        tracing::info!("stopped");
        Ok(())
    } else {
        Err(Failure::new(
            Exit::Drain,
            "Some requests did not finish in time and were cut off.",
            "Their clients will try again.",
        ))
    }
}

/// Says what will not work the way this is set up.
fn advise(settings: &Settings) {
    if !settings.is_private && !settings.origins.is_secure() {
        tracing::warn!(
            "others can connect, but without HTTPS: browsers will not keep them signed in, nor allow microphones; put a proxy with \
             TLS in front and set server.public_url"
        );
    }
    let behind_a_proxy = !settings.is_private && settings.listen.iter().all(|address| address.ip().is_loopback());
    if behind_a_proxy && settings.trusted_proxies.is_empty() {
        tracing::warn!(
            "a proxy carries others here, but server.trusted_proxies is empty: limits that count per address count all of them as one"
        );
    }
}

/// Ends the process if stopping hangs, before an orchestrator would kill it.
fn watch_over_the_stop() {
    let patience = Duration::from_millis(DRAIN_MS_MAX.cast_unsigned()) + Duration::from_secs(1);
    std::thread::spawn(move || {
        std::thread::sleep(patience);
        eprintln!(
            "error: Stopping took longer than {} s.\nWhat was acknowledged is safe; start again.",
            patience.as_secs()
        );
        std::process::exit(Exit::Drain as i32);
    });
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|cause| Failure::new(Exit::Failed, format!("Can't listen for signals: {cause}."), "Start again."));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
