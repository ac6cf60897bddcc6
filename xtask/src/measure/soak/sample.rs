//! What daemons and their app processes hold at one moment, and whether it has grown.

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;

use crate::measure::bench::usage;

/// MB on disk that is kept of a run: its row, its log, its last Context.
pub(super) const DISK_OF_A_RUN: f64 = 0.1;
/// MB on disk that is kept of a round: its lines in the log.
pub(super) const DISK_OF_A_ROUND: f64 = 0.02;

/// MB that a daemon may grow: allocators keep some of what is given back, and each connection to
/// the database caches up to 8 MiB of pages.
const MEMORY_SLACK: f64 = 8.0;
/// MB that all app processes together may differ: one that waits with its imports done has about
/// this much.
const APPS_SLACK: f64 = 90.0;
const FILES_SLACK: usize = 8;
/// Threads for blocking work. A busy moment begins some more, and calls that follow each other in
/// less than 10 s keep them.
const THREADS_SLACK: usize = 8;
/// A process that is being started or is about to end.
const PROCESSES_SLACK: usize = 2 * 3;
/// MB on disk that the database's own files may take.
const DISK_SLACK: f64 = 8.0;

/// Whose resources are looked at.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) superlink: u32,
    pub(super) nodes: Vec<u32>,
    /// Flower's home directory, which no other programs have.
    pub(super) home: PathBuf,
}

/// What one daemon, or several together, hold.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Held {
    megabytes: f64,
    files: usize,
    threads: usize,
}

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    number: u32,
    superlink: Held,
    nodes: Held,
    /// App processes and what prepares them, the dead that nobody has collected included.
    processes: usize,
    processes_megabytes: f64,
    disk_megabytes: f64,
}

impl Watched {
    /// What there is now, after this many runs or rounds.
    pub(super) fn sample(&self, number: u32) -> Result<Sample> {
        let mut nodes = Held::default();
        for pid in &self.nodes {
            nodes = nodes.and(Held::by(*pid)?);
        }
        let variable = format!("FLWR_HOME={}", self.home.display());
        let mut apps = usage::processes_with(&variable)?;
        apps.retain(|pid| *pid != self.superlink && !self.nodes.contains(pid));
        // The dead have no memory, and a process may end in this moment.
        let memory = apps.iter().filter_map(|pid| usage::proportional(*pid).ok());
        Ok(Sample {
            number,
            superlink: Held::by(self.superlink)?,
            nodes,
            processes: apps.len(),
            processes_megabytes: memory.sum(),
            disk_megabytes: usage::disk(&self.home)?,
        })
    }
}

impl Held {
    fn by(pid: u32) -> Result<Self> {
        Ok(Self {
            megabytes: usage::proportional(pid)?,
            files: usage::open_files(pid)?,
            threads: usage::threads(pid)?,
        })
    }

    fn and(self, other: Self) -> Self {
        Self {
            megabytes: self.megabytes + other.megabytes,
            files: self.files + other.files,
            threads: self.threads + other.threads,
        }
    }
}

impl Sample {
    /// The head of the table; `what` is counted.
    pub(super) fn head(what: &str) -> String {
        format!(
            "{:>6}  {:>22}  {:>22}  {:>15}  {:>7}\n{what:>6}  {:>8} {:>5} {:>7}  {:>8} {:>5} {:>7}  {:>6} {:>8}  {:>7}",
            "",
            "SuperLink",
            "SuperNodes",
            "app processes",
            "disk",
            "MB",
            "files",
            "threads",
            "MB",
            "files",
            "threads",
            "number",
            "MB",
            "MB"
        )
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}", self.number)?;
        for held in [self.superlink, self.nodes] {
            let Held {
                megabytes,
                files,
                threads,
            } = held;
            write!(f, "  {megabytes:>8.1} {files:>5} {threads:>7}")?;
        }
        let (count, memory) = (self.processes, self.processes_megabytes);
        write!(
            f,
            "  {count:>6} {memory:>8.1}  {:>7.1}",
            self.disk_megabytes
        )
    }
}

/// What has grown between the first of these samples, by which everything has been used once, and
/// the last. `kept` MB may have come to the disk.
pub(super) fn complaints(samples: &[Sample], kept: f64) -> Vec<String> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return vec!["no sample was taken".to_owned()];
    };
    let number = |count: usize| count as f64;
    let held = |who: &str, was: Held, is: Held| {
        let threads = number(THREADS_SLACK);
        [
            (
                format!("{who}: MB"),
                was.megabytes,
                is.megabytes,
                MEMORY_SLACK,
            ),
            (
                format!("{who}: files"),
                number(was.files),
                number(is.files),
                number(FILES_SLACK),
            ),
            (
                format!("{who}: threads"),
                number(was.threads),
                number(is.threads),
                threads,
            ),
        ]
    };
    let mut all = Vec::new();
    all.extend(held("SuperLink", first.superlink, last.superlink));
    all.extend(held("SuperNodes", first.nodes, last.nodes));
    let processes = (number(first.processes), number(last.processes));
    let memory = (first.processes_megabytes, last.processes_megabytes);
    let disk = (first.disk_megabytes, last.disk_megabytes);
    all.extend([
        (
            "app processes".to_owned(),
            processes.0,
            processes.1,
            number(PROCESSES_SLACK),
        ),
        (
            "app processes: MB".to_owned(),
            memory.0,
            memory.1,
            APPS_SLACK,
        ),
        ("disk: MB".to_owned(), disk.0, disk.1, DISK_SLACK + kept),
    ]);
    let grown = all
        .into_iter()
        .filter(|(_, was, is, slack)| is - was > *slack);
    grown
        .map(|(what, was, is, slack)| {
            format!("{what} grew from {was:.1} to {is:.1}; {slack:.1} more are allowed")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Held = Held {
        megabytes: 15.0,
        files: 30,
        threads: 8,
    };
    const SAMPLE: Sample = Sample {
        number: 1,
        superlink: HELD,
        nodes: HELD,
        processes: 5,
        processes_megabytes: 200.0,
        disk_megabytes: 2.0,
    };

    #[test]
    fn what_stays_is_fine() {
        assert_eq!(complaints(&[SAMPLE, SAMPLE], 0.0), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_grows_is_told() {
        let grown = Held {
            megabytes: 60.0,
            files: 60,
            threads: 60,
        };
        let last = Sample {
            superlink: grown,
            nodes: grown,
            processes: 50,
            processes_megabytes: 900.0,
            disk_megabytes: 40.0,
            ..SAMPLE
        };
        let told = complaints(&[SAMPLE, last], 10.0);
        assert_eq!(told.len(), 9, "{told:?}");
        assert_eq!(
            told[0],
            "SuperLink: MB grew from 15.0 to 60.0; 8.0 more are allowed"
        );
    }

    #[test]
    fn the_disk_may_grow_by_what_is_kept() {
        let last = Sample {
            disk_megabytes: 40.0,
            ..SAMPLE
        };
        assert_eq!(complaints(&[SAMPLE, last], 50.0), Vec::<String>::new());
    }

    #[test]
    fn without_a_sample_nothing_is_known() {
        assert_eq!(complaints(&[], 0.0), ["no sample was taken"]);
    }
}
