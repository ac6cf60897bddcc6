//! The images of an archive in use: a SuperLink and two SuperNodes in containers, over TLS and with keys, and
//! a run on them. Containers without Python have their apps outside, started by pip's `flower-superexec`;
//! those with Python run apps themselves.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::container::{self, Container, Run, Unpacked};
use super::daemons::DAEMONS;
use super::files;
use crate::dist::source::VERSION;
use crate::dist::{first_run, programs};
use crate::support::build::said;
use crate::support::daemon::{Daemon, TLS, free_ports, here};
use crate::support::python::{self, FLOWER};

/// How long a daemon may take to start, and until it is healthy.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The SuperLink's name, which only `/etc/hosts` of the containers has.
const HOST: &str = "superlink";

/// Who starts the apps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Apps {
    /// The daemons, in their containers.
    Inside,
    /// pip's `flower-superexec`, on this machine.
    Outside,
}

/// Checks what the images of an archive say, and has them make a run.
pub(super) fn check(archive: &Path, apps: Apps, folder: &Path) -> Result<()> {
    let [superlink, supernode] = DAEMONS.each_ref().map(|daemon| {
        let folder = folder.join(daemon.name);
        let unpacked = Unpacked::make(archive, daemon.name, &folder)?;
        says(&unpacked, daemon.name)?;
        let tag = if apps == Apps::Inside { "-apps" } else { "" };
        container::loadable(archive, &format!("{}:{VERSION}{tag}", daemon.name))?;
        Ok::<_, anyhow::Error>(unpacked)
    });
    // Flower leaves an app out of its own bundle where a folder above has a name such as `dist`.
    let project = tempfile::tempdir()?;
    let stage = Stage {
        superlink: superlink?,
        supernode: supernode?,
        project: project.path().to_owned(),
        apps,
        // Nobody that the image or this machine knows.
        user: 100_000 + std::process::id(),
        ports: Ports::free()?,
    };
    stage.prepare()?;
    stage.play()?;
    match apps {
        Apps::Inside => stage.first_run(),
        Apps::Outside => Ok(()),
    }
}

/// The image has the user, the program and the version that people expect.
fn says(image: &Unpacked, name: &str) -> Result<()> {
    let config = &image.image["config"];
    for (found, expected) in [
        (&config["User"], files::USER.to_string()),
        (&config["Entrypoint"][0], name.to_owned()),
        (&config["WorkingDir"], files::WORK.to_owned()),
        (
            &config["Labels"]["org.opencontainers.image.version"],
            VERSION.to_owned(),
        ),
    ] {
        if found != &expected {
            bail!("the image {name} says {found}, not {expected:?}: {config}");
        }
    }
    Ok(())
}

struct Ports {
    fleet: u16,
    control: u16,
    serverappio: u16,
    clientappio: [u16; 2],
    health: [u16; 3],
}

impl Ports {
    fn free() -> Result<Self> {
        let [fleet, control, serverappio, a, b, health @ ..] = free_ports::<8>()?;
        Ok(Self {
            fleet,
            control,
            serverappio,
            clientappio: [a, b],
            health,
        })
    }
}

struct Stage {
    superlink: Unpacked,
    supernode: Unpacked,
    project: PathBuf,
    apps: Apps,
    user: u32,
    ports: Ports,
}

impl Stage {
    /// Makes certificates, keys and an app, and gives the secret files to the user of the containers.
    fn prepare(&self) -> Result<()> {
        for step in [
            &["cert", "new", "--name", HOST][..],
            &["key", "new", "--count", "2"],
            &["new", "my-app", "--framework", "numpy"],
        ] {
            let mut flwr = self.flwr(&self.project);
            said(flwr.args(step))?;
        }
        fs::write(self.project.join("hosts"), format!("127.0.0.1 {HOST}\n"))?;
        for name in [
            "certificates/server.key",
            "keys/client_credentials_1",
            "keys/client_credentials_2",
        ] {
            chown(self.project.join(name), Some(self.user), Some(self.user))?;
        }
        Ok(())
    }

    fn play(&self) -> Result<()> {
        let mut superlink = self.start_superlink()?;
        superlink
            .daemon()?
            .wait_for(here(self.ports.control), PATIENCE)?;
        let mut nodes = vec![self.start_supernode(0)?, self.start_supernode(1)?];
        let superexecs = self.start_superexecs()?;
        for container in nodes.iter_mut().chain([&mut superlink]) {
            becomes_healthy(container)?;
        }
        let run = self.run();
        let mut said = vec![superlink.daemon()?.last_lines()];
        for node in &mut nodes {
            said.push(node.daemon()?.last_lines());
        }
        said.extend(superexecs.iter().map(Daemon::last_lines));
        run.with_context(|| said.join("\n\n"))?;
        if !superlink.keeps("superlink/state.db") {
            bail!("the SuperLink's state is not on its volume");
        }
        for container in nodes.into_iter().chain([superlink]) {
            container.stop()?;
        }
        Ok(())
    }

