//! `docs/OPENAPI.yml` against a running server.

use std::cell::RefCell;
use std::collections::BTreeSet;

use nexus_crypto::logs::LogId;
use nexus_server::http::{HUB_ROUTES, TRANSPARENCY_ROUTES};
use serde_json::{Value, json};

use super::documents::OpenApi;
use super::registrations::{TIME_S, draft, rotated};
use super::streams::{Session, open, until};
use crate::events::Place;
use crate::server::Server;
use crate::wire::Answer;

const DOCUMENT: &str = "docs/OPENAPI.yml";
/// Routes beside those of the log and the hub.
const FURTHER: &[(&str, &str)] = &[
    ("GET", "/ws/{session_id}"),
    ("GET", "/ws/{session_id}/events"),
    ("POST", "/ws/{session_id}/frames"),
    ("GET", "/health"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
];

/// A document, and what of it was seen.
pub(crate) struct Reader {
    pub(crate) document: OpenApi,
    seen: RefCell<BTreeSet<(String, String, u16)>>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            document: OpenApi::read(DOCUMENT),
            seen: RefCell::default(),
        }
    }

    /// Notes an answer without a body of JSON.
    #[track_caller]
    pub(crate) fn note(&self, method: &str, route: &str, status: u16) -> &Value {
        let response = self.document.response(method, route, status);
        self.seen.borrow_mut().insert((method.to_owned(), route.to_owned(), status));
        response
    }

    /// Checks an answer against what the document says of it.
    #[track_caller]
    pub(crate) fn check(&self, method: &str, route: &str, status: u16, answer: &Answer) -> Value {
        let at = format!("{method} {route}");
        assert_eq!(answer.status(), status, "{at}: {answer:?}");
        let response = self.note(method, route, status);
        let kind = answer.header("content-type").unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default();
        let schema = &response["content"][essence]["schema"];
        assert!(schema.is_object(), "{at} {status}: `{essence}` is not in the document");
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            assert!(
                header["required"] != true || answer.header(name).is_some(),
                "{at} {status}: {name} is missing"
            );
        }
        if essence != "application/json" {
            return Value::Null;
        }
        let body = answer.json();
        if let Some(fault) = self.document.fault(schema, &body) {
            panic!("{at} {status}: {fault}");
        }
        let word = if route.starts_with("/events") { "error" } else { "detail" };
        let said = body[word].as_str().is_some_and(|detail| !detail.is_empty());
        assert!(status < 400 || said || route == "/readyz", "{at} {status}: {body}");
        body
    }

    /// Everything that succeeds on these routes was seen to, and what is not there.
    pub(crate) fn check_seen(&self, is_ours: impl Fn(&str) -> bool) {
        let seen = self.seen.borrow();
        for (method, route) in self.document.operations().into_iter().filter(|(_, route)| is_ours(route)) {
            let responses = &self.document.operation(&method, &route)["responses"];
            for status in responses.as_object().expect("responses").keys() {
                let status: u16 = status.parse().expect("a status");
                let due = status < 400 || (status == 404 && route != "/readyz");
                let seen = seen.contains(&(method.clone(), route.clone(), status));
                assert!(seen || !due, "{method} {route} {status} was not tried");
            }
        }
    }

    fn get(&self, server: &Server, route: &str, path: &str, status: u16) -> Value {
        self.check("GET", route, status, &server.ask("GET", path).send())
    }

    fn register(&self, server: &Server, body: &Value, status: u16) -> Value {
        self.check(
            "POST",
            "/did/register",
            status,
            &server.ask("POST", "/did/register").json(body).send(),
        )
    }
}

#[test]
fn the_documents_are_whole() {
    OpenApi::read(DOCUMENT).check_itself();
    OpenApi::read("docs/OPENAPI.cosigner.yml").check_itself();
}

