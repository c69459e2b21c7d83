//! Publishing and reading.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use nexus_client::{EventQuery, HubError, NexusClient, Published};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::fake_hub::{Asked, FakeHub, SECRET, event};

fn done(status: &str) -> Value {
    json!({ "status": status, "event": "GAUGE:READING", "id": "9", "position": 9 })
}

/// Over the raw bytes, or over method, path and query as they came.
fn signature_fits(asked: &Asked) -> bool {
    let signed = if asked.body.is_empty() {
        format!("{} {}", asked.method, asked.path)
    } else {
        asked.body.clone()
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(format!("{}.{signed}", asked.headers["x-nexus-timestamp"]).as_bytes());
    let signature = &asked.headers["x-nexus-signature"];
    let bytes: Vec<u8> = (0..signature.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&signature[at..at + 2], 16).expect("hex"))
        .collect();
    mac.verify_slice(&bytes).is_ok()
}

#[tokio::test]
async fn the_very_bytes_are_signed_with_time_source_and_id() {
    let hub = FakeHub::start(|_| (200, "", done("dispatched"))).await;
    let client = hub.builder().source("gauges").build().expect("a client");
    let published = client
        .publish("GAUGE:READING", &json!({ "place": "Brücke" }))
        .await
        .expect("it is taken");
    assert_eq!(
        published,
        Published {
            id: "9".into(),
            position: 9,
            event: "GAUGE:READING".into(),
            duplicate: false
        }
    );
    let asked = &hub.asked()[0];
    assert_eq!(asked.body, r#"{"event":"GAUGE:READING","payload":{"place":"Brücke"}}"#);
    assert!(signature_fits(asked));
    assert_eq!(
        (asked.path.as_str(), asked.headers["x-nexus-source"].as_str()),
        ("/events", "gauges")
    );
    assert_eq!(asked.headers["x-nexus-event-id"].len(), 32);
}

#[tokio::test]
async fn a_lost_or_refused_try_is_repeated_with_the_same_id() {
    let mut tries = 0;
    let hub = FakeHub::start(move |_| {
        tries += 1;
        match tries {
            1 => (0, "", Value::Null),
            2 => (503, "retry-after: 1\r\n", json!({})),
            _ => (200, "", done("duplicate")),
        }
    })
    .await;
    let client = hub.builder().build().expect("a client");
    let begun = std::time::Instant::now();
    let published = client
        .publish_as("reading-1", "GAUGE:READING", &json!({}))
        .await
        .expect("it is taken");
    assert!(published.duplicate);
    assert!(
        begun.elapsed() >= Duration::from_millis(1_250),
        "half of 0.5 s at least, then the second that was asked for"
    );
    let ids: Vec<String> = hub.asked().iter().map(|asked| asked.headers["x-nexus-event-id"].clone()).collect();
    assert_eq!(ids, ["reading-1"; 3]);
}

#[tokio::test]
async fn it_gives_up_when_the_hub_wants_to_be_asked_too_late() {
    let hub = FakeHub::start(|_| (503, "retry-after: 3600\r\n", json!({ "message": "The disk is full." }))).await;
    let problem = hub.builder().build().expect("a client").publish("GAUGE:READING", &json!({})).await;
    assert!(matches!(problem, Err(HubError::Unreachable { status: Some(503), ref message, .. }) if message == "The disk is full."));
    assert_eq!(hub.asked().len(), 1);
}

#[tokio::test]
async fn what_is_refused_is_not_repeated() {
    for (status, body, expected, expected_field) in [
        (400, json!({ "error": "Invalid event type" }), "invalid_event_type", None),
        (
            400,
            json!({ "error": "invalid_payload", "field": "payload.level" }),
            "invalid_payload",
            Some("payload.level"),
        ),
        (401, json!({ "error": "invalid_signature" }), "invalid_signature", None),
        (409, json!({ "error": "event_conflict" }), "event_conflict", None),
        (418, json!("tea"), "refused", None),
    ] {
        let hub = FakeHub::start(move |_| (status, "", body.clone())).await;
        let problem = hub.builder().build().expect("a client").publish("GAUGE:READING", &json!({})).await;
        let Err(HubError::Refused {
            status: found,
            code,
            field,
            ..
        }) = problem
        else {
            panic!("{expected} is refused")
        };
        assert_eq!((found, code.as_str(), field.as_deref()), (status, expected, expected_field));
        assert_eq!(hub.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_request_without_a_body_signs_method_path_and_query() {
    let hub = FakeHub::start(|_| (200, "", json!([event(2), event(1)]))).await;
    let query = EventQuery {
        events: vec!["GAUGE:READING".into(), "MIO:*".into()],
        source: Some("gauges".into()),
        before: Some(99),
        limit: Some(10),
    };
    let client = hub.builder().build().expect("a client");
    let positions: Vec<i64> = client
        .events(&query)
        .await
        .expect("events")
        .iter()
        .map(|event| event.position)
        .collect();
    assert_eq!(positions, [2, 1]);
    client.events(&EventQuery::default()).await.expect("events");
    let paths: Vec<String> = hub.asked().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(
        paths,
        [
            "/events?limit=10&before=99&source=gauges&event=GAUGE%3AREADING%2CMIO%3A*",
            "/events"
        ]
    );
    assert!(hub.asked().iter().all(signature_fits));
}

#[tokio::test]
async fn a_token_is_shown_instead() {
    let hub = FakeHub::start(|_| (200, "", json!([]))).await;
    let client = NexusClient::builder(&hub.url).token("nxa_1").build().expect("a client");
    client.events(&EventQuery::default()).await.expect("events");
    assert_eq!(hub.asked()[0].headers["authorization"], "Bearer nxa_1");
    assert!(matches!(client.publish("A:B", &json!({})).await, Err(HubError::Misused(_))));
}

#[tokio::test]
async fn an_id_that_no_header_can_carry_is_refused() {
    let hub = FakeHub::start(|_| (200, "", done("dispatched"))).await;
    let client = hub.builder().build().expect("a client");
    for wrong in ["", "Brücke", "a\nb", &"x".repeat(129)] {
        assert!(matches!(
            client.publish_as(wrong, "A:B", &json!({})).await,
            Err(HubError::Misused(_))
        ));
    }
    assert!(hub.asked().is_empty());
}

#[tokio::test]
async fn a_number_is_sent_as_it_was_written() {
    let hub = FakeHub::start(|_| (200, "", done("dispatched"))).await;
    let payload = serde_json::value::RawValue::from_string(r#"{"amount":15.00}"#.into()).expect("JSON");
    hub.builder()
        .build()
        .expect("a client")
        .publish("GAUGE:READING", &payload)
        .await
        .expect("it is taken");
    assert_eq!(hub.asked()[0].body, r#"{"event":"GAUGE:READING","payload":{"amount":15.00}}"#);
}

#[tokio::test]
async fn publishing_ends_with_the_client() {
    let hub = FakeHub::start(|_| (503, "retry-after: 30\r\n", Value::Null)).await;
    let client = hub.builder().build().expect("a client");
    let publishing = tokio::spawn({
        let client = client.clone();
        async move { client.publish("A:B", &json!({})).await }
    });
    while hub.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    client.close().await;
    assert!(matches!(publishing.await.expect("it ended"), Err(HubError::Closed)));
}

#[test]
fn it_needs_a_secret_or_a_token_and_an_address_on_the_web() {
    assert!(NexusClient::builder("https://example.org").build().is_err());
    assert!(NexusClient::builder("file:///x").token("nxa_1").build().is_err());
    assert!(NexusClient::builder("https://example.org").token("nxa_1\n").build().is_err());
    assert!(NexusClient::builder("nonsense").token("nxa_1").build().is_err());
    assert!(NexusClient::builder("https://example.org").token("nxa_1").build().is_ok());
}
