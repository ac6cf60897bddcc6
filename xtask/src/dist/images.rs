//! The container images as OCI archives, made without a container engine and without an image to begin
//! with: static programs need none.
//!
//! - `layer` the files of a layer, packed
//! - `archive` the images of an archive
//! - `daemons` how the containers of each daemon start
//! - `files` what is beside the programs
//! - `apps` Python and pip's flwr, for images that run apps
//! - `examples` those for Compose and Kubernetes, by their schemas
//! - `container` a container of an archive's image, and `play` a federation of containers
//!
//! An archive has two images with the same layers: `flower-superlink` and `flower-supernode`, whose entry
//! points are the daemons, as those of Flower's images.

mod apps;
mod archive;
mod container;
mod daemons;
mod examples;
mod files;
mod layer;
mod play;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

pub(super) use self::container::hindrance;

use self::archive::{Archive, Image};
use self::container::{Run, Unpacked};
use self::daemons::DAEMONS;
use self::layer::Packed;
use self::play::Apps;
use super::artefacts::{Artefacts, Pack};
use super::source::VERSION;
use super::{tree, work};

/// The archive of the images without Python.
const PLAIN: &str = "flower-daemons";
/// The archive of the images that run apps.
const WITH_APPS: &str = "flower-daemons-apps";

/// Makes the archive of the images without Python, and says where the archive is.
pub(super) fn make(from: &Pack) -> Result<PathBuf> {
    Making::begin(&work().join("image"), from)?.plain()
}

/// Makes the archive of the images with Python and pip's flwr, and says where the archive is.
pub(super) fn make_with_apps(from: &Pack) -> Result<PathBuf> {
    let making = Making::begin(&work().join("image-apps"), from)?;
    let tar = apps::tree(&making.stage, &from.epoch)?;
    let python = making.archive.pack_tar(&tar)?;
    let tag = format!("{VERSION}-apps");
    making.write(WITH_APPS, vec![python], &tag, apps::PATH)
}

/// Refuses where this machine cannot make the images with Python.
pub(super) fn must_make_apps() -> Result<()> {
    match apps::hindrance() {
        None => Ok(()),
        Some(reason) => bail!("--apps: {reason}"),
    }
}

/// Checks the examples, that images are the same when they are made again, and that the images work.
pub(super) fn check(pack: &Pack, made: &Artefacts, folder: &Path) -> Result<()> {
    examples::check()?;
    let first = made.images.first().context("no images were made")?;
    if fs::read(first)? != fs::read(make(pack)?)? {
        bail!("{} is another file when it is made again", first.display());
    }
    if let Some(reason) = hindrance() {
        println!("SKIPPED: containers of the images: {reason}");
        return Ok(());
    }
    for archive in &made.images {
        use_archive(archive, folder)?;
    }
    Ok(())
}

/// Uses the images of a folder's archives.
pub(super) fn play(folder: &Path) -> Result<()> {
    let mut archives = [PLAIN, WITH_APPS]
        .map(|name| folder.join(file(name)))
        .to_vec();
    archives.retain(|archive| archive.is_file());
    if archives.is_empty() {
        bail!(
            "--play-images: {} has no {}: `cargo xtask dist` makes this archive",
            folder.display(),
            file(PLAIN)
        );
    }
    if let Some(reason) = hindrance() {
        bail!("--play-images: {reason}");
    }
    for archive in archives {
        use_archive(&archive, tempfile::tempdir()?.path())?;
    }
    Ok(())
}

fn use_archive(archive: &Path, folder: &Path) -> Result<()> {
    let name = archive.file_name().unwrap_or_default();
    let apps = if name == &*file(WITH_APPS) {
        Apps::Inside
    } else {
        Apps::Outside
    };
    let failed = || format!("the images of {}", archive.display());
    play::check(archive, apps, folder).with_context(failed)?;
    println!(
        "the images of {} are healthy and make a run",
        name.display()
    );
    Ok(())
}

/// Unpacks both images of an archive into a folder, each under its name, with what [`starter`] begins with.
pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let nothing = Run {
        user: rustix::process::geteuid().as_raw(),
        program: None,
        arguments: &[],
        variables: &[],
        mounts: &[],
        tmp: false,
    };
    for daemon in &DAEMONS {
        let folder = folder.join(daemon.name);
        let config = Unpacked::make(archive, daemon.name, &folder)?.configured(&nothing)?;
        tree::write(&folder.join("container.json"), &config.to_string())?;
    }
    Ok(())
}

