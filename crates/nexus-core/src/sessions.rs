//! Gateway sessions without a socket: what READY holds, what a reader may see of the log after a position, and whether a session
//! may go on.
//!
//! The gateway keeps nothing that a restart may not lose: a session's id is a sealed token, and RESUME is "read the log after `s`".

mod open;
mod pages;
mod resume;

use nexus_store::{Db, Tx, sql};
use nexus_types::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::errors::{Error, Result};
use crate::{App, Caller};

pub use open::Opening;
pub use pages::{Membership, Page};
pub use resume::Resumption;

/// The use cases of gateway sessions.
pub struct Sessions<'a>(pub(crate) &'a App);

/// What a session id says once it is opened; sealed with the label [`SEAL`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Token {
    user: i64,
    login: i64,
    intents: Option<i64>,
    shard: Option<[u32; 2]>,
    /// The position that the opening burst was complete up to.
    base: i64,
    /// The history of the log that positions belong to; a restore from a backup begins another.
    epoch: i64,
}

/// The label that session ids are sealed with.
const SEAL: &str = "session";

impl Sessions<'_> {
    fn seal(&self, token: &Token) -> String {
        self.0.keys.seal(SEAL, &serde_json::to_vec(token).expect("a token serialises"))
    }

    fn unseal(&self, session_id: &str) -> Option<Token> {
        serde_json::from_slice(&self.0.keys.open(SEAL, session_id)?).ok()
    }
}

/// Refuses a login that ended after its token was looked at: its end is in this snapshot, and so would not be seen in the log after it.
async fn require_live(tx: &mut Tx<'_>, caller: Caller) -> Result<()> {
    if sql::logins::is_live(tx, caller.require_login()?, caller.user).await? {
        Ok(())
    } else {
        Err(ErrorCode::Unauthorized.into())
    }
}

/// The largest id that was ever stored, for starting the clock after it.
///
/// # Errors
/// Those of the store.
pub async fn highest_id(db: &Db) -> Result<i64> {
    db.read(async |tx| Ok::<_, Error>(sql::highest_id(tx).await?)).await
}
