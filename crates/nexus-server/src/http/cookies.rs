//! The one cookie: the web client's refresh token, where no script can read it and no other site can use it.
//!
//! # Invariant
//! A token out of the cookie is used only for a request that our own page made: it carries `X-Nexus-Client`, which another site
//! can't send without a permission that we never give, and the `Origin` of our page.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::{COOKIE, SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use nexus_types::ErrorCode;
use nexus_types::limits::{REFRESH_TOKEN_MS, SECOND_MS};
use nexus_types::logins::Granted;

use super::Node;
use super::caller::bot;
use super::error::ApiError;
use super::json;
use super::origins::{Origins, Verdict};

const NAME: &str = "__Host-nexus_refresh";
const CLIENT: &str = "x-nexus-client";

/// The program that signs in: what it calls itself, and where it wants its refresh token. A bot has nothing to sign in to.
#[derive(Debug)]
pub(super) struct Client {
    /// Its User-Agent.
    pub(super) name: String,
    /// The web client keeps its refresh token in a cookie.
    web: bool,
}

impl FromRequestParts<Node> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Node) -> Result<Self, ApiError> {
        if bot(&parts.headers).is_some() {
            return Err(ErrorCode::BotsNotAllowed.into());
        }
        let text = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
                .unwrap_or_default()
        };
        let web = parts.headers.get(CLIENT).is_some_and(|value| value == "web");
        Ok(Self {
            name: text(USER_AGENT).to_owned(),
            web,
        })
    }
}

impl Client {
    /// Hands out what a login got: the refresh token in the body, or as cookie and not in the body.
    pub(super) fn grant(&self, status: StatusCode, mut granted: Granted) -> Response {
        let token = if self.web { granted.refresh_token.take() } else { None };
        let mut response = json::write(status, &granted);
        if let Some(token) = token {
            response.headers_mut().insert(SET_COOKIE, set(&token, REFRESH_TOKEN_MS / SECOND_MS));
        }
        response
    }

    /// 204, and the cookie is gone.
    pub(super) fn forget(&self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if self.web {
            response.headers_mut().insert(SET_COOKIE, set("", 0));
        }
        response
    }
}

fn set(token: &str, max_age_s: i64) -> HeaderValue {
    let text = format!("{NAME}={token}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={max_age_s}");
    HeaderValue::try_from(text).expect("a refresh token is URL-safe base64")
}

/// The refresh token in the cookie, if there is one.
///
/// # Errors
/// `CsrfFailed` if there is one and the request is not our own page's.
#[derive(Debug)]
pub(super) struct Cookie(pub(super) Option<String>);

impl FromRequestParts<Node> for Cookie {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, node: &Node) -> Result<Self, ApiError> {
        Ok(Self(token(&parts.headers, &node.origins)?))
    }
}

fn token(headers: &HeaderMap, origins: &Origins) -> Result<Option<String>, ErrorCode> {
    let Some(token) = find(headers) else { return Ok(None) };
    if headers.contains_key(CLIENT) && origins.judge(headers) == Verdict::Own {
        Ok(Some(token.to_owned()))
    } else {
        Err(ErrorCode::CsrfFailed)
    }
}

fn find(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == NAME)
        .map(|(_, token)| token)
        .filter(|token| !token.is_empty())
}

/// Does the request carry the cookie?
pub(super) fn is_sent(headers: &HeaderMap) -> bool {
    find(headers).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)]) -> Result<Option<String>, ErrorCode> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header"));
        }
        token(&map, &Origins::new(None, vec![], true))
    }

    #[test]
    fn a_cookie_counts_only_from_our_own_page() {
        let host = ("host", "localhost:8080");
        let cookie = ("cookie", "theme=dark; __Host-nexus_refresh=t0ken; x=y");
        let (own, client) = (("origin", "http://localhost:8080"), ("x-nexus-client", "web"));
        assert_eq!(check(&[host, own, client]), Ok(None));
        assert_eq!(check(&[host, own, client, cookie]), Ok(Some("t0ken".into())));
        for bad in [
            &[host, own, cookie] as &[_],
            &[host, client, cookie],
            &[host, client, cookie, ("origin", "null")],
            &[host, client, cookie, ("origin", "https://evil.example")],
            &[host, client, cookie, own, ("origin", "https://evil.example")],
        ] {
            assert_eq!(check(bad), Err(ErrorCode::CsrfFailed), "{bad:?}");
        }
    }

    #[test]
    fn the_cookie_is_for_this_host_and_no_script() {
        let value = set("t0ken", 2_592_000);
        assert_eq!(
            value,
            "__Host-nexus_refresh=t0ken; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=2592000"
        );
    }
}
