//! Thousands of events through three reactors and two streams, with a process that is killed in the middle, again and again:
//! nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nexus_testkit::Seed;
use serde_json::{Value, json};

use super::chain::quiet;
use super::factories::Factory;
use super::kills::post_as;
use super::streams::stage::{Heard, Listener, Way, subscribe};
use super::{ALONE, Hub, Place};

const EVENTS: usize = 3_000;
const SENDERS: usize = 6;
/// How often the process is killed while they send.
const KILLS: usize = 3;
/// Calls in a hundred that fail.
const FAILING: u8 = 3;
const PATIENCE: Duration = Duration::from_mins(1);
const TYPES: &str = "[hub]\ntypes = [\"GAUGE:READING\", \"GAUGE:ALARM\", \"GAUGE:END\", \"MILL:STOPPED\"]\n";

const ALARM: &str = "on = [\"GAUGE:READING\"]\n[[emit]]\nevent = \"GAUGE:ALARM\"\npayload = \"{{ payload }}\"\n";
const STOP: &str =
    "on = [\"GAUGE:READING\"]\nkey = \"{{ payload.n }}\"\n[[emit]]\nevent = \"MILL:STOPPED\"\n[emit.payload]\nn = \"{{ payload.n }}\"\n";
const TELL: &str =
    "on = [\"GAUGE:READING\"]\nconcurrency = 32\n[http]\nurl = \"{{ env.FACTORY_API_URL }}/readings\"\njson = \"{{ payload }}\"\n";

/// What everybody knows.
struct Scene {
    /// Where the server listens now.
    port: AtomicU16,
    answered: AtomicUsize,
    /// The id and the position that were answered for each event.
    answers: Mutex<BTreeMap<usize, (Value, Value)>>,
}

