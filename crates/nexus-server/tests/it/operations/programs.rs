//! A cosigner that is a program of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::wire::Ask;

const READY: &str = "This cosigner is running at http://";

/// A running `nexus cosigner serve`. It is killed when dropped.
pub(crate) struct Cosigner {
    child: Child,
    pub(crate) port: u16,
    pub(crate) public_key: String,
}

impl Cosigner {
    /// A cosigner over this directory, which stays.
    pub(crate) fn start(data: &Path, port: u16, log_id: &str, log_key: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nexus"))
            .args([
                "cosigner",
                "serve",
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--log-id",
                log_id,
                "--log-key",
                log_key,
                "--data",
            ])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut next = || said.next().expect("it starts").expect("it speaks UTF-8");
        let public_key = next().strip_prefix("Public key: ").expect("it says its key").to_owned();
        let place = next();
        let port = place
            .strip_prefix(READY)
            .and_then(|address| address.rsplit_once(':')?.1.parse().ok());
        Self {
            child,
            port: port.unwrap_or_else(|| panic!("it says where it runs: {place}")),
            public_key,
        }
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.port, method, path)
    }
}

impl Drop for Cosigner {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
