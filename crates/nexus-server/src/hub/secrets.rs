//! The secret of the source `default`: `NEXUS_SECRET`, and `NEXUS_SECRET_PREVIOUS` while senders change over.
//!
//! A process that serves everything makes one of its own at its first start. One that serves the hub without communities deliberately
//! makes none: its senders are other programs, which would not know it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_types::limits::SECRET_BYTES_MIN;
use zeroize::Zeroizing;

use crate::data::{self, DataDir};
use crate::exits::{Exit, Failure};
use crate::roles::Roles;

/// The variable with the secret.
pub const CURRENT: &str = "NEXUS_SECRET";
/// The variable with the secret before. It counts when the server sees that [`CURRENT`] is a new one, and for 24 hours from then.
pub const PREVIOUS: &str = "NEXUS_SECRET_PREVIOUS";
/// What is appended to a variable's name to name a file instead.
pub const FILE: &str = "_FILE";
/// The secret that this program made, inside of the data directory.
pub const OWN: &str = "hub.secret";
/// A file with more in it holds no secret.
const FILE_BYTES_MAX: u64 = 4_096;
/// Random text has more different letters.
const LETTERS_MIN: usize = 8;
/// How to make one.
const REMEDY: &str = "Set it to 32 random bytes as text, such as from: openssl rand -hex 32";

/// What people leave in a sample, in small letters and without dashes and underscores. A secret that holds one of these is none.
const SAMPLES: &[&str] = &[
    "changeme",
    "yoursecret",
    "yoursharedsecret",
    "replaceme",
    "replacethis",
    "examplesecret",
    "samplesecret",
    "secrethere",
    "placeholder",
];

/// Where the secret came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The environment, or a file that it names.
    Environment,
    /// [`OWN`].
    Own,
}

/// The secrets of the source `default`. They never show themselves.
pub struct Secrets {
    /// What senders sign with.
    pub current: Zeroizing<String>,
    /// What they signed with before.
    pub previous: Option<Zeroizing<String>>,
    /// Where the current one came from.
    pub origin: Origin,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Secrets({:?})", self.origin)
    }
}

/// Reads the secrets, or makes one where that is this program's part.
///
/// # Errors
/// A [`Failure`] that names the variable or the file; never the secret.
pub fn read(data: &DataDir, roles: Roles, environment: impl Fn(&str) -> Option<String>) -> Result<Secrets, Failure> {
    let own = data.file(OWN);
    let Some(secrets) = find(Some(own.as_path()).filter(|_| roles.has_community()), &environment)? else {
        if !roles.has_community() {
            let what = "NEXUS_SECRET is not set, so nobody could sign an event.";
            return Err(Failure::new(Exit::Usage, what, REMEDY));
        }
        make(&own)?;
        return read(data, roles, environment);
    };
    Ok(secrets)
}

/// Reads the secrets that there are: those of the environment, else that of the file, if one is named and there.
///
/// # Errors
/// As [`read`].
pub fn find(own: Option<&Path>, environment: &impl Fn(&str) -> Option<String>) -> Result<Option<Secrets>, Failure> {
    let previous = variable(PREVIOUS, environment)?;
    let (current, origin) = match (variable(CURRENT, environment)?, own) {
        (Some(current), _) => (current, Origin::Environment),
        (None, Some(path)) if path.exists() => (kept(path)?, Origin::Own),
        (None, _) => return Ok(None),
    };
    Ok(Some(Secrets { current, previous, origin }))
}

/// A secret from its variable, or from the file that its variable with `_FILE` names.
fn variable(name: &str, environment: &impl Fn(&str) -> Option<String>) -> Result<Option<Zeroizing<String>>, Failure> {
    let in_file = format!("{name}{FILE}");
    let (text, place) = match (environment(name).map(Zeroizing::new), environment(&in_file)) {
        (Some(_), Some(_)) => {
            return Err(Failure::new(
                Exit::Usage,
                format!("{name} and {in_file} are both set."),
                "Unset one of them.",
            ));
        }
        (Some(text), None) => (text, name.to_owned()),
        (None, Some(path)) => (file(Path::new(&path), &in_file)?, format!("{in_file} ({path})")),
        (None, None) => return Ok(None),
    };
    // A variable that is there but empty is how "no longer" looks in many a compose file.
    if name == PREVIOUS && text.is_empty() {
        return Ok(None);
    }
    match fault(&text) {
        None => Ok(Some(text)),
        Some(what) => Err(Failure::new(
            Exit::Data,
            format!("{place} is not a secret that may be used: {what}."),
            REMEDY,
        )),
    }
}

/// The text of a file that its owner alone can read, without the line's end.
///
/// # Errors
/// A [`Failure`] that names the variable.
pub(super) fn file(path: &Path, variable: &str) -> Result<Zeroizing<String>, Failure> {
    let named = |failure: Failure| Failure {
        what: format!("{variable}: {}", failure.what),
        ..failure
    };
    data::private(path, 0o600).map_err(named)?;
    let is_small = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= FILE_BYTES_MAX);
    if !is_small {
        let what = format!("{variable}: {} is no file of at most {FILE_BYTES_MAX} bytes.", path.display());
        return Err(Failure::new(Exit::Data, what, "Name the file that holds the secret alone."));
    }
    let mut text = String::from_utf8(data::read(path).map_err(named)?)
        .map(Zeroizing::new)
        .map_err(|_| Failure::new(Exit::Data, format!("{variable}: {} is no text.", path.display()), REMEDY))?;
    let kept = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(kept);
    Ok(text)
}

