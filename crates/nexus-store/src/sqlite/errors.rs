//! SQLite's result codes, sorted by what the caller may do. Source: <https://sqlite.org/rescode.html>.

use rusqlite::{Error, ErrorCode, ffi};

use crate::StoreError;

/// Turns an error of SQLite into ours.
pub(crate) fn classify(doing: &'static str, error: &Error) -> StoreError {
    let Error::SqliteFailure(code, message) = error else {
        return StoreError::internal(doing, error);
    };
    match (code.code, code.extended_code) {
        (ErrorCode::DiskFull, _) => StoreError::Full,
        (ErrorCode::OperationInterrupted, _) => StoreError::Timeout,
        (ErrorCode::ReadOnly, _) => StoreError::ReadOnly,
        (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID) => StoreError::Unique {
            cause: message.as_deref().unwrap_or("unique index").into(),
        },
        _ => StoreError::internal(doing, error),
    }
}

/// Whether the error means that the file or the disk under it can't be trusted until a write succeeded again.
pub(super) fn is_disk_failure(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::CannotOpen
                | ErrorCode::NotADatabase
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}
