//! Tree heads: what the log says of its root, who signed it, and whether that counts.

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hashes::Hash;
use crate::keys::{PublicKey, Signature};

/// How many of how many cosigners must have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// So many.
    pub t: u32,
    /// Of so many.
    pub n: u32,
}

/// Two of three: the only policy of this log.
pub const POLICY: Policy = Policy { t: 2, n: 3 };

/// The hash of the head before, or none for the first.
///
/// # Shape
/// Base64, or `""`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrevHash(pub Option<Hash>);

impl Serialize for PrevHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(hash) => hash.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}

impl<'de> Deserialize<'de> for PrevHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        let hash = crate::hashes::decode(&text).map(Hash);
        hash.map(|hash| Self(Some(hash)))
            .ok_or_else(|| de::Error::custom("prev_hash is a hash or empty"))
    }
}

/// A head without signatures: what cosigners sign.
///
/// # Shape
/// `{"tree_size", "root", "prev_hash", "policy": {"t": 2, "n": 3}, "timestamp"}`; seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract's names")]
pub struct UnsignedHead {
    pub tree_size: u64,
    pub root: Hash,
    pub prev_hash: PrevHash,
    pub policy: Policy,
    pub timestamp: i64,
}

impl UnsignedHead {
    /// `SHA-256(canonical_json(head without signatures))`: what the next head links to and cosigners sign, 32 raw bytes.
    pub fn hash(&self) -> Hash {
        Hash::of(self.canonical().as_bytes())
    }

    /// The canonical JSON (RFC 8785): keys in order, no spaces. Every value is a whole number or base64, which need no escapes; a
    /// test holds it against a general implementation.
    fn canonical(&self) -> String {
        let Self {
            tree_size,
            root,
            prev_hash,
            policy: Policy { t, n },
            timestamp,
        } = self;
        let mut text = String::with_capacity(200);
        text.push_str("{\"policy\":{\"n\":");
        let number = |text: &mut String, number: i128| text.push_str(itoa::Buffer::new().format(number));
        number(&mut text, i128::from(*n));
        text.push_str(",\"t\":");
        number(&mut text, i128::from(*t));
        text.push_str("},\"prev_hash\":\"");
        if let PrevHash(Some(hash)) = prev_hash {
            hash.write_to(&mut text);
        }
        text.push_str("\",\"root\":\"");
        root.write_to(&mut text);
        text.push_str("\",\"timestamp\":");
        number(&mut text, i128::from(*timestamp));
        text.push_str(",\"tree_size\":");
        number(&mut text, i128::from(*tree_size));
        text.push('}');
        text
    }
}

/// A cosigner's signature over a head's hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadSignature {
    /// Its name, `cosigner_0` to `cosigner_2`.
    pub cosigner: String,
    /// The signature.
    pub sig: Signature,
}

/// A head as it is published.
///
/// # Shape
/// That of [`UnsignedHead`], with `"signatures"` beside its members.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Flat")]
pub struct TreeHead {
    /// What was signed.
    pub head: UnsignedHead,
    /// By whom.
    pub signatures: Vec<HeadSignature>,
}

/// A head as it is read: serde's own flattening takes twice as long, and an audit reads a million.
#[derive(Deserialize)]
struct Flat {
    tree_size: u64,
    root: Hash,
    prev_hash: PrevHash,
    policy: Policy,
    timestamp: i64,
    signatures: Vec<HeadSignature>,
}

impl From<Flat> for TreeHead {
    fn from(flat: Flat) -> Self {
        Self {
            head: UnsignedHead {
                tree_size: flat.tree_size,
                root: flat.root,
                prev_hash: flat.prev_hash,
                policy: flat.policy,
                timestamp: flat.timestamp,
            },
            signatures: flat.signatures,
        }
    }
}

impl Serialize for TreeHead {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut flat = serializer.serialize_struct("TreeHead", 6)?;
        flat.serialize_field("tree_size", &self.head.tree_size)?;
        flat.serialize_field("root", &self.head.root)?;
        flat.serialize_field("prev_hash", &self.head.prev_hash)?;
        flat.serialize_field("policy", &self.head.policy)?;
        flat.serialize_field("timestamp", &self.head.timestamp)?;
        flat.serialize_field("signatures", &self.signatures)?;
        flat.end()
    }
}

