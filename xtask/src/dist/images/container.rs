//! Containers as an engine makes them, by the tools of the Open Container Initiative: `skopeo` reads an
//! archive, `umoci` unpacks an image, `runc` runs a container. The user is one that the image does not know,
//! the root is read-only, and nothing is left of root's rights.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::files;
use crate::dist::tree;
use crate::support::build::said;
use crate::support::daemon::Daemon;
use crate::support::tools;

/// The tools, each with the Debian package of the same name.
const TOOLS: [&str; 3] = ["skopeo", "umoci", "runc"];
/// How long a daemon may take to end.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// Why this machine runs no containers, if it does not.
pub(in crate::dist) fn hindrance() -> Option<String> {
    if let Some(tool) = TOOLS.iter().find(|tool| !tools::is_there(tool)) {
        return Some(format!("{tool} is missing: apt install {tool}"));
    }
    let is_root = rustix::process::geteuid().is_root();
    (!is_root).then(|| "only root may run them with runc".to_owned())
}

/// An image of an archive, unpacked.
pub(super) struct Unpacked {
    folder: PathBuf,
    /// What the image says of itself.
    pub(super) image: Value,
    /// The configuration of a container, as umoci makes it of the image.
    config: Value,
}

impl Unpacked {
    /// Unpacks the image of this name into an empty folder.
    pub(super) fn make(archive: &Path, name: &str, folder: &Path) -> Result<Self> {
        tree::empty(folder)?;
        let folder = folder.canonicalize()?;
        let from = format!("oci-archive:{}:{name}", archive.display());
        let layout = folder.join("layout");
        let mut copy = skopeo();
        copy.args(["copy", "--quiet", &from]);
        said(copy.arg(format!("oci:{}:{name}", layout.display())))?;
        let known = said(skopeo().args(["inspect", "--config", "--raw", &from]))?;
        let bundle = folder.join("bundle");
        let mut unpack = Command::new("umoci");
        unpack.arg("unpack").arg("--image");
        unpack.arg(format!("{}:{name}", layout.display()));
        said(unpack.arg(&bundle))?;
        let config = fs::read_to_string(bundle.join("config.json"))?;
        Ok(Self {
            folder,
            image: serde_json::from_str(&known)?,
            config: serde_json::from_str(&config)?,
        })
    }

    /// A file of the image.
    pub(super) fn file(&self, place: &str) -> PathBuf {
        self.root().join(place)
    }

    fn root(&self) -> PathBuf {
        self.folder.join("bundle/rootfs")
    }

    /// Makes a folder that a container keeps its state in, as an engine makes a volume: with owner and mode of
    /// the folder in the image.
    fn volume(&self, folder: &Path) -> Result<()> {
        let state = self.file(files::STATE.trim_start_matches('/'));
        let metadata = state.metadata()?;
        fs::create_dir_all(folder)?;
        chown(folder, Some(metadata.uid()), Some(metadata.gid()))?;
        fs::set_permissions(folder, metadata.permissions())?;
        Ok(())
    }

    /// Starts a container.
    pub(super) fn start(&self, name: &str, run: &Run<'_>) -> Result<Container> {
        let id = id(name);
        let daemon = Daemon::start(name, &mut self.prepare(name, run)?, &self.folder)?;
        let health = words(&self.image["config"]["Healthcheck"]["Test"])?;
        Ok(Container {
            id,
            states: self.states(),
            daemon: Some(daemon),
            health: health.into_iter().skip(1).collect(),
            volume: self.state(name),
        })
    }

    /// Runs a container to its end, and gives what it prints.
    pub(super) fn execute(&self, name: &str, run: &Run<'_>) -> Result<String> {
        said(&mut self.prepare(name, run)?)
    }

    /// Makes a container, and gives the command that runs the container.
    fn prepare(&self, name: &str, run: &Run<'_>) -> Result<Command> {
        let (bundle, volume) = (self.folder.join(name), self.state(name));
        self.volume(&volume)?;
        let mut config = self.configured(run)?;
        let mut mounts = vec![mount(&volume, files::STATE, "rw")];
        for (from, to) in run.mounts {
            mounts.push(mount(from, to, "ro"));
        }
        if run.tmp {
            mounts.push(json!({
                "destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "nodev", "mode=1777"],
            }));
        }
        let all = config["mounts"].as_array_mut().context("no mounts")?;
        all.extend(mounts);
        fs::write(bundle.join("config.json"), config.to_string())?;
        let mut runc = runc(&self.states());
        runc.args(["run", "--no-new-keyring", "--bundle"]);
        runc.arg(&bundle).arg(id(name));
        Ok(runc)
    }

