//! Files and what has to be synced when.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// The ending of a file that is not whole yet.
const UNFINISHED: &str = "tmp";

/// Makes an error of the file system ours, and names the file for the operator.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreError::Full,
        _ => StoreError::internal(doing, format_args!("{}: {error}", path.display())),
    }
}

/// Makes the folder, mode 0700, if there is none.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Ok(()) => {
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            sync_folder(parent.unwrap_or(Path::new(".")))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens a file to read and write, and makes it, mode 0600, if there is none.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// New and vanished names survive a power cut only after this.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Where a file is written before it is whole.
pub(super) fn unfinished(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.{UNFINISHED}"))
}

/// Puts a whole file in the place of what was there: afterwards there is the new one, or still the old one, never a part.
pub(super) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(folder, name);
    let written = remove(&unfinished).and_then(|()| {
        let mut file = open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(name))
    });
    if let Err(error) = written {
        discard(&unfinished);
        return Err(error);
    }
    sync_folder(folder)
}

/// Removes a file if there is one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes what the next start would remove anyway.
pub(super) fn discard(path: &Path) {
    if let Err(error) = remove(path) {
        tracing::warn!(%error, "could not remove {}; the next start does it", path.display());
    }
}

/// The content of a file, if there is one.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes at the end of what counts of a file, and syncs. `room` is how much of it may be written.
pub(super) fn append(file: &File, end: u64, bytes: &[u8], room: u64) -> io::Result<()> {
    let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
    write_all_at(file, &bytes[..fits], end)?;
    if fits < bytes.len() {
        return Err(ErrorKind::StorageFull.into());
    }
    file.sync_data()
}

/// Cuts a file off.
pub(super) fn cut(file: &File, end: u64) -> io::Result<()> {
    if file.metadata()?.len() == end {
        return Ok(());
    }
    file.set_len(end)?;
    file.sync_all()
}

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}
