//! A folder that a package takes for `/`, and the life of the package there.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::super::{deb, first_run, source::VERSION, tools::says_version, tree};
use crate::support::python::FLOWER;
use crate::support::{build, tools};

/// What lets dpkg work on a root that has nothing but this package. libc6 belongs to the machine, not to
/// the root.
pub(in crate::dist) const FLAGS: [&str; 6] = [
    "--force-script-chrootless",
    "--force-depends",
    "--force-not-root",
    "--force-confold",
    "--force-bad-path",
    "--log=/dev/null",
];
/// The programs in `/usr/bin`.
const PROGRAMS: [&str; 4] = ["flwrd", "flwr", "flower-superlink", "flower-supernode"];
/// A file that a SuperLink of the package would leave.
const STATE: &str = "var/lib/private/flower-superlink/superlink/state.db";
/// A file that people put beside the configuration.
const KEY: &str = "etc/flower/server.key";
/// The worst exposure of a service that `systemd-analyze security` may tell, in tenths: those of the
/// units in `examples/systemd`.
const EXPOSURE: [(&str, u32); 3] = [
    ("flower-superlink", 12),
    ("flower-supernode", 15),
    ("flower-supernode-joined", 15),
];

/// A folder that a package takes for `/`.
pub(in crate::dist) enum Root {
    /// Nothing but the package is there: dpkg and systemd are those of this machine.
    Bare(PathBuf),
    /// A whole system: apt, dpkg and systemd are its own.
    Whole(PathBuf),
}

impl Root {
    /// Makes a root without anything.
    pub(in crate::dist) fn bare(folder: &Path) -> Result<Self> {
        tree::empty(&folder.join("var/lib/dpkg/updates"))?;
        tree::empty(&folder.join("var/lib/dpkg/info"))?;
        for name in ["status", "available"] {
            tree::write(&folder.join("var/lib/dpkg").join(name), "")?;
        }
        Ok(Self::Bare(folder.canonicalize()?))
    }

    /// From the first installation to the purge. What people have changed stays until then.
    pub(super) fn live(&self, older: &Path, now: &Path) -> Result<()> {
        self.install(older)?;
        self.programs_work()?;
        self.units_are_good()?;
        let configuration = self.folder().join("etc/flower/superlink.toml");
        let edited = fs::read_to_string(&configuration)? + "max-storage = \"10G\"\n";
        tree::write(&configuration, &edited)?;
        for name in [STATE, KEY] {
            let file = self.folder().join(name);
            fs::create_dir_all(file.parent().context("a file without a folder")?)?;
            fs::write(file, "kept")?;
        }
        let stays = |step: &str, state: bool| {
            let is_edited = fs::read_to_string(&configuration).is_ok_and(|text| text == edited);
            let found = (is_edited, self.has(STATE), self.has(KEY));
            if found != (state, state, true) {
                bail!("after {step}, configuration, state and key are there: {found:?}");
            }
            Ok(())
        };
        self.install(now)?;
        self.programs_work()?;
        self.units_are_good()?;
        self.version_is(VERSION)?;
        stays("the upgrade", true)?;
        if let Self::Whole(folder) = self {
            self.first_run(folder)?;
        }
        self.leave("remove")?;
        stays("the removal", true)?;
        let left = PROGRAMS.map(|name| format!("usr/bin/{name}"));
        if let Some(left) = left.iter().find(|name| self.has(name)) {
            bail!("the removal of {} leaves {left}", deb::NAME);
        }
        self.leave("purge")?;
        stays("the purge", false)
    }

    /// The first run of the README, with pip's flwr where the documents of the package say.
    fn first_run(&self, folder: &Path) -> Result<()> {
        // pip needs what this machine has of a network.
        for name in ["etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"] {
            let inside = folder.join(name);
            let _ = fs::remove_file(&inside);
            fs::copy(Path::new("/").join(name), &inside).with_context(|| format!("/{name}"))?;
        }
        let script = format!(
            "python3 -m venv /opt/flower/venv; . /opt/flower/venv/bin/activate; pip --quiet install {}; \
             eval \"$(flwrd env)\"; cd; {}",
            FLOWER.requirement(),
            first_run::script("flwr")
        );
        let mut shell = self.program("/bin/sh");
        shell
            .args(["-euc", &script])
            .env("FLWR_TELEMETRY_ENABLED", "0");
        first_run::has_started(&build::said(&mut shell)?)
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Bare(folder) | Self::Whole(folder) => folder,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.folder().join(name).symlink_metadata().is_ok()
    }

