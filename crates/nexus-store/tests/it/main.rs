//! The laws of the store, each on every backend.

#[macro_use]
mod support;
#[macro_use]
mod sql_scene;
#[macro_use]
mod key_log;

mod bus;
mod cosigners;
mod failures;
mod files;
mod hub;
mod jsonl;
mod log;
mod reactors;
mod reads;
mod sql_bots;
mod sql_channels;
mod sql_guilds;
mod sql_invites;
mod sql_logins;
mod sql_members;
mod sql_messages;
mod sql_read_states;
mod sql_users;
mod transparency;
mod writes;
