//! The key log inside this process: registering without HTTP, so that the table shows what the network adds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nexus_core::Clock;
use nexus_core::transparency::{Draft, LocalCosigner, Log, LogPorts, Seat};
use nexus_crypto::logs::LogId;
use nexus_store::transparency::LogStore;
use nexus_store::{Db, Options};
use tokio::task::JoinSet;

use super::chains::{cosigner, id, keys, name, now_s};
use crate::cores::Place;
use crate::processes::Usage;
use crate::{Bench, Outcome};

/// What one number of tasks came to.
struct Measured {
    registrations: u64,
    per_second: f64,
    cpu_us: f64,
}

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let duration = Duration::from_secs(bench.seconds(2, 4));
    for tasks in [1, 64, 256] {
        let measured = load(bench, tasks, duration)?;
        bench.report.add(&format!("inside.{tasks}.rate"), measured.per_second);
        bench
            .report
            .note(&format!("inside.{tasks}.rate"), format!("{} registrations", measured.registrations));
        bench.report.add(&format!("inside.{tasks}.cpu"), measured.cpu_us);
    }
    Ok(())
}

/// What a log over this store needs, with cosigners in this process.
pub(super) fn ports(store: &LogStore, folder: &Path, log_id: LogId) -> Outcome<LogPorts> {
    let clock = Clock::system(0, 0);
    let mut seats = vec![];
    for number in 0..3 {
        let cosigner = LocalCosigner::open(&folder.join(name(number)), cosigner(number), log_id, clock.clone())?;
        seats.push(Seat {
            name: name(number),
            public_key: cosigner.public_key(),
            operator: "the bench".to_owned(),
            url: None,
            cosigner: Arc::new(cosigner),
        });
    }
    Ok(LogPorts {
        store: store.clone(),
        clock,
        seats,
        log_key: Arc::new(cosigner(9)),
    })
}

/// Registers from so many tasks, each with one registration in flight, on all cores.
fn load(bench: &Bench, tasks: u64, duration: Duration) -> Outcome<Measured> {
    let folder = bench.temporary()?;
    bench.cores.pin(Place::All)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(async {
        let db = Db::open(&folder.path().join("nexus.db"), Options::default())?;
        let (store, log_id) = (LogStore::sql(db.clone()), LogId([3; 32]));
        store.begin(log_id).await?;
        let log = Log::start(ports(&store, folder.path(), log_id)?).await?;
        let measured = register_all(&log, tasks, duration).await;
        log.stop().await;
        db.close().await;
        measured
    });
    drop(runtime);
    bench.cores.pin(Place::Generator)?;
    measured
}

async fn register_all(log: &Log, tasks: u64, duration: Duration) -> Outcome<Measured> {
    let keys: Vec<String> = keys()
        .iter()
        .map(serde_json::to_value)
        .map(|key| Ok(key?.as_str().unwrap_or_default().to_owned()))
        .collect::<Outcome<_>>()?;
    let source = Arc::new(Source {
        keys,
        time_s: now_s()?,
        next: AtomicU64::new(0),
    });
    let (before, started) = (Usage::of_self()?, Instant::now());
    let mut clients = JoinSet::new();
    for _ in 0..tasks {
        clients.spawn(register(log.clone(), source.clone(), started + duration));
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let (elapsed, cpu_us) = (started.elapsed().as_secs_f64(), Usage::of_self()?.since_us(&before));
    let (counts, registrations) = (log.counts(), source.next.load(Ordering::Relaxed));
    if (counts.users, counts.heads, counts.leaves) != (registrations, registrations, registrations) {
        return Err(format!("{registrations} registrations were answered, the log says {counts:?}").into());
    }
    Ok(Measured {
        registrations,
        per_second: registrations as f64 / elapsed,
        cpu_us: cpu_us / registrations as f64,
    })
}

/// What is registered.
struct Source {
    keys: Vec<String>,
    time_s: i64,
    next: AtomicU64,
}

async fn register(log: Log, source: Arc<Source>, end: Instant) -> nexus_core::Result<()> {
    while Instant::now() < end {
        let number = source.next.fetch_add(1, Ordering::Relaxed);
        let draft = Draft {
            id: id(number),
            public_key: source.keys[number as usize % source.keys.len()].clone(),
            timestamp: source.time_s,
            rotation: None,
        };
        let registered = log.register(draft).await?;
        assert!(registered.new && registered.sth.head.tree_size == registered.leaf_index + 1);
    }
    Ok(())
}
