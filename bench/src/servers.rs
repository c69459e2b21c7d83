//! One server process: the program that people run, with its defaults but for rate limits and the cost of passwords.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cores::Place;
use crate::processes::{Usage, rss_kib};
use crate::{Bench, Outcome};

/// How long a server may take to stop.
const STOPPING: Duration = Duration::from_secs(20);

/// A running server. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Keeps the pipe open.
    _output: BufReader<ChildStdout>,
    log: PathBuf,
}

/// The command line of a server, with its log in a file beside its data.
pub(crate) fn command(bench: &Bench, data: &Path, listen: &str) -> Outcome<Command> {
    let mut command = Command::new(&bench.options.server);
    command
        .args(["serve", "--no-rate-limits", "--log-format", "json", "--listen", listen, "--data"])
        .arg(data);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(log_of(data))?);
    Ok(command)
}

fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}

impl Server {
    /// Starts a server over a data directory, and waits until it listens. Thousands of accounts are made for a bench, so its
    /// passwords cost next to nothing.
    pub(crate) fn start(bench: &Bench, data: &Path, place: Place) -> Outcome<Self> {
        Self::start_with(bench, data, place, &[])
    }

    /// The same with more flags.
    pub(crate) fn start_with(bench: &Bench, data: &Path, place: Place, flags: &[&str]) -> Outcome<Self> {
        Self::start_in(bench, data, place, flags, &[])
    }

    /// The same with more variables in its environment.
    pub(crate) fn start_in(bench: &Bench, data: &Path, place: Place, flags: &[&str], variables: &[(&str, &str)]) -> Outcome<Self> {
        let mut command = command(bench, data, "127.0.0.1:0")?;
        command
            .args(flags)
            .envs(variables.iter().copied())
            .env("NEXUS__PASSWORDS__MEMORY_KIB", "8")
            .env("NEXUS__PASSWORDS__PASSES", "1");
        // A process begins where the thread is that starts it.
        bench.cores.pin(place)?;
        let child = command.spawn();
        bench.cores.pin(Place::Generator)?;
        let mut child = child.map_err(|cause| format!("can't start {}: {cause}", bench.options.server.display()))?;
        let mut output = BufReader::new(child.stdout.take().ok_or("the server has no output")?);
        let Some(port) = port(&mut output)? else {
            child.kill()?;
            return Err(format!(
                "the server did not start: {}",
                std::fs::read_to_string(log_of(data)).unwrap_or_default()
            )
            .into());
        };
        Ok(Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            _output: output,
            log: log_of(data),
        })
    }

    pub(crate) fn usage(&self) -> Outcome<Usage> {
        Usage::of(self.child.id())
    }

    pub(crate) fn rss_kib(&self) -> Outcome<u64> {
        rss_kib(self.child.id())
    }

    /// Stops it as an operator does. What it complained of is shown.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        terminate(&mut self.child)?;
        let log = std::fs::read_to_string(&self.log)?;
        let complaints: Vec<_> = log
            .lines()
            .filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\""))
            .collect();
        if let Some(first) = complaints.first() {
            eprintln!("the server complained {} times, first: {first}", complaints.len());
        }
        Ok(())
    }
}

/// Where a server says that it listens; `None` if it ended before.
fn port(output: &mut impl BufRead) -> Outcome<Option<u16>> {
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        if let Some(url) = line.trim().strip_prefix("Your server is running at ") {
            return Ok(url.rsplit(':').next().and_then(|port| port.parse().ok()));
        }
        line.clear();
    }
    Ok(None)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have stopped already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Asks a server to stop and waits for it.
pub(crate) fn terminate(child: &mut Child) -> Outcome<()> {
    let pid = Pid::from_raw(child.id().cast_signed()).ok_or("a process has a number")?;
    kill_process(pid, Signal::TERM)?;
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > STOPPING {
            return Err("the server did not stop".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
