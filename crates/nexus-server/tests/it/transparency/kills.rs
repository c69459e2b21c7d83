//! Server and cosigners are killed at random moments while many register: nothing that was told published is lost, no size has two
//! roots, and every cosigner goes on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nexus_crypto::logs::KeyDocument;
use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::TreeHead;
use nexus_server::transparency::progress::Progress;
use nexus_server::transparency::sources::Source;
use nexus_server::transparency::verify::{Auditor, Rules, Signatures};
use nexus_testkit::{Process, Rest, Seed, rounds};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::parties::{Party, three};
use super::{body, now_s, read, rotated, secret};

/// Those who register.
const CLIENTS: u64 = 32;
/// A life of a process takes at least and at most this long.
const LIFE_MS: (usize, usize) = (100, 600);
/// How long a client tries before something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a client was told.
struct Told {
    body: Value,
    leaf_index: u64,
    head: TreeHead,
}

/// Sends one registration until it is told that it is published.
async fn surely(rest: &Rest, body: Value) -> Told {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match rest.post("//did/register", &body).await {
            Ok(answer) if [200, 201].contains(&answer.status) => {
                return Told {
                    leaf_index: answer.body["leaf_index"].as_u64().expect("an index"),
                    head: read(&answer.body["sth"]),
                    body,
                };
            }
            Ok(answer) if answer.status < 500 => panic!("{}: {}", answer.status, answer.body),
            Ok(_) | Err(_) => {}
        }
        assert!(Instant::now() < deadline, "it is published at last");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Registers one id after the other, and changes every third key.
async fn client(rest: Rest, number: u64, log: KeyDocument, enough: Arc<AtomicBool>) -> Vec<Told> {
    let mut told = vec![];
    let mut count = 0;
    while !enough.load(Ordering::Relaxed) {
        let key = secret(number * 1_000_000 + 2 * count);
        let first = body(&format!("c{number}.{count}"), &key, now_s() - 5);
        told.push(surely(&rest, first.clone()).await);
        if count % 3 == 0 {
            let next = secret(number * 1_000_000 + 2 * count + 1);
            told.push(surely(&rest, rotated(&log.log_id, &first, &key, &next, now_s())).await);
        }
        count += 1;
    }
    told
}

async fn published(rest: &Rest) -> KeyDocument {
    read(&rest.must("GET", "//.well-known/key-transparency", None).await)
}

async fn kill_one(process: &mut Process, parties: &mut [Party; 3], log: &KeyDocument, seed: &mut Seed) {
    sleep(Duration::from_millis((LIFE_MS.0 + seed.below(LIFE_MS.1 - LIFE_MS.0)) as u64)).await;
    // The server, one cosigner, two of them, or all four.
    let victims: &[usize] = match seed.below(8) {
        0..=2 => &[3],
        3 => &[0],
        4 => &[1],
        5 => &[2],
        6 => &[0, 2],
        _ => &[0, 1, 2, 3],
    };
    for victim in victims {
        match parties.get_mut(*victim) {
            Some(party) => party.kill(),
            None => process.kill().await,
        }
    }
    sleep(Duration::from_millis(seed.below(200) as u64)).await;
    for victim in victims {
        match parties.get_mut(*victim) {
            Some(party) => party.run(log),
            None => process.run().await,
        }
    }
}

async fn under_fire(store: &str) {
    let mut seed = Seed::of_run(&format!("log-kill-{store}"));
    let mut parties = three();
    let lines = parties
        .iter()
        .map(|party| party.line("Alice").replace("Alice", &party.name))
        .collect::<Vec<_>>()
        .join(",");
    let environment = [
        ("NEXUS__TRANSPARENCY__STORE", store),
        ("NEXUS__TRANSPARENCY__COSIGNERS", lines.as_str()),
    ];
    let mut process = Process::start(env!("CARGO_BIN_EXE_nexus"), &environment).await;
    let rest = Rest::new(process.address);
    let log = published(&rest).await;
    for party in &mut parties {
        party.run(&log);
    }
    let enough = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(client(Rest::new(process.address), number + 1, log.clone(), enough.clone())))
        .collect();
    let rounds = rounds(5);
    for _ in 0..rounds {
        kill_one(&mut process, &mut parties, &log, &mut seed).await;
    }
    enough.store(true, Ordering::Relaxed);
    let mut told = vec![];
    for client in clients {
        told.extend(client.await.expect("a client ends in good order"));
    }
    // One more, so that nothing is pending.
    told.push(surely(&rest, body("last", &secret(7), now_s())).await);

    let heads = audited(&rest, process.address.port()).await;
    check(&rest, &told, &heads).await;
    everybody_goes_on(&rest, &parties).await;
    println!(
        "{store}: {rounds} rounds, {} registrations told published, {} heads",
        told.len(),
        heads.len()
    );
    assert!(told.len() > CLIENTS as usize, "the clients got on");
}

