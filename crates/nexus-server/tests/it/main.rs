//! The `nexus` binary as a process: what an operator sees, and what a client can do to it from outside.

mod bots;
mod connections;
mod cookies;
mod disk;
mod events;
mod first_run;
mod gateway_readers;
mod gateway_refusals;
mod gateway_resume;
mod inputs;
mod kill;
mod limits;
mod operations;
mod outbound;
mod pages;
mod relay;
mod restart;
mod restored;
mod server;
mod stop;
mod transparency;
mod wire;
