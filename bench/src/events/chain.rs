//! From a payment to a message, with the rules that come with the program: the factory mints and fails now and then, its answer becomes
//! an event, and that becomes a message in a channel. The clock runs from when a payment was due to the moment in which a stream tells
//! of its message.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::hubs;
use super::payments::number_after;
use super::posters::Pool;
use super::streams::{Heard, Stream, Wanted};
use super::stubs::Stub;
use crate::accounts;
use crate::cores::Place;
use crate::http::{Client, Request};
use crate::report::{histogram, quantile_ms};
use crate::servers::Server;
use crate::{Bench, Outcome, generate};

/// Requests of a hundred that the factory fails.
const FAILURES: u64 = 30;
/// Payments a second.
const RATE: u32 = 50;
/// Until every message must have been written: some payments wait for several tries.
const AT_MOST: Duration = Duration::from_mins(3);
/// In which a repeat would come.
const AFTER: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(50);
const MESSAGE: &str = "nexus:message_create";
const PAGE: usize = 100;

/// When messages were heard of, by their ids.
type Heards = Rc<RefCell<HashMap<String, Instant>>>;

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let stub = Stub::start(bench, Place::Generator, FAILURES)?;
    let folder = bench.temporary()?;
    let data = folder.path().join("data");
    // The channel must be known before the server is told where to write. This first start writes the rules, too.
    let server = Server::start(bench, &data, Place::Server)?;
    let community = generate(accounts::found(server.address, 0))?;
    server.stop()?;
    let variables = [
        ("FACTORY_API_URL", stub.url()),
        ("FACTORY_API_KEY", "bench-key-0123456789".to_owned()),
        ("NOTIFY_CHANNEL_ID", community.channel.clone()),
    ];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = hubs::start_with(bench, &data, Place::Server, &variables)?;
    let payments = RATE * bench.seconds(5, 20) as u32;
    generate(rows(bench, &server, &community, payments))?;
    let done = stub.done();
    if (done.minted(), done.doubled()) != (u64::from(payments), 0) {
        let (minted, doubled) = (done.minted(), done.doubled());
        return Err(format!("of {payments} payments {minted} were minted for, {doubled} of them twice").into());
    }
    bench.report.note(
        "chain.p50",
        format!("{payments} payments, {} of {} requests failed", done.failed, done.requests),
    );
    server.stop()
}

async fn rows(bench: &mut Bench, server: &Server, community: &accounts::Community, payments: u32) -> Outcome<()> {
    let heards = Heards::default();
    let wanted = Wanted {
        events: &[MESSAGE],
        since: None,
    };
    let stream = Stream::open(server.address, 0, &wanted).await?;
    let hearing = heards.clone();
    let listener = tokio::task::spawn_local(async move {
        let heard = stream.listen(|heard| {
            if let Heard::Event(_, json) = heard
                && let Some(message) = number_after(json, br#""message_id":""#)
            {
                return hearing.borrow_mut().insert(message.to_string(), Instant::now()).is_none();
            }
            true
        });
        match heard.await {
            Ok(()) => "a message was told of twice".to_owned(),
            Err(error) => error.to_string(),
        }
    });
    let dues = post(server, payments).await?;
    let started = Instant::now();
    while heards.borrow().len() < payments as usize {
        if listener.is_finished() || started.elapsed() > AT_MOST {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(AFTER).await;
    if listener.is_finished() {
        return Err(listener.await?.into());
    }
    let mut latency = histogram();
    let messages = read(server, community).await?;
    if messages.len() != payments as usize {
        return Err(format!("{payments} payments became {} messages", messages.len()).into());
    }
    for (number, id) in messages {
        let heard = *heards.borrow().get(&id).ok_or("no stream told of a message that is there")?;
        latency.saturating_record(heard.saturating_duration_since(dues[number as usize]).as_micros() as u64);
    }
    bench.report.add("chain.p50", quantile_ms(&latency, 0.5));
    bench.report.add("chain.p99", quantile_ms(&latency, 0.99));
    Ok(())
}

/// Posts payments at a fixed rate, and says when each was due.
async fn post(server: &Server, payments: u32) -> Outcome<Vec<Instant>> {
    let pool = Rc::new(Pool::new(server.address));
    let (started, mut dues, mut posts) = (Instant::now(), vec![], vec![]);
    for number in 0..payments {
        let due = started + Duration::from_secs(1) * number / RATE;
        tokio::time::sleep_until(due.into()).await;
        dues.push(due);
        let pool = pool.clone();
        // An error is a string by then, as it crosses tasks.
        posts.push(tokio::task::spawn_local(async move {
            pool.post(u64::from(number)).await.map_err(|error| error.to_string())
        }));
    }
    for post in posts {
        post.await??;
    }
    Ok(dues)
}

#[derive(Deserialize)]
struct Stored {
    id: String,
    content: String,
}

/// The messages of the channel, by the number of their payment. No payment has two.
async fn read(server: &Server, community: &accounts::Community) -> Outcome<HashMap<u64, String>> {
    let mut client = Client::connect(server.address).await?;
    let (mut messages, mut after) = (HashMap::new(), "1".to_owned());
    loop {
        let path = format!("/api/v1/channels/{}/messages?limit={PAGE}&after={after}", community.channel);
        let page: Vec<Stored> = client
            .json(&Request {
                method: "GET",
                path: &path,
                token: Some(&community.tokens[0]),
                body: None,
            })
            .await?;
        let Some(newest) = page.first() else { break };
        after.clone_from(&newest.id);
        for message in &page {
            let number = number_after(message.content.as_bytes(), b"(order ").ok_or("a message of no payment")?;
            if messages.insert(number, message.id.clone()).is_some() {
                return Err(format!("payment {number} became two messages").into());
            }
        }
    }
    Ok(messages)
}
