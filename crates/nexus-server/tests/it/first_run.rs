//! The first start, the second one, and starts that must not be.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use crate::server::{Server, nexus};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn the_first_run_makes_everything_private_and_prints_the_way_in() {
    let server = Server::fresh();
    assert!(server.setup_token().is_some_and(|token| token.len() >= 43), "{:?}", server.said);
    assert_eq!(mode(&server.data()), 0o700);
    let names: Vec<_> = fs::read_dir(server.data())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    for name in [
        "instance.key",
        "jwt.key",
        "log.key",
        "nexus.toml",
        "nexus.lock",
        "nexus.db",
        "cosigners",
    ] {
        assert!(names.contains(&server.data().join(name)), "{name} in {names:?}");
    }
    for path in names {
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
    }
    let health = server.ask("GET", "/health").send().expect(200);
    assert_eq!(
        (health["status"].as_str(), health["timestamp"].is_u64(), health["uptime"].is_u64()),
        (Some("healthy"), true, true)
    );
    for path in ["/livez", "/readyz", "//health//"] {
        server.ask("GET", path).send().expect(200);
    }
}

#[test]
fn the_second_start_reuses_all_and_prints_a_new_link_until_there_is_an_administrator() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let keys = || ["instance.key", "jwt.key", "nexus.toml"].map(|name| fs::read(data.join(name)).expect("it is there"));

    let mut first = Server::start(&data, &[]);
    let old = first.setup_token().expect("a link").to_owned();
    let alice = first.register("alice");
    let made = keys();
    first.stop();

    let mut second = Server::start(&data, &[]);
    assert_eq!(keys(), made);
    let token = second.setup_token().expect("another link").to_owned();
    assert_ne!(token, old);
    let me = second
        .ask("GET", "/api/v1/users/@me")
        .header("authorization", &format!("Bearer {}", alice.token))
        .send()
        .expect(200);
    assert_eq!(me["id"], alice.id);
    let set_up = |token: &str| {
        let body = json!({ "token": token, "username": "admin", "password": "correct horse" });
        second.ask("POST", "/setup").json(&body).send()
    };
    set_up(&old).refused(401, "invalid_setup_token");
    assert_eq!(second.ask("GET", "/api/v1/instance").send().expect(200)["setup_required"], true);
    assert_eq!(set_up(&token).expect(201)["user"]["admin"], true);
    set_up(&token).refused(409, "already_set_up");
    assert_eq!(second.ask("GET", "/api/v1/instance").send().expect(200)["setup_required"], false);
    second.stop();

    let third = Server::start(&data, &[]);
    assert_eq!(third.setup_token(), None);
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let server = Server::fresh();
    let data = server.data();
    let ended = nexus(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().expect("UTF-8")], &[]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("is using the data directory") && ended.stderr.contains("--data"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
    server.ask("GET", "/health").send().expect(200);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let ended = nexus(
        &["serve", "--listen", &address, "--data", folder.path().to_str().expect("UTF-8")],
        &[],
    );
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(address.rsplit_once(':').expect("a port").1) && ended.stderr.contains("--listen"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_first_start_that_was_cut_off_heals() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("made");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("closed");
    fs::write(data.join("instance.key.new"), b"half").expect("left behind");
    fs::write(data.join("nexus.toml.new"), b"[ser").expect("left behind");
    let server = Server::start(&data, &[]);
    server.ask("GET", "/health").send().expect(200);
    assert_eq!(fs::metadata(data.join("instance.key")).expect("made").len(), 32);
}

#[test]
fn a_secret_that_others_can_read_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    Server::start(&data, &[]).stop();
    fs::set_permissions(data.join("jwt.key"), fs::Permissions::from_mode(0o644)).expect("opened");
    let ended = nexus(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().expect("UTF-8")], &[]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("chmod 600"), "{}", ended.stderr);
}

#[test]
fn configuration_is_checked_and_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("UTF-8");
    let check = |environment: &[(&str, &str)]| nexus(&["config", "check", "--data", data], environment);
    let good = check(&[("NEXUS__SERVER__NAME", "Salt marsh")]);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    assert!(
        good.stdout
            .contains("server.name = \"Salt marsh\"  # environment NEXUS__SERVER__NAME"),
        "{}",
        good.stdout
    );
    assert!(good.stdout.contains("limits.rates = true  # default"), "{}", good.stdout);
    fs::write(folder.path().join("nexus.toml"), "[server]\nlistne = []\n").expect("written");
    let bad = check(&[]);
    assert_eq!((bad.code, bad.stdout.as_str()), (Some(2), ""), "{}", bad.stderr);
    assert!(bad.stderr.contains("Did you mean server.listen?"), "{}", bad.stderr);
}

#[test]
fn limits_can_be_off_on_loopback_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("UTF-8");
    let ended = nexus(&["serve", "--no-rate-limits", "--data", data], &[("PORT", "0")]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn behind_a_proxy_a_fresh_server_is_not_open_to_all() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let config = format!("[server]\npublic_url = \"http://localhost:{}\"\n", free.port());
    let server = Server::configured(&config, &["--listen", &free.to_string()]);
    let draft = json!({ "username": "mallory", "password": "correct horse" });
    let register = || server.ask("POST", "/api/v1/auth/register").json(&draft).send();
    register().refused(403, "registration_closed");
    let token = server.setup_token().expect("a link");
    let admin = json!({ "token": token, "username": "admin", "password": "correct horse" });
    server.ask("POST", "/setup").json(&admin).send().expect(201);
    register().expect(201);

    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("UTF-8");
    let environment = [("NEXUS__SERVER__PUBLIC_URL", "https://chat.example.org")];
    let ended = nexus(
        &["serve", "--no-rate-limits", "--listen", "127.0.0.1:0", "--data", data],
        &environment,
    );
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn health_says_it_by_its_exit_code() {
    let server = Server::fresh();
    let ask = |port: u16| nexus(&["health", "--url", &format!("http://127.0.0.1:{port}")], &[]);
    let healthy = ask(server.port);
    assert_eq!(healthy.code, Some(0), "{}", healthy.stderr);
    assert!(healthy.stdout.contains("\"healthy\""), "{}", healthy.stdout);
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address")
        .port();
    let nobody = ask(free);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(1), ""), "{}", nobody.stderr);
    assert_eq!(nexus(&["--version"], &[]).stdout, format!("nexus {}\n", env!("CARGO_PKG_VERSION")));
}
