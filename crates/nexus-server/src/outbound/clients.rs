//! The senders: one for all ports, and one for each port of which something special is said.
//!
//! The library asks its resolver for a name without the port. So a port that is listed, or this server's own, has a sender whose
//! resolver knows it. There are as many as the configuration names.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nexus_types::limits::{OUTBOUND_CONNECT_MS, OUTBOUND_HEADERS_MAX, OUTBOUND_IDLE_MS, OUTBOUND_IDLE_PER_HOST};
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, redirect};

use super::gates::Gate;
use super::lookups::{Filter, Lookups};

/// See the module.
pub(super) struct Clients {
    gate: Arc<Gate>,
    lookups: Lookups,
    any: Client,
    special: Mutex<HashMap<u16, Client>>,
}

impl Clients {
    /// # Errors
    /// A sentence's end, if this machine has no usable certificates.
    pub(super) fn new(gate: Arc<Gate>, lookups: Lookups) -> Result<Self, String> {
        Ok(Self {
            any: client(&gate, &lookups, None)?,
            special: Mutex::default(),
            gate,
            lookups,
        })
    }

    /// What sends to this port.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(super) fn at(&self, port: u16) -> Result<Client, String> {
        let Some(port) = self.gate.special(port) else {
            return Ok(self.any.clone());
        };
        let mut special = self.special.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = special.get(&port) {
            return Ok(client.clone());
        }
        let client = client(&self.gate, &self.lookups, Some(port))?;
        special.insert(port, client.clone());
        Ok(client)
    }
}

fn client(gate: &Arc<Gate>, lookups: &Lookups, port: Option<u16>) -> Result<Client, String> {
    let filter = Filter {
        gate: gate.clone(),
        lookups: lookups.clone(),
        port,
    };
    // No answer is ever unpacked, so none can grow.
    let always = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
    let built = Client::builder()
        .dns_resolver(filter)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .http1_max_headers(OUTBOUND_HEADERS_MAX)
        .connect_timeout(Duration::from_millis(OUTBOUND_CONNECT_MS))
        .pool_max_idle_per_host(OUTBOUND_IDLE_PER_HOST)
        .pool_idle_timeout(Duration::from_millis(OUTBOUND_IDLE_MS))
        .user_agent(concat!("Nexus/", env!("CARGO_PKG_VERSION")))
        .default_headers(always)
        .build();
    built.map_err(|cause| cause.source().map_or_else(|| cause.to_string(), ToString::to_string))
}
