//! Every command in a document is run by a test.
//!
//! The convention, visible in the source of a page, is the word after `sh` where a block opens:
//!
//! - `sh run`: the block is run here, by `sh -eu`, and must succeed;
//! - `sh serve`: the block is started here, must answer on `/health`, and goes on until the page ends or serves anew;
//! - `sh stopped`: as `sh run`, after the server of the page was stopped;
//! - `sh` alone: only commands of `xtask`, which must exist, and what brings the reader to the place (`git clone`, `cd`).
//!
//! The blocks of one page run in order, in one empty directory, with `nexus` in the path and ports of the page's own in the place of
//! 8080 and 8000, where a server listens, and of 8001 to 8003, where its cosigners do.

use crate::root;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// Beginnings of the commands that a block without `run` or `serve` may hold, besides those of `xtask`.
const WAYS_TO_THE_CLONE: &[&str] = &["git clone ", "cd "];
const SHELLS: &[&str] = &["sh", "bash", "shell", "console", "zsh"];
const START_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// Puts the page's port where the documents mean 8080.
const WRAPPER: &str = r#"#!/bin/sh
command="${1:-}"
case "$command $*" in
  *--listen*|*--url*) ;;
  "serve "*) shift; exec "$NEXUS_BIN" serve --listen "127.0.0.1:$DOCS_PORT" "$@" ;;
  "health "*) shift; exec "$NEXUS_BIN" health --url "http://127.0.0.1:$DOCS_PORT" "$@" ;;
esac
exec "$NEXUS_BIN" "$@"
"#;

#[derive(Debug, PartialEq)]
enum Mode {
    Run,
    Stopped,
    Serve,
    Elsewhere,
}

#[derive(Debug)]
struct Block {
    line: usize,
    mode: Mode,
    body: String,
}

#[test]
fn every_command_of_the_documents_is_run_by_a_test() {
    let mut faults = String::new();
    for page in pages() {
        let content = fs::read_to_string(root().join(&page)).expect("a listed page can be read");
        for fault in read(&content)
            .err()
            .into_iter()
            .chain(read(&content).iter().flatten().filter_map(unknown))
        {
            writeln!(faults, "{page}: {fault}").expect("a string takes text");
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn the_commands_of_every_page_work() {
    let mut ran = 0;
    for page in pages() {
        let content = fs::read_to_string(root().join(&page)).expect("a listed page can be read");
        let blocks = read(&content).unwrap_or_else(|fault| panic!("{page}: {fault}"));
        let blocks: Vec<Block> = blocks.into_iter().filter(|block| block.mode != Mode::Elsewhere).collect();
        if !blocks.is_empty() {
            ran += blocks.len();
            Stage::new(&page).play(&page, &blocks);
        }
    }
    assert!(
        ran > 0,
        "no document holds a command that is run here; the convention must have changed"
    );
}

#[test]
fn planted_faults_are_found() {
    let blocks = read("```sh\ncargo xtask run\nrm -rf everything\n```\n").expect("the block is closed");
    assert_eq!(blocks.iter().filter_map(unknown).count(), 1);
    let blocks = read("```sh\ncargo xtask rnu\n```\n").expect("the block is closed");
    assert_eq!(blocks.iter().filter_map(unknown).count(), 1);
    assert!(read("```bash\nls\n```\n").is_err());
    assert!(read("```sh rnu\nls\n```\n").is_err());
    assert!(read("```sh run\nls\n").is_err());
    assert_eq!(read("```text\nls\n```\n```sh run\nls\n```\n").expect("both are closed").len(), 1);
}

/// Everything a reader may copy a command from.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"]
        .map(str::to_owned)
        .to_vec();
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder))
            .expect("docs can be listed")
            .map(|entry| entry.expect("docs can be listed"))
        {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(path);
            } else if entry.path().extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

fn read(content: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut lines = content.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let mut body = String::new();
        let closed = lines.by_ref().map(|(_, line)| line).any(|line| {
            let end = line.trim_start().starts_with("```");
            if !end {
                body.push_str(line);
                body.push('\n');
            }
            end
        });
        if !closed {
            return Err(format!("line {}: the block is never closed", index + 1));
        }
        let words: Vec<&str> = info.split_whitespace().collect();
        let mode = match words.as_slice() {
            ["sh"] => Mode::Elsewhere,
            ["sh", "run"] => Mode::Run,
            ["sh", "stopped"] => Mode::Stopped,
            ["sh", "serve"] => Mode::Serve,
            [shell, ..] if SHELLS.contains(shell) => {
                return Err(format!(
                    "line {}: write `sh`, `sh run`, `sh stopped` or `sh serve`, not `{info}`",
                    index + 1
                ));
            }
            _ => continue,
        };
        blocks.push(Block {
            line: index + 1,
            mode,
            body,
        });
    }
    Ok(blocks)
}

fn unknown(block: &Block) -> Option<String> {
    if block.mode != Mode::Elsewhere {
        return None;
    }
    let mut commands = block
        .body
        .lines()
        .flat_map(|line| line.split("&&"))
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let stranger = commands.find(|command| match command.strip_prefix("cargo xtask ") {
        Some(rest) => !is_xtask_command(rest.split_whitespace().next().unwrap_or_default()),
        None => !WAYS_TO_THE_CLONE.iter().any(|known| command.starts_with(known)),
    })?;
    Some(format!(
        "line {}: no test runs `{stranger}`; open the block with `sh run` or `sh serve`",
        block.line
    ))
}

