//! Readers that are slow, stalled or cut off.

use std::time::{Duration, Instant};

use nexus_server::streams::Patience;
use nexus_store::Options;
use nexus_testkit::Proxy;
use nexus_types::limits::{DAY_MS, STREAM_QUEUE_BYTES_MAX};
use serde_json::{Value, json};

use super::stage::{Heard, Listener, PATIENCE, START_MS, Stage, Way, caught_up, subscribe};

/// A payload of almost the greatest size.
fn large() -> Value {
    json!({ "curve": "x".repeat(60_000) })
}

/// Hears everything up to the end: the positions of events, and the code.
async fn rest(listener: &mut Listener) -> (Vec<i64>, Option<u16>) {
    let mut positions = vec![];
    loop {
        match listener.hear().await {
            Heard::Said(event) => positions.push(event["position"].as_i64().expect("a position")),
            Heard::Ping => {}
            Heard::Closed(code) => return (positions, Some(code)),
            Heard::Cut => return (positions, None),
        }
    }
}

#[tokio::test]
async fn a_slow_reader_is_closed_and_slows_nobody_and_misses_nothing() {
    let stage = Stage::new().await;
    let way = Way {
        receive_bytes: Some(4_096),
        ..Way::default()
    };
    let mut slow = Listener::open(stage.address, way).await.expect("it is let in");
    let start = slow.subscribe(&["*"], None).await;
    let mut fast = stage.listener().await;
    fast.subscribe(&["*"], None).await;
    let mut published = vec![];
    let mut slowest = Duration::ZERO;
    // The kernel takes some megabytes, and then a mebibyte waits.
    while stage.streams.count() == 2 {
        assert!(published.len() < 400, "it is closed in time");
        let began = Instant::now();
        published.push(stage.publish("GAUGE:READING", large()).await);
        assert_eq!(fast.event().await, *published.last().expect("one"));
        slowest = slowest.max(began.elapsed());
        tokio::task::yield_now().await;
        // The stream of a reader that was closed still counts for the seconds in which it may read why.
        if stage.streams.list()[0].position < published[published.len() - 1] {
            break;
        }
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let at_once = published.len() * 60_000;
    assert!(at_once > STREAM_QUEUE_BYTES_MAX, "{at_once}");
    let (heard, code) = rest(&mut slow).await;
    assert_eq!(code, Some(4901));
    assert_eq!(heard[..], published[..heard.len()], "what came came in order");
    assert!(heard.len() < published.len());
    let last = heard.last().copied().unwrap_or(start);
    let mut again = stage.listener().await;
    again.subscribe(&["*"], Some(last)).await;
    for position in &published[heard.len()..] {
        assert_eq!(again.event().await, *position);
    }
    assert_eq!(again.json().await["status"], "caught_up");
}

#[tokio::test]
async fn a_burst_of_large_events_is_no_reason_to_close_a_fast_reader() {
    let stage = Stage::new().await;
    let mut listener = stage.listener().await;
    listener.subscribe(&["*"], None).await;
    let hub = stage.hub.clone();
    // Three times what may wait, at once.
    let burst = 3 * STREAM_QUEUE_BYTES_MAX / 60_000;
    let reading = async {
        let mut heard = vec![];
        for _ in 0..burst {
            heard.push(listener.event().await);
        }
        heard
    };
    let publishing = async {
        let all = (0..burst).map(|_| super::stage::publish(&hub, "GAUGE:READING", large()));
        futures_util::future::join_all(all).await
    };
    let (heard, mut published) = tokio::join!(reading, publishing);
    published.sort_unstable();
    assert_eq!(heard, published);
}

#[tokio::test]
async fn who_reads_the_past_slowly_is_not_closed() {
    let stage = Stage::with_ring(64 * 1024).await;
    let start = stage.hub.db().bus().head();
    let mut published = vec![];
    for _ in 0..150 {
        published.push(stage.publish("GAUGE:READING", large()).await);
    }
    let way = Way {
        receive_bytes: Some(4_096),
        ..Way::default()
    };
    let mut slow = Listener::open(stage.address, way).await.expect("it is let in");
    slow.subscribe(&["*"], Some(start)).await;
    // Nine megabytes of the past, and more that is new all the time.
    for index in 0..150 {
        assert_eq!(slow.event().await, published[index]);
        if index % 3 == 0 {
            published.push(stage.publish("GAUGE:READING", large()).await);
        }
    }
    for position in &published[150..] {
        assert_eq!(slow.event().await, *position);
    }
    let head = stage.hub.db().bus().head();
    assert_eq!(slow.json().await, caught_up(head));
}

/// Half of what somebody reads is deleted before it has come.
#[tokio::test]
async fn who_reads_the_past_so_slowly_that_it_is_deleted_is_told() {
    let stage = Stage::with_ring(64 * 1024).await;
    let start = stage.hub.db().bus().head();
    let mut published = vec![];
    for _ in 0..150 {
        published.push(stage.publish("GAUGE:READING", large()).await);
    }
    let way = Way {
        receive_bytes: Some(4_096),
        ..Way::default()
    };
    let mut slow = Listener::open(stage.address, way).await.expect("it is let in");
    slow.subscribe(&["*"], Some(start)).await;
    assert_eq!(slow.event().await, published[0]);
    stage.clock.set(START_MS + 31 * DAY_MS);
    // What the dispatcher has not noted as read stays; it notes that within a second.
    while stage.hub.floor().await.expect("it is known") < published[149] {
        stage.hub.sweep().await.expect("it is swept");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (heard, code) = rest(&mut slow).await;
    assert_eq!(code, Some(4901));
    assert!(heard.len() < 140, "{}", heard.len());
    assert_eq!(heard[..], published[1..=heard.len()]);
    let answer = stage.listener().await.ask(&subscribe(&["*"], heard.last().copied())).await;
    assert_eq!(answer["gap"], true, "{answer}");
}

#[tokio::test]
async fn when_all_come_back_at_once_each_waits_its_turn() {
    let options = Options {
        ring_bytes_max: 10_000,
        read_threads: 1,
        read_jobs_max: 8,
        ..Options::default()
    };
    let stage = Stage::with(options, Patience::default()).await;
    let start = stage.hub.db().bus().head();
    let mut published = vec![];
    for number in 0..200 {
        published.push(
            stage
                .publish("GAUGE:READING", json!({ "number": number, "filling": "x".repeat(300) }))
                .await,
        );
    }
    let coming = (0..100).map(|_| async {
        let mut listener = stage.listener().await;
        listener.subscribe(&["*"], Some(start)).await;
        listener
    });
    let listeners = futures_util::future::join_all(coming).await;
    for mut listener in listeners {
        for position in &published {
            assert_eq!(listener.event().await, *position);
        }
        assert_eq!(listener.json().await["status"], "caught_up");
    }
}

#[tokio::test]
async fn who_was_cut_off_for_a_while_catches_up_with_thousands() {
    let stage = Stage::with_ring(256 * 1024).await;
    let proxy = Proxy::start(stage.address).await;
    let mut listener = Listener::open(proxy.address, Way::default()).await.expect("it is let in");
    let start = listener.subscribe(&["GAUGE:*"], None).await;
    let first = stage.publish("GAUGE:READING", json!({})).await;
    assert_eq!(listener.event().await, first);
    proxy.cut();
    assert_eq!(listener.hear().await, Heard::Cut);
    let mut missed = vec![];
    for _ in 0..30 {
        let batch = (0..100).map(|number| stage.publish("GAUGE:ALARM", json!({ "number": number })));
        missed.extend(futures_util::future::join_all(batch).await);
    }
    missed.sort_unstable();
    assert_eq!((start < first, missed.len()), (true, 3_000));
    let began = Instant::now();
    let mut listener = Listener::open(proxy.address, Way::default()).await.expect("it is let in");
    assert!(listener.say(&subscribe(&["GAUGE:*"], Some(first))).await);
    assert_eq!(listener.json().await["gap"], false);
    for position in missed {
        assert_eq!(listener.event().await, position);
    }
    assert!(began.elapsed() < PATIENCE);
}