#[test]
fn the_document_has_the_routes_of_the_router_and_no_others() {
    let documented: BTreeSet<_> = OpenApi::read(DOCUMENT).operations().into_iter().collect();
    let routed = TRANSPARENCY_ROUTES.iter().chain(HUB_ROUTES).chain(FURTHER);
    let routed: BTreeSet<_> = routed.map(|(method, path)| (method.to_uppercase(), (*path).to_owned())).collect();
    assert_eq!(documented, routed);
}

/// What nobody routes is answered without these words: each documented route is really there, in every way of serving.
#[test]
fn every_documented_route_is_served_alone_and_beside_communities() {
    let of_hub = |path: &str| path.starts_with("/events");
    let of_log = |path: &str| ["/did", "/sth", "/ws", "/.well-known"].iter().any(|first| path.starts_with(first));
    let place = Place::new();
    let (log, hub, all) = (Server::of_transparency(), place.alone().server, Server::fresh());
    for (server, leaves_out) in [(&log, Some(true)), (&hub, Some(false)), (&all, None)] {
        for (method, route) in OpenApi::read(DOCUMENT).operations() {
            let is_elsewhere = leaves_out.is_some_and(|hub| if hub { of_hub(&route) } else { of_log(&route) });
            if is_elsewhere || route == "/ws/{session_id}/events" {
                continue; // The latter never ends; the test of the schemas opens it.
            }
            let path = route.replace("{id}", "nobody").replace("{session_id}", "nobody");
            let path = path.replace("{name}", "nobody").replace("{job}", "1");
            let answer = server.ask(&method, &path).send();
            let generic = answer.status() == 404 && answer.json()["error"] == "not_found";
            assert!(!generic && answer.status() != 405, "{method} {path}: {answer:?}");
            assert_eq!(server.ask("PUT", &path).send().status(), 405, "PUT {path}");
        }
    }
}

#[test]
fn the_answers_of_a_server_have_the_documented_shapes() {
    let (reader, server) = (Reader::new(), Server::of_transparency());
    reader.get(&server, "/health", "/health", 200);
    reader.get(&server, "/livez", "/livez", 200);
    reader.get(&server, "/readyz", "/readyz", 200);
    assert_eq!(reader.get(&server, "/sth/latest", "/sth/latest", 404)["detail"], "No STH found");
    registrations(&reader, &server);
    readings(&reader, &server);
    relay(&reader, &server);
    reader.get(&server, "/metrics", "/metrics", 200);

    reader.check_seen(|route| !route.starts_with("/events"));
}

fn registrations(reader: &Reader, server: &Server) {
    let log: LogId =
        serde_json::from_value(reader.get(server, "/.well-known/key-transparency", "/.well-known/key-transparency", 200)["log_id"].clone())
            .expect("a log id");
    let is_draft = |draft: &Value| {
        reader
            .document
            .fault(&json!({ "$ref": "#/components/schemas/Draft" }), draft)
            .is_none()
    };
    let alice = draft("did:nexo:alice", 1, TIME_S);
    let changed = rotated(&log, "did:nexo:alice", (1, TIME_S), (2, TIME_S + 1));
    for (body, status) in [
        (&alice, 201),
        (&alice, 200),
        (&draft("did:nexo:bob", 3, TIME_S), 201),
        (&draft("did:nexo:alice", 2, TIME_S + 1), 409),
        (&changed, 201),
        (&draft("did:nexo:alice", 1, TIME_S + 2), 409),
        (&draft("did:nexus:alice", 4, TIME_S), 403),
    ] {
        assert!(is_draft(body), "{body}");
        reader.register(server, body, status);
    }
    let with = |name: &str, value: Value| {
        let mut body = alice.clone();
        body[name] = value;
        body
    };
    for body in [
        with("id", json!("")),
        with("id", json!("a b")),
        with("public_key", json!("AAAA")),
        with("timestamp", json!(-1)),
        with("timestamp", json!(1.5)),
        with("timestamp", json!("1")),
        json!({}),
        json!([]),
    ] {
        assert!(!is_draft(&body), "{body}");
        reader.register(server, &body, 400);
    }
    let ask = || server.ask("POST", "/did/register");
    reader.check("POST", "/did/register", 400, &ask().body("application/json", "{").send());
    reader.check(
        "POST",
        "/did/register",
        413,
        &ask().json(&with("id", json!("x".repeat(20_000)))).send(),
    );
}

