//! What an event can't do without: its signature, its JSON, its rows, and an exchange over HTTP.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::payments::{PAYMENT, body, signature};
use super::posters::request;
use super::stubs::Stub;
use crate::cores::Place;
use crate::http::Client;
use crate::processes::{own_thread, thread};
use crate::{Bench, Outcome, floors, generate};

/// Calls between two looks at the clock.
const CALLS: u64 = 256;
/// Clients of the echo.
const CLIENTS: usize = 64;

/// The entry and the row of an event, with the indexes that are in use for them.
const SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
    CREATE TABLE log (
        position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, kind INTEGER NOT NULL,
        topic INTEGER NOT NULL, channel INTEGER NOT NULL, subject INTEGER NOT NULL, object INTEGER NOT NULL, body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX log_topic ON log (topic, position, kind);
    CREATE INDEX log_object ON log (object) WHERE object <> 0;
    CREATE TABLE hub_events (
        position INTEGER NOT NULL PRIMARY KEY, id INTEGER NOT NULL, type TEXT NOT NULL, source TEXT NOT NULL, payload TEXT NOT NULL,
        at_ms INTEGER NOT NULL, cause INTEGER NOT NULL, hops INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX hub_events_id ON hub_events (id);
    CREATE INDEX hub_events_type ON hub_events (type);
    CREATE INDEX hub_events_source ON hub_events (source, type);";
const ENTRY: &str = "INSERT INTO log (at_ms, kind, topic, channel, subject, object, body) VALUES (?1, 20, 0, 0, 0, ?2, ?3)";
const EVENT: &str = "INSERT INTO hub_events (position, id, type, source, payload, at_ms, cause, hops)
    VALUES (?1, ?2, ?3, 'default', ?4, ?5, 0, 0)";

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let second = Duration::from_secs(bench.seconds(1, 2));
    let sync_ms = floors::fdatasync_ms(bench)?;
    bench.report.add("floor.fdatasync", sync_ms);
    let payment = body(1_234);
    let hmac_us = each_us(second / 4, || {
        black_box(signature(&[black_box(&payment)]));
    })?;
    let json_us = each_us(second / 4, || {
        black_box(serde_json::from_str::<Value>(black_box(&payment)).is_ok());
    })?;
    bench.report.add("floor.hmac", hmac_us);
    bench.report.note("floor.hmac", format!("{} bytes", payment.len()));
    bench.report.add("floor.json", json_us);
    for batch in [1, 64] {
        let (per_second, cpu_us) = rows(bench, batch, second)?;
        bench.report.add(&format!("floor.rows_{batch}"), per_second);
        bench.report.add(&format!("floor.rows_{batch}_cpu"), cpu_us);
    }
    let (per_second, cpu_us) = echo(bench, second)?;
    bench.report.add("floor.echo", per_second);
    bench.report.add("floor.echo_cpu", cpu_us);
    Ok(())
}

/// Microseconds of processor time that a call takes.
fn each_us(time: Duration, mut call: impl FnMut()) -> Outcome<f64> {
    let (before, started, mut calls) = (own_thread()?, Instant::now(), 0);
    while started.elapsed() < time {
        (0..CALLS).for_each(|_| call());
        calls += CALLS;
    }
    Ok(own_thread()?.saturating_sub(before).as_secs_f64() * 1e6 / calls as f64)
}

/// Events a second that SQLite alone takes, so many in a transaction, and the processor time of one.
fn rows(bench: &Bench, batch: u32, duration: Duration) -> Outcome<(f64, f64)> {
    let folder = bench.temporary()?;
    let connection = Connection::open(folder.path().join("floor.db"))?;
    connection.execute_batch(SCHEMA)?;
    let (mut entry, mut event) = (connection.prepare(ENTRY)?, connection.prepare(EVENT)?);
    let text = body(1_234);
    let (before, started, mut rows) = (own_thread()?, Instant::now(), 0_i64);
    while started.elapsed() < duration {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..batch {
            rows += 1;
            let id = 7_000_000_000_000_000_000 + rows;
            entry.execute(params![rows, id, text])?;
            event.execute(params![connection.last_insert_rowid(), id, PAYMENT, text, rows])?;
        }
        connection.execute_batch("COMMIT")?;
    }
    let (elapsed, cpu) = (started.elapsed().as_secs_f64(), own_thread()?.saturating_sub(before));
    Ok((rows as f64 / elapsed, cpu.as_secs_f64() * 1e6 / rows as f64))
}

/// Exchanges a second with a server that reads a signed event and answers, and the processor time that one costs it.
fn echo(bench: &Bench, duration: Duration) -> Outcome<(f64, f64)> {
    let stub = Stub::start(bench, Place::Server, 0)?;
    let exchanges = Cell::new(0_u64);
    generate(async {
        let (before, started) = (thread(stub.thread)?, Instant::now());
        let clients = (0..CLIENTS).map(async |_| -> Outcome<()> {
            let mut client = Client::connect(stub.address).await?;
            let request = request("127.0.0.1", 1_234, false);
            while started.elapsed() < duration {
                client.exchange(&request).await?;
                exchanges.set(exchanges.get() + 1);
            }
            Ok(())
        });
        try_join_all(clients).await?;
        let (elapsed, cpu) = (started.elapsed().as_secs_f64(), thread(stub.thread)?.saturating_sub(before));
        let exchanges = exchanges.get() as f64;
        Ok((exchanges / elapsed, cpu.as_secs_f64() * 1e6 / exchanges))
    })
}
