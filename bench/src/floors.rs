//! What the machine itself costs, measured in the same run: a sync to the disk, SQLite without us, a bare `send()`.

use std::fs::File;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::cores::Place;
use crate::loads::TEXT;
use crate::processes::own_thread;
use crate::report::{histogram, quantile_ms};
use crate::{Bench, Outcome, generate};

/// Syncs that are measured.
const SYNCS: u64 = 200;
/// Bytes of one raw send: a short message's dispatch.
const SEND_BYTES: usize = 300;
/// Rounds a second, as messages in the fan-out.
const ROUNDS_PER_SECOND: u32 = 20;

const SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
    CREATE TABLE messages (
        channel_id INTEGER NOT NULL, id INTEGER NOT NULL, author_id INTEGER NOT NULL, content TEXT NOT NULL,
        created_ms INTEGER NOT NULL, PRIMARY KEY (channel_id, id)
    ) STRICT, WITHOUT ROWID;";
const INSERT: &str = "INSERT INTO messages (channel_id, id, author_id, content, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Milliseconds that it takes to append 4 KiB and sync them, half of the time.
pub(crate) fn fdatasync_ms(bench: &Bench) -> Outcome<f64> {
    let folder = bench.temporary()?;
    let mut file = File::create(folder.path().join("sync"))?;
    let mut times = histogram();
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        rustix::fs::fdatasync(&file)?;
        times.saturating_record(started.elapsed().as_micros() as u64);
    }
    Ok(quantile_ms(&times, 0.5))
}

/// What SQLite alone can do.
pub(crate) struct Rows {
    pub(crate) per_second: f64,
    /// Microseconds of processor time per row.
    pub(crate) cpu_us: f64,
}

/// Stores rows in one table, so many in a transaction, each transaction synced.
pub(crate) fn sqlite(bench: &Bench, batch: u32, duration: Duration) -> Outcome<Rows> {
    let folder = bench.temporary()?;
    let connection = Connection::open(folder.path().join("floor.db"))?;
    connection.execute_batch(SCHEMA)?;
    let mut insert = connection.prepare(INSERT)?;
    let (before, started) = (own_thread()?, Instant::now());
    let mut rows = 0_i64;
    while started.elapsed() < duration {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..batch {
            rows += 1;
            insert.execute(params![1, rows, 2, TEXT, rows])?;
        }
        connection.execute_batch("COMMIT")?;
    }
    let (elapsed, cpu) = (started.elapsed().as_secs_f64(), own_thread()?.saturating_sub(before));
    let stored: i64 = connection.query_row("SELECT COUNT(*) FROM messages", [], |row| row.get(0))?;
    if stored != rows {
        return Err(format!("SQLite has {stored} of {rows} rows").into());
    }
    let cpu_us = cpu.as_secs_f64() * 1_000_000.0 / rows as f64;
    Ok(Rows {
        per_second: rows as f64 / elapsed,
        cpu_us,
    })
}

/// What a bare send costs its sender.
pub(crate) struct Sends {
    /// Microseconds of processor time per send when each socket gets one 20 times a second.
    pub(crate) paced_us: f64,
    /// The same without a pause.
    pub(crate) fast_us: f64,
}

/// Sends to so many loopback sockets from one thread on the server's core; the generator's core drains them.
pub(crate) fn sends(bench: &Bench, sockets: usize) -> Outcome<Sends> {
    let (cores, seconds) = (bench.cores.clone(), bench.seconds(2, 4));
    generate(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let sender = std::thread::spawn(move || {
            let sent = cores.pin(Place::Server).and_then(|()| send_all(address, sockets, seconds));
            sent.map_err(|error| error.to_string())
        });
        let mut drains = vec![];
        for _ in 0..sockets {
            let (mut stream, _) = listener.accept().await?;
            drains.push(tokio::task::spawn_local(async move {
                let (mut buffer, mut bytes) = ([0; 4096], 0);
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    bytes += count;
                }
                bytes
            }));
        }
        let mut bytes = 0;
        for drain in drains {
            bytes += drain.await?;
        }
        let (sends, rounds) = sender.join().map_err(|_| "the floor's sender panicked")??;
        let expected = rounds as usize * sockets * SEND_BYTES;
        if bytes == expected {
            Ok(sends)
        } else {
            Err(format!("{bytes} of {expected} raw bytes arrived").into())
        }
    })
}

fn send_all(address: SocketAddr, sockets: usize, seconds: u64) -> Outcome<(Sends, u32)> {
    let mut streams = vec![];
    for _ in 0..sockets {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let mut round = || -> Outcome<()> {
        for stream in &mut streams {
            stream.write_all(&[b'x'; SEND_BYTES])?;
        }
        Ok(())
    };
    let per_send = |rounds: u32, before: Duration| -> Outcome<f64> {
        Ok(own_thread()?.saturating_sub(before).as_secs_f64() * 1_000_000.0 / f64::from(rounds) / sockets as f64)
    };

    let (before, started, paced) = (own_thread()?, Instant::now(), ROUNDS_PER_SECOND * seconds as u32);
    for number in 0..paced {
        let due = started + Duration::from_secs(1) * number / ROUNDS_PER_SECOND;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        round()?;
    }
    let paced_us = per_send(paced, before)?;

    let (before, started, mut fast) = (own_thread()?, Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(seconds) {
        round()?;
        fast += 1;
    }
    Ok((
        Sends {
            paced_us,
            fast_us: per_send(fast, before)?,
        },
        paced + fast,
    ))
}
