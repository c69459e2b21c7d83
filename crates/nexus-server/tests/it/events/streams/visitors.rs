//! Who may listen, and when that ends.

use std::time::Duration;

use nexus_core::hub::Access;
use nexus_types::limits::TICKET_MS;
use serde_json::{Value, json};

use super::stage::{Heard, Listener, START_MS, Stage, Way};

async fn refused(stage: &Stage, way: Way<'_>) -> (u16, String) {
    let (status, body) = Listener::open(stage.address, way).await.err().expect("it is refused");
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|cause| panic!("{cause}: {body}"));
    assert!(body["message"].is_string(), "{body}");
    (status, body["error"].as_str().expect("a word").to_owned())
}

fn unauthorised() -> (u16, String) {
    (401, "invalid_token".to_owned())
}

#[tokio::test]
async fn who_shows_nothing_or_nonsense_is_refused_before_the_upgrade() {
    let stage = Stage::new().await;
    for path in [
        "/events/stream",
        "/events/stream?token=",
        "/events/stream?token=nonsense",
        "/events/stream?ticket=x",
    ] {
        let way = Way {
            path,
            who: None,
            ..Way::default()
        };
        assert_eq!(refused(&stage, way).await, unauthorised(), "{path}");
    }
    assert_eq!(stage.streams.count(), 0);
}

#[tokio::test]
async fn a_page_of_a_stranger_is_refused_whatever_it_shows() {
    let stage = Stage::new().await;
    let ticket = stage.hub.access().ticket(Access::Admin).expect("a ticket");
    let path = format!("/events/stream?token={ticket}");
    for origin in ["https://evil.example", "null"] {
        let way = Way {
            path: &path,
            origin: Some(origin),
            ..Way::default()
        };
        assert_eq!(refused(&stage, way).await.0, 403, "{origin}");
    }
    let own = format!("http://{}", stage.address);
    let way = Way {
        path: &path,
        who: None,
        origin: Some(&own),
        ..Way::default()
    };
    Listener::open(stage.address, way)
        .await
        .expect("our own page, and the ticket is still good");
}

#[tokio::test]
async fn a_ticket_opens_one_stream_and_soon() {
    let stage = Stage::new().await;
    let paths: Vec<_> = (0..2)
        .map(|_| {
            format!(
                "/events/stream?v=1&token={}",
                stage.hub.access().ticket(Access::Admin).expect("a ticket")
            )
        })
        .collect();
    let way = |path| Way {
        path,
        who: None,
        ..Way::default()
    };
    let mut listener = Listener::open(stage.address, way(&paths[0])).await.expect("it is let in");
    assert_eq!(listener.ask(&json!({ "action": "ping" })).await, json!({ "status": "pong" }));
    assert_eq!(refused(&stage, way(&paths[0])).await, unauthorised(), "once");
    stage.clock.set(START_MS + TICKET_MS);
    assert_eq!(refused(&stage, way(&paths[1])).await, unauthorised(), "too late");
}

#[tokio::test]
async fn a_source_reads_what_it_may_until_it_is_removed() {
    let stage = Stage::new().await;
    stage.source("gauges", &["GAUGE:*"]).await;
    stage.source("mills", &["MILL:*"]).await;
    let way = |who| Way {
        who: Some(who),
        ..Way::default()
    };
    let mut gauges = Listener::open(stage.address, way("gauges")).await.expect("it is let in");
    let mut mills = Listener::open(stage.address, way("mills")).await.expect("it is let in");
    let answer = gauges
        .ask(&json!({ "action": "subscribe", "events": ["*", "READING", "MILL:STOPPED"] }))
        .await;
    assert_eq!(
        (&answer["validEvents"], &answer["invalidEvents"]),
        (&json!(["GAUGE:READING"]), &json!(["*", "MILL:STOPPED"]))
    );
    mills.subscribe(&["MILL:*"], None).await;
    let who: Vec<_> = stage.streams.list().into_iter().map(|info| info.who).collect();
    assert_eq!(who, ["source gauges", "source mills"]);
    stage.hub.sources().remove("gauges").await.expect("it is removed");
    stage.publish("GAUGE:READING", json!({ "height": 1 })).await;
    assert_eq!(gauges.hear().await, Heard::Closed(4004), "before anything new");
    let position = stage.publish("MILL:STOPPED", json!({})).await;
    assert_eq!(mills.event().await, position, "others are not touched");
    stage.hub.sources().rotate("mills").await.expect("it is rotated");
    let position = stage.publish("MILL:STOPPED", json!({})).await;
    assert_eq!(mills.event().await, position, "its secret is good for a day more");
    stage.hub.sources().rotate("mills").await.expect("it is rotated");
    stage.publish("MILL:STOPPED", json!({})).await;
    assert_eq!(mills.hear().await, Heard::Closed(4004), "nobody has its secret any more");
    assert_eq!(refused(&stage, way("gauges")).await, unauthorised());
}

#[tokio::test]
async fn a_list_shows_who_listens_to_what() {
    let stage = Stage::new().await;
    let mut listener = stage.listener().await;
    let start = listener.subscribe(&["READING", "MILL:*"], None).await;
    let list = serde_json::to_value(stage.streams.list()).expect("JSON");
    assert_eq!(
        (&list[0]["who"], &list[0]["events"], &list[0]["position"]),
        (
            &json!("an administrator's token"),
            &json!(["GAUGE:READING", "MILL:*"]),
            &json!(start)
        )
    );
    assert!(
        list[0]["since"]
            .as_i64()
            .is_some_and(|since| since > START_MS - 400 * 24 * 3_600_000)
    );
    let position = stage.publish("MILL:STOPPED", json!({})).await;
    assert_eq!(listener.event().await, position);
    assert_eq!(stage.streams.list()[0].position, position);
    drop(listener);
    while stage.streams.count() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(stage.streams.list().is_empty());
}

#[tokio::test]
async fn a_stop_closes_everybody_with_1012_and_lets_nobody_in() {
    let stage = Stage::new().await;
    let (mut idle, mut live) = (stage.listener().await, stage.listener().await);
    live.subscribe(&["*"], None).await;
    let drain = stage.streams.drain(Duration::from_secs(5));
    let ((), idle, live) = tokio::join!(drain, idle.closed(), live.closed());
    assert_eq!((idle, live), (1012, 1012));
    let refusal = Listener::open(stage.address, Way::default()).await.err().expect("it is refused");
    assert_eq!(refusal.0, 503);
}
