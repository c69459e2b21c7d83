//! Rate limits as clients meet them.

use serde_json::json;

use crate::server::Server;

#[test]
fn the_sixth_message_waits_and_is_told_for_how_long() {
    let server = Server::fresh_with(&[]);
    let alice = server.register("alice");
    let (_, channel) = alice.guild("Reeds");
    let path = format!("/api/v1/channels/{channel}/messages");
    for round in 0..5 {
        let answer = alice.post(&path, &json!({ "content": "x" }));
        answer.expect(200);
        assert_eq!(
            (answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-bucket")),
            (Some("5"), Some("messages"))
        );
        if round == 0 {
            assert_eq!(answer.header("x-ratelimit-remaining"), Some("4"));
        }
    }
    let answer = (0..5)
        .map(|_| alice.post(&path, &json!({ "content": "x" })))
        .find(|answer| answer.status() == 429)
        .expect("too many");
    let body = answer.refused(429, "rate_limited");
    let seconds = body["retry_after"].as_f64().expect("a number");
    assert!(seconds > 0.0 && seconds <= 1.0, "{body}");
    assert_eq!(
        (body["global"].as_bool(), answer.header("retry-after"), answer.header("via")),
        (Some(false), Some("1"), Some("1.1 nexus"))
    );
    for name in [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-reset-after",
    ] {
        assert!(
            answer.header(name).is_some_and(|value| value.parse::<f64>().is_ok()),
            "{name}: {answer:?}"
        );
    }
    // Another channel has a limit of its own, and so has another person.
    let (_, other) = alice.guild("Dunes");
    alice
        .post(&format!("/api/v1/channels/{other}/messages"), &json!({ "content": "x" }))
        .expect(200);
}

#[test]
fn the_sixth_wrong_password_in_a_minute_is_refused_whatever_the_headers_say() {
    let server = Server::fresh_with(&[]);
    server.register("alice");
    let sign_in = |name: &str, password: &str, from: &str| {
        let ask = server
            .ask("POST", "/api/v1/auth/login")
            .header("x-forwarded-for", from)
            .header("forwarded", &format!("for={from}"));
        ask.json(&json!({ "username": name, "password": password })).send()
    };
    for _ in 0..10 {
        assert_eq!(
            sign_in("alice", "correct horse", "192.0.2.1").status(),
            200,
            "right ones are not counted"
        );
    }
    for name in ["alice", "nobody"] {
        for round in 0..5 {
            sign_in(name, "wrong horse", &format!("192.0.2.{round}")).refused(401, "bad_credentials");
        }
        let answer = sign_in(name, "wrong horse", "192.0.2.9");
        answer.refused(429, "rate_limited");
        assert!(
            answer
                .header("retry-after")
                .is_some_and(|after| after.parse::<u32>().is_ok_and(|after| (1..=60).contains(&after)))
        );
    }
    // The same name in another spelling is the same account.
    sign_in("ALICE", "correct horse", "192.0.2.9").refused(429, "rate_limited");
}

#[test]
fn codes_can_not_be_guessed_at_leisure() {
    let server = Server::fresh_with(&[]);
    let alice = server.register("alice");
    let (_, channel) = alice.guild("Reeds");
    let invite = alice.post(&format!("/api/v1/channels/{channel}/invites"), &json!({})).expect(200);
    let good = format!("/api/v1/invites/{}", invite["code"].as_str().expect("a code"));
    for _ in 0..30 {
        server.ask("GET", &good).send().expect(200);
    }
    for round in 0..20 {
        server
            .ask("GET", &format!("/api/v1/invites/guess{round}"))
            .send()
            .refused(404, "unknown_invite");
    }
    server.ask("GET", "/api/v1/invites/guess").send().refused(429, "rate_limited");
}

#[test]
fn a_person_may_not_ask_without_end() {
    let server = Server::fresh_with(&[]);
    let alice = server.register("alice");
    let answer = (0..400)
        .map(|_| alice.ask("GET", "/api/v1/users/@me").send())
        .find(|answer| answer.status() == 429);
    let answer = answer.expect("more than fifty a second");
    assert_eq!(answer.refused(429, "rate_limited")["global"], true);
    assert_eq!(answer.header("x-ratelimit-global"), Some("true"));
    server.ask("GET", "/health").send().expect(200);
}
