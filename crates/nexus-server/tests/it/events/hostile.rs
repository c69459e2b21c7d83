//! Rules that loop, rules that are wrong, and other sides that mean no good, all at once beside one that is healthy. It does not notice,
//! and the hub says of each what happened and what to do.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::factories::Factory;
use super::{ALONE, Hub, Place, SECRET};
use crate::outbound::hosts::{Host, free_port};

const PATIENCE: Duration = Duration::from_secs(30);
/// Events that keep the hostile ones busy, and those whose way through the healthy rule is timed.
const FLOOD: usize = 30;
const TIMED: usize = 30;
/// What the healthy rule takes at most, of half of them and of all. Alone it takes some 10 ms; every hostile call takes `TIMEOUT_MS`.
const HALF: Duration = Duration::from_millis(300);
const WHOLE: Duration = Duration::from_millis(1_400);
const TIMEOUT_MS: u32 = 1_500;
/// Several times of what the server takes, and what one endless answer would pass in a moment.
const MEMORY_BYTES: u64 = 200 << 20;

/// The hosts that a hostile rule asks.
struct Hosts {
    healthy: Factory,
    dead: u16,
    silent: Host,
    drip: Host,
    endless: Host,
    redirect: Host,
    /// Nobody may be led there.
    secret: Host,
}

impl Hosts {
    async fn start() -> Self {
        let secret = Host::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
        let to = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/secret\r\nContent-Length: 0\r\n\r\n",
            secret.port
        );
        Self {
            healthy: Factory::start(1, 0),
            dead: free_port().await,
            silent: Host::silent().await,
            drip: Host::dripping("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await,
            endless: Host::endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await,
            redirect: Host::saying(to).await,
            secret,
        }
    }

