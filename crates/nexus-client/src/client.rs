//! The client: one address, one proof of who we are, any number of subscriptions.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nexus_types::hub::HubEvent;
use reqwest::Url;
use reqwest::redirect::Policy;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::api::{Api, EventQuery, Published};
use crate::errors::HubError;
use crate::pauses::{backoff, chance};
use crate::subscriptions::{SubscribeOptions, Subscription};

const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_CAP: Duration = Duration::from_secs(15);
/// A restart of the hub passes in this time.
const PUBLISH_TIME_MAX: Duration = Duration::from_mins(1);
/// As long as the hub takes an id.
const ID_CHARS_MAX: usize = 128;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// What a client needs to know.
pub struct Builder {
    url: String,
    secret: Option<Zeroizing<String>>,
    source: Option<String>,
    token: Option<Zeroizing<String>>,
    publish_for: Duration,
}

impl Builder {
    /// The source's secret. It signs; it is never sent.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(Zeroizing::new(secret.into()));
        self
    }

    /// The source's name; without it, the source of `NEXUS_SECRET`.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>) -> Self {
        self.source = Some(name.into());
        self
    }

    /// An administrator's token, for reading.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Zeroizing::new(token.into()));
        self
    }

    /// For how long an event is tried before [`NexusClient::publish`] gives up; a minute, if nobody says.
    #[must_use]
    pub fn publish_for(mut self, time: Duration) -> Self {
        self.publish_for = time;
        self
    }

    /// # Errors
    /// [`HubError::Misused`] for an address that is none, or without a secret or a token.
    pub fn build(self) -> Result<NexusClient, HubError> {
        let url = Url::parse(&self.url).map_err(|cause| HubError::Misused(format!("{} is no address: {cause}", self.url)))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(HubError::Misused(format!(
                "the address begins with {}:, not http: or https:",
                url.scheme()
            )));
        }
        if self.secret.is_none() && self.token.is_none() {
            return Err(HubError::Misused("a client needs a secret or a token".into()));
        }
        if [self.token.as_deref(), self.source.as_ref()]
            .into_iter()
            .flatten()
            .any(|text| !is_printable(text))
        {
            return Err(HubError::Misused("token and source are one line of ASCII".into()));
        }
        // HTTP/2 has no upgrade to a WebSocket, and the features of another crate may bring it in.
        let http = reqwest::Client::builder()
            .http1_only()
            .connect_timeout(CONNECT_TIME_MAX)
            .redirect(Policy::none())
            .build()
            .map_err(|cause| HubError::Misused(format!("no HTTP client can be made here: {cause}")))?;
        Ok(NexusClient(Arc::new(Inner {
            api: Arc::new(Api {
                http,
                base: url.as_str().trim_end_matches('/').to_owned(),
                secret: self.secret,
                source: self.source,
                token: self.token,
            }),
            publish_for: self.publish_for,
            subscriptions: Mutex::default(),
            closed: watch::Sender::new(false),
        })))
    }
}

/// The event hub, for one program. Clones are the same client.
#[derive(Clone)]
pub struct NexusClient(Arc<Inner>);

struct Inner {
    api: Arc<Api>,
    publish_for: Duration,
    subscriptions: Mutex<Vec<Subscription>>,
    closed: watch::Sender<bool>,
}

impl NexusClient {
    /// A client for the hub at an address such as `https://hub.example.org`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            secret: None,
            source: None,
            token: None,
            publish_for: PUBLISH_TIME_MAX,
        }
    }

    /// Calls back for every event of these types (`FLOWPAY:PAYMENT_RECEIVED`, `FACTORY:*`, `*`), one after the other.
    ///
    /// A callback that fails is called again for the same event; see [`SubscribeOptions::on_error`]. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`HubError::Misused`] for none or more than 20 types, [`HubError::Closed`].
    pub fn subscribe<F, Fut, E>(&self, events: &[&str], options: SubscribeOptions, mut callback: F) -> Result<Subscription, HubError>
    where
        F: FnMut(HubEvent) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        if *self.0.closed.borrow() {
            return Err(HubError::Closed);
        }
        let callback = Box::new(move |event: HubEvent| {
            let answer = callback(event);
            Box::pin(async move { answer.await.map_err(Into::into) }) as _
        });
        let subscription = Subscription::start(Arc::clone(&self.0.api), events, options, callback)?;
        self.subscriptions().push(subscription.clone());
        Ok(subscription)
    }

    /// Says that something happened, once, under a random id. Returns when the hub has committed it.
    ///
    /// # Errors
    /// See [`Self::publish_as`].
    pub async fn publish(&self, event: &str, payload: &impl Serialize) -> Result<Published, HubError> {
        self.publish_as(&random_id()?, event, payload).await
    }

    /// Says that something happened, once: under this id (1 to 128 printable ASCII characters) the hub takes it a single time, so that a
    /// repetition after a lost answer is harmless. 429, 5xx and silence are tried again for a minute, as `Retry-After` asks.
    ///
    /// # Errors
    /// [`HubError::Refused`] for what will not do better, [`HubError::Unreachable`] when the time is over.
    pub async fn publish_as(&self, id: &str, event: &str, payload: &impl Serialize) -> Result<Published, HubError> {
        if !is_printable(id) || id.len() > ID_CHARS_MAX {
            return Err(HubError::Misused(format!(
                "an id is 1 to {ID_CHARS_MAX} printable ASCII characters"
            )));
        }
        let body = serde_json::to_string(&Body { event, payload })
            .map_err(|cause| HubError::Misused(format!("the payload is no JSON: {cause}")))?;
        let end = Instant::now() + self.0.publish_for;
        let mut closed = self.0.closed.subscribe();
        for attempt in 0.. {
            if *closed.borrow() {
                break;
            }
            let problem = match self.0.api.publish(&body, id).await {
                Err(problem) if problem.is_temporary() => problem,
                done => return done,
            };
            let time = backoff(attempt, RETRY_FIRST, RETRY_CAP, chance()).max(problem.retry_after());
            if Instant::now() + time > end {
                return Err(problem);
            }
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                _ = closed.wait_for(|closed| *closed) => {}
            }
        }
        Err(HubError::Closed)
    }

    /// What happened, newest first.
    ///
    /// # Errors
    /// [`HubError::Refused`], [`HubError::Unreachable`].
    pub async fn events(&self, query: &EventQuery) -> Result<Vec<HubEvent>, HubError> {
        self.0.api.events(query).await
    }

    /// Ends every subscription; a callback that runs may finish. What waits to be published again ends with [`HubError::Closed`].
    pub async fn close(&self) {
        self.0.closed.send_replace(true);
        let subscriptions = std::mem::take(&mut *self.subscriptions());
        futures_util::future::join_all(subscriptions.iter().map(Subscription::close)).await;
    }

    fn subscriptions(&self) -> std::sync::MutexGuard<'_, Vec<Subscription>> {
        self.0.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serialised once, without a detour, so that a number such as `15.00` stays as it is.
#[derive(Serialize)]
struct Body<'a, P> {
    event: &'a str,
    payload: &'a P,
}

/// What a header can carry.
fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// 128 random bits in hex.
fn random_id() -> Result<String, HubError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|cause| HubError::Misused(format!("the system gives no random bytes: {cause}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
