//! The keys of log and cosigners: made once, kept, and never made anew.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{body, document, get, now_s, path, register, secret};
use crate::server::{Server, nexus};

const ALONE: [&str; 2] = ["--roles", "transparency"];

#[test]
fn a_key_from_the_environment_is_used_and_a_bad_one_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let seeds = [11, 12, 13].map(|number| STANDARD.encode(secret(number).seed()));
    let both = STANDARD.encode([&secret(12).seed()[..], secret(12).public().as_bytes()].concat());
    let environment = [
        ("COSIGNER_0_SK", seeds[0].as_str()),
        ("COSIGNER_1_SK", &both),
        ("COSIGNER_2_SK", &seeds[2]),
    ];
    let mut server = Server::start_in(&data, &ALONE, &environment);
    let keys = document(&server).cosigners;
    for (number, listed) in (11..).zip(&keys) {
        assert_eq!(listed.key.public_key, secret(number).public());
    }
    register(&server, &body("alice", &secret(1), now_s())).expect(201);
    let log = server.stop();
    assert!(seeds.iter().all(|seed| !log.contains(seed.as_str())));
    assert!(!data.join("cosigners/cosigner_0.key").exists());

    let serve = ["serve", "--listen", "127.0.0.1:0", "--roles", "transparency", "--data", path(&data)];
    let samples = [
        STANDARD.encode([0; 32]),
        STANDARD.encode([7; 32]),
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
    ];
    for bad in samples
        .iter()
        .map(String::as_str)
        .chain(["", "c2hvcnQ=", "no base64", seeds[1].trim_end_matches('=')])
    {
        let ended = nexus(&serve, &[environment[0], ("COSIGNER_1_SK", bad), environment[2]]);
        assert_eq!(ended.code, Some(4), "{bad}: {}", ended.stderr);
        assert!(ended.stderr.contains("COSIGNER_1_SK"), "{bad}: {}", ended.stderr);
        assert!(bad.len() < 20 || !ended.stderr.contains(bad), "the secret is not repeated");
    }
    // Another key than the log lists, and one key for two.
    let stranger = nexus(
        &serve,
        &[
            environment[0],
            environment[1],
            ("COSIGNER_2_SK", &STANDARD.encode(secret(99).seed())),
        ],
    );
    assert!(
        stranger.code == Some(4) && stranger.stderr.contains("cosigner_2"),
        "{}",
        stranger.stderr
    );
    let twins = nexus(&serve, &[environment[0], environment[1], ("COSIGNER_2_SK", &seeds[0])]);
    assert!(twins.code == Some(4) && twins.stderr.contains("same key"), "{}", twins.stderr);
    let mut again = Server::start_in(&data, &ALONE, &environment);
    assert_eq!(get(&again, "/health")["sth_count"], 1);
    again.stop();
}

#[test]
fn generated_keys_are_private_kept_and_never_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &ALONE);
    let first = document(&server);
    register(&server, &body("alice", &secret(1), now_s())).expect(201);
    server.stop();
    let mode = |name: &str| fs::metadata(data.join(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!(mode("cosigners"), 0o700);
    for name in ["log.key", "cosigners/cosigner_0.key", "cosigners/cosigner_1.db"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let mut again = Server::start(&data, &ALONE);
    assert_eq!(document(&again), first);
    again.stop();

    let serve = ["serve", "--listen", "127.0.0.1:0", "--roles", "transparency", "--data", path(&data)];
    for name in ["log.key", "cosigners/cosigner_0.key"] {
        let (kept, aside) = (data.join(name), folder.path().join("aside"));
        fs::rename(&kept, &aside).expect("lost");
        let ended = nexus(&serve, &[]);
        assert!(
            ended.code == Some(4) && ended.stderr.contains("is missing"),
            "{name}: {}",
            ended.stderr
        );
        assert!(!kept.exists());
        fs::rename(&aside, &kept).expect("restored");
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o640)).expect("opened");
        let ended = nexus(&serve, &[]);
        assert!(
            ended.code == Some(4) && ended.stderr.contains("chmod 600"),
            "{name}: {}",
            ended.stderr
        );
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).expect("closed");
    }
    // A cosigner's memory belongs to one log.
    fs::remove_file(data.join("nexus.db")).expect("another log");
    for name in ["nexus.db-wal", "nexus.db-shm"] {
        fs::remove_file(data.join(name)).ok();
    }
    let ended = nexus(&serve, &[]);
    assert!(
        ended.code == Some(6) && ended.stderr.contains("another log"),
        "{:?} {}",
        ended.code,
        ended.stderr
    );
}

#[test]
fn one_key_for_two_leaves_nothing_behind_that_stands_in_the_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--roles", "transparency", "--data", path(&data)];
    let key = STANDARD.encode(secret(11).seed());
    let twins = [("COSIGNER_0_SK", key.as_str()), ("COSIGNER_1_SK", &key)];
    let ended = nexus(&serve, &twins);
    assert!(ended.code == Some(4) && ended.stderr.contains("same key"), "{}", ended.stderr);
    for number in 0..3 {
        assert!(!data.join(format!("cosigners/cosigner_{number}.db")).exists(), "{number}");
    }
    // Without them it makes keys of its own.
    let mut server = Server::start(&data, &ALONE);
    register(&server, &body("alice", &secret(1), now_s())).expect(201);
    server.stop();
}
