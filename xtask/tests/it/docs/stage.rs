//! Where the blocks of one page are run: an empty directory, free ports and, while the page says so, a server and other programs.

use super::answers;
use super::blocks::{Block, Language, Mode};
use crate::root;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

const START_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(15);
/// Where programs of the documents listen.
const RECEIVERS: [u16; 3] = [9000, 9001, 9002];

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

/// See the module.
pub(super) struct Stage {
    folder: PathBuf,
    port: u16,
    /// Those of the documents, and ours.
    ports: Vec<(u16, u16)>,
    server: Option<Child>,
    receivers: Vec<Child>,
    /// What the last block printed.
    printed: String,
}

impl Stage {
    pub(super) fn new(page: &str) -> Self {
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
        let listeners = [(); 7].map(|()| TcpListener::bind("127.0.0.1:0").expect("loopback has a free port"));
        let [port, first, second, third, hook, other_hook, ledger] =
            listeners.map(|listener| listener.local_addr().expect("it has an address").port());
        Self {
            folder,
            port,
            ports: vec![
                (8080, port),
                (8000, port),
                (3000, port),
                (8001, first),
                (8002, second),
                (8003, third),
                (RECEIVERS[0], hook),
                (RECEIVERS[1], other_hook),
                (RECEIVERS[2], ledger),
            ],
            server: None,
            receivers: vec![],
            printed: String::new(),
        }
    }

    pub(super) fn play(&mut self, page: &str, blocks: &[Block]) {
        for block in blocks {
            let at = format!("{page}:{}", block.line);
            match &block.mode {
                Mode::Run => self.run(&at, self.shell(block), block),
                Mode::Stopped => {
                    self.stop();
                    self.run(&at, self.shell(block), block);
                }
                Mode::Program(language) => self.run(&at, self.program(*language, block), block),
                Mode::Serve => self.serve(&at, block),
                Mode::Receiver(language) => self.receive(&at, *language, block),
                Mode::Answer => {
                    let fault = answers::fault(&self.own(&block.body), &self.printed);
                    assert!(fault.is_none(), "{at}: {}\n{}", fault.unwrap_or_default(), self.printed);
                }
                Mode::File(name) => self.write(name, &block.body),
                Mode::Elsewhere => {}
            }
        }
        self.stop();
    }

    fn run(&mut self, at: &str, mut command: Command, block: &Block) {
        let Output { status, stdout, stderr } = command.output().unwrap_or_else(|cause| panic!("{at}: it does not start: {cause}"));
        let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{at}: {status}\n{}{out}{err}{}", block.body, self.log());
        self.printed = out.into_owned();
    }

    fn serve(&mut self, at: &str, block: &Block) {
        self.stop();
        let server = self.start("server.log", self.shell(block));
        self.server = Some(server);
        let answers = self.becomes_healthy();
        assert!(answers, "{at}: the server does not answer\n{}{}", block.body, self.log());
    }

    fn receive(&mut self, at: &str, language: Language, block: &Block) {
        let [theirs] = RECEIVERS
            .iter()
            .filter(|port| block.body.contains(&port.to_string()))
            .collect::<Vec<_>>()[..]
        else {
            panic!("{at}: it listens on none of the ports {RECEIVERS:?}");
        };
        let ours = self.ours(*theirs);
        let log = format!("receiver-{theirs}.log");
        let mut receiver = self.start(&log, self.program(language, block));
        let deadline = Instant::now() + START_PATIENCE;
        while TcpStream::connect(("127.0.0.1", ours)).is_err() {
            let lives = receiver.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline;
            let said = || fs::read_to_string(self.folder.join(&log)).unwrap_or_default();
            assert!(lives, "{at}: nothing listens on port {theirs}\n{}{}", block.body, said());
            thread::sleep(Duration::from_millis(20));
        }
        self.receivers.push(receiver);
    }

