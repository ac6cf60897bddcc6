//! The package `flower-daemons` for Debian, by `dpkg-deb` from a tree of files.
//!
//! The programs are where `flwrd` looks for them. Links in `/usr/bin` give them their names there:
//! pip writes to `/usr/local` and to environments, which come first on PATH. Services are not
//! enabled: a SuperLink needs certificates before its first start.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::artefacts::Pack;
use super::{tree, work};
use crate::support::{build, tools};

/// The package's name.
pub(super) const NAME: &str = "flower-daemons";
/// Whom users of the package write to.
const MAINTAINER: &str = "flower-daemons maintainers <maintainers@flower-daemons.invalid>";
/// The programs with a name in `/usr/bin`, beside `flwrd`: the group's folder and the name.
const LINKED: [(&str, &str); 3] = [
    ("flwr", "flwr"),
    ("superlink", "flower-superlink"),
    ("supernode", "flower-supernode"),
];
/// The configuration files, which an upgrade leaves alone where people have changed them.
pub(super) const CONFIGURATION: [&str; 2] = ["superlink.toml", "supernode.toml"];
/// The units, each with the configuration file of its daemon.
const UNITS: [(&str, &str); 3] = [
    ("flower-superlink", "superlink.toml"),
    ("flower-supernode", "supernode.toml"),
    ("flower-supernode-joined", "supernode.toml"),
];

/// Why this machine makes no package, if it does not.
pub(super) fn hindrance() -> Option<String> {
    let tools = [("dpkg-deb", "dpkg"), ("help2man", "help2man")];
    let (tool, package) = tools.iter().find(|(tool, _)| !tools::is_there(tool))?;
    Some(format!("{tool} is missing: apt install {package}"))
}

/// What a package is made of.
pub(super) struct Contents<'a> {
    /// The programs and texts.
    pub(super) pack: &'a Pack,
    /// The package's version.
    pub(super) version: &'a str,
}

impl Contents<'_> {
    /// Makes the package, and says where it is.
    pub(super) fn make(&self) -> Result<PathBuf> {
        let stage = work().join("deb");
        tree::empty(&stage)?;
        let root = stage.join("root");
        self.fill(&root)?;
        self.control(&root)?;
        tree::set_modes(&root)?;
        let file = stage.join(format!("{NAME}_{}_amd64.deb", self.version));
        let mut pack = Command::new("dpkg-deb");
        pack.args(["--root-owner-group", "--threads-max=1"]);
        pack.args([self.pack.compression, "--build"]);
        pack.args([&root, &file]);
        pack.env("SOURCE_DATE_EPOCH", &self.pack.epoch);
        build::succeed(pack.stdout(Stdio::null()))?;
        Ok(file)
    }

    fn fill(&self, root: &Path) -> Result<()> {
        let (usr, bin) = (root.join("usr"), root.join("usr/bin"));
        tree::fill(&bin, &usr, &self.pack.linked, &self.pack.standalone)?;
        for (group, name) in LINKED {
            let program = format!("../libexec/{NAME}/{group}/{name}");
            symlink(program, bin.join(name))?;
        }
        for name in CONFIGURATION {
            tree::add(&source(name), &root.join("etc/flower").join(name), 0o644)?;
        }
        for (name, configuration) in UNITS {
            let unit = unit(name, configuration)?;
            tree::write(
                &usr.join(format!("lib/systemd/system/{name}.service")),
                &unit,
            )?;
        }
        self.manuals(&usr.join("share/man/man1"))?;
        self.completions(&usr.join("share"))?;
        self.documents(&usr.join("share"))
    }

    fn flwr(&self) -> Command {
        Command::new(self.pack.linked.join("flwr"))
    }

    /// Manual pages: those of `flwr` by `flwr` itself, the others from what `--help` says.
    fn manuals(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let mut pages = self.flwr();
        pages.args(["man", "--out"]).arg(folder);
        build::succeed(pages.stdout(Stdio::null()))?;
        for (programs, name, about) in [
            (
                &self.pack.standalone,
                "flwrd",
                "choose whose Flower programs the shell finds",
            ),
            (
                &self.pack.linked,
                "flower-superlink",
                "coordinate a Flower federation",
            ),
            (
                &self.pack.linked,
                "flower-supernode",
                "work for a Flower federation beside the data",
            ),
        ] {
            let page = folder.join(format!("{name}.1"));
            let mut write = Command::new("help2man");
            write.args(["--no-info", "--section=1", "--name", about, "--output"]);
            write.arg(page).arg(programs.join(name));
            write
                .env("SOURCE_DATE_EPOCH", &self.pack.epoch)
                .env("LC_ALL", "C.UTF-8");
            build::succeed(&mut write).context("Debian's package help2man is needed")?;
        }
        for page in fs::read_dir(folder)? {
            tree::compress(&page?.path())?;
        }
        Ok(())
    }

    fn completions(&self, share: &Path) -> Result<()> {
        for (shell, file) in [
            ("bash", "bash-completion/completions/flwr"),
            ("zsh", "zsh/vendor-completions/_flwr"),
            ("fish", "fish/vendor_completions.d/flwr.fish"),
        ] {
            let output = self.flwr().args(["completions", shell]).output()?;
            if !output.status.success() {
                bail!("`flwr completions {shell}` failed ({})", output.status);
            }
            tree::write(&share.join(file), &String::from_utf8(output.stdout)?)?;
        }
        Ok(())
    }

    fn documents(&self, share: &Path) -> Result<()> {
        let documents = share.join("doc").join(NAME);
        tree::add(&source("copyright"), &documents.join("copyright"), 0o644)?;
        let mut date = Command::new("date");
        date.args(["--utc", "--rfc-email", "--date"])
            .arg(format!("@{}", self.pack.epoch));
        let date = String::from_utf8(date.env("LC_ALL", "C").output()?.stdout)?;
        let version = self.version;
        let changes = format!(
            "{NAME} ({version}) unstable; urgency=medium\n\n  * The changes are in NEWS.gz.\n\n -- {MAINTAINER}  {date}"
        );
        tree::write(&documents.join("changelog"), &changes)?;
        for (file, name) in [
            (build::root().join("CHANGELOG.md").as_path(), "NEWS"),
            (self.pack.notices.as_path(), "THIRD-PARTY.md"),
        ] {
            tree::add(file, &documents.join(name), 0o644)?;
        }
        for name in ["changelog", "NEWS", "THIRD-PARTY.md"] {
            tree::compress(&documents.join(name))?;
        }
        let overrides = share.join("lintian/overrides").join(NAME);
        tree::add(&source("lintian-overrides"), &overrides, 0o644)
    }

    /// What dpkg reads: the description, the configuration files, the sums, and the scripts.
    fn control(&self, root: &Path) -> Result<()> {
        let (folder, size) = (root.join("DEBIAN"), sums(root)?);
        let (version, glibc) = (self.version, &self.pack.glibc);
        let kib = size.bytes.div_ceil(1024);
        tree::write(
            &folder.join("control"),
            &format!(
                "Package: {NAME}
Version: {version}
Architecture: amd64
Maintainer: {MAINTAINER}
Installed-Size: {kib}
Depends: libc6 (>= {glibc}), libgcc-s1
Section: net
Priority: optional
Description: daemons of a Flower federation, and the flwr command
 The SuperLink coordinates federated learning, a SuperNode works beside the data
 of each owner, and flwr starts runs. They speak with those of pip's flwr, whose
 processes run the apps. flwrd chooses which of both the shell finds.
"
            ),
        )?;
        let conffiles = CONFIGURATION.map(|name| format!("/etc/flower/{name}\n"));
        tree::write(&folder.join("conffiles"), &conffiles.concat())?;
        tree::write(&folder.join("md5sums"), &size.lines)?;
        for script in ["postinst", "prerm", "postrm"] {
            tree::add(&source(script), &folder.join(script), 0o755)?;
        }
        Ok(())
    }
}

