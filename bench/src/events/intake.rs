//! Posting as fast as answers come, with no reactor: senders with one event in flight each. A row counts what was answered 200, which
//! is after the event was on the disk. Then the server starts anew, and one stream reads all of it from the beginning: each event that
//! was answered must be there once, at its position, and nothing else.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;

use super::hubs;
use super::payments::{NUMBER, PAYMENT, number_after};
use super::posters::Poster;
use super::streams::{Heard, Stream, Wanted};
use crate::cores::Place;
use crate::report::{Report, histogram, quantile_ms};
use crate::servers::Server;
use crate::{Bench, Outcome, generate};

/// Load before the measurement begins.
const WARM_UP: Duration = Duration::from_millis(500);

/// A row.
struct Kind {
    name: &'static str,
    senders: usize,
    /// Does each event have an id of its source's?
    with_ids: bool,
}

const fn kind(name: &'static str, senders: usize, with_ids: bool) -> Kind {
    Kind { name, senders, with_ids }
}

const ON_ONE_CORE: &[Kind] = &[kind("1", 1, false), kind("64", 64, false), kind("64_ids", 64, true)];
const ON_BOTH_CORES: &[Kind] = &[kind("both_64", 64, false), kind("both_256", 256, false)];

/// Positions and numbers of what was answered.
type Answered = RefCell<Vec<(i64, u64)>>;

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    over_http(bench, Place::Server, ON_ONE_CORE)?;
    over_http(bench, Place::All, ON_BOTH_CORES)
}

fn over_http(bench: &mut Bench, place: Place, kinds: &[Kind]) -> Outcome<()> {
    let folder = bench.temporary()?;
    let data = folder.path().join("data");
    hubs::write_rules(&data, &[])?;
    let server = hubs::start(bench, &data, place, None)?;
    if place == Place::All {
        bench.cores.pin(Place::All)?;
    }
    let answered = Answered::default();
    let done = generate(rows(bench, &server, kinds, &answered));
    bench.cores.pin(Place::Generator)?;
    done?;
    if place == Place::Server {
        bench.report.add("events.rss", server.rss_kib()? as f64 / 1_024.0);
    }
    server.stop()?;
    // From now on nothing of it is in memory.
    let server = hubs::start(bench, &data, Place::Server, None)?;
    let (seconds, cpu_us) = generate(read_back(&server, answered.take()))?;
    if place == Place::Server {
        bench.report.add("catchup.rate", 1.0 / seconds);
        bench.report.add("catchup.cpu", cpu_us);
    }
    server.stop()
}

async fn rows(bench: &mut Bench, server: &Server, kinds: &[Kind], answered: &Answered) -> Outcome<()> {
    let next = Cell::new(0);
    for kind in kinds {
        let duration = Duration::from_secs(bench.seconds(3, 5));
        let done = load(server, kind, duration, &next, answered).await?;
        let key = |what: &str| format!("events.{}.{what}", kind.name);
        let events = done.latency.len();
        for (what, figure) in [
            ("rate", events as f64 / done.seconds),
            ("p50", quantile_ms(&done.latency, 0.5)),
            ("p99", quantile_ms(&done.latency, 0.99)),
            ("cpu", done.server_cpu_us / events as f64),
        ] {
            // Not every row of every kind is in the table.
            if Report::knows(&key(what)) {
                bench.report.add(&key(what), figure);
            }
        }
        bench.report.note(&key("rate"), format!("{events} events"));
    }
    Ok(())
}

/// What came of a load.
struct Done {
    seconds: f64,
    /// Microseconds from request to answer.
    latency: Histogram<u64>,
    server_cpu_us: f64,
}

struct Tally<'a> {
    measuring: Cell<bool>,
    over: Cell<bool>,
    latency: RefCell<Histogram<u64>>,
    next: &'a Cell<u64>,
    answered: &'a Answered,
}

/// A sender, or the watch, which alone answers: seconds, and microseconds of the server's time.
type Task<'a> = Pin<Box<dyn Future<Output = Outcome<Option<(f64, f64)>>> + 'a>>;

async fn load(server: &Server, kind: &Kind, duration: Duration, next: &Cell<u64>, answered: &Answered) -> Outcome<Done> {
    let tally = Tally {
        measuring: Cell::new(false),
        over: Cell::new(false),
        latency: RefCell::new(histogram()),
        next,
        answered,
    };
    let mut tasks: Vec<Task<'_>> = vec![];
    for _ in 0..kind.senders {
        tasks.push(Box::pin(async { send(server, kind, &tally).await.map(|()| None) }));
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

async fn send(server: &Server, kind: &Kind, tally: &Tally<'_>) -> Outcome<()> {
    let mut poster = Poster::connect(server.address, kind.with_ids).await?;
    while !tally.over.get() {
        let number = tally.next.replace(tally.next.get() + 1);
        let sent = Instant::now();
        let position = poster.post(number).await?;
        if tally.measuring.get() {
            tally.latency.borrow_mut().saturating_record(sent.elapsed().as_micros() as u64);
        }
        tally.answered.borrow_mut().push((position, number));
    }
    Ok(())
}

/// Reads everything through one stream, and says seconds and microseconds of the server's time for one event.
async fn read_back(server: &Server, mut answered: Vec<(i64, u64)>) -> Outcome<(f64, f64)> {
    answered.sort_unstable();
    let (before, started) = (server.usage()?, Instant::now());
    let wanted = Wanted {
        events: &[PAYMENT],
        since: Some(0),
    };
    let (mut read, mut fault) = (0, None);
    let stream = Stream::open(server.address, 0, &wanted).await?;
    stream
        .listen(|heard| match heard {
            Heard::Event(position, json) => {
                let number = number_after(json, NUMBER);
                match (answered.get(read), number) {
                    (Some(&(other, wanted)), Some(number)) if (other, wanted) == (position, number) => read += 1,
                    _ => {
                        fault = Some(format!(
                            "the event at {position} is {number:?}, {:?} was answered",
                            answered.get(read)
                        ));
                    }
                }
                fault.is_none()
            }
            Heard::CaughtUp => false,
        })
        .await?;
    let (seconds, cpu_us) = (started.elapsed().as_secs_f64(), server.usage()?.since_us(&before));
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    if read != answered.len() {
        return Err(format!("{} events were answered, {read} were read", answered.len()).into());
    }
    Ok((seconds / read as f64, cpu_us / read as f64))
}