    fn start_superlink(&self) -> Result<Container> {
        let ports = &self.ports;
        let mut arguments = TLS.map(str::to_owned).to_vec();
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        add(
            "--auth-list-public-keys",
            "keys/client_public_keys.csv".to_owned(),
        );
        add("--fleet-api-address", here(ports.fleet).to_string());
        add("--control-api-address", here(ports.control).to_string());
        add(
            "--serverappio-api-address",
            here(ports.serverappio).to_string(),
        );
        add("--port", "0".to_owned());
        self.start(
            &self.superlink,
            "superlink",
            arguments,
            DAEMONS[0].variable,
            ports.health[0],
        )
    }

    fn start_supernode(&self, number: usize) -> Result<Container> {
        let mut arguments = Vec::new();
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        add("--root-certificates", "certificates/ca.crt".to_owned());
        add("--superlink", format!("{HOST}:{}", self.ports.fleet));
        let key = format!("keys/client_credentials_{}", number + 1);
        add("--auth-supernode-private-key", key);
        add(
            "--clientappio-api-address",
            here(self.ports.clientappio[number]).to_string(),
        );
        let name = format!("supernode-{number}");
        let health = self.ports.health[number + 1];
        self.start(
            &self.supernode,
            &name,
            arguments,
            DAEMONS[1].variable,
            health,
        )
    }

    fn start(
        &self,
        image: &Unpacked,
        name: &str,
        mut arguments: Vec<String>,
        variable: &str,
        health: u16,
    ) -> Result<Container> {
        if self.apps == Apps::Outside {
            arguments.extend(["--isolation", "process"].map(str::to_owned));
        }
        let [certificates, keys, hosts] =
            ["certificates", "keys", "hosts"].map(|name| self.project.join(name));
        let run = Run {
            user: self.user,
            program: None,
            arguments: &arguments,
            variables: &[(variable, here(health).to_string())],
            mounts: &[
                (&certificates, "/app/certificates"),
                (&keys, "/app/keys"),
                (&hosts, "/etc/hosts"),
            ],
            tmp: self.apps == Apps::Inside,
        };
        image.start(name, &run)
    }

    /// Starts what starts the apps, beside each daemon.
    fn start_superexecs(&self) -> Result<Vec<Daemon>> {
        if self.apps == Apps::Inside {
            return Ok(Vec::new());
        }
        let environment = FLOWER.prepare()?;
        let [a, b] = self.ports.clientappio;
        let start = |port: u16| {
            let bin = python::bin(&environment);
            let mut superexec = Command::new(bin.join("flower-superexec"));
            superexec.args([
                "--insecure",
                "--runtime-api-address",
                &here(port).to_string(),
            ]);
            superexec.env("PATH", programs::path_with(&bin)?);
            superexec.env("FLWR_HOME", self.project.join(format!("home-{port}")));
            superexec.env("FLWR_TELEMETRY_ENABLED", "0");
            superexec.env("FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION", "1");
            Daemon::start(&format!("superexec-{port}"), &mut superexec, &self.project)
        };
        [self.ports.serverappio, a, b]
            .into_iter()
            .map(start)
            .collect()
    }

    /// The first run of the README in one container.
    fn first_run(&self) -> Result<()> {
        let script = format!("cd; {}", first_run::script("flwr"));
        let run = Run {
            user: self.user,
            program: Some("sh"),
            arguments: &["-euc".to_owned(), script],
            variables: &[],
            mounts: &[],
            tmp: true,
        };
        let said = self.superlink.execute("first-run", &run)?;
        first_run::has_started(&said).context("in a container")
    }

    /// Has `flwr` start a run, and waits for its end.
    fn run(&self) -> Result<()> {
        let mut flwr = self.flwr(&self.project.join("my-app"));
        flwr.args(["run", ".", "--wait"]);
        flwr.env(
            "FLWR_SUPERLINK_ADDRESS",
            here(self.ports.control).to_string(),
        );
        flwr.env(
            "FLWR_ROOT_CERTIFICATES",
            self.project.join("certificates/ca.crt"),
        );
        said(&mut flwr)?;
        Ok(())
    }

    /// `flwr` of the image, on this machine.
    fn flwr(&self, folder: &Path) -> Command {
        let mut flwr = Command::new(
            self.superlink
                .file("usr/local/libexec/flower-daemons/flwr/flwr"),
        );
        flwr.current_dir(folder);
        flwr.env("FLWR_HOME", self.project.join("home"));
        flwr
    }
}

/// Waits until the command of the image tells that the daemon serves.
fn becomes_healthy(container: &mut Container) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !container.is_healthy()? {
        let daemon = container.daemon()?;
        daemon.must_be_running()?;
        if Instant::now() > deadline {
            bail!(
                "a container does not become healthy:\n{}",
                daemon.last_lines()
            );
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
