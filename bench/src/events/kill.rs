//! A process that is killed in the middle. Three reactors, two of which make an event of each payment and one of which asks a factory,
//! and two streams that come back with the position of the last event that they have.
//!
//! Everybody does as a careful client does: a sender whose answer was lost posts the same event again under the same id. In the end
//! each payment and each event made of one was heard once, in order, and the factory minted once for each.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::hubs::{self, Rule};
use super::payments::{CONFIRMED, NUMBER, OF_NUMBER, PAYMENT, REQUESTED, number_after};
use super::posters::Poster;
use super::streams::{Heard, Stream, Wanted};
use super::stubs::Stub;
use crate::cores::Place;
use crate::servers::Server;
use crate::{Bench, Outcome, generate};

const EVENTS: u64 = 100_000;
/// In a short run, where so many would take too long.
const EVENTS_QUICK: u64 = 20_000;
/// Senders with one event in flight each.
const SENDERS: usize = 64;
/// Until everything must have happened.
const AT_MOST: Duration = Duration::from_mins(10);
/// In which a repeat would come.
const AFTER: Duration = Duration::from_secs(1);
/// Between two looks at what is done.
const LOOK: Duration = Duration::from_millis(10);

const RULES: &[Rule<'static>] = &[
    ("request", super::payments::EMIT),
    (
        "confirm",
        r#"on = ["FLOWPAY:PAYMENT_RECEIVED"]
[[emit]]
event = "FACTORY:MINT_CONFIRMED"
[emit.payload]
targetAddress = "{{ payload.metadata.address }}"
amount = "{{ payload.amount }}"
reason = "reward"
refTransactionId = "{{ payload.orderId }}"
"#,
    ),
    (
        "factory",
        r#"on = ["FLOWPAY:PAYMENT_RECEIVED"]
key = "{{ payload.orderId }}"
concurrency = 32
[http]
method = "POST"
url = "{{ env.FACTORY_API_URL }}/api/mint"
[http.json]
address = "{{ payload.metadata.address }}"
amount = "{{ payload.amount }}"
"#,
    ),
];

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let total = if bench.options.quick {
        bench.report.relabel("kill.", "100,000 payments", "20,000 payments");
        EVENTS_QUICK
    } else {
        EVENTS
    };
    let stub = Stub::start(bench, Place::Generator, 0)?;
    let folder = bench.temporary()?;
    let data = folder.path().join("data");
    hubs::write_rules(&data, RULES)?;
    let start = |bench: &Bench| hubs::start(bench, &data, Place::Server, Some(&stub.url()));
    let first = start(bench)?;
    let course = Course::new(first.address, total);
    let done = generate(async {
        let (_, came) = tokio::try_join!(
            async {
                tokio::try_join!(
                    try_join_all((0..SENDERS).map(|_| send(&course))),
                    follow(&course, &course.payments, &[PAYMENT], 1, NUMBER),
                    follow(&course, &course.made, &[REQUESTED, CONFIRMED], 2, OF_NUMBER),
                )
            },
            lead(&course, &stub, first, || start(bench)),
        )?;
        Ok(came)
    })?;
    let Came { server, seconds, back_ms } = done;
    let requests = {
        let factory = stub.done();
        if (factory.minted(), factory.doubled()) != (total, 0) {
            let (minted, doubled) = (factory.minted(), factory.doubled());
            return Err(format!("of {total} payments {minted} were minted for, {doubled} of them twice").into());
        }
        bench.report.add("kill.repeated", factory.repeated as f64);
        factory.requests
    };
    let lost = course.payments.lacking() + course.made.lacking();
    bench.report.add("kill.lost", lost as f64);
    bench.report.add("kill.doubled", stub.done().doubled() as f64);
    bench.report.add("kill.rate", total as f64 / seconds);
    bench.report.note("kill.rate", format!("{} events, {requests} requests", 3 * total));
    bench.report.add("kill.back", back_ms);
    server.stop()
}

/// What all that takes part knows.
struct Course {
    address: Cell<SocketAddr>,
    /// How often the server was killed.
    kills: Cell<u64>,
    /// Everything has happened.
    over: watch::Sender<bool>,
    total: u64,
    next: Cell<u64>,
    answered: Cell<u64>,
    payments: Ledger,
    made: Ledger,
}

/// What a stream heard.
struct Ledger {
    /// How often each payment was heard of.
    times: RefCell<Vec<u8>>,
    heard: Cell<u64>,
    wanted: u64,
    last: Cell<i64>,
}

impl Ledger {
    fn new(payments: u64, each: u64) -> Self {
        Self {
            times: RefCell::new(vec![0; payments as usize]),
            heard: Cell::new(0),
            wanted: payments * each,
            last: Cell::new(0),
        }
    }

