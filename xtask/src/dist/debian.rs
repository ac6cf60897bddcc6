//! The Debian package, from the programs that the tests have built: installed into a root of its own,
//! upgraded, removed and purged there by `dpkg`.
//!
//! dpkg runs the scripts of a package outside of that root (`--force-script-chrootless`), so that the
//! root needs neither a shell nor a libc. What apt says of the dependencies is not seen there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::artefacts::Pack;
use super::deb;
use super::source::VERSION;
use super::tree;
use crate::support::{build, tools};

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

/// Takes a root through the life of a package, from a version before it on.
pub(super) fn check(pack: &Pack, package: &Path, folder: &Path) -> Result<()> {
    // The mark `~` stands before the end of a version for dpkg.
    let made = pack.deb(&format!("{VERSION}~before"))?;
    let older = folder.join(made.file_name().context("a package without a name")?);
    fs::copy(&made, &older)?;
    let root = Root::make(&folder.join("debian"))?;
    root.live(&older, package)?;
    println!("the Debian package is installed, upgraded, removed and purged");
    if fs::read(package)? != fs::read(pack.deb(VERSION)?)? {
        bail!(
            "{} is another file when it is made again",
            package.display()
        );
    }
    lint(package)
}

/// A folder that dpkg takes for `/`.
struct Root(PathBuf);

impl Root {
    fn make(folder: &Path) -> Result<Self> {
        tree::empty(&folder.join("var/lib/dpkg/updates"))?;
        tree::empty(&folder.join("var/lib/dpkg/info"))?;
        for name in ["status", "available"] {
            tree::write(&folder.join("var/lib/dpkg").join(name), "")?;
        }
        Ok(Self(folder.canonicalize()?))
    }

    /// From the first installation to the purge. What people have changed stays until then.
    fn live(&self, older: &Path, now: &Path) -> Result<()> {
        self.dpkg(&["--install".as_ref(), older.as_os_str()])?;
        self.programs_work()?;
        self.units_are_good()?;
        let configuration = self.0.join("etc/flower/superlink.toml");
        let edited = fs::read_to_string(&configuration)? + "max-storage = \"10G\"\n";
        tree::write(&configuration, &edited)?;
        for name in [STATE, KEY] {
            let file = self.0.join(name);
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
        self.dpkg(&["--install".as_ref(), now.as_os_str()])?;
        self.programs_work()?;
        self.version_is(VERSION)?;
        stays("the upgrade", true)?;
        self.dpkg(&["--remove".as_ref(), deb::NAME.as_ref()])?;
        stays("the removal", true)?;
        let left = PROGRAMS.map(|name| format!("usr/bin/{name}"));
        if let Some(left) = left.iter().find(|name| self.has(name)) {
            bail!("`dpkg --remove {}` leaves {left}", deb::NAME);
        }
        self.dpkg(&["--purge".as_ref(), deb::NAME.as_ref()])?;
        stays("the purge", false)
    }

    fn has(&self, name: &str) -> bool {
        self.0.join(name).symlink_metadata().is_ok()
    }

    fn dpkg(&self, arguments: &[&std::ffi::OsStr]) -> Result<()> {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.0.display()));
        // libc6 belongs to the machine, not to this root.
        dpkg.args([
            "--force-script-chrootless",
            "--force-depends",
            "--force-not-root",
        ]);
        dpkg.args(["--force-confold", "--force-bad-path", "--log=/dev/null"]);
        let output = dpkg.args(arguments).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            bail!("{} failed ({}):\n{said}", build::show(&dpkg), output.status);
        }
        Ok(())
    }

    /// Each program starts by its name, and `flwrd` finds the others of the package.
    fn programs_work(&self) -> Result<()> {
        let bin = self.0.join("usr/bin");
        for name in PROGRAMS {
            self.says_version(Command::new(bin.join(name)).arg("--version"))?;
        }
        self.says_version(Command::new(bin.join("flwrd")).args(["superlink", "--version"]))
    }

    fn says_version(&self, command: &mut Command) -> Result<()> {
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || !said.contains(&format!("{VERSION} (commit ")) {
            bail!("{} says {said:?}, not {VERSION}", build::show(command));
        }
        Ok(())
    }

    fn version_is(&self, version: &str) -> Result<()> {
        let mut query = Command::new("dpkg-query");
        query.arg(format!("--admindir={}/var/lib/dpkg", self.0.display()));
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
        if !tools::is_there("systemd-analyze") {
            println!("SKIPPED: the units of the Debian package, since systemd-analyze is missing");
            return Ok(());
        }
        for (name, worst) in EXPOSURE {
            let file = format!("usr/lib/systemd/system/{name}.service");
            let text = fs::read_to_string(self.0.join(&file))?;
            // systemd-analyze looks for the programs of a unit on this machine.
            let bin = format!("{}/usr/bin/", self.0.display());
            let folder = tempfile::tempdir()?;
            let unit = folder.path().join(format!("{name}.service"));
            tree::write(&unit, &text.replace("/usr/bin/", &bin))?;
            analyze(
                Command::new("systemd-analyze")
                    .args(["verify", "--man=no"])
                    .arg(&unit),
            )?;
            let threshold = format!("--threshold={worst}");
            let mut security = Command::new("systemd-analyze");
            security.args(["security", "--offline=yes", "--no-pager", &threshold]);
            analyze(security.arg(&unit))?;
        }
        Ok(())
    }
}

fn analyze(command: &mut Command) -> Result<()> {
    let output = command.env("SYSTEMD_LOG_LEVEL", "warning").output()?;
    if !output.status.success() {
        let said = [output.stderr, output.stdout].concat();
        bail!(
            "{} failed:\n{}",
            build::show(command),
            String::from_utf8_lossy(&said)
        );
    }
    Ok(())
}

/// Has lintian look for errors.
fn lint(package: &Path) -> Result<()> {
    if !tools::is_there("lintian") {
        println!("SKIPPED: lintian on the Debian package, since lintian is missing");
        return Ok(());
    }
    let mut lintian = Command::new("lintian");
    lintian.args(["--fail-on", "error", "--tag-display-limit", "0"]);
    // Packages of a release are compressed.
    let uncompressed =
        ["control", "data"].map(|part| format!("uses-no-compression-for-{part}-tarball"));
    lintian.args(["--suppress-tags", &uncompressed.join(",")]);
    lintian.env("LC_ALL", "C.UTF-8");
    let output = lintian.arg(package).output()?;
    if !output.status.success() {
        bail!(
            "lintian finds errors:\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    println!("lintian finds no errors in the Debian package");
    Ok(())
}

/// The glibc of this machine: programs of the tests are linked against it.
pub(super) fn glibc() -> Result<String> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output()?;
    let said = String::from_utf8(output.stdout)?;
    let version = said.trim().strip_prefix("glibc ");
    Ok(version.context("this machine has no glibc")?.to_owned())
}
