//! Bots from outside: the command that makes one, its token on every kind of route, and what becomes of it when it is removed.

use std::path::Path;

use serde_json::json;

use crate::server::{Ended, Server, nexus};
use crate::wire::Ask;

fn create(data: &Path, further: &[&str]) -> Ended {
    let data = data.to_str().expect("it is text");
    nexus(&[&["admin", "bot", "create"][..], further, &["--data", data]].concat(), &[])
}

/// The token on the last line.
fn token(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout.lines().last().expect("a line").to_owned()
}

fn as_bot(server: &Server, token: &str, method: &str, path: &str) -> Ask {
    server.ask(method, path).header("authorization", &format!("Bot {token}"))
}

#[test]
fn a_bot_made_by_the_operator_speaks_until_it_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &["--no-rate-limits"]);
    let alice = server.register("alice");
    let (guild, channel) = alice.guild("Harbour");
    let code = alice.post(&format!("/api/v1/channels/{channel}/invites"), &json!({})).expect(200)["code"].clone();
    let bob = server.register("bob");
    bob.post(&format!("/api/v1/invites/{}", code.as_str().expect("a code")), &json!({}))
        .expect(200);
    let running = create(&data, &["Payments", "--guild", &guild]);
    assert_eq!(running.code, Some(3), "a running server has the directory: {}", running.stderr);
    server.stop();

    let token = token(&create(&data, &["Payments", "--guild", &guild]));
    let mut server = Server::start(&data, &["--no-rate-limits"]);
    let messages = format!("/api/v10/channels/{channel}/messages");
    let send = |server: &Server, content: &str| {
        as_bot(server, &token, "POST", &messages)
            .json(&json!({ "content": content }))
            .send()
    };
    let sent = send(&server, "Order 7 was paid.").expect(200);
    assert_eq!(
        (&sent["author"]["username"], &sent["author"]["bot"]),
        (&json!("Payments"), &json!(true))
    );
    // The tokens of people and their logins survive the restart.
    let bob = crate::server::Person { port: server.port, ..bob };
    let alice = crate::server::Person {
        port: server.port,
        ..alice
    };
    let seen = bob.ask("GET", &messages).send().expect(200);
    assert_eq!(
        (&seen[0]["content"], &seen[0]["author"]),
        (&json!("Order 7 was paid."), &sent["author"])
    );
    let me = as_bot(&server, &token, "GET", "/api/v10/users/@me").send().expect(200);
    assert_eq!(
        (&me["id"], &me["bot"], &me["admin"]),
        (&sent["author"]["id"], &json!(true), &json!(false))
    );

    // Each kind of token is good under its own scheme only.
    for authorization in [
        format!("Bearer {token}"),
        token.clone(),
        format!("Bot {}", alice.token),
        format!("Bot {token}x"),
        "Bot ".to_owned(),
    ] {
        let answer = server
            .ask("GET", "/api/v1/users/@me")
            .header("authorization", &authorization)
            .send();
        answer.refused(401, "invalid_token");
    }

    let member = format!("/api/v1/guilds/{guild}/members/{}", me["id"].as_str().expect("an id"));
    assert_eq!(bob.ask("GET", &member).send().expect(200)["user"]["bot"], true);
    assert_eq!(alice.ask("DELETE", &member).send().status(), 204);
    send(&server, "Am I still here?").refused(404, "not_found");
    assert_eq!(bob.history(&channel), ["Order 7 was paid."]);
    let log = server.stop();
    assert!(!log.contains(&token) && !log.contains("ERROR"), "{log}");
}

/// 112 of the bad inputs.
#[test]
fn routes_for_people_are_closed_to_bots() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let token = token(&create(&data, &["relay"]));
    let server = Server::start(&data, &["--no-rate-limits"]);
    let alice = server.register("alice");
    let (_, channel) = alice.guild("Harbour");
    let code = alice.post(&format!("/api/v1/channels/{channel}/invites"), &json!({})).expect(200)["code"].clone();
    let account = json!({ "username": "other", "password": "correct horse" });
    for (method, path, body) in [
        ("POST", "/api/v1/auth/register".to_owned(), account.clone()),
        ("POST", "/api/v1/auth/login".to_owned(), account.clone()),
        ("POST", "/api/v1/auth/refresh".to_owned(), json!({ "refresh_token": alice.refresh })),
        ("POST", "/api/v1/auth/logout".to_owned(), json!({})),
        ("GET", "/api/v1/auth/logins".to_owned(), json!({})),
        ("DELETE", "/api/v1/auth/logins/1".to_owned(), json!({})),
        (
            "POST",
            "/setup".to_owned(),
            json!({ "token": "x", "username": "other", "password": "correct horse" }),
        ),
        (
            "PATCH",
            "/api/v1/users/@me".to_owned(),
            json!({ "password": "!!!!!!!!", "new_password": "correct horse" }),
        ),
        ("POST", "/api/v1/guilds".to_owned(), json!({ "name": "Bots" })),
        ("POST", format!("/api/v1/invites/{}", code.as_str().expect("a code")), json!({})),
        ("POST", format!("/api/v1/channels/{channel}/messages/1/ack"), json!({})),
    ] {
        let answer = as_bot(&server, &token, method, &path).json(&body).send();
        assert_eq!(answer.json()["code"], 20001, "{method} {path}: {answer:?}");
        answer.refused(403, "bots_not_allowed");
    }
    let signing_in = json!({ "username": "relay", "password": "!!!!!!!!" });
    server
        .ask("POST", "/api/v1/auth/login")
        .json(&signing_in)
        .send()
        .refused(401, "bad_credentials");
    alice.ask("GET", "/api/v1/users/@me").send().expect(200);
}

#[test]
fn each_bot_has_a_limit_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let [one, other] = ["one", "other"].map(|name| token(&create(&data, &[name])));
    let server = Server::start(&data, &[]);
    let ask = |token: &str| as_bot(&server, token, "GET", "/api/v1/users/@me").send().status();
    let refused = (0..1_000).any(|_| ask(&one) == 429);
    assert!(refused, "a flood is stopped");
    assert_eq!(ask(&other), 200);
}

#[test]
fn the_command_says_what_is_wrong_and_a_token_can_be_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &[]);
    server.register("alice");
    server.stop();
    for (further, code, words) in [
        (&["ALICE"][..], 1, "belongs to a person"),
        (&["two words"], 2, "can't be a bot's name"),
        (&["relay", "--guild", "12345"], 1, "no such community"),
        (&["relay", "--guild", "harbour"], 2, "--guild"),
    ] {
        let ended = create(&data, further);
        assert_eq!(ended.code, Some(code), "{further:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{further:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{further:?}");
    }
    let first = create(&data, &["relay"]);
    assert!(!first.stdout.contains("existed"), "{}", first.stdout);
    let second = create(&data, &["relay"]);
    assert!(second.stdout.contains("existed"), "{}", second.stdout);
    let server = Server::start(&data, &[]);
    let ask = |token: &str| as_bot(&server, token, "GET", "/api/v1/users/@me").send().status();
    assert_eq!((ask(&token(&first)), ask(&token(&second))), (401, 200));
}
