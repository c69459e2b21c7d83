//! Sending without HTTP: the use case and the store inside this process, so that the table shows what the network adds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nexus_core::keys::Keys;
use nexus_core::logins::Tokens;
use nexus_core::passwords::{Cost, Hasher};
use nexus_core::{App, Caller, Clock, Ports, Settings};
use nexus_store::{Db, Options};
use nexus_types::guilds::CreateGuild;
use nexus_types::ids::ChannelId;
use nexus_types::limits::LOG_WINDOW_MS;
use nexus_types::logins::Register;
use nexus_types::messages::{Anchor, CreateMessage, Nonce};
use tokio::task::JoinSet;

use crate::cores::Place;
use crate::loads::TEXT;
use crate::processes::Usage;
use crate::{Bench, Outcome};

/// What one number of tasks came to.
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) cpu_us: f64,
    pub(crate) messages: u64,
}

/// Sends from so many tasks, each with one message in flight, on all cores.
pub(crate) fn run(bench: &Bench, tasks: u64, duration: Duration) -> Outcome<Measured> {
    let folder = bench.temporary()?;
    bench.cores.pin(Place::All)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(async {
        let app = App::new(Ports {
            db: Db::open(&folder.path().join("nexus.db"), Options::default())?,
            clock: Clock::system(0, 0),
            keys: Keys::generate(),
            hasher: Hasher::new(Cost { memory_kib: 8, passes: 1 }),
            settings: Settings {
                name: "Bench".into(),
                registration_open: true,
                registration_needs_admin: false,
                events_ms: LOG_WINDOW_MS,
            },
            tokens: Tokens::default(),
        });
        let measured = load(&app, tasks, duration).await;
        app.db.close().await;
        measured
    });
    drop(runtime);
    bench.cores.pin(Place::Generator)?;
    measured
}

async fn load(app: &App, tasks: u64, duration: Duration) -> Outcome<Measured> {
    let register = Register {
        username: "owner".into(),
        password: "correct horse battery".into(),
        invite: None,
    };
    let granted = app.logins().register(register, "bench").await?;
    let caller = app.logins().authenticate(&granted.access_token).await?;
    let guild = app.guilds().create(caller, CreateGuild { name: "Bench".into() }).await?;
    let channel = guild.channels.first().ok_or("a new guild has a channel")?.id;

    let sent = Arc::new(AtomicU64::new(0));
    let (before, started) = (Usage::of_self()?, Instant::now());
    let mut senders = JoinSet::new();
    for task in 0..tasks {
        senders.spawn(send(app.clone(), (caller, channel), task, started + duration, sent.clone()));
    }
    while let Some(done) = senders.join_next().await {
        done??;
    }
    let (elapsed, cpu_us) = (started.elapsed().as_secs_f64(), Usage::of_self()?.since_us(&before));
    let messages = sent.load(Ordering::Relaxed);

    let mut stored = 0;
    let mut anchor = Anchor::Latest;
    loop {
        let page = app.messages().history(caller, channel, anchor, 100).await?;
        stored += page.len() as u64;
        let Some(last) = page.last() else { break };
        anchor = Anchor::Before(last.id);
    }
    if stored != messages {
        return Err(format!("{messages} messages were acknowledged in process, {stored} are in the channel").into());
    }
    Ok(Measured {
        per_second: messages as f64 / elapsed,
        cpu_us: cpu_us / messages as f64,
        messages,
    })
}

async fn send(app: App, (caller, channel): (Caller, ChannelId), task: u64, end: Instant, sent: Arc<AtomicU64>) -> nexus_core::Result<()> {
    let mut count = 0;
    while Instant::now() < end {
        let nonce = Nonce::parse(&format!("{task}-{count}"))?;
        app.messages()
            .send(
                caller,
                channel,
                CreateMessage {
                    content: Some(TEXT.into()),
                    nonce: Some(nonce),
                },
            )
            .await?;
        count += 1;
    }
    sent.fetch_add(count, Ordering::Relaxed);
    Ok(())
}
