//! What a process has used of the machine, as Linux tells it (proc(5)).

use std::fs;

use anyhow::{Context, Result};

/// Memory that a process has, in MB of 10^6 bytes.
pub(super) fn resident(pid: u32) -> Result<f64> {
    status_line(pid, "VmRSS:")
}

/// The most that it ever had.
pub(super) fn peak(pid: u32) -> Result<f64> {
    status_line(pid, "VmHWM:")
}

/// Memory of a process and of all its descendants.
pub(super) fn resident_with_children(pid: u32) -> Result<f64> {
    let mut all = vec![pid];
    let mut total = 0.0;
    while let Some(next) = all.pop() {
        // A process that has just ended uses nothing.
        total += resident(next).unwrap_or(0.0);
        all.extend(children(next)?);
    }
    Ok(total)
}

/// Seconds of CPU time that a process has used.
pub(super) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name, in parentheses, may hold anything; user and system time are the 14th and 15th field.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

fn children(pid: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let name = entry?.file_name();
        let Some(other) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let status = fs::read_to_string(format!("/proc/{other}/status")).unwrap_or_default();
        if value(&status, "PPid:") == Some(f64::from(pid)) {
            found.push(other);
        }
    }
    Ok(found)
}

fn status_line(pid: u32, name: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kilobytes = value(&text, name).with_context(|| format!("{path} has no {name}"))?;
    Ok(kilobytes * 1024.0 / 1e6)
}

fn value(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
