//! The artefacts of one commit: what is built for them, and what they are packed from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::deb::{self, Contents};
use super::place::place;
use super::source::{Source, VERSION};
use super::{debian, images, notices, programs, sbom, tarball, tree, wheel};

/// Artefacts that lie in a folder.
pub(super) struct Artefacts {
    /// For pip.
    pub(super) wheel: PathBuf,
    /// For machines without anything.
    pub(super) tarball: PathBuf,
    /// For Debian, where this machine makes packages.
    pub(super) deb: Option<PathBuf>,
    /// For containers: the images without Python, and those with, where they are asked for.
    pub(super) images: Vec<PathBuf>,
    /// Bills of materials, and licences.
    texts: Vec<PathBuf>,
}

impl Artefacts {
    /// Builds the programs for other machines, and packs them.
    pub(super) fn build(source: &Source, apps: bool) -> Result<(Pack, Self)> {
        println!("Building {source} ...");
        let (standalone, linked) = programs::both(source)?;
        for (folder, what) in [(&standalone, "static"), (&linked, "linked")] {
            let mb = programs::size(folder)? as f64 / 1e6;
            println!("{mb:6.1} MB  the {what} programs together, without flwrd");
        }
        let notices = notices::make()?;
        let bill = sbom::make(source)?;
        sbom::agrees_with_programs(&bill, &standalone)?;
        let pack = Pack {
            linked,
            standalone,
            notices: notices.clone(),
            glibc: programs::GLIBC.to_owned(),
            compression: "-Zxz",
            epoch: source.epoch.clone(),
            commit: source.commit.clone(),
        };
        let mut made = pack.all()?;
        if apps {
            made.images.push(images::make_with_apps(&pack)?);
        }
        made.texts = vec![bill, notices];
        Ok((pack, made))
    }

    /// Puts the files into a folder, and gives them as they are there.
    pub(super) fn place(self, folder: &Path) -> Result<Self> {
        let place = |file: PathBuf| place(&file, folder);
        Ok(Self {
            wheel: place(self.wheel)?,
            tarball: place(self.tarball)?,
            deb: self.deb.map(place).transpose()?,
            images: self.images.into_iter().map(place).collect::<Result<_>>()?,
            texts: self.texts.into_iter().map(place).collect::<Result<_>>()?,
        })
    }

    /// Their files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.wheel, &self.tarball]
            .into_iter()
            .chain(&self.deb)
            .chain(&self.images)
            .chain(&self.texts)
            .map(PathBuf::as_path)
    }

    /// Says how large each is.
    pub(super) fn tell(&self) -> Result<()> {
        for file in self.files() {
            let mb = fs::metadata(file)?.len() as f64 / 1e6;
            println!("{mb:6.1} MB  {}", file.display());
        }
        Ok(())
    }
}

/// What artefacts are packed from.
pub(super) struct Pack {
    /// The folder with the programs but `flwrd` for machines with a libc.
    pub(super) linked: PathBuf,
    /// The folder with all static programs.
    pub(super) standalone: PathBuf,
    /// The texts of licences.
    pub(super) notices: PathBuf,
    /// The oldest glibc that the linked programs run with.
    pub(super) glibc: String,
    /// How `dpkg-deb` compresses.
    pub(super) compression: &'static str,
    /// The time of all files, in seconds since 1970.
    pub(super) epoch: String,
    /// The commit, with a mark if files were changed since.
    pub(super) commit: String,
}

impl Pack {
    /// From programs that the tests have built. Optimisations, an old glibc and licences are missing.
    pub(super) fn of_tests(programs: &Path, source: &Source) -> Result<Self> {
        let notices = programs.join(notices::NAME);
        tree::write(&notices, "Licences are collected by `cargo xtask dist`.\n")?;
        Ok(Self {
            linked: programs.to_owned(),
            standalone: programs.to_owned(),
            notices,
            glibc: debian::glibc()?,
            // Programs of the tests are large.
            compression: "-Znone",
            epoch: source.epoch.clone(),
            commit: source.commit.clone(),
        })
    }

    /// Packs all that this machine can pack, and says what is left out.
    pub(super) fn all(&self) -> Result<Artefacts> {
        let deb = match deb::hindrance() {
            None => Some(self.deb(VERSION)?),
            Some(reason) => {
                println!("SKIPPED: the Debian package: {reason}");
                None
            }
        };
        Ok(Artefacts {
            wheel: wheel::make(self)?,
            tarball: tarball::make(self)?,
            deb,
            images: vec![images::make(self)?],
            texts: Vec::new(),
        })
    }

    /// Packs the Debian package of a version.
    pub(super) fn deb(&self, version: &str) -> Result<PathBuf> {
        Contents {
            pack: self,
            version,
        }
        .make()
    }
}
