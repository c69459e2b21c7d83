//! The one way out: requests to other servers, over HTTP/1.1 with or without TLS.
//!
//! Whoever may write a URL (an administrator's webhook, a rule that prints a payload into one) must not reach with it what only this
//! machine reaches: its own network, a cloud's metadata, this server itself. So:
//!
//! - A URL has one reading, and leads to a port of the web (`urls`).
//! - Only public addresses are asked, and what the operator lists (`addresses`, `exceptions`); never this server (`own`).
//! - A name is looked up once for each connection, and what is judged is what is connected to (`lookups`). An address in the URL
//!   never comes to the resolver, so it is judged before (`gates`).
//! - Redirects are reported and not followed, there are no proxies, cookies or unpacking, and everything has a limit: the time of
//!   the whole call, the answer's bytes and headers, names that are looked up, idle connections (`clients`, `calls`).
//!
//! A host that is slow or never ends holds its own calls, and nobody else's. A header that only the sender may say (`host`,
//! `content-length`, `connection`, `transfer-encoding`, `proxy-…`) is an error, not dropped: who wrote it meant something.
//!
//! It deliberately does not try again (the caller knows what may be repeated), and it does not limit how many calls run at once:
//! each caller does.

mod addresses;
mod calls;
mod clients;
mod exceptions;
mod gates;
mod lookups;
mod own;
mod urls;

use std::sync::Arc;

use futures_util::FutureExt as _;
use nexus_core::outbound::{Answer, Call, CallError, Outbound};

use crate::exits::{Exit, Failure};
use crate::metrics;
pub use addresses::is_public;
use clients::Clients;
pub use exceptions::Exceptions;
use gates::Gate;
pub use lookups::Lookup;
use lookups::Lookups;
pub use own::OwnAddresses;

/// Who may be asked, and who never.
#[derive(Debug, Clone, Default)]
pub struct OutboundSettings {
    /// `outbound.private`
    pub private: Exceptions,
    /// URLs whose host and port count as listed: that of `FACTORY_API_URL`.
    pub listed_origins: Vec<String>,
    /// This server.
    pub own: OwnAddresses,
}

/// The way out.
///
/// # Errors
/// A [`Failure`] for a listed origin that is no URL, and if this machine has no usable certificates.
pub fn outbound(settings: &OutboundSettings) -> Result<Outbound, Failure> {
    outbound_over(settings, lookups::system())
}

/// The way out, with names looked up by `lookup`.
///
/// # Errors
/// As [`outbound`].
pub fn outbound_over(settings: &OutboundSettings, lookup: Lookup) -> Result<Outbound, Failure> {
    let mut exceptions = settings.private.clone();
    for origin in &settings.listed_origins {
        let target = urls::parse(origin).map_err(|cause| {
            Failure::new(
                Exit::Usage,
                format!("A URL in the environment can't be asked: {cause}"),
                "Set FACTORY_API_URL to one such as http://factory.internal:9000, or unset it.",
            )
        })?;
        exceptions.add(&target);
    }
    let gate = Arc::new(Gate::new(exceptions, settings.own.clone()));
    let clients = Clients::new(gate.clone(), Lookups::new(lookup)).map_err(|cause| {
        Failure::new(
            Exit::Failed,
            format!("Can't speak HTTPS: {cause}."),
            "Install the certificates of public authorities (ca-certificates).",
        )
    })?;
    let way = Arc::new(Way {
        gate: gate.clone(),
        clients,
    });
    Ok(Outbound::new(
        move |call| {
            let way = way.clone();
            async move {
                let answer = way.send(call).await;
                metrics::called(outcome(&answer));
                answer
            }
            .boxed()
        },
        move |url| gate.check(&urls::parse(url)?),
    ))
}

struct Way {
    gate: Arc<Gate>,
    clients: Clients,
}

impl Way {
    async fn send(&self, call: Call) -> Result<Answer, CallError> {
        let (target, headers) = calls::read(&call)?;
        self.gate.check(&target)?;
        let client = self.clients.at(target.port).map_err(CallError::Broken)?;
        calls::send(&client, target, call, headers).await
    }
}

fn outcome(answer: &Result<Answer, CallError>) -> &'static str {
    match answer {
        Ok(_) => "answered",
        Err(CallError::BadUrl(_) | CallError::BadHeader(_)) => "invalid",
        Err(CallError::Blocked(_)) => "blocked",
        Err(CallError::NoHost(_)) => "no_host",
        Err(CallError::Busy) => "busy",
        Err(CallError::Connect(_)) => "no_connection",
        Err(CallError::Timeout { .. }) => "timeout",
        Err(CallError::AnswerTooLarge { .. }) => "too_large",
        Err(CallError::Redirect { .. }) => "redirect",
        Err(CallError::Broken(_)) => "broken",
    }
}
