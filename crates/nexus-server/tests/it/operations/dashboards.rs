//! The dashboard and the alert rules: every expression reads series that a running node has.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::documents::{path, text, yaml};
use super::expressions::{Series, read, series};
use super::recovery::restored_from_an_old_copy;
use super::registrations::{TIME_S, draft};
use super::streams::Session;
use crate::events::{Place, SECRET, payment};
use crate::server::Server;
use crate::wire::connect;

const DASHBOARDS: [&str; 2] = ["deploy/grafana/transparency.json", "deploy/grafana/hub.json"];
const ALERTS: &str = "deploy/grafana/alerts.yml";
/// Series and labels that Prometheus itself adds.
const OF_PROMETHEUS: &[&str] = &["up"];
const LABELS_OF_PROMETHEUS: &[&str] = &["job", "instance"];
/// The contract's names, which other programs already read.
const CONTRACT: &[&str] = &["process_up", "users_count", "sth_count", "ws_sessions", "last_sth_timestamp"];

/// What a node shows after ordinary traffic, one whose cosigners are away, one whose cosigners refuse, and one with a hub.
fn live() -> Series {
    let mut all = Series::new();
    let server = Server::of_transparency();
    for (id, seed) in [("a", 1), ("b", 2), ("a", 1), ("a", 3)] {
        server.register_key(id, seed);
    }
    server.ask("GET", "/sth/latest").send();
    server.ask("GET", "/nothing").send();
    let carol = Session::begin(&server, "carol");
    for (from, to) in [("carol", "carol"), ("carol", "nobody"), ("dora", "carol")] {
        let frame = json!({ "from": from, "to": to, "payload": "sealed" });
        assert_eq!(carol.post(&server, &frame).status(), 204);
    }
    series(&server.metrics(), &mut all);

    let nobody = |number: u8| {
        let key = draft("", number, 0)["public_key"].as_str().expect("a key").to_owned();
        format!("\"cosigner_{number} http://127.0.0.1:1 {key}\"")
    };
    let config = format!("[transparency]\ncosigners = [{}, {}]\n", nobody(1), nobody(2));
    let lonely = Server::configured(&config, &["--roles", "transparency"]);
    assert_eq!(
        lonely.ask("POST", "/did/register").json(&draft("a", 1, TIME_S)).send().status(),
        503
    );
    series(&lonely.metrics(), &mut all);

    let (refused, _folder) = restored_from_an_old_copy();
    assert_eq!(refused.register_key("late", 7), 503);
    series(&refused.metrics(), &mut all);
    series(&of_a_hub(), &mut all);
    all
}

/// What a hub shows whose one reactor asks nobody, and whose one stream has ended.
fn of_a_hub() -> String {
    let place = Place::new();
    let rules = place.data().join("reactors");
    std::fs::create_dir(&rules).expect("made");
    let rule = "on = [\"FLOWPAY:PAYMENT_RECEIVED\"]\n[http]\nurl = \"http://127.0.0.1:1/mint\"\n";
    std::fs::write(rules.join("mint.toml"), rule).expect("written");
    let hub = place.alone();
    let mut socket = connect(hub.server.port);
    let upgrade = hub
        .admin("GET", "/events/stream")
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    let upgrade = upgrade
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    socket.write_all(&upgrade.bytes()).expect("sent");
    socket.read_exact(&mut [0; 12]).expect("an answer");
    // A masked text frame with the mask 0: subscribe to everything.
    let command = br#"{"action":"subscribe","events":["*"]}"#;
    let frame = [&[0x81, 0x80 | command.len() as u8, 0, 0, 0, 0][..], command].concat();
    socket.write_all(&frame).expect("sent");
    until(|| hub.get("/events/streams")[0]["events"][0] == "*");
    hub.post(SECRET, &payment("1")).expect(200);
    hub.post("another secret", &payment("1"));
    until(|| hub.get("/events/reactors")[0]["last"].is_object());
    let shown = || hub.ask("GET", "/metrics").send().body;
    until(|| shown().contains("nexus_hub_stream_events_total") && shown().contains("nexus_outbound_calls_total"));
    drop(socket);
    until(|| shown().contains("nexus_hub_stream_closed_total"));
    shown()
}

/// Waits until something is so.
fn until(so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < deadline, "it never was");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every expression in a file, with where it stands.
fn expressions(node: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match node {
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("expr", Value::String(text)) => found.push((at.to_owned(), text.clone())),
                    // label_values(series, label)
                    ("definition", Value::String(text)) => {
                        let inner = text.strip_prefix("label_values(").and_then(|rest| rest.rsplit_once(','));
                        let (expression, label) = inner.unwrap_or_else(|| panic!("{at}: {text}"));
                        assert!(LABELS_OF_PROMETHEUS.contains(&label.trim().trim_end_matches(')')), "{text}");
                        found.push((at.to_owned(), expression.to_owned()));
                    }
                    _ => {
                        let title = ["title", "alert", "name"].iter().find_map(|name| map.get(*name)?.as_str());
                        expressions(inner, title.unwrap_or(at), found);
                    }
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| expressions(inner, at, found)),
        _ => {}
    }
}

