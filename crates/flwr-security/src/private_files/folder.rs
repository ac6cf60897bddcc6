//! A folder for secrets. The folder is held by its descriptor, and no symbolic link below the base
//! is followed: a link in a cloned project could lead to the secrets of another project, or
//! could have a file written or changed elsewhere.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fchmod, fstat, mkdirat, openat, statat};
use rustix::fs::{renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Why a file is not used for secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// A file or a folder is a symbolic link.
    #[error("{} is a symbolic link, and is not followed", .0.display())]
    Link(PathBuf),
    /// The file belongs to another user.
    #[error("{} belongs to another user (user id {owner})", .path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
    },
    /// A directory, a pipe or a device.
    #[error("{} is not a file", .0.display())]
    NotAFile(PathBuf),
}

impl Distrust {
    /// The reason in an error of [`Folder`].
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Distrust> for io::Error {
    fn from(distrust: Distrust) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, distrust)
    }
}

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    folder: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder `names` below `base`. Only `base` may be a link.
    ///
    /// # Errors
    /// `NotFound` if the folder does not exist; a [`Distrust`] if one of `names` is a link.
    pub fn open(base: &Path, names: &[&str]) -> io::Result<Self> {
        Self::descend(base, names, |_, _| Ok(()))
    }

    /// As [`Self::open`]. Creates the missing folders (0700).
    ///
    /// # Errors
    /// If the system refuses; a [`Distrust`] if one of `names` is a link.
    pub fn create(base: &Path, names: &[&str]) -> io::Result<Self> {
        super::create_dir(base)?;
        Self::descend(base, names, |folder, name| {
            match mkdirat(&folder.folder, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn descend(
        base: &Path,
        names: &[&str],
        prepare: impl Fn(&Self, &str) -> io::Result<()>,
    ) -> io::Result<Self> {
        let base = if base.as_os_str().is_empty() {
            Path::new(".")
        } else {
            base
        };
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = Self {
            folder: openat(CWD, base, flags, Mode::empty())?,
            path: base.to_owned(),
        };
        for name in names {
            prepare(&folder, name)?;
            let opened = openat(
                &folder.folder,
                *name,
                flags | OFlags::NOFOLLOW,
                Mode::empty(),
            );
            folder = Self {
                folder: opened.map_err(|error| folder.reason(name, error))?,
                path: folder.path.join(name),
            };
        }
        Ok(folder)
    }

    /// Reads a file, and hides it from other users.
    ///
    /// # Errors
    /// `NotFound` if there is none; a [`Distrust`] if it is a link, no file, or another user's.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        // A named pipe would block without a writer.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.folder, name, flags, Mode::empty());
        let file = file.map_err(|error| self.reason(name, error))?;
        let found = fstat(&file)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(Distrust::NotAFile(self.path.join(name)).into());
        }
        if found.st_uid != geteuid().as_raw() {
            let path = self.path.join(name);
            let owner = found.st_uid;
            return Err(Distrust::Owner { path, owner }.into());
        }
        // The descriptor names this file, whatever has the name by now. If the mode cannot be
        // changed, e.g. on a file system without modes, the content still serves.
        let _ = fchmod(&file, Mode::RUSR | Mode::WUSR);
        let mut content = Vec::new();
        File::from(file).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Replaces a file (0600) by an atomic rename, and syncs the file and the folder to disk. A link
    /// of this name is replaced itself.
    ///
    /// # Errors
    /// If the system refuses. The old file is then unchanged, unless only the sync of the folder
    /// failed.
    pub fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let temporary = format!("{name}.{}.{}", std::process::id(), super::TEMPORARY);
        // A rest of a crashed process with the same id. An error shows at the creation.
        let _ = unlinkat(&self.folder, &*temporary, AtFlags::empty());
        let written = self
            .write_new(&temporary, content)
            .and_then(|()| Ok(renameat(&self.folder, &*temporary, &self.folder, name)?));
        if let Err(error) = written {
            let _ = unlinkat(&self.folder, &*temporary, AtFlags::empty());
            return Err(error);
        }
        Ok(rustix::fs::fsync(&self.folder)?)
    }

    /// Writes a file (0600) that does not exist yet, and syncs it to disk.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is in use, also by a link.
    pub fn write_new(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(file);
        file.write_all(content)?;
        file.sync_all()
    }

    /// Removes a file, or a link of this name.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.folder, name, AtFlags::empty())?)
    }

    /// The reason why `name` could not be opened: systems tell of a link in several ways.
    fn reason(&self, name: &str, error: Errno) -> io::Error {
        let found = statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_link =
            found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink);
        if is_link {
            Distrust::Link(self.path.join(name)).into()
        } else {
            error.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_written_read_hidden_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let names = [".flwr", ".credentials"];
        let missing = Folder::open(dir.path(), &names).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let folder = Folder::create(dir.path(), &names).unwrap();
        let path = dir.path().join(".flwr/.credentials/lab.json");
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        folder.replace("lab.json", b"secret").unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let folder = Folder::open(dir.path(), &names).unwrap();
        assert_eq!(folder.read("lab.json").unwrap(), b"secret");
        assert_eq!(mode(&path), 0o600, "hidden at the first reading");
        folder.remove("lab.json").unwrap();
        let gone = folder.read("lab.json").unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn no_link_below_the_base_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        let theirs = Folder::create(&home, &[".credentials"]).unwrap();
        theirs.replace("lab.json", b"secret").unwrap();
        let secret = home.join(".credentials/lab.json");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();

        let app = dir.path().join("app");
        fs::create_dir(&app).unwrap();
        symlink(&home, app.join(".flwr")).unwrap();
        for opened in [
            Folder::open(&app, &[".flwr", ".credentials"]),
            Folder::create(&app, &[".flwr", ".credentials"]),
        ] {
            let error = opened.unwrap_err();
            let link = Distrust::Link(app.join(".flwr"));
            assert_eq!(Distrust::of(&error), Some(&link));
        }

        fs::remove_file(app.join(".flwr")).unwrap();
        let own = Folder::create(&app, &[".flwr", ".credentials"]).unwrap();
        let link = app.join(".flwr/.credentials/lab.json");
        symlink(&secret, &link).unwrap();
        let error = own.read("lab.json").unwrap_err();
        assert_eq!(Distrust::of(&error), Some(&Distrust::Link(link.clone())));
        assert_eq!(
            mode(&secret),
            0o644,
            "the file behind a link is not touched"
        );
        assert!(own.write_new("lab.json", b"x").is_err());
        own.replace("lab.json", b"new").unwrap();
        assert!(!link.is_symlink());
        assert_eq!(fs::read(&secret).unwrap(), b"secret");

        // The base may be a link: a user may have moved the home directory of Flower.
        symlink(&home, dir.path().join("moved")).unwrap();
        let moved = Folder::open(&dir.path().join("moved"), &[".credentials"]).unwrap();
        assert_eq!(moved.read("lab.json").unwrap(), b"secret");
    }

    #[test]
    fn what_is_no_file_or_another_users_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), &[]).unwrap();
        fs::create_dir(dir.path().join("lab.json")).unwrap();
        let error = folder.read("lab.json").unwrap_err();
        let expected = Distrust::NotAFile(dir.path().join("lab.json"));
        assert_eq!(Distrust::of(&error), Some(&expected));
        if !geteuid().is_root() {
            return;
        }
        // Only root can give files away.
        folder.replace("other.json", b"theirs").unwrap();
        let path = dir.path().join("other.json");
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        let error = folder.read("other.json").unwrap_err();
        let owner = 65_534;
        assert_eq!(Distrust::of(&error), Some(&Distrust::Owner { path, owner }));
    }
}
