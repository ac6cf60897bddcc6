//! What PATH finds for each of Flower's names, and which daemons run.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use flwr_core::printable;
use flwr_programs::{Group, Installation, Maker, find};
use serde_json::{Value, json};

use crate::running::Running;

/// The names that pip's flwr or this project has programs of.
const NAMES: [&str; 8] = [
    "flwr",
    "flower-superlink",
    "flower-supernode",
    "flower-superexec",
    "flower-client-app",
    "flower-server-app",
    "flwr-serverapp",
    "flwr-clientapp",
];

/// What PATH finds.
pub(crate) struct Report {
    programs: Vec<(&'static str, Option<Found>)>,
    /// Daemons that run, of this version or another.
    running: Vec<Running>,
    /// Folders on PATH that are not there.
    gone: Vec<PathBuf>,
    /// How the user's shell reaches this program.
    flwrd: String,
    /// The installation that this program belongs to.
    installation: Option<Installation>,
}

/// A program on PATH.
struct Found {
    path: PathBuf,
    maker: Maker,
}

impl Report {
    /// Looks at a PATH. `own` is this program's file.
    pub(crate) fn of(path: &OsStr, own: Option<&Path>) -> Self {
        let installation = own.and_then(Installation::of_flwrd);
        let found = |name: &'static str| {
            let path = find(name, path)?;
            let maker = Maker::of(&path);
            Some(Found { path, maker })
        };
        let named = env::split_paths(path).filter(|folder| !folder.as_os_str().is_empty());
        Self {
            programs: NAMES.map(|name| (name, found(name))).into(),
            running: Running::all(),
            gone: named.filter(|folder| !folder.exists()).collect(),
            flwrd: typed(own, path),
            installation,
        }
    }

