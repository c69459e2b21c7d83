//! Containers and services: what they start exists. Whether they run can't be tried here; only what a file says can be checked.

use std::collections::BTreeSet;

use nexus_server::config::COSIGNERS;
use nexus_server::transparency::keys::variable;
use serde_json::Value;

use super::documents::{path, text, yaml};
use crate::server::nexus;

const COMPOSE: &str = "deploy/docker/compose.yml";
const COMPOSE_EVENTS: &str = "deploy/docker/compose.events.yml";
const IMAGE: &str = "deploy/docker/Dockerfile";
const RAILWAY: &str = "deploy/railway/railway.json";
const UNITS: &[&str] = &[
    "deploy/systemd/nexus-transparency.service",
    "deploy/systemd/nexus-events.service",
    "deploy/systemd/nexus-cosigner@.service",
];

/// Each flag of a command line must be one that the command knows.
fn check(at: &str, arguments: &[String]) {
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .take_while(|word| !word.starts_with('-'))
        .collect();
    let help = nexus(&[&words[..], &["--help"]].concat(), &[]);
    assert_eq!(help.code, Some(0), "{at}: there is no `nexus {}`", words.join(" "));
    for flag in arguments.iter().filter(|word| word.starts_with("--")) {
        let known = help.stdout.split_whitespace().any(|word| word == flag);
        assert!(known, "{at}: `nexus {}` does not know {flag}", words.join(" "));
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|word| word.as_str().expect("a word").to_owned())
        .collect()
}

