//! The tarball in a root that has nothing else: no libc, no shell, no certificates, only `/etc/hosts` and
//! `/etc/resolv.conf`. A SuperLink there serves over TLS, and the others reach it by its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::{tarball, tree};
use crate::support::build::said;
use crate::support::daemon::{self, Daemon};

/// The SuperLink's name, which only the root's own `/etc/hosts` has.
const HOST: &str = "superlink.bare.example";
/// What a root needs for names. No server of names is there: hosts come first.
const FILES: [(&str, &str); 2] = [
    ("etc/hosts", "127.0.0.1 localhost superlink.bare.example\n"),
    ("etc/resolv.conf", "nameserver 127.0.0.1\n"),
];
/// How long the SuperLink may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Unpacks the tarball into an empty root in this folder, and uses the programs there.
pub(super) fn check(archive: &Path, folder: &Path) -> Result<()> {
    let root = Root::make(&folder.join("bare"), archive)?;
    if let Err(error) = root.flwrd(&["--version"]) {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: the tarball in an empty root: only root may enter ({error:#})");
            return Ok(());
        }
        return Err(error);
    }
    root.reach_by_name(folder)?;
    println!("the programs of the tarball work where no library is");
    Ok(())
}

/// A folder that a program takes for `/`.
struct Root(PathBuf);

impl Root {
    fn make(folder: &Path, archive: &Path) -> Result<Self> {
        tree::empty(folder)?;
        for (name, text) in FILES {
            tree::write(&folder.join(name), text)?;
        }
        fs::create_dir(folder.join("tmp"))?;
        tarball::unpack(archive, folder)?;
        Ok(Self(folder.canonicalize()?))
    }

    /// `flwrd` in the root, without any variable of ours.
    fn enter(&self, arguments: &[&str]) -> Command {
        let mut enter = Command::new("chroot");
        enter.arg(&self.0).arg("/bin/flwrd").args(arguments);
        enter.env_clear().env("HOME", "/tmp");
        // chroot itself is found by PATH.
        enter.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        enter
    }

    fn flwrd(&self, arguments: &[&str]) -> Result<String> {
        said(&mut self.enter(arguments))
    }

    /// A SuperLink with TLS, which `flwr` and a SuperNode find by its name.
    fn reach_by_name(&self, folder: &Path) -> Result<()> {
        self.flwrd(&["flwr", "cert", "new", "--name", HOST])?;
        let [appio, fleet, control, http] = daemon::free_ports()?;
        let at = |port: u16| format!("127.0.0.1:{port}");
        let mut superlink = self.enter(&["superlink", "--isolation", "process"]);
        // The root's `/` is where programs begin there.
        superlink.args(daemon::TLS);
        for (flag, value) in [
            ("--serverappio-api-address", at(appio)),
            ("--fleet-api-address", at(fleet)),
            ("--control-api-address", at(control)),
            ("--port", http.to_string()),
        ] {
            superlink.args([flag, &value]);
        }
        let mut superlink = Daemon::start("bare-superlink", &mut superlink, folder)?;
        superlink.wait_for(daemon::here(control), PATIENCE)?;
        let address = format!("{HOST}:{control}");
        let mut list = self.enter(&["flwr", "list", "--format", "json"]);
        list.env("FLWR_SUPERLINK_ADDRESS", &address);
        list.env("FLWR_ROOT_CERTIFICATES", "/certificates/ca.crt");
        let runs = said(&mut list)?;
        if !runs.contains("\"success\": true") {
            bail!("`flwr list` of the tarball prints {runs:?}");
        }
        let node = ["supernode", "--check-config", "--isolation", "process"];
        let fleet = format!("{HOST}:{fleet}");
        let connection = [
            "--superlink",
            &fleet,
            "--root-certificates",
            "/certificates/ca.crt",
        ];
        self.flwrd(&[&node[..], &connection].concat())?;
        superlink.stop(PATIENCE)
    }
}