    /// Starts something that goes on, in a group of its own.
    fn start(&self, log: &str, mut command: Command) -> Child {
        let log = File::create(self.folder.join(log)).expect("the target directory is writable");
        let copy = log.try_clone().expect("a file handle can be copied");
        command.stdout(log).stderr(copy).process_group(0).spawn().expect("it starts")
    }

    fn ours(&self, theirs: u16) -> u16 {
        let found = self.ports.iter().find(|(known, _)| *known == theirs);
        found.map(|(_, ours)| *ours).expect("the documents use no other port")
    }

    /// The text with ports of this page's own.
    fn own(&self, body: &str) -> String {
        let body = self.ports.iter().fold(body.to_owned(), |body, (theirs, ours)| {
            let ours = format!("127.0.0.1:{ours}");
            body.replace(&format!("localhost:{theirs}"), &ours)
                .replace(&format!("127.0.0.1:{theirs}"), &ours)
        });
        // A program names where it listens by the number alone.
        RECEIVERS.iter().fold(body, |body, theirs| {
            body.replace(&theirs.to_string(), &self.ours(*theirs).to_string())
        })
    }

    fn write(&self, name: &str, body: &str) {
        let file = self.folder.join("here").join(name);
        fs::create_dir_all(file.parent().expect("it is below the page's folder")).expect("the target directory is writable");
        fs::write(&file, self.own(body)).unwrap_or_else(|cause| panic!("{name}: {cause}"));
    }

    fn shell(&self, block: &Block) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths([self.folder.join("bin")].into_iter().chain(std::env::split_paths(&path))).expect("PATH was one before");
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", &self.own(&block.body)]);
        shell
            .env("PATH", path)
            .env("NEXUS_BIN", server_binary())
            .env("DOCS_PORT", self.port.to_string())
            .env_remove("PORT");
        self.here(shell)
    }

    /// A program of the page, with the packages of this repository.
    fn program(&self, language: Language, block: &Block) -> Command {
        let (name, program) = match language {
            Language::Js => (format!("block-{}.mjs", block.line), PathBuf::from("node")),
            Language::Python => (format!("block_{}.py", block.line), python().to_owned()),
        };
        self.write(&name, &block.body);
        let mut command = Command::new(program);
        match language {
            Language::Js => {
                let packages = self.folder.join("node_modules");
                if !packages.exists() {
                    symlink(root().join("node_modules"), &packages).expect("the target directory is writable");
                }
                // Our own packages from their source, so that nothing has to be built for it.
                let strip = root().join("scripts/strip-types.mjs");
                command.arg("--import").arg(strip).arg("--conditions=nexus-source");
            }
            Language::Python => {
                command
                    .env("PYTHONPATH", root().join("sdk/python/src"))
                    .env("PYTHONDONTWRITEBYTECODE", "1");
            }
        }
        command.arg(name);
        self.here(command)
    }

    /// In the page's folder, with what it wrote into `.env`.
    fn here(&self, mut command: Command) -> Command {
        let here = self.folder.join("here");
        let variables = fs::read_to_string(here.join(".env")).unwrap_or_default();
        command.envs(variables.lines().filter_map(|line| line.split_once('=')));
        command.current_dir(here);
        command
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
        for mut receiver in self.receivers.drain(..) {
            signal("-KILL", &format!("-{}", receiver.id()));
            receiver.wait().expect("our own child can be waited for");
        }
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

/// The Python that has the packages: as `cargo xtask test` names it, else made now if need be.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        if let Some(set) = std::env::var_os("NEXUS_PYTHON") {
            return PathBuf::from(set);
        }
        let made = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("python")
            .output()
            .expect("xtask starts");
        let said = String::from_utf8_lossy(&made.stdout);
        let last = said.lines().last().filter(|_| made.status.success());
        PathBuf::from(last.unwrap_or_else(|| panic!("there is no Python: {}", String::from_utf8_lossy(&made.stderr))))
    })
}
