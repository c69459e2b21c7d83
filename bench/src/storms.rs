//! A crowd of sessions: what an idle one keeps in memory, and what it costs when all come back at once.

use std::time::{Duration, Instant};

use crate::accounts;
use crate::cores::Place;
use crate::fanout::Sender;
use crate::processes::Usage;
use crate::servers::Server;
use crate::sessions::{Crowd, Way};
use crate::{Bench, Outcome, generate};

/// Sessions at the lower end of the slope.
const FEW: usize = 1_000;
/// Sessions that identify at the same time while the crowd gathers.
const AT_ONCE: usize = 100;
/// Messages that everybody misses while away.
const MISSED: usize = 20;
/// Until the server has settled.
const SETTLING: Duration = Duration::from_secs(2);

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let folder = bench.temporary()?;
    let server = Server::start(bench, &folder.path().join("data"), Place::Server)?;
    generate(rows(bench, &server))?;
    server.stop()
}

async fn rows(bench: &mut Bench, server: &Server) -> Outcome<()> {
    let many = bench.options.sessions.max(2 * FEW);
    let community = accounts::found(server.address, many).await?;
    let receivers = &community.tokens[1..];
    let mut crowd = Crowd::new(server.address);
    let sender = Sender::new(server, &community, &crowd);

    crowd.add(&receivers[..FEW], AT_ONCE).await?;
    tokio::time::sleep(SETTLING).await;
    let low_kib = server.rss_kib()? as f64;
    crowd.add(&receivers[FEW..], AT_ONCE).await?;
    tokio::time::sleep(SETTLING).await;
    let high_kib = server.rss_kib()? as f64;
    bench.report.add("crowd.kib", (high_kib - low_kib) / (many - FEW) as f64);
    bench
        .report
        .note("crowd.kib", format!("{FEW} to {many} sessions, each of its own user"));
    bench.report.add("crowd.rss_low", low_kib / 1_024.0);
    bench.report.add("crowd.rss_high", high_kib / 1_024.0);

    // All of them are really there: one message reaches everybody.
    sender.send(Instant::now(), many).await?;
    crowd.until_complete().await?;
    for (name, way) in [("resume", Way::Resume), ("identify", Way::Identify)] {
        crowd.cut();
        tokio::time::sleep(SETTLING).await;
        if way == Way::Resume {
            for _ in 0..MISSED {
                sender.send(Instant::now(), many).await?;
            }
        }
        let (server_before, own_before, started) = (server.usage()?, Usage::of_self()?, Instant::now());
        crowd.come_back(way).await?;
        let elapsed = started.elapsed().as_secs_f64();
        let server_us = server.usage()?.since_us(&server_before);
        bench.report.add(&format!("{name}.cpu"), server_us / 1_000.0 / many as f64);
        bench.report.note(&format!("{name}.cpu"), format!("{many} clients"));
        bench.report.add(&format!("{name}.time"), elapsed);
        bench.report.add(
            &format!("{name}.generator"),
            Usage::of_self()?.since_us(&own_before) / elapsed / 10_000.0,
        );
        sender.send(Instant::now(), many).await?;
        crowd.until_complete().await?;
    }
    crowd.verify()
}
