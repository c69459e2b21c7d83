//! A full disk: the real process with a database that may not grow. Who does not fit is told so (507), nobody is told a falsehood,
//! reading goes on, and writing does as soon as there is room.

use std::collections::{BTreeMap, HashSet};

use nexus_testkit::states::id;
use nexus_testkit::worlds::PASSWORD;
use nexus_testkit::{Process, Rest, Session};
use serde_json::json;
use tokio::task::JoinSet;

const FULL: &str = "NEXUS__STORE__SIZE_MIB_MAX";
/// Those who fill the disk, and those whose messages are small.
const WRITERS: usize = 8;

/// What a key's message says: large for even writers, small for odd ones.
fn content(key: &str) -> String {
    let writer: usize = key
        .rsplit('-')
        .next()
        .and_then(|writer| writer.parse().ok())
        .expect("a key ends with its writer");
    let fill = if writer.is_multiple_of(2) {
        "文".repeat(3_900)
    } else {
        "small".into()
    };
    format!("{key} {fill}")
}

/// Sends in parallel, large by even and small by odd writers, until a large one does not fit. Says the status of every key.
async fn fill(rest: &Rest, channel: i64) -> BTreeMap<String, u16> {
    let mut answers = BTreeMap::new();
    for round in 0..500 {
        let mut sending = JoinSet::new();
        for writer in 0..WRITERS {
            let rest = rest.clone();
            let key = format!("{round}-{writer}");
            sending.spawn(async move {
                let answer = rest.send(channel, &content(&key), &key).await.expect("it is answered");
                (key, answer)
            });
        }
        for (key, answer) in sending.join_all().await {
            match answer.status {
                200 => {}
                507 => assert_eq!(answer.body["error"], "storage_full", "{}", answer.body),
                503 => assert!(answer.headers.contains_key("retry-after"), "who may try again is told when"),
                other => panic!("{key}: {other} {}", answer.body),
            }
            answers.insert(key, answer.status);
        }
        if answers.values().filter(|status| **status == 507).count() >= 3 {
            return answers;
        }
    }
    panic!("the disk is never full")
}

async fn keys(rest: &Rest, channel: i64) -> Vec<String> {
    let history = rest.history(channel).await;
    let key = |content: &str| content.split(' ').next().unwrap_or_default().to_owned();
    history
        .iter()
        .map(|message| key(message["content"].as_str().expect("content")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_does_no_harm() {
    let mut process = Process::start(env!("CARGO_BIN_EXE_nexus"), &[(FULL, "1")]).await;
    let visitor = Rest::new(process.address);
    let owner = visitor.register("owner").await;
    let guild = owner.must("POST", "/guilds", Some(&json!({"name": "Small"}))).await;
    let channel = id(&guild["channels"][0], "id");
    let mut session = Session::begin(process.address, owner.token.as_deref().expect("a token")).await;
    let mut answers = fill(&owner, channel).await;
    // After a batch was lost a single message may still fit. This ends when not even that does.
    for number in 0.. {
        assert!(number < 100, "the disk is never full");
        let key = format!("last{number}-0");
        let status = owner.send(channel, &content(&key), &key).await.expect("an answer").status;
        answers.insert(key, status);
        if status == 507 {
            break;
        }
    }

    // What was acknowledged is there, what was refused is not, and the gateway says the same.
    let held = keys(&owner, channel).await;
    let set: HashSet<_> = held.iter().cloned().collect();
    assert_eq!(set.len(), held.len(), "no message is there twice");
    for (key, status) in &answers {
        match status {
            200 => assert!(set.contains(key), "{key} was acknowledged and is lost"),
            507 => assert!(!set.contains(key), "{key} was refused and is there"),
            _ => {}
        }
    }
    let newest = owner
        .history(channel)
        .await
        .last()
        .map(|message| id(message, "id"))
        .expect("some fitted");
    session.until_message(channel, newest).await;
    let told = session.frames.iter().filter(|frame| frame["t"] == "MESSAGE_CREATE").count();
    assert_eq!(told, held.len(), "the gateway tells of what was committed and of nothing else");

    // Reading goes on, and so does a session.
    assert_eq!(visitor.get("//readyz").await.expect("an answer").status, 200);
    session.hang_up();
    session.recover().await;
    assert_eq!((session.identified, session.resumed), (1, 1));

    // With room again, the same nonces bring every message to its one true outcome.
    process.terminate().await;
    process.environment = vec![(FULL.into(), "32".into())];
    process.run().await;
    for key in answers.keys() {
        let answer = owner.send(channel, &content(key), key).await.expect("an answer");
        assert_eq!(answer.status, 200, "{key}: {}", answer.body);
    }
    let all = keys(&owner, channel).await;
    assert_eq!(all.len(), answers.len(), "one row a nonce");
    assert_eq!(all[..held.len()], held, "what was there has kept its place");
    session.recover().await;
    let sign_in = visitor
        .post("/auth/login", &json!({"username": "owner", "password": PASSWORD}))
        .await
        .expect("an answer");
    assert_eq!(sign_in.status, 200);
}
