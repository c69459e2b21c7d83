//! The past: from memory and from the hub's table, across restarts, and what can't be had any more.

use nexus_types::limits::DAY_MS;
use serde_json::json;

use super::stage::{START_MS, Stage, caught_up, subscribe};

/// Bytes of a ring that holds hardly more than one entry.
const TINY: usize = 1_000;

/// A few events of several types, and messages between them: the positions of readings, and of everything.
async fn history(stage: &Stage, rounds: usize) -> (Vec<i64>, Vec<i64>) {
    let (mut readings, mut all) = (vec![], vec![]);
    for round in 0..rounds {
        readings.push(stage.publish("GAUGE:READING", json!({ "round": round })).await);
        all.push(*readings.last().expect("one"));
        all.push(stage.message().await);
        all.push(stage.publish("MILL:STOPPED", json!({ "round": round })).await);
    }
    (readings, all)
}

#[tokio::test]
async fn everything_after_a_position_comes_then_a_word_and_then_what_is_new() {
    for ring in [TINY, usize::MAX] {
        let stage = Stage::with_ring(ring).await;
        let before = stage.hub.db().bus().head();
        let (readings, all) = history(&stage, 100).await;
        let head = stage.hub.db().bus().head();
        for (patterns, since, expected) in [
            (&["*"][..], before, &all[..]),
            (&["GAUGE:READING"], before, &readings[..]),
            (&["GAUGE:*", "READING"], readings[49], &readings[50..]),
            (&["*"], head, &[]),
        ] {
            let mut listener = stage.listener().await;
            assert_eq!(listener.subscribe(patterns, Some(since)).await, since);
            for position in expected {
                assert_eq!(listener.event().await, *position, "{patterns:?} after {since}, ring {ring}");
            }
            assert_eq!(listener.json().await, caught_up(head), "{patterns:?} after {since}, ring {ring}");
            listener.hears_nothing().await;
        }
        let mut listener = stage.listener().await;
        listener.subscribe(&["GAUGE:*"], Some(readings[98])).await;
        assert_eq!(listener.event().await, readings[99]);
        assert_eq!(listener.json().await, caught_up(head));
        let new = stage.publish("GAUGE:ALARM", json!({})).await;
        assert_eq!(listener.event().await, new);
    }
}

#[tokio::test]
async fn the_past_and_the_new_are_the_same_json() {
    let stage = Stage::with_ring(TINY).await;
    let mut live = stage.listener().await;
    let start = live.subscribe(&["*"], None).await;
    history(&stage, 3).await;
    let mut past = stage.listener().await;
    past.subscribe(&["*"], Some(start)).await;
    for _ in 0..9 {
        let (one, mut other) = (live.json().await, past.json().await);
        assert_eq!(one["position"], other["position"]);
        if one["event"] == "nexus:message_create" {
            // Whether the author is known depends on whether the text was erased before the hub saw it.
            other["payload"]["author_id"] = one["payload"]["author_id"].clone();
        }
        assert_eq!(one, other);
    }
}

#[tokio::test]
async fn a_subscription_without_a_position_begins_at_the_head() {
    let stage = Stage::new().await;
    let last = stage.publish("GAUGE:READING", json!({})).await;
    let mut listener = stage.listener().await;
    assert_eq!(listener.subscribe(&["*"], None).await, last);
    let next = stage.publish("GAUGE:READING", json!({})).await;
    assert_eq!(listener.event().await, next, "and nothing says that it caught up");
}

#[tokio::test]
async fn who_asks_for_nothing_has_all_of_its_past() {
    let stage = Stage::with_ring(TINY).await;
    history(&stage, 3).await;
    let head = stage.hub.db().bus().head();
    let mut listener = stage.listener().await;
    let answer = listener.ask(&subscribe(&["nope"], Some(0))).await;
    assert_eq!((&answer["validEvents"], &answer["invalidEvents"]), (&json!([]), &json!(["nope"])));
    assert_eq!(listener.json().await, caught_up(head));
    // One that waits for its past, and one that begins at the head.
    let since = head - 2;
    assert!(listener.say(&subscribe(&["MILL:*"], Some(since))).await);
    assert!(listener.say(&subscribe(&["GAUGE:*"], None)).await);
    let mut heard = vec![];
    while heard.len() < 4 {
        heard.push(listener.json().await);
    }
    let words: Vec<_> = heard.iter().map(|value| value["status"].as_str().unwrap_or("event")).collect();
    assert!(words.contains(&"event") && words.contains(&"caught_up"), "{heard:?}");
    let new = stage.publish("GAUGE:READING", json!({})).await;
    assert_eq!(listener.event().await, new);
}

