//! Exchanging a refresh token for the next one and an access token.

use nexus_store::sql::logins::Found;
use nexus_store::{Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::ids::LoginId;
use nexus_types::limits::REFRESH_GRACE_MS;
use nexus_types::logins::Granted;
use nexus_types::timestamps::Timestamp;
use nexus_types::users::CurrentUser;
use subtle::ConstantTimeEq;

use super::{Logins, RefreshToken, end_all, mark, used_after};
use crate::{Error, Result};

/// What becomes of a token that belongs to a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is the present one: its successor takes its place.
    Rotate,
    /// It was the present one a moment ago: two tabs, or an answer that was lost. Its successor is answered again.
    Repeat,
    /// It was exchanged before, so two hold tokens of this login, and one of them stole it.
    Reused,
    /// The login ended or was not used for too long.
    Gone,
}

/// The hashes of the token that was shown and of its successor.
#[derive(Clone, Copy)]
struct Shown {
    hash: [u8; 32],
    next_hash: [u8; 32],
}

fn judge(login: &Found, shown: &Shown, now_ms: i64) -> Verdict {
    if login.ended || login.used_at <= used_after(now_ms) {
        return Verdict::Gone;
    }
    let same = |stored: &[u8], hash: &[u8; 32]| bool::from(stored.ct_eq(hash));
    if same(&login.token_hash, &shown.hash) {
        return Verdict::Rotate;
    }
    let was_previous = login.previous_hash.as_ref().is_some_and(|previous| same(previous, &shown.hash));
    if was_previous && same(&login.token_hash, &shown.next_hash) && now_ms - login.used_at.0 < REFRESH_GRACE_MS {
        return Verdict::Repeat;
    }
    Verdict::Reused
}

/// What the job did.
enum Outcome {
    Exchanged(CurrentUser, LoginId),
    Ended(Vec<LoginId>),
}

impl Logins<'_> {
    /// Exchanges a refresh token. A login that is used goes on; one that is not used for 30 days has expired.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRefreshToken`] if it belongs to no login or the login is over; [`ErrorCode::TokenReused`] if it was
    /// exchanged more than 15 s ago or more than once since, which ends the login.
    pub async fn refresh(&self, token: &str) -> Result<Granted> {
        let app = self.0;
        let token = RefreshToken::parse(token).ok_or(ErrorCode::InvalidRefreshToken)?;
        let next = token.successor(&app.keys);
        let family = token.family_hash();
        let shown = Shown {
            hash: token.hash(),
            next_hash: next.hash(),
        };
        let now_ms = app.clock.now_ms();
        // The end of a reused login must be kept, so that it is an outcome and not an error, which would take it back.
        let job = async move |tx: &mut Tx<'_>| {
            let gone = || Error::refused(ErrorCode::InvalidRefreshToken);
            let login = sql::logins::by_family(tx, &family).await?.ok_or_else(gone)?;
            match judge(&login, &shown, now_ms) {
                Verdict::Gone => return Err(gone()),
                Verdict::Reused => return Ok(Outcome::Ended(end_all(tx, login.user, &[login.id], now_ms).await?)),
                Verdict::Repeat => {}
                Verdict::Rotate => {
                    if !sql::logins::rotate(tx, login.id, &shown.next_hash, Timestamp(now_ms)).await? {
                        return Err(gone());
                    }
                }
            }
            let user = sql::users::current(tx, login.user).await?.ok_or_else(gone)?;
            Ok(Outcome::Exchanged(user, login.id))
        };
        match app.db.write(job).await? {
            Outcome::Exchanged(user, login) => self.grant(user, login, &next),
            Outcome::Ended(ended) => {
                mark(app, &ended);
                Err(ErrorCode::TokenReused.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nexus_types::ids::UserId;
    use nexus_types::limits::REFRESH_TOKEN_MS;

    use super::*;

    #[test]
    fn a_token_is_judged_by_its_place_and_age() {
        // The login went through the tokens 1, 2, 3; 3 is the present one. The successor of token n is n + 1.
        let used_ms = 10 * REFRESH_TOKEN_MS;
        let login = |ended| Found {
            id: LoginId(1),
            user: UserId(1),
            token_hash: vec![3; 32],
            previous_hash: Some(vec![2; 32]),
            used_at: Timestamp(used_ms),
            ended,
        };
        let shown = |number: u8| Shown {
            hash: [number; 32],
            next_hash: [number + 1; 32],
        };
        let cases = [
            (3, 0, Verdict::Rotate),
            (3, REFRESH_TOKEN_MS - 1, Verdict::Rotate),
            (3, REFRESH_TOKEN_MS, Verdict::Gone),
            (2, 0, Verdict::Repeat),
            (2, -5_000, Verdict::Repeat),
            (2, REFRESH_GRACE_MS - 1, Verdict::Repeat),
            (2, REFRESH_GRACE_MS, Verdict::Reused),
            (2, REFRESH_TOKEN_MS, Verdict::Gone),
            (1, 0, Verdict::Reused),
            (9, 0, Verdict::Reused),
        ];
        for (number, after_ms, expected) in cases {
            assert_eq!(
                judge(&login(false), &shown(number), used_ms + after_ms),
                expected,
                "token {number} after {after_ms} ms"
            );
            assert_eq!(
                judge(&login(true), &shown(number), used_ms + after_ms),
                Verdict::Gone,
                "ended, token {number}"
            );
        }
    }
}
