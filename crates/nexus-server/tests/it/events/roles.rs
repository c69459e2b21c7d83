//! `--roles events`: the hub alone, beside the key log, and beside everything.

use serde_json::json;

use super::{ALONE, Hub, Place, SECRET, payment, refused, text};
use crate::server::{Server, nexus};

#[test]
fn the_hub_alone_has_no_accounts_and_no_key_log() {
    let place = Place::new();
    let hub = place.alone();
    assert_eq!(hub.server.said.len(), 1, "no setup link: {:?}", hub.server.said);
    let health = hub.ask("GET", "/health").send().expect(200);
    assert_eq!(health["status"], "ok");
    assert!(
        health["uptime"].is_u64() && health.as_object().map(serde_json::Map::len) == Some(2),
        "{health}"
    );
    for path in ["/api/v1/instance", "/api/v10/users/@me", "/sth/latest", "/did/leaves", "/ws/x"] {
        let answer = hub.ask("GET", path).send();
        assert_eq!(answer.status(), 404, "{path}: {answer:?}");
    }
    let front = hub.ask("GET", "/").send();
    assert_eq!((front.status(), front.header("location")), (307, Some("/hub")));
    let page = hub.ask("GET", "/hub").header("accept", "text/html").send();
    assert_eq!(page.status(), 200);
    // An account's token is nobody's here.
    refused(
        &hub.ask("GET", "/events")
            .header("authorization", "Bearer eyJhbGciOiJub25lIn0")
            .send(),
        401,
        "invalid_token",
    );
    let ready = nexus(&["health", "--url", &format!("http://127.0.0.1:{}", hub.server.port)], &[]);
    assert!(ready.code == Some(0) && ready.stdout.contains("\"ok\""), "{}", ready.stderr);
}

#[test]
fn the_rules_that_come_with_it_are_written_once_and_wait_for_what_they_need() {
    let place = Place::new();
    let states = |hub: &Hub<'_>| {
        let list = hub.get("/events/reactors");
        let state = |reactor: &serde_json::Value| format!("{} {} {}", reactor["name"], reactor["state"], reactor["reason"]);
        list.as_array().expect("a list").iter().map(state).collect::<Vec<_>>()
    };
    let hub = place.alone();
    let both = states(&hub);
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(
        both[0].starts_with("\"notify-channel\" \"idle\"") && both[0].contains("NOTIFY_CHANNEL_ID"),
        "{both:?}"
    );
    assert!(
        both[1].starts_with("\"payment-to-mint\" \"idle\"") && both[1].contains("FACTORY_API_URL"),
        "{both:?}"
    );
    drop(hub);
    std::fs::remove_file(place.data().join("reactors/notify-channel.toml")).expect("it is there");
    let environment = [
        ("NEXUS_SECRET", SECRET),
        ("FACTORY_API_URL", "http://127.0.0.1:9000"),
        ("FACTORY_API_KEY", "k3y of the factory"),
    ];
    let server = Server::start_in(&place.data(), &ALONE, &environment);
    let hub = Hub { server, place: &place };
    assert_eq!(states(&hub), ["\"payment-to-mint\" \"active\" null"], "what was removed stays away");
}

