//! Nothing of what is sent is in any log line, at any level, in any file, or in a metric.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use nexus_testkit::{Process, Rest};
use serde_json::json;

use super::clients::{Client, Kind, Way, page};
use super::{Stage, challenged, envelope, envelope_of, key, shown, signed};

/// In no text of ours.
const CANARY: &str = "canary-7f3a91";

/// Every line that was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_is_sent_is_in_no_log_line() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("no other test logs");
    for kind in [Kind::WebSocket, Kind::EventStream] {
        let stage = Stage::new();
        stage.register("did:alice", &key(1));
        let mut alice = stage.connect_proven(kind, "did:alice", &key(1)).await;
        let mut bob = stage.connect(kind, "bob").await;
        alice.send(&envelope("did:alice", "bob", CANARY)).await;
        assert!(bob.text().await.contains(CANARY));
        // Everything that is refused, in each of the ways.
        for text in [
            envelope("did:alice", "nobody", CANARY),
            envelope(CANARY, "bob", CANARY),
            format!("{{\"{CANARY}"),
            format!("{{\"type\":\"{CANARY}\"}}"),
            format!("{{\"from\":\"did:alice\",\"to\":\"{CANARY} \",\"payload\":1}}"),
            format!("{{\"from\":[\"{CANARY}\"],\"to\":\"bob\",\"payload\":1}}"),
            format!("{{\"type\":\"listen\",\"ids\":[\"{CANARY}\"]}}"),
            shown(CANARY),
        ] {
            alice.send(&text).await;
            alice.text().await;
        }
        bob.send(&(envelope_of("bob", "did:alice", 131_000) + &CANARY.repeat(10))).await;
        assert_eq!(bob.closed().await, 1009);
        // One who is gone, and one who is too slow.
        let way = Way {
            receive_bytes: Some(4_096),
            ..Way::new(kind, stage.address, "lazy")
        };
        let lazy = Client::try_connect(way).await.expect("it is let in");
        let large = envelope("did:alice", "lazy", &CANARY.repeat(9_000));
        while alice.send(&large).await == 204 {
            alice.send(r#"{"type":"ping"}"#).await;
            if alice.json().await["error"] == "undeliverable" {
                break;
            }
        }
        drop(lazy);
        let drain = stage.relay.drain(std::time::Duration::from_secs(5));
        tokio::join!(drain, async { assert_eq!(alice.closed().await, 1012) });
    }
    let lines = String::from_utf8(lines.0.lock().expect("nobody panicked").clone()).expect("lines are text");
    assert!(lines.contains("answered"), "something was logged");
    assert!(!lines.contains(CANARY), "{lines}");
}

/// Every file below a folder that has this in it.
fn holding(folder: &Path, needle: &[u8], found: &mut Vec<String>, seen: &mut usize) {
    for entry in std::fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            holding(&path, needle, found, seen);
        } else {
            let bytes = std::fs::read(&path).expect("it can be read");
            *seen += bytes.len();
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(path.display().to_string());
            }
        }
    }
}

/// The program itself: a registered id is proven to it, and neither a kill nor a stop leaves anything behind.
#[tokio::test]
async fn what_is_sent_through_the_program_is_in_no_file() {
    let mut process = Process::start(env!("CARGO_BIN_EXE_nexus"), &[("NEXUS__LOG__LEVEL", "trace")]).await;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let draft = json!({"id": "did:alice", "public_key": key(1).public(), "timestamp": now_s});
    let answer = Rest::new(process.address).post("//did/register", &draft).await.expect("it answers");
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    for (kind, kill) in [(Kind::WebSocket, true), (Kind::EventStream, false)] {
        let mut alice = Client::connect(kind, process.address, "did:alice").await;
        let nonce = challenged(&mut alice).await;
        alice.send(&signed(&key(1), &process.address.to_string(), "did:alice", nonce)).await;
        assert_eq!(alice.json().await["type"], "ready");
        for text in [
            envelope("did:alice", "did:alice", CANARY),
            envelope("did:alice", "nobody", CANARY),
            format!("{{\"{CANARY}"),
        ] {
            alice.send(&text).await;
            alice.text().await;
        }
        let metrics = page(process.address, "/metrics").await;
        assert!(metrics.contains("ws_sessions 1"), "{metrics}");
        assert!(!metrics.contains(CANARY));
        if kill {
            process.kill().await;
            process.run().await;
        } else {
            assert_eq!(process.terminate().await, Some(0));
        }
    }
    let (mut found, mut seen) = (vec![], 0);
    let folder = process.data();
    holding(
        folder.parent().expect("the log lies beside it"),
        CANARY.as_bytes(),
        &mut found,
        &mut seen,
    );
    assert!(seen > 10_000, "there is a log and a database");
    assert_eq!(found, Vec::<String>::new());
}
