//! Sources: who may send events. Each has a secret, sealed at rest, with which it signs what it sends.
//!
//! # Shape
//! `X-Nexus-Signature` is the HMAC-SHA256 of the raw body in hexadecimal digits; with `X-Nexus-Timestamp` (seconds since 1970) of
//! `timestamp.body`. A request without a body signs `timestamp.METHOD path?query`.
//!
//! # Source
//! The signature: RFC 2104 and FIPS 180-4.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use nexus_store::sql::hub::Rotation;
use nexus_store::sql::hub::sources as rows;
use nexus_store::sql::hub::sources::{Rights, StoredSource};
use nexus_store::{Db, StoreError, Tx};
use nexus_types::ErrorCode;
use nexus_types::hub::{DEFAULT_SOURCE, EventType, PLATFORM_SOURCE, Pattern};
use nexus_types::limits::{SECOND_MS, SECRET_OVERLAP_MS, SIGNATURE_SKEW_MS, SOURCES_MAX};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::types::TypeRegistry;
use crate::clock::Clock;
use crate::errors::{Error, Result};
use crate::keys::Keys;

/// What seals a secret.
const LABEL: &str = "hub/source";
/// Characters of a source's name.
const NAME_CHARS_MAX: usize = 32;
/// Bytes of a signature.
const MAC_BYTES: usize = 32;

/// The secret of the default source, as the operator or the first start chose it.
#[derive(Clone)]
pub struct DefaultSecrets {
    /// The present one.
    pub current: Zeroizing<String>,
    /// The one before, which is good for a day longer.
    pub previous: Option<Zeroizing<String>>,
}

impl fmt::Debug for DefaultSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DefaultSecrets(…)")
    }
}

/// What a request says of who signed it.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// `X-Nexus-Source`.
    pub source: Option<&'a str>,
    /// `X-Nexus-Signature`.
    pub signature: Option<&'a str>,
    /// `X-Nexus-Timestamp`.
    pub timestamp: Option<&'a str>,
    /// The body, or `METHOD path?query`.
    pub signed: &'a [u8],
    /// Must it carry a time?
    pub must_be_timely: bool,
}

/// Which of its secrets a source signed with: the hash of what is stored, which is sealed and moves on as it is at a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecretMark([u8; 32]);

impl SecretMark {
    fn of(sealed: &[u8]) -> Self {
        Self(Sha256::digest(sealed).into())
    }
}

/// A source whose signature was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAccess {
    /// Its name.
    pub name: Arc<str>,
    /// What it may send, and read if it may read.
    pub patterns: Arc<[Pattern]>,
    /// May it read events?
    pub reads: bool,
    /// What it signed with.
    pub secret: SecretMark,
}

impl SourceAccess {
    /// The same with another secret.
    fn by(&self, secret: SecretMark) -> Self {
        Self { secret, ..self.clone() }
    }

    /// Is this type among what it may send or read?
    pub fn may(&self, kind: &EventType) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(kind))
    }
}

/// A source that a person adds.
#[derive(Debug, Clone, Deserialize)]
pub struct NewSource {
    /// Its name.
    pub name: String,
    /// What it may send.
    #[serde(default = "everything")]
    pub events: Vec<String>,
    /// May it read events too?
    #[serde(default)]
    pub reads: bool,
    /// Must each request carry a time?
    #[serde(default)]
    pub demands_timestamp: bool,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

/// A source as it is listed. Its secret is not.
///
/// # Shape
/// `{"name", "events": [pattern], "reads", "demands_timestamp", "created": ms, "rotated": ms, "previous_until": ms|null,
/// "from_environment"}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceInfo {
    /// Its name.
    pub name: String,
    /// What it may send.
    pub events: Vec<Pattern>,
    /// May it read?
    pub reads: bool,
    /// Must each request carry a time?
    pub demands_timestamp: bool,
    /// When it was added.
    pub created: i64,
    /// When it got its present secret.
    pub rotated: i64,
    /// Until when the secret before is good.
    pub previous_until: Option<i64>,
    /// Is its secret `NEXUS_SECRET`?
    pub from_environment: bool,
}

/// A source with a secret that was made just now. It is shown once.
///
/// # Shape
/// As [`SourceInfo`], with `"secret"`.
#[derive(Serialize)]
pub struct SourceWithSecret {
    /// The source.
    #[serde(flatten)]
    pub source: SourceInfo,
    /// What it signs with.
    pub secret: String,
}

type Signer = Hmac<Sha256>;

/// A source, ready to check signatures.
struct Known {
    access: SourceAccess,
    info: SourceInfo,
    current: Signer,
    previous: Option<Previous>,
}

