//! The laws of the store, each on every backend.

#[macro_use]
mod support;

mod bus;
mod failures;
mod files;
mod log;
mod reads;
mod sql_logins;
mod sql_users;
mod writes;
