//! Turns for answers that cost much: so many are read at once, the next ones wait, and who waits for too long is told to come back.

use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use nexus_core::Error;
use nexus_types::ErrorCode;
use nexus_types::limits::{LOG_PAGE_WAIT_MS, LOG_PAGES_AT_ONCE};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::json::Json;

/// When somebody who waited in vain may come back.
const COME_BACK_MS: i64 = 5_000;

/// See the module.
pub struct Pages {
    turns: Semaphore,
    patience: Duration,
}

impl Pages {
    /// So many at once, and how long a turn is waited for.
    pub fn new(at_once: usize, patience: Duration) -> Self {
        Self {
            turns: Semaphore::new(at_once),
            patience,
        }
    }

    /// Fewer at once than there are threads for reading, if there is more than one.
    pub fn beside(read_threads: usize) -> Self {
        let at_once = LOG_PAGES_AT_ONCE.min(read_threads.saturating_sub(1)).max(1);
        Self::new(at_once, Duration::from_millis(LOG_PAGE_WAIT_MS.cast_unsigned()))
    }

    /// Reads a page and writes it as JSON, both in its turn.
    ///
    /// # Errors
    /// Those of the reading; [`ErrorCode::PagesBusy`] if the turn did not come in time.
    pub(super) async fn answer<T: Serialize>(&self, read: impl Future<Output = Result<T, ApiError>>) -> Result<Response, ApiError> {
        let turn = tokio::time::timeout(self.patience, self.turns.acquire()).await;
        let _turn = turn
            .map_err(|_| Error::later(ErrorCode::PagesBusy, COME_BACK_MS))?
            .expect("it is never closed");
        Ok(Json(read.await?).into_response())
    }

    /// Takes every turn.
    #[cfg(test)]
    pub(super) async fn hold(&self) -> tokio::sync::SemaphorePermit<'_> {
        let all = self.turns.available_permits() as u32;
        self.turns.acquire_many(all).await.expect("it is never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_left_for_everything_else() {
        for (read_threads, at_once) in [(1, 1), (2, 1), (3, 2), (4, LOG_PAGES_AT_ONCE), (64, LOG_PAGES_AT_ONCE)] {
            assert_eq!(Pages::beside(read_threads).turns.available_permits(), at_once, "{read_threads}");
        }
    }
}
