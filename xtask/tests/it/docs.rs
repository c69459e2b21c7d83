//! Every command in a document is run by a test.
//!
//! The convention, visible in the source of a page, is the word after the language where a block opens:
//!
//! - `sh run`: the block is run here, by `sh -eu`, and must succeed;
//! - `sh serve`: the block is started here, must answer on `/health`, and goes on until the page ends or serves anew;
//! - `sh stopped`: as `sh run`, after the server of the page was stopped;
//! - `sh` alone: only commands of `xtask`, which must exist, and what brings the reader to the place (`git clone`, `cd`);
//! - `js run`, `python run`: a program that must succeed, with the packages that the tests have;
//! - `js serve`, `python serve`: a program that listens on port 9000, 9001 or 9002, until the page ends;
//! - `json answer`: what the block before printed ([`answers`]);
//! - `toml file NAME`, `json file NAME`: what the reader writes into that file.
//!
//! The blocks of one page run in order, in one empty directory, with `nexus` in the path and ports of the page's own in the place of
//! 8080, 8000 and 3000, where a server listens, of 8001 to 8003, where its cosigners do, and of 9000 to 9002. What a page writes into
//! `.env` is in the environment of the blocks after it, as it is in a shell that read the file.

mod answers;
mod blocks;
mod stage;

use crate::root;
use blocks::{Block, Mode, read};
use stage::Stage;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// Beginnings of the commands that a block without `run` or `serve` may hold, besides those of `xtask`.
const WAYS_TO_THE_CLONE: &[&str] = &["git clone ", "cd "];

#[test]
fn every_command_of_the_documents_is_run_by_a_test() {
    let mut faults = String::new();
    for page in pages() {
        let content = fs::read_to_string(root().join(&page)).expect("a listed page can be read");
        for fault in read(&content)
            .err()
            .into_iter()
            .chain(read(&content).iter().flatten().filter_map(unknown))
        {
            writeln!(faults, "{page}: {fault}").expect("a string takes text");
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// `DOCS_PAGE=docs/RUNBOOK.md` runs one page alone.
#[test]
fn the_commands_of_every_page_work() {
    let mut ran = 0;
    let wanted = std::env::var("DOCS_PAGE").ok();
    for page in pages()
        .into_iter()
        .filter(|page| wanted.as_ref().is_none_or(|wanted| wanted == page))
    {
        let content = fs::read_to_string(root().join(&page)).expect("a listed page can be read");
        let blocks = read(&content).unwrap_or_else(|fault| panic!("{page}: {fault}"));
        let blocks: Vec<Block> = blocks.into_iter().filter(|block| block.mode != Mode::Elsewhere).collect();
        if !blocks.is_empty() {
            ran += blocks.len();
            Stage::new(&page).play(&page, &blocks);
        }
    }
    assert!(
        ran > 0,
        "no document holds a command that is run here; the convention must have changed"
    );
}

#[test]
fn planted_faults_are_found() {
    let blocks = read("```sh\ncargo xtask run\nrm -rf everything\n```\n").expect("the block is closed");
    assert_eq!(blocks.iter().filter_map(unknown).count(), 1);
    let blocks = read("```sh\ncargo xtask rnu\n```\n").expect("the block is closed");
    assert_eq!(blocks.iter().filter_map(unknown).count(), 1);
    assert!(read("```bash\nls\n```\n").is_err());
    assert!(read("```sh rnu\nls\n```\n").is_err());
    assert!(read("```sh run\nls\n").is_err());
    assert!(read("```js rnu\nawait 1;\n```\n").is_err());
    assert_eq!(read("```text\nls\n```\n```sh run\nls\n```\n").expect("both are closed").len(), 1);
}

/// Everything a reader may copy a command from.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"]
        .map(str::to_owned)
        .to_vec();
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder))
            .expect("docs can be listed")
            .map(|entry| entry.expect("docs can be listed"))
        {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(path);
            } else if entry.path().extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

fn unknown(block: &Block) -> Option<String> {
    if block.mode != Mode::Elsewhere {
        return None;
    }
    let mut commands = block
        .body
        .lines()
        .flat_map(|line| line.split("&&"))
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let stranger = commands.find(|command| match command.strip_prefix("cargo xtask ") {
        Some(rest) => !is_xtask_command(rest.split_whitespace().next().unwrap_or_default()),
        None => !WAYS_TO_THE_CLONE.iter().any(|known| command.starts_with(known)),
    })?;
    Some(format!(
        "line {}: no test runs `{stranger}`; open the block with `sh run` or `sh serve`",
        block.line
    ))
}

fn is_xtask_command(name: &str) -> bool {
    let help = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("help")
        .output()
        .expect("xtask starts");
    String::from_utf8_lossy(&help.stdout)
        .lines()
        .any(|line| line.starts_with("  ") && line.split_whitespace().next() == Some(name))
}
