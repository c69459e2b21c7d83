//! The log as a whole: its name, and the document that says whose signatures count.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hashes::{decode, encode};
use crate::keys::PublicKey;
use crate::tree_heads::{CosignerKey, KeyHistory, POLICY, Policy};

/// The name of a log.
///
/// # Shape
/// 32 random bytes, drawn when the log is made; in JSON padded standard base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LogId(pub [u8; 32]);

impl LogId {
    /// The id in base64, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        decode(text).map(Self)
    }
}

impl std::fmt::Display for LogId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&encode(&self.0))
    }
}

impl Serialize for LogId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("a log id is 32 bytes in padded standard base64"))
    }
}

/// A cosigner's key as the log's operator tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedKey {
    /// The key and when it counts.
    #[serde(flatten)]
    pub key: CosignerKey,
    /// Who holds it, in words.
    pub operator: String,
    /// Where the cosigner answers, if it is a program of its own.
    #[serde(default)]
    pub url: Option<String>,
}

/// What a verifier starts from: `GET /.well-known/key-transparency`, and `key-transparency.json` beside exported files.
///
/// # Shape
/// `{"version", "log_id", "log_key", "policy", "cosigners": [{"cosigner", "public_key", "from", "until", "endorsement", "operator",
/// "url"}], "operators", "single_operator", "statement"}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDocument {
    /// 1.
    pub version: u32,
    /// The log.
    pub log_id: LogId,
    /// The key that signs what the log asks its cosigners; it signs nothing that counts for a reader.
    pub log_key: PublicKey,
    /// Two of three.
    pub policy: Policy,
    /// Every key that ever counted.
    pub cosigners: Vec<ListedKey>,
    /// Who holds the keys that count now.
    pub operators: Vec<String>,
    /// Does one of them hold enough keys to sign alone?
    pub single_operator: bool,
    /// The same in words.
    pub statement: String,
}

/// What is said of a log whose operator can sign alone.
pub const SINGLE_OPERATOR: &str = "single-operator log";
/// What is said of one whose operator holds one key: any two quorums of three share a cosigner, and that one may be its own.
pub const ONE_OWN_COSIGNER: &str = "one cosigner is the log's own";
/// What is said of any other.
pub const INDEPENDENT: &str = "cosigned by independent operators";
/// How the log's operator is called.
pub const THIS_SERVER: &str = "this server";

impl KeyDocument {
    /// The document of a log with these keys.
    pub fn new(log_id: LogId, log_key: PublicKey, cosigners: Vec<ListedKey>) -> Self {
        let current = || cosigners.iter().filter(|listed| listed.key.until_s.is_none());
        let mut operators: Vec<String> = current().map(|listed| listed.operator.clone()).collect();
        operators.sort();
        operators.dedup();
        let holds = |operator: &String| current().filter(|listed| listed.operator == *operator).count();
        let single_operator = operators.iter().any(|operator| holds(operator) >= POLICY.t as usize);
        let statement = if single_operator {
            SINGLE_OPERATOR
        } else if operators.iter().any(|operator| operator == THIS_SERVER) {
            ONE_OWN_COSIGNER
        } else {
            INDEPENDENT
        };
        Self {
            version: 1,
            log_id,
            log_key,
            policy: POLICY,
            operators,
            single_operator,
            statement: statement.to_owned(),
            cosigners,
        }
    }

    /// The keys and when they count.
    pub fn keys(&self) -> KeyHistory {
        KeyHistory(self.cosigners.iter().map(|listed| listed.key.clone()).collect())
    }
}

/// What a cosigner's key signs about the one that takes its place.
///
/// # Shape
/// `"nexus/cosigner-rotate/1" ‖ log id (32 bytes) ‖ the cosigner's name ‖ the new key (32) ‖ its first second, 8 bytes big-endian`
pub fn endorsement_message(log: &LogId, cosigner: &str, new_key: &PublicKey, from_s: i64) -> Vec<u8> {
    let parts = [
        &b"nexus/cosigner-rotate/1"[..],
        &log.0,
        cosigner.as_bytes(),
        new_key.as_bytes(),
        &from_s.to_be_bytes(),
    ];
    parts.concat()
}

