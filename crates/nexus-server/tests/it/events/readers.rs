//! Reading events: signed or with an administrator's token, never anonymously.

use serde_json::{Value, json};

use super::{Hub, Place, SECRET, now_s, payment, refused, sign};
use crate::wire::Ask;

/// A request signed by the default source, as its path stands in it.
fn signed(hub: &Hub<'_>, method: &str, target: &str) -> Ask {
    signed_as(hub, "default", SECRET, (method, target))
}

fn signed_as(hub: &Hub<'_>, source: &str, secret: &str, (method, target): (&str, &str)) -> Ask {
    let now = now_s().to_string();
    let signature = sign(secret, format!("{now}.{method} {target}").as_bytes());
    let ask = hub.ask(method, target).header("x-nexus-source", source);
    ask.header("x-nexus-timestamp", &now).header("x-nexus-signature", &signature)
}

fn kinds(page: &Value) -> Vec<String> {
    let events = page.as_array().expect("a list").iter();
    events.map(|event| event["event"].as_str().expect("a type").to_owned()).collect()
}

fn start(hub: &Hub<'_>) {
    hub.post(SECRET, r#"{"event":"START","payload":{}}"#).expect(200);
}

#[test]
fn events_are_read_by_whoever_may() {
    let place = Place::new();
    let hub = place.alone();
    for order in ["1", "2"] {
        hub.post(SECRET, &payment(order)).expect(200);
        start(&hub);
    }
    refused(&hub.ask("GET", "/events").send(), 401, "invalid_token");
    refused(&hub.ask("GET", "/events/types").send(), 401, "invalid_token");
    for target in [
        "/events?limit=2&source=default",
        "/events/?limit=2&source=default",
        "//events?limit=2&source=default",
        "/events?source=default&limit=2",
    ] {
        let page = signed(&hub, "GET", target).send().expect(200);
        assert_eq!(kinds(&page), ["NEXUS:START", "FLOWPAY:PAYMENT_RECEIVED"], "{target}");
    }
    assert!(
        signed(&hub, "GET", "/events/types")
            .send()
            .expect(200)
            .as_array()
            .is_some_and(|types| types.len() >= 10)
    );
    // What was signed is what was asked, and when.
    let other = signed(&hub, "GET", "/events?limit=2");
    let mut moved = other.bytes();
    let at = moved.windows(7).position(|bytes| bytes == b"limit=2").expect("it is there");
    moved[at + 6] = b'3';
    let moved = [&moved[..moved.len() - 2], b"connection: close\r\n\r\n"].concat();
    refused(
        &crate::wire::raw(hub.server.port, &moved).expect("an answer"),
        401,
        "invalid_signature",
    );
    let timeless = hub.ask("GET", "/events").header("x-nexus-signature", &sign(SECRET, b"GET /events"));
    refused(&timeless.send(), 401, "stale_timestamp");
    // Who lives are told to is an administrator.
    refused(&signed(&hub, "GET", "/events?lives=true").send(), 403, "missing_permission");
    let lives = hub.get("/events?lives=true");
    assert!(lives[0]["jobs"].is_array(), "{lives}");
}

#[test]
fn a_page_is_what_was_asked_for() {
    let place = Place::new();
    let hub = place.alone();
    for order in ["1", "2", "3"] {
        hub.post(SECRET, &payment(order)).expect(200);
    }
    start(&hub);
    let get = |query: &str| hub.get(&format!("/events?source=default{query}"));
    let payments = vec!["FLOWPAY:PAYMENT_RECEIVED".to_owned(); 3];
    assert_eq!(kinds(&get("&event=PAYMENT_RECEIVED")), payments);
    assert_eq!(kinds(&get("&event=FLOWPAY:*")), payments);
    assert_eq!(kinds(&get("&event=FLOWPAY%3A%2A,MIO%3A%2A")), payments);
    assert_eq!(get("&event=FLOWPAY:*,NEXUS:START").as_array().map(Vec::len), Some(4));
    assert_eq!(get("&event=MIO:*"), json!([]));
    assert_eq!(hub.get("/events?source=nobody"), json!([]));
    // Pages lie end to end.
    let mut seen = vec![];
    let mut before = String::new();
    loop {
        let page = get(&format!("&limit=2{before}"));
        let Some(last) = page.as_array().expect("a list").last() else {
            break;
        };
        before = format!("&before={}", last["position"]);
        seen.extend(kinds(&page));
    }
    assert_eq!(seen.len(), 4);
    for bad in ["limit=0", "limit=101", "limit=x", "before=x", "before=-1", "lives=yes", "event=%FF"] {
        let answer = hub.admin("GET", &format!("/events?{bad}")).send();
        assert_eq!(answer.status(), 400, "{bad}: {answer:?}");
    }
    let unknown = hub.admin("GET", "/events?event=WHAT:EVER").send();
    assert_eq!(
        (unknown.status(), unknown.body.as_str()),
        (400, r#"{"error":"Invalid event type"}"#)
    );
}

#[test]
fn a_source_reads_only_what_it_may() {
    let place = Place::new();
    let hub = place.alone();
    let add = |body: &Value| {
        let added = hub.admin("POST", "/events/sources").json(body).send().expect(201);
        added["secret"].as_str().expect("a secret").to_owned()
    };
    let mute = add(&json!({ "name": "mute" }));
    let narrow = add(&json!({ "name": "narrow", "events": ["FLOWPAY:*"], "reads": true }));
    hub.post(SECRET, &payment("1")).expect(200);
    start(&hub);
    refused(
        &signed_as(&hub, "mute", &mute, ("GET", "/events")).send(),
        403,
        "missing_permission",
    );
    let read = |target: &str| kinds(&signed_as(&hub, "narrow", &narrow, ("GET", target)).send().expect(200));
    assert_eq!(read("/events"), ["FLOWPAY:PAYMENT_RECEIVED"]);
    assert_eq!(read("/events?event=*"), ["FLOWPAY:PAYMENT_RECEIVED"]);
    assert_eq!(read("/events?event=PAYMENT_RECEIVED,START"), ["FLOWPAY:PAYMENT_RECEIVED"]);
    assert_eq!(read("/events?event=START"), Vec::<String>::new());
}

/// Whoever recorded a request of a source can't open a stream with its signature.
fn what_was_signed_for_something_else_gives_no_ticket(hub: &Hub<'_>) {
    let now = now_s().to_string();
    let ask = |path: &str, body: &str| {
        let signature = sign(SECRET, format!("{now}.{body}").as_bytes());
        let ask = hub.ask("POST", path).body("application/json", body);
        ask.header("x-nexus-timestamp", &now).header("x-nexus-signature", &signature).send()
    };
    let event = payment("1");
    ask("/events", &event).expect(200);
    let wrong = hub.ask("POST", "/events/tickets").body("", "{}").send().body;
    for body in [event.as_str(), "GET /events", "", "[]", "{ }", "{}{}"] {
        let answer = ask("/events/tickets", body);
        refused(&answer, 401, "invalid_signature");
        assert_eq!(answer.body, wrong, "{body}");
    }
    assert!(ask("/events/tickets", " {}\n").expect(200)["ticket"].is_string());
}

#[test]
fn tickets_are_for_readers() {
    let place = Place::new();
    let hub = place.alone();
    let ticket = hub.admin("POST", "/events/tickets").send().expect(200);
    assert!(
        ticket["expires_in"] == 30 && ticket["ticket"].as_str().is_some_and(|text| text.len() >= 43),
        "{ticket}"
    );
    refused(&hub.ask("POST", "/events/tickets").body("", "{}").send(), 401, "invalid_signature");
    let now = now_s().to_string();
    let signature = sign(SECRET, format!("{now}.{{}}").as_bytes());
    let by_source = || {
        let ask = hub.ask("POST", "/events/tickets").body("application/json", "{}");
        ask.header("x-nexus-timestamp", &now).header("x-nexus-signature", &signature)
    };
    assert!(by_source().send().expect(200)["ticket"].is_string());
    what_was_signed_for_something_else_gives_no_ticket(&hub);
    // Without a time it could be sent again for ever.
    let timeless = hub
        .ask("POST", "/events/tickets")
        .body("", "{}")
        .header("x-nexus-signature", &sign(SECRET, b"{}"));
    refused(&timeless.send(), 401, "stale_timestamp");
    let added = hub
        .admin("POST", "/events/sources")
        .json(&json!({ "name": "mute" }))
        .send()
        .expect(201);
    let secret = added["secret"].as_str().expect("a secret");
    let signature = sign(secret, format!("{now}.{{}}").as_bytes());
    let mute = hub.ask("POST", "/events/tickets").body("", "{}").header("x-nexus-source", "mute");
    let mute = mute.header("x-nexus-timestamp", &now).header("x-nexus-signature", &signature);
    refused(&mute.send(), 403, "missing_permission");
}
