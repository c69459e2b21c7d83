//! Looking at events: pages, lives, dead letters, figures, who listens.

use axum::extract::State;
use axum::response::Response;
use nexus_core::hub::stats::Stats;
use nexus_core::hub::views::{DeadLetter, EventQuery, Life, ListedEvent};
use nexus_core::hub::{Access, TypeInfo, TypeRegistry};
use nexus_types::ErrorCode;
use nexus_types::hub::Pattern;
use nexus_types::ids::{HubEventId, JobId};
use nexus_types::limits::{EVENTS_PAGE_DEFAULT, EVENTS_PAGE_MAX, HUB_MINUTES_KEPT, JOBS_PAGE_MAX, PATTERNS_MAX};
use serde::{Deserialize, Serialize};

use super::access::{Admin, Reader};
use super::{HubNode, accepted};
use crate::http::error::ApiError;
use crate::http::json::{Json, NoContent};
use crate::http::path::{Path, Query};
use crate::streams::StreamInfo;

/// Jobs in a page if nobody says how many.
pub(super) const JOBS_DEFAULT: i64 = 50;
/// Minutes of figures if nobody says how many.
const MINUTES_DEFAULT: i64 = 60;

pub(super) async fn list(Reader(access): Reader, State(node): State<HubNode>, query: Query) -> Result<Json<Vec<ListedEvent>>, ApiError> {
    let lives = query.flag("lives")?;
    if lives && !access.is_admin() {
        return Err(ErrorCode::MissingPermission.into());
    }
    let asked = query.text("event")?;
    let Some(patterns) = wanted(node.0.hub.types(), &access, asked.as_deref())? else {
        return Ok(Json(vec![]));
    };
    let events = EventQuery {
        limit: query.limit(EVENTS_PAGE_DEFAULT, EVENTS_PAGE_MAX)?,
        patterns,
        source: query.text("source")?,
        before: query.number("before")?.map(u64::cast_signed),
        lives,
    };
    Ok(Json(node.0.hub.events(events).await?))
}

/// What of the asked types somebody may read; `None` for nothing, an empty list for everything.
fn wanted(types: &TypeRegistry, access: &Access, asked: Option<&str>) -> Result<Option<Vec<Pattern>>, ErrorCode> {
    let names: Vec<_> = asked.into_iter().flat_map(|text| text.split(',')).map(str::trim).collect();
    if names.len() > PATTERNS_MAX {
        return Err(ErrorCode::InvalidPatterns);
    }
    let known = |name: &&str| types.pattern(name).ok_or(ErrorCode::InvalidEventType);
    let asked = names.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let Access::Source(source) = access else { return Ok(Some(asked)) };
    if asked.is_empty() {
        return Ok(Some(source.patterns.to_vec()).filter(|patterns| !patterns.is_empty()));
    }
    let both = asked
        .iter()
        .flat_map(|one| source.patterns.iter().filter_map(|other| narrower(one, other)));
    let mut patterns: Vec<Pattern> = vec![];
    for pattern in both {
        if !patterns.contains(pattern) {
            patterns.push(pattern.clone());
        }
    }
    Ok(Some(patterns).filter(|patterns| !patterns.is_empty()))
}

/// What both patterns match, which is one of them or nothing.
fn narrower<'a>(one: &'a Pattern, other: &'a Pattern) -> Option<&'a Pattern> {
    let holds = |outer: &Pattern, inner: &Pattern| match (outer, inner) {
        (Pattern::All, _) => true,
        (Pattern::Namespace(_), Pattern::Exact(kind)) => outer.matches(kind),
        (outer, inner) => outer == inner,
    };
    if holds(one, other) {
        Some(other)
    } else {
        holds(other, one).then_some(one)
    }
}

pub(super) async fn types(_: Reader, State(node): State<HubNode>) -> Json<Vec<TypeInfo>> {
    Json(node.0.hub.types().list())
}

pub(super) async fn life(_: Admin, State(node): State<HubNode>, Path(id): Path<HubEventId>) -> Result<Json<Life>, ApiError> {
    Ok(Json(node.0.hub.life(id).await?))
}

/// # Shape
/// `{"reactor": name}`
#[derive(Deserialize)]
pub(super) struct RunBody {
    reactor: String,
}

