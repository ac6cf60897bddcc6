//! PATH, changed so that a shell finds these programs first, or no longer.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use flwr_programs::{Group, Installation};

use crate::cli::EnvArgs;
use crate::error::Error;
use crate::execute;

/// PATH with the folders of the chosen groups first, or without these folders. All other folders keep
/// their order, also folders that are gone.
pub(crate) fn changed(
    installation: &Installation,
    args: &EnvArgs,
    path: &OsStr,
) -> Result<OsString, Error> {
    let before = folders(path);
    let after = match installation {
        Installation::Together(folder) if !args.only.is_empty() => {
            return Err(Error::Together(folder.clone()));
        }
        Installation::Together(folder) if args.undo => without_first(folder, before),
        Installation::Together(folder) => first(std::slice::from_ref(folder), before),
        Installation::Apart(_) => {
            let groups = args.groups();
            let of_group = |group: &Group| installation.folder(*group);
            let chosen: Vec<_> = groups.iter().map(of_group).collect();
            if !args.undo {
                // For a program that is missing, PATH would find another maker's, silently.
                for name in groups.iter().flat_map(|group| group.programs()) {
                    execute::program(installation, name)?;
                }
            }
            let rest = before
                .into_iter()
                .filter(|it| !chosen.contains(it))
                .collect();
            if args.undo {
                rest
            } else {
                first(&chosen, rest)
            }
        }
    };
    env::join_paths(&after).map_err(|_| {
        let has_colon = |folder: &&PathBuf| folder.as_os_str().as_bytes().contains(&b':');
        Error::Colon(after.iter().find(has_colon).cloned().unwrap_or_default())
    })
}

/// The folders of a PATH. An empty PATH names none: an empty name would mean the current folder.
fn folders(path: &OsStr) -> Vec<PathBuf> {
    if path.is_empty() {
        return Vec::new();
    }
    env::split_paths(path).collect()
}

/// The chosen folders, then the rest, unless these are first already.
fn first(chosen: &[PathBuf], rest: Vec<PathBuf>) -> Vec<PathBuf> {
    if rest.starts_with(chosen) {
        return rest;
    }
    chosen.iter().cloned().chain(rest).collect()
}

/// PATH without a folder at its head. A folder of many programs, such as `~/.cargo/bin`, stays on PATH:
/// a folder that PATH names once goes to the end.
fn without_first(folder: &Path, mut path: Vec<PathBuf>) -> Vec<PathBuf> {
    if path.first().is_some_and(|first| first == folder) {
        path.remove(0);
        if !path.iter().any(|other| other == folder) {
            path.push(folder.to_owned());
        }
    }
    path
}

/// The line that sets PATH, for the shells of POSIX, and for fish.
pub(crate) fn line(path: &OsStr) -> Vec<u8> {
    let mut line = b"export PATH='".to_vec();
    for byte in path.as_bytes() {
        match byte {
            b'\'' => line.extend_from_slice(br"'\''"),
            byte => line.push(*byte),
        }
    }
    line.extend_from_slice(b"'\n");
    line
}

