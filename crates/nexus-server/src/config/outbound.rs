//! `[outbound]`: which private hosts and networks may be asked by webhooks and rules.

use serde::{Deserialize, Serialize};

use crate::outbound::Exceptions;

/// `[outbound]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// Private hosts and networks that may be asked: `HOST`, `HOST:PORT`, `ADDRESS:PORT`, `NETWORK`.
    pub private: Vec<String>,
}

impl Outbound {
    /// # Errors
    /// The key that is wrong, and what is wrong with it.
    pub(super) fn parse(&self) -> Result<Exceptions, (&'static str, String)> {
        Exceptions::parse(&self.private).map_err(|what| ("outbound.private", what))
    }
}
