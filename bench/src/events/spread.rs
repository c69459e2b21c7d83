//! One event, many streams: an open-loop schedule without reactors, and what an idle stream keeps in memory.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;

use super::books::Book;
use super::hubs;
use super::payments::{NUMBER, PAYMENT, number_after};
use super::posters::Pool;
use super::streams::{Heard, Stream, Wanted, ticket};
use crate::cores::Place;
use crate::http::Client;
use crate::report::{histogram, quantile_ms};
use crate::servers::Server;
use crate::{Bench, Outcome, floors, generate};

/// Streams of the largest row, and the lower end of the slope of memory.
const MANY: usize = 1_000;
/// Streams that are opened at the same time.
const AT_ONCE: usize = 50;
/// Events a second.
const RATE: u32 = 20;
/// What idle streams wait for.
const SILENT: &str = "MIO:IDENTITY_VERIFIED";
/// Until every stream must have heard everything.
const AT_MOST: Duration = Duration::from_secs(30);
/// Until the server has settled.
const SETTLING: Duration = Duration::from_secs(2);

/// What a row of the schedule came to.
struct Measured {
    events: u32,
    deliveries: u64,
    server_cpu_us: f64,
    latency: Histogram<u64>,
}

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let floor = floors::sends(bench, MANY)?;
    bench.report.add("floor.send", floor.paced_us);
    let folder = bench.temporary()?;
    let data = folder.path().join("data");
    hubs::write_rules(&data, &[])?;
    let server = hubs::start(bench, &data, Place::Server, None)?;
    generate(rows(bench, &server))?;
    server.stop()
}

/// All streams, and what they know together.
struct Audience {
    server: std::net::SocketAddr,
    book: Rc<Book>,
    size: Cell<usize>,
}

async fn rows(bench: &mut Bench, server: &Server) -> Outcome<()> {
    let seconds = bench.seconds(5, 10);
    let audience = Audience {
        server: server.address,
        book: Rc::new(Book::new()),
        size: Cell::new(0),
    };
    let pool = Rc::new(Pool::new(server.address));
    // The first ones find everything cold.
    scheduled(server, &audience, &pool, 1).await?;
    let nobody = scheduled(server, &audience, &pool, seconds).await?;
    let accept_us = nobody.server_cpu_us / f64::from(nobody.events);
    bench.report.add("streams.accept", accept_us);
    bench.report.note("streams.accept", format!("{} events", nobody.events));
    for wanted in [1, MANY] {
        audience.add(wanted - audience.size.get(), PAYMENT).await?;
        let measured = scheduled(server, &audience, &pool, seconds).await?;
        let (deliveries, key) = (measured.deliveries as f64, |what: &str| format!("streams.{wanted}.{what}"));
        bench.report.add(&key("p50"), quantile_ms(&measured.latency, 0.5));
        bench.report.note(&key("p50"), format!("{} events", measured.events));
        bench.report.add(&key("p99"), quantile_ms(&measured.latency, 0.99));
        if wanted == MANY {
            let accepting_us = accept_us * f64::from(measured.events);
            bench.report.add(&key("cpu"), (measured.server_cpu_us - accepting_us) / deliveries);
            bench.report.add(&key("cpu_all"), measured.server_cpu_us / deliveries);
            bench.report.note(&key("cpu"), format!("{deliveries} deliveries"));
        }
    }
    idle(bench, server, &audience).await?;
    // All of them are still there.
    scheduled(server, &audience, &pool, 1).await?;
    audience.book.check()
}

async fn idle(bench: &mut Bench, server: &Server, audience: &Audience) -> Outcome<()> {
    let many = bench.options.sessions.max(2 * MANY);
    tokio::time::sleep(SETTLING).await;
    let low_kib = server.rss_kib()? as f64;
    audience.add(many - MANY, SILENT).await?;
    tokio::time::sleep(SETTLING).await;
    let high_kib = server.rss_kib()? as f64;
    bench.report.add("streams.kib", (high_kib - low_kib) / (many - MANY) as f64);
    bench.report.note("streams.kib", format!("{MANY} to {many} streams"));
    bench.report.add("streams.rss", high_kib / 1_024.0);
    Ok(())
}

impl Audience {
    /// Adds streams that want a type. Only those that want payments are counted.
    async fn add(&self, streams: usize, kind: &'static str) -> Outcome<()> {
        let next = Cell::new(0);
        let open = async || -> Outcome<()> {
            let mut client = Client::connect(self.server).await?;
            loop {
                let number = next.replace(next.get() + 1);
                if number >= streams {
                    return Ok(());
                }
                let ticket = ticket(&mut client, self.server).await?;
                let wanted = Wanted {
                    events: &[kind],
                    since: None,
                };
                let stream = Stream::open_with(self.server, number, &ticket, &wanted).await?;
                let book = self.book.clone();
                tokio::task::spawn_local(listen(stream, book));
            }
        };
        try_join_all((0..AT_ONCE.min(streams)).map(|_| open())).await?;
        if kind == PAYMENT {
            self.size.set(self.size.get() + streams);
        }
        Ok(())
    }
}

async fn listen(stream: Stream, book: Rc<Book>) {
    let mark = book.mark();
    let heard = stream.listen(|heard| {
        if let Heard::Event(position, json) = heard {
            match number_after(json, NUMBER) {
                Some(number) => book.hear(&mark, position, number, Instant::now()),
                None => book.fault(|| "an event that is no payment".to_owned()),
            }
        }
        true
    });
    if let Err(error) = heard.await {
        book.fault(|| error.to_string());
    }
}

/// Posts at a fixed rate whether or not the server keeps up; latency counts from when an event was due.
async fn scheduled(server: &Server, audience: &Audience, pool: &Rc<Pool>, seconds: u64) -> Outcome<Measured> {
    let (book, streams) = (&audience.book, audience.size.get());
    let events = RATE * seconds as u32;
    *book.latency.borrow_mut() = histogram();
    let heard_before = book.heard();
    let (before, started) = (server.usage()?, Instant::now());
    let mut posts = vec![];
    for number in 0..events {
        let due = started + Duration::from_secs(1) * number / RATE;
        tokio::time::sleep_until(due.into()).await;
        let (pool, number) = (pool.clone(), book.draw(due, streams));
        // An error is a string by then, as it crosses tasks.
        posts.push(tokio::task::spawn_local(async move {
            pool.post(number).await.map_err(|error| error.to_string())
        }));
    }
    tokio::time::sleep_until((started + Duration::from_secs(seconds)).into()).await;
    for post in posts {
        post.await??;
    }
    book.until_complete(AT_MOST).await?;
    Ok(Measured {
        events,
        deliveries: book.heard() - heard_before,
        server_cpu_us: server.usage()?.since_us(&before),
        latency: book.latency.replace(histogram()),
    })
}
