//! The data directory: private to its owner, locked by one process, with the secrets made once and reused for ever.
//!
//! It deliberately repairs nothing that it did not leave behind itself: a secret that is missing beside a database, or that others
//! can read, stops the start with the command that helps.
//!
//! # Invariant
//! A file with a secret appears under its name whole or not at all, so that a first start that was cut off heals at the second.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nexus_core::keys::{Keys, generate_jwt_pkcs8};

use crate::exits::{Exit, Failure};

/// The database inside of the data directory.
pub const DATABASE: &str = "nexus.db";
/// The configuration inside of the data directory.
pub const CONFIG: &str = "nexus.toml";
const LOCK: &str = "nexus.lock";
const INSTANCE_KEY: &str = "instance.key";
const SIGNING_KEY: &str = "jwt.key";
const INSTANCE_KEY_BYTES: usize = 32;

/// The data directory, held by this process as long as the value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The lock is the open file.
    _lock: File,
}

/// The secrets of the instance: the first seals what must come back to us, the second signs access tokens.
pub struct Secrets {
    /// 32 random bytes.
    pub instance: [u8; INSTANCE_KEY_BYTES],
    /// An Ed25519 key in PKCS#8.
    pub signing: Vec<u8>,
}

impl DataDir {
    /// Makes or opens the directory and locks it.
    ///
    /// # Errors
    /// A [`Failure`] if it can't be made, is open to others, or is used by another process.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        make_private(path)?;
        let lock = lock(path)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the commented configuration if there is none.
    ///
    /// # Errors
    /// A [`Failure`] if it can't be written.
    pub fn write_config(&self, text: &str) -> Result<(), Failure> {
        let path = self.file(CONFIG);
        if path.exists() {
            Ok(())
        } else {
            write_whole(&path, text.as_bytes()).map_err(|cause| unwritable(&path, &cause))
        }
    }

    /// Reads the secrets, or makes them at the first start. `elsewhere` names files that an operator keeps outside
    /// (`NEXUS_INSTANCE_KEY_FILE`, `NEXUS_JWT_KEY_FILE`).
    ///
    /// # Errors
    /// A [`Failure`] if one is open to others, has the wrong length, or is missing though there is a database.
    pub fn secrets(&self, elsewhere: impl Fn(&str) -> Option<PathBuf>) -> Result<Secrets, Failure> {
        let instance_path = match elsewhere("NEXUS_INSTANCE_KEY_FILE") {
            Some(path) => path,
            None => self.own_secret(INSTANCE_KEY, || random().map(Vec::from))?,
        };
        let signing_path = match elsewhere("NEXUS_JWT_KEY_FILE") {
            Some(path) => path,
            None => self.own_secret(SIGNING_KEY, || Ok(generate_jwt_pkcs8().to_vec()))?,
        };
        let instance = read(&instance_path)?;
        let length = instance.len();
        let what = format!("it has {length} bytes instead of {INSTANCE_KEY_BYTES}");
        Ok(Secrets {
            instance: instance.try_into().map_err(|_| damaged(&instance_path, &what))?,
            signing: read(&signing_path)?,
        })
    }

    /// Turns the secrets into keys.
    ///
    /// # Errors
    /// A [`Failure`] if one is no key.
    pub fn keys(&self, elsewhere: impl Fn(&str) -> Option<PathBuf>) -> Result<Keys, Failure> {
        let secrets = self.secrets(elsewhere)?;
        Keys::from_parts(secrets.instance, &secrets.signing).map_err(|cause| damaged(&self.path, &cause.to_string()))
    }

    /// The path of a secret that is in the directory, made first if need be.
    fn own_secret(&self, name: &str, make: impl Fn() -> io::Result<Vec<u8>>) -> Result<PathBuf, Failure> {
        let path = self.file(name);
        if path.exists() {
            private(&path, 0o600)?;
        } else if self.file(DATABASE).exists() {
            return Err(Failure::new(
                Exit::Data,
                format!(
                    "{} is missing, but there is a database beside it that was made with it.",
                    path.display()
                ),
                format!("Restore {name} from your backup. Without it every login ends; if you accept that, move the database away too."),
            ));
        } else {
            make()
                .and_then(|key| write_whole(&path, &key))
                .map_err(|cause| unwritable(&path, &cause))?;
        }
        Ok(path)
    }
}

fn random() -> io::Result<[u8; INSTANCE_KEY_BYTES]> {
    let mut key = [0; INSTANCE_KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(key)
}

pub(crate) fn unwritable(path: &Path, cause: &io::Error) -> Failure {
    Failure::new(
        Exit::Data,
        format!("Can't write {}: {cause}.", path.display()),
        "Check who owns the folder, and that the disk has room.",
    )
}

/// Makes the directory with mode 0700; one that exists and is empty is made private, any other must be.
pub(crate) fn make_private(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|cause| {
        Failure::new(
            Exit::Data,
            format!("Can't make the data directory {}: {cause}.", path.display()),
            "Choose another with --data, or make it and give it to this user.",
        )
    })?;
    let empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if empty {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(|cause| unwritable(path, &cause))?;
    }
    private(path, 0o700)
}

