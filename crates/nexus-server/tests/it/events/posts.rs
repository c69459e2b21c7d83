//! What may be posted, and what is refused with which words.

use serde_json::{Value, json};

use super::{ALONE, Hub, Place, SECRET, payment, refused, sign};
use crate::wire::Answer;

fn post_as(hub: &Hub<'_>, source: &str, secret: &str, body: &str) -> Answer {
    hub.signed(secret, body).header("x-nexus-source", source).send()
}

#[test]
fn an_event_is_answered_once_it_is_stored_in_both_spellings() {
    let place = Place::new();
    let hub = place.alone();
    let payload = json!({ "orderId": "7730", "amount": 15, "payerId": "@hana", "metadata": { "table": 4 } });
    let mut expected = vec![];
    for (sent, stored) in [
        ("PAYMENT_RECEIVED", "FLOWPAY:PAYMENT_RECEIVED"),
        ("FLOWPAY:PAYMENT_RECEIVED", "FLOWPAY:PAYMENT_RECEIVED"),
        ("START", "NEXUS:START"),
    ] {
        let body = json!({ "event": sent, "payload": payload, "further": "members are let be" });
        let answer = hub.post(SECRET, &body.to_string()).expect(200);
        assert_eq!(
            (&answer["status"], &answer["event"]),
            (&json!("dispatched"), &json!(sent)),
            "{answer}"
        );
        assert!(
            answer["id"].as_str().is_some_and(|id| id.parse::<u64>().is_ok()) && answer["position"].is_u64(),
            "{answer}"
        );
        expected.push((answer["id"].clone(), answer["position"].clone(), json!(stored)));
    }
    let events = hub.posted();
    let seen: Vec<_> = events
        .iter()
        .map(|event| (event["id"].clone(), event["position"].clone(), event["event"].clone()))
        .filter(|(id, ..)| expected.iter().any(|(known, ..)| known == id))
        .collect();
    assert_eq!(seen, expected);
    let event = events.iter().find(|event| event["id"] == expected[0].0).expect("it is there");
    let members: Vec<_> = event.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(members, ["event", "id", "payload", "position", "source", "timestamp"]);
    assert_eq!((&event["payload"], &event["source"]), (&payload, &json!("default")));
    assert!(
        event["timestamp"]
            .as_i64()
            .is_some_and(|time| (time / 1_000 - super::now_s()).abs() < 60),
        "{event}"
    );
}