/// A cosigner's key and when it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CosignerKey {
    /// The cosigner's name.
    pub cosigner: String,
    /// Its key.
    pub public_key: PublicKey,
    /// From this time on, in seconds since 1970.
    #[serde(rename = "from")]
    pub from_s: i64,
    /// Up to and without this time; `null` while it counts.
    #[serde(rename = "until", default)]
    pub until_s: Option<i64>,
    /// By the key before it, over [`crate::logs::endorsement_message`]; `null` for the first key of a cosigner.
    #[serde(default)]
    pub endorsement: Option<Signature>,
    /// The last head before the key ended. What was signed with it later counts nowhere, whatever time it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<EndedAt>,
}

/// Where in the log a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedAt {
    /// The size of the last head before.
    pub tree_size: u64,
    /// Its hash.
    pub head: Hash,
}

/// Every key that ever counted: old heads verify under the keys of their time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyHistory(pub Vec<CosignerKey>);

impl KeyHistory {
    /// The key of a cosigner that counts for a head: at its time, and not for more leaves than there were when the key ended.
    pub fn at(&self, cosigner: &str, head: &UnsignedHead) -> Option<&PublicKey> {
        let time_s = head.timestamp;
        let counts = |key: &&CosignerKey| {
            let in_time = key.from_s <= time_s && key.until_s.is_none_or(|until| time_s < until);
            let in_size = key.ended_at.is_none_or(|ended| head.tree_size <= ended.tree_size);
            key.cosigner == cosigner && in_time && in_size
        };
        self.0.iter().find(counts).map(|key| &key.public_key)
    }
}

/// Why a head does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// A policy other than two of three.
    #[error("the policy is not two of three")]
    Policy,
    /// A head of an empty log.
    #[error("an empty log has no head")]
    Empty,
    /// A cosigner twice.
    #[error("{0} signed twice")]
    SameCosigner(String),
    /// A cosigner without a key at that time.
    #[error("{0} is no cosigner of that time")]
    UnknownCosigner(String),
    /// A signature that its cosigner did not make.
    #[error("the signature of {0} is not its own")]
    Signature(String),
    /// Too few signatures.
    #[error("{0} of the two signatures it needs")]
    TooFew(usize),
    /// It does not link to the head before.
    #[error("prev_hash is not the hash of the head before")]
    Link,
    /// The log shrank.
    #[error("the log shrank from {0} to {1} leaves")]
    Shrunk(u64, u64),
    /// The same size with another root.
    #[error("two roots for {0} leaves")]
    TwoRoots(u64),
    /// Older than the head before it.
    #[error("its time is before that of the head before")]
    Time,
}

impl TreeHead {
    /// Does it count by itself?
    ///
    /// # Errors
    /// [`BadHead`], the first fault found.
    pub fn verify(&self, keys: &KeyHistory) -> Result<(), BadHead> {
        self.verify_shape()?;
        self.verify_cosigners(keys)?;
        self.verify_signatures(keys)
    }

    /// Has it the policy, and a tree?
    ///
    /// # Errors
    /// [`BadHead::Policy`], [`BadHead::Empty`].
    pub fn verify_shape(&self) -> Result<(), BadHead> {
        if self.head.policy != POLICY {
            return Err(BadHead::Policy);
        }
        if self.head.tree_size == 0 {
            return Err(BadHead::Empty);
        }
        Ok(())
    }

