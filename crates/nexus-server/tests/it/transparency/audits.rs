//! `nexus log verify`, `export`, `import`, `compact` and `watch`, and that each lie is called by its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nexus_crypto::tree_heads::TreeHead;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{STORES, body, document, get, now_s, path, register, rotated, secret};
use crate::server::{Ended, Server, nexus};

/// A log with leaves, a rotation and a duplicate, in a stopped data directory; and what was exported of it.
struct Exported {
    folder: TempDir,
    log: String,
}

impl Exported {
    fn new(store: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let flags = ["--roles", "transparency", "--no-rate-limits", "--store", store];
        let mut server = Server::start(&data, &flags);
        let log = document(&server).log_id;
        let now = now_s();
        for number in 0..8 {
            register(&server, &body(&format!("u{number}"), &secret(number), now - 9)).expect(201);
        }
        let changed = rotated(&log, &body("u3", &secret(3), now - 9), &secret(3), &secret(33), now);
        register(&server, &changed).expect(201);
        register(&server, &body("u4", &secret(4), now)).expect(200);
        server.stop();
        let exported = Self {
            folder,
            log: log.to_string(),
        };
        let ended = nexus(
            &[
                "log",
                "export",
                path(&exported.files()),
                "--data",
                path(&exported.data()),
                "--store",
                store,
            ],
            &[],
        );
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains("9 leaves and 9 heads"), "{}", ended.stdout);
        exported
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.files().join(name)).expect("it is there");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

fn write(folder: &Path, name: &str, lines: &[Value]) {
    let text = lines.iter().fold(String::new(), |text, line| text + &line.to_string() + "\n");
    fs::write(folder.join(name), text).expect("written");
}

fn verify(place: &str, flags: &[&str]) -> Ended {
    let all: Vec<&str> = ["log", "verify", place].into_iter().chain(flags.iter().copied()).collect();
    nexus(&all, &[])
}

#[test]
fn an_export_verifies_imports_and_goes_on() {
    for store in STORES {
        let exported = Exported::new(store);
        let files = exported.files();
        let good = verify(path(&files), &[]);
        assert_eq!(good.code, Some(0), "{} {}", good.stdout, good.stderr);
        for words in [
            "honest: 9 leaves",
            "ids: 8",
            "single-operator log: this server",
            "at first use",
            exported.log.as_str(),
        ] {
            assert!(good.stdout.contains(words), "{words} in {}", good.stdout);
        }
        let taken = nexus(
            &["log", "export", path(&files), "--data", path(&exported.data()), "--store", store],
            &[],
        );
        assert_eq!(taken.code, Some(2), "{}", taken.stderr);

        let other = if store == "sql" { "jsonl" } else { "sql" };
        let data = exported.folder.path().join("moved");
        let import = ["log", "import", path(&files), "--data", path(&data), "--store", other];
        let imported = nexus(&import, &[]);
        assert_eq!(imported.code, Some(0), "{}", imported.stderr);
        assert!(
            imported.stdout.contains("9 leaves and 9 heads") && imported.stdout.contains("COSIGNER_0_SK"),
            "{}",
            imported.stdout
        );
        assert_eq!(nexus(&import, &[]).code, Some(2), "never into a log");

        // With the cosigners' keys the log goes on where it was, without them it does not.
        let serve = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--roles",
            "transparency",
            "--store",
            other,
            "--data",
            path(&data),
        ];
        let stranger = nexus(&serve, &[]);
        assert!(
            stranger.code == Some(4) && stranger.stderr.contains("the key log lists a key of cosigner_0"),
            "{}",
            stranger.stderr
        );
        for name in [
            "cosigners/cosigner_0.key",
            "cosigners/cosigner_1.key",
            "cosigners/cosigner_2.key",
            "log.key",
        ] {
            fs::copy(exported.data().join(name), data.join(name)).expect("a key");
        }
        let mut server = Server::start(&data, &["--roles", "transparency", "--store", other]);
        assert_eq!(document(&server).log_id.to_string(), exported.log);
        let next = register(&server, &body("u9", &secret(9), now_s())).expect(201);
        assert_eq!(next["leaf_index"], 9);
        server.stop();
        let again = exported.folder.path().join("again");
        assert_eq!(
            nexus(&["log", "export", path(&again), "--data", path(&data), "--store", other], &[]).code,
            Some(0)
        );
        let old = fs::read(files.join("sth.jsonl")).expect("heads");
        assert!(
            fs::read(again.join("sth.jsonl")).expect("heads").starts_with(&old),
            "the same chain, longer"
        );
        assert_eq!(
            verify(path(&again), &["--keys", path(&files.join("key-transparency.json"))]).code,
            Some(0)
        );
    }
}