#[test]
fn the_stream_is_at_the_front_of_the_hub_alone() {
    let place = Place::new();
    let hub = place.alone();
    let upgrade = |path: &str| {
        let ask = hub.ask("GET", path).header("connection", "upgrade").header("upgrade", "websocket");
        ask.header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    for path in ["/", "/events/stream", "/?token=nobody", "/events/stream?token="] {
        refused(&upgrade(path).send(), 401, "invalid_token");
    }
    let token = format!("Bearer {}", place.admin);
    for path in ["/", "/events/stream"] {
        let mut socket = crate::wire::connect(hub.server.port);
        let bytes = upgrade(path).header("authorization", &token).bytes();
        std::io::Write::write_all(&mut socket, &bytes).expect("sent");
        let mut head = [0; 12];
        std::io::Read::read_exact(&mut socket, &mut head).expect("an answer");
        assert_eq!(&head, b"HTTP/1.1 101", "{path}");
    }
}

#[test]
fn both_roles_share_a_port_and_everything_has_them_all() {
    let place = Place::new();
    let both = place.serve(&["--roles", "transparency,events", "--no-rate-limits"]);
    let health = both.ask("GET", "/health").send().expect(200);
    assert_eq!((&health["status"], &health["users_count"]), (&json!("healthy"), &json!(0)));
    assert!(health["uptime"].is_u64(), "{health}");
    both.post(SECRET, &payment("1")).expect(200);
    assert_eq!(both.ask("GET", "/").send().header("location"), Some("/audit"));
    assert_eq!(both.ask("GET", "/api/v1/instance").send().status(), 404);
    drop(both);
    // The same directory serves everything, and the event is still there.
    let all = place.serve(&["--no-rate-limits"]);
    all.ask("GET", "/api/v1/instance").send().expect(200);
    assert_eq!(all.ask("GET", "/health").send().expect(200)["status"], "healthy");
    all.post(SECRET, &payment("2")).expect(200);
    assert_eq!(all.posted().len(), 2);
    let front = all.ask("GET", "/").header("accept", "text/html").send();
    assert_eq!(front.status(), 200, "the page of communities");
}

#[test]
fn the_default_port_of_the_hub_alone_is_its_own() {
    let shown = |flags: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        // An address that can't be listened on is named in the failure.
        let all: Vec<_> = ["serve", "--data", text(&data)].iter().chain(flags).copied().collect();
        nexus(&all, &[("NEXUS_SECRET", SECRET), ("NEXUS__SERVER__LISTEN", "192.0.2.1:1")]).code
    };
    // The ports themselves are a table in `roles.rs`; here both lists are accepted and both orders.
    for flags in [
        ["--roles", "events"],
        ["--roles", "events,transparency"],
        ["--roles", "transparency, events"],
    ] {
        assert_eq!(shown(&flags), Some(5), "{flags:?}");
    }
    for flags in [["--roles", "event"], ["--roles", "events,"], ["--roles", "events,all"]] {
        assert_eq!(shown(&flags), Some(2), "{flags:?}");
    }
}

#[test]
fn what_communities_do_reaches_the_hub_as_ids() {
    let place = Place::new();
    let hub = place.serve(&["--no-rate-limits"]);
    let alice = hub.server.register("alice");
    let (guild, channel) = alice.guild("Ferry");
    let sent = alice
        .post(&format!("/api/v1/channels/{channel}/messages"), &json!({ "content": "sw0rdfish" }))
        .expect(200);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let told = loop {
        let events = hub.stored();
        if let Some(told) = events.iter().find(|event| event["event"] == "nexus:message_create") {
            break told.clone();
        }
        assert!(std::time::Instant::now() < deadline, "it was not told");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let ids = json!({ "guild_id": guild, "channel_id": channel, "message_id": sent["id"], "author_id": alice.id });
    assert_eq!((&told["payload"], &told["source"]), (&ids, &json!("nexus")));
    assert!(!hub.admin("GET", "/events?limit=100").send().body.contains("sw0rdfish"));
    drop(hub);

    let config = "[hub]\nplatform_events = false\n";
    let silent = Place::configured(config);
    let hub = silent.serve(&["--no-rate-limits"]);
    hub.server.register("alice").guild("Ferry");
    hub.post(SECRET, &payment("1")).expect(200);
    // The posted event was recorded at once, and nothing that was before it came along.
    let kinds: Vec<_> = hub.stored().iter().map(|event| event["event"].clone()).collect();
    assert!(
        kinds.iter().all(|kind| kind == "NEXUS:START" || kind == "FLOWPAY:PAYMENT_RECEIVED"),
        "{kinds:?}"
    );
}

/// On loopback for everybody of this machine, elsewhere for administrators.
#[test]
fn metrics_of_the_hub_are_not_for_everybody() {
    let place = Place::new();
    let server = Server::start_in(&place.data(), &ALONE, &[("NEXUS_SECRET", SECRET)]);
    let hub = Hub { server, place: &place };
    hub.post(SECRET, &payment("1")).expect(200);
    let text = hub.ask("GET", "/metrics").send().body;
    assert!(text.contains("nexus_hub_events_total{outcome=\"dispatched\"} 1"), "{text}");
    drop(hub);
    let public = Place::configured("[server]\ntrusted_proxies = [\"10.0.0.1\"]\n");
    let hub = public.serve(&["--roles", "events"]);
    assert_eq!(hub.ask("GET", "/metrics").send().status(), 401);
    assert_eq!(hub.admin("GET", "/metrics").send().status(), 200);
}