/// Why keys can't be trusted, or can't follow those that a verifier trusts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysChanged {
    /// Another log.
    #[error("this is another log")]
    OtherLog,
    /// Not two of three.
    #[error("the policy of the keys is not two of three")]
    Policy,
    /// Two cosigners share a key, so that one could sign for two.
    #[error("two entries have the same key")]
    SameKey,
    /// Other cosigners than the three.
    #[error("the log's cosigners are cosigner_0, cosigner_1 and cosigner_2, and {0} is missing or another")]
    Names(String),
    /// Not one line of keys, each beginning where the one before ends.
    #[error("the keys of {0} are no line without gap and overlap")]
    Misshapen(String),
    /// A key that was there is gone or differs.
    #[error("the key of {0} that counts from {1} is gone or differs")]
    Rewritten(String, i64),
    /// A new key without its predecessor's word, or with another word.
    #[error("the new key of {0} has no endorsement by the key before it")]
    Unendorsed(String),
}

/// The names of the three.
pub const COSIGNERS: [&str; 3] = ["cosigner_0", "cosigner_1", "cosigner_2"];

impl KeyDocument {
    /// The document as a verifier may use it: its keys are in order, and what it says of its operators is what the keys say.
    ///
    /// # Errors
    /// [`KeysChanged`], the first thing that is wrong with it.
    pub fn judged(self) -> Result<Self, KeysChanged> {
        if self.policy != POLICY {
            return Err(KeysChanged::Policy);
        }
        self.keys().check(&self.log_id)?;
        Ok(Self::new(self.log_id, self.log_key, self.cosigners))
    }

    /// Cosigners with a key that the one before it did not endorse. Whoever saw that one is right to be alarmed.
    pub fn unendorsed(&self) -> Vec<&str> {
        let keys = self.cosigners.iter().map(|listed| &listed.key);
        let first = |key: &CosignerKey| {
            !self
                .cosigners
                .iter()
                .any(|other| other.key.cosigner == key.cosigner && other.key.from_s < key.from_s)
        };
        keys.filter(|key| key.endorsement.is_none() && !first(key))
            .map(|key| key.cosigner.as_str())
            .collect()
    }
}

