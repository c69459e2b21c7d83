//! Password hashing: Argon2id, bounded in number, never on a thread that serves sockets.
//!
//! A hash takes 19 MiB and about 20 ms of a processor. So only a few run at the same time, a few dozen more may wait, and whoever
//! comes then is told to come back. An unknown user costs the same time as a wrong password.
//!
//! # Source
//! RFC 9106; the parameters are the minimum of the OWASP password storage guide.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use nexus_types::ErrorCode;
use nexus_types::limits::{HASHES_AT_ONCE_MAX, HASHES_WAITING_MAX, SECOND_MS};
use nexus_types::names::Password;
use tokio::sync::Semaphore;

use crate::{Error, Result};

/// What one hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB, at least 8.
    pub memory_kib: u32,
    /// Passes over it, at least 1.
    pub passes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
        }
    }
}

/// What a password turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Another password, or nobody's.
    Wrong,
    /// The right one. If the stored hash was made at another cost, a new one is here.
    Right {
        /// What to store instead.
        rehash: Option<String>,
    },
}

/// Hashes and checks passwords.
pub struct Hasher {
    argon2: Argon2<'static>,
    /// The hash of a password that nobody knows, for users that do not exist.
    dummy: Arc<str>,
    /// Those that run and those that wait.
    places: Arc<Semaphore>,
    /// Those that run.
    turns: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new(Cost::default())
    }
}

impl Hasher {
    /// A hasher at this cost. It takes the time of one hash.
    ///
    /// # Panics
    /// If the cost is below what Argon2 can do.
    pub fn new(cost: Cost) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).expect("the cost is one that Argon2 can have");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the operating system gives random bytes");
        let dummy = argon2.hash_password(&secret).expect("32 bytes can be hashed").to_string().into();
        let places = Arc::new(Semaphore::new(HASHES_AT_ONCE_MAX + HASHES_WAITING_MAX));
        Self {
            argon2,
            dummy,
            places,
            turns: Arc::new(Semaphore::new(HASHES_AT_ONCE_MAX)),
        }
    }

    /// The hash of a password, to be stored.
    ///
    /// # Shape
    /// A PHC string: `$argon2id$v=19$m=19456,t=2,p=1$…`.
    ///
    /// # Errors
    /// [`ErrorCode::Busy`] if too many wait already.
    pub async fn hash(&self, password: Password) -> Result<String> {
        self.run(move |argon2| hash(argon2, &password)).await
    }

    /// Checks a password against a stored hash. Without one it takes the same time and is wrong.
    ///
    /// # Errors
    /// [`ErrorCode::Busy`] if too many wait already.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<Verdict> {
        let dummy = self.dummy.clone();
        self.run(move |argon2| {
            let right = matches(argon2, &password, stored.as_deref().unwrap_or(&dummy))?;
            match stored {
                Some(stored) if right => {
                    let rehash = if is_current(argon2, &stored) {
                        None
                    } else {
                        Some(hash(argon2, &password)?)
                    };
                    Ok(Verdict::Right { rehash })
                }
                _ => Ok(Verdict::Wrong),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Argon2<'static>) -> Result<T> + Send + 'static) -> Result<T> {
        let place = self
            .places
            .clone()
            .try_acquire_owned()
            .map_err(|_| Error::later(ErrorCode::Busy, SECOND_MS))?;
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(|cause| Error::internal("wait for a password hash", cause))?;
        let argon2 = self.argon2.clone();
        // The permits go along, so that a request that was given up still counts while its hash runs.
        let task = tokio::task::spawn_blocking(move || {
            let answer = work(&argon2);
            drop((turn, place));
            answer
        });
        task.await.map_err(|cause| Error::internal("hash a password", cause))?
    }
}

fn hash(argon2: &Argon2<'_>, password: &Password) -> Result<String> {
    let hash = argon2
        .hash_password(password.expose().as_bytes())
        .map_err(|cause| Error::internal("hash a password", cause))?;
    Ok(hash.to_string())
}

/// Is it this password? The stored hash says at which cost it was made.
fn matches(argon2: &Argon2<'_>, password: &Password, stored: &str) -> Result<bool> {
    let parsed = PasswordHash::new(stored).map_err(|cause| Error::internal("read a password hash", cause))?;
    match argon2.verify_password(password.expose().as_bytes(), &parsed) {
        Ok(()) => Ok(true),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(cause) => Err(Error::internal("check a password", cause)),
    }
}

/// Was it made as it would be made now?
fn is_current(argon2: &Argon2<'_>, stored: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(stored) else { return false };
    let Ok(params) = Params::try_from(&parsed) else { return false };
    let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    parsed.algorithm.as_str() == "argon2id" && parsed.version == Some(0x13) && cost(&params) == cost(argon2.params())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

    fn password(text: &str) -> Password {
        Password::parse("password", text).expect("a good password")
    }

    #[tokio::test]
    async fn the_right_password_is_right_and_no_other() {
        let hasher = Hasher::new(CHEAP);
        let hash = hasher.hash(password("correct horse")).await.expect("it hashes");
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert_ne!(
            hash,
            hasher.hash(password("correct horse")).await.expect("it hashes"),
            "the salt is random"
        );
        let verify =
            async |text: &str, stored: Option<&str>| hasher.verify(password(text), stored.map(Into::into)).await.expect("it checks");
        assert_eq!(verify("correct horse", Some(&hash)).await, Verdict::Right { rehash: None });
        assert_eq!(verify("wrong horse", Some(&hash)).await, Verdict::Wrong);
        assert_eq!(verify("correct horse", None).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_made_anew() {
        let old = Hasher::new(CHEAP).hash(password("correct horse")).await.expect("it hashes");
        let hasher = Hasher::new(Cost { memory_kib: 16, passes: 1 });
        let Verdict::Right { rehash: Some(new) } = hasher
            .verify(password("correct horse"), Some(old.clone()))
            .await
            .expect("it checks")
        else {
            panic!("the old hash is good and outdated");
        };
        assert!(new.contains("m=16,"), "{new}");
        assert_eq!(
            hasher.verify(password("correct horse"), Some(new)).await.expect("it checks"),
            Verdict::Right { rehash: None }
        );
        assert_eq!(
            hasher.verify(password("wrong horse"), Some(old)).await.expect("it checks"),
            Verdict::Wrong
        );
    }

    #[tokio::test]
    async fn a_damaged_hash_is_our_fault() {
        let answer = Hasher::new(CHEAP)
            .verify(password("correct horse"), Some("$argon2id$".into()))
            .await;
        assert!(matches!(answer, Err(Error::Internal { .. })));
    }

    #[tokio::test]
    async fn no_more_than_a_bounded_number_wait() {
        let hasher = Arc::new(Hasher::new(CHEAP));
        let held = hasher
            .turns
            .clone()
            .acquire_many_owned(HASHES_AT_ONCE_MAX as u32)
            .await
            .expect("it is open");
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.hash(password("correct horse")).await })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(held);
        let (mut done, mut busy) = (0, 0);
        for task in tasks {
            match task.await.expect("no panic") {
                Ok(_) => done += 1,
                Err(Error::Refused(refusal)) => {
                    assert_eq!((refusal.code, refusal.retry_after_ms), (ErrorCode::Busy, Some(1_000)));
                    busy += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(
            (done, busy),
            (
                HASHES_AT_ONCE_MAX + HASHES_WAITING_MAX,
                200 - HASHES_AT_ONCE_MAX - HASHES_WAITING_MAX
            )
        );
        assert!(hasher.hash(password("correct horse")).await.is_ok(), "every place is free again");
    }
}
