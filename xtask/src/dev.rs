//! `cargo xtask dev`: the server and the web client, each reloaded when its source changes.
//!
//! The server is watched by looking at modification times twice a second: no dependency, and it works on every file system.
//! Ctrl-C in the terminal reaches this process and both children at once, which is how one key stops all three.

use crate::repo::Repo;
use crate::steps::execute;
use crate::{Outcome, flags, tools, wasm};
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const POLL: Duration = Duration::from_millis(500);
/// The server drains its connections when asked to stop; after this it is killed, which loses nothing either.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Serves with hot reload until one of the two ends or Ctrl-C is pressed.
pub(crate) fn start(repo: &Repo, arguments: &[String]) -> Outcome {
    flags(arguments, &[])?;
    tools::rust(repo)?;
    tools::node(repo)?;
    tools::npm_ci(repo)?;
    wasm::build(repo)?;
    println!("The API is served on http://localhost:8080; open the address that the web client prints below.");
    let mut server = start_server(repo);
    let mut web = repo
        .npm(&["run", "dev"])
        .spawn()
        .map_err(|cause| format!("npm did not start: {cause}"))?;
    let mut seen = newest_change(&repo.root.join("crates"));
    let outcome = loop {
        thread::sleep(POLL);
        if let Ok(Some(status)) = web.try_wait() {
            break Err(format!("the web client's development server ended with {status}"));
        }
        let now = newest_change(&repo.root.join("crates"));
        if now > seen {
            seen = now;
            // Built before the old one stops: a typing mistake leaves the last good server running.
            if build(repo) {
                stop(server.take());
                server = spawn_server(repo);
            }
        }
    };
    stop(server);
    outcome
}

fn start_server(repo: &Repo) -> Option<Child> {
    if build(repo) { spawn_server(repo) } else { None }
}

fn build(repo: &Repo) -> bool {
    let built = execute(repo.cargo(&["build", "--locked", "--package", "nexus-server"]));
    if let Err(why) = &built {
        eprintln!("{why}; waiting for the next change");
    }
    built.is_ok()
}

fn spawn_server(repo: &Repo) -> Option<Child> {
    let spawned = repo.command(repo.binary("debug", "nexus")).arg("serve").spawn();
    spawned.map_err(|cause| eprintln!("the server did not start: {cause}")).ok()
}

fn stop(server: Option<Child>) {
    let Some(mut server) = server else { return };
    // Std can only kill; asking politely lets clients see close code 1012 and resume.
    let asked = cfg!(unix)
        && Command::new("kill")
            .args(["-TERM", &server.id().to_string()])
            .status()
            .is_ok_and(|status| status.success());
    let deadline = Instant::now() + STOP_PATIENCE;
    while asked && Instant::now() < deadline {
        if matches!(server.try_wait(), Ok(Some(_))) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    if let Err(cause) = server.kill().and_then(|()| server.wait()) {
        eprintln!("the old server could not be stopped: {cause}");
    }
}

/// The newest modification time below a folder. A folder's own time counts too, so that a deleted file is a change.
fn newest_change(path: &Path) -> SystemTime {
    let own = fs::metadata(path)
        .and_then(|data| data.modified())
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| newest_change(&entry.path())).fold(own, SystemTime::max)
}
