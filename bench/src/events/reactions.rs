//! One rule that makes an event of each payment, and one stream that hears those events: from POST over disk and reactor to the push.
//!
//! A closed loop keeps so many payments under way, each from its POST until its event is heard; an open one posts at a fixed rate and
//! counts from when a payment was due.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;

use super::books::Book;
use super::hubs;
use super::payments::{EMIT, OF_NUMBER, REQUESTED, number_after};
use super::posters::{Pool, Poster};
use super::streams::{Heard, Stream, Wanted};
use crate::cores::Place;
use crate::processes::Usage;
use crate::report::{Report, histogram, quantile_ms};
use crate::servers::Server;
use crate::{Bench, Outcome, generate};

/// Load before the measurement begins.
const WARM_UP: Duration = Duration::from_millis(500);
/// Payments a second of the open loop.
const RATE: u32 = 2_000;
/// Until every event must have been heard.
const AT_MOST: Duration = Duration::from_secs(30);
/// In which a repeat would come.
const AFTER: Duration = Duration::from_millis(300);

/// How payments come.
#[derive(Clone, Copy)]
enum Way {
    /// So many are under way.
    Closed(usize),
    /// So many a second.
    Open(u32),
}

type Kind = (&'static str, Way);
const ON_ONE_CORE: &[Kind] = &[("1", Way::Closed(1)), ("64", Way::Closed(64)), ("open", Way::Open(RATE))];
const ON_BOTH_CORES: &[Kind] = &[
    ("both_64", Way::Closed(64)),
    ("both_256", Way::Closed(256)),
    ("both_open", Way::Open(RATE)),
];

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    for (place, kinds) in [(Place::Server, ON_ONE_CORE), (Place::All, ON_BOTH_CORES)] {
        let folder = bench.temporary()?;
        let data = folder.path().join("data");
        hubs::write_rules(&data, &[("mint", EMIT)])?;
        let server = hubs::start(bench, &data, place, None)?;
        if place == Place::All {
            bench.cores.pin(Place::All)?;
        }
        let done = generate(rows(bench, &server, kinds));
        bench.cores.pin(Place::Generator)?;
        done?;
        server.stop()?;
    }
    Ok(())
}

/// What a row came to.
struct Measured {
    events: u64,
    seconds: f64,
    latency: Histogram<u64>,
    server_cpu_us: f64,
    own_cpu_us: f64,
}

async fn rows(bench: &mut Bench, server: &Server, kinds: &[Kind]) -> Outcome<()> {
    let book = Rc::new(Book::new());
    let wanted = Wanted {
        events: &[REQUESTED],
        since: None,
    };
    let stream = Stream::open(server.address, 0, &wanted).await?;
    let hearing = book.clone();
    tokio::task::spawn_local(async move {
        let mark = hearing.mark();
        let heard = stream.listen(|heard| {
            if let Heard::Event(position, json) = heard {
                match number_after(json, OF_NUMBER) {
                    Some(number) => hearing.hear(&mark, position, number, Instant::now()),
                    None => hearing.fault(|| "an event of no payment".to_owned()),
                }
            }
            true
        });
        if let Err(error) = heard.await {
            hearing.fault(|| error.to_string());
        }
    });
    for (name, way) in kinds {
        let duration = Duration::from_secs(bench.seconds(3, 5));
        let measured = match way {
            Way::Closed(under_way) => closed(server, &book, *under_way, duration).await?,
            Way::Open(rate) => open(server, &book, *rate, duration).await?,
        };
        book.until_complete(AT_MOST).await?;
        add(bench, name, &measured);
    }
    tokio::time::sleep(AFTER).await;
    book.check()
}

fn add(bench: &mut Bench, name: &str, measured: &Measured) {
    let key = |what: &str| format!("react.{name}.{what}");
    let events = measured.events as f64;
    for (what, figure) in [
        ("rate", events / measured.seconds),
        ("p50", quantile_ms(&measured.latency, 0.5)),
        ("p99", quantile_ms(&measured.latency, 0.99)),
        ("cpu", measured.server_cpu_us / events),
        ("generator", measured.own_cpu_us / measured.seconds / 10_000.0),
    ] {
        // Not every row of every kind is in the table.
        if Report::knows(&key(what)) {
            bench.report.add(&key(what), figure);
            bench.report.note(&key(what), format!("{} payments", measured.events));
        }
    }
}

/// Counts what is heard while something goes on.
async fn watch(server: &Server, book: &Book, duration: Duration) -> Outcome<Measured> {
    tokio::time::sleep(WARM_UP).await;
    let (server_before, own_before, started) = (server.usage()?, Usage::of_self()?, Instant::now());
    *book.latency.borrow_mut() = histogram();
    tokio::time::sleep(duration).await;
    let latency = book.latency.replace(histogram());
    Ok(Measured {
        events: latency.len(),
        seconds: started.elapsed().as_secs_f64(),
        latency,
        server_cpu_us: server.usage()?.since_us(&server_before),
        own_cpu_us: Usage::of_self()?.since_us(&own_before),
    })
}

async fn closed(server: &Server, book: &Book, under_way: usize, duration: Duration) -> Outcome<Measured> {
    book.complete.forget_permits(usize::MAX);
    let end = Instant::now() + WARM_UP + duration;
    let lane = async || -> Outcome<()> {
        let mut poster = Poster::connect(server.address, false).await?;
        while Instant::now() < end {
            poster.post(book.draw(Instant::now(), 1)).await?;
            // Payments are alike: whichever was heard gives its place to the next.
            let heard = book.complete.acquire().await;
            book.check()?;
            heard?.forget();
        }
        Ok(())
    };
    let (measured, _) = tokio::try_join!(watch(server, book, duration), try_join_all((0..under_way).map(|_| lane())))?;
    Ok(measured)
}

async fn open(server: &Server, book: &Rc<Book>, rate: u32, duration: Duration) -> Outcome<Measured> {
    let pool = Rc::new(Pool::new(server.address));
    let post = async || -> Outcome<()> {
        let (started, payments) = (Instant::now(), rate * (WARM_UP + duration).as_millis() as u32 / 1_000);
        for number in 0..payments {
            let due = started + Duration::from_secs(1) * number / rate;
            tokio::time::sleep_until(due.into()).await;
            let (pool, book) = (pool.clone(), book.clone());
            tokio::task::spawn_local(async move {
                let number = book.draw(due, 1);
                if let Err(error) = pool.post(number).await {
                    book.fault(|| error.to_string());
                }
            });
        }
        Ok(())
    };
    let (measured, ()) = tokio::try_join!(watch(server, book, duration), post())?;
    Ok(measured)
}
