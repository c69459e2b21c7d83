//! The web client's cookie.

use serde_json::json;

use crate::server::Server;
use crate::wire::{Answer, Ask};

fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").expect("a cookie");
    assert!(
        set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=2592000"),
        "{set}"
    );
    set.split(';').next().expect("a pair").to_owned()
}

#[test]
fn the_web_client_lives_by_its_cookie() {
    let server = Server::fresh();
    let page = |path: &str| -> Ask {
        server
            .ask("POST", path)
            .header("x-nexus-client", "web")
            .header("origin", &format!("http://localhost:{}", server.port))
    };
    let registered = page("/api/v1/auth/register")
        .json(&json!({ "username": "alice", "password": "correct horse" }))
        .send();
    let body = registered.expect(201);
    assert!(body["access_token"].is_string() && body.get("refresh_token").is_none(), "{body}");
    let first = cookie(&registered);
    assert!(first.starts_with("__Host-nexus_refresh="), "{first}");

    let refreshed = page("/api/v1/auth/refresh").header("cookie", &first).json(&json!({})).send();
    assert!(refreshed.expect(200).get("refresh_token").is_none());
    let second = cookie(&refreshed);
    assert_ne!(first, second);
    let without_body = page("/api/v1/auth/refresh").header("cookie", &second).send();
    without_body.expect(200);
    let third = cookie(&without_body);

    let ended = page("/api/v1/auth/logout").header("cookie", &third).send();
    assert_eq!((ended.status(), ended.header("content-type")), (204, None));
    assert!(
        ended
            .header("set-cookie")
            .is_some_and(|set| set.starts_with("__Host-nexus_refresh=;") && set.ends_with("Max-Age=0")),
        "{ended:?}"
    );
    page("/api/v1/auth/refresh")
        .header("cookie", &third)
        .send()
        .refused(401, "invalid_refresh_token");
    let token = body["access_token"].as_str().expect("a token");
    server
        .ask("GET", "/api/v1/users/@me")
        .header("authorization", &format!("Bearer {token}"))
        .send()
        .refused(401, "invalid_token");
}

#[test]
fn a_program_gets_its_token_in_the_body_and_signs_out_with_its_access_token() {
    let server = Server::fresh();
    let alice = server.register("alice");
    let login = server
        .ask("POST", "/api/v1/auth/login")
        .json(&json!({ "username": "ALICE", "password": "correct horse" }))
        .send();
    assert!(login.expect(200)["refresh_token"].is_string() && login.header("set-cookie").is_none());
    let logins = alice.ask("GET", "/api/v1/auth/logins").send().expect(200);
    assert_eq!(logins.as_array().map(Vec::len), Some(2));
    assert_eq!(alice.ask("POST", "/api/v1/auth/logout").send().status(), 204);
    alice.ask("GET", "/api/v1/users/@me").send().refused(401, "invalid_token");
    server.ask("POST", "/api/v1/auth/logout").send().refused(401, "invalid_token");
}
