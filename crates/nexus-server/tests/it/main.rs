//! The `nexus` binary as a process: what an operator sees, and what a client can do to it from outside.

mod connections;
mod cookies;
mod first_run;
mod inputs;
mod limits;
mod pages;
mod server;
mod stop;
mod wire;
