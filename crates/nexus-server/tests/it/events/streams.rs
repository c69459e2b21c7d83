//! Streams over real sockets: what comes, what is refused, and that nothing is lost, doubled or out of order.

mod commands;
mod crowds;
mod pasts;
mod processes;
mod readers;
pub(super) mod stage;
mod visitors;
