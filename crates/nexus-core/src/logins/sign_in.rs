//! Signing in.

use nexus_store::{StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::ids::UserId;
use nexus_types::limits::PASSWORD_CHARS_MIN;
use nexus_types::logins::{Granted, SignIn};
use nexus_types::names::{Password, Username};

use super::{Logins, Start, begin, mark};
use crate::passwords::Verdict;
use crate::{Error, Result};

/// How often a sign-in looks again at a password hash that was replaced while it checked the old one.
const ATTEMPTS_MAX: usize = 2;

impl Logins<'_> {
    /// Begins a login of an account.
    ///
    /// # Errors
    /// [`ErrorCode::BadCredentials`] if the name or the password is wrong; which one is not said, nor does the time tell.
    /// [`ErrorCode::Busy`] if too many passwords are being hashed. A field error for a password that is too long to be one.
    pub async fn sign_in(&self, sign_in: SignIn, client: &str) -> Result<Granted> {
        let app = self.0;
        let Credentials { folded, password } = parse(&sign_in)?;
        for _ in 0..ATTEMPTS_MAX {
            let known = self.find(&folded).await?;
            let (user, stored) = known.map_or((None, None), |(user, hash)| (Some(user), Some(hash)));
            let verdict = app.hasher.verify(password.clone(), stored.clone()).await?;
            let (Some(user), Some(checked), Verdict::Right { rehash }) = (user, stored, verdict) else {
                break;
            };

            let start = Start::new(app, client);
            let job = async move |tx: &mut Tx<'_>| {
                // It may have been changed while we were checking it.
                let is_same = match &rehash {
                    Some(hash) => sql::users::set_password_hash(tx, user, &checked, hash).await?,
                    None => sql::users::password_hash(tx, user).await?.as_ref() == Some(&checked),
                };
                if !is_same {
                    return Ok(None);
                }
                let ended = begin(tx, user, &start).await?;
                let account = sql::users::current(tx, user)
                    .await?
                    .ok_or_else(|| Error::refused(ErrorCode::BadCredentials))?;
                Ok(Some((account, start, ended)))
            };
            if let Some((account, start, ended)) = app.db.write::<_, Error, _>(job).await? {
                mark(app, &ended);
                return self.grant(account, start.login, &start.token);
            }
        }
        Err(ErrorCode::BadCredentials.into())
    }

    /// The account of a name, and its password hash.
    async fn find(&self, folded: &str) -> Result<Option<(UserId, String)>> {
        let folded = folded.to_owned();
        Ok(self
            .0
            .db
            .read::<_, StoreError, _>(async move |tx: &mut Tx<'_>| sql::users::by_folded_name(tx, &folded).await)
            .await?)
    }
}

struct Credentials {
    /// Empty, and so nobody's, if it can't be a name.
    folded: String,
    password: Password,
}

/// A name or a password that nobody can have is simply wrong, and as slow as any other. Only one that is too long is refused
/// before it is hashed.
fn parse(sign_in: &SignIn) -> Result<Credentials> {
    let folded = Username::parse(&sign_in.username).map_or_else(|_| String::new(), |name| name.folded());
    match Password::parse("password", &sign_in.password) {
        Ok(password) => Ok(Credentials { folded, password }),
        Err(_) if sign_in.password.chars().take(PASSWORD_CHARS_MIN).count() < PASSWORD_CHARS_MIN => {
            let password = Password::parse("password", &"-".repeat(PASSWORD_CHARS_MIN)).expect("it has the right length");
            Ok(Credentials {
                folded: String::new(),
                password,
            })
        }
        Err(fields) => Err(fields.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_an_account_is_nobodys() {
        let check = |username: &str, password: &str| {
            let sign_in = SignIn {
                username: username.into(),
                password: password.into(),
            };
            parse(&sign_in).map(|credentials| credentials.folded)
        };
        assert_eq!(check("Alice", "correct horse").expect("good"), nexus_types::names::fold("alice"));
        assert_eq!(check("Alice", "short").expect("checked all the same"), "");
        assert_eq!(check("al ice", "correct horse").expect("checked all the same"), "");
        assert_eq!(
            check("alice", &"x".repeat(1 << 20)).expect_err("too long").code(),
            Some(ErrorCode::InvalidBody)
        );
        assert_eq!(
            check("alice", &"x".repeat(129)).expect_err("too long").code(),
            Some(ErrorCode::InvalidBody)
        );
    }
}
