//! Bad input: each is refused with its code, nothing is written, nothing panics.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Person, Server};
use crate::wire::{Ask, connect, raw, read};

const MIB: usize = 1024 * 1024;

/// A server, two people who do not know each other, and a channel of the first.
struct Scene {
    server: Server,
    alice: Person,
    mallory: Person,
    guild: String,
    channel: String,
}

impl Scene {
    fn new() -> Self {
        let server = Server::fresh();
        let (alice, mallory) = (server.register("alice"), server.register("mallory"));
        let (guild, channel) = alice.guild("Reeds");
        Self {
            server,
            alice,
            mallory,
            guild,
            channel,
        }
    }

    fn messages(&self) -> String {
        format!("/api/v1/channels/{}/messages", self.channel)
    }

    fn send(&self, body: &Value) -> crate::wire::Answer {
        self.alice.post(&self.messages(), body)
    }

    /// Nothing was written, and the log shows no failure of ours.
    fn ends_clean(mut self) {
        assert_eq!(self.alice.history(&self.channel), Vec::<String>::new());
        let log = self.server.stop();
        assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
    }
}

#[test]
fn bodies_that_are_no_json() {
    let scene = Scene::new();
    let deep = format!("{{\"content\":\"x\",\"extra\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        "",
        "{",
        "nope",
        "{\"content\":\"x\",\"content\":\"y\"}",
        &deep,
        "{\"content\":\"x\"}}",
        "{\"content\":\"\\ud800\"}",
    ] {
        let answer = scene.alice.ask("POST", &scene.messages()).body("application/json", body).send();
        answer.refused(400, "invalid_json");
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "",
    ] {
        let answer = scene.alice.ask("POST", &scene.messages()).body(kind, "{\"content\":\"x\"}").send();
        answer.refused(415, "unsupported_media_type");
    }
    scene.ends_clean();
}

#[test]
fn a_charset_is_accepted_and_never_sent() {
    let scene = Scene::new();
    let answer = scene
        .alice
        .ask("POST", &scene.messages())
        .body("Application/JSON; charset=utf-8", "{\"content\":\"x\"}")
        .send();
    answer.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let typing = scene
        .alice
        .ask("POST", &format!("/api/v1/channels/{}/typing", scene.channel))
        .send();
    assert_eq!(
        (typing.status(), typing.header("content-type"), typing.body.as_str()),
        (204, None, "")
    );
}

#[test]
fn bodies_over_the_limit() {
    let scene = Scene::new();
    let fits = format!("{{\"content\":\"{}\"}}", "x".repeat(MIB - 14));
    assert_eq!(fits.len(), MIB);
    scene
        .alice
        .ask("POST", &scene.messages())
        .body("application/json", fits.clone())
        .send()
        .refused(400, "invalid_body");
    let over = format!("{fits} ");
    scene
        .alice
        .ask("POST", &scene.messages())
        .body("application/json", over.clone())
        .send()
        .refused(413, "payload_too_large");
    let mut chunked = scene
        .alice
        .ask("POST", &scene.messages())
        .header("content-type", "application/json")
        .header("transfer-encoding", "chunked")
        .header("connection", "close")
        .bytes();
    for chunk in over.as_bytes().chunks(64 * 1024) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    let mut stream = connect(scene.server.port);
    stream.write_all(&chunked).expect("it reads on for a while");
    stream.write_all(b"0\r\n\r\n").expect("it reads on for a while");
    read(&mut stream).expect("an answer").refused(413, "payload_too_large");
    scene.ends_clean();
}

#[test]
fn contents_out_of_bounds_name_their_field() {
    let scene = Scene::new();
    for content in [
        json!(""),
        json!("   "),
        json!("x".repeat(4_001)),
        json!("a\u{0}b"),
        json!(5),
        json!({}),
        Value::Null,
    ] {
        let body = scene.send(&json!({ "content": content })).refused(400, "invalid_body");
        assert_eq!(body["code"], 50035, "{body}");
        assert!(body["errors"]["content"]["_errors"][0]["code"].is_string(), "{content}: {body}");
    }
    let body = scene.send(&json!([])).refused(400, "invalid_body");
    assert!(body["errors"].is_object(), "{body}");
    let password = json!({ "username": "zoe", "password": "x".repeat(900_000) });
    let body = scene
        .server
        .ask("POST", "/api/v1/auth/register")
        .json(&password)
        .send()
        .refused(400, "invalid_body");
    assert!(body["errors"]["password"].is_object(), "{body}");
    scene.ends_clean();
}

