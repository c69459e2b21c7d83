//! The secrets of the key log: its own key, and those of the cosigners in this process.
//!
//! A cosigner's key comes from `COSIGNER_{0,1,2}_SK` or, made once, from a file of the data directory. It deliberately makes no key
//! anew beside what the old one signed (a store in which nothing was signed yet needs none): that would be another cosigner under the same name.

use std::path::{Path, PathBuf};

use nexus_crypto::keys::SigningKey;
use nexus_store::cosigners::CosignerStore;
use zeroize::Zeroizing;

use crate::config::COSIGNERS;
use crate::data::{self, DataDir};
use crate::exits::{Exit, Failure};

/// The folder of cosigners inside of the data directory.
pub const FOLDER: &str = "cosigners";
const LOG_KEY: &str = "log.key";
const SEED_BYTES: usize = 32;

/// Seeds that stand in documents and tests of others, as hexadecimal digits.
///
/// # Source
/// RFC 8032, section 7.1, tests 1 to 3; and what people type who need 32 bytes.
const SAMPLES: &[&str] = &[
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];

/// Where the key of a cosigner came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A variable of the environment.
    Environment,
    /// A file of the data directory.
    File,
}

/// The variable that holds the key of a cosigner.
pub fn variable(name: &str) -> String {
    format!("{}_SK", name.to_ascii_uppercase())
}

/// The key with which the log signs what it asks of cosigners, made at the first start.
///
/// # Errors
/// A [`Failure`] if it is open to others, damaged, or missing beside cosigners who know it.
pub fn log_key(data: &DataDir) -> Result<SigningKey, Failure> {
    let path = data.file(LOG_KEY);
    if path.exists() {
        return read(&path);
    }
    if data.file(FOLDER).exists() {
        return Err(missing(&path, "the key log"));
    }
    make(&path)
}

/// The key of a cosigner of this process; made anew only if the log does not list one (`listed`) and nothing was signed with one.
///
/// # Errors
/// A [`Failure`] that names the variable or the file.
pub fn cosigner_key(
    data: &DataDir,
    name: &str,
    listed: bool,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(SigningKey, Origin), Failure> {
    let variable = variable(name);
    if let Some(text) = environment(&variable).map(Zeroizing::new) {
        return parse(&text).map(|key| (key, Origin::Environment)).map_err(|what| {
            Failure::new(
                Exit::Data,
                format!("{variable} is not a key that may be used: {what}."),
                format!("Set it to base64 of 32 random bytes, such as from: head -c 32 /dev/urandom | base64. Or unset {variable}."),
            )
        });
    }
    data::make_private(&data.file(FOLDER))?;
    let path = key_file(data, name);
    let key = if path.exists() {
        read(&path)?
    } else if listed {
        return Err(Failure::new(
            Exit::Data,
            format!("{} is missing, and the key log lists a key of {name}.", path.display()),
            format!("Restore it from your backup, or set {variable}. If it is lost: nexus cosigner rotate --lost --cosigner {name}"),
        ));
    } else if was_used(&store_file(data, name)) {
        return Err(missing(&path, name));
    } else {
        make(&path)?
    };
    Ok((key, Origin::File))
}

/// Did a cosigner see or sign anything with this file? One that can't be read may have.
fn was_used(store: &Path) -> bool {
    store.exists() && !matches!(CosignerStore::is_unused(store), Ok(true))
}

/// The file with the key of a cosigner.
pub fn key_file(data: &DataDir, name: &str) -> PathBuf {
    data.file(FOLDER).join(format!("{name}.key"))
}

/// The file with what a cosigner saw and signed.
pub fn store_file(data: &DataDir, name: &str) -> PathBuf {
    data.file(FOLDER).join(format!("{name}.db"))
}

/// The number of a cosigner: its place among the three.
pub fn place(name: &str) -> Option<usize> {
    COSIGNERS.iter().position(|known| *known == name)
}

/// Reads a key from base64, and refuses one that everybody knows.
///
/// # Errors
/// What is wrong with it; never the secret itself.
pub fn parse(text: &str) -> Result<SigningKey, String> {
    let key = SigningKey::parse(text.trim()).map_err(|cause| cause.to_string())?;
    if is_sample(key.seed()) {
        return Err("it stands in public documents".to_owned());
    }
    Ok(key)
}

fn is_sample(seed: &[u8; SEED_BYTES]) -> bool {
    let hex = Zeroizing::new(
        seed.iter()
            .fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}")),
    );
    seed.iter().all(|byte| *byte == seed[0]) || SAMPLES.contains(&hex.as_str())
}

/// Reads a key from its file of 32 bytes.
///
/// # Errors
/// A [`Failure`] if others can read it, or it is no key.
pub fn read(path: &Path) -> Result<SigningKey, Failure> {
    data::private(path, 0o600)?;
    let bytes = Zeroizing::new(data::read(path)?);
    let seed: &[u8; SEED_BYTES] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| data::damaged(path, &format!("it has {} bytes instead of {SEED_BYTES}", bytes.len())))?;
    if is_sample(seed) {
        return Err(data::damaged(path, "it is not random"));
    }
    Ok(SigningKey::from_seed(seed))
}