fn check(file: &str, document: &Value, live: &Series) -> BTreeSet<String> {
    let mut all = vec![];
    expressions(document, file, &mut all);
    let mut used = BTreeSet::new();
    for (at, text) in all {
        let expression = read(&text);
        assert!(!expression.selectors.is_empty(), "{file}, {at}: `{text}` reads nothing");
        let mut labels = BTreeSet::new();
        for selector in expression
            .selectors
            .iter()
            .filter(|selector| !OF_PROMETHEUS.contains(&&*selector.name))
        {
            let name = &selector.name;
            let series = live.get(name).unwrap_or_else(|| panic!("{file}, {at}: no node shows {name}"));
            labels.extend(series.iter().flat_map(|labels| labels.keys().cloned()));
            let own = selector
                .matchers
                .iter()
                .filter(|(label, ..)| !LABELS_OF_PROMETHEUS.contains(&&**label));
            for (label, operator, value) in own {
                let holds = |found: &String| match operator.as_str() {
                    "=" => found == value,
                    // The only pattern so far: a class of statuses.
                    "=~" => found.starts_with(
                        value
                            .strip_suffix("..")
                            .unwrap_or_else(|| panic!("{at}: teach this test `{value}`")),
                    ),
                    other => panic!("{at}: teach this test `{other}`"),
                };
                let met = series.iter().filter_map(|labels| labels.get(label)).any(holds);
                assert!(met, "{file}, {at}: no node shows {name} with {label}{operator}\"{value}\"");
            }
            used.insert(name.clone());
        }
        for label in expression
            .groups
            .iter()
            .filter(|label| !LABELS_OF_PROMETHEUS.contains(&label.as_str()))
        {
            assert!(
                labels.contains(label),
                "{file}, {at}: `{text}` groups by {label}, which its series do not have"
            );
        }
    }
    used
}

#[test]
fn the_dashboard_and_the_alerts_read_only_what_a_node_shows() {
    let live = live();
    let mut used = check(ALERTS, &yaml(ALERTS), &live);
    for name in DASHBOARDS {
        let dashboard: Value = serde_json::from_str(&text(name)).expect("it is JSON");
        used.extend(check(name, &dashboard, &live));
    }
    for name in CONTRACT {
        assert!(live.contains_key(*name), "the contract's {name} is missing");
        assert!(used.contains(*name), "{name} is on no panel");
    }
}

#[test]
fn the_dashboards_can_be_imported() {
    let read = |name: &str| serde_json::from_str(&text(name)).expect("it is JSON");
    let [one, other]: [Value; 2] = DASHBOARDS.map(read);
    assert!(one["uid"] != other["uid"] && one["title"] != other["title"]);
    can_be_imported(&one);
    can_be_imported(&other);
}

fn can_be_imported(dashboard: &Value) {
    assert!(
        dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 36),
        "Grafana 9 and newer"
    );
    assert!(dashboard["uid"].is_string() && dashboard["title"].is_string() && dashboard.get("id").is_none());
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let named = |name: &str| variables.iter().find(|variable| variable["name"] == name).expect("the variable");
    assert_eq!(
        (&named("datasource")["type"], &named("datasource")["query"]),
        (&"datasource".into(), &"prometheus".into())
    );
    let panels = dashboard["panels"].as_array().expect("panels");
    let (mut ids, mut taken) = (BTreeSet::new(), vec![]);
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64()), "{title}: its id is there twice");
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap_or_else(|| panic!("{title}: {name}"));
        let (left, top, right, bottom) = (side("x"), side("y"), side("x") + side("w"), side("y") + side("h"));
        assert!(right <= 24, "{title} is too wide");
        let apart = |(l, t, r, b, other): &(u64, u64, u64, u64, &str)| {
            assert!(right <= *l || *r <= left || bottom <= *t || *b <= top, "{title} lies on {other}");
        };
        taken.iter().for_each(apart);
        taken.push((left, top, right, bottom, title));
        if panel["type"] != "row" {
            assert!(panel["description"].is_string(), "{title} has no description");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            assert!(
                panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()),
                "{title} shows nothing"
            );
        }
    }
}

#[test]
fn every_alert_leads_to_a_heading_of_the_runbook() {
    let alerts = yaml(ALERTS);
    let rules = alerts["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"));
    let mut count = 0;
    for rule in rules {
        let name = rule["alert"].as_str().expect("a name");
        assert!(
            rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string(),
            "{name}"
        );
        let (file, anchor) = rule["annotations"]["runbook"]
            .as_str()
            .and_then(|link| link.split_once('#'))
            .expect("a link");
        assert!(path(file).exists(), "{name}: {file}");
        let slug = |line: &str| {
            let kept = line.trim_start_matches('#').trim().to_lowercase();
            let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect::<String>()
        };
        let found = text(file)
            .lines()
            .filter(|line| line.starts_with('#'))
            .any(|line| slug(line) == anchor);
        assert!(found, "{name}: no heading answers to {anchor}");
        count += 1;
    }
    assert!(count >= 6);
}
