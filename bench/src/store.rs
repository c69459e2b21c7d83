//! `store`: durable messages a second over REST, beside the engine alone and SQLite alone.

use std::time::Duration;

use crate::accounts;
use crate::cores::Place;
use crate::http::Client;
use crate::loads::{Load, send};
use crate::report::{Report, quantile_ms};
use crate::servers::Server;
use crate::{Bench, Outcome, engine, floors, generate};

/// Members who write.
const WRITERS: usize = 64;

/// A row of sends over REST.
struct Kind {
    /// Of the rows in the table.
    name: &'static str,
    clients: usize,
    channels: usize,
}

const ON_ONE_CORE: &[Kind] = &[
    Kind {
        name: "1",
        clients: 1,
        channels: 1,
    },
    Kind {
        name: "64",
        clients: 64,
        channels: 1,
    },
    Kind {
        name: "256",
        clients: 256,
        channels: 1,
    },
    Kind {
        name: "16ch",
        clients: 256,
        channels: 16,
    },
];
const ON_BOTH_CORES: &[Kind] = &[
    Kind {
        name: "both_64",
        clients: 64,
        channels: 1,
    },
    Kind {
        name: "both_256",
        clients: 256,
        channels: 1,
    },
];

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let second = Duration::from_secs(bench.seconds(1, 3));
    let sync_ms = floors::fdatasync_ms(bench)?;
    bench.report.add("floor.fdatasync", sync_ms);
    for batch in [1, 10, 100, 1_000] {
        let rows = floors::sqlite(bench, batch, second)?;
        bench.report.add(&format!("floor.sqlite_{batch}"), rows.per_second);
        if batch == 1 {
            bench.report.add("floor.sqlite_cpu", rows.cpu_us);
        }
    }
    for tasks in [1, 64, 256] {
        let measured = engine::run(bench, tasks, 2 * second)?;
        bench.report.add(&format!("engine.{tasks}.rate"), measured.per_second);
        bench
            .report
            .note(&format!("engine.{tasks}.rate"), format!("{} messages", measured.messages));
        bench.report.add(&format!("engine.{tasks}.cpu"), measured.cpu_us);
    }
    over_rest(bench, Place::Server, ON_ONE_CORE)?;
    over_rest(bench, Place::All, ON_BOTH_CORES)
}

fn over_rest(bench: &mut Bench, place: Place, kinds: &[Kind]) -> Outcome<()> {
    let folder = bench.temporary()?;
    let server = Server::start(bench, &folder.path().join("data"), place)?;
    if place == Place::All {
        bench.cores.pin(Place::All)?;
    }
    let done = generate(rows(bench, &server, kinds));
    bench.cores.pin(Place::Generator)?;
    done?;
    if place == Place::Server {
        bench.report.add("store.rss", server.rss_kib()? as f64 / 1_024.0);
    }
    server.stop()
}

async fn rows(bench: &mut Bench, server: &Server, kinds: &[Kind]) -> Outcome<()> {
    let community = accounts::found(server.address, WRITERS).await?;
    let mut client = Client::connect(server.address).await?;
    for kind in kinds {
        let mut channels = vec![];
        for number in 0..kind.channels {
            channels.push(
                community
                    .open_channel(&mut client, &format!("c{}-{number}", kind.name.replace('_', "-")))
                    .await?,
            );
        }
        let duration = Duration::from_secs(bench.seconds(3, 5));
        let load = Load {
            clients: kind.clients,
            duration,
            channels: &channels,
            tokens: &community.tokens,
        };
        let sent = send(server, &load).await?;
        let key = |what: &str| format!("store.{}.{what}", kind.name);
        let mut add = |what: &str, figure: f64| {
            // Not every row of every kind is in the table.
            if Report::knows(&key(what)) {
                bench.report.add(&key(what), figure);
            }
        };
        add("rate", sent.messages as f64 / sent.seconds);
        add("p50", quantile_ms(&sent.latency, 0.5));
        add("p99", quantile_ms(&sent.latency, 0.99));
        add("cpu", sent.server_cpu_us / sent.messages as f64);
        bench.report.note(&key("rate"), format!("{} messages", sent.messages));
    }
    Ok(())
}