fn readings(reader: &Reader, server: &Server) {
    for (route, query, status) in [
        ("/sth/latest", "", 200),
        ("/sth/chain", "", 200),
        ("/sth/chain", "?limit=2&before=3", 200),
        ("/sth/chain", "?limit=0", 400),
        ("/sth/growth", "?hours=1", 200),
        ("/sth/growth", "?hours=8761", 400),
        ("/sth/cosigners", "", 200),
        ("/sth/proof/inclusion", "?leaf_index=0&tree_size=3", 200),
        ("/sth/proof/inclusion", "?leaf_index=3&tree_size=3", 404),
        ("/sth/proof/inclusion", "?leaf_index=x&tree_size=3", 400),
        ("/sth/proof/consistency", "?first=1&second=3", 200),
        ("/sth/proof/consistency", "?first=1&second=4", 404),
        ("/sth/proof/consistency", "?first=1", 400),
        ("/did/leaves", "", 200),
        ("/did/leaves", "?from=1&limit=1000", 200),
        ("/did/leaves", "?limit=1001", 400),
    ] {
        let body = reader.get(server, route, &format!("{route}{query}"), status);
        let filled = body.as_array().is_none_or(|list| !list.is_empty());
        assert!(filled, "{route}{query} answered nothing, so that no item was checked");
    }
    let id = |tail: &str, who: &str, status| reader.get(server, &format!("/did/{{id}}{tail}"), &format!("/did/{who}{tail}"), status);
    let current = id("", "did:nexo:alice", 200);
    assert!(current["rotation"].is_object(), "{current}");
    assert_eq!(id("/history", "did:nexo:alice", 200).as_array().map(Vec::len), Some(2));
    id("", "did:nexo:nobody", 404);
    id("/history", "did:nexo:nobody", 404);
}

fn relay(reader: &Reader, server: &Server) {
    let upgrade = server
        .ask("GET", "/ws/carol")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let mut socket = open(&upgrade, server.port);
    assert!(until(&mut socket, "\r\n\r\n").starts_with("HTTP/1.1 101"));
    reader.note("GET", "/ws/{session_id}", 101);
    assert_eq!(server.ask("GET", "/ws/carol").send().status(), 426);
    reader.note("GET", "/ws/{session_id}", 426);

    let dora = Session::begin(server, "dora");
    let good = dora.head.starts_with("HTTP/1.1 200") && dora.head.contains("text/event-stream");
    assert!(good, "{}", dora.head);
    reader.note("GET", "/ws/{session_id}/events", 200);
    reader.get(server, "/ws/{session_id}/events", "/ws/a%20b/events", 400);

    let route = "/ws/{session_id}/frames";
    let frame = json!({ "from": "dora", "to": "carol", "payload": "sealed" });
    assert_eq!(dora.post(server, &frame).status(), 204);
    reader.note("POST", route, 204);
    let stranger = server.ask("POST", "/ws/dora/frames").header("authorization", "Bearer wrong");
    reader.check("POST", route, 401, &stranger.json(&frame).send());
    let long = dora.ask(server).body("application/json", "x".repeat(131_073));
    reader.check("POST", route, 413, &long.send());
}

#[test]
fn a_burst_and_a_missing_token_are_answered_as_documented() {
    let reader = Reader::new();
    let server = Server::configured("[transparency]\nrate_limit_rps = 1\n", &["--roles", "transparency"]);
    reader.register(&server, &draft("a", 1, TIME_S), 201);
    reader.register(&server, &draft("b", 2, TIME_S), 429);
    let public = Server::configured("[server]\ntrusted_proxies = [\"10.0.0.1\"]\n", &[]);
    reader.check("GET", "/metrics", 401, &public.ask("GET", "/metrics").send());
    let uptime = reader.get(&public, "/health", "/health", 200)["uptime"].clone();
    assert!(uptime.is_u64(), "{uptime}");
}
