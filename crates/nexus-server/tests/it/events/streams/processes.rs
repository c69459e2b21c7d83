//! Streams of the real program: who comes in, when that ends, and that a kill costs nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::stage::{Heard, Listener, Way, subscribe};
use crate::events::{Hub, Place, SECRET, administrator, payment, sign};
use crate::server::Server;
use crate::wire::{Ask, read};

const EVENTS: &str = "/events/stream";
/// Those who post at once, and those who listen.
const SENDERS: usize = 6;
const LISTENERS: usize = 6;

fn address(server: &Server) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], server.port))
}

async fn open(server: &Server, path: &str, token: Option<&str>) -> Result<Listener, u16> {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let way = Way {
        path,
        who: bearer.as_deref(),
        ..Way::default()
    };
    Listener::open(address(server), way).await.map_err(|(status, _)| status)
}

fn ticket(answer: &Value) -> String {
    format!("{EVENTS}?token={}", answer["ticket"].as_str().expect("a ticket"))
}

#[tokio::test]
async fn administrators_and_sources_come_in_with_tokens_and_tickets() {
    let place = Place::new();
    let hub = place.alone();
    let source = json!({ "name": "gauges", "events": ["FLOWPAY:*"], "reads": true });
    let secret = hub.admin("POST", "/events/sources").json(&source).send().expect(201)["secret"].clone();
    let by_admin = ticket(&hub.admin("POST", "/events/tickets").send().expect(200));
    let now = crate::events::now_s().to_string();
    let signature = sign(secret.as_str().expect("a secret"), format!("{now}.{{}}").as_bytes());
    let ask = hub.ask("POST", "/events/tickets").body("", "{}").header("x-nexus-source", "gauges");
    let ask = ask.header("x-nexus-timestamp", &now).header("x-nexus-signature", &signature);
    let by_source = ticket(&ask.send().expect(200));
    let mut all = vec![];
    for (path, token) in [
        (EVENTS, Some(place.admin.as_str())),
        ("/", Some(place.admin.as_str())),
        (&by_admin, None),
        (&by_source, None),
    ] {
        let mut listener = open(&hub.server, path, token).await.expect("it is let in");
        listener.subscribe(&["FLOWPAY:*"], None).await;
        all.push(listener);
    }
    let list = hub.get("/events/streams");
    let who: Vec<_> = list.as_array().expect("a list").iter().map(|stream| &stream["who"]).collect();
    assert_eq!(who[2..], ["an administrator's token", "source gauges"]);
    let answer = hub.post(SECRET, &payment("1")).expect(200);
    for listener in &mut all {
        let event = listener.json().await;
        assert_eq!((&event["position"], &event["id"]), (&answer["position"], &answer["id"]), "{event}");
        assert_eq!(
            (&event["source"], &event["payload"]["payerId"]),
            (&json!("default"), &json!("@hana"))
        );
    }
    let metrics = hub.admin("GET", "/metrics").send().body;
    for line in ["nexus_hub_streams 4", "nexus_hub_stream_events_total 4"] {
        assert!(metrics.lines().any(|known| known == line), "{line} in\n{metrics}");
    }
    hub.admin("DELETE", "/events/sources/gauges").send();
    assert_eq!(all[3].hear().await, Heard::Closed(4004));
    for (path, token) in [
        (by_admin.as_str(), None),
        (&by_source, None),
        (EVENTS, Some("nxa_nobody")),
        (EVENTS, None),
    ] {
        assert_eq!(open(&hub.server, path, token).await.err(), Some(401), "{path}");
    }
}

#[tokio::test]
async fn a_stream_of_an_administrator_ends_with_the_login_and_so_does_a_ticket() {
    let place = Place::new();
    let hub = place.serve(&["--no-rate-limits"]);
    let admin = administrator(&hub.server);
    let sign_in = || {
        let account = json!({ "username": "admin", "password": "correct horse" });
        let body = hub.ask("POST", "/api/v1/auth/login").json(&account).send().expect(200);
        body["access_token"].as_str().expect("a token").to_owned()
    };
    let other = sign_in();
    let mut ended = open(&hub.server, EVENTS, Some(&admin.token)).await.expect("it is let in");
    let mut idle = open(&hub.server, EVENTS, Some(&admin.token)).await.expect("it is let in");
    let mut stays = open(&hub.server, EVENTS, Some(&other)).await.expect("it is let in");
    for listener in [&mut ended, &mut stays] {
        listener.subscribe(&["*"], None).await;
    }
    let late = ticket(&admin.ask("POST", "/events/tickets").send().expect(200));
    let status = admin.ask("POST", "/api/v1/auth/logout").send().status();
    assert_eq!(status, 204);
    assert_eq!((ended.closed().await, idle.closed().await), (4004, 4004));
    assert_eq!(open(&hub.server, EVENTS, Some(&admin.token)).await.err(), Some(401));
    // A ticket is not asked about its login before the upgrade, but before anything is said.
    let mut late = open(&hub.server, &late, None).await.expect("a ticket that is good in itself");
    late.say(&subscribe(&["*"], Some(0))).await;
    assert_eq!(late.hear().await, Heard::Closed(4004));
    let event = json!({ "event": "START", "payload": {} }).to_string();
    let answer = hub.post(SECRET, &event).expect(200);
    assert_eq!(stays.json().await["position"], answer["position"]);
    let guest = hub.server.register("guest");
    assert_eq!(
        open(&hub.server, EVENTS, Some(&guest.token)).await.err(),
        Some(403),
        "nobody but administrators"
    );
}

