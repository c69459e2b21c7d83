//! Python for `scripts/audit.py` and for `sdk/python`: for each an environment of its own below the cache, with what its
//! `requirements.txt` pins.
//!
//! The system's own packages are neither used nor touched.

use crate::repo::{Repo, fingerprint};
use crate::steps::execute;
use crate::tools::{apt_install, output};
use crate::{Outcome, flags};
use std::fs;
use std::path::{Path, PathBuf};

/// One set of packages, for programs that run on this Python or a newer one.
pub(crate) struct Kit {
    requirements: &'static str,
    tests: &'static str,
    /// Where the tests find what they test, besides the packages.
    path: &'static str,
    oldest: (u32, u32),
}

/// The auditor of the key log.
pub(crate) const AUDITOR: Kit = Kit {
    requirements: "scripts/requirements.txt",
    tests: "scripts/tests",
    path: "",
    oldest: (3, 9),
};
/// The client of the event hub.
pub(crate) const HUB_CLIENT: Kit = Kit {
    requirements: "sdk/python/requirements.txt",
    tests: "sdk/python/tests",
    path: "sdk/python/src",
    oldest: (3, 11),
};

/// Written last into an environment: one without it was not finished.
const STAMP: &str = ".nexus-stamp";
const NAMES: &[&str] = &["python3", "python"];
const ADVICE: &str = "Run `sudo apt-get install -y python3 python3-venv`, or install Python 3.11 or newer with its module venv";

/// Runs the tests of a kit.
pub(crate) fn tests(repo: &Repo, kit: &Kit) -> Outcome {
    let mut command = repo.command(environment(repo, kit)?);
    command
        .args(["-m", "unittest", "discover", "--start-directory", kit.tests])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    if !kit.path.is_empty() {
        command.env("PYTHONPATH", repo.root.join(kit.path));
    }
    execute(command)
}

/// Makes the environment of the hub's client, which the programs in the documents use too, and prints its interpreter.
pub(crate) fn start(repo: &Repo, arguments: &[String]) -> Outcome {
    flags(arguments, &[])?;
    println!("{}", environment(repo, &HUB_CLIENT)?.display());
    Ok(())
}

/// The interpreter of an environment that holds what is pinned, made if it is not there.
pub(crate) fn environment(repo: &Repo, kit: &Kit) -> Result<PathBuf, String> {
    let python = interpreter(repo, kit.oldest)?;
    let requirements = kit.requirements;
    let mut wanted = fs::read(repo.root.join(requirements)).map_err(|cause| format!("cannot read {requirements}: {cause}"))?;
    wanted.extend(output(repo.command(python).args(["-c", "import sys; print(sys.executable, sys.version)"]))?.into_bytes());
    let folder = repo.tools.join(format!("python-{:016x}", fingerprint(&wanted)));
    let program = interpreter_in(&folder);
    if !folder.join(STAMP).is_file() {
        eprintln!("Python gets an environment with {requirements} in {}", folder.display());
        let mut make = repo.command(python);
        make.args(["-m", "venv", "--clear"]).arg(&folder);
        execute(make)?;
        let mut install = repo.command(&program);
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
        ]);
        install.args(["--requirement", requirements]);
        execute(install)?;
        fs::write(folder.join(STAMP), requirements).map_err(|cause| format!("cannot write into {}: {cause}", folder.display()))?;
    }
    Ok(program)
}

/// A Python that can make environments: what is installed, else Debian's, installed if we may.
fn interpreter(repo: &Repo, oldest: (u32, u32)) -> Result<&'static str, String> {
    if let Some(found) = find(repo, oldest) {
        return Ok(found);
    }
    apt_install(
        repo,
        "Python with venv, for the tests of our Python programs",
        &["python3", "python3-venv"],
    )
    .map_err(|why| format!("the tests of our Python programs need Python with its module venv, and {why}. {ADVICE}"))?;
    find(repo, oldest).ok_or_else(|| format!("apt installed Python, but it is too old or makes no environments. {ADVICE}"))
}

fn find(repo: &Repo, (major, minor): (u32, u32)) -> Option<&'static str> {
    // Debian's Python has venv without ensurepip until python3-venv is installed.
    let check = format!("import ensurepip, sys, venv; sys.exit(sys.version_info < ({major}, {minor}))");
    let works = |name: &&&str| output(repo.command(**name).args(["-c", &check])).is_ok();
    NAMES.iter().find(works).copied()
}

fn interpreter_in(folder: &Path) -> PathBuf {
    if cfg!(windows) {
        folder.join("Scripts/python.exe")
    } else {
        folder.join("bin/python")
    }
}
