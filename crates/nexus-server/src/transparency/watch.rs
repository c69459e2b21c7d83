//! `nexus log watch`: a monitor that keeps the last head it saw, and alarms.

use std::time::Duration;

use nexus_crypto::audits::{Fault, FaultCode};

use super::progress::Progress;
use super::sources::Source;
use super::verify::{Auditor, Rules, Stopped};

/// Watches until the log is at fault. `say` gets a line whenever there are new leaves, `warn` one when the log can't be reached.
///
/// # Errors
/// What made it stop; never that the log can't be reached.
pub async fn watch(source: &mut Source, rules: Rules, every: Duration, tell: impl Fn(Told<'_>)) -> Stopped {
    let mut auditor = None;
    let mut size = None;
    loop {
        match round(source, &rules, &mut auditor).await {
            Ok(now) => {
                if size != Some(now) {
                    tell(Told::Grown(now));
                    size = Some(now);
                }
            }
            Err(Stopped::Fault(fault)) if fault.code == FaultCode::Unreachable => tell(Told::Unreachable(&fault)),
            Err(stopped) => return stopped,
        }
        tokio::time::sleep(every).await;
    }
}

/// What a monitor says.
#[derive(Debug)]
pub enum Told<'a> {
    /// The log is honest, and has so many leaves.
    Grown(u64),
    /// The log can't be reached; that alone is no fault.
    Unreachable(&'a Fault),
}

async fn round(source: &mut Source, rules: &Rules, auditor: &mut Option<Auditor>) -> Result<u64, Stopped> {
    let auditor = match auditor {
        Some(auditor) => auditor,
        None => auditor.insert(Auditor::begin(source, rules.clone()).await?),
    };
    auditor.advance(source, Progress::new("leaves")).await?;
    Ok(auditor.last().map_or(0, |head| head.head.tree_size))
}
