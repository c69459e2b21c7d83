//! The transparency contract's routes: registering keys, tree heads, proofs, leaves, the cosigners' keys.
//!
//! Every failure here is `{"detail"}` (see [`super::routes::shape`]). The contract is `docs/protocol/transparency.md`.
//!
//! Anybody may read whole pages, and publishing reads from the same database: so only a few pages are read at once ([`Pages`]). What
//! costs little (the latest head, a proof, one id) never waits for them.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use nexus_core::transparency::{Consistency, CosignerHealth, Draft, Inclusion, Log, Registered};
use nexus_crypto::logs::KeyDocument;
use nexus_crypto::registrations::{Id, Registration};
use nexus_crypto::tree_heads::TreeHead;
use nexus_store::transparency::Leaf;
use nexus_types::ErrorCode;
use nexus_types::limits::{GROWTH_HOURS_MAX, HEADS_PAGE_MAX, LEAVES_PAGE_MAX, REGISTRATION_BYTES_MAX};
use serde::Serialize;

use super::Exchange;
use super::error::ApiError;
use super::json::{self, Json};
use super::limits::AddressLimit;
use super::pages::Pages;
use super::path::{Path, Query, Segment};
use crate::metrics;

/// Heads in a page if nobody says how many.
const HEADS_DEFAULT: i64 = 10;
/// Leaves in a page if nobody says how many.
const LEAVES_DEFAULT: i64 = 100;
/// Hours of growth if nobody says how many: a week.
const HOURS_DEFAULT: u64 = 168;

/// Everything a request about the key log may need of this process. Clones are the same node.
#[derive(Clone)]
pub struct LogNode(Arc<Inner>);

struct Inner {
    log: Log,
    registrations: AddressLimit,
    pages: Pages,
}

impl LogNode {
    /// The log, how many registrations a second one address may send (`None` for as many as it likes), and how pages take turns.
    pub fn new(log: Log, registrations_per_second: Option<u32>, pages: Pages) -> Self {
        Self(Arc::new(Inner {
            log,
            registrations: AddressLimit::new("log_registrations", registrations_per_second),
            pages,
        }))
    }
}