    /// Each rule that asks somebody, and whom.
    fn asked(&self) -> [(&'static str, u16); 7] {
        [
            ("healthy", self.healthy.port),
            ("dead", self.dead),
            ("silent", self.silent.port),
            ("drip", self.drip.port),
            ("endless", self.endless.port),
            ("redirect", self.redirect.port),
            ("private", self.secret.port),
        ]
    }

    /// All but the one that nobody may ask.
    fn config(&self) -> String {
        let listed: Vec<_> = self.asked()[..6].iter().map(|(_, port)| format!("127.0.0.1:{port}")).collect();
        let types = ["GAUGE:READING", "GAUGE:ECHO", "GAUGE:PING", "GAUGE:PONG"];
        format!("[hub]\ntypes = {types:?}\n[outbound]\nprivate = {listed:?}\n")
    }
}

/// A rule that answers one type with another.
fn answering(on: &str, with: &str) -> String {
    format!("on = [\"GAUGE:{on}\"]\n[[emit]]\nevent = \"GAUGE:{with}\"\npayload = \"{{{{ payload }}}}\"\n")
}

fn write_rules(place: &Place, hosts: &Hosts) {
    let reading = "on = [\"GAUGE:READING\"]\n";
    for (name, port) in hosts.asked() {
        let http = format!("[http]\nurl = \"http://127.0.0.1:{port}/readings\"\ntimeout_ms = {TIMEOUT_MS}\njson = \"{{{{ payload }}}}\"\n");
        place.rule(name, &format!("{reading}{http}"));
    }
    place.rule("echo", &answering("ECHO", "ECHO"));
    place.rule("ping", &answering("PING", "PONG"));
    place.rule("pong", &answering("PONG", "PING"));
    place.rule(
        "broken",
        &format!("{reading}[http]\nurl = \"http://127.0.0.1/\"\njson = \"{{{{ paylod }}}}\"\n"),
    );
    let emit = "[[emit]]\nevent = \"GAUGE:ECHO\"\n[emit.payload]\nn = \"{{ payload.missing }}\"\n";
    place.rule("template", &format!("{reading}{emit}"));
    place.rule("when", &format!("{reading}when = \"payload.n < 'a'\"\n{emit}"));
}

fn reading(n: usize) -> String {
    json!({ "event": "GAUGE:READING", "payload": { "n": n } }).to_string()
}

/// Waits until this is so.
async fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(said) => assert!(Instant::now() < deadline, "{what}: {said}"),
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// How long each of so many events takes to have its effect, the quickest first.
async fn timed(hub: &Hub<'_>, factory: &Factory) -> Vec<Duration> {
    let mut all = vec![];
    for n in FLOOD..FLOOD + TIMED {
        let began = Instant::now();
        hub.post(SECRET, &reading(n)).expect(200);
        while !factory.books().mints.iter().any(|(_, body)| body["n"] == n) {
            assert!(began.elapsed() < PATIENCE, "the healthy rule goes on");
            sleep(Duration::from_millis(1)).await;
        }
        all.push(began.elapsed());
    }
    all.sort_unstable();
    all
}

/// The resident memory of the server.
fn memory(hub: &Hub<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", hub.server.pid().as_raw_nonzero())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// What must be said of each: the rule, what happened, and what to do.
const WORDS: [(&str, &str, &str); 6] = [
    ("dead", "Could not connect to 127.0.0.1", "Look whether it runs."),
    ("silent", "No answer within 1500 ms.", "Look whether the other side is overloaded."),
    ("drip", "No answer within 1500 ms.", "Look whether the other side is overloaded."),
    (
        "endless",
        "The answer is longer than 1048576 bytes and was cut off.",
        "Is it the right address?",
    ),
    ("redirect", "The answer 302 leads to http://127.0.0.1", "Put the final address in."),
    ("private", "is a private address", "list it in outbound.private."),
];

/// Letters of each rule: how many, what happened, and what to do.
const LETTERS: [(&[&str], usize, &str, &str); 4] = [
    (
        &["echo"],
        1,
        "This event came of itself",
        "Change what it listens to, then discard this.",
    ),
    (
        &["ping", "pong"],
        1,
        "This event came of itself",
        "Change what it listens to, then discard this.",
    ),
    (&["template"], FLOOD + TIMED, "payload.missing", "Mend the rule, then replay this."),
    (
        &["when"],
        FLOOD + TIMED,
        "can't compare a number with a text",
        "Mend the rule, then replay this.",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_hostile_harms_nobody_else_and_is_explained() {
    let hosts = Hosts::start().await;
    let place = Place::configured(&hosts.config());
    write_rules(&place, &hosts);
    let hub = place.serve(&ALONE);
    let first = hub.post(SECRET, &reading(0)).expect(200);
    for n in 1..FLOOD {
        hub.post(SECRET, &reading(n)).expect(200);
    }
    for event in ["GAUGE:ECHO", "GAUGE:PING"] {
        hub.post(SECRET, &json!({ "event": event, "payload": {} }).to_string()).expect(200);
    }
    // Now each of them has something to do.
    until("a host that hangs was asked", || {
        let asked = [&hosts.silent, &hosts.drip, &hosts.endless, &hosts.redirect].map(Host::connections);
        if asked.iter().all(|asked| *asked > 0) {
            Ok(())
        } else {
            Err(format!("{asked:?}"))
        }
    })
    .await;
    let took = timed(&hub, &hosts.healthy).await;
    println!(
        "healthy: half within {:?}, all within {:?}; memory {} MiB",
        took[TIMED / 2],
        took[TIMED - 1],
        memory(&hub) >> 20
    );
    assert!(took[TIMED / 2] < HALF && took[TIMED - 1] < WHOLE, "{took:?}");
    assert_eq!(hosts.healthy.books().mints.len(), FLOOD + TIMED);

    explained_in_lives(&hub, first["id"].as_str().expect("an id")).await;
    explained_in_letters(&hub);
    until("the reactors are explained", || explained_in_reactors(&hub)).await;
    assert_eq!(hub.ask("GET", "/health").send().expect(200)["status"], "ok");
    assert_eq!(hosts.secret.connections(), 0, "nobody comes where nobody may");
    assert!(memory(&hub) < MEMORY_BYTES, "{} MiB", memory(&hub) >> 20);
}

/// What each reactor made of this event, once it tried.
async fn explained_in_lives(hub: &Hub<'_>, id: &str) {
    for (reactor, happened, todo) in WORDS {
        let job = until(reactor, || {
            let life = hub.get(&format!("/events/{id}"));
            let mut jobs = life["jobs"].as_array().expect("a list").iter();
            let job = jobs.find(|job| job["reactor"] == reactor).ok_or("no job")?;
            if job["tries"] == 0 { Err(job.to_string()) } else { Ok(job.clone()) }
        })
        .await;
        let reason = job["reason"].as_str().unwrap_or_else(|| panic!("{reactor} is explained: {job}"));
        assert!(reason.contains(happened) && reason.contains(todo), "{reactor}: {reason}");
        assert_eq!(job["attempts"][0]["error"], reason, "{job}");
        assert!(["waiting", "running"].contains(&job["state"].as_str().expect("a state")), "{job}");
    }
    let life = hub.get(&format!("/events/{id}"));
    let state = |reactor: &str| {
        let mut jobs = life["jobs"].as_array().expect("a list").iter();
        jobs.find(|job| job["reactor"] == reactor).map(|job| job["state"].clone())
    };
    assert_eq!(state("healthy"), Some(json!("done")));
    assert_eq!(state("broken"), None, "who can't be read gets nothing");
}

fn explained_in_letters(hub: &Hub<'_>) {
    let letters = letters(hub);
    let mut known = 0;
    for (reactors, count, happened, todo) in LETTERS {
        let of_these: Vec<_> = letters
            .iter()
            .filter(|letter| reactors.contains(&letter["reactor"].as_str().expect("a name")))
            .collect();
        assert_eq!(of_these.len(), count, "{reactors:?}");
        for letter in &of_these {
            let (reason, advice) = (
                letter["reason"].as_str().expect("a reason"),
                letter["advice"].as_str().expect("an advice"),
            );
            assert!(reason.contains(happened) && advice.contains(todo), "{reason} – {advice}");
        }
        known += count;
    }
    assert_eq!(letters.len(), known, "nothing else is dead");
}

/// All dead letters.
fn letters(hub: &Hub<'_>) -> Vec<Value> {
    let mut all: Vec<Value> = vec![];
    loop {
        let before = all
            .last()
            .map(|letter| format!("&before={}", letter["id"].as_str().expect("an id")));
        let page = hub.get(&format!("/events/dead-letters?limit=100{}", before.unwrap_or_default()));
        let page = page.as_array().expect("a list");
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().cloned());
    }
}

fn explained_in_reactors(hub: &Hub<'_>) -> Result<(), String> {
    let reactors = hub.get("/events/reactors");
    let named = |name: &str| {
        let mut all = reactors.as_array().expect("a list").iter();
        all.find(|reactor| reactor["name"] == name)
            .unwrap_or_else(|| panic!("{name} is listed"))
    };
    for (name, happened, todo) in WORDS {
        let reactor = named(name);
        let reason = reactor["reason"].as_str().unwrap_or_default();
        let rests = !["dead", "silent", "drip"].contains(&name) || reactor["state"] == "resting";
        if !(rests && reason.contains(happened) && reason.contains(todo)) {
            return Err(reactor.to_string());
        }
        assert_eq!(reactor["waiting"], json!(FLOOD + TIMED), "nothing is lost: {reactor}");
    }
    let healthy = named("healthy");
    assert_eq!(
        (&healthy["state"], &healthy["reason"], &healthy["waiting"]),
        (&json!("active"), &Value::Null, &json!(0))
    );
    let broken = named("broken");
    assert_eq!(
        (&broken["state"], &broken["line"], &broken["file"]),
        (&json!("refused"), &json!(4), &json!("broken.toml"))
    );
    let reason = broken["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("`paylod` is not known here") && reason.contains("Did you mean `payload`?"),
        "{reason}"
    );
    Ok(())
}
