//! Who is slow or silent spends their own budget.

use std::time::Duration;

use nexus_server::relay::{Patience, RelayConfig};
use nexus_types::limits::RELAY_QUEUE_BYTES_MAX;

use super::clients::{Client, Heard, Kind, Way};
use super::{Stage, envelope, envelope_of, on_both, secret_id};

on_both!(
    a_stalled_reader_costs_a_mebibyte_and_slows_nobody,
    who_vanishes_gives_back_what_waited,
    who_does_not_prove_in_time_is_closed,
    who_is_silent_is_pinged_and_then_closed,
    a_sign_of_life_is_enough,
);

/// More frames of the full size than the kernel and the queue hold together (the kernel up to 4 MiB).
const LARGE_FRAMES: usize = 120;
/// What others send meanwhile.
const PAIR_FRAMES: usize = 60;
const PAIRS: usize = 4;

async fn a_stalled_reader_costs_a_mebibyte_and_slows_nobody(kind: Kind) {
    let stage = Stage::new();
    let way = Way {
        receive_bytes: Some(4_096),
        ..Way::new(kind, stage.address, "lazy")
    };
    let mut lazy = Client::try_connect(way).await.expect("it is let in");
    let mut sender = stage.connect(kind, "sender").await;
    let mut pairs = tokio::task::JoinSet::new();
    for number in 0..PAIRS {
        let (from, to) = (format!("from-{number}"), format!("to-{number}"));
        let (mut a, mut b) = (stage.connect(kind, &from).await, stage.connect(kind, &to).await);
        pairs.spawn(async move {
            for number in 0..PAIR_FRAMES {
                // To and fro: each frame waits for the one before it.
                let text = envelope(&from, &to, &number.to_string());
                a.send(&text).await;
                assert_eq!(b.text().await, text);
                let text = envelope(&to, &from, &number.to_string());
                b.send(&text).await;
                assert_eq!(a.text().await, text);
            }
            PAIR_FRAMES
        });
    }
    let (mut sent, mut most) = (0, 0);
    while sent < LARGE_FRAMES {
        sender.send(&envelope_of("sender", "lazy", 131_072)).await;
        sender.send(r#"{"type":"ping"}"#).await;
        sent += 1;
        let answer = sender.json().await;
        most = most.max(stage.relay.waiting_bytes());
        if answer["error"] == "undeliverable" {
            break;
        }
    }
    assert!(sent < LARGE_FRAMES, "it was closed");
    assert!(most > RELAY_QUEUE_BYTES_MAX / 2, "{most} bytes waited for it");
    assert!(most <= RELAY_QUEUE_BYTES_MAX, "{most} bytes waited for it");
    let exchanged: usize = pairs.join_all().await.into_iter().sum();
    assert_eq!(exchanged, PAIRS * PAIR_FRAMES, "everybody else got everything");
    assert_eq!(lazy.closed().await, 4901);
    stage.until_sessions(1).await;
    assert_eq!(stage.relay.waiting_bytes(), 0, "what waited is given back");
}

async fn who_vanishes_gives_back_what_waited(kind: Kind) {
    let stage = Stage::new();
    let way = Way {
        receive_bytes: Some(4_096),
        ..Way::new(kind, stage.address, "lazy")
    };
    let lazy = Client::try_connect(way).await.expect("it is let in");
    let mut sender = stage.connect(kind, "sender").await;
    while stage.relay.waiting_bytes() == 0 {
        sender.send(&envelope_of("sender", "lazy", 131_072)).await;
        sender.send(r#"{"type":"ping"}"#).await;
        assert_eq!(sender.json().await["type"], "pong");
    }
    drop(lazy);
    stage.until_sessions(1).await;
    assert_eq!(stage.relay.waiting_bytes(), 0);
    sender.send(&envelope("sender", "lazy", "are you there?")).await;
    assert_eq!(sender.json().await["error"], "undeliverable");
}

/// Two of the times are too long to matter.
fn impatient(ping_ms: u64, silence_ms: u64, proof_ms: u64) -> Stage {
    Stage::with(RelayConfig {
        patience: Patience {
            ping: Duration::from_millis(ping_ms),
            silence: Duration::from_millis(silence_ms),
            proof: Duration::from_millis(proof_ms),
        },
        ..RelayConfig::default()
    })
}

async fn who_does_not_prove_in_time_is_closed(kind: Kind) {
    let stage = impatient(60_000, 60_000, 100);
    let mut alice = stage.connect(kind, &secret_id("s")).await;
    alice.send(r#"{"type":"ping"}"#).await;
    assert_eq!(alice.json().await["type"], "pong");
    assert_eq!(alice.next().await, Heard::Closed(4408));
}

async fn who_is_silent_is_pinged_and_then_closed(kind: Kind) {
    let stage = impatient(100, 60_000, 60_000);
    let mut alice = stage.connect(kind, "alice").await;
    assert_eq!(alice.hear().await, Heard::Ping);
    assert_eq!(alice.hear().await, Heard::Ping);

    let stage = impatient(60_000, 200, 60_000);
    let mut bob = stage.connect(kind, "bob").await;
    assert_eq!(bob.hear().await, Heard::Closed(4408));
    stage.until_sessions(0).await;
}

/// For longer than silence may last.
async fn a_sign_of_life_is_enough(kind: Kind) {
    let stage = impatient(50, 1_000, 60_000);
    let mut alice = stage.connect(kind, "alice").await;
    for _ in 0..25 {
        assert_eq!(alice.hear().await, Heard::Ping);
        if kind == Kind::EventStream {
            alice.send(r#"{"type":"ping"}"#).await;
            assert!(matches!(alice.hear().await, Heard::Text(_)));
        }
    }
}