    /// Are those who signed different cosigners of that time, and enough of them?
    ///
    /// # Errors
    /// [`BadHead::SameCosigner`], [`BadHead::UnknownCosigner`], [`BadHead::TooFew`].
    pub fn verify_cosigners(&self, keys: &KeyHistory) -> Result<(), BadHead> {
        for (index, HeadSignature { cosigner, .. }) in self.signatures.iter().enumerate() {
            if self.signatures[..index].iter().any(|earlier| earlier.cosigner == *cosigner) {
                return Err(BadHead::SameCosigner(cosigner.clone()));
            }
            if keys.at(cosigner, &self.head).is_none() {
                return Err(BadHead::UnknownCosigner(cosigner.clone()));
            }
        }
        if self.signatures.len() < POLICY.t as usize {
            return Err(BadHead::TooFew(self.signatures.len()));
        }
        Ok(())
    }

    /// Is every signature good? Not only enough of them: a bad one is somebody's fault and has to be seen.
    ///
    /// # Errors
    /// [`BadHead::Signature`], [`BadHead::UnknownCosigner`].
    pub fn verify_signatures(&self, keys: &KeyHistory) -> Result<(), BadHead> {
        let hash = self.head.hash();
        for HeadSignature { cosigner, sig } in &self.signatures {
            let key = keys
                .at(cosigner, &self.head)
                .ok_or_else(|| BadHead::UnknownCosigner(cosigner.clone()))?;
            if !key.verifies(&hash.0, sig) {
                return Err(BadHead::Signature(cosigner.clone()));
            }
        }
        Ok(())
    }

