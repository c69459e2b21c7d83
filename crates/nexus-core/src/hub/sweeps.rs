//! What the hub forgets in time: events and ended jobs beyond their retention, dead letters beyond their number, old figures.

use std::time::Duration;

use nexus_store::sql::hub::{events, stats};
use nexus_store::sql::reactors as rows;
use nexus_store::{StoreError, Tx};
use nexus_types::ids::JobId;
use nexus_types::limits::{DEAD_LETTERS_MAX, HUB_MINUTES_KEPT, MINUTE_MS, ROWS_PER_JOB_MAX};
use tokio::sync::watch;

use super::Hub;
use crate::errors::Result;

/// How long a sweep rests.
const REST: Duration = Duration::from_mins(1);

/// Sweeps until told to stop.
pub(super) async fn run(hub: Hub, mut stop: watch::Receiver<bool>) {
    loop {
        // Between two jobs a sweep may be dropped at any moment.
        let swept = tokio::select! {
            swept = hub.sweep() => swept,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if let Err(error) = swept {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a sweep of the hub failed; it goes on later"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl Hub {
    /// Removes everything that is due now, a job of at most [`ROWS_PER_JOB_MAX`] rows at a time.
    ///
    /// # Errors
    /// Those of the store; what was removed stays removed.
    pub async fn sweep(&self) -> Result<()> {
        let db = &self.0.db;
        let now_ms = self.0.clock.now_ms();
        let before_ms = now_ms - self.0.settings.retention_ms;
        let rows_max = ROWS_PER_JOB_MAX as i64;
        let mut job = Some(JobId(0));
        while let Some(after) = job {
            job = db
                .write_background::<_, StoreError, _>(async move |tx: &mut Tx<'_>| rows::sweep(tx, after, before_ms, rows_max).await)
                .await?;
        }
        while db
            .write_background::<_, StoreError, _>(async move |tx: &mut Tx<'_>| rows::sweep_dead(tx, DEAD_LETTERS_MAX, rows_max).await)
            .await?
            > 0
        {}
        let mut event = Some(0);
        while let Some(after) = event {
            event = db
                .write_background::<_, StoreError, _>(async move |tx: &mut Tx<'_>| events::sweep(tx, after, before_ms, rows_max).await)
                .await?;
        }
        let minute = now_ms / MINUTE_MS - HUB_MINUTES_KEPT;
        while db
            .write_background::<_, StoreError, _>(async move |tx: &mut Tx<'_>| stats::sweep(tx, minute, rows_max).await)
            .await?
            > 0
        {}
        Ok(())
    }
}