/// Makes the secret of the data directory.
fn make(path: &Path) -> Result<(), Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|cause| data::unwritable(path, &std::io::Error::other(cause)))?;
    let text = Zeroizing::new(format!("{}\n", URL_SAFE_NO_PAD.encode(*bytes)));
    data::write_whole(path, text.as_bytes()).map_err(|cause| data::unwritable(path, &cause))
}

/// The secret of the data directory.
fn kept(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = file(path, OWN)?;
    match fault(&text) {
        None => Ok(text),
        Some(what) => Err(data::damaged(path, what)),
    }
}

/// Why this is no secret. What is said never repeats it.
pub fn fault(text: &str) -> Option<&'static str> {
    if text.len() < SECRET_BYTES_MIN {
        return Some("it is shorter than 32 bytes");
    }
    let folded: Zeroizing<String> = Zeroizing::new(
        text.chars()
            .filter(|letter| !['-', '_', ' '].contains(letter))
            .map(|letter| letter.to_ascii_lowercase())
            .collect(),
    );
    if SAMPLES.iter().any(|sample| folded.contains(sample)) {
        return Some("it is a sample that others know");
    }
    let mut letters: Vec<u8> = text.bytes().collect();
    letters.sort_unstable();
    letters.dedup();
    (letters.len() < LETTERS_MIN).then_some("it is not random")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const GOOD: &str = "4f9c1e07b6d82a35c0e1f7b94d6a8823d5e0719c";

    fn data() -> (tempfile::TempDir, DataDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(&folder.path().join("data")).expect("made");
        (folder, data)
    }

    fn set<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_whole_server_makes_its_own_once_and_the_hub_alone_never() {
        let (_folder, data) = data();
        let failure = read(&data, Roles::EVENTS, set(&[])).expect_err("nobody could sign");
        assert!(failure.exit == Exit::Usage && failure.what.contains("NEXUS_SECRET"), "{failure}");
        assert!(!data.file(OWN).exists());
        let first = read(&data, Roles::ALL, set(&[])).expect("made");
        let second = read(&data, Roles::ALL, set(&[])).expect("read");
        assert_eq!((first.origin, &first.current), (Origin::Own, &second.current));
        let mode = fs::metadata(data.file(OWN)).expect("there").permissions().mode() & 0o777;
        assert!(mode == 0o600 && fault(&first.current).is_none() && first.current.len() == 43);
        fs::set_permissions(data.file(OWN), fs::Permissions::from_mode(0o640)).expect("opened");
        let failure = read(&data, Roles::ALL, set(&[])).expect_err("open to others");
        assert!(failure.next.contains("chmod 600"), "{failure}");
    }

    #[test]
    fn the_environment_wins_and_may_name_files() {
        let (folder, data) = data();
        let path = folder.path().join("secret");
        fs::write(&path, format!("{GOOD}\n")).expect("written");
        let file = path.to_str().expect("UTF-8");
        let from_file = [("NEXUS_SECRET_FILE", file), ("NEXUS_SECRET_PREVIOUS", "")];
        let failure = read(&data, Roles::EVENTS, set(&from_file)).expect_err("open to others");
        assert!(failure.what.contains("NEXUS_SECRET_FILE"), "{failure}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
        let secrets = read(&data, Roles::EVENTS, set(&from_file)).expect("good");
        assert_eq!((secrets.current.as_str(), secrets.previous.is_none()), (GOOD, true));
        let both = [("NEXUS_SECRET", GOOD), ("NEXUS_SECRET_FILE", file)];
        assert!(read(&data, Roles::EVENTS, set(&both)).expect_err("which?").what.contains("both"));
        let rotating = [("NEXUS_SECRET", GOOD), ("NEXUS_SECRET_PREVIOUS_FILE", file)];
        let secrets = read(&data, Roles::ALL, set(&rotating)).expect("good");
        assert!(secrets.origin == Origin::Environment && secrets.previous.is_some());
        assert!(!data.file(OWN).exists(), "nothing is made beside it");
        let gone = [("NEXUS_SECRET_FILE", "/nowhere/secret")];
        let failure = read(&data, Roles::EVENTS, set(&gone)).expect_err("not there");
        assert!(failure.what.contains("NEXUS_SECRET_FILE: Can't read"), "{failure}");
    }

    #[test]
    fn short_and_known_secrets_are_refused_by_name_and_not_repeated() {
        let (_folder, data) = data();
        let long = |text: &str| format!("{text}-{}", &GOOD[..32]);
        for bad in [
            String::new(),
            GOOD[..31].to_owned(),
            "a".repeat(64),
            "ab".repeat(32),
            "changeme".repeat(4),
            long("ChangeMe"),
            long("change_me"),
            long("your-secret-here"),
        ] {
            for name in [CURRENT, PREVIOUS] {
                if name == PREVIOUS && bad.is_empty() {
                    continue;
                }
                let pairs = [(name, bad.as_str()), ("NEXUS_SECRET", GOOD)];
                let failure = read(&data, Roles::EVENTS, set(&pairs)).expect_err(&bad);
                assert!(failure.exit == Exit::Data && failure.what.contains(name), "{failure}");
                assert!(bad.is_empty() || !failure.to_string().contains(&bad), "the secret is not repeated");
            }
        }
        assert_eq!(fault(GOOD), None);
    }
}
