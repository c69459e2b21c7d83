//! What the contract's routes refuse, by name, without writing anything.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde_json::{Value, json};

use super::{alone, body, get, heads, now_s, refused, register, secret};
use crate::server::Server;

/// Bytes of the longest registration.
const REGISTRATION_BYTES_MAX: usize = 16 * 1024;

#[test]
fn what_is_no_registration_is_refused_and_nothing_is_written() {
    let server = alone("sql", &["--no-rate-limits"]);
    let now = now_s();
    let good = || body("alice", &secret(1), now);
    let with = |field: &str, value: Value| {
        let mut body = good();
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = good();
        body.as_object_mut().expect("an object").remove(field);
        body
    };
    let key = secret(1).public();
    let key = key.as_bytes();
    let mut low_order = [0; 32];
    low_order[0] = 1;
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let sloppy = {
        // The last letter carries bits that are not there.
        let text = STANDARD.encode([0xff; 32]);
        text.replace("8=", "9=")
    };
    let mut bad: Vec<(Value, &str)> = vec![
        (without("id"), "id"),
        (without("public_key"), "public_key"),
        (without("timestamp"), "timestamp"),
        (with("id", json!(7)), "id"),
        (with("id", Value::Null), "id"),
        (with("public_key", json!([1, 2])), "public_key"),
        (with("timestamp", json!("1")), "timestamp"),
        (with("timestamp", json!(1.5)), "timestamp"),
        (with("timestamp", json!(1e3)), "timestamp"),
        (with("timestamp", json!(true)), "timestamp"),
        (with("timestamp", json!(u64::MAX)), "timestamp"),
        (with("timestamp", json!(-1)), "timestamp"),
        (with("timestamp", json!(i64::MIN)), "timestamp"),
        (with("timestamp", json!(now + 400)), "timestamp"),
        (with("timestamp", json!(i64::MAX)), "timestamp"),
        (with("rotation", json!("yes")), "rotation"),
        (with("rotation", json!({ "old": "x", "new": "y" })), "rotation"),
        (json!([]), ""),
        (json!(null), ""),
        (json!("id"), ""),
    ];
    for id in ["", " ", "a b", "a/b", "ä", "a\u{202e}b", "a\0b", "a\nb", "\u{7f}", &"x".repeat(256)] {
        bad.push((with("id", json!(id)), "id"));
    }
    for text in [
        String::new(),
        "AAAA".into(),
        STANDARD.encode(&key[..31]),
        STANDARD.encode([&key[..], &[0]].concat()),
        STANDARD_NO_PAD.encode(key),
        URL_SAFE.encode([0xff; 32]),
        format!(" {}", STANDARD.encode(key)),
        sloppy,
        STANDARD.encode([0; 32]),
        STANDARD.encode(low_order),
        STANDARD.encode(no_point),
    ] {
        bad.push((with("public_key", json!(text)), "public_key"));
    }
    for (body, word) in bad {
        let said = refused(&register(&server, &body), 400);
        assert!(said.contains(word), "{body}: {said}");
    }
    for raw in ["", "{", "nope", "{} x", r#"{"id":"a","id":"b"}"#, &"[".repeat(10_000), "\u{feff}{}"] {
        refused(&server.ask("POST", "/did/register").body("application/json", raw).send(), 400);
    }
    refused(
        &server
            .ask("POST", "/did/register")
            .body("application/json", b"{\"id\":\"\xff\"}")
            .send(),
        400,
    );
    refused(&server.ask("POST", "/did/register").send(), 400);
    refused(&register(&server, &body("did:nexus:abc", &secret(1), now)), 403);
    assert_eq!((heads(&server), get(&server, "/did/leaves")), (0, json!([])));
}

#[test]
fn the_longest_id_the_oldest_and_the_latest_time_are_good() {
    let server = alone("sql", &["--no-rate-limits"]);
    let now = now_s();
    for (id, timestamp) in [("x".repeat(255).as_str(), 0), ("did:nexo:a.b_c@d%20-9", now + 290), ("-", now)] {
        register(&server, &body(id, &secret(1), timestamp)).expect(201);
    }
    assert_eq!(get(&server, "/did/did:nexo:a.b_c@d%2520-9")["leaf_index"], 1);
}

