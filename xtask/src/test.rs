//! `cargo xtask test`: sets up what the tests need and runs all of them. CI runs this and nothing else.
//!
//! Cheap steps come first, so that a typing mistake is found in seconds; the browser comes last, because it needs everything else.
//! The graph is compiled once for running (one dev profile for server and tests) and once more, as metadata only, for clippy.

use crate::repo::Repo;
use crate::steps::{Steps, execute};
use crate::{Outcome, check, flags, python, tidy, tools, wasm};
use std::path::PathBuf;
use std::process::Command;

/// Runs every test there is.
pub(crate) fn start(repo: &Repo, arguments: &[String]) -> Outcome {
    let keep_going = !flags(arguments, &["--keep-going"])?.is_empty();
    let server = repo.binary("debug", "nexus");
    let mut chromium = PathBuf::new();
    let mut steps = Steps::new(keep_going);

    steps.step("tools", || {
        tools::rust(repo)?;
        tools::node(repo)?;
        chromium = tools::chromium(repo)?;
        eprintln!("builds go to {}, the browser is {}", repo.target.display(), chromium.display());
        Ok(())
    });
    steps.step("npm ci", || tools::npm_ci(repo));
    steps.step("fmt", || check::fmt(repo));
    steps.step("tidy", || tidy::tidy(repo));
    steps.step("wasm", || wasm::build(repo));
    steps.program("tsc", repo.npm(&["run", "typecheck"]));
    steps.program("biome", repo.npm(&["run", "lint"]));
    steps.program("web build", repo.npm(&["run", "build"]));
    steps.program("size", repo.npm(&["run", "size"]));
    steps.program("vitest", repo.npm(&["run", "test"]));
    steps.program("scripts", repo.npm(&["run", "test:scripts"]));
    steps.step("auditor", || python::tests(repo, &python::AUDITOR));
    steps.step("python client", || python::tests(repo, &python::HUB_CLIENT));
    // One call with one set of features for server, tests and benches: `-p nexus-server` alone would compile dependencies again.
    steps.program("build", repo.cargo(&["build", "--locked", "--workspace", "--all-targets"]));
    steps.step("server", || tools::must_exist(&server));
    let with_server = |mut command: Command| {
        command.env("NEXUS_BIN", &server);
        command
    };
    steps.step("auditors", || {
        let mut live = with_server(repo.npm(&["run", "test:scripts:live"]));
        live.env("NEXUS_PYTHON", python::environment(repo, &python::AUDITOR)?);
        execute(live)
    });
    steps.step("hub clients", || {
        let mut live = with_server(repo.npm(&["run", "test:sdk:live"]));
        live.env("NEXUS_PYTHON", python::environment(repo, &python::HUB_CLIENT)?)
            .env("NEXUS_HUB_PROBE", repo.binary("debug", "examples/hub_probe"));
        execute(live)
    });
    if !steps.stopped() {
        steps.step("rust tests", || {
            let mut tests = with_server(rust_tests(repo));
            tests.env("NEXUS_PYTHON", python::environment(repo, &python::HUB_CLIENT)?);
            execute(tests)
        });
    }
    steps.program("doc tests", with_server(repo.cargo(&["test", "--locked", "--workspace", "--doc"])));
    steps.step("clippy", || check::clippy(repo));
    steps.step("browser", || {
        if chromium.as_os_str().is_empty() {
            return Err("there is no Chromium; see the step `tools`".to_owned());
        }
        let mut e2e = with_server(repo.npm(&["run", "e2e"]));
        e2e.env("NEXUS_CHROMIUM", &chromium);
        execute(e2e)
    });
    steps.finish()
}

/// The unit and integration tests: by cargo-nextest where it is installed, else by cargo, which runs the same.
fn rust_tests(repo: &Repo) -> Command {
    if tools::has_nextest(repo) {
        repo.cargo(&["nextest", "run", "--locked", "--workspace", "--no-fail-fast"])
    } else {
        eprintln!("cargo-nextest is not installed; `cargo test` runs the same tests");
        // `--all-targets` leaves out the doc tests, which are a step of their own.
        repo.cargo(&["test", "--locked", "--workspace", "--all-targets", "--no-fail-fast"])
    }
}
