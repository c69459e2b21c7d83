//! The web client's page.

use crate::server::Server;

#[test]
fn the_page_has_a_policy_with_a_fresh_nonce() {
    let server = Server::fresh();
    let page = |path: &str| {
        server
            .ask("GET", path)
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .send()
    };
    let mut nonces = vec![];
    for path in ["/", "/setup", "/channels/1/2", "/invite/abc/", "/index.html"] {
        let answer = page(path);
        assert_eq!(
            (answer.status(), answer.header("content-type")),
            (200, Some("text/html; charset=utf-8")),
            "{path}"
        );
        let policy = answer.header("content-security-policy").expect("a policy").to_owned();
        for part in [
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval';",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .and_then(|rest| rest.split('\'').next())
            .expect("a nonce")
            .to_owned();
        assert!(!answer.body.contains("__NEXUS_NONCE__"));
        assert!(
            answer.body.contains(&format!("nonce=\"{nonce}\"")) || answer.body.contains("without the web client"),
            "{}",
            answer.body
        );
        nonces.push(nonce);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert!(answer.header("permissions-policy").is_some());
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 5);
    // A program that takes a wrong path for one of the API gets no page.
    server
        .ask("GET", "/channels/1/2")
        .header("accept", "application/json")
        .send()
        .refused(404, "not_found");
}

#[test]
fn the_api_is_never_cached_and_says_where_the_gateway_is() {
    let server = Server::fresh();
    for prefix in ["/api/v1", "/api/v10", "//api//v10/"] {
        let answer = server.ask("GET", &format!("{prefix}/gateway")).send();
        assert_eq!(answer.expect(200)["url"], format!("ws://localhost:{}", server.port));
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'none'; frame-ancestors 'none'")
        );
        assert_eq!(answer.header("x-request-id").map(str::len), Some(16));
    }
}
