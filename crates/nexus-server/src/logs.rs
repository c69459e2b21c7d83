//! Logs: on stderr, JSON for machines and pretty for people.
//!
//! # Invariant
//! No line holds a body, a password, a token or an address; requests are named by their id.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::exits::{Exit, Failure};

/// Starts logging. To be called once.
///
/// # Errors
/// A [`Failure`] if the level can't be read.
pub fn start(format: LogFormat, level: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(level).map_err(|cause| {
        Failure::new(
            Exit::Usage,
            format!("log.level: `{level}` is no level: {cause}."),
            "Use error, warn, info, debug or trace, or directives such as info,nexus_core=debug.",
        )
    })?;
    let person = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !person,
        LogFormat::Json => true,
        LogFormat::Pretty => false,
    };
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let started = if json {
        lines.json().flatten_event(true).with_target(true).try_init()
    } else {
        lines.with_ansi(person && std::env::var_os("NO_COLOR").is_none()).try_init()
    };
    if started.is_ok() {
        log_panics();
    }
    // Another subscriber is there already when a test serves inside its own process; its lines will do.
    Ok(())
}

/// A panic is a line like any other, with the place where it happened.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("no words");
        let at = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(panic = what, at, "a task panicked");
    }));
}
