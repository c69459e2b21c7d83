//! `--roles`: one contract alone, or all of them on one port.

use serde_json::json;

use super::{alone, body, get, now_s, path, register, secret};
use crate::server::{Server, nexus};

#[test]
fn the_role_alone_has_no_accounts_and_no_way_to_make_one() {
    let server = alone("sql", &[]);
    assert_eq!(server.said.len(), 1, "no setup link: {:?}", server.said);
    for path in ["/api/v1/instance", "/api/v1/gateway", "/api/v10/users/@me"] {
        server.ask("GET", path).send().refused(404, "not_found");
    }
    let setup = json!({ "token": "x", "username": "admin", "password": "correct horse" });
    server.ask("POST", "/setup").json(&setup).send().refused(404, "not_found");
    let socket = server
        .ask("GET", "/gateway")
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    assert_ne!(socket.send().status(), 101);
    for page in ["/audit", "/admin"] {
        let answer = server.ask("GET", page).header("accept", "text/html").send();
        assert_eq!(answer.status(), 200);
        assert!(
            answer
                .header("content-security-policy")
                .is_some_and(|policy| policy.contains("default-src 'none'"))
        );
    }
}

#[test]
fn everything_is_served_on_one_port_without_a_role() {
    let server = Server::fresh();
    server.register("alice");
    register(&server, &body("alice", &secret(1), now_s())).expect(201);
    let health = get(&server, "/health");
    assert_eq!((&health["users_count"], &health["sth_count"]), (&json!(1), &json!(1)));
    assert!(health["uptime"].is_u64());
    server.ask("GET", "/api/v1/instance").send().expect(200);
}

#[test]
fn one_directory_serves_both_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut log = Server::start(&data, &["--roles", "transparency"]);
    register(&log, &body("alice", &secret(1), now_s())).expect(201);
    log.stop();
    let mut all = Server::start(&data, &["--no-rate-limits"]);
    assert!(all.setup_token().is_some());
    all.register("alice");
    assert_eq!(get(&all, "/did/alice")["leaf_index"], 0);
    all.stop();
    let other = nexus(
        &["serve", "--listen", "127.0.0.1:0", "--store", "jsonl", "--data", path(&data)],
        &[],
    );
    assert_eq!(other.code, Some(2), "{}", other.stderr);
    assert!(other.stderr.contains("--store sql"), "{}", other.stderr);
}

#[test]
fn a_role_or_store_that_nobody_knows_is_answered_with_the_known_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    for (flags, words) in [
        (["--roles", "transparancy"], "transparency"),
        (["--roles", ""], "transparency"),
        (["--roles", "transparency,"], "transparency"),
        (["--store", "csv"], "sql, jsonl"),
    ] {
        let ended = nexus(&["serve", "--data", path(&data), flags[0], flags[1]], &[]);
        assert_eq!(ended.code, Some(2), "{flags:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{flags:?}: {}", ended.stderr);
    }
}
