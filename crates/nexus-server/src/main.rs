//! The `nexus` binary. Everything is in the library, so that tests can serve inside their own process.

use std::process::ExitCode;

fn main() -> ExitCode {
    nexus_server::cli::main()
}