/// Makes the list and the router out of one table, so that a document which has the list has the routes.
macro_rules! routes {
    ($($method:ident $path:literal => $handler:ident,)*) => {
        /// Every route of the key log: the method in small letters, and the path. `docs/OPENAPI.yml` has the same.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        pub(super) fn routes() -> Router<LogNode> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

routes! {
    post "/did/register" => register,
    get "/did/leaves" => leaves,
    get "/did/{id}" => did,
    get "/did/{id}/history" => history,
    get "/sth/latest" => latest,
    get "/sth/chain" => chain,
    get "/sth/growth" => growth,
    get "/sth/cosigners" => cosigners,
    get "/sth/proof/inclusion" => inclusion,
    get "/sth/proof/consistency" => consistency,
    get "/.well-known/key-transparency" => document,
}

/// # Shape
/// `{"message", "tree_size", "leaf_index", "sth"}`
#[derive(Serialize)]
struct RegisteredBody {
    message: &'static str,
    #[serde(flatten)]
    registered: Registered,
}

/// # Shape
/// `{"leaf_index", "id", "public_key", "timestamp", "rotation"?}`
#[derive(Serialize)]
struct LeafBody {
    leaf_index: u64,
    #[serde(flatten)]
    registration: Registration,
}

impl From<Leaf> for LeafBody {
    fn from(leaf: Leaf) -> Self {
        Self {
            leaf_index: leaf.index,
            registration: leaf.registration,
        }
    }
}

fn bodies(leaves: Vec<Leaf>) -> Vec<LeafBody> {
    leaves.into_iter().map(LeafBody::from).collect()
}

/// An id that nobody can have registered is an id that nobody registered.
impl Segment for Id {
    const UNREADABLE: ErrorCode = ErrorCode::UnknownDid;

    fn read(text: &str) -> Result<Self, ErrorCode> {
        Self::parse(text).map_err(|_| ErrorCode::UnknownDid)
    }
}

/// Registers a key. The body's content type does not matter: the contract names none.
async fn register(
    State(node): State<LogNode>,
    Extension(exchange): Extension<Arc<Exchange>>,
    request: Request,
) -> Result<Response, ApiError> {
    let began = Instant::now();
    let result = try_register(&node, &exchange, request).await;
    let outcome = match &result {
        Ok(registered) if registered.new => "new",
        Ok(_) => "existing",
        Err(error) => match error.code() {
            Some(ErrorCode::RateLimited) => "limited",
            Some(ErrorCode::NotPublished) => "unavailable",
            Some(_) => "refused",
            None => "failed",
        },
    };
    metrics::registered(outcome, began.elapsed());
    let registered = result?;
    let (status, message) = if registered.new {
        (StatusCode::CREATED, "registered")
    } else {
        (StatusCode::OK, "already registered")
    };
    Ok(json::write(status, &RegisteredBody { message, registered }).into_response())
}

async fn try_register(node: &LogNode, exchange: &Exchange, request: Request) -> Result<Registered, ApiError> {
    node.0.registrations.take(exchange)?;
    let body = json::read(request.into_body(), REGISTRATION_BYTES_MAX).await?;
    let draft: Draft = json::parse(&body)?;
    Ok(node.0.log.register(draft).await?)
}

async fn latest(State(node): State<LogNode>) -> Result<Json<Arc<TreeHead>>, ApiError> {
    Ok(Json(node.0.log.latest().ok_or(ErrorCode::NoTreeHead)?))
}

async fn chain(State(node): State<LogNode>, query: Query) -> Result<Response, ApiError> {
    let limit = query.limit(HEADS_DEFAULT, HEADS_PAGE_MAX as i64)? as usize;
    let before = query.number("before")?;
    let read = async { Ok(node.0.log.chain(limit, before).await?) };
    node.0.pages.answer(read).await
}

async fn leaves(State(node): State<LogNode>, query: Query) -> Result<Response, ApiError> {
    let limit = query.limit(LEAVES_DEFAULT, LEAVES_PAGE_MAX as i64)? as usize;
    let from = query.number("from")?.unwrap_or(0);
    let read = async { Ok(bodies(node.0.log.leaves(from, limit).await?)) };
    node.0.pages.answer(read).await
}

async fn did(State(node): State<LogNode>, Path(id): Path<Id>) -> Result<Json<LeafBody>, ApiError> {
    Ok(Json(node.0.log.did(id).await?.into()))
}

async fn history(State(node): State<LogNode>, Path(id): Path<Id>) -> Result<Response, ApiError> {
    let read = async { Ok(bodies(node.0.log.history(id).await?)) };
    node.0.pages.answer(read).await
}

async fn inclusion(State(node): State<LogNode>, query: Query) -> Result<Json<Inclusion>, ApiError> {
    let (leaf_index, tree_size) = (query.required("leaf_index")?, query.required("tree_size")?);
    Ok(Json(node.0.log.inclusion(leaf_index, tree_size).await?))
}

async fn consistency(State(node): State<LogNode>, query: Query) -> Result<Json<Consistency>, ApiError> {
    let (first, second) = (query.required("first")?, query.required("second")?);
    Ok(Json(node.0.log.consistency(first, second).await?))
}

async fn growth(State(node): State<LogNode>, query: Query) -> Result<Response, ApiError> {
    let hours = query.number("hours")?.unwrap_or(HOURS_DEFAULT).cast_signed();
    if !(1..=GROWTH_HOURS_MAX).contains(&hours) {
        return Err(ErrorCode::InvalidQuery.into());
    }
    let read = async { Ok(node.0.log.growth(hours).await?) };
    node.0.pages.answer(read).await
}

async fn cosigners(State(node): State<LogNode>) -> Json<Vec<CosignerHealth>> {
    Json(node.0.log.cosigners())
}

async fn document(State(node): State<LogNode>) -> Json<KeyDocument> {
    Json(node.0.log.document().clone())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use http_body_util::BodyExt as _;
    use nexus_core::Clock;
    use nexus_core::transparency::{LocalCosigner, LogPorts, Seat};
    use nexus_crypto::keys::SigningKey;
    use nexus_crypto::logs::LogId;
    use nexus_store::transparency::{JsonlOptions, LogStore};
    use serde_json::{Value, json};
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::limits::QuotaCell;
    use crate::http::routes::Shape;

    const LOG: LogId = LogId([7; 32]);
    const MOMENT: Duration = Duration::from_millis(50);
    const PAGES: [&str; 4] = ["/sth/chain", "/did/leaves", "/did/u0/history", "/sth/growth"];
    const OTHERS: [&str; 6] = [
        "/sth/latest",
        "/did/u1",
        "/sth/proof/inclusion?leaf_index=1&tree_size=2",
        "/sth/proof/consistency?first=1&second=2",
        "/sth/cosigners",
        "/.well-known/key-transparency",
    ];

    fn key(number: u8) -> SigningKey {
        SigningKey::from_seed(&[number; 32])
    }

    async fn node(folder: &std::path::Path, pages: Pages) -> LogNode {
        let clock = Clock::system(0, 0);
        let store = LogStore::jsonl(&folder.join("log"), JsonlOptions::default()).expect("good files");
        store.begin(LOG).await.expect("it begins");
        let seat = |number: u8| {
            let path = folder.join(format!("cosigner_{number}.db"));
            let cosigner = LocalCosigner::open(&path, key(number + 1), LOG, clock.clone()).expect("a good record");
            Seat {
                name: format!("cosigner_{number}"),
                public_key: cosigner.public_key(),
                operator: "this server".into(),
                url: None,
                cosigner: Arc::new(cosigner),
            }
        };
        let ports = LogPorts {
            store,
            seats: (0..3).map(seat).collect(),
            clock,
            log_key: Arc::new(key(9)),
        };
        LogNode::new(Log::start(ports).await.expect("it starts"), None, pages)
    }

    /// The answer as the door would write it.
    async fn ask(node: &LogNode, method: &str, path: &str, body: Value) -> (Response, Value) {
        let exchange = Arc::new(Exchange {
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            asked: path.parse().expect("a path"),
            quota: QuotaCell::default(),
            route: std::sync::OnceLock::new(),
        });
        let request = http::Request::builder().method(method).uri(path).extension(exchange);
        let request = request.body(axum::body::Body::from(body.to_string())).expect("a request");
        let mut response = routes().with_state(node.clone()).oneshot(request).await.expect("it never fails");
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            error.render(&mut response, "r1", Shape::Detail);
        }
        let bytes = response.body_mut().collect().await.expect("it is whole").to_bytes();
        (response, serde_json::from_slice(&bytes).expect("it is JSON"))
    }

    async fn get_all(node: &LogNode, paths: &[&str]) {
        for path in paths {
            assert_eq!(ask(node, "GET", path, Value::Null).await.0.status(), StatusCode::OK, "{path}");
        }
    }

    #[tokio::test]
    async fn pages_take_turns_and_nothing_else_waits_for_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let node = node(folder.path(), Pages::new(1, MOMENT)).await;
        let draft = |number: u8| {
            let key = STANDARD.encode(key(100 + number).public().as_bytes());
            json!({ "id": format!("u{number}"), "public_key": key, "timestamp": crate::transparency::now_s() })
        };
        assert_eq!(ask(&node, "POST", "/did/register", draft(0)).await.0.status(), StatusCode::CREATED);
        get_all(&node, &PAGES).await;

        let held = node.0.pages.hold().await;
        for path in PAGES {
            let began = Instant::now();
            let (answer, body) = ask(&node, "GET", path, Value::Null).await;
            assert!(began.elapsed() >= MOMENT, "{path} waits first");
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
            let seconds = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
            assert!(
                seconds.is_some_and(|text| text.parse::<u32>().is_ok_and(|seconds| seconds > 0)),
                "{path}"
            );
            assert!(
                body["detail"].is_string() && body.as_object().map(serde_json::Map::len) == Some(1),
                "{body}"
            );
        }
        assert_eq!(ask(&node, "POST", "/did/register", draft(1)).await.0.status(), StatusCode::CREATED);
        get_all(&node, &OTHERS).await;
        drop(held);
        get_all(&node, &PAGES).await;
    }
}
