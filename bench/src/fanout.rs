//! One community, one sender, more and more receivers: an open-loop schedule, and a closed one that saturates the server.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::accounts::{self, Community};
use crate::cores::Place;
use crate::http::{Client, Request};
use crate::loads::TEXT;
use crate::processes::Usage;
use crate::report::{histogram, quantile_ms};
use crate::servers::Server;
use crate::sessions::{Common, Crowd};
use crate::{Bench, Outcome, floors, generate};

/// Receivers of the largest row.
const MANY: usize = 1_000;
/// Messages that have not reached everybody in the saturated row.
const IN_FLIGHT: usize = 8;
/// Sessions that identify at the same time while a row is prepared.
const AT_ONCE: usize = 50;
/// For how long a connection is used again; the server closes idle ones soon after.
const IDLE: Duration = Duration::from_secs(5);
/// Messages a second.
const RATE: u32 = 20;

/// What a row of the schedule came to.
struct Measured {
    messages: u32,
    deliveries: u64,
    server_cpu_us: f64,
    own_cpu_share: f64,
    latency: Histogram<u64>,
}

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let floor = floors::sends(bench, MANY)?;
    bench.report.add("floor.send", floor.paced_us);
    bench.report.add("floor.send_fast", floor.fast_us);
    bench.report.add("floor.sends_per_cpu", 1_000_000.0 / floor.fast_us);

    let folder = bench.temporary()?;
    let data = folder.path().join("data");
    let server = Server::start(bench, &data, Place::Server)?;
    generate(rows(bench, &server))?;
    server.stop()
}

async fn rows(bench: &mut Bench, server: &Server) -> Outcome<()> {
    let seconds = bench.seconds(5, 10);
    let community = accounts::found(server.address, MANY).await?;
    let receivers = &community.tokens[1..];
    let mut crowd = Crowd::new(server.address);
    let sender = Sender::new(server, &community, &crowd);

    // The first messages find everything cold.
    scheduled(server, &crowd, &sender, 2 * RATE, 1).await?;
    let nobody = scheduled(server, &crowd, &sender, RATE, seconds).await?;
    let accept_us = nobody.server_cpu_us / f64::from(nobody.messages);
    bench.report.add("accept.cpu", accept_us);
    bench.report.note("accept.cpu", format!("{} messages", nobody.messages));
    for wanted in [1, 50, 100, MANY] {
        crowd.add(&receivers[crowd.len()..wanted], AT_ONCE).await?;
        // Fifty receivers stand for a circle of friends, who write less.
        let (rate, seconds) = if wanted == 50 { (2, 2 * seconds) } else { (RATE, seconds) };
        let measured = scheduled(server, &crowd, &sender, rate, seconds).await?;
        add(bench, wanted, accept_us, &measured);
    }

    let started = Instant::now();
    let (server_before, own_before, delivered_before) = (server.usage()?, Usage::of_self()?, crowd.common.delivered());
    saturate(&crowd, &sender, Duration::from_secs(seconds)).await?;
    let (elapsed, deliveries) = (
        started.elapsed().as_secs_f64(),
        (crowd.common.delivered() - delivered_before) as f64,
    );
    bench.report.add(
        "saturated.rate",
        deliveries * 1_000_000.0 / server.usage()?.since_us(&server_before),
    );
    bench.report.note("saturated.rate", format!("{deliveries} deliveries"));
    bench.report.add("saturated.wall", deliveries / elapsed);
    bench
        .report
        .add("saturated.generator", Usage::of_self()?.since_us(&own_before) / elapsed / 10_000.0);
    crowd.verify()
}

fn add(bench: &mut Bench, receivers: usize, accept_us: f64, measured: &Measured) {
    let key = |what: &str| format!("fanout.{receivers}.{what}");
    let (all_us, deliveries) = (measured.server_cpu_us, measured.deliveries as f64);
    bench.report.add(&key("p50"), quantile_ms(&measured.latency, 0.5));
    bench.report.add(&key("p99"), quantile_ms(&measured.latency, 0.99));
    bench.report.note(&key("p50"), format!("{} messages", measured.messages));
    if receivers != 50 {
        bench
            .report
            .add(&key("cpu"), (all_us - accept_us * f64::from(measured.messages)) / deliveries);
        bench.report.note(&key("cpu"), format!("{deliveries} deliveries"));
    }
    if receivers == MANY {
        bench.report.add(&key("cpu_all"), all_us / deliveries);
        bench.report.add(&key("generator"), measured.own_cpu_share);
    }
}