    /// The line that gives a name to the other maker. `None` for names that this project has not, where
    /// there are no programs to choose, and where a link leads to this installation (`/usr/bin` of a Debian
    /// package): PATH is nothing that `flwrd env` has to change there.
    fn change(&self, name: &str, found: &Found) -> Option<String> {
        let installation = self.installation.as_ref()?;
        let group = Group::of(name)?;
        let here = installation.folder(group);
        let is_here = found.path.parent() == Some(&here);
        if !is_here && is_same(&found.path, &here.join(name)) {
            return None;
        }
        let (whose, undo) = match &found.maker {
            Maker::Ours(_) if is_here => ("pip's", " --undo"),
            Maker::Ours(_) => ("that of this flwrd", ""),
            Maker::Pips(_) | Maker::Unknown => ("ours", ""),
        };
        let only = match installation {
            Installation::Apart(_) => format!(" --only {}", group.name()),
            Installation::Together(_) => String::new(),
        };
        let flwrd = &self.flwrd;
        Some(format!("for {whose}: eval \"$({flwrd} env{only}{undo})\""))
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let program = |(name, found): &(&str, Option<Found>)| {
            let (maker, version) = match found.as_ref().map(|found| &found.maker) {
                None => (Value::Null, Value::Null),
                Some(Maker::Ours(version)) => ("ours".into(), version.as_str().into()),
                Some(Maker::Pips(release)) => ("pip".into(), release.as_deref().into()),
                Some(Maker::Unknown) => ("unknown".into(), Value::Null),
            };
            let path = found.as_ref().map(|found| found.path.to_string_lossy());
            json!({"name": name, "path": path, "maker": maker, "version": version})
        };
        let programs: Vec<_> = self.programs.iter().map(program).collect();
        let gone: Vec<_> = self.gone.iter().map(|it| it.to_string_lossy()).collect();
        let running: Vec<_> = self.running.iter().map(Running::json).collect();
        json!({
            "success": true, "programs": programs, "running": running, "missing-folders": gone,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = NAMES.iter().map(|name| name.len()).max().unwrap_or(0);
        for (name, found) in &self.programs {
            let Some(found) = found else {
                writeln!(f, "{name:width$}  not on PATH")?;
                continue;
            };
            let path = printable::line(&found.path.to_string_lossy());
            writeln!(f, "{name:width$}  {}: {path}", found.maker)?;
            if let Some(change) = self.change(name, found) {
                writeln!(f, "{:width$}  {change}", "")?;
            }
        }
        for running in &self.running {
            writeln!(f, "{:width$}  {running}", running.name())?;
        }
        for folder in &self.gone {
            let folder = printable::line(&folder.to_string_lossy());
            writeln!(f, "PATH names {folder}, which is not there")?;
        }
        Ok(())
    }
}

/// Whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let one = one.canonicalize();
    one.is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// How a shell with this PATH reaches this program: by its name, or else by its path.
fn typed(own: Option<&Path>, path: &OsStr) -> String {
    let by_name = find("flwrd", path).and_then(|found| found.canonicalize().ok());
    match own {
        Some(own) if by_name.as_deref() != Some(own) => quoted(&own.to_string_lossy()),
        _ => "flwrd".to_owned(),
    }
}

/// A word for a shell inside double quotes and a command substitution.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(folder: &Path, name: &str, says: &str) {
        let path = folder.join(name);
        fs::create_dir_all(folder).unwrap();
        fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn each_name_has_its_maker_and_the_line_that_changes_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (bin, pips) = (root.join("bin"), root.join("pips"));
        let ours = root.join("libexec/flower-daemons/superlink");
        program(
            &ours,
            "flower-superlink",
            "flower-superlink 0.1.0 (commit development; x)",
        );
        program(&bin, "flwrd", "");
        program(&pips, "flower-superlink", "Flower version: 1.22.0");
        program(&pips, "flower-superexec", "Flower version: 1.22.0");
        program(&pips, "flwr", "Flower version: 1.22.0");
        let gone = dir.path().join("gone");
        let path = env::join_paths([&ours, &bin, &gone, &pips]).unwrap();
        let own = bin.join("flwrd");
        let report = Report::of(&path, Some(&own));
        let text = report.to_string();
        let shown = |path: &Path| path.display().to_string();
        for line in [
            format!(
                "flwr               pip's, flwr 1.22.0: {}",
                shown(&pips.join("flwr"))
            ),
            "                   for ours: eval \"$(flwrd env --only flwr)\"".to_owned(),
            format!(
                "flower-superlink   ours, 0.1.0: {}",
                shown(&ours.join("flower-superlink"))
            ),
            "                   for pip's: eval \"$(flwrd env --only superlink --undo)\""
                .to_owned(),
            "flower-supernode   not on PATH".to_owned(),
            format!("PATH names {}, which is not there", shown(&gone)),
        ] {
            assert!(
                text.lines().any(|it| it == line),
                "{line:?} is not in\n{text}"
            );
        }
        // Those of another installation are no matter of undo.
        let elsewhere = root.join("elsewhere");
        program(
            &elsewhere,
            "flower-superlink",
            "flower-superlink 0.1.0 (commit development; x)",
        );
        let text = Report::of(elsewhere.as_os_str(), Some(&own)).to_string();
        let line = format!(
            "for that of this flwrd: eval \"$({} env --only superlink)\"",
            shown(&own)
        );
        assert!(text.contains(&line), "{line:?} is not in\n{text}");
        let json = report.json();
        assert_eq!(json["programs"][1]["maker"], "ours");
        assert_eq!(json["programs"][1]["version"], "0.1.0");
        assert_eq!(json["programs"][0]["maker"], "pip");
        assert_eq!(json["programs"][2]["path"], Value::Null);
        assert_eq!(json["missing-folders"][0], shown(&gone));
    }

    #[test]
    fn a_link_to_the_installation_needs_no_change() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (bin, folder) = (root.join("bin"), root.join("libexec/flower-daemons/flwr"));
        program(&folder, "flwr", "flwr 0.1.0 (commit development; x)");
        program(&bin, "flwrd", "");
        std::os::unix::fs::symlink(folder.join("flwr"), bin.join("flwr")).unwrap();
        let report = Report::of(bin.as_os_str(), Some(&bin.join("flwrd")));
        let text = report.to_string();
        assert!(text.contains("ours, 0.1.0"), "{text}");
        assert!(!text.contains("flwrd env"), "{text}");
    }

    #[test]
    fn a_flwrd_that_is_not_on_the_path_is_named_by_its_path() {
        let path = OsStr::new("/nonexistent");
        assert_eq!(typed(Some(Path::new("/i/flwrd")), path), "/i/flwrd");
        assert_eq!(typed(Some(Path::new("/i i/flwrd")), path), "'/i i/flwrd'");
        assert_eq!(typed(None, path), "flwrd");
    }
}
