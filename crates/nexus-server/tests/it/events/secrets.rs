//! `NEXUS_SECRET`: where it comes from, and with which ones nothing starts.

use std::os::unix::fs::PermissionsExt as _;

use super::{Hub, Place, SECRET, payment, refused, text};
use crate::server::{Ended, Server, nexus};

fn serve(flags: &[&str], environment: &[(&str, &str)]) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let all: Vec<_> = ["serve", "--listen", "127.0.0.1:0", "--data", text(&data)]
        .iter()
        .chain(flags)
        .copied()
        .collect();
    nexus(&all, environment)
}

#[test]
fn the_hub_alone_does_not_start_without_a_secret() {
    for roles in ["events", "transparency,events"] {
        let ended = serve(&["--roles", roles], &[]);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("NEXUS_SECRET is not set") && ended.stderr.contains("openssl rand"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn sample_and_short_secrets_are_refused_by_name() {
    for bad in [
        "",
        "hunter2",
        "changemechangemechangemechangeme",
        &"a".repeat(40),
        "your-secret-here-your-secret-here",
    ] {
        for name in ["NEXUS_SECRET", "NEXUS_SECRET_PREVIOUS"] {
            if bad.is_empty() && name != "NEXUS_SECRET" {
                continue;
            }
            for flags in [&["--roles", "events"][..], &[]] {
                let mut environment = vec![(name, bad)];
                if name != "NEXUS_SECRET" {
                    environment.push(("NEXUS_SECRET", SECRET));
                }
                let ended = serve(flags, &environment);
                assert_eq!(ended.code, Some(4), "{name}={bad} {flags:?}: {}", ended.stderr);
                assert!(
                    ended.stderr.contains(name) && (bad.is_empty() || !ended.stderr.contains(bad)),
                    "{}",
                    ended.stderr
                );
            }
        }
    }
}

#[test]
fn a_secret_in_a_file_is_its_owners_alone() {
    let place = Place::new();
    let file = place.folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).expect("written");
    let environment = [("NEXUS_SECRET_FILE", text(&file))];
    let flags = ["--roles", "events"];
    for mode in [0o640, 0o604] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("opened");
        let ended = serve(&flags, &environment);
        assert!(
            ended.code == Some(4) && ended.stderr.contains("NEXUS_SECRET_FILE"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("chmod 600"), "{}", ended.stderr);
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("closed");
    let server = Server::start_in(&place.data(), &flags, &environment);
    let hub = Hub { server, place: &place };
    hub.post(SECRET, &payment("1")).expect(200);
    let both = serve(&flags, &[environment[0], ("NEXUS_SECRET", SECRET)]);
    assert!(
        both.code == Some(2) && both.stderr.contains("NEXUS_SECRET_FILE are both set"),
        "{}",
        both.stderr
    );
}

#[test]
fn a_server_that_serves_everything_makes_a_secret_once() {
    let place = Place::new();
    let start = || Hub {
        server: Server::start(&place.data(), &["--no-rate-limits"]),
        place: &place,
    };
    let first = start();
    let file = place.data().join("hub.secret");
    let mode = std::fs::metadata(&file).expect("it is made").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let made = std::fs::read_to_string(&file).expect("text");
    first.post(made.trim_end(), &payment("1")).expect(200);
    drop(first);
    let second = start();
    assert_eq!(std::fs::read_to_string(&file).expect("text"), made);
    second.post(made.trim_end(), &payment("2")).expect(200);
    drop(second);
    // What the environment says beats it; what senders had before is good for a day.
    let third = place.serve(&["--no-rate-limits"]);
    third.post(SECRET, &payment("3")).expect(200);
    third.post(made.trim_end(), &payment("4")).expect(200);
    refused(&third.post(&SECRET.replace('b', "c"), &payment("5")), 401, "invalid_signature");
}

#[test]
fn a_type_that_can_not_be_read_stops_the_start_by_name() {
    let place = Place::configured("[hub]\ntypes = [\"GAUGE:READING schemas/reading.json\"]\n");
    let data = place.data();
    let start = || nexus(&["serve", "--listen", "127.0.0.1:0", "--data", text(&data)], &[]);
    let gone = start();
    assert_eq!(gone.code, Some(2), "{}", gone.stderr);
    for word in [
        "hub.types",
        "GAUGE:READING",
        "schemas/reading.json",
        "can't read",
        "nexus events check",
    ] {
        assert!(gone.stderr.contains(word), "{word}: {}", gone.stderr);
    }
    std::fs::create_dir(data.join("schemas")).expect("made");
    std::fs::write(data.join("schemas/reading.json"), "{\n  \"type\": thing\n}").expect("written");
    let broken = start();
    assert!(broken.code == Some(2) && broken.stderr.contains("line 2"), "{}", broken.stderr);
}
