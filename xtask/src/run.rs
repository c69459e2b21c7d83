//! `cargo xtask run`: from a fresh clone to a working page.

use crate::repo::Repo;
use crate::steps::execute;
use crate::{Outcome, tools, wasm};
use std::process::Command;

/// Builds the web client and the release binary with the client inside, then becomes the server.
pub(crate) fn start(repo: &Repo, arguments: &[String]) -> Outcome {
    let arguments = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments);
    tools::rust(repo)?;
    tools::node(repo)?;
    println!("This builds Nexus and starts it:");
    println!(
        "  1. npm packages for the web client, into {}",
        repo.root.join("node_modules").display()
    );
    println!(
        "  2. the web client, with its share of Rust as WebAssembly, into {}",
        repo.root.join("web/dist").display()
    );
    println!("  3. one binary with the web client inside, into {}", repo.target.display());
    println!(
        "  4. the server starts; it keeps everything it owns in {}",
        repo.root.join("nexus-data").display()
    );
    println!("If this machine has no Rust for WebAssembly, it says what it installs with apt, or what to install.");
    println!("The first build takes some minutes; later ones take seconds.\n");

    tools::npm_ci(repo)?;
    wasm::build(repo)?;
    execute(repo.npm(&["run", "build"]))?;
    execute(repo.cargo(&["build", "--locked", "--release", "--package", "nexus-server"]))?;
    let server = repo.binary("release", "nexus");
    tools::must_exist(&server)?;
    println!(
        "\nThe program is {}; copy it anywhere, it needs nothing beside it.\n",
        server.display()
    );
    let mut command = repo.command(&server);
    command.arg("serve").args(arguments).env_remove("CARGO_TARGET_DIR");
    become_program(command)
}

/// Replaces this process by the server, so that signals and the exit code are the server's own.
#[cfg(unix)]
fn become_program(mut command: Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let cause = command.exec();
    Err(format!("the server did not start: {cause}"))
}

#[cfg(not(unix))]
fn become_program(command: Command) -> Outcome {
    execute(command)
}
