//! Every command of the repository: `cargo xtask <command>`.
//!
//! It has one dependency and its own small modules, so that the first command in a fresh clone starts within seconds. It starts
//! other programs (cargo, npm, git) and judges what they say; it holds nothing that the product needs at run time.

mod bench;
mod check;
mod dev;
mod python;
mod repo;
mod run;
mod rust_source;
mod steps;
mod test;
mod tidy;
mod tools;
mod wasm;

use repo::Repo;
use std::process::ExitCode;

/// What every command answers: nothing, or one plain sentence (or a few lines) that says what to do.
type Outcome = Result<(), String>;

/// One command: its name, how it is called, one line of help, and what it does with its arguments.
struct Command {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    start: fn(&Repo, &[String]) -> Outcome,
}

/// All commands, in the order in which a newcomer needs them.
const COMMANDS: &[Command] = &[
    Command {
        name: "run",
        usage: "run [-- <arguments of nexus serve>]",
        about: "build the web client and the release binary, then serve on http://localhost:8080",
        start: run::start,
    },
    Command {
        name: "dev",
        usage: "dev",
        about: "serve with hot reload: the server restarts and the page updates when a file changes",
        start: dev::start,
    },
    Command {
        name: "test",
        usage: "test [--keep-going]",
        about: "set up what the tests need and run all of them (what CI runs)",
        start: test::start,
    },
    Command {
        name: "check",
        usage: "check [--install-hook]",
        about: "fmt, tidy, clippy, tsc and biome; --install-hook makes git run it before every commit",
        start: check::start,
    },
    Command {
        name: "tidy",
        usage: "tidy",
        about: "the rules of this repository that no compiler knows: layers, SQL, links, words",
        start: tidy::start,
    },
    Command {
        name: "wasm",
        usage: "wasm",
        about: "compile the verifier of the key log for the web client; run, dev, test and check do it when it changed",
        start: wasm::start,
    },
    Command {
        name: "python",
        usage: "python",
        about: "make the Python environment of the hub's client and print its interpreter; the tests do it themselves",
        start: python::start,
    },
    Command {
        name: "bench",
        usage: "bench [store|chat|…] [--quick]",
        about: "build in release and measure; prints a table and writes JSON",
        start: bench::start,
    },
    Command {
        name: "help",
        usage: "help",
        about: "this list",
        start: help,
    },
];

/// The exit code for a call that we do not understand, as shells and clap use it.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        print_help();
        return ExitCode::from(EXIT_USAGE);
    };
    let name = if name == "--help" || name == "-h" {
        "help".to_owned()
    } else {
        name
    };
    let rest: Vec<String> = arguments.collect();
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("xtask: there is no command `{name}`.\n");
        print_help();
        return ExitCode::from(EXIT_USAGE);
    };
    match Repo::find().and_then(|repo| (command.start)(&repo, &rest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nxtask {name}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn help(_repo: &Repo, arguments: &[String]) -> Outcome {
    flags(arguments, &[])?;
    print_help();
    Ok(())
}

fn print_help() {
    println!("cargo xtask <command>\n");
    let width = COMMANDS.iter().map(|command| command.usage.chars().count()).max().unwrap_or(0);
    for command in COMMANDS {
        println!("  {:width$}  {}", command.usage, command.about);
    }
}

/// Refuses what a command does not know, so that a misspelt flag is never silently ignored.
fn flags(arguments: &[String], known: &[&str]) -> Result<Vec<String>, String> {
    match arguments.iter().find(|argument| !known.contains(&argument.as_str())) {
        Some(unknown) if known.is_empty() => Err(format!("it takes no arguments, and was given `{unknown}`")),
        Some(unknown) => Err(format!("`{unknown}` is unknown here; it knows {}", known.join(", "))),
        None => Ok(arguments.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_name_of_its_own_and_a_usage_that_starts_with_it() {
        for (index, command) in COMMANDS.iter().enumerate() {
            assert!(command.usage.starts_with(command.name), "{}", command.usage);
            assert!(
                COMMANDS[index + 1..].iter().all(|other| other.name != command.name),
                "{} twice",
                command.name
            );
        }
    }

    #[test]
    fn a_misspelt_flag_is_refused() {
        assert!(flags(&["--keep-gonig".to_owned()], &["--keep-going"]).is_err());
        assert!(flags(&["--keep-going".to_owned()], &["--keep-going"]).is_ok());
        assert!(flags(&["x".to_owned()], &[]).is_err());
    }
}
