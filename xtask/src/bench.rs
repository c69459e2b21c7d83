//! `cargo xtask bench`: builds in release and hands over to `nexus-bench`, which starts the server, loads it and measures.

use crate::repo::Repo;
use crate::steps::execute;
use crate::{Outcome, tools, wasm};

/// Builds server and load generator, then measures. All arguments go to `nexus-bench`.
pub(crate) fn start(repo: &Repo, arguments: &[String]) -> Outcome {
    tools::rust(repo)?;
    // The server alone first: measured is the binary that `run` builds, with the features that it has there.
    for package in ["nexus-server", "nexus-bench"] {
        execute(repo.cargo(&["build", "--locked", "--release", "--package", package]))?;
    }
    let server = repo.binary("release", "nexus");
    let generator = repo.binary("release", "nexus-bench");
    tools::must_exist(&server)?;
    tools::must_exist(&generator)?;
    if measures_the_log(arguments) {
        tools::node(repo)?;
        wasm::build(repo)?;
    }
    let mut command = repo.command(generator);
    command
        .args(arguments)
        .env("NEXUS_BIN", server)
        .env("NEXUS_WASM", repo.root.join(wasm::OUTPUT));
    execute(command)
}

/// Only the log's bench needs the verifier in WebAssembly. Without a name everything is measured.
fn measures_the_log(arguments: &[String]) -> bool {
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    named("log") || !(named("store") || named("chat") || named("events"))
}
