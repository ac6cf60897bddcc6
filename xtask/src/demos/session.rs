//! `cargo xtask session`: what a new user types and sees, played for real and put into the README.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::support::build::{self, Profile};
use crate::support::python::{self, FLOWER};

/// What is typed, in its order.
const LINES: [&str; 7] = [
    "flwr up --detach",
    "flwr new my-app --framework numpy",
    "cd my-app",
    "flwr run . --stream",
    "flwr ls",
    "flwr doctor",
    "flwr down",
];
/// The place in the README.
const BEGIN: &str = "<!-- cargo xtask session -->\n```\n";
const END: &str = "```\n";
/// Of a log so many lines are shown at its end.
const LAST_LINES: usize = 4;

/// `cargo xtask session`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Put it into the README.
    #[arg(long)]
    write: bool,
}

/// Plays the session in an empty home.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let programs = build::built(
        Profile::Release,
        &["flwr", "flower-superlink", "flower-supernode"],
    )?;
    let environment = FLOWER.prepare()?;
    let mut path = vec![programs, python::bin(&environment)];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let path = env::join_paths(path)?;
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    let played = play(folder.path(), &path);
    // Where the packages are is of this machine.
    let venv = environment.display().to_string();
    let played = played.map(|text| text.replace(&venv, "/home/you/venv"));
    if played.is_err() {
        // What was started must not stay.
        let _ = shell("flwr down", folder.path(), folder.path(), &path);
    }
    let text = played?;
    print!("{text}");
    println!("# in {:.1} s", begun.elapsed().as_secs_f64());
    if args.write {
        write(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn play(home: &Path, path: &OsString) -> Result<String> {
    let mut here = home.to_path_buf();
    let mut text = String::new();
    for line in LINES {
        text.push_str(&format!("$ {line}\n"));
        if let Some(folder) = line.strip_prefix("cd ") {
            here.push(folder);
            continue;
        }
        let said = shell(line, &here, home, path)?;
        let said = said.replace(&home.display().to_string(), "/home/you");
        text.push_str(&shortened(&said, line.contains("--stream")));
    }
    Ok(text)
}

/// What a command says, to a reader who is no terminal.
fn shell(line: &str, here: &Path, home: &Path, path: &OsString) -> Result<String> {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .current_dir(here)
        .env("PATH", path)
        .env("FLWR_HOME", home.join(".flwr"))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{line}` does not start"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("`{line}`: {}\n{said}{error}", output.status);
    }
    Ok(said)
}

fn shortened(said: &str, is_log: bool) -> String {
    let lines: Vec<_> = said.lines().map(str::trim_end).collect();
    let mut shown: Vec<&str> = lines.clone();
    if is_log {
        let start = lines
            .iter()
            .position(|line| line.contains("INFO"))
            .unwrap_or(0);
        let tail: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("Round"))
            .copied()
            .collect();
        let tail = &tail[tail.len().saturating_sub(LAST_LINES)..];
        shown = [&lines[..start], &["..."], tail].concat();
    }
    shown.iter().map(|line| format!("{line}\n")).collect()
}

fn write(text: &str) -> Result<()> {
    let path = build::root().join("README.md");
    let readme = fs::read_to_string(&path)?;
    let place = readme.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}{text}{END}{after}"))
    });
    let readme = place.with_context(|| format!("there is no {BEGIN:?} in the README"))?;
    fs::write(&path, readme)?;
    Ok(())
}