#[test]
fn the_content_type_of_a_registration_does_not_matter_but_its_size_does() {
    let server = alone("sql", &["--no-rate-limits"]);
    let now = now_s();
    for (index, kind) in ["application/json", "application/json; charset=utf-8", "", "text/plain"]
        .into_iter()
        .enumerate()
    {
        let body = body(&format!("u{index}"), &secret(1), now).to_string();
        server.ask("POST", "/did/register").body(kind, body).send().expect(201);
    }
    let mut extra = body("extra", &secret(1), now);
    extra["is_admin"] = json!(true);
    register(&server, &extra).expect(201);
    let mut large = body("large", &secret(1), now);
    let rest = REGISTRATION_BYTES_MAX - large.to_string().len() - r#","note":"""#.len();
    large["note"] = json!("x".repeat(rest));
    register(&server, &large).expect(201);
    large["note"] = json!("x".repeat(rest + 1));
    refused(&register(&server, &large), 413);
}

#[test]
fn bad_questions_are_refused() {
    let server = alone("sql", &["--no-rate-limits"]);
    for number in 0..3 {
        register(&server, &body(&format!("u{number}"), &secret(number), now_s())).expect(201);
    }
    for (path, status) in [
        ("/sth/chain?limit=0", 400),
        ("/sth/chain?limit=-1", 400),
        ("/sth/chain?limit=1001", 400),
        ("/sth/chain?limit=1000000000", 400),
        ("/sth/chain?limit=ten", 400),
        ("/sth/chain?limit=", 400),
        ("/sth/chain?limit=1&limit=2", 400),
        ("/sth/chain?before=-1", 400),
        ("/sth/chain?before=x", 400),
        ("/did/leaves?limit=1001", 400),
        ("/did/leaves?from=-1", 400),
        ("/did/leaves?from=1e3", 400),
        ("/sth/growth?hours=0", 400),
        ("/sth/growth?hours=8761", 400),
        ("/sth/proof/inclusion", 400),
        ("/sth/proof/inclusion?leaf_index=0", 400),
        ("/sth/proof/inclusion?leaf_index=a&tree_size=1", 400),
        ("/sth/proof/inclusion?leaf_index=3&tree_size=3", 404),
        ("/sth/proof/inclusion?leaf_index=0&tree_size=4", 404),
        ("/sth/proof/inclusion?leaf_index=0&tree_size=0", 404),
        ("/sth/proof/consistency?first=1", 400),
        ("/sth/proof/consistency?first=0&second=1", 404),
        ("/sth/proof/consistency?first=3&second=2", 404),
        ("/sth/proof/consistency?first=1&second=4", 404),
        ("/did/nobody", 404),
        ("/did/nobody/history", 404),
        ("/did/a%20b", 404),
        ("/did/%ff", 404),
        ("/sth", 404),
        ("/sth/other", 404),
    ] {
        let answer = server.ask("GET", path).send();
        assert_eq!(answer.status(), status, "{path}: {}", answer.body);
        refused(&answer, status);
    }
    for (method, path) in [
        ("GET", "/did/register"),
        ("POST", "/sth/latest"),
        ("DELETE", "/did/u0"),
        ("PUT", "/did/register"),
    ] {
        refused(&server.ask(method, path).send(), 405);
    }
    let foreign = server.ask("POST", "/did/register").header("origin", "https://evil.example");
    refused(&foreign.json(&body("u9", &secret(9), now_s())).send(), 403);
    assert_eq!(heads(&server), 3);
}

#[test]
fn a_burst_is_told_when_to_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--roles", "transparency"];
    let server = Server::start_in(&folder.path().join("data"), &flags, &[("RATE_LIMIT_RPS", "2")]);
    let draft = body("alice", &secret(1), now_s());
    let answers: Vec<_> = (0..12).map(|_| register(&server, &draft)).collect();
    assert!(answers.iter().any(|answer| [200, 201].contains(&answer.status())));
    let limited = answers.iter().find(|answer| answer.status() == 429).expect("too many");
    refused(limited, 429);
    assert_eq!(limited.header("retry-after"), Some("1"));
    // Reading is not limited, and a forged address is nobody's.
    for _ in 0..30 {
        get(&server, "/sth/latest");
    }
    let forged = (0..8).map(|number| {
        let from = format!("203.0.113.{number}");
        server
            .ask("POST", "/did/register")
            .header("x-forwarded-for", &from)
            .json(&draft)
            .send()
    });
    assert!(forged.filter(|answer| answer.status() == 429).count() > 0);
}
