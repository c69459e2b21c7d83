//! Subscriptions.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nexus_client::{Gap, HubError, NexusClient, SubscribeOptions, Subscription, Verdict};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::fake_hub::{FakeHub, event};

/// What a subscription did.
#[derive(Clone, Default)]
struct Record {
    seen: Arc<Mutex<Vec<i64>>>,
    problems: Arc<Mutex<Vec<String>>>,
}

impl Record {
    fn seen(&self) -> Vec<i64> {
        self.seen.lock().expect("not poisoned").clone()
    }

    fn problems(&self) -> Vec<String> {
        self.problems.lock().expect("not poisoned").clone()
    }

    fn options(&self) -> SubscribeOptions {
        let problems = Arc::clone(&self.problems);
        SubscribeOptions::default().on_error(move |problem| {
            problems.lock().expect("not poisoned").push(problem.to_string());
            Verdict::Retry
        })
    }

    /// A subscription whose callback fails as often as it is told, then records.
    fn listen(&self, client: &NexusClient, options: SubscribeOptions, mut failures: u32) -> Subscription {
        let seen = Arc::clone(&self.seen);
        let callback = move |event: nexus_client::HubEvent| {
            let seen = Arc::clone(&seen);
            let fails = failures > 0;
            failures = failures.saturating_sub(1);
            async move {
                if fails {
                    return Err(io::Error::other("disk full"));
                }
                seen.lock().expect("not poisoned").push(event.position);
                Ok(())
            }
        };
        client.subscribe(&["GAUGE:*"], options, callback).expect("a subscription")
    }
}

async fn until(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(5);
    while !holds() {
        assert!(Instant::now() < end, "it does not come true in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn it_asks_for_a_ticket_and_says_what_it_wants() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    let subscription = record.listen(&client, record.options().since(7), 0);
    let mut stream = hub.stream().await;
    assert_eq!(stream.command, json!({ "action": "subscribe", "events": ["GAUGE:*"], "since": 7 }));
    assert_eq!(stream.path, "/events/stream?token=t%2F1");
    assert_eq!(hub.asked()[0].body, "{}");
    stream.begin(20, false).await;
    subscription.ready().await;
    assert_eq!(subscription.position(), Some(7));
}

#[tokio::test]
async fn it_begins_where_the_hub_stands_and_comes_back_to_there() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    let subscription = record.listen(&client, record.options(), 0);
    let mut stream = hub.stream().await;
    assert_eq!(stream.command, json!({ "action": "subscribe", "events": ["GAUGE:*"] }));
    assert_eq!(subscription.position(), None);
    stream.begin(20, false).await;
    subscription.ready().await;
    stream.close(1012).await;
    assert_eq!(hub.stream().await.command["since"], 20);
    assert!(record.problems().is_empty());
}

#[tokio::test]
async fn what_comes_twice_is_dropped_and_the_position_waits_for_the_callback() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let (go, record) = (Arc::new(Semaphore::new(0)), Record::default());
    let (gate, seen) = (Arc::clone(&go), Arc::clone(&record.seen));
    let subscription = client
        .subscribe(&["GAUGE:*"], record.options().since(0), move |event| {
            let (gate, seen) = (Arc::clone(&gate), Arc::clone(&seen));
            async move {
                gate.acquire().await?.forget();
                seen.lock().expect("not poisoned").push(event.position);
                Ok::<_, tokio::sync::AcquireError>(())
            }
        })
        .expect("a subscription");
    let mut stream = hub.stream().await;
    stream.begin(3, false).await;
    let caught_up = json!({ "status": "caught_up", "position": 9 });
    stream.give(&[event(1), event(2), event(2), event(1), caught_up]).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(subscription.position(), Some(0));
    go.add_permits(1);
    until(|| subscription.position() == Some(1)).await;
    go.add_permits(1);
    until(|| subscription.position() == Some(9)).await;
    assert_eq!(record.seen(), [1, 2]);
}

#[tokio::test]
async fn an_event_whose_callback_failed_is_given_again() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    record.listen(&client, record.options().since(0), 1);
    let mut stream = hub.stream().await;
    stream.begin(3, false).await;
    stream.give(&[event(1), event(2)]).await;
    until(|| record.seen() == [1, 2]).await;
    assert_eq!(record.problems(), ["the callback failed for GAUGE:READING 1: disk full"]);
}

#[tokio::test]
async fn a_callback_that_panics_ends_nothing_and_on_error_may_give_up_on_its_event() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    let seen = Arc::clone(&record.seen);
    let options = SubscribeOptions::default().since(0).on_error(|_| Verdict::Skip);
    client
        .subscribe(&["GAUGE:*"], options, move |event| {
            let seen = Arc::clone(&seen);
            async move {
                assert_ne!(event.position, 1, "planted");
                seen.lock().expect("not poisoned").push(event.position);
                Ok::<_, io::Error>(())
            }
        })
        .expect("a subscription");
    let mut stream = hub.stream().await;
    stream.begin(3, false).await;
    stream.give(&[event(1), event(2)]).await;
    until(|| record.seen() == [2]).await;
}

#[tokio::test]
async fn a_restored_hub_counts_anew() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    let gaps = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&gaps);
    let options = record
        .options()
        .since(100)
        .on_gap(move |gap| told.lock().expect("not poisoned").push(gap));
    record.listen(&client, options, 0);
    let mut stream = hub.stream().await;
    stream.begin(40, true).await;
    stream.give(&[event(41)]).await;
    until(|| record.seen() == [41]).await;
    assert_eq!(*gaps.lock().expect("not poisoned"), [Gap { since: 100, position: 40 }]);
}

