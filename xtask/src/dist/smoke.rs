//! `cargo xtask dist --smoke`: the artefacts, made from the programs that the tests have built, installed
//! and used. Only the optimisations and the old glibc of a release are missing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::artefacts::{Artefacts, Pack};
use super::source::{Source, VERSION};
use super::{
    debian, first_run, images, notices, programs, sbom, tarball, tools, tree, wheel, work,
};
use crate::support::build::{self, Profile};
use crate::support::python::{self, Flower};

/// The package's name for pip.
const PACKAGE: &str = "flwr-daemons";

/// Makes artefacts from the programs of the tests, and uses them.
pub(super) fn run() -> Result<ExitCode> {
    let built = build::programs(Profile::Dev)?;
    let folder = work().join("smoke");
    tree::empty(&folder)?;
    let stripped = folder.join("programs");
    tree::strip(&built, &stripped)?;
    let source = Source::here()?;
    let mut pack = Pack::of_tests(&stripped, &source)?;
    if let Some(notices) = texts(&source)? {
        pack.notices = notices;
    }
    let made = pack.all()?.place(&folder.join("dist"))?;
    check(&pack, &made, &folder)?;
    Ok(ExitCode::SUCCESS)
}

/// The licences, and a look at the bill of materials, where this machine has the tools already.
fn texts(source: &Source) -> Result<Option<PathBuf>> {
    if let Some(missing) = tools::missing_for_texts() {
        println!("SKIPPED: licences and bill of materials, since {missing} is not built here yet");
        return Ok(None);
    }
    sbom::make(source)?;
    println!("the bill of materials has every crate");
    notices::make().map(Some)
}

/// Installs artefacts, and uses them: the wheel beside an old and a new flwr, with a first run.
pub(super) fn check(pack: &Pack, made: &Artefacts, folder: &Path) -> Result<()> {
    if let Some(package) = &made.deb {
        debian::check(pack, package, folder)?;
    }
    wheel::fits_its_systems_only(&made.wheel)?;
    tarball::check(&made.tarball, &folder.join("unpacked"))?;
    images::check(pack, made, folder)?;
    for (flower, plays) in [(&python::FLOWER_1_22, true), (&python::FLOWER, false)] {
        let venv = Venv::make(&folder.join(flower.variable()))?;
        venv.check(&made.wheel, flower, plays)?;
        println!(
            "the wheel works beside {}, and each leaves the other",
            flower.requirement()
        );
    }
    Ok(())
}

/// Measures how long a person with pip takes from an empty environment to the end of the first run.
pub(super) fn time_first_run(wheel: &Path, folder: &Path) -> Result<()> {
    let began = Instant::now();
    let venv = Venv::make(&folder.join("first-run"))?;
    venv.pip(&["install", &format!("{}[apps]", wheel.display())])?;
    let installed = began.elapsed();
    venv.first_run()?;
    println!(
        "the first run has ended {:.1} s after an empty environment was made, in which `pip install` took {:.1} s",
        began.elapsed().as_secs_f64(),
        installed.as_secs_f64()
    );
    Ok(())
}

/// A Python environment that the wheel is installed into.
struct Venv {
    folder: PathBuf,
}

impl Venv {
    fn make(folder: &Path) -> Result<Self> {
        let mut venv = Command::new(python::interpreter()?);
        build::succeed(venv.args(["-m", "venv"]).arg(folder))?;
        let folder = folder.canonicalize()?;
        Ok(Self { folder })
    }

    fn bin(&self) -> PathBuf {
        python::bin(&self.folder)
    }

    /// Installs both in both orders, and uninstalls each while the other is there.
    fn check(&self, wheel: &Path, flower: &Flower<'_>, plays: bool) -> Result<()> {
        let ours = wheel.to_string_lossy();
        let install_ours = || self.pip(&["install", "--no-index", "--no-deps", &ours]);
        install_ours()?;
        self.ours_work()?;
        self.pip(&["install", "--no-deps", &flower.requirement()])?;
        self.borrow_packages(&flower.prepare()?)?;
        self.both_work(flower)?;
        if plays {
            self.first_run()?;
        }
        self.pip(&["uninstall", "--yes", PACKAGE])?;
        self.pips_work(flower)?;
        // pip leaves empty folders.
        let libexec = self.folder.join("libexec/flower-daemons");
        let left = programs::INSTALLED.map(|(group, name)| libexec.join(group).join(name));
        let mut left = left.into_iter().chain([self.bin().join("flwrd")]);
        if let Some(left) = left.find(|program| program.exists()) {
            bail!("`pip uninstall {PACKAGE}` leaves {}", left.display());
        }
        install_ours()?;
        self.both_work(flower)?;
        self.pip(&["uninstall", "--yes", "flwr"])?;
        self.ours_work()
    }