#[test]
fn containers_start_commands_that_exist_and_keep_cosigners_apart() {
    let compose = yaml(COMPOSE);
    let services = compose["services"].as_object().expect("services");
    let (mut volumes, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for (name, service) in services {
        let command = strings(&service["command"]);
        check(&format!("{COMPOSE}, {name}"), &command);
        let health = strings(&service["healthcheck"]["test"]);
        check(&format!("{COMPOSE}, {name}, health"), &health[2..]);
        let listen = command
            .iter()
            .skip_while(|word| *word != "--listen")
            .nth(1)
            .expect("it says where it listens");
        let port = listen.rsplit_once(':').expect("a port").1.to_owned();
        assert!(
            health.last().is_some_and(|url| url.ends_with(&port)),
            "{name} is asked elsewhere: {health:?}"
        );
        assert!(ports.insert(port), "{name} listens where another does");
        let [volume] = strings(&service["volumes"]).try_into().expect("one volume");
        assert!(volumes.insert(volume), "{name} shares the memory of another");
    }
    assert_eq!(services.keys().filter(|name| name.starts_with("cosigner_")).count(), 3);
    let hardened = &compose["x-hardened"];
    assert_eq!((&hardened["read_only"], &hardened["user"]), (&true.into(), &"65532:65532".into()));
    assert_eq!(strings(&hardened["cap_drop"]), ["ALL"]);
    for service in services.values() {
        let base = if service["<<"]["<<"].is_object() {
            &service["<<"]["<<"]
        } else {
            &service["<<"]
        };
        assert_eq!(base, hardened, "every container is hardened");
    }
    assert!(path(compose["services"]["log"]["build"]["dockerfile"].as_str().expect("a file")).exists());
}

#[test]
fn the_hub_has_a_container_of_its_own_with_its_secret_in_a_file() {
    let compose = yaml(COMPOSE_EVENTS);
    let service = &compose["services"]["events"];
    let command = strings(&service["command"]);
    check(COMPOSE_EVENTS, &command);
    check(COMPOSE_EVENTS, &strings(&service["healthcheck"]["test"])[2..]);
    assert_eq!((&service["read_only"], &service["user"]), (&true.into(), &"65532:65532".into()));
    assert_eq!(strings(&service["cap_drop"]), ["ALL"]);
    assert_eq!(
        strings(&service["ports"]),
        ["127.0.0.1:3000:3000"],
        "nobody else's machine reaches it"
    );
    assert_eq!(strings(&service["volumes"]), ["data:/data"]);
    let secret = &strings(&service["secrets"])[0];
    assert_eq!(service["environment"]["NEXUS_SECRET_FILE"], format!("/run/secrets/{secret}"));
    assert!(compose["secrets"][secret]["file"].is_string());
    assert!(
        service["environment"]["NEXUS_SECRET"].is_null(),
        "whoever may look at the container sees its environment"
    );
    let known = settings();
    for name in service["environment"].as_object().expect("variables").keys() {
        let Some(key) = name.strip_prefix("NEXUS__") else { continue };
        let key = key.to_lowercase().replacen("__", ".", 1);
        assert!(known.iter().any(|(known, _)| *known == key), "{name}");
    }
    let image = text(IMAGE);
    let target = service["build"]["target"].as_str().expect("a target");
    assert!(image.contains(&format!(" AS {target}\n")));
    // Platforms with volumes of their own refuse such an image.
    assert!(!image.lines().any(|line| line.starts_with("VOLUME")));
    assert!(image.contains("\nUSER 65532:65532\n") && image.trim_end().ends_with("FROM server"));
    for line in image.lines().filter_map(|line| line.strip_prefix("CMD ")) {
        check(IMAGE, &strings(&serde_json::from_str(line).expect("the exec form is JSON")));
    }
    let health = image
        .lines()
        .find_map(|line| line.strip_prefix("HEALTHCHECK ")?.split_once(" CMD nexus "))
        .expect("it is asked how it is")
        .1;
    check(IMAGE, &health.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn the_recipe_for_railway_has_known_keys_and_starts_what_exists() {
    let recipe: Value = serde_json::from_str(&text(RAILWAY)).expect("JSON");
    // Those of https://docs.railway.com/config-as-code/reference that are used here.
    let schema = serde_json::json!({
        "type": "object", "additionalProperties": false, "required": ["build", "deploy"],
        "properties": {
            "$schema": {"const": "https://railway.com/railway.schema.json"},
            "build": {"type": "object", "additionalProperties": false, "properties": {
                "builder": {"enum": ["DOCKERFILE"]}, "dockerfilePath": {"type": "string"}}},
            "deploy": {"type": "object", "additionalProperties": false, "properties": {
                "startCommand": {"type": "string"},
                "healthcheckPath": {"const": "/health"},
                "healthcheckTimeout": {"type": "integer", "minimum": 1},
                "restartPolicyType": {"enum": ["ON_FAILURE", "ALWAYS"]},
                "restartPolicyMaxRetries": {"type": "integer", "minimum": 1},
                "drainingSeconds": {"type": "integer", "minimum": 1}}},
        },
    });
    let fault = jsonschema::validate(&schema, &recipe).err().map(|error| error.to_string());
    assert_eq!(fault, None);
    assert_eq!(recipe["build"]["dockerfilePath"], IMAGE);
    let start = recipe["deploy"]["startCommand"].as_str().expect("a command");
    let words: Vec<String> = start.split_whitespace().map(str::to_owned).collect();
    assert_eq!(words[0], "nexus");
    check(RAILWAY, &words[1..]);
    assert!(!start.contains("--listen"), "it would beat the platform's PORT");
}

#[test]
fn the_reference_has_every_route_of_the_hub() {
    let reference = text("docs/API.md");
    for (method, path) in nexus_server::http::HUB_ROUTES {
        let heading = format!("\n### `{} {path}`\n", method.to_uppercase());
        assert!(reference.contains(&heading), "docs/API.md has no{heading}");
    }
    let routes = reference.lines().filter(|line| line.starts_with("### `")).count();
    assert_eq!(routes, nexus_server::http::HUB_ROUTES.len());
}

#[test]
fn services_start_commands_that_exist_and_are_hardened() {
    for unit in UNITS {
        let lines = text(unit);
        let value = |key: &str| lines.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        let start: Vec<String> = value("ExecStart")
            .expect("a command")
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        assert!(start[0].ends_with("/nexus"), "{unit}");
        check(unit, &start[1..]);
        for (key, expected) in [
            ("DynamicUser", "yes"),
            ("NoNewPrivileges", "yes"),
            ("ProtectSystem", "strict"),
            ("ProtectHome", "yes"),
            ("PrivateTmp", "yes"),
            ("CapabilityBoundingSet", ""),
            ("StateDirectoryMode", "0700"),
            ("UMask", "0077"),
            ("LimitCORE", "0"),
        ] {
            assert_eq!(value(key), Some(expected), "{unit}: {key}");
        }
    }
}

#[test]
fn the_limits_that_security_md_names_are_those_of_the_program() {
    use nexus_types::limits as known;
    let security = text("SECURITY.md");
    let number = |name: &str| match name {
        "REGISTRATION_BYTES_MAX" => known::REGISTRATION_BYTES_MAX,
        "LOG_QUEUE_MAX" => known::LOG_QUEUE_MAX,
        "LOG_BATCH_MAX" => known::LOG_BATCH_MAX,
        "LEAVES_PAGE_MAX" => known::LEAVES_PAGE_MAX,
        "HEADS_PAGE_MAX" => known::HEADS_PAGE_MAX,
        "ID_HISTORY_MAX" => known::ID_HISTORY_MAX,
        "EVIDENCE_MAX" => known::EVIDENCE_MAX,
        "RELAY_FRAME_BYTES" => known::RELAY_FRAME_BYTES,
        "RELAY_QUEUE_BYTES_MAX" => known::RELAY_QUEUE_BYTES_MAX,
        "RELAY_QUEUES_BYTES_MAX" => known::RELAY_QUEUES_BYTES_MAX,
        "RELAY_SESSIONS_MAX" => known::RELAY_SESSIONS_MAX,
        "RELAY_IDS_PER_SESSION_MAX" => known::RELAY_IDS_PER_SESSION_MAX,
        "RELAY_FRAMES_PER_SECOND" => known::RELAY_FRAMES_PER_SECOND as usize,
        "CONNECTIONS_PER_ADDRESS" => known::CONNECTIONS_PER_ADDRESS as usize,
        "EVENT_BYTES_MAX" => known::EVENT_BYTES_MAX,
        "BAD_SIGNATURES_PER_MINUTE" => known::BAD_SIGNATURES_PER_MINUTE as usize,
        "SOURCES_MAX" => known::SOURCES_MAX,
        "WEBHOOKS_MAX" => known::WEBHOOKS_MAX,
        "PATTERNS_MAX" => known::PATTERNS_MAX,
        "JOBS_WAITING_MAX" => known::JOBS_WAITING_MAX as usize,
        "HOPS_MAX" => known::HOPS_MAX as usize,
        "STREAMS_MAX" => known::STREAMS_MAX,
        "STREAM_COMMANDS_PER_SECOND" => known::STREAM_COMMANDS_PER_SECOND as usize,
        "STREAM_QUEUE_BYTES_MAX" => known::STREAM_QUEUE_BYTES_MAX,
        "OUTBOUND_ANSWER_BYTES_MAX" => known::OUTBOUND_ANSWER_BYTES_MAX,
        other => panic!("teach this test {other}"),
    };
    let mut count = 0;
    let section = security
        .split("\n## Limits\n")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .expect("a section");
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let shown: String = cells[2].chars().filter(char::is_ascii_digit).collect();
        let names = cells[1]
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.contains('_') && *name == name.to_uppercase());
        for name in names {
            assert_eq!(shown.parse::<usize>(), Ok(number(name)), "{row}");
            count += 1;
        }
    }
    assert_eq!(count, 25);
}

/// Every setting as the program knows it, with its default.
fn settings() -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("it is text");
    let said = nexus(&["config", "check", "--data", data], &[]).stdout;
    let read = |line: &str| {
        let (key, rest) = line.split_once(" = ").expect("a setting");
        let (value, _) = rest.rsplit_once("  # ").expect("a source");
        (key.to_owned(), value.to_owned())
    };
    said.lines().map(read).collect()
}

