//! The transparency contract's routes: registering keys, tree heads, proofs, leaves, the cosigners' keys.
//!
//! Every failure here is `{"detail"}` (see [`super::routes::shape`]). The contract is `docs/protocol/transparency.md`.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use nexus_core::transparency::{Consistency, CosignerHealth, Draft, Growth, Inclusion, Log, Registered};
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
}

impl LogNode {
    /// The log, and how many registrations a second one address may send; `None` for as many as it likes.
    pub fn new(log: Log, registrations_per_second: Option<u32>) -> Self {
        Self(Arc::new(Inner {
            log,
            registrations: AddressLimit::new("log_registrations", registrations_per_second),
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

async fn chain(State(node): State<LogNode>, query: Query) -> Result<Json<Vec<TreeHead>>, ApiError> {
    let limit = query.limit(HEADS_DEFAULT, HEADS_PAGE_MAX as i64)? as usize;
    let before = query.number("before")?;
    Ok(Json(node.0.log.chain(limit, before).await?))
}

async fn leaves(State(node): State<LogNode>, query: Query) -> Result<Json<Vec<LeafBody>>, ApiError> {
    let limit = query.limit(LEAVES_DEFAULT, LEAVES_PAGE_MAX as i64)? as usize;
    let from = query.number("from")?.unwrap_or(0);
    let leaves = node.0.log.leaves(from, limit).await?;
    Ok(Json(leaves.into_iter().map(LeafBody::from).collect()))
}

async fn did(State(node): State<LogNode>, Path(id): Path<Id>) -> Result<Json<LeafBody>, ApiError> {
    Ok(Json(node.0.log.did(id).await?.into()))
}

async fn history(State(node): State<LogNode>, Path(id): Path<Id>) -> Result<Json<Vec<LeafBody>>, ApiError> {
    let leaves = node.0.log.history(id).await?;
    Ok(Json(leaves.into_iter().map(LeafBody::from).collect()))
}

async fn inclusion(State(node): State<LogNode>, query: Query) -> Result<Json<Inclusion>, ApiError> {
    let (leaf_index, tree_size) = (query.required("leaf_index")?, query.required("tree_size")?);
    Ok(Json(node.0.log.inclusion(leaf_index, tree_size).await?))
}

async fn consistency(State(node): State<LogNode>, query: Query) -> Result<Json<Consistency>, ApiError> {
    let (first, second) = (query.required("first")?, query.required("second")?);
    Ok(Json(node.0.log.consistency(first, second).await?))
}

async fn growth(State(node): State<LogNode>, query: Query) -> Result<Json<Vec<Growth>>, ApiError> {
    let hours = query.number("hours")?.unwrap_or(HOURS_DEFAULT).cast_signed();
    if !(1..=GROWTH_HOURS_MAX).contains(&hours) {
        return Err(ErrorCode::InvalidQuery.into());
    }
    Ok(Json(node.0.log.growth(hours).await?))
}

async fn cosigners(State(node): State<LogNode>) -> Json<Vec<CosignerHealth>> {
    Json(node.0.log.cosigners())
}

async fn document(State(node): State<LogNode>) -> Json<KeyDocument> {
    Json(node.0.log.document().clone())
}
