//! `cargo xtask deny`: licences, sources and bans of all crates, and known holes in them
//! (`.deny.toml`). What cannot be checked here is told.

use std::process::ExitCode;

use anyhow::Result;

use crate::support::build;

/// `cargo xtask deny`
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs cargo-deny, if it is there. The advisories come from a database on github.com: where the
/// database cannot be fetched, they are skipped.
pub(crate) fn run(_args: &Args) -> Result<ExitCode> {
    let mut version = build::cargo();
    version.args(["deny", "--version"]);
    if !version.output().is_ok_and(|output| output.status.success()) {
        println!(
            "SKIPPED: licences, sources, bans and advisories of crates are not checked, since \
             cargo-deny is not installed: `cargo install --locked cargo-deny`"
        );
        return Ok(ExitCode::SUCCESS);
    }
    let mut check = build::cargo();
    let checked = build::outcome(check.args(["deny", "check", "licenses", "sources", "bans"]))?;
    let mut fetch = build::cargo();
    if !fetch.args(["deny", "fetch", "db"]).status()?.success() {
        println!(
            "SKIPPED: known holes are not checked: the database of advisories is not reachable"
        );
        return Ok(checked);
    }
    let mut advisories = build::cargo();
    advisories.args(["deny", "check", "--disable-fetch", "advisories"]);
    let known = build::outcome(&mut advisories)?;
    Ok(if checked == ExitCode::SUCCESS {
        known
    } else {
        checked
    })
}