/// Refuses what the group or others can read or write.
pub(crate) fn private(path: &Path, mode: u32) -> Result<(), Failure> {
    let metadata = fs::metadata(path).map_err(|cause| unreadable(path, &cause))?;
    // The six lowest bits are the rights of the group and of others.
    if metadata.mode().trailing_zeros() >= 6 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Data,
        format!(
            "Other users of this machine can get at {} (mode {:o}).",
            path.display(),
            metadata.mode() & 0o777
        ),
        format!("Close it with: chmod {mode:o} {}", path.display()),
    ))
}

fn unreadable(path: &Path, cause: &io::Error) -> Failure {
    Failure::new(
        Exit::Data,
        format!("Can't read {}: {cause}.", path.display()),
        "Check that it exists and belongs to this user.",
    )
}

fn lock(path: &Path) -> Result<File, Failure> {
    let name = path.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .map_err(|cause| unwritable(&name, &cause))?;
    match file.try_lock() {
        Ok(()) => {
            let pid = std::process::id().to_string();
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| file.write_all(pid.as_bytes()))
                .map_err(|cause| unwritable(&name, &cause))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let process = if file.read_to_string(&mut pid).is_ok() && !pid.is_empty() {
                format!(" (process {pid})")
            } else {
                String::new()
            };
            Err(Failure::new(
                Exit::InUse,
                format!("Another nexus{process} is using the data directory {}.", path.display()),
                "Stop it first, or choose another directory with --data.",
            ))
        }
        Err(TryLockError::Error(cause)) => Err(unwritable(&name, &cause)),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|cause| unreadable(path, &cause))
}

pub(crate) fn damaged(path: &Path, what: &str) -> Failure {
    Failure::new(
        Exit::Data,
        format!("A secret in {} is damaged: {what}.", path.display()),
        "Restore it from your backup. If this server never ran, delete it and start again.",
    )
}

/// Writes a file of mode 0600 that appears under its name only when it is wholly on the disk.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_added_extension("new");
    // A draft is what a start left behind that was cut off; nobody else can be writing it, as we hold the lock.
    match fs::remove_file(&draft) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_folder(path)
}

/// Makes sure that a name in a folder lasts.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o777
    }

    fn nowhere(_: &str) -> Option<PathBuf> {
        None
    }

    #[test]
    fn the_second_start_reuses_what_the_first_one_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/data");
        let first = DataDir::open(&path).expect("the first start");
        let secrets = first.secrets(nowhere).expect("made");
        assert_eq!(
            (mode(&path), mode(&path.join(INSTANCE_KEY)), mode(&path.join(SIGNING_KEY))),
            (0o700, 0o600, 0o600)
        );
        drop(first);
        let again = DataDir::open(&path).expect("the second start").secrets(nowhere).expect("read");
        assert_eq!((secrets.instance, secrets.signing), (again.instance, again.signing));
        data_is_good(&path);
    }

    fn data_is_good(path: &Path) {
        DataDir::open(path)
            .expect("a third start")
            .keys(nowhere)
            .map(drop)
            .expect("good keys");
    }

    #[test]
    fn a_second_process_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let _first = DataDir::open(folder.path()).expect("the first");
        let failure = DataDir::open(folder.path()).expect_err("the second");
        assert_eq!(failure.exit, Exit::InUse);
        assert!(failure.what.contains(&std::process::id().to_string()), "{failure}");
    }

    #[test]
    fn what_others_can_read_is_refused_with_the_command_that_helps() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data");
        let data = DataDir::open(&path).expect("made");
        data.secrets(nowhere).map(drop).expect("made");
        fs::set_permissions(path.join(SIGNING_KEY), fs::Permissions::from_mode(0o640)).expect("opened");
        let failure = data.secrets(nowhere).map(drop).expect_err("an open secret");
        assert_eq!((failure.exit, failure.next.contains("chmod 600")), (Exit::Data, true));
        drop(data);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("opened");
        assert!(DataDir::open(&path).expect_err("an open folder").next.contains("chmod 700"));
    }

    #[test]
    fn an_empty_folder_that_is_open_is_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("opened");
        DataDir::open(folder.path()).map(drop).expect("taken");
        assert_eq!(mode(folder.path()), 0o700);
    }

    #[test]
    fn a_first_start_that_was_cut_off_heals() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data");
        let data = DataDir::open(&path).expect("made");
        fs::write(path.join("instance.key.new"), b"half").expect("left behind");
        fs::write(path.join("nexus.toml.new"), b"[ser").expect("left behind");
        data.secrets(nowhere).map(drop).expect("made anew");
        data.write_config("# whole").expect("written");
        assert_eq!(fs::read_to_string(path.join(CONFIG)).expect("there"), "# whole");
        assert!(!path.join("instance.key.new").exists());
    }

    #[test]
    fn a_lost_key_beside_a_database_stops_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(&folder.path().join("data")).expect("made");
        data.secrets(nowhere).map(drop).expect("made");
        fs::write(data.file(DATABASE), b"rows").expect("a database");
        fs::remove_file(data.file(INSTANCE_KEY)).expect("lost");
        assert_eq!(data.secrets(nowhere).map(drop).expect_err("not made anew").exit, Exit::Data);
        fs::write(data.file(INSTANCE_KEY), b"short").expect("damaged");
        fs::set_permissions(data.file(INSTANCE_KEY), fs::Permissions::from_mode(0o600)).expect("closed");
        assert!(data.secrets(nowhere).map(drop).expect_err("damaged").what.contains("5 bytes"));
    }
}
