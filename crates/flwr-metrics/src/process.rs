//! What the system says of this process, under the names that all programs of Prometheus have.

use std::fs;

use prometheus_client::registry::Registry;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};

use crate::{Amount, Moment};

/// Memory, processor and files of this process. What the system does not tell stays as it was.
#[derive(Clone, Debug, Default)]
pub struct Process {
    memory: Amount,
    cpu: Moment,
    descriptors: Amount,
    most_descriptors: Amount,
    started: Amount,
}

impl Process {
    /// Names what is read.
    pub fn register(&self, registry: &mut Registry) {
        let Self {
            memory,
            cpu,
            descriptors,
            most_descriptors,
            started,
        } = self;
        let help = "Memory that the process has in RAM";
        memory.register(registry, "process_resident_memory_bytes", help);
        let help = "Time of processors that the process has used";
        cpu.register(registry, "process_cpu_seconds", help);
        let help = "Files and connections that the process has open";
        descriptors.register(registry, "process_open_fds", help);
        let help = "Files and connections that the process may have open";
        most_descriptors.register(registry, "process_max_fds", help);
        let help = "Time at which the process began, in seconds since 1970";
        started.register(registry, "process_start_time_seconds", help);
    }

    /// Reads everything again. The files are the kernel's: reading them takes no disk.
    pub fn refresh(&self) {
        if let Some(bytes) = status("self", "VmRSS:") {
            self.memory.set(bytes);
        }
        if let Some((used, began)) = stat() {
            self.cpu.set(used);
            if let Some(booted) = booted() {
                self.started.set_to(booted + began);
            }
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is this look.
            self.descriptors
                .set((open.count() as u64).saturating_sub(1));
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            self.most_descriptors.set(most);
        }
    }

    /// The largest memory in RAM that a process had so far, in bytes. `None`: the process is gone.
    #[must_use]
    pub fn peak_memory(pid: u32) -> Option<u64> {
        status(&pid.to_string(), "VmHWM:")
    }
}

/// A number of bytes in the status of a process (proc(5)).
fn status(pid: &str, field: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The seconds that this process has used, and those from the start of the machine to its own.
fn stat() -> Option<(f64, f64)> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may have spaces; it ends with the last bracket.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // Fields 14, 15 and 22 of proc(5), whose third is the first behind the bracket.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    #[expect(clippy::cast_precision_loss, reason = "a hundred on all systems")]
    let ticks = clock_ticks_per_second() as f64;
    Some(((field(14)? + field(15)?) / ticks, field(22)? / ticks))
}

/// When the machine was started, in seconds since 1970.
fn booted() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Form, encode};

    #[test]
    fn the_system_tells_everything_of_this_process() {
        let (process, mut registry) = (Process::default(), Registry::default());
        process.register(&mut registry);
        process.refresh();
        let page = encode(&registry, Form::Prometheus);
        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
        ] {
            let line = page.lines().find_map(|line| line.strip_prefix(name));
            let value: f64 = line.unwrap().trim().parse().unwrap();
            assert!(value > 0.0, "{name} {value}");
        }
        assert!(page.contains("process_cpu_seconds_total "), "{page}");
        let own = std::process::id();
        assert!(Process::peak_memory(own).is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(Process::peak_memory(u32::MAX), None);
    }
}
