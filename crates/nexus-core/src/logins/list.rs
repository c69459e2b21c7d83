//! The caller's logins.

use nexus_store::{StoreError, Tx, sql};
use nexus_types::logins::Login;

use super::{Caller, Logins, used_after};
use crate::Result;

impl Logins<'_> {
    /// The caller's logins that have neither ended nor expired, the one used last first.
    ///
    /// # Errors
    /// [`ErrorCode::BotsNotAllowed`](nexus_types::ErrorCode::BotsNotAllowed).
    pub async fn list(&self, caller: Caller) -> Result<Vec<Login>> {
        let current = caller.require_login()?;
        let since = used_after(self.0.clock.now_ms());
        let job = async move |tx: &mut Tx<'_>| sql::logins::live(tx, caller.user, since).await;
        let mut logins: Vec<Login> = self.0.db.read::<_, StoreError, _>(job).await?;
        for login in &mut logins {
            login.current = login.id == current;
        }
        Ok(logins)
    }
}