#[test]
fn an_unknown_type_is_refused_in_exactly_these_words() {
    let place = Place::new();
    let hub = place.alone();
    for event in [
        json!("FLOWPAY:REFUND"),
        json!("REFUND"),
        json!(""),
        json!("payment_received"),
        json!("FLOWPAY:*"),
        json!("nexus:message_create"),
        json!("message_create"),
    ] {
        let answer = hub.post(SECRET, &json!({ "event": event, "payload": {} }).to_string());
        assert_eq!(
            (answer.status(), answer.body.as_str()),
            (400, r#"{"error":"Invalid event type"}"#),
            "{event}"
        );
    }
    let without = hub.post(SECRET, r#"{"payload":{}}"#);
    assert_eq!(
        (without.status(), without.body.as_str()),
        (400, r#"{"error":"Invalid event type"}"#)
    );
    assert_eq!(hub.posted(), Vec::<Value>::new());
}

#[test]
fn a_payload_against_its_schema_is_refused_by_the_field() {
    let place = Place::new();
    let hub = place.alone();
    let good = json!({ "orderId": "1", "amount": 15, "payerId": "@hana" });
    let with = |name: &str, value: Value| {
        let mut payload = good.clone();
        payload[name] = value;
        payload
    };
    let without = |name: &str| {
        let mut payload = good.clone();
        payload.as_object_mut().expect("an object").remove(name);
        payload
    };
    for (event, payload, field) in [
        ("PAYMENT_RECEIVED", without("amount"), "payload.amount"),
        ("PAYMENT_RECEIVED", with("amount", json!("15")), "payload.amount"),
        ("PAYMENT_RECEIVED", without("payerId"), "payload.payerId"),
        ("PAYMENT_FAILED", without("orderId"), "payload.orderId"),
        ("PAYMENT_RECEIVED", json!([]), "payload"),
        ("PAYMENT_RECEIVED", json!(null), "payload"),
        (
            "MINT_REQUESTED",
            json!({ "address": "0x1", "amount": 1, "reason": "gift" }),
            "payload.reason",
        ),
        (
            "VOTE_CAST",
            json!({ "proposalId": "1", "voterId": "2", "decision": "maybe" }),
            "payload.decision",
        ),
        ("MIO:IDENTITY_VERIFIED", json!("text"), "payload"),
    ] {
        let answer = hub.post(SECRET, &json!({ "event": event, "payload": payload }).to_string());
        let body = refused(&answer, 400, "invalid_payload");
        assert_eq!(body["field"], field, "{event} {payload}: {body}");
    }
    let body = refused(&hub.post(SECRET, r#"{"event":"PAYMENT_RECEIVED"}"#), 400, "invalid_payload");
    assert_eq!(body["field"], "payload");
    assert_eq!(hub.posted(), Vec::<Value>::new());
}

#[test]
fn what_is_no_strict_json_is_refused_and_what_is_too_long_too() {
    let place = Place::new();
    let hub = place.alone();
    let deep = format!(r#"{{"event":"START","payload":{{"a":{}1{}}}}}"#, "[".repeat(200), "]".repeat(200));
    for bad in [
        "",
        "{",
        "START",
        "\"START\"",
        r#"{"event":"START","event":"START","payload":{}}"#,
        r#"{"event":"START","payload":{"a":1,"\u0061":2}}"#,
        r#"{"event":"START","payload":{"a":NaN}}"#,
        r#"{"event":"START","payload":{}} {}"#,
        &deep,
    ] {
        refused(&hub.post(SECRET, bad), 400, "invalid_json");
    }
    let invalid: Vec<u8> = [&br#"{"event":"START","payload":{"a":""#[..], &[0xff], br#""}}"#].concat();
    let ask = hub.ask("POST", "/events").body("application/json", invalid.clone());
    refused(
        &ask.header("x-nexus-signature", &sign(SECRET, &invalid)).send(),
        400,
        "invalid_json",
    );

    let of_length = |bytes: usize| {
        let body = json!({ "event": "START", "payload": { "text": "" } }).to_string();
        body.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - body.len())))
    };
    assert_eq!(of_length(65_536).len(), 65_536);
    hub.post(SECRET, &of_length(65_536)).expect(200);
    refused(&hub.post(SECRET, &of_length(65_537)), 413, "payload_too_large");
    let unsigned = hub.ask("POST", "/events").body("application/json", of_length(200_000)).send();
    refused(&unsigned, 413, "payload_too_large");
    assert_eq!(hub.posted().len(), 1);
}

#[test]
fn the_same_event_id_is_one_event() {
    let place = Place::new();
    let hub = place.alone();
    let body = payment("1");
    let with = |id: &str, body: &str| hub.signed(SECRET, body).header("x-nexus-event-id", id).send();
    let first = with("order-1", &body).expect(200);
    assert_eq!(first["status"], "dispatched");
    for _ in 0..3 {
        let again = with("order-1", &body).expect(200);
        assert_eq!(again["status"], "duplicate", "{again}");
        assert_eq!((&again["id"], &again["position"]), (&first["id"], &first["position"]));
    }
    refused(&with("order-1", &payment("2")), 409, "event_conflict");
    // Other bytes are another body, also if they mean the same.
    refused(&with("order-1", &format!("{body} ")), 409, "event_conflict");
    with("order-2", &body).expect(200);
    for bad in ["", "a b", "ü", &"x".repeat(129)] {
        refused(&with(bad, &body), 400, "invalid_event_id");
    }
    with(&"x".repeat(128), &body).expect(200);
    // Another source may use the same words.
    let added = hub
        .admin("POST", "/events/sources")
        .json(&json!({ "name": "acme" }))
        .send()
        .expect(201);
    let secret = added["secret"].as_str().expect("a secret");
    let ask = hub.signed(secret, &payment("3")).header("x-nexus-source", "acme");
    assert_eq!(ask.header("x-nexus-event-id", "order-1").send().expect(200)["status"], "dispatched");
    assert_eq!(hub.posted().len(), 4);
}

#[test]
fn an_event_id_is_one_event_also_when_many_send_it_at_once() {
    let place = Place::new();
    let hub = place.alone();
    let body = payment("1");
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| hub.signed(SECRET, &body).header("x-nexus-event-id", "one").send().expect(200)))
            .collect();
        senders.into_iter().map(|sender| sender.join().expect("it sent")).collect()
    });
    let count = |status: &str| answers.iter().filter(|answer| answer["status"] == status).count();
    assert_eq!((count("dispatched"), count("duplicate")), (1, 15));
    assert!(answers.iter().all(|answer| answer["id"] == answers[0]["id"]));
    assert_eq!(hub.posted().len(), 1);
}