#[test]
fn fields_that_are_not_ours_to_set_are_ignored() {
    let scene = Scene::new();
    let draft = json!({ "username": "eve", "password": "correct horse", "admin": true, "is_admin": true, "id": "1", "bot": true });
    let eve = scene.server.ask("POST", "/api/v1/auth/register").json(&draft).send().expect(201);
    assert_eq!((&eve["user"]["admin"], &eve["user"]["bot"]), (&json!(false), &json!(false)));
    assert_ne!(eve["user"]["id"], "1");
    let draft = json!({ "content": "hi", "author_id": scene.mallory.id, "author": { "id": scene.mallory.id }, "id": "1", "type": 7 });
    let message = scene.send(&draft).expect(200);
    assert_eq!((&message["author"]["id"], &message["type"]), (&json!(scene.alice.id), &json!(0)));
    let change = scene
        .alice
        .ask("PATCH", &format!("/api/v1/channels/{}", scene.channel))
        .json(&json!({ "name": "n", "guild_id": "1", "is_admin": true }));
    assert_eq!(change.send().expect(200)["guild_id"], json!(scene.guild));
}

#[test]
fn ids_and_limits_that_are_none() {
    let scene = Scene::new();
    for id in ["-1", "0", "18446744073709551616", "9223372036854775808", "1e3", "x", "%00", "1%20"] {
        scene
            .alice
            .ask("GET", &format!("/api/v1/channels/{id}"))
            .send()
            .refused(400, "invalid_id");
        scene
            .alice
            .ask("GET", &format!("{}/{id}", scene.messages()))
            .send()
            .refused(400, "invalid_id");
        if id != "0" {
            let path = format!("{}?before={id}", scene.messages());
            scene.alice.ask("GET", &path).send().refused(400, "invalid_id");
        }
    }
    // Discord's libraries send 0 for the beginning.
    scene.alice.ask("GET", &format!("{}?after=0", scene.messages())).send().expect(200);
    for limit in ["0", "-1", "101", "1000000000", "x", "", "99999999999999999999"] {
        scene
            .alice
            .ask("GET", &format!("{}?limit={limit}", scene.messages()))
            .send()
            .refused(400, "invalid_limit");
    }
    scene
        .alice
        .ask("GET", &format!("{}?before=1&after=1", scene.messages()))
        .send()
        .refused(400, "invalid_query");
    scene.ends_clean();
}

#[test]
fn what_may_not_be_seen_does_not_exist() {
    let scene = Scene::new();
    let (_, other) = scene.mallory.guild("Dunes");
    let message = scene.send(&json!({ "content": "secret" })).expect(200);
    let id = message["id"].as_str().expect("an id");
    for (method, path) in [
        ("GET", format!("/api/v1/channels/{}", scene.channel)),
        ("PATCH", format!("/api/v1/channels/{}", scene.channel)),
        ("DELETE", format!("/api/v1/channels/{}", scene.channel)),
        ("GET", scene.messages()),
        ("POST", scene.messages()),
        ("GET", format!("{}/{id}", scene.messages())),
        ("POST", format!("{}/{id}/ack", scene.messages())),
        ("POST", format!("/api/v1/channels/{}/typing", scene.channel)),
        ("POST", format!("/api/v1/channels/{}/invites", scene.channel)),
        ("GET", format!("/api/v1/guilds/{}", scene.guild)),
        ("PATCH", format!("/api/v1/guilds/{}", scene.guild)),
        ("DELETE", format!("/api/v1/guilds/{}", scene.guild)),
        ("GET", format!("/api/v1/guilds/{}/channels", scene.guild)),
        ("POST", format!("/api/v1/guilds/{}/channels", scene.guild)),
        ("GET", format!("/api/v1/guilds/{}/members", scene.guild)),
        ("GET", format!("/api/v1/guilds/{}/invites", scene.guild)),
        ("DELETE", format!("/api/v1/guilds/{}/members/{}", scene.guild, scene.alice.id)),
        ("DELETE", format!("/api/v1/users/@me/guilds/{}", scene.guild)),
        // A message of one channel under another.
        ("GET", format!("/api/v1/channels/{other}/messages/{id}")),
        ("POST", format!("/api/v1/channels/{other}/messages/{id}/ack")),
    ] {
        let answer = scene
            .mallory
            .ask(method, &path)
            .json(&json!({ "content": "x", "name": "x" }))
            .send();
        answer.refused(404, "not_found");
    }
    assert_eq!(scene.alice.history(&scene.channel), ["secret"]);
    scene
        .alice
        .ask("DELETE", &format!("/api/v1/users/@me/guilds/{}", scene.guild))
        .send()
        .refused(409, "owner_required");
}