fn is_xtask_command(name: &str) -> bool {
    let help = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("help")
        .output()
        .expect("xtask starts");
    String::from_utf8_lossy(&help.stdout)
        .lines()
        .any(|line| line.starts_with("  ") && line.split_whitespace().next() == Some(name))
}

/// An empty directory, free ports and, while a page says so, a server.
struct Stage {
    folder: PathBuf,
    port: u16,
    /// Those of the documents, and ours.
    ports: Vec<(u16, u16)>,
    server: Option<Child>,
}

impl Stage {
    fn new(page: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("docs-{}", page.replace(['/', '.'], "-")));
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("what an earlier run left can be removed");
        }
        fs::create_dir_all(folder.join("bin")).expect("the target directory is writable");
        fs::create_dir_all(folder.join("here")).expect("the target directory is writable");
        let wrapper = folder.join("bin/nexus");
        fs::write(&wrapper, WRAPPER).expect("the target directory is writable");
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("our own file can be made executable");
        // All are held until all are known, so that they differ.
        let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").expect("loopback has a free port"));
        let [port, first, second, third] = listeners.map(|listener| listener.local_addr().expect("it has an address").port());
        Self {
            folder,
            port,
            ports: vec![(8080, port), (8000, port), (8001, first), (8002, second), (8003, third)],
            server: None,
        }
    }

    fn play(&mut self, page: &str, blocks: &[Block]) {
        for block in blocks {
            match block.mode {
                Mode::Run | Mode::Stopped => {
                    if block.mode == Mode::Stopped {
                        self.stop();
                    }
                    let output = self.shell(block).output().expect("sh starts");
                    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                    assert!(
                        output.status.success(),
                        "{page}:{}: {}\n{}{out}{err}",
                        block.line,
                        output.status,
                        block.body
                    );
                }
                Mode::Serve => {
                    self.stop();
                    let log = File::create(self.folder.join("server.log")).expect("the target directory is writable");
                    let copy = log.try_clone().expect("a file handle can be copied");
                    self.server = Some(
                        self.shell(block)
                            .stdout(log)
                            .stderr(copy)
                            .process_group(0)
                            .spawn()
                            .expect("sh starts"),
                    );
                    assert!(
                        self.becomes_healthy(),
                        "{page}:{}: the server does not answer\n{}{}",
                        block.line,
                        block.body,
                        self.log()
                    );
                }
                Mode::Elsewhere => {}
            }
        }
        self.stop();
    }

    fn shell(&self, block: &Block) -> Command {
        let body = self.ports.iter().fold(block.body.clone(), |body, (theirs, ours)| {
            let ours = format!("127.0.0.1:{ours}");
            body.replace(&format!("localhost:{theirs}"), &ours)
                .replace(&format!("127.0.0.1:{theirs}"), &ours)
        });
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths([self.folder.join("bin")].into_iter().chain(std::env::split_paths(&path))).expect("PATH was one before");
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", &body]).current_dir(self.folder.join("here"));
        shell
            .env("PATH", path)
            .env("NEXUS_BIN", server_binary())
            .env("DOCS_PORT", self.port.to_string())
            .env_remove("PORT");
        shell
    }

    fn becomes_healthy(&mut self) -> bool {
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            let ended = self
                .server
                .as_mut()
                .is_none_or(|server| server.try_wait().is_ok_and(|status| status.is_some()));
            if ended {
                return false;
            }
            if health(self.port).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    /// Ends the group that `sh` and the server form: first politely, then for certain.
    fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let group = format!("-{}", server.id());
        signal("-TERM", &group);
        let deadline = Instant::now() + STOP_PATIENCE;
        while Instant::now() < deadline && health(self.port).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
        // What answers no more may still be writing what it has, which is as long as it holds its directory.
        while Instant::now() < deadline && lives(server.id()) {
            thread::sleep(Duration::from_millis(20));
        }
        signal("-KILL", &group);
        server.wait().expect("our own child can be waited for");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A group that is gone already is what we wanted, so the answer of `kill` does not matter.
fn signal(kind: &str, group: &str) {
    Command::new("kill").args([kind, "--", group]).output().expect("kill starts");
}

/// Is a process of the group left, other than as an entry that nobody has collected? Where there is no `/proc`, nobody knows.
fn lives(group: u32) -> bool {
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    let stats = entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.into_iter().any(|stat| {
        // After the name in brackets: the state, the parent, the group.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map_or(vec![], |(_, fields)| fields.split_whitespace().collect());
        matches!(fields[..], [state, _, its, ..] if state != "Z" && its.parse() == Ok(group))
    })
}

fn health(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The server: as `cargo xtask test` names it, else where cargo puts it beside `xtask`, built now if need be.
fn server_binary() -> PathBuf {
    if let Some(set) = std::env::var_os("NEXUS_BIN") {
        return PathBuf::from(set);
    }
    let beside = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("nexus");
    if !beside.is_file() {
        let target = beside.parent().and_then(Path::parent).expect("cargo builds into <target>/debug");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--package", "nexus-server"])
            .current_dir(root())
            .env("CARGO_TARGET_DIR", target)
            .status()
            .expect("cargo starts");
        assert!(status.success(), "the server does not build");
    }
    beside
}