/// The secret before the last rotation.
struct Previous {
    signer: Signer,
    mark: SecretMark,
    /// Good until then.
    until_ms: i64,
}

/// All sources, in memory and in the database.
pub(super) struct Sources {
    db: Db,
    keys: Arc<Keys>,
    known: RwLock<HashMap<String, Arc<Known>>>,
    /// For names that nobody has, so that they take as long.
    nobody: Signer,
    changes: watch::Sender<u64>,
}

fn signer(secret: &[u8]) -> Signer {
    Signer::new_from_slice(secret).expect("HMAC takes any key")
}

fn is_good(signer: &Signer, claim: Claim<'_>, mac: &[u8; MAC_BYTES]) -> bool {
    let mut signer = signer.clone();
    if let Some(timestamp) = claim.timestamp {
        signer.update(timestamp.as_bytes());
        signer.update(b".");
    }
    signer.update(claim.signed);
    signer.verify_slice(mac).is_ok()
}

/// Hexadecimal digits of either case; anything else is a signature that is wrong.
fn mac_of(text: &str) -> Option<[u8; MAC_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * MAC_BYTES {
        return None;
    }
    let mut mac = [0; MAC_BYTES];
    for (byte, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?);
        *byte = (high * 16 + low) as u8;
    }
    Some(mac)
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && name != PLATFORM_SOURCE
}

/// A fresh secret: 256 random bits, in characters that survive any shell.
fn draw(clock: &Clock) -> Zeroizing<String> {
    Zeroizing::new(URL_SAFE_NO_PAD.encode(clock.random::<32>()))
}

impl Sources {
    /// Loads them, and takes over the default source's secret.
    pub(super) async fn load(db: Db, keys: Arc<Keys>, clock: &Clock, defaults: Option<DefaultSecrets>) -> Result<Self> {
        let sources = Self {
            db,
            keys,
            known: RwLock::default(),
            nobody: signer(&clock.random::<32>()),
            changes: watch::Sender::new(0),
        };
        sources.reload(false).await?;
        if let Some(defaults) = defaults {
            sources.adopt(clock, &defaults).await?;
            sources.reload(true).await?;
        }
        Ok(sources)
    }

    /// The default source has the secret that the environment or the first start gave it. Another than before is a rotation.
    async fn adopt(&self, clock: &Clock, defaults: &DefaultSecrets) -> Result<()> {
        let now_ms = clock.now_ms();
        let rows = self
            .db
            .read::<_, StoreError, _>(async |tx: &mut Tx<'_>| rows::all(tx).await)
            .await?;
        let stored = rows.into_iter().find(|row| row.name == DEFAULT_SOURCE);
        let before = stored.as_ref().and_then(|row| self.open(&row.secret));
        let is_same = |sealed: &[u8], secret: &str| self.open(sealed).is_some_and(|known| known.as_slice() == secret.as_bytes());
        let is_known = stored.as_ref().is_some_and(|row| is_same(&row.secret, &defaults.current));
        // One that is named later than the present one is a rotation too, once.
        let is_named = defaults.previous.as_ref().is_some_and(|named| {
            let known = stored.as_ref().and_then(|row| row.previous.as_deref());
            !known.is_some_and(|sealed| is_same(sealed, named))
        });
        if is_known && !is_named {
            return Ok(());
        }
        let current = self.seal(&defaults.current);
        // What the operator names as the previous one, else what it was.
        let named = defaults.previous.as_ref().map(|secret| self.seal(secret));
        let previous = named.or_else(|| stored.as_ref().and_then(|row| before.is_some().then(|| row.secret.clone())));
        let job = async move |tx: &mut Tx<'_>| -> Result<()> {
            rows::insert(tx, DEFAULT_SOURCE, &current, &all_rights(), now_ms).await?;
            let rotation = Rotation {
                secret: &current,
                previous_until_ms: previous.is_some().then_some(now_ms + SECRET_OVERLAP_MS),
                previous: previous.as_deref(),
                rotated_ms: now_ms,
            };
            rows::rotate(tx, DEFAULT_SOURCE, rotation).await?;
            Ok(())
        };
        self.db.write(job).await
    }

    fn seal(&self, secret: &str) -> Vec<u8> {
        self.keys.seal(LABEL, secret.as_bytes()).into_bytes()
    }

    fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = std::str::from_utf8(sealed).ok()?;
        self.keys.open(LABEL, sealed).map(Zeroizing::new)
    }

    /// Reads all rows anew. The default source counts only once this process was given its secret.
    async fn reload(&self, with_default: bool) -> Result<()> {
        let rows = self
            .db
            .read::<_, StoreError, _>(async |tx: &mut Tx<'_>| rows::all(tx).await)
            .await?;
        let mut known = HashMap::new();
        for row in rows {
            if row.name == DEFAULT_SOURCE && !with_default {
                continue;
            }
            let Some(current) = self.open(&row.secret) else {
                tracing::error!(source = %row.name, "the secret of source {} can't be opened; rotate it", row.name);
                continue;
            };
            let previous = row.previous.as_deref().zip(row.previous_until_ms).and_then(|(sealed, until_ms)| {
                Some(Previous {
                    signer: signer(&self.open(sealed)?),
                    mark: SecretMark::of(sealed),
                    until_ms,
                })
            });
            let patterns: Arc<[Pattern]> = row.rights.patterns.clone().into();
            let source = Known {
                access: SourceAccess {
                    name: row.name.as_str().into(),
                    patterns,
                    reads: row.rights.reads,
                    secret: SecretMark::of(&row.secret),
                },
                current: signer(&current),
                previous,
                info: info(&row),
            };
            known.insert(row.name, Arc::new(source));
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        self.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }

    fn find(&self, name: &str) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// What the default source may do.
fn all_rights() -> Rights {
    Rights {
        patterns: vec![Pattern::All],
        reads: true,
        demands_timestamp: false,
    }
}

fn info(row: &StoredSource) -> SourceInfo {
    SourceInfo {
        name: row.name.clone(),
        events: row.rights.patterns.clone(),
        reads: row.rights.reads,
        demands_timestamp: row.rights.demands_timestamp,
        created: row.created_ms,
        rotated: row.rotated_ms,
        previous_until: row.previous_until_ms,
        from_environment: row.name == DEFAULT_SOURCE,
    }
}

/// The sources of a database that no hub serves: for the command line of a stopped server.
pub struct StoredSources {
    sources: Sources,
    clock: Clock,
    types: TypeRegistry,
}

impl StoredSources {
    /// Reads them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(db: Db, keys: Arc<Keys>, clock: Clock, types: TypeRegistry) -> Result<Self> {
        let sources = Sources::load(db, keys, &clock, None).await?;
        sources.reload(true).await?;
        Ok(Self { sources, clock, types })
    }

    /// The use cases.
    pub fn view(&self) -> SourcesView<'_> {
        SourcesView {
            sources: &self.sources,
            clock: &self.clock,
            types: &self.types,
        }
    }
}

/// The use cases of sources.
pub struct SourcesView<'a> {
    pub(super) sources: &'a Sources,
    pub(super) clock: &'a Clock,
    pub(super) types: &'a TypeRegistry,
}