#[test]
fn tokens_that_are_not_ours() {
    let scene = Scene::new();
    let part = |json: &str| base64(json.as_bytes());
    let claims = scene.alice.token.split('.').nth(1).expect("three parts").to_owned();
    let good = &scene.alice.token;
    let none = format!("{}.{claims}.", part(r#"{"alg":"none","typ":"JWT"}"#));
    let confused = format!("{}.{claims}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part("x"));
    let walk = format!(
        "{}.{claims}.{}",
        part(r#"{"alg":"EdDSA","typ":"JWT","kid":"../../etc/passwd"}"#),
        part("x")
    );
    let bent = format!("{}A", &good[..good.len() - 1]);
    let long = "x".repeat(20_000);
    for token in ["", "x", "..", &none, &confused, &walk, &bent, &long, &scene.alice.refresh] {
        let answer = scene
            .server
            .ask("GET", "/api/v1/users/@me")
            .header("authorization", &format!("Bearer {token}"))
            .send();
        if *token != bent || bent != *good {
            answer.refused(401, "invalid_token");
        }
    }
    scene.server.ask("GET", "/api/v1/users/@me").send().refused(401, "invalid_token");
    scene
        .server
        .ask("GET", "/api/v1/users/@me")
        .header("authorization", &format!("Bot {good}"))
        .send()
        .refused(401, "invalid_token");
    scene
        .server
        .ask("GET", "/api/v1/users/@me")
        .header("authorization", &format!("bearer {good}"))
        .send()
        .expect(200);
    scene.ends_clean();
}

#[test]
fn a_refresh_token_used_again_ends_the_login() {
    let scene = Scene::new();
    let refresh = |token: &str| {
        scene
            .server
            .ask("POST", "/api/v1/auth/refresh")
            .json(&json!({ "refresh_token": token }))
            .send()
    };
    let first = scene.alice.refresh.clone();
    let second = refresh(&first).expect(200)["refresh_token"].as_str().expect("a token").to_owned();
    assert_eq!(
        refresh(&first).expect(200)["refresh_token"],
        json!(second),
        "within the grace: the same successor"
    );
    let third = refresh(&second).expect(200)["refresh_token"].as_str().expect("a token").to_owned();
    refresh(&first).refused(401, "token_reused");
    refresh(&third).refused(401, "invalid_refresh_token");
    scene.alice.ask("GET", "/api/v1/users/@me").send().refused(401, "invalid_token");
    refresh("nonsense").refused(401, "invalid_refresh_token");
    scene
        .server
        .ask("POST", "/api/v1/auth/refresh")
        .send()
        .refused(401, "invalid_refresh_token");
}

#[test]
fn other_sites_can_change_nothing() {
    let scene = Scene::new();
    let own = format!("http://localhost:{}", scene.server.port);
    let draft = json!({ "content": "x" });
    for origin in [
        "null",
        "https://evil.example",
        "http://localhost:1",
        "http://localhost.evil.example",
    ] {
        let with_token = scene.alice.ask("POST", &scene.messages()).header("origin", origin).json(&draft);
        with_token.send().refused(403, "foreign_origin");
        let with_cookie = scene
            .server
            .ask("POST", "/api/v1/auth/refresh")
            .header("origin", origin)
            .header("cookie", "__Host-nexus_refresh=x");
        with_cookie.header("x-nexus-client", "web").send().refused(403, "csrf_failed");
        let preflight = scene
            .server
            .ask("OPTIONS", &scene.messages())
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        preflight.send().refused(405, "method_not_allowed");
    }
    // From our own page, but by a plain form: no header that another site can't send.
    let form = scene
        .server
        .ask("POST", "/api/v1/auth/logout")
        .header("origin", &own)
        .header("cookie", "__Host-nexus_refresh=x");
    form.send().refused(403, "csrf_failed");
    let socket = scene
        .server
        .ask("GET", "/gateway?v=10")
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    socket
        .header("origin", "https://evil.example")
        .send()
        .refused(403, "foreign_origin");
    scene.ends_clean();
}

#[test]
fn a_head_that_drips_is_cut_off() {
    let server = Server::fresh();
    let began = Instant::now();
    let mut stream = connect(server.port);
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n").expect("it reads");
    while began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(250));
        if stream.write_all(b"x-drip: 1\r\n").is_err() {
            break;
        }
    }
    let took = began.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(14)).contains(&took), "{took:?}");
    server.ask("GET", "/health").send().expect(200);
}

