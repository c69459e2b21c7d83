//! The hub's routes: signed, or with a token.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use nexus_types::hub::HubEvent;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::errors::HubError;

/// How long one request may take.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(15);

/// What became of a published event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Names it for ever.
    pub id: String,
    /// Its place in the hub's log.
    pub position: i64,
    /// The type as it was sent.
    pub event: String,
    /// The hub had it already; nothing happens a second time.
    pub duplicate: bool,
}

/// Which events of the past to read.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Types, `NAMESPACE:*`. All if there is none.
    pub events: Vec<String>,
    /// Only from this source.
    pub source: Option<String>,
    /// Only what is older than this position.
    pub before: Option<i64>,
    /// 1 to 100; the hub gives 50 if nobody says.
    pub limit: Option<u32>,
}

/// The hub's address, and what proves who we are.
pub(crate) struct Api {
    pub(crate) http: Client,
    /// Without a slash at its end.
    pub(crate) base: String,
    pub(crate) secret: Option<Zeroizing<String>>,
    pub(crate) source: Option<String>,
    pub(crate) token: Option<Zeroizing<String>>,
}

impl Api {
    /// One try to publish. The id makes a second one harmless.
    pub(crate) async fn publish(&self, body: &str, id: &str) -> Result<Published, HubError> {
        #[derive(Deserialize)]
        struct Answer {
            status: String,
            event: String,
            id: String,
            position: i64,
        }
        let secret = self
            .secret
            .as_ref()
            .ok_or_else(|| HubError::Misused("publishing needs the source's secret".into()))?;
        let request = self.http.post(format!("{}/events", self.base)).header("x-nexus-event-id", id);
        let request = self.signed(request, secret, body).body(body.to_owned());
        let answer: Answer = self.ask(request.header("content-type", "application/json")).await?;
        Ok(Published {
            id: answer.id,
            position: answer.position,
            event: answer.event,
            duplicate: answer.status == "duplicate",
        })
    }

    /// The newest events first.
    pub(crate) async fn events(&self, query: &EventQuery) -> Result<Vec<HubEvent>, HubError> {
        let mut url = self.url("/events")?;
        {
            let mut pairs = url.query_pairs_mut();
            if let Some(limit) = query.limit {
                pairs.append_pair("limit", &limit.to_string());
            }
            if let Some(before) = query.before {
                pairs.append_pair("before", &before.to_string());
            }
            if let Some(source) = &query.source {
                pairs.append_pair("source", source);
            }
            if !query.events.is_empty() {
                pairs.append_pair("event", &query.events.join(","));
            }
        }
        if url.query() == Some("") {
            url.set_query(None);
        }
        // What the hub sees of the address is signed in place of a body.
        let signed = format!("GET /events{}", url.query().map_or_else(String::new, |query| format!("?{query}")));
        let request = self.http.request(Method::GET, url);
        self.ask(self.proven(request, &signed)?).await
    }

    /// The address of a stream, with a ticket that opens it once within half a minute.
    pub(crate) async fn stream(&self) -> Result<Url, HubError> {
        #[derive(Deserialize)]
        struct Ticket {
            ticket: String,
        }
        let request = self.http.post(format!("{}/events/tickets", self.base));
        let request = self.proven(request, "{}")?.header("content-type", "application/json").body("{}");
        let Ticket { ticket } = self.ask(request).await?;
        let mut url = self.url("/events/stream")?;
        url.query_pairs_mut().append_pair("token", &ticket);
        Ok(url)
    }

    fn url(&self, path: &str) -> Result<Url, HubError> {
        Url::parse(&format!("{}{path}", self.base)).map_err(|cause| HubError::Misused(format!("{} is no address: {cause}", self.base)))
    }

    /// For readers, a token counts as much as a signature.
    fn proven(&self, request: RequestBuilder, signed: &str) -> Result<RequestBuilder, HubError> {
        match (&self.token, &self.secret) {
            (Some(token), _) => Ok(request.bearer_auth(token.as_str())),
            (None, Some(secret)) => Ok(self.signed(request, secret, signed)),
            (None, None) => Err(HubError::Misused("a client needs a secret or a token".into())),
        }
    }

    fn signed(&self, request: RequestBuilder, secret: &str, signed: &str) -> RequestBuilder {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut request = request
            .header("x-nexus-timestamp", seconds.to_string())
            .header("x-nexus-signature", signature(secret, seconds, signed));
        if let Some(source) = &self.source {
            request = request.header("x-nexus-source", source);
        }
        request
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, HubError> {
        let broken = |cause: reqwest::Error| HubError::silence(format!("no answer came from {}", self.base), cause.without_url());
        let answer = request.timeout(REQUEST_TIME_MAX).send().await.map_err(broken)?;
        let status = answer.status();
        let retry_after = retry_after(&answer);
        let body = answer.bytes().await.map_err(broken)?;
        if !status.is_success() {
            return Err(HubError::of_answer(status.as_u16(), &body, retry_after));
        }
        serde_json::from_slice(&body).map_err(|cause| HubError::silence("the hub's answer is not what was asked for", cause))
    }
}

/// HMAC-SHA256 over `timestamp.body`, in hex.
fn signature(secret: &str, seconds: u64, signed: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{seconds}.{signed}").as_bytes());
    let mut hex = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        write!(hex, "{byte:02x}").expect("a string takes all text");
    }
    hex
}

/// The hub says seconds; a date is not understood.
fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get("retry-after")?.to_str().ok()?;
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_in_hex() {
        // Computed by Python's hmac.
        assert_eq!(
            signature("Jefe", 0, "what do ya want for nothing?"),
            "37f471929915ccd2cbbe79feb84ffcff4f2bb25e15fc41c2506687331ae179cc"
        );
    }
}
