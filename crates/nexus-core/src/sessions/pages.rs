//! The log for one reader: entries after a position, with the scopes that judge them.

use std::collections::HashMap;

use nexus_store::{Entry, Tx, log, sql};
use nexus_types::dispatches::{Piece, pieces};
use nexus_types::events::{Event, Kind};
use nexus_types::ids::{GuildId, Position, RoleId, UserId};
use nexus_types::scopes::{GuildScope, Viewer};

use super::Sessions;
use crate::errors::{Error, Result};

/// Entries of one page; a larger replay is read page by page, as the socket takes it.
const PAGE_ENTRIES: usize = 256;
/// Bytes of the bodies of one page, but for its last entry: what a replaying session may have waiting at once.
const PAGE_BYTES: usize = 256 * 1024;

/// A user's place in a guild.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The guild as it judges who sees what.
    pub scope: GuildScope,
    /// The user's roles in it without @everyone.
    pub roles: Vec<RoleId>,
}

/// Some of the log, as one user may see it, all read in one snapshot of the database.
#[derive(Debug)]
pub struct Page {
    /// The user.
    pub user: UserId,
    /// The newest position in this snapshot.
    pub head: Position,
    /// The user's guilds in this snapshot.
    pub guilds: HashMap<GuildId, Membership>,
    /// Entries that may concern the user, in order.
    pub entries: Vec<Entry>,
    /// Does this page reach the head?
    pub complete: bool,
    /// Did the log lose an entry after the page's begin that may have been the user's? A reader this slow has missed something and
    /// must begin anew: the sweep does not wait for anybody.
    pub is_gap: bool,
    /// Since where the user is a member, for guilds gained after the page's begin.
    gained: HashMap<i64, i64>,
}

impl Page {
    /// What the user gets of an entry of this page.
    ///
    /// Entries of a guild from before the user joined are not the user's. Everything else is judged by the scope of the snapshot:
    /// it differs from the scope at the entry only if a scope entry follows it, and that one sets right what the viewer holds.
    pub fn pieces(&self, entry: &Entry, event: &Event) -> Vec<Piece> {
        let before_joining = self.gained.get(&entry.topic).is_some_and(|joined| entry.position < *joined);
        let membership = self.guilds.get(&GuildId(entry.topic)).filter(|_| !before_joining);
        let roles = membership.map_or(&[][..], |membership| &membership.roles);
        pieces(
            event,
            Viewer { user: self.user, roles },
            membership.map(|membership| &membership.scope),
        )
    }
}

impl Sessions<'_> {
    /// The log after a position as a user may see it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn page(&self, user: UserId, after: Position) -> Result<Page> {
        self.0.db.read(async move |tx| page(tx, user, after).await).await
    }
}

async fn page(tx: &mut Tx<'_>, user: UserId, after: Position) -> Result<Page, Error> {
    let head = Position(log::head(tx).await?);
    let mut guilds = HashMap::new();
    let mut topics = Vec::new();
    for (id, roles, deleted) in sql::members::of_user(tx, user).await? {
        topics.push(id.0);
        // A deleted guild shows nothing but its end.
        let scope = if deleted {
            GuildScope {
                id,
                owner: UserId(0),
                roles: HashMap::new(),
                channels: HashMap::new(),
            }
        } else {
            sql::guilds::scope(tx, id)
                .await?
                .ok_or_else(|| Error::internal("read the log", "a member's guild is gone"))?
        };
        guilds.insert(id, Membership { scope, roles });
    }
    let mut entries = if after < head {
        log::after(tx, after.0, &topics, user.0, PAGE_ENTRIES).await?
    } else {
        vec![]
    };
    let mut keys = topics;
    keys.push(user.0);
    let is_gap = log::trimmed_after(tx, after.0, &keys).await?;
    let joins = [Kind::GuildCreate as i64, Kind::GuildMemberAdd as i64];
    let gained = if entries.is_empty() {
        HashMap::new()
    } else {
        let own = log::subject_after(tx, after.0, user.0, &joins).await?;
        own.into_iter().map(|join| (join.topic, join.position)).collect()
    };
    let whole = fitting(&entries);
    let complete = entries.len() < PAGE_ENTRIES && whole == entries.len();
    entries.truncate(whole);
    Ok(Page {
        user,
        head,
        guilds,
        entries,
        complete,
        is_gap,
        gained,
    })
}

/// How many of the first entries make a page: as many as fit, and at least one.
fn fitting(entries: &[Entry]) -> usize {
    let mut bytes = 0;
    let full = entries.iter().position(|entry| {
        bytes += entry.body.len();
        bytes >= PAGE_BYTES
    });
    full.map_or(entries.len(), |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded_by_its_bytes_and_never_empty() {
        let entry = |bytes| Entry {
            position: 1,
            at_ms: 0,
            kind: 0,
            topic: 0,
            channel: 0,
            subject: 0,
            object: 0,
            body: "x".repeat(bytes).into(),
        };
        let table: [(&[usize], usize); 5] = [
            (&[], 0),
            (&[10, 10], 2),
            (&[PAGE_BYTES + 1, 1], 1),
            (&[PAGE_BYTES / 2; 3], 2),
            (&[PAGE_BYTES - 1, 1, 1], 2),
        ];
        for (sizes, fits) in table {
            let entries: Vec<_> = sizes.iter().map(|bytes| entry(*bytes)).collect();
            assert_eq!(fitting(&entries), fits, "{sizes:?}");
        }
    }
}
