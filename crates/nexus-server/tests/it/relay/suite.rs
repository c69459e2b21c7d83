//! What every session can do, and what each is refused.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nexus_server::relay::RelayConfig;
use nexus_types::limits::{RELAY_FAULTS_BURST, RELAY_FRAME_BYTES, RELAY_FRAMES_BURST, RELAY_FRAMES_PER_SECOND, RELAY_UNDELIVERABLE_BURST};
use serde_json::json;

use super::clients::{Client, Heard, Kind, Way};
use super::{Stage, envelope, envelope_of, error, on_both};

on_both!(
    frames_arrive_byte_for_byte_and_in_order,
    exactly_the_limit_passes_and_one_byte_more_closes,
    the_operator_sets_the_limit,
    who_was_let_in_is_reachable_at_once,
    nobody_speaks_under_another_name,
    who_sends_to_nobody_is_told_but_not_for_ever,
    a_ping_is_answered,
    nonsense_is_named_and_then_closed,
    a_session_may_send_to_itself,
    ids_are_judged_before_anything_opens,
    a_stop_closes_everybody_with_1012,
    pages_of_strangers_are_refused,
    many_frames_all_arrive,
);

async fn frames_arrive_byte_for_byte_and_in_order(kind: Kind) {
    let stage = Stage::new();
    let (mut alice, mut bob) = (stage.connect(kind, "alice").await, stage.connect(kind, "did:nexo:bob@host").await);
    let frames = [
        envelope("alice", "did:nexo:bob@host", "hello"),
        r#"{"to":"did:nexo:bob@host","payload":{"z":[1.0,1e3,-0],"a":"\u00e9é\/"},"from":"alice"}"#.to_owned(),
        "\n{ \"from\" :\t\"alice\",\n  \"to\": \"did:nexo:bob@host\",\n\n  \"payload\": [ ] }\n".to_owned(),
        "{\r\n\"from\":\"alice\",\r\"to\":\"did:nexo:bob@host\",\n\"payload\":null}\r".to_owned(),
        format!(
            "{{\"from\":\"alice\",\"to\":\"did:nexo:bob@host\",\"payload\":1{}}}",
            "\n".repeat(9_000)
        ),
        "  {\"from\":\"al\\u0069ce\",\"to\":\"did:nexo:bob@host\",\"payload\":\"data: \\n\\r : 文 \u{2028}\u{feff}\"}  ".to_owned(),
    ];
    for text in &frames {
        assert_eq!(alice.send(text).await, 204);
    }
    for text in &frames {
        assert_eq!(&bob.text().await, text);
    }
}

async fn exactly_the_limit_passes_and_one_byte_more_closes(kind: Kind) {
    assert_eq!(RELAY_FRAME_BYTES, 131_072);
    let stage = Stage::new();
    let (mut alice, mut bob) = (stage.connect(kind, "alice").await, stage.connect(kind, "bob").await);
    let whole = envelope_of("alice", "bob", 131_072);
    assert_eq!(alice.send(&whole).await, 204);
    assert!(bob.text().await == whole, "it came unchanged");
    let status = alice.send(&envelope_of("alice", "bob", 131_073)).await;
    assert_eq!(alice.closed().await, 1009);
    if kind == Kind::EventStream {
        assert_eq!(status, 413);
    }
    stage.until_sessions(1).await;
    let mut carol = stage.connect(kind, "carol").await;
    carol.send(&envelope("carol", "bob", "next")).await;
    assert_eq!(bob.json().await["from"], "carol", "nothing of the large one came");
}

async fn the_operator_sets_the_limit(kind: Kind) {
    let stage = Stage::with(RelayConfig {
        frame_bytes_max: 1_000,
        ..RelayConfig::default()
    });
    let mut alice = stage.connect(kind, "alice").await;
    alice.send(&envelope_of("alice", "alice", 1_000)).await;
    assert_eq!(alice.text().await.len(), 1_000);
    alice.send(&envelope_of("alice", "alice", 1_001)).await;
    assert_eq!(alice.closed().await, 1009);
}

async fn who_was_let_in_is_reachable_at_once(kind: Kind) {
    const SESSIONS: usize = 40;
    let stage = Stage::new();
    let mut alice = stage.connect(kind, "alice").await;
    for number in 0..SESSIONS {
        let id = format!("bob-{number}");
        let mut bob = stage.connect(kind, &id).await;
        alice.send(&envelope("alice", &id, "at once")).await;
        assert_eq!(bob.json().await["payload"], "at once", "{id}");
    }
}

