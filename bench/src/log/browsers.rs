//! The audit of a whole log as a browser does it: the WebAssembly that the web client ships, in Node, fed with the JSON that a server
//! answers. What it fetches comes from a file, so that the network is not measured.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::chains::{Chain, SIGNED};
use super::{LEAVES, files, leaves};
use crate::{Bench, Outcome};

/// Drives the audit; see there.
const DRIVER: &str = include_str!("audit.mjs");
/// What `cargo xtask wasm` calls its files.
const NAME: &str = "nexus_wasm";

/// What the driver says.
#[derive(Deserialize)]
struct Said {
    leaves: u64,
    heads: u64,
    root: String,
    memory_bytes: u64,
    /// Heads whose signatures were checked.
    signed: u64,
    /// In the audit itself.
    audited: Spent,
    /// In the signatures.
    signatures: Spent,
}

#[derive(Deserialize)]
struct Spent {
    seconds: f64,
    cpu_s: f64,
}

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let built = bench
        .options
        .wasm
        .clone()
        .ok_or("name the folder that `cargo xtask wasm` fills with --wasm")?;
    let size = leaves(bench, "wasm.", "10⁵ leaves, times ten");
    let chain = Chain::new(size)?;
    let folder = bench.temporary()?;
    fs::copy(built.join(format!("{NAME}_bg.wasm")), folder.path().join("audit.wasm"))?;
    // By its new name Node knows it for a module, whatever the folder is.
    fs::copy(built.join(format!("{NAME}.js")), folder.path().join("verifier.mjs"))?;
    fs::write(folder.path().join("audit.mjs"), DRIVER)?;

    let whole = LEAVES as f64 / size as f64;
    for (row, with_heads) in [("wasm.leaves", false), ("wasm.heads", true)] {
        let bytes = files::pages(&chain, with_heads, &folder.path().join("pages"))?;
        let said = drive(folder.path())?;
        let heads = if with_heads { size } else { 1 };
        if (said.leaves, said.heads, &said.root) != (size, heads, &chain.root().to_string()) {
            return Err(format!("the browser's audit took in {} leaves and {} heads", said.leaves, said.heads).into());
        }
        let (cpu_s, seconds) = (said.audited.cpu_s * whole, said.audited.seconds * whole);
        bench.report.add(row, cpu_s);
        bench.report.note(row, format!("{} MB of JSON, {seconds:.1} s", bytes / 1_000_000));
        if with_heads {
            bench.report.add("wasm.memory", said.memory_bytes as f64 / 1_048_576.0 * whole);
            bench
                .report
                .add("wasm.signatures", said.signatures.cpu_s * 1_000.0 / said.signed as f64);
            bench.report.note("wasm.signatures", format!("{} heads", said.signed));
        }
    }
    Ok(())
}

fn drive(folder: &Path) -> Outcome<Said> {
    let mut command = Command::new("node");
    command.arg(folder.join("audit.mjs")).arg(SIGNED.to_string());
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|cause| format!("can't start node: {cause}"))?;
    if !output.status.success() {
        return Err(format!("the browser's audit ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
