//! `/metrics`: which names there are, and who may read them.

use super::{alone, body, get, now_s, path, refused, register, secret};
use crate::server::{Server, nexus};

/// The names of the contract, and those that dashboards are built from.
const NAMES: &[&str] = &[
    "process_up",
    "users_count",
    "sth_count",
    "ws_sessions",
    "last_sth_timestamp",
    "nexus_uptime_seconds",
    "nexus_process_resident_memory_bytes",
    "nexus_process_cpu_seconds_total",
    "nexus_http_requests_total",
    "nexus_http_request_duration_seconds_bucket",
    "nexus_log_registrations_total",
    "nexus_log_registration_duration_seconds_bucket",
    "nexus_log_batch_leaves_bucket",
    "nexus_log_cosign_duration_seconds_bucket",
    "nexus_log_pending_leaves",
    "nexus_log_cosigner_up",
];

fn value(text: &str, name: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn the_names_of_the_contract_are_there_and_tell_the_truth() {
    let server = alone("sql", &["--no-rate-limits"]);
    let now = now_s();
    for number in 0..3 {
        register(&server, &body(&format!("secret-name-{number}"), &secret(number), now)).expect(201);
    }
    register(&server, &body("secret-name-0", &secret(0), now)).expect(200);
    refused(&register(&server, &body("secret-name-0", &secret(7), now)), 409);
    server.ask("GET", "/did/secret-name-0").send().expect(200);
    server.ask("GET", "/some/guess/secret-name-1").send();
    let answer = server.ask("GET", "/metrics").send();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = &answer.body;
    for name in NAMES {
        let there = |line: &str| line.starts_with(&format!("{name} ")) || line.starts_with(&format!("{name}{{"));
        assert!(text.lines().any(there), "{name} in\n{text}");
    }
    let latest = get(&server, "/sth/latest")["timestamp"].as_f64();
    for (name, expected) in [
        ("process_up", Some(1.0)),
        ("users_count", Some(3.0)),
        ("sth_count", Some(3.0)),
        ("ws_sessions", Some(0.0)),
        ("last_sth_timestamp", latest),
        ("nexus_log_pending_leaves", Some(0.0)),
        (r#"nexus_log_registrations_total{outcome="new"}"#, Some(3.0)),
        (r#"nexus_log_registrations_total{outcome="existing"}"#, Some(1.0)),
        (r#"nexus_log_registrations_total{outcome="refused"}"#, Some(1.0)),
        (r#"nexus_log_cosigner_up{cosigner="cosigner_2"}"#, Some(1.0)),
        (
            r#"nexus_http_requests_total{route="/did/{id}",method="GET",status="200"}"#,
            Some(1.0),
        ),
        (
            r#"nexus_http_requests_total{route="/did/register",method="POST",status="201"}"#,
            Some(3.0),
        ),
    ] {
        assert_eq!(value(text, name), expected, "{name} in\n{text}");
    }
    assert!(
        !text.contains("secret-name") && !text.contains("guess"),
        "labels tell nothing of people"
    );
}

#[test]
fn metrics_are_for_this_machine_or_for_a_token() {
    // Private: nobody but this machine can connect.
    let private = Server::fresh();
    assert_eq!(private.ask("GET", "/metrics").send().status(), 200);

    // A proxy may carry others here.
    let mut public = Server::configured("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n", &[]);
    let data = public.data();
    let asked = |server: &Server, token: Option<&str>| {
        let ask = server.ask("GET", "/metrics");
        match token {
            Some(token) => ask.header("authorization", &format!("Bearer {token}")).send(),
            None => ask.send(),
        }
    };
    refused(&asked(&public, None), 401);
    refused(&asked(&public, Some("nxa_guess")), 401);
    let running = nexus(&["admin", "token", "create", "--data", path(&data)], &[]);
    assert_eq!(running.code, Some(3), "{}", running.stderr);
    assert!(running.stderr.contains("Stop it first"), "{}", running.stderr);
    public.stop();

    let made = nexus(&["admin", "token", "create", "--data", path(&data)], &[]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let token = made.stdout.lines().last().expect("the token is alone on the last line").to_owned();
    assert!(token.starts_with("nxa_") && token.len() > 40 && !token.contains(' '), "{token}");
    let mut again = Server::start(&data, &[]);
    assert_eq!(asked(&again, Some(&token)).status(), 200);
    refused(&asked(&again, None), 401);
    let log = again.stop();
    assert!(!log.contains(&token));
    let database: Vec<u8> = std::fs::read(data.join("nexus.db")).expect("the database");
    assert!(
        !database.windows(token.len()).any(|bytes| bytes == token.as_bytes()),
        "only its hash is stored"
    );

    assert_eq!(
        nexus(&["admin", "token", "revoke-all", "--data", path(&data)], &[]).stdout,
        "1 ended.\n"
    );
    let last = Server::start(&data, &[]);
    refused(&asked(&last, Some(&token)), 401);
}