/// Sends numbered messages into one channel, over as many connections as it takes.
pub(crate) struct Sender {
    common: Rc<Common>,
    path: String,
    token: String,
    idle: RefCell<Vec<(Client, Instant)>>,
    address: std::net::SocketAddr,
}

impl Sender {
    pub(crate) fn new(server: &Server, community: &Community, crowd: &Crowd) -> Rc<Self> {
        Rc::new(Self {
            common: crowd.common.clone(),
            path: format!("/api/v1/channels/{}/messages", community.channel),
            token: community.tokens[0].clone(),
            idle: RefCell::default(),
            address: server.address,
        })
    }

    /// Sends the next message, which was due at this moment.
    pub(crate) async fn send(&self, due: Instant, receivers: usize) -> Outcome<()> {
        let number = self.common.number(due, receivers);
        let idle = self.idle.borrow_mut().pop();
        let mut client = match idle {
            Some((client, since)) if since.elapsed() < IDLE => client,
            _ => Client::connect(self.address).await?,
        };
        let body = format!(r#"{{"content":"{TEXT}","nonce":"{number}"}}"#);
        let answer = client
            .call(&Request {
                method: "POST",
                path: &self.path,
                token: Some(&self.token),
                body: Some(&body),
            })
            .await?;
        if answer.status != 200 {
            return Err(format!("a send was answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body)).into());
        }
        self.idle.borrow_mut().push((client, Instant::now()));
        Ok(())
    }
}

/// Sends at a fixed rate whether or not the server keeps up; latency counts from when a message was due.
async fn scheduled(server: &Server, crowd: &Crowd, sender: &Rc<Sender>, rate: u32, seconds: u64) -> Outcome<Measured> {
    let receivers = crowd.len();
    let messages = rate * seconds as u32;
    *crowd.common.latency.borrow_mut() = histogram();
    let delivered_before = crowd.common.delivered();
    let (server_before, own_before) = (server.usage()?, Usage::of_self()?);
    let started = Instant::now();
    let mut sends = vec![];
    for number in 0..messages {
        let due = started + Duration::from_secs(1) * number / rate;
        tokio::time::sleep_until(due.into()).await;
        let sender = sender.clone();
        // An error is a string by then, as it crosses tasks.
        sends.push(tokio::task::spawn_local(async move {
            sender.send(due, receivers).await.map_err(|error| error.to_string())
        }));
    }
    tokio::time::sleep_until((started + Duration::from_secs(seconds)).into()).await;
    for send in sends {
        send.await??;
    }
    if receivers > 0 {
        crowd.until_complete().await?;
    }
    let elapsed_us = started.elapsed().as_micros() as f64;
    Ok(Measured {
        messages,
        deliveries: crowd.common.delivered() - delivered_before,
        server_cpu_us: server.usage()?.since_us(&server_before),
        own_cpu_share: Usage::of_self()?.since_us(&own_before) / elapsed_us * 100.0,
        latency: crowd.common.latency.replace(histogram()),
    })
}

/// Keeps so many messages on their way to everybody.
async fn saturate(crowd: &Crowd, sender: &Rc<Sender>, duration: Duration) -> Outcome<()> {
    crowd.common.complete.forget_permits(usize::MAX);
    let started = Instant::now();
    let lane = async || -> Outcome<()> {
        while started.elapsed() < duration {
            sender.send(Instant::now(), crowd.len()).await?;
            // Messages are alike: whichever became complete gives its place to the next.
            crowd.common.complete.acquire().await?.forget();
        }
        Ok(())
    };
    futures_util::future::try_join_all((0..IN_FLIGHT).map(|_| lane())).await?;
    crowd.until_complete().await
}