#[test]
fn the_guide_lists_every_setting_with_its_default() {
    let guide = text("docs/guide/configuration.md");
    let rows: Vec<(&str, &str)> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | `"))
        .filter_map(|(key, rest)| Some((key, rest.split_once('`')?.0)))
        .collect();
    for (key, value) in settings() {
        let shown = rows.iter().find(|(known, _)| *known == key);
        let Some((_, default)) = shown else {
            panic!("{key} is not in the guide")
        };
        assert_eq!(*default, value, "{key}");
    }
}

/// The text of each rule that comes with the program.
fn shipped_rules() -> impl Iterator<Item = String> {
    let folder = std::fs::read_dir(path("crates/nexus-core/src/hub/rules/shipped")).expect("the folder");
    folder.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("text"))
}

#[test]
fn the_sample_of_the_environment_names_what_exists() {
    let sample = text(".env.sample");
    let keys: Vec<String> = COSIGNERS.iter().map(|name| variable(name)).collect();
    let known = settings();
    for line in sample
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.starts_with(' '))
    {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no variable: {line}"));
        if let Some(key) = name.strip_prefix("NEXUS__") {
            let key = key.to_lowercase().replacen("__", ".", 1);
            assert!(known.iter().any(|(known, _)| *known == key), "{name}");
        } else if ["PORT", "RATE_LIMIT_RPS", "MAX_WS_PAYLOAD_BYTES"].contains(&name) {
            let said = nexus(&["config", "check", "--data", "/nonexistent"], &[(name, value)]).stdout;
            assert!(said.contains(&format!("# environment {name}")), "{name}");
        } else if name.starts_with("NEXUS_SECRET") {
            let ended = nexus(&["events", "check", "--data", "/nonexistent"], &[(name, "/nonexistent")]);
            assert!(ended.code == Some(4) && ended.stderr.contains(name), "{name}: {}", ended.stderr);
        } else if !shipped_rules().any(|rule| rule.contains(&format!("env.{}", name.trim_end_matches("_FILE")))) {
            let others = [
                "NEXUS_INSTANCE_KEY_FILE",
                "NEXUS_JWT_KEY_FILE",
                "NEXUS_CHROMIUM",
                "CARGO_TARGET_DIR",
            ];
            assert!(others.contains(&name) || keys.iter().any(|key| key == name), "{name}");
        }
    }
}
