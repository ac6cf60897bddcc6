//! Certificates, keys, apps and programs, and the SuperLinks that are started with them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::figures::Maker;
use super::what::Nodes;
use crate::support::build;
use crate::support::daemon::{Daemon, TLS, free_ports, here};
use crate::support::python;

mod flags;

/// How long a daemon may take until it listens.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How often a port is tried when the time counts.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// How long a daemon may take to end.
const STOP_GRACE: Duration = Duration::from_secs(30);

/// Everything that is there before a daemon is started.
pub(crate) struct Stage {
    folder: PathBuf,
    programs: PathBuf,
    pip: PathBuf,
    earlier: Option<PathBuf>,
    path: OsString,
}

/// A running SuperLink, with TLS and a list of allowed keys.
pub(crate) struct SuperLink {
    pub(crate) daemon: Daemon,
    pub(crate) fleet: u16,
    pub(crate) control: u16,
    pub(crate) serverappio: u16,
    /// From its start until it accepted the first connection on Fleet.
    pub(crate) started: Duration,
}

impl Stage {
    /// Makes all of it in this folder, which must be empty.
    pub(crate) fn set(
        folder: &Path,
        programs: &Path,
        environment: &Path,
        keys: usize,
    ) -> Result<Self> {
        let pip = python::bin(environment);
        let mut path = vec![programs.to_path_buf(), pip.clone()];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let stage = Self {
            folder: folder.to_path_buf(),
            programs: programs.to_path_buf(),
            pip,
            earlier: None,
            path: env::join_paths(path)?,
        };
        println!("Making certificates, {keys} keys and an app ...");
        quiet(stage.ours("flwr").args(["cert", "new"]))?;
        quiet(
            stage
                .ours("flwr")
                .args(["key", "new", "--count", &keys.to_string()]),
        )?;
        build::copy(&build::root().join("tests/apps/rounds"), &stage.app())?;
        quiet(stage.ours("flwr").arg("build").current_dir(stage.app()))?;
        Ok(stage)
    }

    /// Compares with our programs of another commit, which are in this folder.
    pub(super) fn with_earlier(mut self, programs: &Path) -> Result<Self> {
        let folder = programs.canonicalize();
        let folder = folder.with_context(|| format!("--against {}", programs.display()))?;
        for program in ["flower-superlink", "flower-supernode"] {
            let file = folder.join(program);
            anyhow::ensure!(file.is_file(), "--against: there is no {}", file.display());
        }
        self.earlier = Some(folder);
        Ok(self)
    }

    /// The app whose rounds are measured.
    pub(crate) fn app(&self) -> PathBuf {
        self.folder.join("rounds")
    }

    /// Its bundle.
    pub(crate) fn fab(&self) -> Result<PathBuf> {
        let files = fs::read_dir(self.app())?.filter_map(Result::ok);
        let mut paths = files.map(|file| file.path());
        let fab = paths.find(|path| path.extension().is_some_and(|name| name == "fab"));
        fab.context("`flwr build` made no bundle")
    }

    /// Where everything is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds the federation of this SuperLink to the app.
    pub(crate) fn point_app_at(&self, superlink: &SuperLink) -> Result<()> {
        let project = self.app().join("pyproject.toml");
        let original = build::root().join("tests/apps/rounds/pyproject.toml");
        fs::copy(original, &project)?;
        self.point_at(&project, superlink)
    }

    /// A new copy of one of the tests' apps, with the federation of this SuperLink.
    pub(super) fn copy_app(&self, name: &str, superlink: &SuperLink) -> Result<PathBuf> {
        let copy = self.folder.join(name);
        if copy.exists() {
            fs::remove_dir_all(&copy)?;
        }
        build::copy(&build::root().join("tests/apps").join(name), &copy)?;
        self.point_at(&copy.join("pyproject.toml"), superlink)?;
        Ok(copy)
    }