#[test]
fn each_lie_is_called_by_its_name_and_entry() {
    let exported = Exported::new("sql");
    let files = exported.files();
    let (leaves, heads) = (exported.lines("users.jsonl"), exported.lines("sth.jsonl"));
    let never = exported.folder.path().join("never");
    let import = ["log", "import", path(&files), "--data", path(&never)];
    type Change = fn(&mut Vec<Value>, &mut Vec<Value>);
    let cases: &[(&str, &str, Change)] = &[
        ("root_mismatch", "head of 3 leaves", |leaves, _| leaves[2]["timestamp"] = json!(1)),
        ("root_mismatch", "head of 6 leaves", |_, heads| {
            heads[5]["root"] = heads[4]["root"].clone();
        }),
        ("root_mismatch", "head of 3 leaves", |leaves, _| drop(leaves.remove(2))),
        ("missing_leaf", "leaf 8", |leaves, _| drop(leaves.pop())),
        ("stale_head", "head of 8 leaves", |_, heads| drop(heads.pop())),
        ("broken_link", "head of 4 leaves", |_, heads| drop(heads.remove(2))),
        ("broken_link", "head of 6 leaves", |_, heads| {
            heads[5]["prev_hash"] = heads[4]["prev_hash"].clone();
        }),
        ("broken_link", "head of 1 leaves", |_, heads| {
            heads[0]["prev_hash"] = heads[4]["prev_hash"].clone();
        }),
        ("bad_policy", "head of 2 leaves", |_, heads| heads[1]["policy"]["t"] = json!(1)),
        ("too_few_signatures", "head of 5 leaves", |_, heads| {
            heads[4]["signatures"].as_array_mut().expect("a list").truncate(1);
        }),
        ("same_cosigner", "head of 5 leaves", |_, heads| {
            heads[4]["signatures"][1] = heads[4]["signatures"][0].clone();
        }),
        ("unknown_cosigner", "head of 5 leaves", |_, heads| {
            heads[4]["signatures"][1]["cosigner"] = json!("cosigner_9");
        }),
        ("bad_signature", "head of 7 leaves", |_, heads| {
            heads[6]["signatures"][0]["sig"] = heads[5]["signatures"][0]["sig"].clone();
        }),
        ("bad_signature", "head of 2 leaves", |_, heads| {
            // The earlier entry is named, though the later one is found first.
            heads[1]["signatures"][0]["sig"] = heads[5]["signatures"][0]["sig"].clone();
            heads[6]["root"] = heads[4]["root"].clone();
        }),
        ("two_roots", "head of 4 leaves", |_, heads| {
            let mut twin = heads[3].clone();
            twin["root"] = heads[0]["root"].clone();
            heads.insert(4, twin);
        }),
        ("shrunk", "head of 2 leaves", |_, heads| {
            let old = heads[1].clone();
            heads.insert(5, old);
        }),
        ("rotation_missing", "leaf 8", |leaves, _| {
            leaves[8].as_object_mut().expect("an object").remove("rotation");
        }),
        ("rotation_invalid", "leaf 8", |leaves, _| {
            leaves[8]["rotation"]["new"] = leaves[8]["rotation"]["old"].clone();
        }),
        ("rotation_not_later", "leaf 8", |leaves, _| {
            leaves[8]["timestamp"] = leaves[3]["timestamp"].clone();
        }),
        ("duplicate_leaf", "leaf 8", |leaves, _| leaves[8] = leaves[3].clone()),
        ("unreadable", "users.jsonl, line 3", |leaves, _| {
            leaves[2]["public_key"] = json!("AAAA");
        }),
        ("unreadable", "sth.jsonl, line 4", |_, heads| heads[3]["root"] = json!("short")),
    ];
    for (word, entry, change) in cases {
        let (mut leaves, mut heads) = (leaves.clone(), heads.clone());
        change(&mut leaves, &mut heads);
        write(&files, "users.jsonl", &leaves);
        write(&files, "sth.jsonl", &heads);
        let ended = verify(path(&files), &[]);
        assert_eq!(ended.code, Some(1), "{word}: {} {}", ended.stdout, ended.stderr);
        assert!(ended.stdout.starts_with(&format!("fault: {word}")), "{word}: {}", ended.stdout);
        assert!(ended.stdout.contains(entry), "{word} {entry}: {}", ended.stdout);
        assert_eq!(nexus(&import, &[]).code, Some(1), "{word}: what is not honest is not imported");
    }
    write(&files, "users.jsonl", &leaves);
    write(&files, "sth.jsonl", &heads);
    assert_eq!(verify(path(&files), &[]).code, Some(0));
    assert_eq!(nexus(&import, &[]).code, Some(0), "and left nothing behind");
}

