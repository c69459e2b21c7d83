//! The event hub as a sender, an administrator and an operator meet it.

mod admins;
mod chain;
mod commands;
mod factories;
mod hostile;
mod kills;
mod losses;
mod posts;
mod privacy;
mod readers;
mod roles;
mod secrets;
mod signatures;
#[cfg(target_os = "linux")]
mod stops;
mod streams;

use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

use crate::server::{Person, Server, nexus};
use crate::wire::{Answer, Ask};

/// A secret as an operator would make it.
pub(crate) const SECRET: &str = "b1946ac92492d2347c6235b4d2611184f0e2a1d3c4b5a69788796a5b4c3d2e1f";
/// The flags of a server with the hub alone, without limits.
const ALONE: [&str; 3] = ["--roles", "events", "--no-rate-limits"];

/// A directory with a token for administrators, in which a server may be started.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) admin: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::configured("")
    }

    /// With this `nexus.toml`.
    pub(crate) fn configured(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let made = nexus(&["admin", "token", "create", "--data", text(&data)], &[]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let admin = made.stdout.lines().last().expect("a token").to_owned();
        if !config.is_empty() {
            std::fs::write(data.join("nexus.toml"), config).expect("written");
        }
        Self { folder, admin }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A server with the hub alone.
    pub(crate) fn alone(&self) -> Hub<'_> {
        self.serve(&ALONE)
    }

    pub(crate) fn serve(&self, flags: &[&str]) -> Hub<'_> {
        self.serve_in(flags, &[])
    }

    /// With further variables in its environment.
    fn serve_in(&self, flags: &[&str], environment: &[(&str, &str)]) -> Hub<'_> {
        let environment = [&[("NEXUS_SECRET", SECRET)], environment].concat();
        Hub {
            server: Server::start_in(&self.data(), flags, &environment),
            place: self,
        }
    }

    /// Writes a rule into the folder of reactors.
    fn rule(&self, name: &str, text: &str) {
        let folder = self.data().join("reactors");
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(folder.join(format!("{name}.toml")), text).expect("written");
    }

    /// Runs `nexus events …` over the directory.
    fn command(&self, arguments: &[&str]) -> crate::server::Ended {
        let data = self.data();
        let all: Vec<_> = ["events"].iter().chain(arguments).copied().chain(["--data", text(&data)]).collect();
        nexus(&all, &[])
    }
}

/// A running server with a hub.
pub(crate) struct Hub<'a> {
    pub(crate) server: Server,
    place: &'a Place,
}

impl Hub<'_> {
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        self.server.ask(method, path)
    }

    /// A request with the administrator's token.
    pub(crate) fn admin(&self, method: &str, path: &str) -> Ask {
        self.ask(method, path)
            .header("authorization", &format!("Bearer {}", self.place.admin))
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.admin("GET", path).send().expect(200)
    }

    /// Posts a body signed with this secret.
    pub(crate) fn post(&self, secret: &str, body: &str) -> Answer {
        self.signed(secret, body).send()
    }

    pub(crate) fn signed(&self, secret: &str, body: &str) -> Ask {
        self.ask("POST", "/events")
            .body("application/json", body)
            .header("x-nexus-signature", &sign(secret, body.as_bytes()))
    }

    /// Every event of a query (`&event=…`), the oldest first, however many pages there are.
    fn all(&self, query: &str) -> Vec<Value> {
        let mut all = vec![];
        let mut before = String::new();
        loop {
            let page = self.get(&format!("/events?limit=100{query}{before}"));
            let events = page.as_array().expect("a list");
            let Some(last) = events.last() else { break };
            before = format!("&before={}", last["position"]);
            all.extend(events.iter().cloned());
        }
        all.reverse();
        all
    }

    /// The process ends without a word.
    fn kill(mut self) {
        self.server.signal(Signal::KILL);
        self.server.wait();
    }

    /// Every event that is stored, the oldest first.
    fn stored(&self) -> Vec<Value> {
        let page = self.get("/events?limit=100");
        let mut events = page.as_array().expect("a list").clone();
        events.reverse();
        events
    }

    /// Those of them that somebody posted.
    fn posted(&self) -> Vec<Value> {
        let mut events = self.stored();
        events.retain(|event| event["source"] != "nexus");
        events
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The HMAC-SHA256 in hexadecimal digits.
pub(crate) fn sign(secret: &str, signed: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(signed);
    hex(&mac.finalize().into_bytes())
}

pub(crate) fn now_s() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs()
        .cast_signed()
}

/// A payment's body.
pub(crate) fn payment(order: &str) -> String {
    json!({ "event": "FLOWPAY:PAYMENT_RECEIVED", "payload": { "orderId": order, "amount": 15, "payerId": "@hana" } }).to_string()
}

/// Checks a refusal of the hub: status, word, and nothing but the documented members.
#[track_caller]
fn refused(answer: &Answer, status: u16, word: &str) -> Value {
    let body = answer.expect(status);
    assert_eq!(body["error"], word, "{body}");
    let known = ["error", "message", "field"];
    let members = body.as_object().expect("an object");
    assert!(members.keys().all(|name| known.contains(&name.as_str())), "{body}");
    assert!(
        word == "Invalid event type" || body["message"].as_str().is_some_and(|text| !text.is_empty()),
        "{body}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-request-id").is_some());
    body
}

/// The first administrator of a server with communities.
fn administrator(server: &Server) -> Person {
    let token = server.setup_token().expect("a setup link").to_owned();
    let account = json!({ "token": token, "username": "admin", "password": "correct horse" });
    let body = server.ask("POST", "/setup").json(&account).send().expect(201);
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    Person {
        port: server.port,
        id: text(&body["user"]["id"]),
        token: text(&body["access_token"]),
        refresh: text(&body["refresh_token"]),
    }
}
