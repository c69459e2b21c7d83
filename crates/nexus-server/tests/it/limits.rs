//! Rate limits as clients meet them.

use serde_json::json;

use crate::server::{Person, Server};
use crate::wire::Answer;

/// Passwords that cost nothing.
const CHEAP: &str = "[passwords]\nmemory_kib = 8\npasses = 1\n";
/// A proxy on this machine is believed.
const PROXIED: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";

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

#[test]
fn joining_and_leaving_has_an_end() {
    let server = Server::fresh_with(&[]);
    let (alice, bob) = (server.register("alice"), server.register("bob"));
    let (guild, channel) = alice.guild("Reeds");
    let invite = alice.post(&format!("/api/v1/channels/{channel}/invites"), &json!({})).expect(200);
    let join = format!("/api/v1/invites/{}", invite["code"].as_str().expect("a code"));
    for _ in 0..20 {
        bob.ask("POST", &join).send().expect(200);
        let left = bob.ask("DELETE", &format!("/api/v1/users/@me/guilds/{guild}")).send();
        assert_eq!(left.status(), 204, "{left:?}");
    }
    let answer = bob.ask("POST", &join).send();
    assert_eq!(answer.refused(429, "rate_limited")["global"], false);
    assert_eq!(answer.header("x-ratelimit-bucket"), Some("joins"));
    alice.ask("POST", &join).send().expect(200);
}

#[test]
fn an_address_registers_twenty_with_an_invite_and_no_more() {
    let server = Server::configured(CHEAP, &[]);
    let alice = server.register("alice");
    let (_, channel) = alice.guild("Reeds");
    let invite = alice.post(&format!("/api/v1/channels/{channel}/invites"), &json!({})).expect(200);
    let register = |number: usize| {
        let draft = json!({ "username": format!("friend{number}"), "password": "correct horse", "invite": invite["code"] });
        server.ask("POST", "/api/v1/auth/register").json(&draft).send()
    };
    for number in 1..20 {
        register(number).expect(201);
    }
    register(20).refused(429, "rate_limited");
}

/// Sends a request again as long as only the limit over all routes is in the way.
fn patiently(send: impl Fn() -> Answer) -> Answer {
    loop {
        let answer = send();
        if answer.header("x-ratelimit-global").is_none() {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
}

#[test]
fn whatever_tells_a_whole_guild_counts() {
    let server = Server::fresh_with(&[]);
    let alice = server.register("alice");
    let (guild, _) = alice.guild("Reeds");
    let rename = |person: &Person, name: &str| {
        person
            .ask("PATCH", &format!("/api/v1/guilds/{guild}"))
            .json(&json!({ "name": name }))
            .send()
    };
    let used = (0..200)
        .position(|round| patiently(|| rename(&alice, &format!("Reeds {round}"))).status() == 429)
        .expect("more than a hundred");
    assert!((100..120).contains(&used), "{used}");
    for path in ["guilds/1", "users/@me/guilds/1", "guilds/1/members/1"] {
        // One is given back every six seconds.
        let answer = (0..3)
            .map(|_| patiently(|| alice.ask("DELETE", &format!("/api/v1/{path}")).send()))
            .find(|answer| answer.status() == 429)
            .unwrap_or_else(|| panic!("{path} counts too"));
        assert_eq!(answer.header("x-ratelimit-bucket"), Some("guild_changes"), "{path}");
    }
    assert_eq!(rename(&server.register("bob"), "Dunes").status(), 404, "another person");
}

fn sign_in(server: &Server, name: &str, forwarded: &str) -> Answer {
    let ask = server.ask("POST", "/api/v1/auth/login").header("x-forwarded-for", forwarded);
    ask.json(&json!({ "username": name, "password": "wrong horse" })).send()
}

#[test]
fn one_address_can_not_keep_trying_name_after_name() {
    let server = Server::configured(&format!("{CHEAP}{PROXIED}"), &[]);
    let tried = (0..60)
        .position(|number| sign_in(&server, &format!("nobody{number}"), "203.0.113.9").status() == 429)
        .expect("more than thirty a minute");
    assert!(tried >= 30, "{tried}");
    let answer = sign_in(&server, "nobody99", "203.0.113.9");
    answer.refused(429, "rate_limited");
    assert_eq!(
        (answer.header("x-ratelimit-bucket"), answer.header("x-ratelimit-remaining")),
        (Some("addresses"), Some("0"))
    );
    sign_in(&server, "nobody99", "203.0.113.10").refused(401, "bad_credentials");
}

#[test]
fn behind_a_proxy_that_is_believed_the_last_address_counts() {
    let server = Server::configured(&format!("{CHEAP}{PROXIED}"), &[]);
    for round in 0..5 {
        // What the client itself wrote stands before what the proxy added.
        sign_in(&server, "alice", &format!("192.0.2.{round}, 203.0.113.9")).refused(401, "bad_credentials");
    }
    sign_in(&server, "alice", "192.0.2.9, 203.0.113.9").refused(429, "rate_limited");
    sign_in(&server, "alice", "203.0.113.9, 203.0.113.10").refused(401, "bad_credentials");
}

#[test]
fn a_header_of_anybody_else_stays_ignored() {
    let proxy = "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n";
    let server = Server::configured(&format!("{CHEAP}{proxy}"), &[]);
    for round in 0..5 {
        sign_in(&server, "alice", &format!("192.0.2.{round}")).refused(401, "bad_credentials");
    }
    sign_in(&server, "alice", "192.0.2.9").refused(429, "rate_limited");
}
