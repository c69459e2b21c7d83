//! Commands over a real socket: each in turn with its answer, and what closes.

use std::time::Duration;

use nexus_server::streams::Patience;
use nexus_store::Options;
use nexus_types::limits::STREAM_COMMAND_BYTES_MAX;
use serde_json::json;
use tungstenite::Message;

use super::stage::{Heard, Stage};

#[tokio::test]
async fn each_command_is_answered_and_nonsense_is_named() {
    let stage = Stage::new().await;
    let mut listener = stage.listener().await;
    let head = stage.hub.db().bus().head();
    for (command, answer) in [
        (r#"{"action":"ping"}"#, json!({ "status": "pong" })),
        (
            r#"{"action":"subscribe","events":["PAYMENT_RECEIVED","GAUGE:*","nope"]}"#,
            json!({
                "status": "subscribed",
                "events": ["PAYMENT_RECEIVED", "GAUGE:*", "nope"],
                "validEvents": ["FLOWPAY:PAYMENT_RECEIVED", "GAUGE:*"],
                "invalidEvents": ["nope"],
                "position": head,
                "gap": false,
            }),
        ),
        (
            r#"{"action":"unsubscribe","events":["GAUGE:*"]}"#,
            json!({ "status": "unsubscribed", "events": ["FLOWPAY:PAYMENT_RECEIVED"] }),
        ),
        (
            "{",
            json!({ "status": "error", "error": "invalid_json", "message": "A command is one JSON object." }),
        ),
        (
            r#"{"action":"publish"}"#,
            json!({ "status": "error", "error": "unknown_action", "message": "The actions are subscribe, unsubscribe and ping." }),
        ),
    ] {
        assert!(listener.send(Message::text(command)).await);
        assert_eq!(listener.json().await, answer, "{command}");
    }
}

#[tokio::test]
async fn only_what_is_wanted_comes() {
    let stage = Stage::new().await;
    let mut listener = stage.listener().await;
    listener.subscribe(&["GAUGE:*", "READING", "nexus:message_create"], None).await;
    stage.publish("MILL:STOPPED", json!({})).await;
    let reading = stage.publish("GAUGE:READING", json!({ "height": 1 })).await;
    let message = stage.message().await;
    let event = listener.json().await;
    assert_eq!(
        (&event["position"], &event["event"]),
        (&json!(reading), &json!("GAUGE:READING")),
        "once, though it is wanted twice"
    );
    let event = listener.json().await;
    assert_eq!(
        (&event["position"], &event["event"]),
        (&json!(message), &json!("nexus:message_create"))
    );
    assert_eq!(event["payload"]["message_id"], "3");
    assert!(!event.to_string().contains("what nobody hears"), "{event}");
    listener.ask(&json!({ "action": "unsubscribe", "events": ["*"] })).await;
    stage.publish("GAUGE:READING", json!({ "height": 2 })).await;
    stage.message().await;
    listener.hears_nothing().await;
}

#[tokio::test]
async fn a_push_is_the_event_as_it_is_kept() {
    let stage = Stage::new().await;
    let mut listener = stage.listener().await;
    listener.subscribe(&["*"], None).await;
    let body = r#"{"event":"READING","payload":{"height":15.00,"by":"J\u00fcrgen"}}"#;
    let published = stage
        .hub
        .ingest(&Stage::writer(), body.as_bytes(), None)
        .await
        .expect("it is taken");
    let event = listener.json().await;
    let expected = json!({
        "id": published.id.to_string(),
        "position": published.position,
        "event": "GAUGE:READING",
        "payload": { "height": 15.0, "by": "Jürgen" },
        "source": "writer",
        "timestamp": stage.clock.now_ms(),
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn the_eleventh_command_of_a_second_is_refused_and_the_stream_stays() {
    let stage = Stage::new().await;
    let mut listener = stage.listener().await;
    for _ in 0..15 {
        assert!(listener.send(Message::text(r#"{"action":"ping"}"#)).await);
    }
    let mut words = vec![];
    for _ in 0..15 {
        let answer = listener.json().await;
        words.push(answer["error"].as_str().unwrap_or("pong").to_owned());
    }
    // A slow machine may take longer than a second for all of them.
    assert_eq!(words[..10], ["pong"; 10]);
    assert!(words[10..].contains(&"rate_limited".to_owned()), "{words:?}");
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(listener.ask(&json!({ "action": "ping" })).await, json!({ "status": "pong" }));
}

#[tokio::test]
async fn a_long_command_and_a_binary_one_close() {
    let stage = Stage::new().await;
    let command = |len: usize| format!("{{\"action\":\"ping\",\"x\":\"{}\"}}", "x".repeat(len - 24));
    let mut listener = stage.listener().await;
    let most = command(STREAM_COMMAND_BYTES_MAX);
    assert_eq!(most.len(), 10_240);
    assert!(listener.send(Message::text(most)).await);
    assert_eq!(listener.json().await, json!({ "status": "pong" }));
    assert!(listener.send(Message::text(command(STREAM_COMMAND_BYTES_MAX + 1))).await);
    assert_eq!(listener.closed().await, 1009);
    let mut listener = stage.listener().await;
    assert!(listener.send(Message::binary(br#"{"action":"ping"}"#.as_slice())).await);
    assert_eq!(listener.closed().await, 1003);
}

#[tokio::test]
async fn who_is_silent_is_pinged_and_then_closed() {
    let patience = Patience {
        ping: Duration::from_millis(40),
        silence: Duration::from_millis(200),
    };
    let stage = Stage::with(Options::default(), patience).await;
    let mut listener = stage.listener().await;
    // Reading answers pings.
    let mut pings = 0;
    while pings < 10 {
        assert_eq!(listener.hear().await, Heard::Ping);
        pings += 1;
    }
    // Who does not read does not answer.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(listener.closed().await, 4408);
}
