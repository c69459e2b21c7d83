//! Named steps with their durations, and the summary at the end.
//!
//! A step either passes or fails; there is no third state, because a test that was skipped silently proves nothing.

use crate::Outcome;
use std::process::Command;
use std::time::{Duration, Instant};

/// The steps of one command, as they run.
pub(crate) struct Steps {
    keep_going: bool,
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

impl Steps {
    /// With `keep_going`, a failing step does not stop the ones after it.
    pub(crate) fn new(keep_going: bool) -> Self {
        Self {
            keep_going,
            done: Vec::new(),
        }
    }

    /// Runs one step, unless an earlier one failed and we do not keep going.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Outcome) {
        if self.stopped() {
            return;
        }
        eprintln!("\n── {name}");
        let start = Instant::now();
        let failure = work().err();
        let took = start.elapsed();
        match &failure {
            None => eprintln!("── {name}: passed in {}", seconds(took)),
            Some(why) => eprintln!("── {name}: FAILED after {}: {why}", seconds(took)),
        }
        self.done.push(Step { name, took, failure });
    }

    /// A step that is one program; it fails if the program does.
    pub(crate) fn program(&mut self, name: &'static str, command: Command) {
        self.step(name, || execute(command));
    }

    /// Whether steps that come now would not run.
    pub(crate) fn stopped(&self) -> bool {
        !self.keep_going && self.done.iter().any(|step| step.failure.is_some())
    }

    /// Prints all steps and says which failed.
    pub(crate) fn finish(self) -> Outcome {
        eprintln!("\n── summary");
        for step in &self.done {
            eprintln!(
                "{:>9}  {}  {}",
                seconds(step.took),
                if step.failure.is_none() { "passed" } else { "FAILED" },
                step.name
            );
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        eprintln!("{:>9}  in all", seconds(total));
        let failed: Vec<String> = self
            .done
            .iter()
            .filter_map(|step| step.failure.as_ref().map(|why| format!("{}: {why}", step.name)))
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(format!("failed at {}", failed.join("; ")))
        }
    }
}

/// Runs a program with our own input and output and turns its failure into a sentence that can be copied into a shell.
pub(crate) fn execute(mut command: Command) -> Outcome {
    let line = shown(&command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(cause) => Err(format!("`{line}` did not start: {cause}")),
    }
}

/// The command as one would type it: the program's own name and its arguments.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    std::iter::once(program)
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_stops_the_rest_and_is_named() {
        let mut steps = Steps::new(false);
        let mut ran = Vec::new();
        steps.step("one", || Ok(()));
        steps.step("two", || Err("planted".to_owned()));
        steps.step("three", || {
            ran.push("three");
            Ok(())
        });
        assert!(ran.is_empty());
        assert_eq!(steps.finish(), Err("failed at two: planted".to_owned()));
    }

    #[test]
    fn keep_going_runs_the_rest_and_still_fails() {
        let mut steps = Steps::new(true);
        let mut ran = false;
        steps.step("one", || Err("planted".to_owned()));
        steps.step("two", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert_eq!(steps.finish(), Err("failed at one: planted".to_owned()));
    }
}
