//! What is said in a private channel is in nothing that the hub stores, shows, pushes, delivers or logs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::chain::CHEAP;
use super::factories::Factory;
use super::streams::stage::{Heard, Listener, Way, subscribe};
use super::{Hub, Place, administrator};

/// A word that nobody else says.
const CANARY: &str = "zx81canary";
const PATIENCE: Duration = Duration::from_secs(20);
const FLAGS: [&str; 1] = ["--no-rate-limits"];

const SEEN: &str = "on = [\"nexus:*\"]\n[http]\nurl = \"{{ env.FACTORY_API_URL }}/seen\"\njson = \"{{ payload }}\"\n
[[emit]]\nevent = \"GAUGE:SEEN\"\npayload = \"{{ payload }}\"\n";
/// It wants what is not there.
const NOSY: &str = "on = [\"nexus:message_create\"]\n[[emit]]\nevent = \"GAUGE:SEEN\"\n[emit.payload]\ntext = \"{{ payload.content }}\"\n";

/// Says the canary wherever people can in a private place. Answers with the message's id.
fn confide(hub: &Hub<'_>) -> String {
    let admin = administrator(&hub.server);
    let (guild, _) = admin.guild(&format!("guild {CANARY}"));
    let hidden = json!([{ "id": guild, "type": 0, "allow": "0", "deny": "1024" }]);
    let draft = json!({ "name": CANARY, "topic": format!("topic {CANARY}"), "permission_overwrites": hidden });
    let channel = admin.post(&format!("/api/v1/guilds/{guild}/channels"), &draft).expect(201);
    let path = format!("/api/v1/channels/{}", channel["id"].as_str().expect("an id"));
    let change = json!({ "topic": format!("another {CANARY}") });
    assert_eq!(admin.ask("PATCH", &path).json(&change).send().status(), 200);
    let message = json!({ "content": format!("meet me at {CANARY}"), "nonce": CANARY });
    let sent = admin.post(&format!("{path}/messages"), &message).json();
    sent["id"].as_str().expect("an id").to_owned()
}

/// Waits until these are so many, and answers with them.
async fn until(what: &str, mut look: impl FnMut() -> Option<Value>) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[track_caller]
fn without(place: &str, text: &str) {
    assert!(!text.is_empty(), "{place} says something");
    assert!(!text.contains(CANARY), "{place}: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_said_in_private_comes_out_of_the_hub() {
    let factory = Factory::start(1, 0);
    let config = format!(
        "[hub]\ntypes = [\"GAUGE:SEEN\"]\n[outbound]\nprivate = [\"127.0.0.1:{}\"]\n",
        factory.port
    );
    let place = Place::configured(&config);
    place.rule("seen", SEEN);
    place.rule("nosy", NOSY);
    let url = factory.url();
    let mut hub = place.serve_in(&FLAGS, &[&CHEAP[..], &[("FACTORY_API_URL", url.as_str())]].concat());
    let draft = json!({ "url": format!("{url}/webhook"), "events": ["*"] });
    let webhook = hub.admin("POST", "/events/webhooks").json(&draft).send().expect(201);
    let message = confide(&hub);
    let is_message = |event: &Value| event["payload"]["message_id"] == message.as_str();

    // The rule that may hear of it has, the one that wants its text has failed, and the webhook was told of it and of what came of it.
    until("the webhook is told of everything", || {
        let books = factory.books();
        let of = |kind: &str| {
            books
                .mints
                .iter()
                .any(|(_, body)| body["type"] == kind && is_message(&body["data"]))
        };
        (of("nexus:message_create") && of("GAUGE:SEEN")).then_some(Value::Null)
    })
    .await;
    let letters = until("what can't be is a dead letter", || {
        let letters = hub.get("/events/dead-letters");
        letters.as_array().is_some_and(|letters| !letters.is_empty()).then_some(letters)
    })
    .await;
    assert!(letters[0]["reactor"] == "nosy" && is_message(&letters[0]["event"]), "{letters}");
    assert!(
        letters[0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("payload.content")),
        "{letters}"
    );
    for (_, body) in &factory.books().mints {
        without("what is delivered", &body.to_string());
    }
    without("what is pushed", &pushed(&hub).await.to_string());

    let events = hub.all("");
    assert!(
        events.iter().filter(|event| is_message(event)).count() == 2,
        "itself and what was made of it: {events:?}"
    );
    let lives = events
        .iter()
        .map(|event| format!("/events/{}", event["id"].as_str().expect("an id")));
    let webhook = format!("/events/webhooks/{}", webhook["id"].as_str().expect("an id"));
    let pages = [
        "/events?limit=100&lives=true",
        "/events/dead-letters",
        "/events/reactors",
        "/events/sources",
        "/events/stats",
        "/events/streams",
        "/events/types",
        &webhook,
        &format!("{webhook}/deliveries"),
        "/metrics",
    ];
    for path in pages.iter().map(ToString::to_string).chain(lives) {
        let answer = hub.admin("GET", &path).send();
        assert_eq!(answer.status(), 200, "{path}");
        without(&path, &answer.body);
    }
    let dry = json!({ "name": "seen" });
    without(
        "a dry run",
        &hub.admin("POST", "/events/reactors/dry-run")
            .json(&dry)
            .send()
            .expect(200)
            .to_string(),
    );
    let log = hub.server.stop();
    assert!(!log.contains(CANARY), "{log}");
}

/// Everything that a stream pushes from the beginning on.
async fn pushed(hub: &Hub<'_>) -> Value {
    let bearer = format!("Bearer {}", hub.place.admin);
    let way = Way {
        who: Some(&bearer),
        ..Way::default()
    };
    let address = SocketAddr::from(([127, 0, 0, 1], hub.server.port));
    let mut listener = Listener::open(address, way).await.expect("it is let in");
    listener.say(&subscribe(&["*"], Some(0))).await;
    let mut all = vec![];
    loop {
        match listener.hear().await {
            Heard::Said(said) if said["status"] == "caught_up" => break,
            Heard::Said(said) => all.push(said),
            other => panic!("{other:?}"),
        }
    }
    assert!(all.iter().any(|event| event["event"] == "nexus:message_create"), "{all:?}");
    all.into()
}