#[test]
fn a_source_sends_what_it_may_and_as_it_must() {
    let place = Place::new();
    let hub = place.alone();
    let draft = json!({ "name": "acme", "events": ["FLOWPAY:*", "START"], "demands_timestamp": true });
    let added = hub.admin("POST", "/events/sources").json(&draft).send().expect(201);
    let secret = added["secret"].as_str().expect("a secret").to_owned();
    let body = payment("1");
    refused(&post_as(&hub, "acme", &secret, &body), 401, "stale_timestamp");
    let timely = |body: &str| {
        let now = super::now_s().to_string();
        let ask = hub.ask("POST", "/events").body("", body).header("x-nexus-source", "acme");
        let signature = sign(&secret, format!("{now}.{body}").as_bytes());
        ask.header("x-nexus-timestamp", &now).header("x-nexus-signature", &signature).send()
    };
    timely(&body).expect(200);
    timely(r#"{"event":"START","payload":{}}"#).expect(200);
    refused(
        &timely(r#"{"event":"MIO:IDENTITY_VERIFIED","payload":{}}"#),
        403,
        "missing_permission",
    );
    assert_eq!(
        timely(r#"{"event":"WHAT:EVER","payload":{}}"#).body,
        r#"{"error":"Invalid event type"}"#
    );
    // The secret of another source is nothing here.
    refused(&post_as(&hub, "acme", SECRET, &body), 401, "invalid_signature");
    refused(&hub.post(&secret, &body), 401, "invalid_signature");
    // Its events bear its name.
    assert!(hub.posted().iter().all(|event| event["source"] == "acme"));

    let rotated = hub.admin("POST", "/events/sources/acme/rotate").send().expect(200);
    let new = rotated["secret"].as_str().expect("a secret").to_owned();
    assert!(new != secret && rotated["previous_until"].is_i64(), "{rotated}");
    timely(&body).expect(200);
    assert_eq!(hub.admin("DELETE", "/events/sources/acme").send().status(), 204);
    refused(&timely(&body), 401, "invalid_signature");
    refused(&post_as(&hub, "acme", &new, &body), 401, "invalid_signature");
}

#[test]
fn operators_add_types_with_schemas() {
    let place = Place::configured("[hub]\ntypes = [\"GAUGE:READING schemas/reading.json\", \"GAUGE:ALARM\"]\n");
    let schemas = place.data().join("schemas");
    std::fs::create_dir(&schemas).expect("made");
    let schema = json!({ "type": "object", "required": ["height"], "properties": { "height": { "type": "number", "maximum": 20 } } });
    std::fs::write(schemas.join("reading.json"), schema.to_string()).expect("written");
    let hub = place.serve(&ALONE);
    let post = |event: &str, payload: Value| hub.post(SECRET, &json!({ "event": event, "payload": payload }).to_string());
    post("GAUGE:READING", json!({ "height": 2.5 })).expect(200);
    post("READING", json!({ "height": 20 })).expect(200);
    post("GAUGE:ALARM", json!({})).expect(200);
    for (payload, field) in [
        (json!({ "height": 20.5 }), "payload.height"),
        (json!({}), "payload.height"),
        (json!(1), "payload"),
    ] {
        assert_eq!(refused(&post("READING", payload), 400, "invalid_payload")["field"], field);
    }
    let types = hub.get("/events/types");
    let listed = types
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["event"] == "GAUGE:READING")
        .expect("it is listed");
    assert_eq!(
        (&listed["schema"], &listed["custom"], &listed["bare"]),
        (&schema, &json!(true), &json!("READING"))
    );
}
