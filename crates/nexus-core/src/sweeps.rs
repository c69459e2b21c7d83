//! What is removed in the background, in small pieces: log entries beyond the resume window, old nonces, the rows of what was
//! deleted, logins long over.

use std::time::Duration;

use nexus_store::{StoreError, log, sql};
use nexus_types::ids::MessageId;
use nexus_types::limits::{NONCE_MS, ROWS_PER_JOB_MAX};
use nexus_types::snowflakes;
use tokio::sync::watch;

use crate::App;
use crate::errors::Result;
use crate::logins::end_expired;

/// How long a sweep that found nothing to do rests.
const REST: Duration = Duration::from_secs(10);

/// Sweeps until told to stop.
pub async fn run(app: App, mut stop: watch::Receiver<bool>) {
    loop {
        // Between two jobs a sweep may be dropped at any moment.
        let swept = tokio::select! {
            swept = sweep(&app) => swept,
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
    ($app:ident, $job:expr) => {
        while $app.db.write_background::<_, StoreError, _>($job).await? > 0 {}
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
    until_done!(app, async move |tx| log::trim(tx, window_ms, ROWS_PER_JOB_MAX).await);
    until_done!(app, async move |tx| sql::messages::sweep_nonces(tx, nonces, rows).await);
    until_done!(app, async move |tx| sql::guilds::sweep(tx, window_ms, rows).await);
    until_done!(app, async move |tx| sql::channels::sweep(tx, window_ms, rows).await);
    // An ended login is an entry of the log and two rows.
    until_done!(app, async move |tx| end_expired(tx, now_ms, rows / 4).await);
    until_done!(app, async move |tx| sql::logins::sweep(tx, now_ms, rows).await);
    Ok(())
}