async fn nobody_speaks_under_another_name(kind: Kind) {
    let stage = Stage::new();
    let (mut mallory, mut bob) = (stage.connect(kind, "mallory").await, stage.connect(kind, "bob").await);
    let carol = stage.connect(kind, "carol").await;
    for from in ["bob", "carol", "nobody", "Mallory", "mallory ", ""] {
        mallory.send(&envelope(from, "bob", "x")).await;
        assert_eq!(mallory.json().await, error("sender_mismatch"), "{from}");
    }
    // What another reader may take for another name is no frame at all.
    mallory.send(r#"{"from":"mallory","from":"carol","to":"bob","payload":1}"#).await;
    assert_eq!(mallory.json().await, error("invalid_frame"));
    mallory.send(&envelope("mallory", "bob", "the only one")).await;
    assert_eq!(bob.json().await["payload"], "the only one");
    drop(carol);
}

async fn who_sends_to_nobody_is_told_but_not_for_ever(kind: Kind) {
    const SENT: usize = 100;
    let stage = Stage::new();
    let mut alice = stage.connect(kind, "alice").await;
    alice.send(&envelope("alice", "did:nobody", "x")).await;
    let undeliverable = json!({"type": "error", "error": "undeliverable", "to": "did:nobody"});
    assert_eq!(alice.json().await, undeliverable);
    for _ in 1..SENT {
        alice.send(&envelope("alice", "did:nobody", "x")).await;
    }
    alice.send(r#"{"type":"ping"}"#).await;
    let mut told = 1;
    loop {
        let heard = alice.json().await;
        if heard["type"] == "pong" {
            break;
        }
        assert_eq!(heard, undeliverable);
        told += 1;
    }
    let burst = RELAY_UNDELIVERABLE_BURST as usize;
    assert!((burst..SENT / 2).contains(&told), "told {told} times");
}

async fn a_ping_is_answered(kind: Kind) {
    let stage = Stage::new();
    let mut alice = stage.connect(kind, "alice").await;
    alice.send(r#"{"type":"ping"}"#).await;
    let pong = alice.json().await;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis();
    assert_eq!(pong["type"], "pong");
    assert_eq!(pong.as_object().map(serde_json::Map::len), Some(2));
    let at_ms = u128::from(pong["timestamp"].as_u64().expect("an integer"));
    assert!(at_ms.abs_diff(now_ms) < 60_000, "{at_ms} is in milliseconds");
}

async fn nonsense_is_named_and_then_closed(kind: Kind) {
    let stage = Stage::new();
    let mut alice = stage.connect(kind, "alice").await;
    for nonsense in ["", "{", "[]", "null", r#"{"type":"hello"}"#, r#"{"from":"alice","to":"bob"}"#] {
        alice.send(nonsense).await;
        assert_eq!(alice.json().await, error("invalid_frame"), "{nonsense}");
    }
    alice.send(r#"{"type":"ping"}"#).await;
    assert_eq!(alice.json().await["type"], "pong", "it is still served");
    for _ in 0..RELAY_FAULTS_BURST {
        alice.send("{").await;
    }
    assert_eq!(alice.closed().await, 4400);
}

async fn a_session_may_send_to_itself(kind: Kind) {
    let stage = Stage::new();
    let mut alice = stage.connect(kind, "alice").await;
    let text = envelope("alice", "alice", "note to myself");
    alice.send(&text).await;
    assert_eq!(alice.text().await, text);
}

async fn ids_are_judged_before_anything_opens(kind: Kind) {
    let stage = Stage::new();
    let long = "x".repeat(256);
    for id in ["a%20b", "a%2Fb", "%", "%zz", "a%00", "%C3%A9", &long] {
        let refused = Client::try_connect(Way::new(kind, stage.address, id)).await.err();
        assert_eq!(refused, Some(400), "{id}");
    }
    let hosts: &[(&str, &str)] = &[("host", "a"), ("host", "b")];
    let way = Way {
        headers: hosts,
        ..Way::new(kind, stage.address, "alice")
    };
    assert_eq!(Client::try_connect(way).await.err(), Some(400), "two hosts");
    assert_eq!(stage.relay.sessions(), 0);
    for id in [&long[1..], "did%3Anexo%3Aa", "100%25", "_"] {
        drop(stage.connect(kind, id).await);
    }
}

async fn a_stop_closes_everybody_with_1012(kind: Kind) {
    let stage = Stage::new();
    let mut alice = stage.connect(kind, "alice").await;
    let mut unproven = stage.connect(kind, &super::secret_id("s")).await;
    stage.until_sessions(2).await;
    let drain = stage.relay.drain(Duration::from_secs(10));
    let closed = async {
        let codes = (alice.closed().await, unproven.closed().await);
        drop((alice, unproven));
        codes
    };
    let ((), codes) = tokio::join!(drain, closed);
    assert_eq!(codes, (1012, 1012));
    assert_eq!(stage.relay.sessions(), 0);
    let refused = Client::try_connect(Way::new(kind, stage.address, "alice")).await.err();
    assert_eq!(refused, Some(503));
    assert!(stage.connections.finish(Duration::from_secs(10)).await, "no answer is left open");
}

async fn pages_of_strangers_are_refused(kind: Kind) {
    let stage = Stage::new();
    let foreign: &[(&str, &str)] = &[("origin", "https://evil.example")];
    let way = Way {
        headers: foreign,
        ..Way::new(kind, stage.address, "alice")
    };
    assert_eq!(Client::try_connect(way).await.err(), Some(403));
    let origin = format!("http://{}", stage.address);
    let own: &[(&str, &str)] = &[("origin", &origin)];
    let way = Way {
        headers: own,
        ..Way::new(kind, stage.address, "alice")
    };
    assert!(Client::try_connect(way).await.is_ok());
}

/// More than may be sent at once: what is too fast is read later, and not lost.
async fn many_frames_all_arrive(kind: Kind) {
    const FRAMES: u32 = 500;
    let began = Instant::now();
    let stage = Stage::new();
    let (mut alice, mut bob) = (stage.connect(kind, "alice").await, stage.connect(kind, "bob").await);
    let sending = async {
        for number in 0..FRAMES {
            assert_eq!(alice.send(&envelope("alice", "bob", &number.to_string())).await, 204);
        }
    };
    let receiving = async {
        for number in 0..FRAMES {
            assert_eq!(bob.json().await["payload"], number.to_string());
        }
    };
    tokio::join!(sending, receiving);
    let at_least = Duration::from_secs(1) * (FRAMES - RELAY_FRAMES_BURST) / RELAY_FRAMES_PER_SECOND;
    assert!(began.elapsed() >= at_least, "frames beyond the burst were read at their rate");
    bob.send(&envelope("bob", "alice", "done")).await;
    assert!(matches!(alice.next().await, Heard::Text(_)));
}
