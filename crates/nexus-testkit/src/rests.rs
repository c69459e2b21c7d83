//! The REST side of a client: plain JSON over HTTP, with sends that are repeated by nonce until the outcome is known.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

/// How long one try may take.
const TRY: Duration = Duration::from_secs(10);
/// Pause before the next try.
const PAUSE: Duration = Duration::from_millis(20);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: http::HeaderMap,
    /// The body, or null.
    pub body: Value,
}

/// Somebody who makes requests.
#[derive(Debug, Clone)]
pub struct Rest {
    /// Where the server is.
    pub address: SocketAddr,
    /// The access token.
    pub token: Option<String>,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Rest {
    /// Somebody without a token.
    pub fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            address,
            token: None,
            http: Client::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// The same connections with a token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// Makes an account, and answers as it.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn register(&self, username: &str) -> Self {
        let body = json!({"username": username, "password": crate::worlds::PASSWORD});
        loop {
            let answer = self
                .post("/auth/register", &body)
                .await
                .unwrap_or_else(|error| panic!("{username} registers: {error}"));
            match answer.status {
                201 => return self.with_token(answer.body["access_token"].as_str().expect("there is a token")),
                // Only so many passwords are hashed at once.
                429 => sleep(PAUSE).await,
                status => panic!("{username} registers: {status} {}", answer.body),
            }
        }
    }

    /// One try of a request below `/api/v1`.
    ///
    /// # Errors
    /// In words: what the network or the clock did.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let path = if path.starts_with("//") {
            path[1..].to_owned()
        } else {
            format!("/api/v1{path}")
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request.body(Full::new(bytes)).map_err(|error| error.to_string())?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| format!("{error:?}"))?;
            let (head, body) = response.into_parts();
            let bytes = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
            let body = if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).unwrap_or(Value::Null)
            };
            Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            })
        };
        tokio::time::timeout(TRY, exchange)
            .await
            .map_err(|_| "it took too long".to_owned())?
    }

    /// GET.
    ///
    /// # Errors
    /// As [`Rest::request`].
    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        self.request("GET", path, None).await
    }

    /// POST.
    ///
    /// # Errors
    /// As [`Rest::request`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.request("POST", path, Some(body)).await
    }

    /// A request that must succeed, for setting a scene.
    ///
    /// # Panics
    /// If it does not.
    pub async fn must(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self
            .request(method, path, body)
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        answer.body
    }

    /// Sends a message once.
    ///
    /// # Errors
    /// As [`Rest::request`].
    pub async fn send(&self, channel: i64, content: &str, nonce: &str) -> Result<Answer, String> {
        self.post(
            &format!("/channels/{channel}/messages"),
            &json!({"content": content, "nonce": nonce}),
        )
        .await
    }

    /// Sends a message and repeats it by its nonce until it is accepted or refused. `None` if that took longer than `at_most`: then
    /// nobody knows.
    pub async fn send_surely(&self, channel: i64, content: &str, nonce: &str, at_most: Duration) -> Option<Answer> {
        let deadline = Instant::now() + at_most;
        loop {
            match timeout_at(deadline, self.send(channel, content, nonce)).await.ok()? {
                Ok(answer) if answer.status < 500 && answer.status != 429 => return Some(answer),
                Ok(_) | Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// A channel's whole history, oldest first.
    ///
    /// # Panics
    /// If it can't be read.
    pub async fn history(&self, channel: i64) -> Vec<Value> {
        let mut all = Vec::new();
        let mut after = "1".to_owned();
        loop {
            let page = self
                .must("GET", &format!("/channels/{channel}/messages?limit=100&after={after}"), None)
                .await;
            let page = page.as_array().expect("a page is a list").clone();
            let Some(newest) = page.first() else { return all };
            newest["id"].as_str().expect("an id").clone_into(&mut after);
            all.extend(page.into_iter().rev());
        }
    }
}