    fn pip(&self, arguments: &[&str]) -> Result<()> {
        let mut pip = Command::new(self.bin().join("python"));
        pip.args([
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ]);
        build::succeed(pip.args(arguments))
    }

    /// Gives the environment the packages that pip's flwr needs, as another environment has them.
    fn borrow_packages(&self, other: &Path) -> Result<()> {
        let (here, there) = (packages(&self.folder)?, packages(other)?);
        fs::write(here.join("borrowed.pth"), format!("{}\n", there.display()))?;
        Ok(())
    }

    fn both_work(&self, flower: &Flower<'_>) -> Result<()> {
        self.ours_work()?;
        self.pips_work(flower)?;
        let own = self.bin().join("flower-superlink");
        let ours = self
            .folder
            .join("libexec/flower-daemons/superlink/flower-superlink");
        for (line, found) in [
            ("", &own),
            ("eval \"$(flwrd env)\"", &ours),
            ("eval \"$(flwrd env --only flwr,supernode)\"", &own),
            ("eval \"$(flwrd env)\"; eval \"$(flwrd env --undo)\"", &own),
        ] {
            let said = self.shell(&format!("{line}\ncommand -v flower-superlink"))?;
            if Path::new(said.trim()) != found {
                bail!(
                    "after {line:?} the shell finds {said}, not {}",
                    found.display()
                );
            }
        }
        Ok(())
    }

    /// Each program starts by `flwrd`, and `flwrd which` knows pip's from ours.
    fn ours_work(&self) -> Result<()> {
        for word in programs::WORDS {
            let said = self.shell(&format!("flwrd {word} --version"))?;
            if !said.contains(&format!(" {VERSION} (commit ")) {
                bail!("`flwrd {word} --version` prints {said:?}, not {VERSION}");
            }
        }
        let said = self.shell("eval \"$(flwrd env)\"\nflwrd which --format json")?;
        let which: Value = serde_json::from_str(&said)?;
        if which["programs"][1]["maker"] != "ours" {
            bail!("`flwrd which` does not find ours after `flwrd env`: {said}");
        }
        Ok(())
    }

    fn pips_work(&self, flower: &Flower<'_>) -> Result<()> {
        let said = self.shell("flwr --version\nflower-superlink --help")?;
        let release = flower.requirement().replace("flwr==", "Flower version: ");
        if !said.contains(&release) {
            bail!("pip's `flwr --version` prints {said:?}, not {release}");
        }
        Ok(())
    }

    /// The first run of the README, in an environment that nobody has activated.
    fn first_run(&self) -> Result<()> {
        let flwr = format!("{}/flwrd flwr", self.bin().display());
        // Flower leaves an app out of its own bundle where a folder above has a name such as `dist`.
        let folder = tempfile::tempdir()?;
        let script = format!(
            "cd {}; {}",
            folder.path().display(),
            first_run::script(&flwr)
        );
        first_run::has_started(&self.run(&script, "/usr/bin:/bin")?)
    }

    /// Has a shell of the active environment execute a script, and gives what the script prints.
    fn shell(&self, script: &str) -> Result<String> {
        let path = env::var("PATH").unwrap_or_default();
        self.run(script, &format!("{}:{path}", self.bin().display()))
    }

    fn run(&self, script: &str, path: &str) -> Result<String> {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-euc", script])
            .env("PATH", path)
            .env("FLWR_HOME", self.folder.join("home"))
            .env("FLWR_DISABLE_UPDATE_CHECK", "1")
            .env("FLWR_TELEMETRY_ENABLED", "0");
        build::said(&mut shell)
    }
}

/// The folder with the packages of an environment.
fn packages(environment: &Path) -> Result<PathBuf> {
    let lib = environment.join("lib");
    let pythons = fs::read_dir(&lib).with_context(|| lib.display().to_string())?;
    let folders = pythons
        .flatten()
        .map(|python| python.path().join("site-packages"));
    let mut found = folders.filter(|folder| folder.is_dir());
    found
        .next()
        .with_context(|| format!("{} has no packages", lib.display()))
}
