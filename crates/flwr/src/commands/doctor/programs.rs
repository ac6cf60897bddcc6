//! Checks which of Flower's programs the shell finds: pip's flwr has programs of the same names.

use std::ffi::OsStr;

use flwr_core::checkup::Checkup;
use flwr_programs::{Maker, find};

const PROGRAMS: &str = "programs";
/// The names that pip's flwr and this project share.
const NAMES: [&str; 3] = ["flwr", "flower-superlink", "flower-supernode"];
const HINT: &str = "`flwrd which` tells where each is, and how PATH is changed";

/// Looks at the programs on a PATH. Ours and pip's work together; ours of two versions may be a
/// leftover.
pub(super) fn look(path: &OsStr, own_version: &str, checkup: &mut Checkup) {
    let found = NAMES.map(|name| (name, find(name, path).map(|program| Maker::of(&program))));
    let of_another_version = found.iter().any(|(_, maker)| match maker {
        Some(Maker::Ours(version)) => version != own_version,
        _ => false,
    });
    let text = described(&found);
    if of_another_version {
        let text = format!("{text}; this command is of version {own_version}");
        return checkup.warning(PROGRAMS, text, Some(HINT));
    }
    checkup.good(PROGRAMS, text);
}

/// The makers with their programs: `flwr, flower-superlink: ours, 0.1.0; flower-supernode: not on PATH`.
fn described(found: &[(&str, Option<Maker>)]) -> String {
    let mut groups: Vec<(Vec<&str>, &Option<Maker>)> = Vec::new();
    for (name, maker) in found {
        match groups.iter_mut().find(|(_, other)| *other == maker) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], maker)),
        }
    }
    let parts = groups.iter().map(|(names, maker)| {
        let names = names.join(", ");
        match maker {
            Some(maker) => format!("{names}: {maker}"),
            None => format!("{names}: not on PATH"),
        }
    });
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use flwr_core::checkup::Outcome;

    use super::*;

    fn found(programs: &[(&str, &str)]) -> (Outcome, String) {
        let dir = tempfile::tempdir().unwrap();
        for (name, says) in programs {
            let path = dir.path().join(name);
            fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = env::join_paths([dir.path()]).unwrap();
        let mut checkup = Checkup::new();
        look(&path, "0.1.0", &mut checkup);
        let finding = &checkup.findings()[0];
        (finding.outcome, finding.text.clone())
    }

    #[test]
    fn programs_of_two_makers_are_named_with_their_versions() {
        let (outcome, text) = found(&[
            (
                "flwr",
                "Flower version: 0.1.0 (commit development; speaks flwr 1.15 to 1.43)",
            ),
            ("flower-superlink", "Flower version: 1.22.0"),
        ]);
        assert_eq!(outcome, Outcome::Good);
        assert_eq!(
            text,
            "flwr: ours, 0.1.0; flower-superlink: pip's, flwr 1.22.0; flower-supernode: not on PATH"
        );
    }

    #[test]
    fn another_version_of_ours_is_warned_of() {
        let (outcome, text) = found(&[
            ("flwr", "flwr 0.1.0 (commit development)"),
            (
                "flower-supernode",
                "flower-supernode 0.0.9 (commit development)",
            ),
        ]);
        assert_eq!(outcome, Outcome::Warning);
        assert!(text.contains("flower-supernode: ours, 0.0.9"), "{text}");
        assert!(text.ends_with("this command is of version 0.1.0"), "{text}");
    }
}
