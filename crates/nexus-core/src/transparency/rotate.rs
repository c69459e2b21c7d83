//! The cosigners' keys: which of them count, and how one takes the place of another.

use nexus_crypto::keys::{PublicKey, Signature};
use nexus_crypto::logs::{LogId, endorsement_message};
use nexus_crypto::registrations::FUTURE_S_MAX;
use nexus_crypto::tree_heads::{CosignerKey, EndedAt, POLICY};
use nexus_store::StoreError;
use nexus_store::transparency::{LogStore, StoredKey};

use super::StartError;
use super::cosign::Seat;

/// A key that is to take the place of a cosigner's.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The cosigner.
    pub cosigner: String,
    /// Its new key.
    pub public_key: PublicKey,
    /// From this second on; the old key counts up to it.
    pub from_s: i64,
    /// The old key's word for it. Without it, everybody who saw the old key is alarmed, and has to be told another way.
    pub endorsement: Option<Signature>,
    /// Who holds it.
    pub operator: String,
    /// Where the cosigner answers.
    pub url: Option<String>,
}

/// Why a key can't take the place of another.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// A proposal waits for signatures by the keys of its time.
    #[error("a proposal is not published yet; start the server until its cosigners have signed it")]
    Pending,
    /// No cosigner has that name.
    #[error("the log has no cosigner {0}")]
    UnknownCosigner(String),
    /// A cosigner has or had that key.
    #[error("{0} has or had that key")]
    KnownKey(String),
    /// Heads up to this second were signed by the old key, or it lies in the future.
    #[error("the new key must begin after second {0}, that of the latest head and of the old key's beginning, and not in the future")]
    From(i64),
    /// It is not the old key's word for this key and this time.
    #[error("the endorsement is not by the old key, or for another key or time")]
    Endorsement,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Lets a new key take the place of a cosigner's, while the log does not publish. Old heads go on to verify under the old key.
///
/// # Errors
/// [`RotateError`]; nothing was changed then.
pub async fn rotate(store: &LogStore, new: NewKey, now_s: i64) -> Result<Vec<StoredKey>, RotateError> {
    let state = store.state().await?;
    let Some(log_id) = state.log_id else {
        return Err(RotateError::UnknownCosigner(new.cosigner));
    };
    if state.pending.is_some() {
        return Err(RotateError::Pending);
    }
    let mut keys = state.keys;
    if let Some(same) = keys.iter().find(|known| known.key.public_key == new.public_key) {
        return Err(RotateError::KnownKey(same.key.cosigner.clone()));
    }
    let Some(old) = keys.iter_mut().find(|known| is_current(known, &new.cosigner)) else {
        return Err(RotateError::UnknownCosigner(new.cosigner));
    };
    let latest_s = state
        .head
        .as_ref()
        .map_or(old.key.from_s, |head| head.head.timestamp.max(old.key.from_s));
    if new.from_s <= latest_s || new.from_s > now_s.max(latest_s) + FUTURE_S_MAX {
        return Err(RotateError::From(latest_s));
    }
    if let Some(endorsement) = &new.endorsement
        && !endorses(&old.key, log_id, &new, endorsement)
    {
        return Err(RotateError::Endorsement);
    }
    old.key.until_s = Some(new.from_s);
    old.key.ended_at = state.head.as_ref().map(|head| EndedAt {
        tree_size: head.head.tree_size,
        head: head.head.hash(),
    });
    keys.push(StoredKey {
        key: CosignerKey {
            cosigner: new.cosigner,
            public_key: new.public_key,
            from_s: new.from_s,
            until_s: None,
            endorsement: new.endorsement,
            ended_at: None,
        },
        operator: new.operator,
        url: new.url,
    });
    store.set_keys(keys.clone()).await?;
    Ok(keys)
}

fn is_current(known: &StoredKey, cosigner: &str) -> bool {
    known.key.cosigner == cosigner && known.key.until_s.is_none()
}

fn endorses(old: &CosignerKey, log_id: LogId, new: &NewKey, endorsement: &Signature) -> bool {
    let message = endorsement_message(&log_id, &new.cosigner, &new.public_key, new.from_s);
    old.public_key.verifies(&message, endorsement)
}

/// Are the seats those whose keys the log lists? A new log lists them; who moved is listed anew.
pub(super) async fn check_seats(store: &LogStore, mut keys: Vec<StoredKey>, seats: &[Seat]) -> Result<Vec<StoredKey>, StartError> {
    assert_eq!(seats.len(), POLICY.n as usize, "boot gives as many seats as the policy has");
    let shares = |one: &Seat| seats.iter().filter(|other| other.public_key == one.public_key).count() > 1;
    if seats.iter().any(shares) {
        return Err(StartError::SameKey);
    }
    let before = keys.clone();
    for seat in seats {
        match keys.iter_mut().find(|known| is_current(known, &seat.name)) {
            Some(known) if known.key.public_key == seat.public_key => {
                (known.operator, known.url) = (seat.operator.clone(), seat.url.clone());
            }
            None if before.is_empty() => keys.push(first_key(seat)),
            Some(_) | None => {
                let cosigner = seat.name.clone();
                return Err(StartError::KeyDiffers { cosigner });
            }
        }
    }
    if keys != before {
        store.set_keys(keys.clone()).await?;
    }
    Ok(keys)
}

/// The key of a new log's cosigner counts from the beginning of time: no clock can then make the log's first head too old for it.
fn first_key(seat: &Seat) -> StoredKey {
    StoredKey {
        key: CosignerKey {
            cosigner: seat.name.clone(),
            public_key: seat.public_key,
            from_s: 0,
            until_s: None,
            endorsement: None,
            ended_at: None,
        },
        operator: seat.operator.clone(),
        url: seat.url.clone(),
    }
}