impl KeyHistory {
    /// Is there, for each of the three and nobody else, one line of keys, each beginning where the one before ends, the last one open,
    /// and no key twice? An endorsement that is there must be good; that there is one is only asked of keys that follow seen ones.
    ///
    /// # Errors
    /// [`KeysChanged`].
    pub fn check(&self, log: &LogId) -> Result<(), KeysChanged> {
        for (index, key) in self.0.iter().enumerate() {
            if self.0[..index].iter().any(|other| other.public_key == key.public_key) {
                return Err(KeysChanged::SameKey);
            }
            if !COSIGNERS.contains(&key.cosigner.as_str()) {
                return Err(KeysChanged::Names(key.cosigner.clone()));
            }
        }
        for name in COSIGNERS {
            let line = self.line(name);
            let misshapen = || KeysChanged::Misshapen(name.to_owned());
            let last = line.last().ok_or_else(|| KeysChanged::Names(name.to_owned()))?;
            if last.until_s.is_some() || last.ended_at.is_some() || line[0].endorsement.is_some() {
                return Err(misshapen());
            }
            for pair in line.windows(2) {
                if pair[0].until_s != Some(pair[1].from_s) || pair[0].from_s >= pair[1].from_s {
                    return Err(misshapen());
                }
                if pair[1].endorsement.is_some() && !endorses(log, pair[0], pair[1]) {
                    return Err(KeysChanged::Unendorsed(name.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// The keys of a cosigner, oldest first.
    fn line(&self, cosigner: &str) -> Vec<&CosignerKey> {
        let mut line: Vec<_> = self.0.iter().filter(|key| key.cosigner == cosigner).collect();
        line.sort_by_key(|key| key.from_s);
        line
    }
}

fn endorses(log: &LogId, before: &CosignerKey, new: &CosignerKey) -> bool {
    let message = endorsement_message(log, &new.cosigner, &new.public_key, new.from_s);
    new.endorsement
        .is_some_and(|signature| before.public_key.verifies(&message, &signature))
}

/// Do the keys that a log shows now go on from those that were seen? A key may have ended since, and a new one may have come if the
/// one before it endorsed it.
///
/// # Errors
/// [`KeysChanged`], the first found.
pub fn keys_follow(log: &LogId, seen: &KeyHistory, now: &KeyHistory) -> Result<(), KeysChanged> {
    now.check(log)?;
    for name in COSIGNERS {
        let (seen, now) = (seen.line(name), now.line(name));
        for (place, old) in seen.iter().enumerate() {
            let rewritten = || KeysChanged::Rewritten(name.to_owned(), old.from_s);
            let kept = now.get(place).ok_or_else(rewritten)?;
            let same = (kept.public_key, kept.from_s, kept.endorsement) == (old.public_key, old.from_s, old.endorsement);
            let ended = old.until_s.is_none() || (kept.until_s, kept.ended_at) == (old.until_s, old.ended_at);
            if !same || !ended {
                return Err(rewritten());
            }
        }
        for pair in now.windows(2).skip(seen.len().saturating_sub(1)) {
            if !endorses(log, pair[0], pair[1]) {
                return Err(KeysChanged::Unendorsed(name.to_owned()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashes::Hash;
    use crate::keys::SigningKey;
    use crate::tree_heads::EndedAt;

    const LOG: LogId = LogId([4; 32]);

    fn key(name: &str, seed: u8, from_s: i64, until_s: Option<i64>) -> CosignerKey {
        CosignerKey {
            cosigner: name.into(),
            public_key: SigningKey::from_seed(&[seed; 32]).public(),
            from_s,
            until_s,
            endorsement: None,
            ended_at: None,
        }
    }

    fn three() -> KeyHistory {
        KeyHistory(
            (0..3u8)
                .map(|number| key(COSIGNERS[number as usize], 1 + number, 0, None))
                .collect(),
        )
    }

    fn endorsed(mut new: CosignerKey, by: u8) -> CosignerKey {
        let message = endorsement_message(&LOG, &new.cosigner, &new.public_key, new.from_s);
        new.endorsement = Some(SigningKey::from_seed(&[by; 32]).sign(&message));
        new
    }

    /// The three keys, the first of which gave way to another.
    fn moved(next: CosignerKey) -> KeyHistory {
        let mut keys = three();
        keys.0[0].until_s = Some(next.from_s);
        keys.0.push(next);
        keys
    }

    #[test]
    fn a_key_follows_only_with_the_word_of_the_one_before() {
        let (seen, bare) = (three(), key("cosigner_0", 9, 50, None));
        let unendorsed = Err(KeysChanged::Unendorsed("cosigner_0".into()));
        let rewritten = |from_s: i64| Err(KeysChanged::Rewritten("cosigner_0".into(), from_s));
        let good = moved(endorsed(bare.clone(), 1));
        assert_eq!(keys_follow(&LOG, &seen, &seen), Ok(()));
        assert_eq!(keys_follow(&LOG, &seen, &good), Ok(()));
        assert_eq!(keys_follow(&LOG, &seen, &moved(bare.clone())), unendorsed);
        assert_eq!(keys_follow(&LOG, &seen, &moved(endorsed(bare.clone(), 2))), unendorsed);
        // Who sees a log for the first time has nothing to be alarmed by, unless the word that is there is another's.
        assert_eq!(moved(bare.clone()).check(&LOG), Ok(()));
        assert_eq!(moved(endorsed(bare, 2)).check(&LOG), unendorsed);
        assert_eq!(keys_follow(&LOG, &good, &seen), rewritten(0));
        let mut replaced = three();
        replaced.0[0].public_key = key("", 9, 0, None).public_key;
        assert_eq!(keys_follow(&LOG, &seen, &replaced), rewritten(0));
        let mut later = good.clone();
        later.0[0].ended_at = Some(EndedAt {
            tree_size: 7,
            head: Hash::EMPTY,
        });
        assert_eq!(keys_follow(&LOG, &seen, &later), Ok(()));
        assert_eq!(keys_follow(&LOG, &later, &good), rewritten(0));
    }

    #[test]
    fn keys_beside_the_line_are_refused() {
        let misshapen = |name: &str| Err(KeysChanged::Misshapen(name.into()));
        let with = |changes: fn(&mut Vec<CosignerKey>)| {
            let mut keys = three();
            changes(&mut keys.0);
            (keys.check(&LOG), keys_follow(&LOG, &three(), &keys))
        };
        for (what, (alone, after), why) in [
            (
                "a second key for a time",
                with(|keys| keys.insert(0, key("cosigner_0", 9, 0, None))),
                misshapen("cosigner_0"),
            ),
            (
                "its own predecessor",
                with(|keys| keys.push(endorsed(key("cosigner_0", 9, 50, Some(50)), 9))),
                misshapen("cosigner_0"),
            ),
            (
                "a fourth",
                with(|keys| keys.push(key("cosigner_3", 9, 0, None))),
                Err(KeysChanged::Names("cosigner_3".into())),
            ),
            (
                "only two",
                with(|keys| drop(keys.pop())),
                Err(KeysChanged::Names("cosigner_2".into())),
            ),
            (
                "a gap",
                with(|keys| {
                    keys[0].until_s = Some(40);
                    keys.push(endorsed(key("cosigner_0", 9, 50, None), 1));
                }),
                misshapen("cosigner_0"),
            ),
            (
                "one key for two",
                with(|keys| keys[1].public_key = keys[0].public_key),
                Err(KeysChanged::SameKey),
            ),
        ] {
            assert_eq!(alone, why, "{what}");
            assert_eq!(after, why, "{what}, after good ones");
        }
    }

    #[test]
    fn a_document_is_believed_about_keys_only() {
        let listed = |key: CosignerKey| ListedKey {
            key,
            operator: THIS_SERVER.into(),
            url: None,
        };
        let honest = KeyDocument::new(
            LOG,
            SigningKey::from_seed(&[8; 32]).public(),
            three().0.into_iter().map(listed).collect(),
        );
        let mut boasts = honest.clone();
        (boasts.single_operator, boasts.statement) = (false, INDEPENDENT.into());
        boasts.operators = vec!["Alice".into(), "Bob".into(), "Carol".into()];
        assert_eq!(boasts.judged(), Ok(honest.clone()));
        let mut lax = honest.clone();
        lax.policy.t = 1;
        assert_eq!(lax.judged(), Err(KeysChanged::Policy));
        assert_eq!(honest.unendorsed(), [""; 0]);
        let lost = moved(key("cosigner_0", 9, 50, None)).0.into_iter().map(listed).collect();
        assert_eq!(KeyDocument::new(LOG, honest.log_key, lost).unendorsed(), ["cosigner_0"]);
    }

    #[test]
    fn two_keys_in_one_hand_make_a_single_operator() {
        let listed = |name: &str, seed: u8, operator: &str, until_s: Option<i64>| ListedKey {
            key: key(name, seed, 0, until_s),
            operator: operator.into(),
            url: None,
        };
        let document = |operators: [&str; 3]| {
            let old = listed("cosigner_0", 9, "Bob", Some(0));
            let keys = (0..3u8).map(|number| listed(&format!("cosigner_{number}"), number, operators[number as usize], None));
            KeyDocument::new(
                LOG,
                SigningKey::from_seed(&[8; 32]).public(),
                std::iter::once(old).chain(keys).collect(),
            )
        };
        assert!(document(["here"; 3]).single_operator);
        assert_eq!(document(["here", "Alice", "here"]).statement, SINGLE_OPERATOR);
        let one_own = document([THIS_SERVER, "Alice", "Bob"]);
        assert_eq!((one_own.single_operator, &*one_own.statement), (false, ONE_OWN_COSIGNER));
        let independent = document(["here", "Alice", "Bob"]);
        assert!(!independent.single_operator);
        let text = serde_json::to_string(&independent).expect("it serialises");
        assert_eq!(serde_json::from_str::<KeyDocument>(&text).expect("and is read"), independent);
    }
}