#[test]
fn half_an_import_is_never_served_and_can_be_finished() {
    let exported = Exported::new("sql");
    let data = exported.folder.path().join("half");
    let (leaves, heads) = (exported.lines("users.jsonl"), exported.lines("sth.jsonl"));
    let files = exported.files();
    let import = ["log", "import", path(&files), "--data", path(&data)];
    // As a crash in the middle leaves it: the beginning, and the mark.
    write(&files, "users.jsonl", &leaves[..4]);
    write(&files, "sth.jsonl", &heads[..4]);
    assert_eq!(nexus(&import, &[]).code, Some(0));
    fs::write(data.join("import.unfinished"), "").expect("marked");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--roles", "transparency", "--data", path(&data)];
    let refused = nexus(&serve, &[]);
    assert!(refused.code == Some(4) && refused.stderr.contains("cut off"), "{}", refused.stderr);
    write(&files, "users.jsonl", &leaves);
    write(&files, "sth.jsonl", &heads);
    let finished = nexus(&import, &[]);
    assert!(
        finished.stdout.contains("5 leaves and 5 heads"),
        "{} {}",
        finished.stdout,
        finished.stderr
    );
    assert!(!data.join("import.unfinished").exists());
    let again = exported.folder.path().join("again");
    assert_eq!(nexus(&["log", "export", path(&again), "--data", path(&data)], &[]).code, Some(0));
    for (name, lines) in [("users.jsonl", leaves), ("sth.jsonl", heads)] {
        let text = fs::read_to_string(again.join(name)).expect("it is there");
        let found = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        assert!(found.eq(lines), "{name}");
    }
}

#[test]
fn who_remembers_sees_a_log_go_back_or_show_another_history() {
    let exported = Exported::new("jsonl");
    let files = exported.files();
    let state = exported.folder.path().join("state.json");
    let (leaves, heads) = (exported.lines("users.jsonl"), exported.lines("sth.jsonl"));
    let with_state = || verify(path(&files), &["--state", path(&state)]);
    write(&files, "users.jsonl", &leaves[..5]);
    write(&files, "sth.jsonl", &heads[..5]);
    assert!(with_state().stdout.contains("honest: 5 leaves"));
    write(&files, "users.jsonl", &leaves);
    write(&files, "sth.jsonl", &heads);
    let ended = with_state();
    assert!(
        ended.stdout.contains("honest: 9 leaves; it goes on from the 5"),
        "{} {}",
        ended.stdout,
        ended.stderr
    );
    assert!(!ended.stdout.contains("at first use"));
    let seen = fs::read(&state).expect("it was saved");

    write(&files, "users.jsonl", &leaves[..7]);
    write(&files, "sth.jsonl", &heads[..7]);
    assert!(with_state().stdout.starts_with("fault: rollback at the head of 7 leaves"));
    assert_eq!(
        fs::read(&state).expect("it is there"),
        seen,
        "a fault is not remembered as the truth"
    );

    // Another log of the same keys and length.
    let other = Exported::new("jsonl");
    let ended = verify(path(&other.files()), &["--state", path(&state)]);
    assert!(ended.stdout.starts_with("fault: wrong_log"), "{}", ended.stdout);
    let mut split = heads.clone();
    split[8]["timestamp"] = json!(now_s() + 1_000);
    write(&files, "users.jsonl", &leaves);
    write(&files, "sth.jsonl", &split);
    assert!(with_state().stdout.starts_with("fault: split_view at the head of 9 leaves"));

    // A key in the place of another.
    write(&files, "sth.jsonl", &heads);
    let text = fs::read_to_string(files.join("key-transparency.json")).expect("the keys");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    document["cosigners"][0]["public_key"] = json!(secret(99).public());
    fs::write(files.join("key-transparency.json"), document.to_string()).expect("written");
    assert!(with_state().stdout.starts_with("fault: key_changed"));
    let pinned = exported.folder.path().join("pinned.json");
    fs::write(&pinned, text).expect("written");
    assert!(
        verify(path(&files), &["--keys", path(&pinned)])
            .stdout
            .starts_with("fault: key_changed")
    );
    fs::write(&state, "{}").expect("damaged");
    assert_eq!(with_state().code, Some(4));
}

