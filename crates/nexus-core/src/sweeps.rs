//! What is removed in the background, in small pieces: log entries beyond the resume window, old nonces, the rows of what was
//! deleted, logins long over.

use std::time::Duration;

use nexus_store::{Db, StoreError, log, sql};
use nexus_types::ids::MessageId;
use nexus_types::limits::{NONCE_MS, ROWS_PER_JOB_MAX};
use nexus_types::snowflakes;
use tokio::sync::watch;

use crate::App;
use crate::clock::Clock;
use crate::errors::Result;
use crate::logins::end_expired;

/// How long a sweep that found nothing to do rests.
const REST: Duration = Duration::from_secs(10);

/// Sweeps until told to stop.
pub async fn run(app: App, stop: watch::Receiver<bool>) {
    again(stop, || {
        let app = app.clone();
        async move { sweep(&app).await }
    })
    .await;
}

/// Trims the event log until told to stop: all there is to sweep in a process without communities.
pub async fn run_log(db: Db, clock: Clock, events_ms: i64, stop: watch::Receiver<bool>) {
    again(stop, || {
        let (db, clock) = (db.clone(), clock.clone());
        async move { sweep_log(&db, clock.now_ms() - events_ms).await }
    })
    .await;
}

async fn again<F: Future<Output = Result<()>>>(mut stop: watch::Receiver<bool>, work: impl Fn() -> F) {
    loop {
        // Between two jobs a sweep may be dropped at any moment.
        let swept = tokio::select! {
            swept = work() => swept,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if let Err(error) = swept {
            tracing::warn!(error = &error as &dyn std::error::Error, "a sweep failed; it goes on later");
        }
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Runs a job until it finds nothing left to do. A job may do less than it is allowed, so only 0 means that.
macro_rules! until_done {
    ($db:expr, $job:expr) => {
        while $db.write_background::<_, StoreError, _>($job).await? > 0 {}
    };
}

/// Removes everything that is due now, a job of at most [`ROWS_PER_JOB_MAX`] rows at a time.
///
/// # Errors
/// Those of the store; what was removed stays removed.
pub async fn sweep(app: &App) -> Result<()> {
    let now_ms = app.clock.now_ms();
    let window_ms = now_ms - app.settings.events_ms;
    let rows = ROWS_PER_JOB_MAX as i64;
    let nonces = MessageId(snowflakes::first_of(now_ms - NONCE_MS));
    sweep_log(&app.db, window_ms).await?;
    until_done!(app.db, async move |tx| sql::messages::sweep_nonces(tx, nonces, rows).await);
    until_done!(app.db, async move |tx| sql::guilds::sweep(tx, window_ms, rows).await);
    until_done!(app.db, async move |tx| sql::channels::sweep(tx, window_ms, rows).await);
    // An ended login is an entry of the log and two rows.
    until_done!(app.db, async move |tx| end_expired(tx, now_ms, rows / 4).await);
    until_done!(app.db, async move |tx| sql::logins::sweep(tx, now_ms, rows).await);
    Ok(())
}

/// Removes the entries of the log that happened before a moment and that everybody has read who must.
///
/// # Errors
/// As [`sweep`].
pub async fn sweep_log(db: &Db, before_ms: i64) -> Result<()> {
    until_done!(db, async move |tx| log::trim(tx, before_ms, ROWS_PER_JOB_MAX).await);
    Ok(())
}
