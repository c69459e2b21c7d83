//! The `nexus` program: decode → use case → encode. HTTP, the gateway, the embedded web client, the data directory, the command
//! line.
//!
//! It deliberately decides nothing: who may do what is `nexus_types` and `nexus_core`. Only [`boot`] names a database.

pub mod boot;
pub mod cli;
pub mod config;
pub mod data;
pub mod exits;
pub mod gateway;
pub mod health;
pub mod http;
pub mod hub;
pub mod logs;
mod metrics;
pub mod networks;
pub mod outbound;
pub mod relay;
pub mod roles;
pub mod serve;
pub mod streams;
pub mod transparency;
pub mod web;
mod websockets;