impl Scene {
    /// Sends events until each was answered.
    fn send(&self, numbers: impl Iterator<Item = usize>) {
        for n in numbers {
            let body = json!({ "event": "GAUGE:READING", "payload": { "n": n } }).to_string();
            let deadline = Instant::now() + PATIENCE;
            let answer = loop {
                if let Some(answer) = post_as(self.port.load(Ordering::Relaxed), &format!("reading-{n}"), &body) {
                    break answer;
                }
                assert!(Instant::now() < deadline, "{n} is answered");
                std::thread::sleep(Duration::from_millis(5));
            };
            self.answers
                .lock()
                .expect("nobody panics with it")
                .insert(n, (answer["id"].clone(), answer["position"].clone()));
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hears these from the beginning to `GAUGE:END`, however often the connection ends.
    async fn hear(&self, admin: &str, events: &[&str]) -> Vec<Value> {
        let bearer = format!("Bearer {admin}");
        let mut heard: Vec<Value> = vec![];
        loop {
            let way = Way {
                who: Some(&bearer),
                ..Way::default()
            };
            let address = SocketAddr::from(([127, 0, 0, 1], self.port.load(Ordering::Relaxed)));
            let Ok(mut listener) = Listener::open(address, way).await else {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            let since = heard.last().map_or(0, |event| event["position"].as_i64().expect("a position"));
            listener.say(&subscribe(events, Some(since))).await;
            loop {
                match listener.hear_within(PATIENCE).await.expect("it goes on") {
                    Heard::Said(said) if said["event"].is_string() => {
                        let is_end = said["event"] == "GAUGE:END";
                        heard.push(said);
                        if is_end {
                            return heard;
                        }
                    }
                    Heard::Said(said) => assert_ne!(said["gap"], json!(true), "{said}"),
                    Heard::Ping => {}
                    Heard::Closed(_) | Heard::Cut => break,
                }
            }
        }
    }
}

/// The numbers of events that this reactor made, each of them once.
fn numbers(events: &[Value], source: &str) -> BTreeSet<u64> {
    let numbers = events.iter().map(|event| {
        assert_eq!(event["source"], source, "{event}");
        event["payload"]["n"].as_u64().expect("a number")
    });
    let once: BTreeSet<_> = numbers.collect();
    assert_eq!(once.len(), events.len(), "{source} made something twice");
    once
}

fn place() -> Place {
    let place = Place::configured(TYPES);
    for (name, rule) in [("alarm", ALARM), ("stop", STOP), ("tell", TELL)] {
        place.rule(name, rule);
    }
    place
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_no_effect_and_no_push_is_lost_by_kills_in_the_middle() {
    let mut seed = Seed::of_run("losses");
    let (place, factory) = (place(), Factory::start(seed.draw(), FAILING));
    let url = factory.url();
    let environment = [("FACTORY_API_URL", url.as_str())];
    let mut hub = place.serve_in(&ALONE, &environment);
    let scene = Scene {
        port: AtomicU16::new(hub.server.port),
        answered: AtomicUsize::new(0),
        answers: Mutex::default(),
    };
    let scene: &'static Scene = Box::leak(Box::new(scene));
    let hear = |events: &'static [&'static str]| {
        let admin = place.admin.clone();
        tokio::spawn(async move { scene.hear(&admin, events).await })
    };
    let all = hear(&["*"]);
    let some = hear(&["GAUGE:ALARM", "MILL:*", "GAUGE:END"]);
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| tokio::task::spawn_blocking(move || scene.send((sender..EVENTS).step_by(SENDERS))))
        .collect();
    for quarter in 1..=KILLS {
        let then = EVENTS * quarter / (KILLS + 1) + seed.below(EVENTS / 10);
        while scene.answered.load(Ordering::Relaxed) < then {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        hub.kill();
        hub = place.serve_in(&ALONE, &environment);
        scene.port.store(hub.server.port, Ordering::Relaxed);
    }
    for sender in senders {
        sender.await.expect("it ends well");
    }
    // The last job was made when the last call came; then whatever was made ends.
    let deadline = Instant::now() + PATIENCE;
    while factory.books().mints.len() < EVENTS {
        assert!(Instant::now() < deadline, "every event is told");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    quiet(&hub).await;
    post_as(hub.server.port, "end", r#"{"event":"GAUGE:END","payload":{}}"#).expect("an answer");
    check(&hub, &factory, scene);
    let (all, some) = (all.await.expect("it ends well"), some.await.expect("it ends well"));
    let stored = hub.all("");
    assert!(stored.is_sorted_by_key(|event| event["position"].as_i64()));
    assert_eq!(all.len(), stored.len(), "the stream of everything is complete");
    assert_eq!(all, stored);
    assert_eq!(some, hub.all("&event=GAUGE:ALARM,MILL:*,GAUGE:END"));
}

/// Everything that was answered is there, and every reactor's effect once.
fn check(hub: &Hub<'_>, factory: &Factory, scene: &Scene) {
    let readings = hub.all("&event=GAUGE:READING");
    let everything: BTreeSet<_> = (0..EVENTS as u64).collect();
    assert_eq!(numbers(&readings, "default"), everything);
    let answers = scene.answers.lock().expect("nobody panics with it");
    for event in &readings {
        let n = event["payload"]["n"].as_u64().expect("a number") as usize;
        assert_eq!(
            answers[&n],
            (event["id"].clone(), event["position"].clone()),
            "{n} is what was answered"
        );
    }
    assert_eq!(numbers(&hub.all("&event=GAUGE:ALARM"), "reactor/alarm"), everything);
    assert_eq!(numbers(&hub.all("&event=MILL:STOPPED"), "reactor/stop"), everything);
    assert_eq!(hub.get("/events/dead-letters"), json!([]));
    let books = factory.books();
    let told: BTreeSet<_> = books.mints.iter().map(|(_, body)| body["n"].as_u64().expect("a number")).collect();
    assert_eq!((books.mints.len(), told), (EVENTS, everything), "one key for each event");
}