/// Recomputes the whole log, and answers its heads by their size.
async fn audited(rest: &Rest, port: u16) -> HashMap<u64, TreeHead> {
    let rules = Rules {
        state: None,
        pinned: None,
        signatures: Signatures::All,
    };
    let mut source = Source::open(&format!("http://127.0.0.1:{port}")).expect("an address");
    let mut auditor = Auditor::begin(&source, rules).await.expect("it has its keys");
    let verdict = auditor.advance(&mut source, Progress::new("leaves")).await;
    assert!(verdict.is_ok(), "{verdict:?}");
    let (mut heads, mut before) = (HashMap::new(), u64::MAX >> 1);
    loop {
        let page: Vec<TreeHead> = read(&rest.must("GET", &format!("//sth/chain?limit=1000&before={before}"), None).await);
        let Some(last) = page.last() else { return heads };
        before = last.head.tree_size;
        heads.extend(page.into_iter().map(|head| (head.head.tree_size, head)));
    }
}

/// Everything that somebody was told published stands where it was told, under the one head of its size.
async fn check(rest: &Rest, told: &[Told], heads: &HashMap<u64, TreeHead>) {
    let mut leaves: Vec<Registration> = vec![];
    loop {
        let page = rest
            .must("GET", &format!("//did/leaves?limit=1000&from={}", leaves.len()), None)
            .await;
        let page = page.as_array().expect("a list");
        if page.is_empty() {
            break;
        }
        leaves.extend(page.iter().map(super::registration));
    }
    assert_eq!(leaves.len(), heads.len(), "each leaf has its head");
    for Told { body, leaf_index, head } in told {
        assert_eq!(
            leaves.get(*leaf_index as usize),
            Some(&super::registration(body)),
            "leaf {leaf_index}"
        );
        let size = head.head.tree_size;
        assert_eq!(heads.get(&size).map(|known| known.head), Some(head.head), "the head of {size}");
        assert_eq!(size, leaf_index + 1);
    }
}

/// All three sign again.
async fn everybody_goes_on(rest: &Rest, parties: &[Party; 3]) {
    let deadline = Instant::now() + PATIENCE;
    let mut count = 0;
    loop {
        let told = surely(rest, body(&format!("after{count}"), &secret(count), now_s())).await;
        let cosigners = rest.must("GET", "//sth/cosigners", None).await;
        let all = cosigners.as_array().expect("a list").iter();
        if all
            .clone()
            .all(|cosigner| cosigner["state"] == "healthy" && cosigner["signed_size"] == json!(told.leaf_index + 1))
        {
            break;
        }
        assert!(Instant::now() < deadline, "every cosigner signs again: {cosigners}");
        count += 1;
        sleep(Duration::from_millis(50)).await;
    }
    for party in parties {
        assert_eq!(
            party.state()["refused"],
            0,
            "{} was never asked for what it may not sign",
            party.name
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_never_fork_the_log_in_tables() {
    under_fire("sql").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_never_fork_the_log_in_files() {
    under_fire("jsonl").await;
}
