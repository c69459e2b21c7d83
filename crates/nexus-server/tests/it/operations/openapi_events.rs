//! The event hub's part of `docs/OPENAPI.yml` against a running server.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::openapi::Reader;
use crate::events::{Hub, Place, SECRET, now_s, payment, sign};
use crate::wire::{Answer, Ask, connect};

/// A server of somebody else's: it answers every request with a status.
struct Receiver {
    url: String,
    port: u16,
    task: JoinHandle<()>,
}

impl Receiver {
    fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let task = std::thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.expect("a connection");
                let mut bytes = vec![];
                let mut buffer = [0; 4_096];
                // A head and a short body come together or soon after.
                while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
                    match socket.read(&mut buffer) {
                        Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
                        _ => break,
                    }
                }
                if bytes.starts_with(b"QUIT") {
                    return;
                }
                socket
                    .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}").as_bytes())
                    .ok();
            }
        });
        let url = format!("http://127.0.0.1:{port}/hook");
        Self { url, port, task }
    }

    fn stop(self) {
        connect(self.port).write_all(b"QUIT\r\n\r\n").expect("it listens");
        self.task.join().expect("it ends");
    }
}

fn of(answer: &Answer) -> Value {
    answer.json()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// Asks until the answer is as wanted.
fn until(hub: &Hub<'_>, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = hub.get(path);
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path}: {answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_answers_of_the_hub_have_the_documented_shapes() {
    let (reader, receiver) = (Reader::new(), Receiver::start("200 OK"));
    let gone = Receiver::start("400 Bad Request");
    let config = format!(
        "[outbound]\nprivate = [\"127.0.0.1:{}\", \"127.0.0.1:{}\"]\n",
        receiver.port, gone.port
    );
    let place = Place::configured(&config);
    let rules = place.data().join("reactors");
    std::fs::create_dir(&rules).expect("made");
    let rule = format!(
        "on = [\"FLOWPAY:PAYMENT_RECEIVED\"]\n[http]\nurl = \"{}\"\nfinal = [400]\n",
        gone.url
    );
    std::fs::write(rules.join("mint.toml"), rule).expect("written");
    let hub = place.alone();
    reader.check("GET", "/health", 200, &hub.ask("GET", "/health").send());
    events(&reader, &hub);
    sources(&reader, &hub);
    webhooks(&reader, &hub, &receiver.url);
    letters(&reader, &hub);
    reader.check_seen(|route| route.starts_with("/events"));
    drop(hub);
    receiver.stop();
    gone.stop();
}

fn events(reader: &Reader, hub: &Hub<'_>) {
    let route = "/events";
    let posted = reader.check("POST", route, 200, &hub.post(SECRET, &payment("1")));
    let fits = |draft: &Value| {
        reader
            .document
            .fault(&json!({ "$ref": "#/components/schemas/EventDraft" }), draft)
            .is_none()
    };
    assert!(fits(&serde_json::from_str(&payment("1")).expect("JSON")));
    let with_id = |body: &str| hub.signed(SECRET, body).header("x-nexus-event-id", "one").send();
    reader.check("POST", route, 200, &with_id(&payment("2")));
    reader.check("POST", route, 200, &with_id(&payment("2")));
    reader.check("POST", route, 409, &with_id(&payment("3")));
    for body in [
        "{",
        r#"{"event":"WHAT:EVER","payload":{}}"#,
        r#"{"event":"PAYMENT_RECEIVED","payload":{}}"#,
    ] {
        reader.check("POST", route, 400, &hub.post(SECRET, body));
    }
    reader.check("POST", route, 401, &hub.post("another secret", &payment("1")));
    reader.check("POST", route, 413, &hub.post(SECRET, &" ".repeat(70_000)));
    for (query, status) in [
        ("", 200),
        ("?lives=true&limit=100", 200),
        ("?event=FLOWPAY:*", 200),
        ("?limit=0", 400),
        ("?event=NO:NE", 400),
    ] {
        let page = reader.check("GET", route, status, &hub.admin("GET", &format!("/events{query}")).send());
        assert!(page.as_array().is_none_or(|list| !list.is_empty()), "{query} answered nothing");
    }
    reader.check("GET", route, 401, &hub.ask("GET", "/events").send());
    for path in ["/events/types", "/events/stats", "/events/reactors", "/events/streams"] {
        reader.check("GET", path, 401, &hub.ask("GET", path).send());
        reader.check("GET", path, 200, &hub.admin("GET", path).send());
    }
    reader.check("GET", "/events/stats", 400, &hub.admin("GET", "/events/stats?minutes=x").send());

    let id = text(&posted["id"]).to_owned();
    let get = |id: &str, status| reader.check("GET", "/events/{id}", status, &hub.admin("GET", &format!("/events/{id}")).send());
    until(hub, &format!("/events/{id}"), |life| life["jobs"][0]["state"] == "dead");
    assert_eq!(get(&id, 200)["jobs"][0]["attempts"][0]["status"], 400);
    get("1", 404);
    get("x", 400);
    let run = |id: &str, reactor: &str, status| {
        let ask = hub.admin("POST", &format!("/events/{id}/run")).json(&json!({ "reactor": reactor }));
        reader.check("POST", "/events/{id}/run", status, &ask.send());
    };
    run(&id, "mint", 202);
    run(&id, "nobody", 404);
    streams(reader, hub);
}

fn streams(reader: &Reader, hub: &Hub<'_>) {
    let tickets = "/events/tickets";
    let ticket = reader.check("POST", tickets, 200, &hub.admin("POST", tickets).send());
    reader.check("POST", tickets, 401, &hub.ask("POST", tickets).send());
    let stream = "/events/stream";
    let upgrade = |ask: Ask| {
        let ask = ask
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13");
        ask.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    reader.check("GET", stream, 401, &upgrade(hub.ask("GET", stream)).send());
    assert_eq!(hub.admin("GET", stream).send().status(), 426);
    reader.note("GET", stream, 426);
    let mut socket = connect(hub.server.port);
    let path = format!("{stream}?token={}", text(&ticket["ticket"]));
    socket.write_all(&upgrade(hub.ask("GET", &path)).bytes()).expect("sent");
    let mut head = [0; 12];
    socket.read_exact(&mut head).expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 101");
    reader.note("GET", stream, 101);
    until(hub, "/events/streams", |list| list[0]["who"].is_string());
    reader.check("GET", "/events/streams", 200, &hub.admin("GET", "/events/streams").send());
}

fn sources(reader: &Reader, hub: &Hub<'_>) {
    let route = "/events/sources";
    let draft = json!({ "name": "acme", "events": ["PAYMENT_RECEIVED"], "reads": true });
    assert!(
        reader
            .document
            .fault(&json!({ "$ref": "#/components/schemas/SourceDraft" }), &draft)
            .is_none()
    );
    let added = reader.check("POST", route, 201, &hub.admin("POST", route).json(&draft).send());
    for (body, status) in [(draft, 409), (json!({}), 400), (json!({ "name": "A b" }), 422)] {
        reader.check("POST", route, status, &hub.admin("POST", route).json(&body).send());
    }
    reader.check("POST", route, 415, &hub.admin("POST", route).body("text/plain", "{}").send());
    reader.check("GET", route, 200, &hub.admin("GET", route).send());

    let secret = text(&added["secret"]);
    let now = now_s().to_string();
    let ask = hub
        .ask("GET", "/events/types")
        .header("x-nexus-source", "acme")
        .header("x-nexus-timestamp", &now);
    let signed = ask.header("x-nexus-signature", &sign(secret, format!("{now}.GET /events/types").as_bytes()));
    reader.check("GET", "/events/types", 200, &signed.send());
    let ask = hub
        .ask("GET", "/events/stats")
        .header("x-nexus-source", "acme")
        .header("x-nexus-timestamp", &now);
    let signed = ask.header("x-nexus-signature", &sign(secret, format!("{now}.GET /events/stats").as_bytes()));
    reader.check("GET", "/events/stats", 403, &signed.send());

    let rotate = |name: &str, status| {
        let answer = hub.admin("POST", &format!("{route}/{name}/rotate")).send();
        reader.check("POST", "/events/sources/{name}/rotate", status, &answer);
    };
    rotate("acme", 200);
    rotate("nobody", 404);
    rotate("default", 409);
    let removed = |name: &str| hub.admin("DELETE", &format!("{route}/{name}")).send();
    assert_eq!(removed("acme").status(), 204);
    reader.note("DELETE", "/events/sources/{name}", 204);
    reader.check("DELETE", "/events/sources/{name}", 404, &removed("acme"));

    for verb in ["pause", "resume"] {
        let at = format!("/events/reactors/{{name}}/{verb}");
        assert_eq!(hub.admin("POST", &at.replace("{name}", "mint")).send().status(), 204);
        reader.note("POST", &at, 204);
        reader.check("POST", &at, 404, &hub.admin("POST", &at.replace("{name}", "nobody")).send());
    }
    let dry = "/events/reactors/dry-run";
    let rule = "on = [\"FLOWPAY:*\"]\n[[emit]]\nevent = \"NEXUS:START\"\n[emit.payload]\norder = \"{{ payload.orderId }}\"\n";
    for (body, status) in [
        (json!({ "name": "mint", "limit": 2 }), 200),
        (json!({ "rule": rule }), 200),
        (json!({ "rule": "on = 5" }), 200),
        (json!({ "name": "nobody" }), 404),
        (json!({}), 422),
        (json!({ "rule": 5 }), 400),
    ] {
        reader.check("POST", dry, status, &hub.admin("POST", dry).json(&body).send());
    }
}

fn webhooks(reader: &Reader, hub: &Hub<'_>, url: &str) {
    let route = "/events/webhooks";
    let add = |body: &Value, status| reader.check("POST", route, status, &hub.admin("POST", route).json(body).send());
    let made = add(&json!({ "url": url, "events": ["MIO:*"], "description": "books" }), 201);
    for bad in [
        json!({ "url": "http://127.0.0.1:1/", "events": ["*"] }),
        json!({ "url": "file:///etc", "events": ["*"] }),
    ] {
        add(&bad, 422);
    }
    add(&json!({ "url": url }), 400);
    reader.check("GET", route, 200, &hub.admin("GET", route).send());
    let id = text(&made["id"]).to_owned();
    let ask = |method: &str, id: &str, rest: &str| hub.admin(method, &format!("{route}/{id}{rest}"));
    let one = "/events/webhooks/{id}";
    reader.check("GET", one, 200, &ask("GET", &id, "").send());
    reader.check("GET", one, 404, &ask("GET", "1", "").send());
    reader.check(
        "PATCH",
        one,
        200,
        &ask("PATCH", &id, "").json(&json!({ "description": "the books" })).send(),
    );
    reader.check("PATCH", one, 404, &ask("PATCH", "1", "").json(&json!({})).send());
    let at = |rest: &str| format!("{one}{rest}");
    reader.check("POST", &at("/rotate"), 200, &ask("POST", &id, "/rotate").send());
    reader.check("POST", &at("/rotate"), 404, &ask("POST", "1", "/rotate").send());
    let job = reader.check("POST", &at("/test"), 202, &ask("POST", &id, "/test").send());
    reader.check("POST", &at("/test"), 404, &ask("POST", "1", "/test").send());
    until(hub, &format!("{route}/{id}/deliveries"), |list| list[0]["state"] == "done");
    reader.check("GET", &at("/deliveries"), 200, &ask("GET", &id, "/deliveries").send());
    reader.check("GET", &at("/deliveries"), 404, &ask("GET", "1", "/deliveries").send());
    let again = |job: &str, status| {
        let answer = ask("POST", &id, &format!("/deliveries/{job}/replay")).send();
        reader.check("POST", &at("/deliveries/{job}/replay"), status, &answer);
    };
    again(text(&job["id"]), 202);
    again("999", 404);
    reader.check("POST", &at("/test"), 202, &ask("POST", &id, "/test").send());
    assert_eq!(ask("DELETE", &id, "").send().status(), 204);
    reader.note("DELETE", one, 204);
    reader.check("DELETE", one, 404, &ask("DELETE", &id, "").send());
}

fn letters(reader: &Reader, hub: &Hub<'_>) {
    let route = "/events/dead-letters";
    let letters = until(hub, route, |list| list.as_array().is_some_and(|list| list.len() >= 2));
    reader.check("GET", route, 200, &hub.admin("GET", route).send());
    reader.check("GET", route, 400, &hub.admin("GET", &format!("{route}?limit=101")).send());
    let (first, second) = (text(&letters[0]["id"]), text(&letters[1]["id"]));
    let replay = |id: &str| hub.admin("POST", &format!("{route}/{id}/replay")).send();
    let discard = |id: &str| hub.admin("DELETE", &format!("{route}/{id}")).send();
    let (replayed, one) = (format!("{route}/{{id}}/replay"), format!("{route}/{{id}}"));
    assert_eq!(of(&replay(first))["state"], "waiting");
    until(hub, route, |list| list.to_string().contains(&format!("\"id\":\"{first}\"")));
    reader.check("POST", &replayed, 202, &replay(first));
    reader.check("POST", &replayed, 404, &replay("999"));
    assert_eq!(discard(second).status(), 204);
    reader.note("DELETE", &one, 204);
    reader.check("DELETE", &one, 409, &discard(second));
    reader.check("DELETE", &one, 404, &discard("999"));
}
