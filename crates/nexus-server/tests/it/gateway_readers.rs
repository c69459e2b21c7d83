//! A reader that does not read spends its own budget: it is closed, can resume, and delays nobody (44).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nexus_core::sweeps;
use nexus_testkit::sessions::{PATIENCE, row};
use nexus_testkit::stages::only_for;
use nexus_testkit::states::id;
use nexus_testkit::{Heard, Oracle, Rest, Server, Session, Stage, World};
use nexus_types::limits::{LOG_WINDOW_MS, MESSAGE_CHARS_MAX};
use nexus_types::messages::CreateMessage;
use tokio::task::JoinSet;

/// Long messages, of 12 KB each, to the one who does not read: more than may wait for it and the kernel holds for it (4 MiB).
const LONG_MESSAGES: usize = 600;
/// Short messages to everybody, meanwhile.
const SHORT_MESSAGES: usize = 40;
/// Those who read.
const READERS: usize = 100;
/// The longest that a short message may take, on a machine busy with other tests.
const SLOW: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_reads_is_closed_and_delays_nobody() {
    let stage = Stage::build(World::new()).await;
    let server = Server::over(stage.world.clone());
    let (owner, member) = (server.rest(&stage.people["owner"]), stage.people["member"].clone());
    let (open, narrow) = (stage.open.0, stage.secret.0);
    // Long messages go where nobody but the lazy one sees them.
    stage.overwrite(stage.secret, only_for(stage.guild, &[&member])).await;
    let mut lazy = Session::new(server.address, &member.token);
    lazy.receive_bytes = Some(4_096);
    lazy.recover().await;
    let readers = readers(&stage, &server).await;

    let mut oracle = Oracle::default();
    let fill = "文".repeat(MESSAGE_CHARS_MAX - 10);
    let every = LONG_MESSAGES / SHORT_MESSAGES;
    for number in 0..LONG_MESSAGES {
        say(&owner, narrow, &format!("{number} {fill}"), &mut oracle).await;
        if number % every == 0 && number / every < SHORT_MESSAGES {
            say(&owner, open, &format!("at {}", now_ms()), &mut Oracle::default()).await;
        }
    }
    let slowest = readers.join_all().await.into_iter().max().expect("there are readers");
    assert!(slowest < SLOW, "a message took {slowest:?} to somebody who reads");

    // The lazy one wakes up. It was closed, resumes, and has missed nothing.
    let began = Instant::now();
    while !matches!(lazy.hear(PATIENCE).await, Heard::Closed(_)) {
        assert!(began.elapsed() < PATIENCE, "it was closed");
    }
    assert!(lazy.frames.len() < LONG_MESSAGES, "what waited for it was dropped");
    assert!(lazy.closes.iter().all(|code| *code == 4000), "{:?}", lazy.closes);
    lazy.recover().await;
    assert_eq!((lazy.identified, lazy.resumed), (1, 1));
    let history: Vec<_> = owner.history(narrow).await.iter().map(row).collect();
    lazy.until_message(narrow, history.last().expect("there are some").id).await;
    // The stage's own message in it.
    oracle.sent("stage", &history[0].key);
    oracle.history(history);
    lazy.streams("lazy", narrow).into_iter().for_each(|stream| oracle.stream(stream));
    oracle.assert_holds();
}

/// A replay is read as the socket takes it. If that takes longer than the log lasts, nobody may believe to have it all.
#[tokio::test]
async fn a_replay_that_the_sweep_overtakes_is_not_taken_for_whole() {
    let stage = Stage::build(World::new()).await;
    let server = Server::over(stage.world.clone());
    let (member, open) = (&stage.people["member"], stage.open);
    let mut session = server.session(member).await;
    session.receive_bytes = Some(4_096);
    session.hang_up();
    let fill = "文".repeat(MESSAGE_CHARS_MAX - 10);
    for number in 0..LONG_MESSAGES {
        let draft = CreateMessage {
            content: Some(format!("{number} {fill}")),
            nonce: None,
        };
        stage
            .world
            .app
            .messages()
            .send(stage.caller("owner"), open, draft)
            .await
            .expect("it is sent");
    }
    session.connect().await.expect("it connects");
    session.resume().await;
    // Not reading, while the server sends what the kernel takes.
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.world.pass(LOG_WINDOW_MS + 1);
    sweeps::sweep(server.app()).await.expect("the sweep does its work");
    stage.world.pass(-LOG_WINDOW_MS);
    while !matches!(session.hear(PATIENCE).await, Heard::Closed(_)) {}
    assert_eq!((session.resumed, &session.closes[..]), (0, &[4000][..]));
    session.recover().await;
    assert_eq!((session.identified, session.resumed), (2, 0));
}

/// A hundred sessions, twenty a login; each says how long the slowest short message took.
async fn readers(stage: &Stage, server: &Server) -> JoinSet<Duration> {
    let mut readers = JoinSet::new();
    for login in 0..5 {
        let person = stage.world.person(&format!("reader-{login}")).await;
        stage.world.app.invites().join(person.caller, &stage.code).await.expect("they join");
        for _ in 0..READERS / 5 {
            let mut session = server.session(&person).await;
            readers.spawn(async move {
                let mut slowest = Duration::ZERO;
                for _ in 0..SHORT_MESSAGES {
                    let frame = session.until("message", |frame| frame["t"] == "MESSAGE_CREATE").await;
                    let at = frame["d"]["content"]
                        .as_str()
                        .and_then(|content| content.strip_prefix("at "))
                        .expect("a short one");
                    slowest = slowest.max(Duration::from_millis(now_ms().saturating_sub(at.parse().expect("a time"))));
                }
                assert!(session.closes.is_empty(), "{:?}", session.closes);
                slowest
            });
        }
    }
    readers
}

async fn say(rest: &Rest, channel: i64, content: &str, oracle: &mut Oracle) {
    oracle.sent("owner", content);
    let nonce: String = content.chars().take(20).collect();
    let answer = rest.send_surely(channel, content, &nonce, PATIENCE).await.expect("it is sent");
    assert_eq!(answer.status, 200, "{}", answer.body);
    oracle.acked("owner", content, id(&answer.body, "id"));
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
