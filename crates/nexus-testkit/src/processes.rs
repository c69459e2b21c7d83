//! The real program beside this one: started, killed without warning, and started again over the same data and port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::rests::Rest;

/// How long it may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// What it says on stdout when it serves; the rest of the line is where.
const RUNNING: &str = "Your server is running at ";

/// A `nexus serve` with a data directory of its own. It is killed when dropped.
pub struct Process {
    /// Where it listens.
    pub address: SocketAddr,
    /// Further variables of its environment, for the next start.
    pub environment: Vec<(String, String)>,
    program: PathBuf,
    folder: TempDir,
    child: Option<Child>,
}

impl Process {
    /// Starts a program (`CARGO_BIN_EXE_nexus`) on a free port, without rate limits and with cheap passwords.
    pub async fn start(program: impl Into<PathBuf>, environment: &[(&str, &str)]) -> Self {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self {
            address,
            environment,
            program: program.into(),
            folder,
            child: None,
        };
        process.run().await;
        process
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What it logged, for a failing test.
    pub fn logged(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Starts it (again), and waits until it is ready.
    ///
    /// # Panics
    /// If it does not get ready.
    pub async fn run(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("the log is opened");
        let mut child = Command::new(&self.program)
            .arg("serve")
            .args([Path::new("--data"), &self.data()])
            .args(["--listen", &self.address.to_string(), "--no-rate-limits", "--log-format", "json"])
            .env("NEXUS__PASSWORDS__MEMORY_KIB", "8")
            .env("NEXUS__PASSWORDS__PASSES", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let running = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(url) = line.strip_prefix(RUNNING) {
                    return url.rsplit(':').next().and_then(|port| port.trim().parse().ok());
                }
            }
            None
        };
        let port = timeout(PATIENCE, running).await.ok().flatten();
        self.address
            .set_port(port.unwrap_or_else(|| panic!("it says where it runs; its log:\n{}", self.logged())));
        // What else it says is read and forgotten, so that it is never blocked by it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.child = Some(child);
        self.until_ready().await;
    }

    async fn until_ready(&self) {
        let rest = Rest::new(self.address);
        let deadline = Instant::now() + PATIENCE;
        while !rest.get("//readyz").await.is_ok_and(|answer| answer.status == 200) {
            assert!(Instant::now() < deadline, "it gets ready; its log:\n{}", self.logged());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGKILL: no goodbye, nothing flushed by the program.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("it is killed");
        }
    }

    /// SIGTERM, and waits until it ended. Says its exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("it runs");
        kill_process(pid, Signal::TERM).expect("it is told to stop");
        let ended = timeout(PATIENCE, child.wait())
            .await
            .expect("it stops in time")
            .expect("it is waited for");
        ended.code()
    }
}
