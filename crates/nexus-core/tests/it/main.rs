//! The use cases over a real store, with a clock that stands still. One module a noun.

mod support;

mod logins;
mod setup;
mod users;
