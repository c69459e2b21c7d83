//! Sending as fast as answers come: clients with one message in flight each, and the proof that what was acknowledged is there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use serde::Deserialize;

use crate::Outcome;
use crate::http::{Client, Request};
use crate::report::histogram;
use crate::servers::Server;

/// Load before the measurement begins.
const WARM_UP: Duration = Duration::from_millis(500);
/// Messages in one page while everything is read back.
const PAGE: usize = 100;

/// What is sent: an ordinary sentence.
pub(crate) const TEXT: &str = "The quick brown fox jumps over the lazy dog, and nobody in this channel is surprised by it any more.";

/// A closed loop of senders.
pub(crate) struct Load<'a> {
    pub(crate) clients: usize,
    pub(crate) duration: Duration,
    pub(crate) channels: &'a [String],
    pub(crate) tokens: &'a [String],
}

/// What came of it.
pub(crate) struct Sent {
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    /// Microseconds from request to answer.
    pub(crate) latency: Histogram<u64>,
    pub(crate) server_cpu_us: f64,
}

struct Tally {
    measuring: Cell<bool>,
    over: Cell<bool>,
    latency: RefCell<Histogram<u64>>,
    /// What was acknowledged, by channel.
    acked: RefCell<BTreeMap<String, Vec<i64>>>,
}

/// A sender, or the watch, which alone answers: seconds, and microseconds of the server's time.
type Task<'a> = Pin<Box<dyn Future<Output = Outcome<Option<(f64, f64)>>> + 'a>>;

/// Sends, then reads every channel back: each acknowledged message must be there once, and nothing else.
pub(crate) async fn send(server: &Server, load: &Load<'_>) -> Outcome<Sent> {
    let tally = Tally {
        measuring: Cell::new(false),
        over: Cell::new(false),
        latency: RefCell::new(histogram()),
        acked: RefCell::default(),
    };
    let mut tasks: Vec<Task<'_>> = vec![];
    for number in 0..load.clients {
        let tally = &tally;
        tasks.push(Box::pin(
            async move { client(server.address, load, number, tally).await.map(|()| None) },
        ));
    }
    let watch = async {
        tokio::time::sleep(WARM_UP).await;
        let (before, started) = (server.usage()?, Instant::now());
        tally.measuring.set(true);
        tokio::time::sleep(load.duration).await;
        tally.measuring.set(false);
        let measured = (started.elapsed().as_secs_f64(), server.usage()?.since_us(&before));
        tally.over.set(true);
        Ok(Some(measured))
    };
    tasks.push(Box::pin(watch));
    let measured = try_join_all(tasks).await?.into_iter().flatten().next();
    let (seconds, server_cpu_us) = measured.ok_or("the watch measures")?;

    let mut client = Client::connect(server.address).await?;
    for (channel, mut acked) in tally.acked.take() {
        acked.sort_unstable();
        let stored = read_back(&mut client, &channel, &load.tokens[0]).await?;
        if stored != acked {
            return Err(format!("{} messages were acknowledged, {} are in the channel", acked.len(), stored.len()).into());
        }
    }
    let latency = tally.latency.into_inner();
    Ok(Sent {
        messages: latency.len(),
        seconds,
        latency,
        server_cpu_us,
    })
}

async fn client(address: SocketAddr, load: &Load<'_>, number: usize, tally: &Tally) -> Outcome<()> {
    let mut client = Client::connect(address).await?;
    let channel = &load.channels[number % load.channels.len()];
    let token = &load.tokens[number % load.tokens.len()];
    let path = format!("/api/v1/channels/{channel}/messages");
    let mut count = 0;
    while !tally.over.get() {
        let body = format!(r#"{{"content":"{TEXT}","nonce":"{number}-{count}"}}"#);
        let sent = Instant::now();
        let answer = client
            .call(&Request {
                method: "POST",
                path: &path,
                token: Some(token),
                body: Some(&body),
            })
            .await?;
        if answer.status != 200 {
            return Err(format!("a send was answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body)).into());
        }
        if tally.measuring.get() {
            tally.latency.borrow_mut().saturating_record(sent.elapsed().as_micros() as u64);
        }
        let id = first_id(&answer.body).ok_or("a message has an id")?;
        tally.acked.borrow_mut().entry(channel.clone()).or_default().push(id);
        count += 1;
    }
    Ok(())
}

/// The message's own id is its first field.
fn first_id(body: &[u8]) -> Option<i64> {
    let digits = body.strip_prefix(b"{\"id\":\"")?;
    let length = digits.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&digits[..length]).ok()?.parse().ok()
}

#[derive(Deserialize)]
struct Stored {
    id: String,
}

/// The ids of a channel, oldest first.
pub(crate) async fn read_back(client: &mut Client, channel: &str, token: &str) -> Outcome<Vec<i64>> {
    let mut ids = vec![];
    loop {
        let after = ids.last().copied().unwrap_or(1);
        let path = format!("/api/v1/channels/{channel}/messages?limit={PAGE}&after={after}");
        let page: Vec<Stored> = client
            .json(&Request {
                method: "GET",
                path: &path,
                token: Some(token),
                body: None,
            })
            .await?;
        for message in page.iter().rev() {
            let id = message.id.parse()?;
            if ids.last().is_some_and(|last| *last >= id) {
                return Err("history is out of order".into());
            }
            ids.push(id);
        }
        if page.len() < PAGE {
            return Ok(ids);
        }
    }
}
