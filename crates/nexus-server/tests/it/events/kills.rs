//! The process is killed without warning right after it answered, and while many post: what was answered is there, once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::{ALONE, Hub, Place, SECRET, payment, sign};
use crate::wire::{Ask, read};

/// Those who post at once.
const SENDERS: usize = 8;

#[test]
fn an_event_that_was_answered_survives_a_kill() {
    let place = Place::new();
    for order in ["1", "2", "3"] {
        let hub = place.serve(&ALONE);
        let answer = hub
            .signed(SECRET, &payment(order))
            .header("x-nexus-event-id", order)
            .send()
            .expect(200);
        hub.kill();
        let hub = place.serve(&ALONE);
        let id = answer["id"].as_str().expect("an id");
        let life = hub.get(&format!("/events/{id}"));
        assert_eq!(
            (&life["position"], &life["external_id"]),
            (&answer["position"], &Value::from(order))
        );
        let again = hub
            .signed(SECRET, &payment(order))
            .header("x-nexus-event-id", order)
            .send()
            .expect(200);
        assert_eq!((&again["status"], &again["id"]), (&Value::from("duplicate"), &answer["id"]));
        hub.kill();
    }
}

/// A sender that got no answer sends the same again; what was answered is stored, and nothing is stored twice.
#[test]
fn nothing_is_lost_or_doubled_while_many_post_and_the_process_dies() {
    let place = Place::new();
    let mut answered: BTreeMap<String, Value> = BTreeMap::new();
    let mut sent: Vec<String> = vec![];
    for round in 0..3 {
        let hub = place.serve(&ALONE);
        let (port, stop) = (hub.server.port, AtomicBool::new(false));
        let results: Vec<Vec<(String, Option<Value>)>> = std::thread::scope(|scope| {
            let sender = |number: usize| {
                let stop = &stop;
                move || {
                    let mut told = vec![];
                    for count in 0.. {
                        let order = format!("{round}-{number}-{count}");
                        told.push((order.clone(), post(port, &order)));
                        if stop.load(Ordering::Relaxed) {
                            return told;
                        }
                    }
                    told
                }
            };
            let senders: Vec<_> = (0..SENDERS).map(|number| scope.spawn(sender(number))).collect();
            std::thread::sleep(Duration::from_millis(150));
            hub.server.signal(Signal::KILL);
            stop.store(true, Ordering::Relaxed);
            senders.into_iter().map(|sender| sender.join().expect("it ends")).collect()
        });
        for (order, answer) in results.into_iter().flatten() {
            answered.extend(answer.map(|answer| (order.clone(), answer["id"].clone())));
            sent.push(order);
        }
    }
    assert!(answered.len() > 3 * SENDERS, "the senders got on: {}", answered.len());
    let hub = place.serve(&ALONE);
    // Every sender tries again; what was there before keeps its id.
    for order in &sent {
        let again = post(hub.server.port, order).expect("an answer");
        if let Some(id) = answered.get(order) {
            assert_eq!(
                (&again["status"], &again["id"]),
                (&Value::from("duplicate"), id),
                "{order} was lost"
            );
        }
    }
    assert_eq!(orders(&hub), sent.iter().cloned().collect::<BTreeSet<_>>());
}

fn post(port: u16, order: &str) -> Option<Value> {
    post_as(port, order, &payment(order))
}

/// Posts under an event id, and answers with what came back if anything did.
pub(super) fn post_as(port: u16, id: &str, body: &str) -> Option<Value> {
    let ask = Ask::new(port, "POST", "/events").body("application/json", body);
    let ask = ask
        .header("x-nexus-signature", &sign(SECRET, body.as_bytes()))
        .header("x-nexus-event-id", id);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(&ask.header("connection", "close").bytes()).ok()?;
    let answer = read(&mut stream)?;
    let whole = answer.status() == 200 && answer.body.ends_with('}');
    whole.then(|| answer.json())
}

/// The orders of all stored payments. Each is there once.
fn orders(hub: &Hub<'_>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut before = String::new();
    loop {
        let page = hub.get(&format!("/events?limit=100&source=default{before}"));
        let events = page.as_array().expect("a list");
        let Some(last) = events.last() else { return all };
        before = format!("&before={}", last["position"]);
        for event in events {
            let order = event["payload"]["orderId"].as_str().expect("an order").to_owned();
            assert!(all.insert(order.clone()), "{order} is there twice");
        }
    }
}