#[test]
fn heads_that_are_too_large_or_say_two_things() {
    let scene = Scene::new();
    let port = scene.server.port;
    let large = scene.server.ask("GET", "/health").header("x-large", &"x".repeat(64 * 1024)).bytes();
    assert_eq!(raw(port, &large).expect("an answer").status(), 431);
    let fits = scene.server.ask("GET", "/health").header("x-large", &"x".repeat(16 * 1024));
    fits.send().expect(200);

    let body = "{\"content\":\"x\"}";
    let post = |headers: &[(&str, &str)], body: &str| {
        let ask = scene
            .alice
            .ask("POST", &scene.messages())
            .header("content-type", "application/json");
        let ask: Ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let mut bytes = ask.bytes();
        bytes.extend_from_slice(body.as_bytes());
        bytes.extend_from_slice(&scene.server.ask("GET", "/health").bytes());
        raw(port, &bytes).expect("an answer")
    };
    let length = body.len().to_string();
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (headers, body) in [
        (&[("content-length", length.as_str()), ("content-length", "5")][..], body),
        (&[("content-length", "+15")], body),
        (&[("transfer-encoding", "chunked, identity")], &chunked),
        (&[("transfer-encoding", "xchunked")], &chunked),
    ] {
        let answer = post(headers, body);
        assert_eq!((answer.status(), answer.body.as_str()), (400, ""), "{headers:?}");
    }
    assert_eq!(scene.alice.history(&scene.channel), Vec::<String>::new());
    // Both at once: the chunks count, and nothing more is read from a connection on which a proxy may have counted otherwise.
    for headers in [
        &[("content-length", "4"), ("transfer-encoding", "chunked")],
        &[("transfer-encoding", "chunked"), ("content-length", "4")],
    ] {
        let answer = post(headers, &chunked);
        assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")), "{headers:?}");
        assert!(!answer.body.contains("healthy"), "{headers:?}: {answer:?}");
    }
}

#[test]
fn routes_and_methods_that_are_none() {
    let scene = Scene::new();
    for path in [
        "/api/v1/nothing",
        "/api/v2/users/@me",
        "/api",
        "/nothing",
        "/assets/none.js",
        "/.env",
        "/../etc/passwd",
        "/api/v1/../health",
    ] {
        scene.alice.ask("GET", path).send().refused(404, "not_found");
    }
    scene.alice.ask("POST", "/nothing").send().refused(404, "not_found");
    let answer = scene.alice.ask("PUT", &scene.messages()).send();
    answer.refused(405, "method_not_allowed");
    let allowed = answer.header("allow").expect("what is allowed");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    assert_eq!(scene.server.ask("HEAD", "/health").send().body, "");
    scene.ends_clean();
}

#[test]
fn the_log_tells_nothing_of_people() {
    let mut server = Server::fresh_with(&["--no-rate-limits", "--log-format", "json"]);
    let alice = server.register("alice");
    let (_, channel) = alice.guild("Reeds");
    alice
        .post(
            &format!("/api/v1/channels/{channel}/messages"),
            &json!({ "content": "a secret word" }),
        )
        .expect(200);
    server
        .ask("GET", "/api/v1/invites/s3cretcode")
        .send()
        .refused(404, "unknown_invite");
    let log = server.stop();
    for secret in ["a secret word", &alice.token, &alice.refresh, "correct horse", "s3cretcode"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"].is_string())),
        "{log}"
    );
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
