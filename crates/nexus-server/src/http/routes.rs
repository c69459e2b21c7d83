//! Paths: one spelling for the router, a template for the log, and the shape that errors have there.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{MatchedPath, Request};
use http::Uri;
use http::uri::PathAndQuery;
use tower::{Layer, Service};

use super::Exchange;

/// The prefix that Discord's libraries use, and the one that routes are known by.
const DISCORD: &str = "/api/v10/";
const OURS: &str = "/api/v1/";

/// The path as the router knows it, if it differs: no doubled or trailing slash, one version of the prefix.
pub(super) fn normal(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let untidy = path.contains("//") || (path.len() > 1 && path.ends_with('/'));
    if !untidy && !path.starts_with(DISCORD) {
        return None;
    }
    let mut tidy = String::with_capacity(path.len() + 1);
    for part in path.split('/').filter(|part| !part.is_empty()) {
        tidy.push('/');
        tidy.push_str(part);
    }
    if let Some(rest) = tidy.strip_prefix(DISCORD) {
        tidy = format!("{OURS}{rest}");
    }
    if tidy.is_empty() {
        tidy.push('/');
    }
    if let Some(query) = uri.query() {
        tidy.push('?');
        tidy.push_str(query);
    }
    let path = PathAndQuery::try_from(tidy).ok()?;
    Some(Uri::from(path))
}

/// How an error looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As Discord writes them: `{"code", "message", …}`.
    Discord,
    /// As the transparency contract has them: `{"detail"}`.
    Detail,
    /// As the event hub's contract has them: `{"error", "message", "field"?}`.
    Hub,
}

/// First words of the transparency contract's routes.
const DETAILED: &[&str] = &["did", "sth", "ws", ".well-known", "metrics"];

/// The shape of errors on a path.
pub(super) fn shape(path: &str) -> Shape {
    let first = path.split('/').find(|part| !part.is_empty()).unwrap_or_default();
    match first {
        "events" => Shape::Hub,
        _ if DETAILED.contains(&first) => Shape::Detail,
        _ => Shape::Discord,
    }
}

/// Notes which route a request met. It is no layer that boxes: it looks and passes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note;

impl<S> Layer<S> for Note {
    type Service = Noted<S>;
    fn layer(&self, inner: S) -> Noted<S> {
        Noted(inner)
    }
}

/// See [`Note`].
#[derive(Debug, Clone)]
pub(super) struct Noted<S>(S);

impl<S: Service<Request>> Service<Request> for Noted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        let extensions = request.extensions();
        if let (Some(path), Some(exchange)) = (extensions.get::<MatchedPath>(), extensions.get::<Arc<Exchange>>()) {
            exchange.route.get_or_init(|| path.clone());
        }
        self.0.call(request)
    }
}

/// Every fixed word in our routes. Anything else in a path is somebody's data.
const WORDS: &[&str] = &[
    "ack",
    "api",
    "assets",
    "auth",
    "chain",
    "channels",
    "consistency",
    "cosigners",
    "dead-letters",
    "deliveries",
    "did",
    "dry-run",
    "events",
    "frames",
    "gateway",
    "growth",
    "guilds",
    "health",
    "history",
    "hub",
    "inclusion",
    "instance",
    "invites",
    "key-transparency",
    "latest",
    "leaves",
    "livez",
    "login",
    "logins",
    "logout",
    "@me",
    "members",
    "messages",
    "metrics",
    "pause",
    "proof",
    "reactors",
    "readyz",
    "refresh",
    "register",
    "replay",
    "resume",
    "roles",
    "rotate",
    "run",
    "setup",
    "sources",
    "stats",
    "sth",
    "stream",
    "streams",
    "test",
    "tickets",
    "types",
    "typing",
    "users",
    "v1",
    "v10",
    "webhooks",
    ".well-known",
    "ws",
];

/// The path without anything that a person or a guesser put into it.
pub(super) fn template(path: &str) -> String {
    let mut template = String::with_capacity(path.len().min(256));
    for part in path.split('/').filter(|part| !part.is_empty()).take(12) {
        template.push('/');
        template.push_str(match part {
            word if WORDS.contains(&word) => word,
            id if id.bytes().all(|byte| byte.is_ascii_digit()) => "{id}",
            _ => "{}",
        });
    }
    if template.is_empty() { "/".to_owned() } else { template }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (path, expected) in [
            ("/api/v1/guilds", None),
            ("/", None),
            ("/api/v1/guilds/", Some("/api/v1/guilds")),
            ("//api///v1/guilds//7?limit=1", Some("/api/v1/guilds/7?limit=1")),
            ("/api/v10/users/@me", Some("/api/v1/users/@me")),
            ("/api//v10/gateway/", Some("/api/v1/gateway")),
            ("//?v=10", Some("/?v=10")),
        ] {
            let uri = Uri::builder().path_and_query(path).build().expect("a path");
            assert_eq!(normal(&uri).map(|uri| uri.to_string()).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn errors_look_as_their_contract_says() {
        for path in [
            "/did/register",
            "//sth//latest",
            "/ws/x",
            "/.well-known/key-transparency",
            "/metrics",
        ] {
            assert_eq!(shape(path), Shape::Detail, "{path}");
        }
        for path in ["/events", "/events/", "//events/dead-letters/7/replay"] {
            assert_eq!(shape(path), Shape::Hub, "{path}");
        }
        for path in ["/", "/api/v1/did", "/health", "/didactic", "/hub"] {
            assert_eq!(shape(path), Shape::Discord, "{path}");
        }
    }

    #[test]
    fn a_template_tells_nothing_of_people() {
        assert_eq!(template("/api/v1/channels/42/messages"), "/api/v1/channels/{id}/messages");
        assert_eq!(template("/api/v1/invites/s3cret"), "/api/v1/invites/{}");
        assert_eq!(template("/alice@example.org"), "/{}");
        assert_eq!(template("/did/did:nexus:alice/history"), "/did/{}/history");
        assert_eq!(template("/.well-known/key-transparency"), "/.well-known/key-transparency");
        assert_eq!(template("/events/sources/acme-ltd/rotate"), "/events/sources/{}/rotate");
        assert_eq!(template("/events/reactors/webhook%2F7/pause"), "/events/reactors/{}/pause");
        assert_eq!(template("//"), "/");
    }
}
