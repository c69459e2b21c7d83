//! Many publishers and many listeners that are cut off at random and come back: each hears everything it wants, once and in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nexus_testkit::{Cut, Proxy, Seed, rounds};
use nexus_types::hub::{EventType, Pattern};
use serde_json::json;
use tokio::task::JoinSet;

use super::stage::{Heard, Listener, Stage, Way, message, publish, subscribe};

const PUBLISHERS: usize = 20;
const LISTENERS: usize = 50;
/// Events of each publisher.
const EVENTS: usize = 40;
/// What is published, and what is sent on the platform itself.
const KINDS: &[&str] = &["GAUGE:READING", "GAUGE:ALARM", "MILL:STOPPED", MESSAGE];
const MESSAGE: &str = "nexus:message_create";
/// What somebody may want.
const WISHES: &[&[&str]] = &[
    &["*"],
    &["GAUGE:*"],
    &["GAUGE:READING", "MILL:*"],
    &["nexus:*", "GAUGE:ALARM", "GAUGE:*"],
    &["MILL:STOPPED"],
    &["nexus:message_create", "*"],
];

/// What one listener heard.
struct Account {
    wishes: &'static [&'static str],
    /// Everything after this was asked for.
    start: i64,
    positions: Vec<i64>,
    cuts: usize,
}

/// Listens until the publishers are done and nothing more can come.
async fn listen(stage: Arc<Stage>, mut seed: Seed, done: Arc<AtomicBool>) -> Account {
    let proxy = Proxy::start(stage.address).await;
    let wishes = seed.pick(WISHES);
    let mut account = Account {
        wishes,
        start: 0,
        positions: vec![],
        cuts: 0,
    };
    let mut last = None;
    loop {
        let is_last = done.load(Ordering::Acquire);
        proxy.cut_next(if is_last {
            Cut::Never
        } else {
            Cut::Bytes(300 + seed.below(20_000))
        });
        let Ok(mut listener) = Listener::open(proxy.address, Way::default()).await else {
            continue;
        };
        let was_told = listener.say(&subscribe(wishes, last)).await;
        if was_told && follow(&mut listener, &mut account, &mut last, is_last).await {
            return account;
        }
        account.cuts += 1;
    }
}

/// Listens to one connection. True: it heard everything there is.
async fn follow(listener: &mut Listener, account: &mut Account, last: &mut Option<i64>, is_last: bool) -> bool {
    loop {
        let heard = listener.hear().await;
        let Heard::Said(value) = heard else {
            assert!(matches!(heard, Heard::Cut | Heard::Ping), "{heard:?}");
            if heard == Heard::Cut {
                return false;
            }
            continue;
        };
        let position = value["position"].as_i64().expect("a position");
        match value["status"].as_str() {
            Some("subscribed") => {
                assert_eq!(value["gap"], false, "{value}");
                if last.is_none() {
                    account.start = position;
                }
                assert_eq!(last.get_or_insert(position), &position, "it goes on where it was");
            }
            // It was opened when everything had been published.
            Some("caught_up") if is_last => return true,
            Some("caught_up") => {}
            other => {
                assert_eq!(other, None, "{value}");
                assert!(Some(position) > *last, "{position} after {last:?}");
                account.positions.push(position);
                *last = Some(position);
            }
        }
    }
}

/// Publishes in random order: what, and where it came to stand.
async fn speak(stage: Arc<Stage>, mut seed: Seed) -> Vec<(i64, &'static str)> {
    let mut all = vec![];
    for number in 0..EVENTS {
        let kind = *seed.pick(KINDS);
        let payload = json!({ "number": number, "filling": "x".repeat(seed.below(600)) });
        let position = if kind == MESSAGE {
            message(&stage.hub).await
        } else {
            publish(&stage.hub, kind, payload).await
        };
        all.push((position, kind));
        if seed.once_in(8) {
            tokio::time::sleep(std::time::Duration::from_millis(seed.draw() % 20)).await;
        }
    }
    all
}

async fn everybody_hears_everything_once_and_in_order(ring: usize, mut seed: Seed) {
    let stage = Arc::new(Stage::with_ring(ring).await);
    let done = Arc::new(AtomicBool::new(false));
    let mut listeners = JoinSet::new();
    for _ in 0..LISTENERS {
        listeners.spawn(listen(stage.clone(), seed.fork(), done.clone()));
    }
    let mut publishers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        publishers.spawn(speak(stage.clone(), seed.fork()));
    }
    let mut published: Vec<_> = publishers.join_all().await.into_iter().flatten().collect();
    published.sort_unstable();
    done.store(true, Ordering::Release);
    let mut cuts = 0;
    // Whoever sits at a connection that is not cut is told to come back.
    let accounts = async {
        let mut accounts = vec![];
        while let Some(account) = listeners.join_next().await {
            accounts.push(account.expect("it ends well"));
        }
        accounts
    };
    let stirring = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            stir(&stage).await;
        }
    };
    let accounts = tokio::select! {
        accounts = accounts => accounts,
        () = stirring => unreachable!("it goes on"),
    };
    for account in accounts {
        let wishes: Vec<_> = account.wishes.iter().map(|wish| Pattern::parse(wish).expect("a pattern")).collect();
        let wants = |kind: &str| {
            let kind = EventType::parse(kind).expect("a type");
            wishes.iter().any(|wish| wish.matches(&kind))
        };
        let mut expected = published.iter().filter(|(position, kind)| *position > account.start && wants(kind));
        let mut heard = account
            .positions
            .iter()
            .filter(|position| published.iter().any(|(known, _)| known == *position));
        loop {
            match (expected.next(), heard.next()) {
                (None, None) => break,
                (Some((expected, kind)), heard) => assert_eq!(heard, Some(expected), "{kind} for {:?}", account.wishes),
                (None, Some(heard)) => panic!("{heard} came, and was never published"),
            }
        }
        cuts += account.cuts;
    }
    println!("{} events, {cuts} cuts", published.len());
    assert!(cuts > LISTENERS / 2, "only {cuts} cuts: this says little");
}

/// Something more happens, so that connections with a limit come to their end.
async fn stir(stage: &Stage) {
    publish(&stage.hub, "GAUGE:READING", json!({ "filling": "x".repeat(2_000) })).await;
    publish(&stage.hub, "MILL:STOPPED", json!({ "filling": "x".repeat(2_000) })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_reads_from_memory() {
    let mut seed = Seed::of_run("a crowd that reads from memory");
    for _ in 0..rounds(1) {
        everybody_hears_everything_once_and_in_order(usize::MAX, seed.fork()).await;
    }
}

/// A ring of a few entries: whoever is not live reads the hub's table, and desks are overrun themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_reads_from_the_table() {
    let mut seed = Seed::of_run("a crowd that reads from the table");
    for _ in 0..rounds(1) {
        everybody_hears_everything_once_and_in_order(4_000, seed.fork()).await;
    }
}
