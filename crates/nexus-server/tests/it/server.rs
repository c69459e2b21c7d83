//! A server of its own for each test: the real binary over a directory of its own on a free port.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wire::{Answer, Ask};

const READY: &str = "Your server is running at ";

/// What `nexus` said and how it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `nexus` to its end.
pub(crate) fn nexus<A: AsRef<OsStr>>(arguments: &[A], environment: &[(&str, &str)]) -> Ended {
    let output = command(environment).args(arguments).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    for name in [
        "PORT",
        "NEXUS_DATA",
        "RATE_LIMIT_RPS",
        "MAX_WS_PAYLOAD_BYTES",
        "COSIGNER_0_SK",
        "COSIGNER_1_SK",
        "COSIGNER_2_SK",
        "NEXUS_SECRET",
        "NEXUS_SECRET_FILE",
        "NEXUS_SECRET_PREVIOUS",
        "NEXUS_SECRET_PREVIOUS_FILE",
        "FACTORY_API_URL",
        "FACTORY_API_KEY",
        "NOTIFY_CHANNEL_ID",
    ] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    command
}

/// A running `nexus serve`. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// The lines on stdout up to the address.
    pub(crate) said: Vec<String>,
    folder: Option<TempDir>,
}

impl Server {
    /// A server without rate limits over a fresh directory.
    pub(crate) fn fresh() -> Self {
        Self::fresh_with(&["--no-rate-limits"])
    }

    /// A server with these flags over a fresh directory.
    pub(crate) fn fresh_with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Self::start(&folder.path().join("data"), flags);
        server.folder = Some(folder);
        server
    }

    /// A server over a fresh directory with this configuration.
    pub(crate) fn configured(config: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        DirBuilder::new().mode(0o700).create(&data).expect("made");
        std::fs::write(data.join("nexus.toml"), config).expect("written");
        let mut server = Self::start(&data, flags);
        server.folder = Some(folder);
        server
    }

    /// A server over this directory, which stays.
    pub(crate) fn start(data: &Path, flags: &[&str]) -> Self {
        Self::start_in(data, flags, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn start_in(data: &Path, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let child = command(environment)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut server = Self {
            child,
            port: 0,
            said: vec![],
            folder: None,
        };
        let mut lines = BufReader::new(server.child.stdout.take().expect("it is piped")).lines();
        while server.port == 0 {
            let Some(line) = lines.next() else {
                panic!("the server did not start: {}", server.wait().1)
            };
            let line = line.expect("it speaks UTF-8");
            server.port = line
                .strip_prefix(READY)
                .and_then(|url| url.rsplit_once(':')?.1.parse().ok())
                .unwrap_or(0);
            server.said.push(line);
        }
        server
    }

    /// The token of the setup link, if one was printed.
    pub(crate) fn setup_token(&self) -> Option<&str> {
        let link = self.said.iter().find(|line| line.contains("/setup#"))?;
        assert!(link.contains(&format!("http://localhost:{}/setup#", self.port)), "{link}");
        link.rsplit_once('#').map(|(_, token)| token)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.as_ref().expect("a fresh server has its folder").path().join("data")
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Waits for the end, and answers with how it ended and what it logged.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                let mut log = String::new();
                self.child
                    .stderr
                    .take()
                    .expect("it is piped")
                    .read_to_string(&mut log)
                    .expect("it speaks UTF-8");
                return (status, log);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server did not stop");
    }

    /// Asks it to stop, and checks that it did so in good order. Answers with its log.
    pub(crate) fn stop(&mut self) -> String {
        self.signal(Signal::TERM);
        let (status, log) = self.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }

    /// A request to this server.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.port, method, path)
    }

    /// A new account.
    pub(crate) fn register(&self, name: &str) -> Person {
        let answer = self
            .ask("POST", "/api/v1/auth/register")
            .json(&json!({ "username": name, "password": "correct horse" }))
            .send();
        let body = answer.expect(201);
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        Person {
            port: self.port,
            id: text(&body["user"]["id"]),
            token: text(&body["access_token"]),
            refresh: text(&body["refresh_token"]),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Somebody who is signed in.
pub(crate) struct Person {
    pub(crate) port: u16,
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) refresh: String,
}

impl Person {
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.port, method, path).header("authorization", &format!("Bearer {}", self.token))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path).json(body).send()
    }

    /// A new guild: its id and that of its first channel.
    pub(crate) fn guild(&self, name: &str) -> (String, String) {
        let guild = self.post("/api/v1/guilds", &json!({ "name": name })).expect(201);
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        (text(&guild["id"]), text(&guild["channels"][0]["id"]))
    }

    /// Every message of a channel, newest first.
    pub(crate) fn history(&self, channel: &str) -> Vec<String> {
        let page = self
            .ask("GET", &format!("/api/v1/channels/{channel}/messages?limit=100"))
            .send()
            .expect(200);
        page.as_array()
            .expect("a list")
            .iter()
            .map(|message| message["content"].as_str().expect("a text").to_owned())
            .collect()
    }
}