/// A state file shortens the work, not the judgement.
#[test]
fn who_goes_on_from_a_state_judges_as_who_begins() {
    let exported = Exported::new("jsonl");
    let (files, part) = (exported.files(), exported.folder.path().join("part"));
    let (users, heads) = (exported.lines("users.jsonl"), exported.lines("sth.jsonl"));
    fs::create_dir(&part).expect("a folder");
    fs::copy(files.join("key-transparency.json"), part.join("key-transparency.json")).expect("the keys");
    let state = exported.folder.path().join("state.json");
    let go_on = |flags: &[&str]| verify(path(&part), &[&["--state", path(&state)], flags].concat());

    write(&part, "users.jsonl", &users[..5]);
    write(&part, "sth.jsonl", &heads[..5]);
    assert_eq!(go_on(&[]).code, Some(0));
    // The leaf before which the state ends has the id's first key; a rotation is no part of a leaf's hash.
    let mut without = users.clone();
    without[8].as_object_mut().expect("an object").remove("rotation");
    write(&part, "users.jsonl", &without);
    write(&part, "sth.jsonl", &heads);
    let ended = go_on(&[]);
    assert!(
        ended.code == Some(1) && ended.stdout.contains("rotation_missing at leaf 8"),
        "{} {}",
        ended.stdout,
        ended.stderr
    );
    write(&part, "users.jsonl", &users);
    assert_eq!(go_on(&[]).code, Some(0));

    // What was only looked at in part is not passed on as verified.
    fs::remove_file(&state).expect("it is there");
    let mut forged = heads.clone();
    forged[1]["signatures"][0]["sig"] = heads[2]["signatures"][0]["sig"].clone();
    write(&part, "sth.jsonl", &forged);
    assert_eq!(go_on(&["--signatures", "newest:3"]).code, Some(0));
    let ended = go_on(&[]);
    assert!(
        ended.code == Some(1) && ended.stdout.contains("bad_signature at the head of 2 leaves"),
        "{} {}",
        ended.stdout,
        ended.stderr
    );
}

/// Keys that are listed beside the pinned ones, or that speak for themselves, count for nothing.
#[test]
fn pinned_keys_can_not_be_joined_by_others() {
    let exported = Exported::new("jsonl");
    let files = exported.files();
    let pinned = exported.folder.path().join("pinned.json");
    fs::copy(files.join("key-transparency.json"), &pinned).expect("the keys");
    let text = fs::read_to_string(&pinned).expect("the keys");
    let evil = |name: &str, from: i64, until: Option<i64>| {
        let key = nexus_server::transparency::spelled(&secret(77).public());
        json!({"cosigner": name, "public_key": key, "from": from, "until": until, "endorsement": null, "operator": "Mallory", "url": null})
    };
    for (joined, word) in [
        (evil("cosigner_0", 0, None), "key_changed"),
        (evil("cosigner_0", 5, Some(5)), "key_changed"),
        (evil("cosigner_3", 0, None), "bad_policy"),
    ] {
        let mut document: Value = serde_json::from_str(&text).expect("JSON");
        document["cosigners"].as_array_mut().expect("a list").insert(0, joined.clone());
        fs::write(files.join("key-transparency.json"), document.to_string()).expect("written");
        for flags in [&["--keys", path(&pinned)][..], &[]] {
            let ended = verify(path(&files), flags);
            assert!(
                ended.code == Some(1) && ended.stdout.contains(word),
                "{joined}: {} {}",
                ended.stdout,
                ended.stderr
            );
        }
    }
}

