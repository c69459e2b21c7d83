//! May a session go on after `s`? Wholly, or not at all: never silently less.

use nexus_store::{log, sql};
use nexus_types::events::Kind;
use nexus_types::ids::Position;

use super::{Sessions, require_live};
use crate::Caller;
use crate::errors::{Error, Result};

/// The answer to RESUME.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumption {
    /// Read the log after this position, page by page.
    Go(Position),
    /// Identify anew: the session is another's, too old, incomplete, or what it may see has changed.
    Stale,
    /// The number was never given out.
    InvalidSeq,
}

impl Sessions<'_> {
    /// Decides whether a session may go on after the last `s` that its client has handled.
    ///
    /// It may not if its opening burst was not complete, if the log lost an entry of one of its topics after `s`, or if an entry
    /// after `s` took away or changed what the user may see. Gaining a guild simply replays.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn resume(&self, caller: Caller, session_id: &str, seq: i64) -> Result<Resumption> {
        let Some(token) = self.unseal(session_id) else {
            return Ok(Resumption::Stale);
        };
        if (token.user, token.login) != (caller.user.0, caller.require_login()?.0) {
            return Ok(Resumption::Stale);
        }
        self.0
            .db
            .read(async move |tx| {
                require_live(tx, caller).await?;
                if token.epoch != log::epoch(tx).await? {
                    return Ok(Resumption::Stale);
                }
                if seq > log::head(tx).await? {
                    return Ok(Resumption::InvalidSeq);
                }
                if seq < token.base {
                    return Ok(Resumption::Stale);
                }
                let topics: Vec<_> = sql::members::of_user(tx, caller.user)
                    .await?
                    .into_iter()
                    .map(|(guild, _, _)| guild.0)
                    .collect();
                let mut keys = topics.clone();
                keys.push(caller.user.0);
                let scope: Vec<_> = Kind::SCOPE.iter().map(|kind| *kind as i64).collect();
                let left = !log::subject_after(tx, seq, caller.user.0, &[Kind::GuildMemberRemove as i64])
                    .await?
                    .is_empty();
                if left || log::trimmed_after(tx, seq, &keys).await? || log::kinds_after(tx, seq, &topics, &scope).await? {
                    return Ok(Resumption::Stale);
                }
                Ok::<_, Error>(Resumption::Go(Position(seq)))
            })
            .await
    }
}
