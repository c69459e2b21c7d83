//! Who is this?

use nexus_types::ErrorCode;
use sha2::{Digest, Sha256};

use super::{Caller, Logins};
use crate::Result;

impl Logins<'_> {
    /// Says whose access token this is, without its `Bearer`.
    ///
    /// # Errors
    /// [`ErrorCode::Unauthorized`] if it is not one of ours, has expired, or its login has ended.
    #[expect(clippy::unused_async, reason = "a node that can't hear of ended logins will have to ask the store")]
    pub async fn authenticate(&self, bare: &str) -> Result<Caller> {
        let app = self.0;
        let now_ms = app.clock.now_ms();
        let hash: [u8; 32] = Sha256::digest(bare).into();
        if let Some(caller) = app.tokens.verified(&hash, now_ms) {
            return Ok(caller);
        }
        let access = app.keys.verify_access(bare).ok_or(ErrorCode::Unauthorized)?;
        if now_ms >= access.expires_ms || app.tokens.has_ended(access.login) {
            return Err(ErrorCode::Unauthorized.into());
        }
        let caller = Caller {
            user: access.user,
            login: Some(access.login),
        };
        app.tokens.remember(hash, caller, access.expires_ms);
        Ok(caller)
    }
}
