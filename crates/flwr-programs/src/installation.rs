//! Where an installation keeps this project's programs.
//!
//! A wheel, a tarball and a Debian package have `bin/flwrd` and, for each [`Group`],
//! `libexec/flower-daemons/GROUP/PROGRAM`. So PATH can have the programs of one group before pip's,
//! and those of another group after. `cargo build` and `cargo xtask install` put all programs into
//! one folder.

use std::path::{Path, PathBuf};

use crate::find::is_program;

/// The folder with the groups, beside the folder of `flwrd`.
const LIBEXEC: &str = "libexec/flower-daemons";

/// Programs that come first on PATH together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// `flwr`
    Flwr,
    /// `flower-superlink`, and Flower's older command beside it
    Superlink,
    /// `flower-supernode`, and Flower's older command beside it
    Supernode,
}

impl Group {
    /// All groups.
    pub const ALL: [Self; 3] = [Self::Flwr, Self::Superlink, Self::Supernode];

    /// The group's name, which is also the name of its folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flwr => "flwr",
            Self::Superlink => "superlink",
            Self::Supernode => "supernode",
        }
    }

    /// The names of the group's programs.
    #[must_use]
    pub const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Flwr => &["flwr"],
            Self::Superlink => &["flower-superlink", "flower-server-app"],
            Self::Supernode => &["flower-supernode", "flower-client-app"],
        }
    }

    /// The group of a program of this project.
    #[must_use]
    pub fn of(program: &str) -> Option<Self> {
        let has = |group: &Self| group.programs().contains(&program);
        Self::ALL.into_iter().find(has)
    }
}

/// An installation of this project's programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installation {
    /// A folder for each group, in this folder.
    Apart(PathBuf),
    /// All programs in this folder.
    Together(PathBuf),
}

impl Installation {
    /// The installation that `flwrd` belongs to. Links to `flwrd` are followed. `None`: there is none.
    #[must_use]
    pub fn of_flwrd(flwrd: &Path) -> Option<Self> {
        let flwrd = flwrd.canonicalize().ok()?;
        let folder = flwrd.parent()?;
        let libexec = folder.parent().map(|above| above.join(LIBEXEC));
        if let Some(libexec) = libexec.filter(|libexec| libexec.is_dir()) {
            return Some(Self::Apart(libexec));
        }
        let together = Self::Together(folder.to_owned());
        Group::ALL
            .iter()
            .flat_map(|group| group.programs())
            .any(|name| together.program(name).is_some())
            .then_some(together)
    }

    /// The installation that a program of this project belongs to. Links to the program are followed.
    fn of_program(program: &Path) -> Option<Self> {
        let program = program.canonicalize().ok()?;
        let folder = program.parent()?;
        let above = folder.parent().filter(|above| above.ends_with(LIBEXEC));
        Some(match above {
            Some(libexec) => Self::Apart(libexec.to_owned()),
            None => Self::Together(folder.to_owned()),
        })
    }

    /// The folder that has the programs of a group.
    #[must_use]
    pub fn folder(&self, group: Group) -> PathBuf {
        match self {
            Self::Apart(libexec) => libexec.join(group.name()),
            Self::Together(folder) => folder.clone(),
        }
    }

    /// The program of this name, if the installation has the program.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let program = self.folder(Group::of(name)?).join(name);
        is_program(&program).then_some(program)
    }
}

/// The program of this name in the installation that another program of this project belongs to.
#[must_use]
pub fn beside(own: &Path, name: &str) -> Option<PathBuf> {
    Installation::of_program(own)?.program(name)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    fn with(files: &[&str]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        dir
    }

    #[test]
    fn programs_of_an_installation_find_each_other() {
        let apart = with(&[
            "bin/flwrd",
            "bin/flower-superlink",
            "libexec/flower-daemons/flwr/flwr",
            "libexec/flower-daemons/superlink/flower-superlink",
        ]);
        let root = apart.path().canonicalize().unwrap();
        let libexec = root.join(LIBEXEC);
        let found = Installation::of_flwrd(&root.join("bin/flwrd")).unwrap();
        assert_eq!(found, Installation::Apart(libexec.clone()));
        let superlink = libexec.join("superlink/flower-superlink");
        // The one in `bin` is pip's.
        assert_eq!(found.program("flower-superlink"), Some(superlink.clone()));
        assert_eq!(found.program("flower-supernode"), None);
        assert_eq!(found.program("flower-superexec"), None);
        let flwr = libexec.join("flwr/flwr");
        assert_eq!(beside(&flwr, "flower-superlink"), Some(superlink));

        let together = with(&["flwrd", "flwr", "flower-supernode"]);
        let root = together.path().canonicalize().unwrap();
        let found = Installation::of_flwrd(&root.join("flwrd")).unwrap();
        assert_eq!(found, Installation::Together(root.clone()));
        assert_eq!(
            beside(&root.join("flwr"), "flower-supernode"),
            Some(root.join("flower-supernode"))
        );
    }

    #[test]
    fn links_and_other_names_lead_to_the_same_installation() {
        let apart = with(&["bin/flwrd", "libexec/flower-daemons/flwr/flwr"]);
        let root = apart.path().canonicalize().unwrap();
        let here = tempfile::tempdir().unwrap();
        let (first, second) = (here.path().join("first"), here.path().join("flwr"));
        symlink(root.join("bin/flwrd"), &first).unwrap();
        symlink(&first, &second).unwrap();
        let expected = Some(Installation::Apart(root.join(LIBEXEC)));
        assert_eq!(Installation::of_flwrd(&second), expected);
        fs::rename(root.join("bin/flwrd"), root.join("bin/other")).unwrap();
        assert_eq!(Installation::of_flwrd(&second), None);
        assert_eq!(Installation::of_flwrd(&root.join("bin/other")), expected);
    }

    #[test]
    fn a_flwrd_without_programs_has_no_installation() {
        let alone = with(&["bin/flwrd"]);
        assert_eq!(
            Installation::of_flwrd(&alone.path().join("bin/flwrd")),
            None
        );
    }
}
