//! Ids and codes in paths, and what stands behind the question mark.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use nexus_types::ErrorCode;
use nexus_types::ids::{ChannelId, GuildId, LoginId, MessageId, UserId};

use super::Node;
use super::error::ApiError;

/// The variable segments of a path, in order.
///
/// # Errors
/// 400 `invalid_id` for a segment that is no id.
#[derive(Debug)]
pub(super) struct Path<T>(pub T);

/// One segment.
pub(super) trait Segment: Sized {
    /// # Errors
    /// The code to refuse it with.
    fn read(text: &str) -> Result<Self, ErrorCode>;
}

macro_rules! ids {
    ($($name:ident),*) => {$(
        impl Segment for $name {
            fn read(text: &str) -> Result<Self, ErrorCode> {
                text.parse().map_err(|_| ErrorCode::InvalidId)
            }
        }
    )*};
}
ids!(UserId, LoginId, GuildId, ChannelId, MessageId);

/// The longest text that a path segment is read as.
const TEXT_BYTES_MAX: usize = 64;

impl Segment for String {
    fn read(text: &str) -> Result<Self, ErrorCode> {
        if text.len() <= TEXT_BYTES_MAX {
            Ok(text.to_owned())
        } else {
            Err(ErrorCode::NotFound)
        }
    }
}

/// All segments of a route.
pub(super) trait Segments: Sized {
    /// # Errors
    /// The code to refuse them with.
    fn read<'a>(segments: impl Iterator<Item = &'a str>) -> Result<Self, ErrorCode>;
}

fn next<'a, T: Segment>(segments: &mut impl Iterator<Item = &'a str>) -> Result<T, ErrorCode> {
    T::read(segments.next().unwrap_or_default())
}

impl<T: Segment> Segments for T {
    fn read<'a>(mut segments: impl Iterator<Item = &'a str>) -> Result<Self, ErrorCode> {
        next(&mut segments)
    }
}

impl<A: Segment, B: Segment> Segments for (A, B) {
    fn read<'a>(mut segments: impl Iterator<Item = &'a str>) -> Result<Self, ErrorCode> {
        Ok((next(&mut segments)?, next(&mut segments)?))
    }
}

impl<T: Segments> FromRequestParts<Node> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, node: &Node) -> Result<Self, ApiError> {
        let segments = RawPathParams::from_request_parts(parts, node)
            .await
            .map_err(|_| ErrorCode::InvalidId)?;
        Ok(Self(T::read(segments.iter().map(|(_, segment)| segment))?))
    }
}

/// The query of a request. All parameters we know are numbers, so nothing is decoded.
#[derive(Debug)]
pub(super) struct Query(String);

impl FromRequestParts<Node> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Node) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.query().unwrap_or_default().to_owned()))
    }
}

impl Query {
    fn value(&self, name: &str) -> Result<Option<&str>, ErrorCode> {
        let mut all = self
            .0
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| *key == name);
        match (all.next(), all.next()) {
            (first, None) => Ok(first.map(|(_, value)| value)),
            _ => Err(ErrorCode::InvalidQuery),
        }
    }

    /// An id, if it is there.
    ///
    /// # Errors
    /// `InvalidId`; `InvalidQuery` if it is there twice.
    pub(super) fn id<T: Segment>(&self, name: &str) -> Result<Option<T>, ErrorCode> {
        self.value(name)?.map(T::read).transpose()
    }

    /// A place among ids, if it is there; 0, as Discord's libraries send it, is the beginning.
    ///
    /// # Errors
    /// As [`Query::id`].
    pub(super) fn position<T: Segment + Default>(&self, name: &str) -> Result<Option<T>, ErrorCode> {
        if self.value(name)? == Some("0") {
            Ok(Some(T::default()))
        } else {
            self.id(name)
        }
    }

    /// `limit`, if it is there.
    ///
    /// # Errors
    /// `InvalidLimit` outside of 1 to `max`.
    pub(super) fn limit(&self, default: i64, max: i64) -> Result<i64, ErrorCode> {
        let Some(text) = self.value("limit")? else { return Ok(default) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = text.parse().ok().filter(|limit| digits && (1..=max).contains(limit));
        limit.ok_or(ErrorCode::InvalidLimit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_in_its_range() {
        let limit = |query: &str| Query(query.to_owned()).limit(50, 100);
        assert_eq!((limit(""), limit("limit=1&x=2"), limit("limit=100")), (Ok(50), Ok(1), Ok(100)));
        for bad in [
            "limit=0",
            "limit=101",
            "limit=1000000000",
            "limit=-1",
            "limit=%2B5",
            "limit=",
            "limit=5.0",
            "limit=99999999999999999999",
        ] {
            assert_eq!(limit(bad), Err(ErrorCode::InvalidLimit), "{bad}");
        }
        assert_eq!(limit("limit=1&limit=2"), Err(ErrorCode::InvalidQuery));
    }

    #[test]
    fn ids_are_decimal() {
        assert_eq!(
            <(ChannelId, MessageId) as Segments>::read(["1", "2"].into_iter()),
            Ok((ChannelId(1), MessageId(2)))
        );
        for bad in ["-1", "1e3", "18446744073709551616", "x", ""] {
            assert_eq!(<ChannelId as Segments>::read([bad].into_iter()), Err(ErrorCode::InvalidId), "{bad}");
        }
        assert_eq!(Query("before=7".into()).id::<MessageId>("before"), Ok(Some(MessageId(7))));
    }
}
