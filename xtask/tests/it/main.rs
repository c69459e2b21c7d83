//! The integration tests of `xtask`: the rules hold in this very repository, and the commands in its documents work.

mod commands;
#[cfg(unix)]
mod docs;
mod tidy;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the root")
        .to_path_buf()
}
