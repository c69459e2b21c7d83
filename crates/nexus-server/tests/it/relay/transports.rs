//! What is particular to a transport.

use nexus_testkit::wires::frame;
use serde_json::json;

use super::clients::{Client, Heard, Kind, Way};
use super::{Stage, envelope, envelope_of, key};

#[tokio::test]
async fn a_fragmented_message_is_delivered_as_one_frame() {
    let stage = Stage::new();
    let mut alice = stage.connect(Kind::WebSocket, "alice").await;
    let text = envelope("alice", "alice", "in three parts");
    let (first, rest) = text.as_bytes().split_at(10);
    let (second, third) = rest.split_at(10);
    for (opcode, part) in [(0x01, first), (0x00, second), (0x80, third)] {
        alice.send_raw(&frame(opcode, true, part)).await;
        // A control frame may come between.
        alice.send_raw(&frame(0x89, true, b"")).await;
    }
    assert_eq!(alice.text().await, text);
}

/// Large messages, alone and with others right behind them, in and out of the buffer that is let go after a large one.
#[tokio::test]
async fn large_messages_leave_nothing_behind_and_lose_nothing() {
    let stage = Stage::new();
    let mut alice = stage.connect(Kind::WebSocket, "alice").await;
    let large: Vec<_> = [131_072, 16_384, 16_385, 65_535, 65_536, 100_000]
        .map(|bytes| envelope_of("alice", "alice", bytes))
        .to_vec();
    let text = |text: &str| frame(0x81, true, text.as_bytes());
    for first in &large {
        for second in &large {
            let small = envelope("alice", "alice", "small");
            let ping = frame(0x89, true, b"ping");
            let (head, tail) = (text(second), text(&small));
            let (begun, rest) = head.split_at(head.len() / 2);
            alice.send_raw(&[&text(first)[..], &ping, begun].concat()).await;
            assert!(alice.text().await == *first);
            alice.send_raw(&[rest, &tail, &ping].concat()).await;
            assert!(alice.text().await == *second);
            assert_eq!(alice.text().await, small);
        }
    }
}

#[tokio::test]
async fn fragments_count_together() {
    let stage = Stage::new();
    let mut alice = stage.connect(Kind::WebSocket, "alice").await;
    alice.send_raw(&frame(0x01, true, &vec![b' '; 131_072])).await;
    alice.send_raw(&frame(0x80, true, b" ")).await;
    assert_eq!(alice.closed().await, 1009);
}

#[tokio::test]
async fn a_large_frame_is_refused_by_its_head() {
    let stage = Stage::new();
    let mut alice = stage.connect(Kind::WebSocket, "alice").await;
    let whole = frame(0x81, true, &vec![b' '; 131_073]);
    alice.send_raw(&whole[..14]).await;
    assert_eq!(alice.closed().await, 1009);
}

#[tokio::test]
async fn what_is_no_text_is_closed() {
    let stage = Stage::new();
    let ping = br#"{"type":"ping"}"#;
    for (what, bytes, code) in [
        ("binary", frame(0x82, true, ping), 1003),
        ("bad UTF-8", frame(0x81, true, b"\"\xff\xfe\""), 1007),
        ("unmasked", frame(0x81, false, ping), 1002),
        ("compressed", frame(0xc1, true, ping), 1002),
    ] {
        let mut alice = stage.connect(Kind::WebSocket, "alice").await;
        alice.send_raw(&bytes).await;
        assert_eq!(alice.closed().await, code, "{what}");
        drop(alice);
        stage.until_sessions(0).await;
    }
    let mut bob = stage.connect(Kind::EventStream, "bob").await;
    let token = format!("Bearer {}", bob.token);
    assert_eq!(bob.post(b"\"\xff\xfe\"", &[("authorization", &token)]).await, 400);
    assert_eq!(bob.closed().await, 1007);
}

#[tokio::test]
async fn a_client_that_closes_is_answered() {
    let stage = Stage::new();
    let mut alice = stage.connect(Kind::WebSocket, "alice").await;
    alice.send_raw(&frame(0x88, true, &1000_u16.to_be_bytes())).await;
    assert_eq!(alice.next().await, Heard::Closed(1000));
    assert_eq!(alice.next().await, Heard::End);
    stage.until_sessions(0).await;
}

#[tokio::test]
async fn only_the_token_of_the_very_session_may_post() {
    let stage = Stage::new();
    let mut alice = stage.connect(Kind::EventStream, "alice").await;
    let bob = stage.connect(Kind::EventStream, "bob").await;
    let (own, foreign) = (format!("Bearer {}", alice.token), format!("Bearer {}", bob.token));
    let text = envelope("alice", "alice", "x");
    for headers in [
        &[][..],
        &[("authorization", "Bearer ")],
        &[("authorization", &alice.token.clone())],
        &[("authorization", &foreign)],
    ] {
        assert_eq!(alice.post(text.as_bytes(), headers).await, 401, "{headers:?}");
    }
    assert_eq!(alice.post(text.as_bytes(), &[("authorization", &own)]).await, 204);
    assert_eq!(alice.text().await, text, "none of the others came");
    let origin = [("authorization", &own[..]), ("origin", "https://evil.example")];
    assert_eq!(alice.post(text.as_bytes(), &origin).await, 403);
    // A token ends with its stream, even if the id is somebody's again.
    let token = alice.token.clone();
    drop(alice);
    stage.until_sessions(1).await;
    let mut again = stage.connect(Kind::EventStream, "alice").await;
    again.token = token;
    assert_eq!(again.send(&text).await, 401);
}

#[tokio::test]
async fn transports_meet_in_one_relay() {
    let stage = Stage::new();
    stage.register("did:bob", &key(1));
    let mut alice = stage.connect(Kind::WebSocket, "alice").await;
    let mut bob = stage.connect_proven(Kind::EventStream, "did:bob", &key(1)).await;
    let text = envelope("alice", "did:bob", "over there");
    alice.send(&text).await;
    assert_eq!(bob.text().await, text);
    let text = envelope("did:bob", "alice", "and back");
    bob.send(&text).await;
    assert_eq!(alice.text().await, text);
    // Moving from one to the other is a take-over like any.
    let mut moved = stage.connect_proven(Kind::WebSocket, "did:bob", &key(1)).await;
    assert_eq!(bob.closed().await, 4410);
    alice.send(&envelope("alice", "did:bob", "where are you?")).await;
    assert_eq!(moved.json().await["payload"], json!("where are you?"));
}

#[tokio::test]
async fn a_request_without_an_upgrade_is_told_to() {
    let stage = Stage::new();
    let way = Way::new(Kind::EventStream, stage.address, "alice/../alice");
    assert!(Client::try_connect(way).await.is_err());
    let mut alice = stage.connect(Kind::EventStream, "alice").await;
    alice.token = "x".repeat(64);
    assert_eq!(alice.send("{}").await, 401);
}
