//! What `/proc` says of a process: processor time and memory.
//!
//! # Source
//! proc(5): `/proc/PID/stat`, `/proc/PID/task/TID/schedstat`, `/proc/PID/status`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Outcome;

/// One tick of `/proc/PID/stat`: USER_HZ is 100 on every Linux that we know.
const TICK_NS: u64 = 10_000_000;
/// Open files of the generator and, inherited, of the server.
const FILES: u64 = 20_000;

/// Lets this process, and the servers that it starts, have many sockets.
pub(crate) fn raise_files() -> Outcome<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum.map_or(FILES, |maximum| maximum.min(FILES));
    Ok(setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(current),
            maximum,
        },
    )?)
}

/// Processor time of a process so far, user and system, of all its threads.
pub(crate) struct Usage {
    /// Of the process, exact to two ticks.
    total_ns: u64,
    /// Of each thread that lives, exact to a millisecond or so.
    threads: BTreeMap<String, u64>,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Outcome<Self> {
        let total_ns = ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?)? * TICK_NS;
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread = thread?;
            // A thread may end while we look.
            if let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) {
                threads.insert(thread.file_name().to_string_lossy().into_owned(), first_number(&text)?);
            }
        }
        Ok(Self { total_ns, threads })
    }

    pub(crate) fn of_self() -> Outcome<Self> {
        Self::of(std::process::id())
    }

    /// Microseconds since an earlier look. The threads' own clocks are finer than the process's ticks, but lose what a thread
    /// that ended meanwhile had used; so the ticks are the lower bound.
    pub(crate) fn since_us(&self, earlier: &Self) -> f64 {
        let fine: u64 = self
            .threads
            .iter()
            .map(|(id, now)| now - earlier.threads.get(id).copied().unwrap_or(0).min(*now))
            .sum();
        let coarse = (self.total_ns - earlier.total_ns).saturating_sub(2 * TICK_NS);
        fine.max(coarse) as f64 / 1_000.0
    }
}

/// Processor time of the calling thread.
pub(crate) fn own_thread() -> Outcome<Duration> {
    Ok(Duration::from_nanos(first_number(&fs::read_to_string(
        "/proc/thread-self/schedstat",
    )?)?))
}

/// Processor time of another thread of this process.
pub(crate) fn thread(id: i32) -> Outcome<Duration> {
    let text = fs::read_to_string(format!("/proc/self/task/{id}/schedstat"))?;
    Ok(Duration::from_nanos(first_number(&text)?))
}

/// Seconds of processor time of a process, user and system, also just after its end.
pub(crate) fn total_s(pid: u32) -> Outcome<f64> {
    let ticks = ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?;
    Ok(Duration::from_nanos(ticks * TICK_NS).as_secs_f64())
}

/// Resident memory in KiB.
pub(crate) fn rss_kib(pid: u32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .ok_or("the process has no memory")?;
    first_number(line.trim())
}

fn first_number(text: &str) -> Outcome<u64> {
    Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
}

/// utime + stime, the 14th and 15th field. The second one, the name, may hold blanks and parentheses.
fn ticks(stat: &str) -> Outcome<u64> {
    let (_, rest) = stat.rsplit_once(')').ok_or("no process name")?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next().ok_or("the line ends early");
    Ok(next()?.parse::<u64>()? + next()?.parse::<u64>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "812 (a) b (c)) S 1 812 812 0 -1 4194560 1000 0 0 0 37 5 0 0 20 0 9 0 100 1000 10";
        assert_eq!(ticks(stat).expect("a whole line"), 42);
        assert!(ticks("812 (x) S 1").is_err());
    }

    #[test]
    fn a_thread_that_ended_leaves_the_ticks() {
        let usage = |total_ns, threads: &[(&str, u64)]| Usage {
            total_ns,
            threads: threads.iter().map(|(id, ns)| ((*id).to_owned(), *ns)).collect(),
        };
        let before = usage(0, &[("1", 1_000), ("2", 5_000)]);
        assert!((usage(0, &[("1", 3_000), ("3", 500)]).since_us(&before) - 2.5).abs() < 1e-9);
        assert!((usage(30 * TICK_NS, &[("1", 3_000)]).since_us(&before) - 280_000.0).abs() < 1e-9);
    }
}