pub(super) async fn run(
    _: Admin,
    State(node): State<HubNode>,
    Path(id): Path<HubEventId>,
    Json(body): Json<RunBody>,
) -> Result<Response, ApiError> {
    Ok(accepted(&node.0.hub.run_again(id, &body.reactor).await?))
}

pub(super) async fn dead_letters(_: Admin, State(node): State<HubNode>, query: Query) -> Result<Json<Vec<DeadLetter>>, ApiError> {
    let (before, limit) = (query.id("before")?, query.limit(JOBS_DEFAULT, JOBS_PAGE_MAX)?);
    Ok(Json(node.0.hub.dead_letters(before, limit).await?))
}

pub(super) async fn replay(_: Admin, State(node): State<HubNode>, Path(id): Path<JobId>) -> Result<Response, ApiError> {
    Ok(accepted(&node.0.hub.replay(id).await?))
}

pub(super) async fn discard(_: Admin, State(node): State<HubNode>, Path(id): Path<JobId>) -> Result<NoContent, ApiError> {
    node.0.hub.discard(id).await?;
    Ok(NoContent)
}

/// # Shape
/// As [`Stats`], with `"streams"`: how many are open.
#[derive(Serialize)]
pub(super) struct StatsBody {
    #[serde(flatten)]
    stats: Stats,
    streams: usize,
}

pub(super) async fn stats(_: Admin, State(node): State<HubNode>, query: Query) -> Result<Json<StatsBody>, ApiError> {
    let minutes = query.number("minutes")?.map_or(MINUTES_DEFAULT, u64::cast_signed);
    if !(1..=HUB_MINUTES_KEPT).contains(&minutes) {
        return Err(ErrorCode::InvalidQuery.into());
    }
    let stats = node.0.hub.stats(minutes).await?;
    let streams = node.0.streams.count();
    Ok(Json(StatsBody { stats, streams }))
}

pub(super) async fn open_streams(_: Admin, State(node): State<HubNode>) -> Json<Vec<StreamInfo>> {
    Json(node.0.streams.list())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nexus_core::hub::{SecretMark, SourceAccess};

    use super::*;

    fn source(patterns: &[&str]) -> Access {
        let patterns: Arc<[Pattern]> = patterns.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect();
        Access::Source(SourceAccess {
            name: "acme".into(),
            patterns,
            reads: true,
            secret: SecretMark::default(),
        })
    }

    #[test]
    fn a_source_is_shown_what_it_asks_for_and_may_read() {
        let types = TypeRegistry::new(vec![]).expect("the built-in types");
        let narrow = source(&["FLOWPAY:*", "NEXUS:START"]);
        for (access, asked, expected) in [
            (&Access::Admin, None, Some("")),
            (
                &Access::Admin,
                Some("PAYMENT_RECEIVED,MIO:*"),
                Some("FLOWPAY:PAYMENT_RECEIVED MIO:*"),
            ),
            (&narrow, None, Some("FLOWPAY:* NEXUS:START")),
            (&narrow, Some("*"), Some("FLOWPAY:* NEXUS:START")),
            (&narrow, Some("PAYMENT_FAILED, START"), Some("FLOWPAY:PAYMENT_FAILED NEXUS:START")),
            (&narrow, Some("FLOWPAY:*,PAYMENT_FAILED"), Some("FLOWPAY:* FLOWPAY:PAYMENT_FAILED")),
            (&narrow, Some("MIO:*"), None),
            (&source(&["*"]), Some("MIO:*"), Some("MIO:*")),
        ] {
            let patterns = wanted(&types, access, asked).expect("known types");
            let words = patterns.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
            assert_eq!(words.as_deref(), expected, "{asked:?}");
        }
        for unknown in ["", "WHAT:EVER", "START,", "PAYMENT_RECEIVED,WHAT:*"] {
            assert_eq!(
                wanted(&types, &Access::Admin, Some(unknown)),
                Err(ErrorCode::InvalidEventType),
                "{unknown}"
            );
        }
        let many = ["START"; PATTERNS_MAX + 1].join(",");
        assert_eq!(wanted(&types, &Access::Admin, Some(&many)), Err(ErrorCode::InvalidPatterns));
    }
}
