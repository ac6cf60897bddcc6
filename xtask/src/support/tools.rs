//! Programs of the machine that documentation uses, and tests therefore need.

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::support::build;

/// Each with the Debian package that it comes in.
const TOOLS: [(&str, &str); 9] = [
    ("openssl", "openssl"),
    ("ssh-keygen", "openssh-client"),
    // Shows the system calls of a program, from which the tests cut the power.
    ("strace", "strace"),
    ("nginx", "nginx"),
    ("haproxy", "haproxy"),
    ("pg_ctlcluster", "postgresql"),
    ("pgbouncer", "pgbouncer"),
    ("promtool", "prometheus"),
    // With the character maps of `localedef`.
    ("locale-gen", "locales"),
];
/// What faults need.
const FAULT_TOOLS: [(&str, &str); 2] = [("faketime", "faketime"), ("pg_ctlcluster", "postgresql")];
/// Where daemons are, also if PATH does not say so.
const SBIN: &str = "/usr/sbin";

/// Installs what is missing, on machines that have apt and let us.
pub(crate) fn prepare() -> Result<()> {
    install_missing(&TOOLS)
}

/// The same for what `cargo xtask faults` needs.
pub(crate) fn prepare_for_faults() -> Result<()> {
    install_missing(&FAULT_TOOLS)
}

fn install_missing(tools: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<_> = tools.iter().filter(|(tool, _)| !is_there(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.iter().map(|(_, package)| *package);
    let wanted: Vec<_> = packages.collect();
    println!("Installing {} ...", wanted.join(", "));
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]);
    let _ = Command::new("apt-get")
        .args(["update", "--quiet"])
        .stdout(Stdio::null())
        .status();
    if build::succeed(install.args(&wanted)).is_err() {
        bail!(
            "{} needed: install {}",
            missing
                .iter()
                .map(|(tool, _)| *tool)
                .collect::<Vec<_>>()
                .join(" and "),
            wanted.join(" and ")
        );
    }
    Ok(())
}

/// Whether the machine has a tool.
pub(crate) fn is_there(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([SBIN.into()])
        .any(|folder| folder.join(tool).is_file())
}