/// The command as a person would type it.
pub(crate) fn command(args: &EnvArgs) -> String {
    let mut typed = "flwrd env".to_owned();
    let names = args.only.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
    if !names.is_empty() {
        typed += &format!(" --only {}", names.join(","));
    }
    if args.undo {
        typed += " --undo";
    }
    typed
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;
    use crate::cli::Only;

    /// An installation in a folder that is there, whose path stands as `/i` in what the tests say.
    struct Apart {
        dir: tempfile::TempDir,
    }

    impl Apart {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for group in Group::ALL {
                let folder = dir.path().join(group.name());
                fs::create_dir(&folder).unwrap();
                for name in group.programs() {
                    let program = folder.join(name);
                    fs::write(&program, "").unwrap();
                    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
                }
            }
            Self { dir }
        }

        fn changed_by(&self, only: &[Only], undo: bool, path: &str) -> String {
            let root = self.dir.path().to_str().unwrap();
            let installation = Installation::Apart(root.into());
            let path = path.replace("/i/", &format!("{root}/"));
            changed_by(&installation, only, undo, &path).replace(&format!("{root}/"), "/i/")
        }
    }

    fn changed_by(installation: &Installation, only: &[Only], undo: bool, path: &str) -> String {
        let only = only.to_vec();
        let changed = changed(installation, &EnvArgs { only, undo }, OsStr::new(path));
        changed.unwrap().into_string().unwrap()
    }

    #[test]
    fn the_chosen_folders_come_first_and_only_once() {
        let apart = Apart::new();
        let path = "/venv/bin:/gone:/usr/bin";
        let all = apart.changed_by(&[], false, path);
        assert_eq!(all, format!("/i/flwr:/i/superlink:/i/supernode:{path}"));
        assert_eq!(apart.changed_by(&[], false, &all), all);
        let one = apart.changed_by(&[Only::Superlink], false, path);
        assert_eq!(one, format!("/i/superlink:{path}"));
        // An environment that is activated afterwards comes before.
        let later = apart.changed_by(&[Only::Superlink], false, &format!("/other:{one}"));
        assert_eq!(later, format!("/i/superlink:/other:{path}"));
        assert_eq!(apart.changed_by(&[Only::Flwr], false, ""), "/i/flwr");
    }

    #[test]
    fn a_program_that_nobody_may_execute_is_named() {
        let apart = Apart::new();
        let program = apart.dir.path().join("superlink/flower-superlink");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
        let installation = Installation::Apart(apart.dir.path().into());
        let by = |undo| {
            let only = Vec::new();
            changed(&installation, &EnvArgs { only, undo }, OsStr::new("/a"))
        };
        let error = by(false).unwrap_err().to_string();
        assert!(error.starts_with("flower-superlink is not in "), "{error}");
        assert_eq!(by(true).unwrap(), "/a");
    }

    #[test]
    fn undo_takes_away_what_was_added() {
        let apart = Apart::new();
        let path = "/venv/bin:/usr/bin";
        let all = apart.changed_by(&[], false, path);
        assert_eq!(apart.changed_by(&[], true, &all), path);
        assert_eq!(
            apart.changed_by(&[Only::Flwr, Only::Supernode], true, &all),
            format!("/i/superlink:{path}")
        );
        assert_eq!(apart.changed_by(&[], true, path), path);
    }

    #[test]
    fn a_folder_of_all_programs_stays_on_the_path() {
        let together = Installation::Together("/c".into());
        let by = |undo, path: &str| changed_by(&together, &[], undo, path);
        assert_eq!(by(false, "/a:/c:/b"), "/c:/a:/c:/b");
        assert_eq!(by(false, "/c:/a"), "/c:/a");
        assert_eq!(by(true, "/c:/a:/c:/b"), "/a:/c:/b");
        assert_eq!(by(true, "/c:/a"), "/a:/c");
        assert_eq!(by(true, "/a:/c"), "/a:/c");
        let only = EnvArgs {
            only: vec![Only::Flwr],
            undo: false,
        };
        let error = changed(&together, &only, OsStr::new("/a")).unwrap_err();
        assert!(matches!(error, Error::Together(_)));
    }

    #[test]
    fn a_folder_with_a_colon_is_named() {
        let installation = Installation::Together("/a:b".into());
        let error = changed(&installation, &EnvArgs::default(), OsStr::new("/a")).unwrap_err();
        assert!(error.to_string().contains("/a:b"), "{error}");
    }

    #[test]
    fn a_shell_reads_the_line_as_it_is_meant() {
        let path = "/it's $HOME/\"b\" `c`\\:/usr/bin";
        let line = String::from_utf8(line(OsStr::new(path))).unwrap();
        let script = format!("{line}printf %s \"$PATH\"");
        let output = Command::new("/bin/sh").args(["-c", &script]).output();
        assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), path);
    }
}
