//! A backup is put back: no session may go on in a history that is gone.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

use nexus_testkit::{Process, Rest, Session};

use crate::server::{Ended, nexus};

fn restored(data: &Path) -> Ended {
    nexus(&["restored", "--data", data.to_str().expect("UTF-8")], &[])
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            DirBuilder::new().mode(0o700).recursive(true).create(&target).expect("made");
            copy(&path, &target);
        } else {
            std::fs::copy(&path, target).expect("copied");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_from_before_a_restore_begins_anew() {
    let mut process = Process::start(env!("CARGO_BIN_EXE_nexus"), &[]).await;
    let alice = Rest::new(process.address).register("alice").await;
    let token = alice.token.expect("signed in");
    let address = process.address;
    let make = async |name: &str| {
        // A client of its own: the connections of one end with the process.
        let alice = Rest::new(address).with_token(&token);
        alice.must("POST", "/guilds", Some(&serde_json::json!({ "name": name }))).await
    };
    make("Reeds").await;
    let mut session = Session::begin(process.address, &token).await;

    assert_eq!(process.terminate().await, Some(0));
    let backup = tempfile::tempdir().expect("a folder");
    copy(&process.data(), backup.path());
    process.run().await;
    session.recover().await;
    assert_eq!((session.identified, session.resumed), (1, 1), "a restart is no restore");
    make("Dunes").await;
    session.until_quiet(Duration::from_millis(300)).await;
    let heard = session.state.s;

    let refused = restored(&process.data());
    assert_eq!(refused.code, Some(3), "a server runs: {}", refused.stderr);
    assert_eq!(process.terminate().await, Some(0));
    copy(backup.path(), &process.data());
    let ended = restored(&process.data());
    assert_eq!(
        (ended.code, ended.stdout.contains("Start the server")),
        (Some(0), true),
        "{}",
        ended.stderr
    );
    process.run().await;
    // The other history reaches beyond what the client has heard of the first one: its number alone would not give it away.
    for name in ["Marsh", "Shore", "Tide"] {
        make(name).await;
    }
    session.recover().await;
    assert_eq!((session.identified, session.resumed), (2, 1), "op 9, then READY");
    assert!(session.state.s >= heard);
    let names = serde_json::to_string(&session.state.snapshot()).expect("it is JSON");
    assert!(names.contains("Tide") && !names.contains("Dunes"), "{names}");
}

#[test]
fn there_must_be_something_to_restore() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = restored(&folder.path().join("nowhere"));
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("no database"), "{}", ended.stderr);
    assert!(!folder.path().join("nowhere").exists());
}
