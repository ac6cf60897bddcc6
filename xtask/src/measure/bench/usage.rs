//! What a process has used of the machine, as Linux tells it (proc(5)).

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

/// Memory that a process has, in MB of 10^6 bytes.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    status_line(pid, "VmRSS:")
}

/// The most that it ever had.
pub(crate) fn peak(pid: u32) -> Result<f64> {
    status_line(pid, "VmHWM:")
}

/// Memory of a process and of all its descendants.
pub(crate) fn resident_with_children(pid: u32) -> Result<f64> {
    // A process that has just ended uses nothing.
    let each = |pid| resident(pid).unwrap_or(0.0);
    Ok(family(pid)?.into_iter().map(each).sum())
}

/// Memory of a process and of all its descendants, with what they share counted once.
pub(super) fn proportional_with_children(pid: u32) -> Result<f64> {
    let each = |pid| proportional(pid).unwrap_or(0.0);
    Ok(family(pid)?.into_iter().map(each).sum())
}

/// Memory of a process, where a page that several processes share counts in parts.
pub(crate) fn proportional(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kilobytes = value(&text, "Pss:").with_context(|| format!("{path} has no Pss"))?;
    Ok(kilobytes * 1024.0 / 1e6)
}

/// How many files and sockets a process has open.
pub(crate) fn open_files(pid: u32) -> Result<usize> {
    let path = format!("/proc/{pid}/fd");
    let entries = fs::read_dir(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(entries.count())
}

/// How many threads a process has.
pub(crate) fn threads(pid: u32) -> Result<usize> {
    let path = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(entries.count())
}

/// All processes that have this variable in their environment, and the dead that one of them has
/// not collected.
pub(crate) fn processes_with(variable: &str) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for pid in pids()? {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if variables.any(|one| one == variable.as_bytes()) {
            found.push(pid);
        }
    }
    let mut dead = Vec::new();
    for pid in &found {
        let is_new = |child: &u32| !found.contains(child);
        dead.extend(children(*pid)?.into_iter().filter(is_new));
    }
    found.extend(dead);
    Ok(found)
}

/// Bytes that a directory takes on disk, in MB of 10^6 bytes.
pub(crate) fn disk(folder: &Path) -> io::Result<f64> {
    use std::os::unix::fs::MetadataExt;

    let mut megabytes = 0.0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A file that was removed in this moment takes nothing.
        let Ok(about) = entry.metadata() else {
            continue;
        };
        // Blocks are of 512 bytes whatever the file system's are (stat(2)).
        megabytes += about.blocks() as f64 * 512.0 / 1e6;
        if about.is_dir() {
            megabytes += disk(&entry.path()).unwrap_or(0.0);
        }
    }
    Ok(megabytes)
}

/// Seconds of CPU time that a process has used.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    // User and system time are the 14th and 15th field.
    ticks(pid, 2)
}

/// Seconds of CPU time that a process and all its descendants have used, those that have ended
/// and were waited for as well.
pub(super) fn cpu_seconds_with_children(pid: u32) -> Result<f64> {
    // The 16th and 17th field are those of the children that were waited for.
    let each = |pid| ticks(pid, 4).unwrap_or(0.0);
    Ok(family(pid)?.into_iter().map(each).sum())
}

/// The sum of this many fields of times, from the 14th.
fn ticks(pid: u32, fields: usize) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name, in parentheses, may hold anything.
    let all = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = all.split_whitespace().skip(11).take(fields);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

/// A process and all its descendants.
fn family(pid: u32) -> Result<Vec<u32>> {
    let parents = parents()?;
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children_of(pid, &parents));
        next += 1;
    }
    Ok(found)
}

fn children(pid: u32) -> Result<Vec<u32>> {
    Ok(children_of(pid, &parents()?).collect())
}

fn children_of(pid: u32, parents: &[(u32, f64)]) -> impl Iterator<Item = u32> {
    let mine = move |(_, parent): &&(u32, f64)| *parent == f64::from(pid);
    parents.iter().filter(mine).map(|(child, _)| *child)
}

/// All processes, each with its parent.
fn parents() -> Result<Vec<(u32, f64)>> {
    let mut found = Vec::new();
    for pid in pids()? {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        found.extend(value(&status, "PPid:").map(|parent| (pid, parent)));
    }
    Ok(found)
}

fn pids() -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
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
