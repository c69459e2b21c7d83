//! Python for `scripts/audit.py`: an environment of its own below the cache, with what `scripts/requirements.txt` pins.
//!
//! The system's own packages are neither used nor touched.

use crate::Outcome;
use crate::repo::{Repo, fingerprint};
use crate::steps::execute;
use crate::tools::{apt_install, output};
use std::fs;
use std::path::{Path, PathBuf};

const REQUIREMENTS: &str = "scripts/requirements.txt";
const TESTS: &str = "scripts/tests";
/// Written last into an environment: one without it was not finished.
const STAMP: &str = ".nexus-stamp";
const NAMES: &[&str] = &["python3", "python"];
const ADVICE: &str = "Run `sudo apt-get install -y python3 python3-venv`, or install Python 3.9 or newer with its module venv";

/// Runs the tests of the Python auditor, the recorded vectors among them.
pub(crate) fn tests(repo: &Repo) -> Outcome {
    let mut command = repo.command(environment(repo)?);
    command
        .args(["-m", "unittest", "discover", "--start-directory", TESTS])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    execute(command)
}

/// The interpreter of an environment that holds what is pinned, made if it is not there.
pub(crate) fn environment(repo: &Repo) -> Result<PathBuf, String> {
    let python = interpreter(repo)?;
    let mut wanted = fs::read(repo.root.join(REQUIREMENTS)).map_err(|cause| format!("cannot read {REQUIREMENTS}: {cause}"))?;
    wanted.extend(output(repo.command(python).args(["-c", "import sys; print(sys.executable, sys.version)"]))?.into_bytes());
    let folder = repo.tools.join(format!("python-{:016x}", fingerprint(&wanted)));
    let program = interpreter_in(&folder);
    if !folder.join(STAMP).is_file() {
        eprintln!("The Python auditor gets an environment of its own in {}", folder.display());
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
        install.args(["--requirement", REQUIREMENTS]);
        execute(install)?;
        fs::write(folder.join(STAMP), REQUIREMENTS).map_err(|cause| format!("cannot write into {}: {cause}", folder.display()))?;
    }
    Ok(program)
}

/// A Python that can make environments: what is installed, else Debian's, installed if we may.
fn interpreter(repo: &Repo) -> Result<&'static str, String> {
    if let Some(found) = find(repo) {
        return Ok(found);
    }
    apt_install(repo, "Python with venv, for the tests of the auditor", &["python3", "python3-venv"])
        .map_err(|why| format!("the tests of the auditor need Python with its module venv, and {why}. {ADVICE}"))?;
    find(repo).ok_or_else(|| format!("apt installed Python, but it makes no environments. {ADVICE}"))
}

fn find(repo: &Repo) -> Option<&'static str> {
    // Debian's Python has venv without ensurepip until python3-venv is installed.
    let works = |name: &&&str| {
        output(
            repo.command(**name)
                .args(["-c", "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))"]),
        )
        .is_ok()
    };
    NAMES.iter().find(works).copied()
}

fn interpreter_in(folder: &Path) -> PathBuf {
    if cfg!(windows) {
        folder.join("Scripts/python.exe")
    } else {
        folder.join("bin/python")
    }
}