#[tokio::test]
async fn a_gap_of_old_events_keeps_the_place() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    record.listen(&client, record.options().since(5), 0);
    let mut stream = hub.stream().await;
    stream.begin(40, true).await;
    stream.give(&[event(30), event(41)]).await;
    until(|| record.seen() == [30, 41]).await;
}

#[tokio::test]
async fn types_that_the_hub_does_not_know_are_named() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    record.listen(&client, record.options(), 0);
    let mut stream = hub.stream().await;
    stream
        .give(&[json!({ "status": "subscribed", "invalidEvents": ["GAUGE:NOTHING"], "position": 1, "gap": false })])
        .await;
    until(|| record.problems() == ["the hub does not know GAUGE:NOTHING"]).await;
}

#[tokio::test]
async fn it_comes_back_after_4901_with_its_place() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    record.listen(&client, record.options().since(0), 0);
    let mut stream = hub.stream().await;
    stream.begin(3, false).await;
    stream.give(&[event(1)]).await;
    until(|| record.seen() == [1]).await;
    let begun = Instant::now();
    stream.close(4901).await;
    assert_eq!(hub.stream().await.command["since"], 1);
    assert!(
        begun.elapsed() < Duration::from_millis(100),
        "at once, without the usual pause of 125 ms at least"
    );
}

#[tokio::test]
async fn a_stream_that_never_begins_is_told() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    record.listen(&client, record.options(), 0);
    hub.stream().await.close(1011).await;
    until(|| record.problems() == ["the stream ended before it began"]).await;
}

#[tokio::test]
async fn who_is_turned_away_hears_why_and_waits() {
    let hub = FakeHub::start(|_| (401, "", json!({ "error": "invalid_signature", "message": "It does not fit." }))).await;
    let client = hub.builder().build().expect("a client");
    let record = Record::default();
    let subscription = record.listen(&client, record.options(), 0);
    until(|| record.problems() == ["It does not fit."]).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(hub.asked().len(), 1);
    subscription.close().await;
}

#[tokio::test]
async fn it_hangs_up_when_too_much_waits_and_comes_back_for_the_rest() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let (go, record) = (Arc::new(Semaphore::new(0)), Record::default());
    let (gate, seen) = (Arc::clone(&go), Arc::clone(&record.seen));
    client
        .subscribe(&["GAUGE:*"], record.options().since(0), move |event| {
            let (gate, seen) = (Arc::clone(&gate), Arc::clone(&seen));
            async move {
                gate.acquire().await?.forget();
                seen.lock().expect("not poisoned").push(event.position);
                Ok::<_, tokio::sync::AcquireError>(())
            }
        })
        .expect("a subscription");
    let mut stream = hub.stream().await;
    stream.begin(3, false).await;
    let padding = "x".repeat(1_000_000);
    let frames: Vec<_> = (1..=10)
        .map(|position| {
            let mut event = event(position);
            event["payload"]["padding"] = json!(padding);
            event
        })
        .collect();
    stream.give(&frames).await;
    let gone = tokio::time::timeout(Duration::from_secs(5), stream.ended());
    gone.await.expect("it hangs up");
    go.add_permits(100);
    let since = hub.stream().await.command["since"].as_i64().expect("a position");
    assert!((8..=10).contains(&since), "{since}");
    assert_eq!(record.seen(), (1..=since).collect::<Vec<_>>());
}

#[tokio::test]
async fn closing_waits_for_the_callback_that_runs_and_begins_no_other() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let (started, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begun, gate) = (Arc::clone(&started), Arc::clone(&go));
    let subscription = client
        .subscribe(&["GAUGE:*"], SubscribeOptions::default().since(0), move |_| {
            let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
            async move {
                begun.add_permits(1);
                gate.acquire().await?.forget();
                Ok::<_, tokio::sync::AcquireError>(())
            }
        })
        .expect("a subscription");
    let mut stream = hub.stream().await;
    stream.begin(3, false).await;
    stream.give(&[event(1), event(2)]).await;
    started.acquire().await.expect("it stays open").forget();
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!closing.is_finished());
    go.add_permits(5);
    closing.await.expect("it closes");
    assert_eq!((subscription.position(), started.available_permits()), (Some(1), 0));
}

#[tokio::test]
async fn a_callback_may_close_its_own_subscription() {
    let mut hub = FakeHub::with_tickets().await;
    let client = hub.builder().build().expect("a client");
    let itself: Arc<Mutex<Option<Subscription>>> = Arc::default();
    let known = Arc::clone(&itself);
    let subscription = client
        .subscribe(&["GAUGE:*"], SubscribeOptions::default().since(0), move |_| {
            let subscription = known.lock().expect("not poisoned").clone();
            async move {
                subscription.ok_or("it is known by now")?.close().await;
                Ok::<_, &str>(())
            }
        })
        .expect("a subscription");
    *itself.lock().expect("not poisoned") = Some(subscription.clone());
    let mut stream = hub.stream().await;
    stream.begin(3, false).await;
    stream.give(&[event(1), event(2)]).await;
    stream.ended().await;
    tokio::time::timeout(Duration::from_secs(5), subscription.close())
        .await
        .expect("it closes");
    assert_eq!(subscription.position(), Some(1));
}

#[tokio::test]
async fn it_takes_1_to_20_types_and_an_open_client() {
    let client = NexusClient::builder("http://127.0.0.1:9").token("nxa_1").build().expect("a client");
    let subscribe = |types: &[&str]| client.subscribe(types, SubscribeOptions::default(), async |_| Ok::<_, io::Error>(()));
    assert!(matches!(subscribe(&[]), Err(HubError::Misused(_))));
    assert!(matches!(subscribe(&["A:B"; 21]), Err(HubError::Misused(_))));
    client.close().await;
    assert!(matches!(subscribe(&["A:B"]), Err(HubError::Closed)));
}