/// Makes a key and its file.
///
/// # Errors
/// A [`Failure`] if it can't be written.
pub fn make(path: &Path) -> Result<SigningKey, Failure> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    getrandom::fill(seed.as_mut_slice()).map_err(|cause| data::unwritable(path, &std::io::Error::other(cause)))?;
    data::write_whole(path, seed.as_slice()).map_err(|cause| data::unwritable(path, &cause))?;
    Ok(SigningKey::from_seed(&seed))
}

fn missing(path: &Path, whose: &str) -> Failure {
    Failure::new(
        Exit::Data,
        format!("{} is missing, but {whose} has used it.", path.display()),
        "Restore it from your backup; a key made anew would be somebody else's.",
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use nexus_crypto::logs::LogId;

    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("digits"))
            .collect()
    }

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(&folder.path().join("data")).expect("made");
        let log = log_key(&data).expect("made");
        let (first, origin) = cosigner_key(&data, "cosigner_0", false, nothing).expect("made");
        assert_eq!(origin, Origin::File);
        assert_eq!(
            cosigner_key(&data, "cosigner_0", false, nothing).expect("read").0.public(),
            first.public()
        );
        assert_eq!(log_key(&data).expect("read").public(), log.public());
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&data.file(FOLDER)), mode(&key_file(&data, "cosigner_0"))), (0o700, 0o600));
        fs::set_permissions(key_file(&data, "cosigner_0"), fs::Permissions::from_mode(0o644)).expect("opened");
        let failure = cosigner_key(&data, "cosigner_0", false, nothing).expect_err("open to others");
        assert!(failure.next.contains("chmod 600"), "{failure}");
        fs::remove_file(data.file(LOG_KEY)).expect("lost");
        assert_eq!(log_key(&data).expect_err("not made anew").exit, Exit::Data);
    }

    #[test]
    fn a_key_that_has_signed_is_not_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(&folder.path().join("data")).expect("made");
        cosigner_key(&data, "cosigner_2", false, nothing).map(drop).expect("made");
        fs::write(store_file(&data, "cosigner_2"), b"rows").expect("it signed");
        fs::remove_file(key_file(&data, "cosigner_2")).expect("lost");
        let failure = cosigner_key(&data, "cosigner_2", false, nothing).expect_err("lost");
        assert!(failure.exit == Exit::Data && failure.what.contains("cosigner_2.key"), "{failure}");
    }

    #[test]
    fn a_store_in_which_nothing_was_signed_needs_no_old_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(&folder.path().join("data")).expect("made");
        let (first, _) = cosigner_key(&data, "cosigner_2", false, nothing).expect("made");
        CosignerStore::open(&store_file(&data, "cosigner_2"), LogId([1; 32]))
            .map(drop)
            .expect("made");
        fs::remove_file(key_file(&data, "cosigner_2")).expect("lost");
        let failure = cosigner_key(&data, "cosigner_2", true, nothing).expect_err("the log lists the lost one");
        assert!(failure.what.contains("cosigner_2.key"), "{failure}");
        let (second, _) = cosigner_key(&data, "cosigner_2", false, nothing).expect("made anew");
        assert_ne!(first.public(), second.public());
    }

    #[test]
    fn the_environment_comes_first_and_is_named_when_it_is_wrong() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(&folder.path().join("data")).expect("made");
        let mut seed = [7; 32];
        seed[3] = 1;
        let key = SigningKey::from_seed(&seed);
        let both = [&seed[..], key.public().as_bytes()].concat();
        for good in [
            STANDARD.encode(seed),
            STANDARD.encode(&both),
            format!("{}\n", STANDARD.encode(seed)),
        ] {
            let set = |name: &str| (name == "COSIGNER_1_SK").then(|| good.clone());
            let (read, origin) = cosigner_key(&data, "cosigner_1", false, set).expect("a good key");
            assert_eq!((read.public(), origin), (key.public(), Origin::Environment));
        }
        assert!(!key_file(&data, "cosigner_1").exists(), "nothing is made beside it");
        let samples = SAMPLES.iter().map(|sample| STANDARD.encode(bytes(sample)));
        let wrong = [
            "",
            "x",
            &STANDARD.encode([0; 32]),
            &STANDARD.encode([9; 31]),
            &STANDARD.encode([1; 64]),
        ]
        .map(str::to_owned);
        for bad in samples.chain(wrong) {
            let failure = cosigner_key(&data, "cosigner_1", false, |_| Some(bad.clone())).expect_err(&bad);
            assert!(failure.exit == Exit::Data && failure.what.contains("COSIGNER_1_SK"), "{failure}");
            assert!(bad.len() < 4 || !failure.to_string().contains(&bad), "the secret is not repeated");
        }
    }
}
