//! Registering keys over HTTP as fast as answers come: clients with one registration in flight each, every one of a new id. A row counts
//! what was answered 201, which is after leaf and head were signed by two of three cosigners and were on the disk.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use serde::Deserialize;

use super::chains::{id, keys, now_s};
use super::readbacks;
use crate::cores::Place;
use crate::http::{Client, Request};
use crate::report::{Report, histogram, quantile_ms};
use crate::servers::Server;
use crate::{Bench, Outcome, floors, generate};

/// Load before the measurement begins.
const WARM_UP: Duration = Duration::from_millis(500);

/// What a log is kept in: the prefix of its rows and the flags of its server.
const STORES: &[(&str, &[&str])] = &[("register", &[]), ("jsonl", &["--store", "jsonl"])];

/// A row: how it is called, and how many clients.
type Kind = (&'static str, usize);
const ON_ONE_CORE: &[Kind] = &[("1", 1), ("64", 64)];
const ON_BOTH_CORES: &[Kind] = &[("both_64", 64), ("both_256", 256)];

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let sync_ms = floors::fdatasync_ms(bench)?;
    bench.report.add("floor.fdatasync", sync_ms);
    for (store, flags) in STORES {
        for (place, kinds) in [(Place::Server, ON_ONE_CORE), (Place::All, ON_BOTH_CORES)] {
            over_http(bench, (store, flags), place, kinds).map_err(|error| format!("{store}: {error}"))?;
        }
    }
    Ok(())
}

fn over_http(bench: &mut Bench, (store, flags): (&str, &[&str]), place: Place, kinds: &[Kind]) -> Outcome<()> {
    let folder = bench.temporary()?;
    let server = Server::start_with(bench, &folder.path().join("data"), place, flags)?;
    if place == Place::All {
        bench.cores.pin(Place::All)?;
    }
    let done = generate(rows(bench, &server, store, kinds));
    bench.cores.pin(Place::Generator)?;
    done?;
    if place == Place::Server {
        bench.report.add(&format!("{store}.rss"), server.rss_kib()? as f64 / 1_024.0);
    }
    server.stop()
}

async fn rows(bench: &mut Bench, server: &Server, store: &str, kinds: &[Kind]) -> Outcome<()> {
    let book = Book::new()?;
    for (name, clients) in kinds {
        let duration = Duration::from_secs(bench.seconds(2, 5));
        let done = load(server, *clients, duration, &book).await?;
        let key = |what: &str| format!("{store}.{name}.{what}");
        let registrations = done.latency.len();
        for (what, figure) in [
            ("rate", registrations as f64 / done.seconds),
            ("p50", quantile_ms(&done.latency, 0.5)),
            ("p99", quantile_ms(&done.latency, 0.99)),
            ("cpu", done.server_cpu_us / registrations as f64),
        ] {
            // Not every row of every kind is in the table.
            if Report::knows(&key(what)) {
                bench.report.add(&key(what), figure);
            }
        }
        bench.report.note(&key("rate"), format!("{registrations} registrations"));
    }
    readbacks::audit(server, &book.answered.into_inner()).await
}

/// What is registered, and where it stands.
struct Book {
    /// Keys in JSON.
    keys: Vec<String>,
    time_s: i64,
    next: Cell<u64>,
    /// Leaf indexes and the numbers of their ids.
    answered: RefCell<Vec<(u64, u64)>>,
}

impl Book {
    fn new() -> Outcome<Self> {
        let keys = keys().iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        Ok(Self {
            keys,
            time_s: now_s()?,
            next: Cell::new(0),
            answered: RefCell::default(),
        })
    }

    fn body(&self, number: u64) -> String {
        let key = &self.keys[number as usize % self.keys.len()];
        format!(r#"{{"id":"{}","public_key":{key},"timestamp":{}}}"#, id(number), self.time_s)
    }
}

/// What came of a load.
struct Done {
    seconds: f64,
    /// Microseconds from request to answer.
    latency: Histogram<u64>,
    server_cpu_us: f64,
}

struct Tally {
    measuring: Cell<bool>,
    over: Cell<bool>,
    latency: RefCell<Histogram<u64>>,
}

/// A client, or the watch, which alone answers: seconds, and microseconds of the server's time.
type Task<'a> = Pin<Box<dyn Future<Output = Outcome<Option<(f64, f64)>>> + 'a>>;

async fn load(server: &Server, clients: usize, duration: Duration, book: &Book) -> Outcome<Done> {
    let tally = Tally {
        measuring: Cell::new(false),
        over: Cell::new(false),
        latency: RefCell::new(histogram()),
    };
    let mut tasks: Vec<Task<'_>> = vec![];
    for _ in 0..clients {
        tasks.push(Box::pin(async { client(server, &tally, book).await.map(|()| None) }));
    }
    let watch = async {
        tokio::time::sleep(WARM_UP).await;
        let (before, started) = (server.usage()?, Instant::now());
        tally.measuring.set(true);
        tokio::time::sleep(duration).await;
        tally.measuring.set(false);
        let measured = (started.elapsed().as_secs_f64(), server.usage()?.since_us(&before));
        tally.over.set(true);
        Ok(Some(measured))
    };
    tasks.push(Box::pin(watch));
    let measured = try_join_all(tasks).await?.into_iter().flatten().next();
    let (seconds, server_cpu_us) = measured.ok_or("the watch measures")?;
    Ok(Done {
        seconds,
        server_cpu_us,
        latency: tally.latency.into_inner(),
    })
}

#[derive(Deserialize)]
struct Answered {
    tree_size: u64,
    leaf_index: u64,
    sth: Head,
}

#[derive(Deserialize)]
struct Head {
    tree_size: u64,
}

async fn client(server: &Server, tally: &Tally, book: &Book) -> Outcome<()> {
    let mut client = Client::connect(server.address).await?;
    while !tally.over.get() {
        let number = book.next.get();
        book.next.set(number + 1);
        let body = book.body(number);
        let sent = Instant::now();
        let answer = client
            .call(&Request {
                method: "POST",
                path: "/did/register",
                token: None,
                body: Some(&body),
            })
            .await?;
        if answer.status != 201 {
            return Err(format!(
                "a registration was answered {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            )
            .into());
        }
        if tally.measuring.get() {
            tally.latency.borrow_mut().saturating_record(sent.elapsed().as_micros() as u64);
        }
        let Answered {
            tree_size,
            leaf_index,
            sth,
        } = serde_json::from_slice(&answer.body)?;
        if sth.tree_size != leaf_index + 1 || tree_size != sth.tree_size {
            return Err(format!("leaf {leaf_index} was answered with the head of {} leaves", sth.tree_size).into());
        }
        book.answered.borrow_mut().push((leaf_index, number));
    }
    Ok(())
}
