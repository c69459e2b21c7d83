//! The event hub over a real store, with a stub on the other side of the way out.

mod desk;
mod ingesting;
mod reacting;
mod telling;
mod webhooks;