#[test]
fn a_server_is_verified_as_its_files_are() {
    let server = super::alone("sql", &["--no-rate-limits"]);
    let url = format!("http://127.0.0.1:{}", server.port);
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let empty = verify(&url, &["--state", path(&state)]);
    assert_eq!(
        (empty.code, empty.stdout.contains("honest: 0 leaves")),
        (Some(0), true),
        "{} {}",
        empty.stdout,
        empty.stderr
    );
    for number in 0..12 {
        register(&server, &body(&format!("u{number}"), &secret(number), now_s())).expect(201);
    }
    let first = verify(&url, &["--state", path(&state)]);
    assert!(
        first.stdout.contains("honest: 12 leaves; every leaf"),
        "{} {}",
        first.stdout,
        first.stderr
    );
    register(&server, &body("u12", &secret(12), now_s())).expect(201);
    assert!(
        verify(&format!("{url}/"), &["--state", path(&state)])
            .stdout
            .contains("honest: 13 leaves; it goes on from the 12")
    );
    let newest = verify(&url, &["--signatures", "newest:3"]);
    assert!(newest.stdout.contains("the signatures of the newest 3 heads"), "{}", newest.stdout);
    drop(server);
    let gone = verify(&url, &[]);
    assert_eq!((gone.code, gone.stdout.as_str()), (Some(8), ""), "{}", gone.stderr);
    for wrong in ["ftp://x", "https://u:p@x", "https://"] {
        assert_eq!(verify(wrong, &[]).code, Some(2), "{wrong}");
    }
    assert_eq!(verify("/nowhere", &[]).code, Some(2));
}

#[test]
fn compacting_frees_what_is_not_part_of_the_log() {
    let exported = Exported::new("jsonl");
    let files = exported.files();
    let leaves = fs::read_to_string(files.join("users.jsonl")).expect("leaves");
    fs::write(
        files.join("users.jsonl"),
        leaves.replace('\n', "\n\n").replace("{\"id\"", "{ \"id\""),
    )
    .expect("written");
    let done = nexus(&["log", "compact", path(&files)], &[]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(fs::read_to_string(files.join("users.jsonl")).expect("leaves"), leaves);
    assert_eq!(verify(path(&files), &[]).code, Some(0));
    let stored = nexus(&["log", "compact", "--data", path(&exported.data()), "--store", "jsonl"], &[]);
    assert_eq!(stored.code, Some(0), "{}", stored.stderr);
    assert!(stored.stdout.contains("the log is the same"));
    let kept = exported.data().join("transparency");
    assert_eq!(verify(path(&kept), &[]).code, Some(0), "the files of a server are as good");
}

#[test]
fn a_monitor_tells_of_growth_bears_silence_and_alarms() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, state) = (folder.path().join("data"), folder.path().join("state.json"));
    let flags = ["--roles", "transparency", "--no-rate-limits"];
    let mut server = Server::start(&data, &flags);
    let port = server.port;
    register(&server, &body("u0", &secret(0), now_s())).expect(201);
    let url = format!("http://127.0.0.1:{port}");
    let mut monitor = Command::new(env!("CARGO_BIN_EXE_nexus"))
        .args(["log", "watch", &url, "--state", path(&state), "--every", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let until = |what: &str, done: &mut dyn FnMut() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let size = || {
        let saved = fs::read(&state).ok()?;
        let saved: Value = serde_json::from_slice(&saved).ok()?;
        saved["head"]["tree_size"].as_u64()
    };
    until("it saw one leaf", &mut || size() == Some(1));
    register(&server, &body("u1", &secret(1), now_s())).expect(201);
    until("it saw two", &mut || size() == Some(2));
    let latest: TreeHead = super::read(&get(&server, "/sth/latest"));
    server.stop();
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(monitor.try_wait().expect("it is ours").is_none(), "silence is no fault");

    // The server comes back without its last leaf: another log under the same address.
    let listen = format!("127.0.0.1:{port}");
    let other = folder.path().join("other");
    let mut liar = Command::new(env!("CARGO_BIN_EXE_nexus"))
        .args(["serve", "--listen", &listen, "--data", path(&other), "--roles", "transparency"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    until("it alarms", &mut || monitor.try_wait().expect("it is ours").is_some());
    liar.kill().expect("it runs");
    liar.wait().expect("it is ours");
    let output = monitor.wait_with_output().expect("it ended");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("honest: 1 leaves") && said.contains("honest: 2 leaves"), "{said}");
    assert!(
        said.lines().last().is_some_and(|line| line.starts_with("ALARM: wrong_log")),
        "{said}"
    );
    assert_eq!(size(), Some(latest.head.tree_size));
}