    /// A program of a whole system, or of this machine.
    fn program(&self, name: &str) -> Command {
        match self {
            Self::Bare(_) => Command::new(name),
            Self::Whole(folder) => {
                // flwrd reads /proc to find itself. The mount ends with the command.
                let mut inside = Command::new("unshare");
                inside.args(["--mount", "--pid", "--fork", "--mount-proc"]);
                inside.arg(format!("--root={}", folder.display()));
                inside.arg(name);
                inside
                    .env_clear()
                    .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
                inside.env("DEBIAN_FRONTEND", "noninteractive");
                inside.env("HOME", "/root");
                inside
            }
        }
    }

    /// A program of the package.
    fn installed(&self, name: &str) -> Command {
        match self {
            Self::Bare(folder) => Command::new(folder.join("usr/bin").join(name)),
            Self::Whole(_) => self.program(&format!("/usr/bin/{name}")),
        }
    }

    fn install(&self, package: &Path) -> Result<()> {
        match self {
            Self::Bare(_) => self.dpkg(&["--install".as_ref(), package.as_os_str()]),
            Self::Whole(folder) => {
                let name = package.file_name().context("a package without a name")?;
                let inside = Path::new("/var/tmp").join(name);
                tree::add(package, &folder.join("var/tmp").join(name), 0o644)?;
                // The system has no lists of packages: what this one depends on must be there.
                let mut apt = self.program("apt-get");
                apt.args(["--yes", "install"]).arg(inside);
                succeed(&mut apt)?;
                fs::remove_file(folder.join("var/tmp").join(name))?;
                Ok(())
            }
        }
    }

    /// `remove` or `purge`.
    fn leave(&self, how: &str) -> Result<()> {
        match self {
            Self::Bare(_) => self.dpkg(&[format!("--{how}").as_ref(), deb::NAME.as_ref()]),
            Self::Whole(_) => succeed(self.program("apt-get").args(["--yes", how, deb::NAME])),
        }
    }

    fn dpkg(&self, arguments: &[&OsStr]) -> Result<()> {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.folder().display()));
        succeed(dpkg.args(FLAGS).args(arguments))
    }

    /// Each program starts by its name, and `flwrd` finds the others of the package.
    fn programs_work(&self) -> Result<()> {
        for name in PROGRAMS {
            says_version(self.installed(name).arg("--version"))?;
        }
        says_version(self.installed("flwrd").args(["superlink", "--version"]))
    }

    fn version_is(&self, version: &str) -> Result<()> {
        let mut query = Command::new("dpkg-query");
        query.arg(format!(
            "--admindir={}/var/lib/dpkg",
            self.folder().display()
        ));
        let output = query
            .args(["--show", "--showformat=${Version}", deb::NAME])
            .output()?;
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        if found != version {
            bail!("dpkg has version {found:?} of {}, not {version}", deb::NAME);
        }
        Ok(())
    }

    /// systemd takes the units, and their sandbox is not worse than it was.
    fn units_are_good(&self) -> Result<()> {
        if matches!(self, Self::Bare(_)) && !tools::is_there("systemd-analyze") {
            println!("SKIPPED: the units of the Debian package, since systemd-analyze is missing");
            return Ok(());
        }
        for (name, worst) in EXPOSURE {
            let file = format!("usr/lib/systemd/system/{name}.service");
            let (mut unit, folder) = (PathBuf::from("/").join(&file), tempfile::tempdir()?);
            if let Self::Bare(root) = self {
                // systemd-analyze looks for the programs of a unit on this machine.
                let bin = format!("{}/usr/bin/", root.display());
                let text = fs::read_to_string(root.join(&file))?;
                unit = folder.path().join(format!("{name}.service"));
                tree::write(&unit, &text.replace("/usr/bin/", &bin))?;
            }
            let analyze = || {
                let mut analyze = self.program("systemd-analyze");
                analyze.env("SYSTEMD_LOG_LEVEL", "warning");
                analyze
            };
            succeed(analyze().args(["verify", "--man=no"]).arg(&unit))?;
            let threshold = format!("--threshold={worst}");
            let mut security = analyze();
            security.args(["security", "--offline=yes", "--no-pager", &threshold]);
            succeed(security.arg(&unit))?;
        }
        Ok(())
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    build::said(command).map(drop)
}
