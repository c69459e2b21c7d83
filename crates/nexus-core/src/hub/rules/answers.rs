//! What an answer means for the job: done, later, or never.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::outbound::Answer;

/// The longest that another side may ask to be left alone; after that it is tried anyway.
const RETRY_AFTER_MS_MAX: i64 = 60 * 60 * 1_000;

/// What an answer means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was done.
    Done,
    /// It may work later.
    Retry {
        /// How long the other side asks to be left alone.
        after_ms: Option<i64>,
    },
    /// It never will: the rule lists the status in `http.final`.
    Final,
}

/// What an answer means: 2xx is done, the statuses of the list are final, and everything else may work later. Whoever fixes the other
/// side wants the job done, so nothing is final unless somebody said so.
pub(super) fn judge(answer: &Answer, never_again: &[u16], now_ms: i64) -> Verdict {
    match answer.status {
        200..=299 => Verdict::Done,
        status if never_again.contains(&status) => Verdict::Final,
        429 | 503 => Verdict::Retry {
            after_ms: retry_after_ms(answer, now_ms),
        },
        _ => Verdict::Retry { after_ms: None },
    }
}

/// How long an answer asks to be left alone: its `Retry-After` in seconds or as a date, at most an hour.
///
/// # Source
/// RFC 9110 §10.2.3
pub fn retry_after_ms(answer: &Answer, now_ms: i64) -> Option<i64> {
    let value = answer.header("retry-after")?.trim();
    let wait_ms = if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // More digits than fit are longer than an hour, too.
        value.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(1_000)
    } else {
        let at = OffsetDateTime::parse(value, &Rfc2822).ok()?;
        at.unix_timestamp().saturating_mul(1_000).saturating_sub(now_ms)
    };
    Some(wait_ms.clamp(0, RETRY_AFTER_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        Answer {
            status,
            headers: retry_after
                .map(|value| ("retry-after".to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            body: vec![],
        }
    }

    #[test]
    fn only_success_is_done_and_only_what_the_rule_lists_is_final() {
        for (status, wanted) in [
            (200, Verdict::Done),
            (204, Verdict::Done),
            (299, Verdict::Done),
            (422, Verdict::Final),
            (503, Verdict::Final),
            (304, Verdict::Retry { after_ms: None }),
            (400, Verdict::Retry { after_ms: None }),
            (401, Verdict::Retry { after_ms: None }),
            (408, Verdict::Retry { after_ms: None }),
            (425, Verdict::Retry { after_ms: None }),
            (429, Verdict::Retry { after_ms: None }),
            (500, Verdict::Retry { after_ms: None }),
        ] {
            assert_eq!(judge(&answer(status, None), &[422, 503], 0), wanted, "{status}");
        }
    }

    #[test]
    fn the_other_side_may_ask_for_an_hour_at_most() {
        let now_ms = 784_111_777_000;
        for (status, value, wanted) in [
            (429, "7", Some(7_000)),
            (503, "0", Some(0)),
            (503, "999999999999999999999999", Some(3_600_000)),
            (429, "86400", Some(3_600_000)),
            (429, "Sun, 06 Nov 1994 08:49:47 GMT", Some(10_000)),
            (429, "Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            (429, "Sun, 06 Nov 2094 08:49:00 GMT", Some(3_600_000)),
            (429, "soon", None),
            (429, "-3", None),
            (429, "", None),
            (500, "7", None),
        ] {
            assert_eq!(
                judge(&answer(status, Some(value)), &[], now_ms),
                Verdict::Retry { after_ms: wanted },
                "{status} {value}"
            );
        }
    }
}
