//! Cosigners as programs of their own, each with a directory and a port that it keeps.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nexus_crypto::keys::PublicKey;
use nexus_crypto::logs::KeyDocument;
use serde_json::Value;
use tempfile::TempDir;

use super::path;
use crate::server::nexus;
use crate::wire::Ask;

const READY: &str = "This cosigner is running at ";

/// A `nexus cosigner serve`. It is killed when dropped.
pub(super) struct Party {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) key: PublicKey,
    folder: TempDir,
    child: Option<Child>,
}

impl Party {
    /// One that has a key and a port, and does not run yet.
    pub(super) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut party = Self {
            name: name.to_owned(),
            port,
            key: super::secret(0).public(),
            folder,
            child: None,
        };
        party.key = party.read_key();
        party
    }

    /// Its key as its program prints it.
    pub(super) fn read_key(&self) -> PublicKey {
        let said = nexus(&["cosigner", "key", "--data", path(&self.data())], &[]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        PublicKey::parse(said.stdout.trim()).expect("a key")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its line in `transparency.cosigners`.
    pub(super) fn line(&self, operator: &str) -> String {
        let key = nexus_server::transparency::spelled(&self.key);
        format!("{} http://127.0.0.1:{} {key} {operator}", self.name, self.port)
    }

    /// Starts it (again) for a log.
    pub(super) fn run(&mut self, log: &KeyDocument) {
        let (listen, key) = (
            format!("127.0.0.1:{}", self.port),
            nexus_server::transparency::spelled(&log.log_key),
        );
        let mut child = Command::new(env!("CARGO_BIN_EXE_nexus"))
            .args([
                "cosigner",
                "serve",
                "--data",
                path(&self.data()),
                "--listen",
                &listen,
                "--log-key",
                &key,
            ])
            .args(["--log-id", &log.log_id.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let ready = lines.any(|line| line.is_ok_and(|line| line.starts_with(READY)));
        assert!(ready, "{} starts", self.name);
        self.child = Some(child);
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it is ours");
        }
    }

    pub(super) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.port, method, path)
    }

    /// What it says of itself.
    pub(super) fn state(&self) -> Value {
        self.ask("GET", "/").send().expect(200)
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The three, none of which runs.
pub(super) fn three() -> [Party; 3] {
    ["cosigner_0", "cosigner_1", "cosigner_2"].map(Party::new)
}

/// The configuration of their log.
pub(super) fn configuration(parties: &[Party]) -> String {
    let operators = ["Alice", "Bob", "Carol"];
    let lines: Vec<String> = parties
        .iter()
        .zip(operators)
        .map(|(party, operator)| format!("\"{}\"", party.line(operator)))
        .collect();
    format!("[transparency]\ncosigners = [{}]\n", lines.join(", "))
}
