//! The log as a whole: its name, and the document that says whose signatures count.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hashes::{decode, encode};
use crate::keys::{PublicKey, Signature};
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

/// Why keys that a verifier trusts can't become those that a log shows now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysChanged {
    /// Another log.
    #[error("this is another log")]
    OtherLog,
    /// A key that was there is gone or differs.
    #[error("the key of {0} that counts from {1} is gone or differs")]
    Rewritten(String, i64),
    /// A new key without its predecessor's word.
    #[error("the new key of {0} has no endorsement by the key before it")]
    Unendorsed(String),
}

/// Do the keys that a log shows now go on from those that were seen? A key may have ended since, and a new one may have come if the
/// one before it endorsed it.
///
/// # Errors
/// [`KeysChanged`], the first found.
pub fn keys_follow(log: &LogId, seen: &KeyHistory, now: &KeyHistory) -> Result<(), KeysChanged> {
    for old in &seen.0 {
        let same = |key: &&CosignerKey| (&key.cosigner, key.public_key, key.from_s) == (&old.cosigner, old.public_key, old.from_s);
        let kept = now.0.iter().find(same);
        if kept.is_none_or(|kept| old.until_s.is_some() && kept.until_s != old.until_s) {
            return Err(KeysChanged::Rewritten(old.cosigner.clone(), old.from_s));
        }
    }
    for new in now
        .0
        .iter()
        .filter(|key| !seen.0.iter().any(|old| (&old.cosigner, old.from_s) == (&key.cosigner, key.from_s)))
    {
        let before = now
            .0
            .iter()
            .find(|key| key.cosigner == new.cosigner && key.until_s == Some(new.from_s));
        let endorsed = |before: &CosignerKey, signature: &Signature| {
            before
                .public_key
                .verifies(&endorsement_message(log, &new.cosigner, &new.public_key, new.from_s), signature)
        };
        let good = before
            .zip(new.endorsement.as_ref())
            .is_some_and(|(before, signature)| endorsed(before, signature));
        if !good {
            return Err(KeysChanged::Unendorsed(new.cosigner.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;

    const LOG: LogId = LogId([4; 32]);

    fn key(name: &str, seed: u8, from_s: i64, until_s: Option<i64>) -> CosignerKey {
        CosignerKey {
            cosigner: name.into(),
            public_key: SigningKey::from_seed(&[seed; 32]).public(),
            from_s,
            until_s,
            endorsement: None,
        }
    }

    #[test]
    fn a_key_follows_only_with_the_word_of_the_one_before() {
        let seen = KeyHistory(vec![key("cosigner_0", 1, 0, None), key("cosigner_1", 2, 0, None)]);
        let mut next = key("cosigner_0", 3, 50, None);
        let ended = key("cosigner_0", 1, 0, Some(50));
        let history = |next: &CosignerKey| KeyHistory(vec![ended.clone(), seen.0[1].clone(), next.clone()]);
        assert_eq!(keys_follow(&LOG, &seen, &seen), Ok(()));
        assert_eq!(
            keys_follow(&LOG, &seen, &history(&next)),
            Err(KeysChanged::Unendorsed("cosigner_0".into()))
        );
        let message = endorsement_message(&LOG, "cosigner_0", &next.public_key, 50);
        next.endorsement = Some(SigningKey::from_seed(&[2; 32]).sign(&message));
        assert_eq!(
            keys_follow(&LOG, &seen, &history(&next)),
            Err(KeysChanged::Unendorsed("cosigner_0".into()))
        );
        next.endorsement = Some(SigningKey::from_seed(&[1; 32]).sign(&message));
        assert_eq!(keys_follow(&LOG, &seen, &history(&next)), Ok(()));
        let rewritten = KeyHistory(vec![key("cosigner_0", 3, 0, None), seen.0[1].clone()]);
        assert_eq!(
            keys_follow(&LOG, &seen, &rewritten),
            Err(KeysChanged::Rewritten("cosigner_0".into(), 0))
        );
        let reopened = KeyHistory(vec![key("cosigner_0", 1, 0, None), seen.0[1].clone()]);
        assert_eq!(
            keys_follow(&LOG, &history(&next), &reopened),
            Err(KeysChanged::Rewritten("cosigner_0".into(), 0))
        );
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
