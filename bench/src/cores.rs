//! Who runs on which core: the server on the first, the generator on the second, so that CPU times are each one's own.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Outcome;

/// Where something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The server's core.
    Server,
    /// The generator's core.
    Generator,
    /// All cores.
    All,
}

/// The cores that this process was given.
#[derive(Clone)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    pub(crate) fn find() -> Outcome<Self> {
        let set = sched_getaffinity(None)?;
        Ok(Self((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()))
    }

    /// With one core nothing can be set apart.
    pub(crate) fn are_enough(&self) -> bool {
        self.0.len() >= 2
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Moves the calling thread. Threads and processes that it starts from now on go with it.
    pub(crate) fn pin(&self, place: Place) -> Outcome<()> {
        let mut set = CpuSet::new();
        match place {
            Place::Server if self.are_enough() => set.set(self.0[0]),
            Place::Generator if self.are_enough() => set.set(self.0[1]),
            _ => self.0.iter().for_each(|core| set.set(*core)),
        }
        Ok(sched_setaffinity(None, &set)?)
    }
}
