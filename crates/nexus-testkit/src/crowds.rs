//! A crowd on one channel: writers that repeat by nonce until they know, readers that resume after every break, and the oracle that
//! judges them at the end.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::oracles::Oracle;
use crate::rests::Rest;
use crate::seeds::Seed;
use crate::sessions::{Heard, PATIENCE, Session, row};
use crate::states::{differences, id};

/// A send whose outcome is unknown for this long is given up; the server was then away for all of it.
const SEND: Duration = Duration::from_mins(1);
/// The longest pause between two messages of one writer.
const PAUSE_MS: usize = 100;

/// How large a crowd is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Those who write.
    pub writers: usize,
    /// Sessions that read.
    pub readers: usize,
}

/// Writers and readers at work.
pub struct Crowd {
    /// The guild's owner, who looks at history at the end.
    pub owner: Rest,
    /// The channel.
    pub channel: i64,
    writers: JoinSet<Oracle>,
    readers: JoinSet<Session>,
    stop: watch::Sender<bool>,
    gateway: SocketAddr,
    last: watch::Sender<i64>,
}

/// What a crowd has lived through.
pub struct Outcome {
    /// With history and every stream in it.
    pub oracle: Oracle,
    /// The readers.
    pub sessions: Vec<Session>,
}

impl Crowd {
    /// Makes a guild, lets everybody in, and starts. Readers connect to `gateway`, which may be a proxy.
    pub async fn gather(server: SocketAddr, gateway: SocketAddr, size: Size, seed: &mut Seed) -> Self {
        let visitor = Rest::new(server);
        let owner = visitor.register("owner").await;
        let guild = owner.must("POST", "/guilds", Some(&json!({"name": "Square"}))).await;
        let channel = id(&guild["channels"][0], "id");
        let invite = owner.must("POST", &format!("/channels/{channel}/invites"), Some(&json!({}))).await;
        let code = invite["code"].as_str().expect("an invite has a code").to_owned();
        let mut arriving = JoinSet::new();
        for number in 0..size.writers {
            let (visitor, code) = (visitor.clone(), code.clone());
            arriving.spawn(async move {
                let name = format!("writer-{number}");
                let rest = visitor.register(&name).await;
                rest.must("POST", &format!("/invites/{code}"), Some(&json!({}))).await;
                (name, rest)
            });
        }
        let people = arriving.join_all().await;

        let (stop, _) = watch::channel(false);
        let (last, _) = watch::channel(0);
        let mut readers = JoinSet::new();
        for number in 0..size.readers {
            let token = people[number % people.len()].1.token.clone().expect("they registered");
            let session = Session::begin(gateway, &token).await;
            readers.spawn(read(session, channel, last.subscribe()));
        }
        let mut writers = JoinSet::new();
        for (name, rest) in people {
            writers.spawn(write(name, rest, channel, seed.fork(), stop.subscribe()));
        }
        Self {
            owner,
            channel,
            writers,
            readers,
            stop,
            gateway,
            last,
        }
    }

    /// Lets the writers finish, waits until every reader has everything, and says what happened.
    ///
    /// # Panics
    /// If a reader's state is not that of a fresh session.
    pub async fn finish(self) -> Outcome {
        self.stop.send_replace(true);
        let mut oracle = Oracle::default();
        for one in self.writers.join_all().await {
            oracle.merge(one);
        }
        let history: Vec<_> = self.owner.history(self.channel).await.iter().map(row).collect();
        self.last.send_replace(history.last().map_or(1, |row| row.id));
        oracle.history(history);
        let sessions = self.readers.join_all().await;
        for (number, session) in sessions.iter().enumerate() {
            session
                .streams(&format!("reader {number}"), self.channel)
                .into_iter()
                .for_each(|stream| oracle.stream(stream));
            let fresh = Session::begin(self.gateway, &session.token).await;
            let different = differences(&session.state.snapshot(), &fresh.state.snapshot());
            assert!(
                different.is_empty(),
                "reader {number} on the left, a fresh session on the right\n{}",
                different.join("\n")
            );
        }
        Outcome { oracle, sessions }
    }
}

async fn write(name: String, rest: Rest, channel: i64, mut seed: Seed, stop: watch::Receiver<bool>) -> Oracle {
    let mut oracle = Oracle::default();
    for number in 0.. {
        if *stop.borrow() {
            break;
        }
        let key = format!("{name} {number}");
        oracle.sent(&name, &key);
        if seed.once_in(10) {
            // Somebody closes the page at once and never learns what became of it.
            drop(rest.send(channel, &key, &key).await);
        } else {
            let answer = rest.send_surely(channel, &key, &key, SEND).await;
            let answer = answer.unwrap_or_else(|| panic!("{key}: the server did not come back"));
            assert_eq!(answer.status, 200, "{key}: {}", answer.body);
            assert_eq!(answer.body["nonce"], key.as_str(), "an answer repeats the nonce");
            oracle.acked(&name, &key, id(&answer.body, "id"));
        }
        sleep(Duration::from_millis(seed.below(PAUSE_MS) as u64)).await;
    }
    oracle
}

async fn named(last: &mut watch::Receiver<i64>) {
    drop(last.wait_for(|last| *last != 0).await);
}

/// Reads until it has the last message, which is named at the end.
async fn read(mut session: Session, channel: i64, mut last: watch::Receiver<i64>) -> Session {
    loop {
        tokio::select! {
            heard = session.hear(PATIENCE) => {
                if matches!(heard, Heard::Closed(_)) {
                    session.recover().await;
                }
            }
            () = named(&mut last) => break,
        }
    }
    let message = *last.borrow();
    session.until_message(channel, message).await;
    session
}