#[tokio::test]
async fn a_stop_says_1012() {
    let place = Place::new();
    let mut hub = place.alone();
    let mut listener = open(&hub.server, EVENTS, Some(&place.admin)).await.expect("it is let in");
    listener.subscribe(&["*"], None).await;
    hub.server.signal(Signal::TERM);
    assert_eq!(listener.closed().await, 1012);
    drop(listener);
    assert_eq!(hub.server.wait().0.code(), Some(0));
}

/// Posts until the server is gone: which positions were answered.
fn post_until_gone(port: u16, stop: &AtomicBool) -> Vec<i64> {
    let mut positions = vec![];
    while !stop.load(Ordering::Relaxed) {
        let body = payment("1");
        let ask = Ask::new(port, "POST", "/events")
            .body("application/json", body.as_str())
            .header("x-nexus-signature", &sign(SECRET, body.as_bytes()))
            .header("connection", "close");
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
            break;
        };
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        if std::io::Write::write_all(&mut stream, &ask.bytes()).is_err() {
            break;
        }
        let Some(answer) = read(&mut stream).filter(|answer| answer.status() == 200) else {
            break;
        };
        match serde_json::from_str::<Value>(&answer.body) {
            Ok(body) => positions.push(body["position"].as_i64().expect("a position")),
            Err(_) => break,
        }
    }
    positions
}

/// Listens from the last position on until the server is gone, or has said that everything came.
async fn follow(server: SocketAddr, token: String, mut heard: Vec<i64>, until_caught_up: bool) -> Vec<i64> {
    let bearer = format!("Bearer {token}");
    let way = Way {
        who: Some(&bearer),
        ..Way::default()
    };
    let Ok(mut listener) = Listener::open(server, way).await else {
        return heard;
    };
    let since = heard.last().copied().unwrap_or(0);
    listener.say(&subscribe(&["FLOWPAY:*"], Some(since))).await;
    loop {
        match listener.hear().await {
            Heard::Said(value) if value["event"].is_string() => heard.push(value["position"].as_i64().expect("a position")),
            Heard::Said(value) if value["status"] == "caught_up" && until_caught_up => return heard,
            Heard::Said(value) => assert_ne!(value["gap"], json!(true)),
            Heard::Ping => {}
            Heard::Closed(_) | Heard::Cut => return heard,
        }
    }
}

/// Stands for a power cut: the process is killed in the middle, twice, and started again over what it left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_costs_no_event_for_who_comes_back_with_a_position() {
    let place = Place::new();
    let mut answered = vec![];
    let mut all: Vec<Vec<i64>> = vec![vec![]; LISTENERS];
    for _ in 0..2 {
        let mut hub = place.alone();
        let (port, server) = (hub.server.port, address(&hub.server));
        let listeners: Vec<_> = all
            .drain(..)
            .map(|heard| tokio::spawn(follow(server, place.admin.clone(), heard, false)))
            .collect();
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let stop = stop.clone();
                tokio::task::spawn_blocking(move || post_until_gone(port, &stop))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(400)).await;
        kill(&mut hub);
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            answered.extend(sender.await.expect("it ends well"));
        }
        for listener in listeners {
            all.push(listener.await.expect("it ends well"));
        }
    }
    let hub = place.alone();
    answered.sort_unstable();
    println!("{} events were answered", answered.len());
    assert!(answered.len() > 20);
    for heard in all {
        let heard = follow(address(&hub.server), place.admin.clone(), heard, true).await;
        assert!(heard.windows(2).all(|pair| pair[0] < pair[1]), "once, and in order");
        // What was stored and not answered came too.
        assert!(
            answered.iter().all(|position| heard.binary_search(position).is_ok()),
            "everything that was answered"
        );
    }
}

fn kill(hub: &mut Hub<'_>) {
    hub.server.signal(Signal::KILL);
    hub.server.wait();
}