    /// Does it follow the head before it, or begin the log?
    ///
    /// # Errors
    /// [`BadHead::Shrunk`], [`BadHead::TwoRoots`], [`BadHead::Link`], [`BadHead::Time`].
    pub fn follows(&self, before: Option<&TreeHead>) -> Result<(), BadHead> {
        if let Some(before) = before {
            let (old, new) = (before.head.tree_size, self.head.tree_size);
            if new < old {
                return Err(BadHead::Shrunk(old, new));
            }
            if new == old && self.head.root != before.head.root {
                return Err(BadHead::TwoRoots(old));
            }
        }
        if self.head.prev_hash != PrevHash(before.map(|before| before.head.hash())) {
            return Err(BadHead::Link);
        }
        if before.is_some_and(|before| self.head.timestamp < before.head.timestamp) {
            return Err(BadHead::Time);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    fn signer(number: u8) -> SigningKey {
        SigningKey::from_bytes(&[number + 1; 32])
    }

    fn keys() -> KeyHistory {
        let key = |number: u8| CosignerKey {
            cosigner: format!("cosigner_{number}"),
            public_key: PublicKey::from_bytes(signer(number).verifying_key().as_bytes()).expect("a good key"),
            from_s: 100,
            until_s: None,
            endorsement: None,
            ended_at: None,
        };
        KeyHistory((0..3).map(key).collect())
    }

    fn head(tree_size: u64, before: Option<&TreeHead>) -> UnsignedHead {
        let prev_hash = PrevHash(before.map(|before| before.head.hash()));
        UnsignedHead {
            tree_size,
            root: Hash::of(&tree_size.to_be_bytes()),
            prev_hash,
            policy: POLICY,
            timestamp: 100,
        }
    }

    fn signed(head: UnsignedHead, cosigners: &[u8]) -> TreeHead {
        let sign = |number: &u8| HeadSignature {
            cosigner: format!("cosigner_{number}"),
            sig: Signature(signer(*number).sign(&head.hash().0).to_bytes()),
        };
        TreeHead {
            head,
            signatures: cosigners.iter().map(sign).collect(),
        }
    }

    #[test]
    fn the_canonical_form_is_that_of_the_contract() {
        let canonical = serde_json_canonicalizer::to_string(&head(1, None)).expect("it has one");
        let root = head(1, None).root;
        assert_eq!(
            canonical,
            format!(r#"{{"policy":{{"n":3,"t":2}},"prev_hash":"","root":"{root}","timestamp":100,"tree_size":1}}"#)
        );
        let first = signed(head(1, None), &[0, 1]);
        let mut odd = head(9_007_199_254_740_991, Some(&first));
        (odd.timestamp, odd.policy) = (-1, Policy { t: 0, n: u32::MAX });
        for head in [head(1, None), head(2, Some(&first)), odd] {
            assert_eq!(
                head.canonical(),
                serde_json_canonicalizer::to_string(&head).expect("it has a canonical form")
            );
        }
    }

    #[test]
    fn a_head_survives_the_wire() {
        let first = signed(head(1, None), &[0, 2]);
        let second = signed(head(2, Some(&first)), &[1, 2]);
        for head in [first, second] {
            let text = serde_json::to_string(&head).expect("it serialises");
            assert_eq!(serde_json::from_str::<TreeHead>(&text).expect("and is read"), head);
        }
    }

    #[test]
    fn two_different_cosigners_make_a_head_count() {
        for good in [&[0, 1][..], &[1, 2], &[2, 0], &[0, 1, 2]] {
            assert_eq!(signed(head(5, None), good).verify(&keys()), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn each_fault_is_named() {
        let good = signed(head(5, None), &[0, 1]);
        let change = |change: fn(&mut TreeHead)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.verify(&keys())
        };
        assert_eq!(change(|head| head.signatures.truncate(1)), Err(BadHead::TooFew(1)));
        assert_eq!(change(|head| head.signatures.clear()), Err(BadHead::TooFew(0)));
        assert_eq!(
            change(|head| head.signatures[1] = head.signatures[0].clone()),
            Err(BadHead::SameCosigner("cosigner_0".into()))
        );
        assert_eq!(
            change(|head| head.signatures[1].cosigner = "cosigner_2".into()),
            Err(BadHead::Signature("cosigner_2".into()))
        );
        assert_eq!(
            change(|head| head.signatures[1].cosigner = "cosigner_3".into()),
            Err(BadHead::UnknownCosigner("cosigner_3".into()))
        );
        assert_eq!(
            change(|head| head.head.root = Hash::of(b"another")),
            Err(BadHead::Signature("cosigner_0".into()))
        );
        assert_eq!(change(|head| head.head.policy.t = 1), Err(BadHead::Policy));
        assert_eq!(change(|head| head.head.tree_size = 0), Err(BadHead::Empty));
        assert_eq!(
            change(|head| head.head.timestamp = 99),
            Err(BadHead::UnknownCosigner("cosigner_0".into()))
        );
    }

    #[test]
    fn old_heads_count_under_the_keys_of_their_time() {
        let mut history = keys();
        for key in &mut history.0 {
            key.until_s = Some(200);
        }
        let mut late = head(6, None);
        late.timestamp = 200;
        assert_eq!(signed(head(5, None), &[0, 1]).verify(&history), Ok(()));
        assert_eq!(
            signed(late, &[0, 1]).verify(&history),
            Err(BadHead::UnknownCosigner("cosigner_0".into()))
        );
        // Whoever has an ended key can write an old time into a head, but not a size that was not reached yet.
        for key in &mut history.0 {
            let head = Hash::of(b"the last head");
            key.ended_at = Some(EndedAt { tree_size: 5, head });
        }
        assert_eq!(signed(head(5, None), &[0, 1]).verify(&history), Ok(()));
        assert_eq!(
            signed(head(6, None), &[0, 1]).verify(&history),
            Err(BadHead::UnknownCosigner("cosigner_0".into()))
        );
    }

    #[test]
    fn heads_are_a_chain() {
        let first = signed(head(5, None), &[0, 1]);
        assert_eq!(first.follows(None), Ok(()));
        assert_eq!(signed(head(6, Some(&first)), &[0, 1]).follows(Some(&first)), Ok(()));
        assert_eq!(signed(head(6, None), &[0, 1]).follows(Some(&first)), Err(BadHead::Link));
        assert_eq!(signed(head(6, Some(&first)), &[0, 1]).follows(None), Err(BadHead::Link));
        assert_eq!(
            signed(head(4, Some(&first)), &[0, 1]).follows(Some(&first)),
            Err(BadHead::Shrunk(5, 4))
        );
        let mut other = head(5, Some(&first));
        other.root = Hash::of(b"another");
        assert_eq!(signed(other, &[0, 1]).follows(Some(&first)), Err(BadHead::TwoRoots(5)));
    }
}
