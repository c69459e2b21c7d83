//! The use cases over a real store, with a clock that stands still. One module a noun.

mod harbour;
mod support;

mod bots;
mod channels;
mod guilds;
mod hub;
mod invites;
mod logins;
mod members;
mod messages;
mod read_states;
mod sessions;
mod setup;
mod transparency;
mod users;
