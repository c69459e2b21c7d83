//! Who may look after the hub: 401 for nobody, 403 for somebody who may not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Place, SECRET, administrator, now_s, payment, refused, sign};
use crate::server::{Server, nexus};
use nexus_server::http::HUB_ROUTES;

/// Everything that only an administrator may do; of what sources may do too, reading is in `readers.rs`.
fn for_admins() -> impl Iterator<Item = (String, String)> {
    const OTHERS: &[&str] = &["/events", "/events/types", "/events/stream", "/events/tickets"];
    let routes = HUB_ROUTES.iter().filter(|(_, path)| !OTHERS.contains(path));
    routes.map(|(method, path)| {
        let path = path.replace("{id}", "1").replace("{job}", "1").replace("{name}", "nobody");
        (method.to_uppercase(), path)
    })
}

#[test]
fn administrators_routes_are_closed_to_everybody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let directory = data.to_str().expect("UTF-8");
    let made = nexus(&["admin", "bot", "create", "helper", "--data", directory], &[]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let bot = made.stdout.lines().last().expect("a token").to_owned();
    let server = Server::start_in(&data, &["--no-rate-limits"], &[("NEXUS_SECRET", SECRET)]);
    let admin = administrator(&server);
    let alice = server.register("alice");
    let mut count = 0;
    for (method, path) in for_admins() {
        let ask = || server.ask(&method, &path);
        let with = |value: &str| ask().header("authorization", value).send();
        refused(&ask().send(), 401, "invalid_token");
        for nobody in ["Bearer", "Bearer x", "Bearer nxa_nobody", "Bot x", "Basic YWRtaW46", &alice.token] {
            refused(&with(nobody), 401, "invalid_token");
        }
        refused(&with(&format!("Bearer {}", alice.token)), 403, "missing_permission");
        refused(&with(&format!("Bot {bot}")), 403, "missing_permission");
        // A source that may read is no administrator.
        if method == "GET" {
            let now = now_s().to_string();
            let signature = sign(SECRET, format!("{now}.GET {path}").as_bytes());
            let signed = ask().header("x-nexus-timestamp", &now).header("x-nexus-signature", &signature);
            refused(&signed.send(), 403, "missing_permission");
        }
        let allowed = with(&format!("Bearer {}", admin.token));
        assert!(![401, 403].contains(&allowed.status()), "{method} {path}: {allowed:?}");
        count += 1;
    }
    assert!(count >= 24, "{count}");
    // Nobody's words are looked at before it is known who says them.
    let draft = server.ask("POST", "/events/sources").json(&json!({ "name": 5 }));
    refused(&draft.send(), 401, "invalid_token");
    // A person's login ends, and with it what they may do.
    assert_eq!(admin.post("/api/v1/auth/logout", &json!({})).status(), 204);
    refused(&admin.ask("GET", "/events/stats").send(), 401, "invalid_token");
}

#[test]
fn an_administrator_looks_after_sources() {
    let place = Place::new();
    let hub = place.alone();
    let listed = |hub: &super::Hub<'_>| {
        let list = hub.get("/events/sources");
        let names = list
            .as_array()
            .expect("a list")
            .iter()
            .map(|source| source["name"].as_str().expect("a name").to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(listed(&hub), ["default"]);
    let add = |body: &Value| hub.admin("POST", "/events/sources").json(body).send();
    let added = add(&json!({ "name": "acme", "events": ["PAYMENT_RECEIVED", "MIO:*"], "reads": true })).expect(201);
    assert_eq!(added["events"], json!(["FLOWPAY:PAYMENT_RECEIVED", "MIO:*"]));
    assert!(
        added["reads"] == true && added["demands_timestamp"] == false && added["from_environment"] == false,
        "{added}"
    );
    assert!(added["secret"].as_str().is_some_and(|secret| secret.len() >= 43));
    assert_eq!(listed(&hub), ["acme", "default"]);
    assert!(!hub.get("/events/sources").to_string().contains("secret"));
    refused(&add(&json!({ "name": "acme" })), 409, "source_taken");
    refused(&add(&json!({ "name": "default" })), 409, "source_taken");
    for name in ["", "Acme", "a b", "nexus", &"x".repeat(33)] {
        refused(&add(&json!({ "name": name })), 422, "invalid_name");
    }
    for events in [json!([]), json!(["WHAT:EVER"]), json!(["*:*"]), json!(["START", "", "*"])] {
        refused(&add(&json!({ "name": "other", "events": events })), 422, "invalid_events");
    }
    for body in [json!({}), json!([]), json!({ "name": "other", "reads": "yes" })] {
        let body = refused(&add(&body), 400, "invalid_body");
        assert!(body["message"].is_string(), "{body}");
    }
    for (method, path) in [("POST", "/events/sources/default/rotate"), ("DELETE", "/events/sources/default")] {
        refused(&hub.admin(method, path).send(), 409, "source_fixed");
    }
    for (method, path) in [("POST", "/events/sources/nobody/rotate"), ("DELETE", "/events/sources/nobody")] {
        refused(&hub.admin(method, path).send(), 404, "not_found");
    }
    assert_eq!(hub.admin("DELETE", "/events/sources/acme").send().status(), 204);
    assert_eq!(listed(&hub), ["default"]);
}

#[test]
fn an_event_tells_its_life() {
    let place = Place::new();
    let hub = place.alone();
    let ask = hub.signed(SECRET, &payment("1")).header("x-nexus-event-id", "order-1");
    let posted = ask.send().expect(200);
    let id = posted["id"].as_str().expect("an id");
    let life = hub.get(&format!("/events/{id}"));
    assert_eq!((&life["id"], &life["position"]), (&posted["id"], &posted["position"]));
    assert_eq!(
        (&life["external_id"], &life["cause"], &life["hops"]),
        (&json!("order-1"), &Value::Null, &json!(0)),
        "{life}"
    );
    assert!(life["jobs"].is_array(), "{life}");
    refused(&hub.admin("GET", "/events/1").send(), 404, "not_found");
    for bad in ["x", "-1", "1e3", "18446744073709551616"] {
        refused(&hub.admin("GET", &format!("/events/{bad}")).send(), 400, "invalid_id");
    }
    refused(&hub.admin("POST", "/events/dead-letters/7/replay").send(), 404, "not_found");
    refused(&hub.admin("DELETE", "/events/dead-letters/7").send(), 404, "not_found");
    let run = hub
        .admin("POST", &format!("/events/{id}/run"))
        .json(&json!({ "reactor": "nobody" }));
    refused(&run.send(), 404, "not_found");
    refused(&hub.admin("POST", "/events/reactors/nobody/pause").send(), 404, "not_found");
    refused(&hub.admin("POST", "/events/reactors/webhook%2F7/resume").send(), 404, "not_found");
    assert_eq!(hub.get("/events/dead-letters"), json!([]));
    // Events are counted within a second.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let stats = hub.get("/events/stats");
        assert!(stats["head"].as_i64() >= posted["position"].as_i64(), "{stats}");
        if stats["today"]["events"].as_u64() >= Some(1) {
            break;
        }
        assert!(Instant::now() < deadline, "{stats}");
        std::thread::sleep(Duration::from_millis(10));
    }
    for bad in ["?limit=0", "?limit=101", "?before=x"] {
        let answer = hub.admin("GET", &format!("/events/dead-letters{bad}")).send();
        assert_eq!(answer.status(), 400, "{bad}: {answer:?}");
    }
    let answer = hub.admin("GET", "/events/stats?minutes=0").send();
    assert_eq!(answer.status(), 400, "{answer:?}");
}
