//! What the runbook says about a log that was restored from an old copy.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use nexus_server::transparency::keys::FOLDER;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::registrations::{TIME_S, draft};
use crate::server::{Server, nexus};

/// Copies a folder without that of the cosigners.
fn copy_files(from: &Path, to: &Path) {
    DirBuilder::new().recursive(true).mode(0o700).create(to).expect("made");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is there");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_file() {
            fs::copy(entry.path(), target).expect("copied");
        } else if entry.file_name() != FOLDER {
            copy_files(&entry.path(), &target);
        }
    }
}

/// A log of two leaves, a copy of its data from before the second, and an export of both.
struct Stage {
    store: &'static str,
    folder: TempDir,
}

impl Stage {
    fn new(store: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let stage = Self { store, folder };
        let mut server = stage.start();
        assert_eq!(server.register_key("first", 1), 201);
        server.stop();
        copy_files(&stage.data(), &stage.folder.path().join("copy"));
        let mut server = stage.start();
        assert_eq!(server.register_key("second", 2), 201);
        run(
            &[
                "log",
                "verify",
                &format!("http://127.0.0.1:{}", server.port),
                "--state",
                &stage.path("seen.json"),
            ],
            0,
        );
        server.stop();
        run(
            &[
                "log",
                "export",
                &stage.path("export"),
                "--data",
                &stage.path("data"),
                "--store",
                store,
            ],
            0,
        );
        stage
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("it is text").to_owned()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn start(&self) -> Server {
        Server::start(
            &self.data(),
            &["--roles", "transparency", "--no-rate-limits", "--store", self.store],
        )
    }

    /// Puts the copy in the place of everything but the cosigners, who are never restored.
    fn restore_the_old_copy(&self) {
        for entry in fs::read_dir(self.data()).expect("it is there") {
            let path = entry.expect("it is there").path();
            if path.is_file() {
                fs::remove_file(path).expect("removed");
            } else if path.file_name().is_some_and(|name| name != FOLDER) {
                fs::remove_dir_all(path).expect("removed");
            }
        }
        copy_files(&self.folder.path().join("copy"), &self.data());
    }

    fn export_of_another_log(&self) -> String {
        let (data, export) = (self.path("other"), self.path("other-export"));
        let mut server = Server::start(Path::new(&data), &["--roles", "transparency", "--no-rate-limits"]);
        for (id, seed) in [("first", 1), ("second", 2)] {
            assert_eq!(server.register_key(id, seed), 201);
        }
        server.stop();
        run(&["log", "export", &export, "--data", &data], 0);
        export
    }
}

/// A server whose log is older than what its cosigners have signed, and the folder of its data.
pub(crate) fn restored_from_an_old_copy() -> (Server, TempDir) {
    let stage = Stage::new("sql");
    stage.restore_the_old_copy();
    (stage.start(), stage.folder)
}

#[test]
fn cosigners_refuse_a_log_that_went_back_and_say_so() {
    let (server, _folder) = restored_from_an_old_copy();
    assert_eq!(
        server.ask("GET", "/health").send().expect(200)["sth_count"],
        1,
        "what is published is still served"
    );
    let answer = server.ask("POST", "/did/register").json(&draft("third", 3, TIME_S)).send();
    assert_eq!(answer.status(), 503, "{answer:?}");
    let cosigners = server.ask("GET", "/sth/cosigners").send().expect(200);
    for cosigner in cosigners.as_array().expect("a list") {
        assert_eq!(cosigner["state"], json!("refused"), "{cosigner}");
        assert!(cosigner["error"].is_string(), "{cosigner}");
    }
}

/// Runs `nexus` to its end, and demands how it ends.
#[track_caller]
fn run(arguments: &[&str], code: i32) -> String {
    let ended = nexus(arguments, &[]);
    assert_eq!(
        ended.code,
        Some(code),
        "nexus {}: {}{}",
        arguments.join(" "),
        ended.stdout,
        ended.stderr
    );
    ended.stdout + &ended.stderr
}

#[test]
fn the_newer_leaves_of_an_export_bring_a_restored_log_back() {
    for store in ["sql", "jsonl"] {
        let stage = Stage::new(store);
        let (data, export) = (stage.path("data"), stage.path("export"));
        let state = stage.path("seen.json");
        stage.restore_the_old_copy();
        let mut server = stage.start();
        assert_eq!(server.register_key("late", 7), 503);
        let url = format!("http://127.0.0.1:{}", server.port);
        assert!(run(&["log", "verify", &url, "--state", &state], 1).contains("rollback"));
        server.stop();
        let refused = run(&["cosigner", "evidence", "--data", &data, "--cosigner", "cosigner_0"], 0);
        let refused: Value = serde_json::from_str(refused.lines().next().expect("a line")).expect("JSON");
        let asked: Value = serde_json::from_str(refused["proposal"].as_str().expect("a question")).expect("JSON");
        assert!(asked["heads"].is_array() && refused["reason"].is_string(), "{refused}");

        // What it proposed meanwhile can never be signed, so the copy goes back once more.
        let import = ["log", "import", &export, "--data", &data, "--store", store];
        assert!(run(&import, 2).contains("not published"));
        stage.restore_the_old_copy();
        let stranger = stage.export_of_another_log();
        assert!(run(&["log", "import", &stranger, "--data", &data, "--store", store], 2).contains("not the beginning"));
        assert!(run(&import, 0).contains("1 leaves and 1 heads"), "only what was missing");
        run(&import, 2);
        let server = stage.start();
        assert_eq!(server.register_key("late", 7), 201);
        let url = format!("http://127.0.0.1:{}", server.port);
        run(&["log", "verify", &url, "--state", &state], 0);
    }
}

#[test]
fn a_lost_key_is_replaced_and_who_saw_it_is_alarmed() {
    let stage = Stage::new("sql");
    let (data, state) = (stage.path("data"), stage.path("seen.json"));
    let rotate = ["cosigner", "rotate", "--data", &data, "--cosigner", "cosigner_1"];
    let lost = [&rotate[..], &["--lost"]].concat();
    assert!(run(&lost, 2).contains("is not lost"));
    fs::remove_file(format!("{data}/cosigners/cosigner_1.key")).expect("lost");
    assert!(
        nexus(
            &["serve", "--roles", "transparency", "--data", &data, "--listen", "127.0.0.1:0"],
            &[]
        )
        .stderr
        .contains("missing")
    );
    run(&rotate, 4);
    let elsewhere = run(&["cosigner", "key", "--data", &stage.path("elsewhere")], 0);
    assert!(run(&[&rotate[..], &["--public-key", elsewhere.trim()]].concat(), 2).contains("--lost"));
    run(&lost, 0);
    let server = stage.start();
    assert_eq!(server.register_key("after", 7), 201);
    let cosigners = server.ask("GET", "/sth/cosigners").send().expect(200);
    assert_eq!(cosigners[1]["state"], "healthy", "the new key signs: {cosigners}");
    let url = format!("http://127.0.0.1:{}", server.port);
    assert!(run(&["log", "verify", &url, "--state", &state], 1).contains("key_changed"));
    run(&["log", "verify", &url], 0);
}