    fn point_at(&self, project: &Path, superlink: &SuperLink) -> Result<()> {
        let mut file = fs::OpenOptions::new().append(true).open(project)?;
        let root = self.folder.join("certificates/ca.crt");
        writeln!(
            file,
            "\n[tool.flwr.federations]\ndefault = \"bench\"\n\n[tool.flwr.federations.bench]\n\
             address = \"127.0.0.1:{}\"\nroot-certificates = \"{}\"",
            superlink.control,
            root.display()
        )?;
        Ok(())
    }

    /// Starts a SuperLink that has nothing from an earlier one.
    pub(crate) fn superlink<S: AsRef<str>>(&self, maker: Maker, flags: &[S]) -> Result<SuperLink> {
        self.forget()?;
        self.superlink_again(maker, flags, free_ports()?)
    }

    /// Starts a SuperLink over what an earlier one left.
    pub(crate) fn superlink_again<S: AsRef<str>>(
        &self,
        maker: Maker,
        flags: &[S],
        ports: [u16; 3],
    ) -> Result<SuperLink> {
        let command = self.program(maker, "flower-superlink");
        self.start_superlink("superlink", command, maker, flags, ports)
    }

    /// Starts one of several SuperLinks of ours, which keep their state elsewhere. It has these variables.
    pub(super) fn superlink_of_several(
        &self,
        name: &str,
        flags: &[String],
        variables: &[(&str, &str)],
    ) -> Result<SuperLink> {
        let mut command = self.ours("flower-superlink");
        command.args(["--superlink-name", name]);
        command.envs(variables.iter().copied());
        let log = format!("superlink-{name}");
        self.start_superlink(&log, command, Maker::Ours, flags, free_ports()?)
    }

    /// Starts a SuperLink of ours as `flwrd superlink` does. It has nothing from an earlier one.
    pub(super) fn superlink_through_flwrd(&self) -> Result<SuperLink> {
        self.forget()?;
        let mut command = self.ours("flwrd");
        command.arg("superlink");
        self.start_superlink::<&str>("superlink", command, Maker::Ours, &[], free_ports()?)
    }

    /// Removes what an earlier SuperLink has left.
    pub(super) fn forget(&self) -> Result<()> {
        let home = self.home();
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        Ok(())
    }

    fn start_superlink<S: AsRef<str>>(
        &self,
        log: &str,
        mut command: Command,
        maker: Maker,
        flags: &[S],
        ports: [u16; 3],
    ) -> Result<SuperLink> {
        command.args(TLS);
        let [fleet, control, serverappio] = flags::add_superlink_flags(&mut command, maker, ports);
        if maker == Maker::Ours {
            command.args(["--port", "0"]);
        }
        command.args(flags.iter().map(AsRef::as_ref));
        let begun = Instant::now();
        let mut daemon = Daemon::start(log, &mut command, &self.folder)?;
        if maker == Maker::Newest {
            daemon = daemon.ends_by_signal();
        }
        while TcpStream::connect(here(fleet)).is_err() && begun.elapsed() < START_PATIENCE {
            thread::sleep(LOOK_EVERY);
        }
        let started = begun.elapsed();
        for port in [fleet, control, serverappio] {
            daemon.wait_for(here(port), START_PATIENCE)?;
        }
        Ok(SuperLink {
            daemon,
            fleet,
            control,
            serverappio,
            started,
        })
    }

    /// Registers the keys of so many SuperNodes, where the SuperLink knows no list of keys.
    pub(super) fn register_keys(
        &self,
        maker: Maker,
        superlink: &SuperLink,
        count: usize,
    ) -> Result<()> {
        if maker != Maker::Newest {
            return Ok(());
        }
        self.point_app_at(superlink)?;
        for number in 1..=count {
            let public = self.folder.join(key(number)).with_extension("pub");
            let mut register = self.ours("flwr");
            register.args(["supernode", "register"]).arg(public);
            quiet(register.arg("bench").current_dir(self.app()))?;
        }
        Ok(())
    }

    /// Starts a SuperNode, the first or the second.
    pub(crate) fn supernode(
        &self,
        maker: Maker,
        superlink: &SuperLink,
        number: usize,
        flags: &[&str],
    ) -> Result<Daemon> {
        self.start_supernode(maker, superlink, number, |command| {
            command.args(flags);
        })
    }