/// Writes the program that runs a daemon in a container of an unpacked image.
pub(super) fn starter(file: &Path) -> Result<()> {
    tree::write(file, include_str!("images/start.py"))?;
    fs::set_permissions(file, Permissions::from_mode(0o755))?;
    Ok(())
}

/// The file of an archive.
fn file(name: &str) -> String {
    format!("{name}-{VERSION}-oci.tar")
}

/// An archive in the making.
struct Making<'a> {
    stage: PathBuf,
    from: &'a Pack,
    archive: Archive,
}

impl<'a> Making<'a> {
    /// Begins an archive in a folder of its own.
    fn begin(stage: &Path, from: &'a Pack) -> Result<Self> {
        tree::empty(stage)?;
        let epoch = from.epoch.parse().context("the time of the commit")?;
        Ok(Self {
            stage: stage.to_owned(),
            from,
            archive: Archive::begin(&stage.join("layout"), epoch)?,
        })
    }

    /// Writes the archive without Python.
    fn plain(self) -> Result<PathBuf> {
        let mut layers = vec![self.archive.pack(&files::system())?];
        let libraries = files::libraries(&self.from.standalone)?;
        if !libraries.is_empty() {
            layers.push(self.archive.pack(&libraries)?);
        }
        self.write(PLAIN, layers, VERSION, "")
    }

    /// Writes the archive of this name. Programs are looked for in `path` once ours are none of that name.
    fn write(
        mut self,
        name: &str,
        mut layers: Vec<Packed>,
        tag: &str,
        path: &str,
    ) -> Result<PathBuf> {
        let programs = files::installed(&self.stage.join("programs"), self.from)?;
        layers.push(self.archive.pack(&programs)?);
        for daemon in &DAEMONS {
            let config = daemon.config(&self.from.commit, self.archive.created(), path);
            self.archive.add(Image {
                name: daemon.name,
                tag,
                config,
                health: daemon.health(),
                layers: &layers,
            })?;
        }
        let file = self.stage.join(file(name));
        self.archive.write(&file)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::programs;

    fn make(programs: &Path, epoch: &str) -> Vec<u8> {
        let pack = Pack {
            linked: programs.to_owned(),
            standalone: programs.to_owned(),
            notices: programs.join("flwrd"),
            glibc: String::new(),
            compression: "",
            epoch: epoch.to_owned(),
            commit: "0123456789".to_owned(),
        };
        let stage = tempfile::tempdir().unwrap();
        let stage = stage.path().join("image");
        let making = Making::begin(&stage, &pack).unwrap();
        fs::read(making.plain().unwrap()).unwrap()
    }

    #[test]
    fn images_of_the_same_programs_are_the_same_bytes() {
        let names = programs::INSTALLED.map(|(_, name)| name);
        let folders = [false, true].map(|reversed| {
            let folder = tempfile::tempdir().unwrap();
            let mut names: Vec<_> = names.into_iter().chain(["flwrd"]).collect();
            if reversed {
                names.reverse();
            }
            for name in names {
                fs::write(folder.path().join(name), name).unwrap();
            }
            folder
        });
        let [first, second] = folders.each_ref().map(tempfile::TempDir::path);
        let archive = make(first, "1764000000");
        assert!(archive == make(first, "1764000000"), "made again");
        assert!(archive == make(second, "1764000000"), "made elsewhere");
        assert!(
            archive != make(first, "1764000001"),
            "made of another commit"
        );
        fs::write(second.join("flwr"), "another").unwrap();
        assert!(
            archive != make(second, "1764000000"),
            "made of other programs"
        );
    }

    #[test]
    fn a_folder_without_an_archive_of_images_is_told_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let error = play(folder.path()).unwrap_err().to_string();
        let expected = format!(
            "--play-images: {} has no flower-daemons-{VERSION}-oci.tar: `cargo xtask dist` makes this archive",
            folder.path().display()
        );
        assert_eq!(error, expected);
    }
}