#[tokio::test]
async fn what_is_subscribed_to_later_has_a_past_of_its_own() {
    for ring in [TINY, usize::MAX] {
        let stage = Stage::with_ring(ring).await;
        let before = stage.hub.db().bus().head();
        let (readings, all) = history(&stage, 40).await;
        let stops: Vec<_> = all.iter().skip(2).step_by(3).copied().collect();
        let head = stage.hub.db().bus().head();
        let mut listener = stage.listener().await;
        // One is live, the second wants all of its past, the third a part of it: none is told anything twice.
        listener.subscribe(&["FLOWPAY:*"], None).await;
        assert!(listener.say(&subscribe(&["MILL:STOPPED"], Some(before))).await);
        assert!(listener.say(&subscribe(&["READING"], Some(readings[29]))).await);
        let mut heard = vec![];
        let mut answers = 0;
        loop {
            let value = listener.json().await;
            match value["position"].as_i64() {
                Some(position) if value["event"].is_string() => heard.push(position),
                _ if value["status"] == "subscribed" => answers += 1,
                _ if answers < 2 => assert_eq!(value["status"], "caught_up", "the second may come before the third is read"),
                _ => {
                    assert_eq!(value, caught_up(head));
                    break;
                }
            }
        }
        let mut expected: Vec<_> = stops.iter().chain(&readings[30..]).copied().collect();
        let mut sorted = heard.clone();
        sorted.sort_unstable();
        expected.sort_unstable();
        assert_eq!(sorted, expected, "ring {ring}");
        let of = |all: &[i64]| heard.iter().copied().filter(|position| all.contains(position)).collect::<Vec<_>>();
        assert_eq!(
            (of(&stops), of(&readings)),
            (stops.clone(), readings[30..].to_vec()),
            "each in order"
        );
        let new = stage.publish("GAUGE:READING", json!({})).await;
        assert_eq!(listener.event().await, new);
    }
}

#[tokio::test]
async fn a_restart_loses_nothing_for_who_comes_back_with_a_position() {
    let stage = Stage::new().await;
    let mut listener = stage.listener().await;
    let start = listener.subscribe(&["GAUGE:*", "nexus:*"], None).await;
    let (_, before) = history(&stage, 20).await;
    let mut last = start;
    for _ in 0..10 {
        last = listener.event().await;
    }
    drop(listener);
    let stage = stage.restart().await;
    let (_, after) = history(&stage, 20).await;
    let mut listener = stage.listener().await;
    listener.subscribe(&["GAUGE:*", "nexus:*"], Some(last)).await;
    let expected = before.chunks(3).chain(after.chunks(3)).flat_map(|round| &round[..2]).copied();
    for position in expected.filter(|position| *position > last) {
        assert_eq!(listener.event().await, position);
    }
    assert_eq!(listener.json().await["status"], "caught_up");
}

#[tokio::test]
async fn what_was_deleted_or_never_was_is_said() {
    let stage = Stage::with_ring(TINY).await;
    let (_, old) = history(&stage, 10).await;
    stage.clock.set(START_MS + 29 * DAY_MS);
    let (_, young) = history(&stage, 10).await;
    stage.clock.set(START_MS + 31 * DAY_MS);
    let gap = async |since: i64| {
        let mut listener = stage.listener().await;
        let answer = listener.ask(&subscribe(&["*"], Some(since))).await;
        assert_eq!(answer["status"], "subscribed");
        let gap = answer["gap"].as_bool().expect("a flag");
        (gap, answer["position"].as_i64().expect("a position"), listener)
    };
    let last_old = *old.last().expect("some");
    assert!(!gap(0).await.0, "nothing was deleted yet");
    // The next start's entry, which the sweep keeps, is not old: all that is left begins after the old ones.
    stage.hub.sweep().await.expect("it is swept");
    assert!(gap(0).await.0, "all");
    assert!(gap(last_old - 1).await.0, "one is missing");
    assert!(!gap(last_old).await.0, "none is missing");
    let (_, position, mut listener) = gap(0).await;
    assert_eq!(position, 0);
    for position in &young {
        assert_eq!(listener.event().await, *position, "what there is comes all the same");
    }
    let head = stage.hub.db().bus().head();
    assert_eq!(listener.json().await, caught_up(head));
    let (is_gap, position, mut listener) = gap(head + 1_000).await;
    assert!(is_gap, "of another history");
    assert_eq!((position, listener.json().await), (head, caught_up(head)));
    let new = stage.publish("GAUGE:READING", json!({})).await;
    assert_eq!(listener.event().await, new);
}
