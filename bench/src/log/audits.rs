//! The audit of a whole log: from memory, which is what the rules cost, and by the command line over files, which is what an auditor
//! waits for.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Instant;

use nexus_crypto::audits::Audit;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::chains::{Chain, SIGNED};
use super::{LEAVES, cpu_s, files, leaves};
use crate::processes::total_s;
use crate::{Bench, Outcome};

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let chain = Chain::new(LEAVES)?;
    let ((), leaves_s) = cpu_s(|| from_memory(&chain, false))?;
    bench.report.add("audit.leaves", leaves_s);
    let ((), heads_s) = cpu_s(|| from_memory(&chain, true))?;
    bench.report.add("audit.heads", heads_s);

    let size = leaves(bench, "audit.files", "10⁵ leaves, times ten");
    let chain = if size == LEAVES { chain } else { Chain::new(size)? };
    by_command(bench, &chain)
}

/// Every leaf and the rules of ids; then every head, or only that of all leaves. Ends with a signature.
fn from_memory(chain: &Chain, with_heads: bool) -> Outcome<()> {
    let mut audit = Audit::begin(chain.document.log_id, chain.document.keys());
    if with_heads {
        audit.page(&chain.leaves, &chain.heads, |_, _| {})?;
    } else {
        audit.page(&chain.leaves, std::slice::from_ref(&chain.only), |_, _| {})?;
    }
    let latest = audit.last().ok_or("the log has a head")?;
    if audit.ids() != chain.size() {
        return Err(format!("{} ids in {} leaves", audit.ids(), chain.size()).into());
    }
    Ok(audit.signatures(latest).and_then(|()| audit.finish(latest))?)
}

/// `nexus log verify` over the files of an export.
fn by_command(bench: &mut Bench, chain: &Chain) -> Outcome<()> {
    let folder = bench.temporary()?;
    let bytes = files::export(chain, folder.path())?;
    let said = folder.path().join("said");
    let mut command = Command::new(&bench.options.server);
    command
        .args(["log", "verify"])
        .arg(folder.path())
        .args(["--signatures", &format!("newest:{SIGNED}")]);
    command
        .stdin(Stdio::null())
        .stdout(File::create(&said)?)
        .stderr(File::options().append(true).open(&said)?);
    let started = Instant::now();
    let mut child = command.spawn()?;
    // It is left there for a moment, so that `/proc` still knows what it used.
    let pid = Pid::from_raw(child.id().cast_signed()).ok_or("a process has a number")?;
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let (seconds, cpu_s) = (started.elapsed().as_secs_f64(), total_s(child.id())?);
    let status = child.wait()?;
    if !status.success() {
        return Err(format!("`nexus log verify` ended with {status}: {}", std::fs::read_to_string(&said)?).into());
    }
    let whole = LEAVES as f64 / chain.size() as f64;
    bench.report.add("audit.files", cpu_s * whole);
    let seconds = seconds * whole;
    bench
        .report
        .note("audit.files", format!("{} MB of files, {seconds:.1} s", bytes / 1_000_000));
    Ok(())
}