/// A file of the package that people have written.
fn source(name: &str) -> PathBuf {
    build::root().join("packaging/debian").join(name)
}

/// A unit of the examples, for the package's places: programs in `/usr/bin`, flags in a file.
fn unit(name: &str, configuration: &str) -> Result<String> {
    let example = build::root().join(format!("examples/systemd/{name}.service"));
    let text = fs::read_to_string(&example).with_context(|| example.display().to_string())?;
    let daemon = name.trim_end_matches("-joined");
    let program = format!("/usr/local/bin/{daemon}");
    if !text.contains(&program) {
        bail!("{} does not start {program}", example.display());
    }
    let here = format!("/usr/bin/{daemon} --config /etc/flower/{configuration}");
    let settings = text.lines().skip_while(|line| !line.starts_with('['));
    let ours = settings.filter(|line| !is_in_file(line));
    let mut unit =
        format!("# Settings: /etc/flower/{configuration}, and `systemctl edit {name}`.\n\n");
    for line in ours {
        writeln!(unit, "{}", line.replace(&program, &here))?;
    }
    Ok(unit)
}

/// Whether the configuration files have this setting of a unit. A variable would win over them.
fn is_in_file(line: &str) -> bool {
    [
        "Environment=FLOWER_SUPERLINK_ISOLATION=",
        "Environment=FLOWER_SUPERLINK_SERVERAPPIO_API_ADDRESS=",
        "Environment=FLOWER_SUPERNODE_CLIENTAPPIO_API_ADDRESS=",
        "# Of use to this machine alone.",
    ]
    .iter()
    .any(|setting| line.starts_with(setting))
}

/// The sums of a package's files, and their bytes.
#[derive(Default)]
struct Sums {
    lines: String,
    bytes: u64,
}

fn sums(root: &Path) -> Result<Sums> {
    let mut files = Vec::new();
    tree::walk(root, &mut |path, metadata| {
        if metadata.is_file() {
            files.push(path.to_owned());
        }
        Ok(())
    })?;
    files.sort();
    let mut sums = Sums::default();
    for file in files {
        let name = file.strip_prefix(root)?;
        let mut sum = Command::new("md5sum");
        let output = sum
            .stdin(File::open(&file)?)
            .output()
            .context("md5sum does not start")?;
        let sum = String::from_utf8(output.stdout)?;
        let sum = sum.split(' ').next().unwrap_or_default();
        // dpkg's own files of sums leave the configuration out.
        if !name.starts_with("etc") {
            writeln!(sums.lines, "{sum}  {}", name.display())?;
        }
        sums.bytes += file.metadata()?.len();
    }
    Ok(sums)
}