    /// The folder that a container keeps its state in.
    fn state(&self, name: &str) -> PathBuf {
        self.folder.join(name).join("state")
    }

    /// The folder in which runc remembers containers.
    fn states(&self) -> PathBuf {
        self.folder.join("runc")
    }

    /// The configuration of a container, but for its mounts.
    pub(super) fn configured(&self, run: &Run<'_>) -> Result<Value> {
        let mut config = self.config.clone();
        config["root"] = json!({"path": self.root(), "readonly": true});
        let process = &mut config["process"];
        process["terminal"] = json!(false);
        process["user"] = json!({"uid": run.user, "gid": run.user});
        process["capabilities"] = json!({});
        process["noNewPrivileges"] = json!(true);
        if let Some(program) = run.program {
            process["args"] = json!([program]);
        }
        let arguments = process["args"].as_array_mut().context("no program")?;
        arguments.extend(run.arguments.iter().map(|argument| json!(argument)));
        let variables = process["env"].as_array_mut().context("no variables")?;
        for (name, value) in run.variables {
            let set = format!("{name}=");
            variables.retain(|known| known.as_str().is_none_or(|known| !known.starts_with(&set)));
            variables.push(json!(format!("{set}{value}")));
        }
        // The programs of this machine are reached on its own addresses.
        let spaces = config["linux"]["namespaces"].as_array_mut();
        spaces
            .context("no namespaces")?
            .retain(|space| space["type"] != "network");
        Ok(config)
    }
}

/// What a container is started with.
pub(super) struct Run<'a> {
    pub(super) user: u32,
    /// The program in place of the image's.
    pub(super) program: Option<&'a str>,
    /// What is typed after the image's name.
    pub(super) arguments: &'a [String],
    pub(super) variables: &'a [(&'a str, String)],
    /// Files and folders of this machine, read-only, with their places.
    pub(super) mounts: &'a [(&'a Path, &'a str)],
    /// Whether `/tmp` can be written.
    pub(super) tmp: bool,
}

/// A running container. Dropping the container removes it.
pub(super) struct Container {
    id: String,
    states: PathBuf,
    daemon: Option<Daemon>,
    health: Vec<String>,
    volume: PathBuf,
}

impl Container {
    /// The daemon in the container.
    pub(super) fn daemon(&mut self) -> Result<&mut Daemon> {
        self.daemon.as_mut().context("the container has ended")
    }

    /// Asks for the health as Docker does. The answer is whether the daemon serves.
    pub(super) fn is_healthy(&self) -> Result<bool> {
        let mut exec = runc(&self.states);
        exec.arg("exec").arg(&self.id).args(&self.health);
        Ok(exec.output()?.status.success())
    }

    /// Whether the container has kept something of this name.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.volume.join(name).exists()
    }

    /// Stops the daemon as Docker does.
    pub(super) fn stop(mut self) -> Result<()> {
        let daemon = self.daemon.take().context("the container has ended")?;
        daemon.stop(STOP_GRACE)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Fails if nothing is left.
        let _ = runc(&self.states)
            .args(["delete", "--force", &self.id])
            .output();
    }
}

/// The name of a container on this machine.
fn id(name: &str) -> String {
    format!("flower-{}-{name}", std::process::id())
}

fn runc(states: &Path) -> Command {
    let program = ["/usr/sbin/runc", "/usr/bin/runc"];
    let found = program.into_iter().find(|path| Path::new(path).is_file());
    let mut runc = Command::new(found.unwrap_or("runc"));
    runc.arg("--root").arg(states);
    runc
}

fn skopeo() -> Command {
    let mut skopeo = Command::new("skopeo");
    skopeo.arg("--insecure-policy");
    skopeo
}

fn mount(from: &Path, to: &str, how: &str) -> Value {
    json!({
        "destination": to, "type": "bind", "source": from,
        "options": ["rbind", "nosuid", "nodev", how],
    })
}

/// A list of words.
fn words(value: &Value) -> Result<Vec<String>> {
    serde_json::from_value(value.clone()).with_context(|| format!("{value} are no words"))
}

/// What `docker load` would name the images of an archive.
pub(super) fn loadable(archive: &Path, reference: &str) -> Result<()> {
    let from = format!("docker-archive:{}:{reference}", archive.display());
    said(skopeo().args(["inspect", "--config", &from]))?;
    Ok(())
}