impl SourcesView<'_> {
    /// Says which source signed a request.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidSignature`] for whatever is missing or wrong, [`ErrorCode::StaleTimestamp`] for a good signature of another
    /// time.
    pub fn verify(&self, claim: Claim<'_>) -> Result<SourceAccess> {
        let source = self.sources.find(claim.source.unwrap_or(DEFAULT_SOURCE));
        let Some(mac) = claim.signature.and_then(mac_of) else {
            return Err(ErrorCode::InvalidSignature.into());
        };
        let now_ms = self.clock.now_ms();
        let Some(source) = source else {
            // As long as for a source that there is. No key is known whose signature this could be.
            is_good(&self.sources.nobody, claim, &mac);
            return Err(ErrorCode::InvalidSignature.into());
        };
        let previous = source.previous.as_ref().filter(|previous| now_ms < previous.until_ms);
        let secret = if is_good(&source.current, claim, &mac) {
            source.access.secret
        } else if let Some(previous) = previous.filter(|previous| is_good(&previous.signer, claim, &mac)) {
            previous.mark
        } else {
            return Err(ErrorCode::InvalidSignature.into());
        };
        let timely = match claim.timestamp {
            None => !claim.must_be_timely && !source.info.demands_timestamp,
            Some(text) => is_timely(text, now_ms),
        };
        if timely {
            Ok(source.access.by(secret))
        } else {
            Err(ErrorCode::StaleTimestamp.into())
        }
    }

    /// A source's rights as they are now; `None` if there is none of that name any more.
    pub fn access(&self, name: &str) -> Option<SourceAccess> {
        self.sources.find(name).map(|known| known.access.clone())
    }

    /// Is an access still good: the source is there, has the same rights, and the secret that signed is one of its present ones?
    pub fn holds(&self, access: &SourceAccess) -> bool {
        let Some(known) = self.sources.find(&access.name) else {
            return false;
        };
        let now_ms = self.clock.now_ms();
        let previous = known.previous.as_ref().filter(|previous| now_ms < previous.until_ms);
        let is_present = access.secret == known.access.secret || previous.is_some_and(|previous| previous.mark == access.secret);
        is_present && known.access.by(access.secret) == *access
    }

    /// Changes whenever a source did.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.sources.changes.subscribe()
    }

    /// All of them, in order of their names.
    pub fn list(&self) -> Vec<SourceInfo> {
        let known = self.sources.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = known.values().map(|source| source.info.clone()).collect();
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list
    }

    /// Adds a source.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidSourceName`], [`ErrorCode::InvalidPatterns`], [`ErrorCode::SourceTaken`], [`ErrorCode::TooManyInHub`].
    pub async fn add(&self, new: NewSource) -> Result<SourceWithSecret> {
        if !is_name(&new.name) {
            return Err(ErrorCode::InvalidSourceName.into());
        }
        if new.name == DEFAULT_SOURCE || self.sources.find(&new.name).is_some() {
            return Err(ErrorCode::SourceTaken.into());
        }
        if self.list().len() >= SOURCES_MAX {
            return Err(ErrorCode::TooManyInHub.into());
        }
        let patterns = self.types.patterns(&new.events)?;
        let (secret, now_ms) = (draw(self.clock), self.clock.now_ms());
        let sealed = self.sources.seal(&secret);
        let (name, rights) = (new.name.clone(), rights_of(&new, patterns));
        let added = self
            .sources
            .db
            .write::<_, Error, _>(async move |tx: &mut Tx<'_>| Ok(rows::insert(tx, &name, &sealed, &rights, now_ms).await?))
            .await?;
        if !added {
            return Err(ErrorCode::SourceTaken.into());
        }
        self.sources.reload(self.has_default()).await?;
        self.with_secret(&new.name, &secret)
    }

    fn with_secret(&self, name: &str, secret: &str) -> Result<SourceWithSecret> {
        let source = self.sources.find(name).ok_or(ErrorCode::UnknownEvent)?;
        Ok(SourceWithSecret {
            source: source.info.clone(),
            secret: secret.to_owned(),
        })
    }

    /// Gives a source a new secret. The one before is good for a day longer.
    ///
    /// # Errors
    /// [`ErrorCode::SourceFixed`] for the default source, [`ErrorCode::UnknownEvent`].
    pub async fn rotate(&self, name: &str) -> Result<SourceWithSecret> {
        self.changeable(name)?;
        let (secret, now_ms) = (draw(self.clock), self.clock.now_ms());
        let sealed = self.sources.seal(&secret);
        let owned = name.to_owned();
        let job = async move |tx: &mut Tx<'_>| -> Result<bool> {
            let row = rows::all(tx).await?.into_iter().find(|row| row.name == owned);
            let Some(row) = row else { return Ok(false) };
            let rotation = Rotation {
                secret: &sealed,
                previous: Some(&row.secret),
                previous_until_ms: Some(now_ms + SECRET_OVERLAP_MS),
                rotated_ms: now_ms,
            };
            Ok(rows::rotate(tx, &owned, rotation).await?)
        };
        if !self.sources.db.write(job).await? {
            return Err(ErrorCode::UnknownEvent.into());
        }
        self.sources.reload(self.has_default()).await?;
        self.with_secret(name, &secret)
    }

    /// Removes a source. What it sent stays.
    ///
    /// # Errors
    /// [`ErrorCode::SourceFixed`] for the default source, [`ErrorCode::UnknownEvent`].
    pub async fn remove(&self, name: &str) -> Result<()> {
        self.changeable(name)?;
        let owned = name.to_owned();
        self.sources
            .db
            .write::<_, Error, _>(async move |tx: &mut Tx<'_>| Ok(rows::remove(tx, &owned).await?))
            .await?;
        self.sources.reload(self.has_default()).await
    }

    fn changeable(&self, name: &str) -> Result<()> {
        if name == DEFAULT_SOURCE {
            return Err(ErrorCode::SourceFixed.into());
        }
        self.sources.find(name).map(drop).ok_or_else(|| ErrorCode::UnknownEvent.into())
    }

    fn has_default(&self) -> bool {
        self.sources.find(DEFAULT_SOURCE).is_some()
    }
}

fn rights_of(new: &NewSource, patterns: Vec<Pattern>) -> Rights {
    Rights {
        patterns,
        reads: new.reads,
        demands_timestamp: new.demands_timestamp,
    }
}

/// Whole seconds since 1970, within the skew.
fn is_timely(text: &str, now_ms: i64) -> bool {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let time_ms = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(SECOND_MS));
    is_number && time_ms.is_some_and(|time_ms| time_ms.abs_diff(now_ms) <= SIGNATURE_SKEW_MS.unsigned_abs())
}