    /// Starts the first SuperNode, which looks for programs in this folder first.
    pub(super) fn supernode_with(
        &self,
        maker: Maker,
        superlink: &SuperLink,
        programs: &Path,
    ) -> Result<Daemon> {
        let folders = std::iter::once(programs.to_owned()).chain(env::split_paths(&self.path));
        let path = env::join_paths(folders)?;
        self.start_supernode(maker, superlink, 1, |command| {
            command.env("PATH", path);
        })
    }

    fn start_supernode(
        &self,
        maker: Maker,
        superlink: &SuperLink,
        number: usize,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Daemon> {
        let [clientappio] = free_ports()?;
        let key = key(number);
        let mut command = self.program(maker, "flower-supernode");
        command.args(["--root-certificates", "certificates/ca.crt"]);
        command.args(["--superlink", &here(superlink.fleet).to_string()]);
        command.args(["--auth-supernode-private-key", &key]);
        command.args(["--auth-supernode-public-key", &format!("{key}.pub")]);
        command.args(flags::clientappio(maker, here(clientappio)));
        prepare(&mut command);
        Daemon::start(&format!("supernode-{number}"), &mut command, &self.folder)
    }

    /// The load generator, pointed at this SuperLink, in the place of these nodes.
    pub(super) fn load(&self, superlink: &SuperLink, nodes: Nodes) -> Command {
        self.load_at(&[superlink.fleet], superlink, nodes)
    }

    /// The same, with nodes that go to these ports in turn.
    pub(super) fn load_at(&self, fleets: &[u16], superlink: &SuperLink, nodes: Nodes) -> Command {
        let mut load = self.ours("flwr-bench");
        for fleet in fleets {
            load.args(["--fleet", &fleet.to_string()]);
        }
        load.args(["--control", &superlink.control.to_string()]);
        load.args(["--serverappio", &superlink.serverappio.to_string()]);
        load.args(["--root-certificates", "certificates/ca.crt"]);
        load.args(["--keys", "keys"]);
        load.args(["--signatures", nodes.signatures()]);
        load
    }

    /// The folder of our programs.
    pub(super) fn programs(&self) -> &Path {
        &self.programs
    }

    /// One of our programs.
    pub(crate) fn ours(&self, program: &str) -> Command {
        self.program(Maker::Ours, program)
    }

    /// Where pip's SuperLink is to keep its state, for a new one.
    pub(crate) fn database(&self) -> Result<String> {
        let file = self.folder.join("pip.db");
        if file.exists() {
            fs::remove_file(&file)?;
        }
        Ok(file.display().to_string())
    }

    fn program(&self, maker: Maker, program: &str) -> Command {
        let folder = match maker {
            Maker::Ours => &self.programs,
            Maker::Pip | Maker::Newest => &self.pip,
            Maker::Earlier => self.earlier.as_ref().unwrap_or(&self.programs),
        };
        let mut command = Command::new(folder.join(program));
        command.current_dir(&self.folder);
        command.env("PATH", &self.path);
        command.env("FLWR_HOME", self.home());
        command.env("FLWR_TELEMETRY_ENABLED", "0");
        // pip's releases of today would ask the internet for updates and for packages.
        command.env("FLWR_DISABLE_UPDATE_CHECK", "1");
        command.env("FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION", "1");
        command
    }

    /// Flower's home directory, of all programs.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }
}

impl SuperLink {
    pub(crate) fn ports(&self) -> [u16; 3] {
        [self.fleet, self.control, self.serverappio]
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.daemon.stop(STOP_GRACE)
    }
}

/// The private key of a SuperNode.
fn key(number: usize) -> String {
    format!("keys/client_credentials_{number}")
}

fn quiet(command: &mut Command) -> Result<()> {
    let shown = build::show(command);
    let output = command
        .output()
        .with_context(|| format!("{shown} does not start"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!("{shown} failed ({}): {said}", output.status);
    }
    Ok(())
}
