//! The only crate that sees SQL: a database as a queue of jobs, the event log, and the bus that carries the log inside a process.
//!
//! `db.write(async move |tx| …)` is the only way to write, `db.read(…)` the way to read. Jobs of many callers share one
//! transaction and one sync to the disk, each in its own savepoint, and are answered only after the commit.
//!
//! It deliberately knows nothing of users' rights, HTTP or the gateway. The page of this subsystem is `docs/subsystems/store.md`.

mod bus;
pub mod cosigners;
mod db;
mod error;
mod jsonl;
pub mod limits;
pub mod log;
pub mod sql;
mod sqlite;
pub mod transparency;
mod tx;
mod values;

pub use bus::{Bus, Entry, Fleeting, NewEntry, Window};
pub use db::{Db, Options};
pub use error::{NotReady, StoreError};
pub use tx::Tx;
pub use values::{Column, ColumnValue, Row, Value};