    fn lacking(&self) -> u64 {
        self.wanted - self.heard.get()
    }

    /// Takes in an event of a payment, of which there shall be so many.
    fn take(&self, position: i64, number: Option<u64>, each: u8) -> Result<(), String> {
        if position <= self.last.get() {
            return Err(format!("a stream got {position} after {}", self.last.get()));
        }
        let mut all = self.times.borrow_mut();
        let number = number.ok_or("an event of no payment")?;
        let times = all
            .get_mut(number as usize)
            .ok_or_else(|| format!("payment {number} was never posted"))?;
        *times += 1;
        if *times > each {
            return Err(format!("payment {number} was told of {times} times, the last time at {position}"));
        }
        self.last.set(position);
        self.heard.set(self.heard.get() + 1);
        Ok(())
    }
}

impl Course {
    fn new(address: SocketAddr, total: u64) -> Self {
        Self {
            address: Cell::new(address),
            kills: Cell::new(0),
            over: watch::Sender::new(false),
            total,
            next: Cell::new(0),
            answered: Cell::new(0),
            payments: Ledger::new(total, 1),
            made: Ledger::new(total, 2),
        }
    }

    /// What failed because of a kill is no fault: `None`, and it is to be done again. Nobody runs while the server is away.
    fn excuse<T>(&self, kills: u64, outcome: Outcome<T>) -> Outcome<Option<T>> {
        match outcome {
            Ok(done) => Ok(Some(done)),
            Err(error) if self.kills.get() == kills => Err(error),
            Err(_) => Ok(None),
        }
    }
}

async fn send(course: &Course) -> Outcome<()> {
    let mut poster = None;
    while course.next.get() < course.total {
        let number = course.next.replace(course.next.get() + 1);
        loop {
            // A connection dies with the server that it was made to.
            let (kills, open) = poster.take().unwrap_or((course.kills.get(), None));
            let posted = async {
                let mut open = match open {
                    Some(open) => open,
                    None => Poster::connect(course.address.get(), true).await?,
                };
                open.post(number).await?;
                Ok(open)
            };
            if let Some(open) = course.excuse(kills, posted.await)? {
                poster = Some((kills, Some(open)));
                break;
            }
        }
        course.answered.set(course.answered.get() + 1);
    }
    Ok(())
}

/// Hears everything, over as many streams as it takes.
async fn follow(course: &Course, ledger: &Ledger, events: &[&str], each: u8, mark: &[u8]) -> Outcome<()> {
    loop {
        let (kills, mut fault) = (course.kills.get(), None);
        let wanted = Wanted {
            events,
            since: Some(ledger.last.get()),
        };
        let heard = async {
            let stream = Stream::open(course.address.get(), 0, &wanted).await?;
            stream
                .listen(|heard| {
                    if let Heard::Event(position, json) = heard {
                        fault = ledger.take(position, number_after(json, mark), each).err();
                    }
                    fault.is_none()
                })
                .await
        };
        let mut over = course.over.subscribe();
        let heard = tokio::select! {
            heard = heard => heard,
            _ = over.wait_for(|over| *over) => return Ok(()),
        };
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        course.excuse(kills, heard)?;
    }
}

/// What the one who kills answers.
struct Came {
    server: Server,
    /// From the first post to the last effect.
    seconds: f64,
    /// From the kill to the first answer after it.
    back_ms: f64,
}

/// Kills the server in the middle, starts it again, and waits until everything has happened.
async fn lead(course: &Course, stub: &Stub, first: Server, start: impl Fn() -> Outcome<Server>) -> Outcome<Came> {
    let (began, half) = (Instant::now(), course.total / 2);
    let until = async |done: &dyn Fn() -> bool, what: &str| -> Outcome<()> {
        while !done() {
            if began.elapsed() > AT_MOST {
                return Err(format!("{what} did not happen in time").into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    until(&|| course.answered.get() >= half, "half of the posts").await?;
    let killed = Instant::now();
    // SIGKILL.
    drop(first);
    course.kills.set(course.kills.get() + 1);
    let answered = course.answered.get();
    let server = start()?;
    course.address.set(server.address);
    while course.answered.get() == answered {
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    let back_ms = killed.elapsed().as_secs_f64() * 1_000.0;
    let all = || course.payments.lacking() + course.made.lacking() == 0 && stub.done().minted() == course.total;
    until(&all, "every effect").await?;
    let seconds = began.elapsed().as_secs_f64();
    tokio::time::sleep(AFTER).await;
    course.over.send_replace(true);
    Ok(Came { server, seconds, back_ms })
}
