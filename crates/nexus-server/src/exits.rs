//! Why the program ended: an exit code, what went wrong, and what to do about it.

use std::fmt;

/// The exit codes of `nexus`; `docs/guide/configuration.md` lists them for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Something failed while running; also what `nexus health` says of an unhealthy server.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Another process uses the data directory.
    InUse = 3,
    /// The data directory or a secret in it is readable for others, damaged or missing.
    Data = 4,
    /// An address can't be listened on.
    Listen = 5,
    /// The database can't be opened.
    Store = 6,
    /// Stopping took too long, so what was still running was cut off.
    Drain = 7,
    /// A key log that was to be verified can't be reached, so nothing is known of it.
    Unreachable = 8,
}

/// A failure for the operator: its cause, then the next command.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong, as a sentence.
    pub what: String,
    /// What to do now.
    pub next: String,
}

impl Failure {
    /// A failure with its way out.
    pub fn new(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            next: next.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "error: {}\n{}", self.what, self.next)
    }
}

impl std::error::Error for Failure {}
