//! Who may name whom, where Rust does not forbid it: generations are siblings, the domain speaks no
//! release and no wire, a shared room of the wire has two users, and only carriers and callers know
//! the status of a gRPC call.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// The generations: each a file and a folder here.
const GENERATIONS: &str = "crates/flwr-wire/src/generations/";
/// The rooms that generations share.
const SHARED: [&str; 7] = [
    "apps",
    "inflate",
    "objects",
    "raw",
    "record_maps",
    "rpc",
    "unconfirmed",
];
/// The rooms of the domain.
const DOMAIN: [&str; 4] = [
    "crates/flower-superlink/src/link",
    "crates/flower-superlink/src/store",
    "crates/flower-supernode/src/store",
    "crates/flower-supernode/src/work",
];
/// What no room of the domain names.
const FOREIGN: [&str; 4] = ["flwr_proto", "tonic", "http::", "flwr 1."];
/// Files of the domain whose tests read or write bytes of a release on purpose.
const EXCEPT: [&str; 3] = [
    "crates/flower-superlink/src/store/sqlite/tests/versions.rs",
    "crates/flower-supernode/src/store/tests.rs",
    "crates/flower-supernode/src/work/runs.rs",
];

/// Where `tonic::Status` stands.
const STATUS_ROOMS: [&str; 2] = ["crates/flwr-wire/src/carrier/", "crates/flwr-client/src/"];
/// Outside those rooms: health is a service of gRPC itself.
const STATUS_EXCEPT: [&str; 1] = ["crates/flwr-daemon/src/health.rs"];

/// Each breach of a rule, as `file:line: what is wrong`.
pub(super) fn problems(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut users: Vec<BTreeSet<String>> = vec![BTreeSet::new(); SHARED.len()];
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
    {
        let Ok(content) = fs::read_to_string(root.join(file)) else {
            // A file that was removed, but not yet from the index.
            continue;
        };
        let shown = file.to_str().context("a path that is no text")?;
        if let Some(own) = generation(shown) {
            problems.extend(siblings(shown, own, &content));
            for (room, users) in SHARED.iter().zip(&mut users) {
                if content.contains(&format!("crate::{room}")) || names_in_braces(&content, room) {
                    users.insert(own.to_owned());
                }
            }
        }
        if DOMAIN.iter().any(|room| shown.starts_with(room)) && !EXCEPT.contains(&shown) {
            problems.extend(foreign(shown, &content));
        }
        let is_in = |rooms: &[&str]| rooms.iter().any(|room| shown.starts_with(room));
        let is_source = shown.starts_with("crates/") && shown.contains("/src/");
        if is_source && !is_in(&STATUS_ROOMS) && !is_in(&STATUS_EXCEPT) {
            problems.extend(statuses(shown, &content));
        }
    }
    let lonely = SHARED
        .iter()
        .zip(&users)
        .filter(|(_, users)| users.len() < 2);
    problems.extend(lonely.map(|(room, users)| {
        format!(
            "crates/flwr-wire/src/{room}.rs: used by {users:?}, and two generations are expected"
        )
    }));
    Ok(problems)
}

/// What is not formatted among the generations: `cargo fmt` does not see modules that a macro
/// declares.
pub(super) fn unformatted(root: &Path, files: &[PathBuf]) -> Result<Option<String>> {
    let folder = Path::new(GENERATIONS);
    let modules: Vec<_> = files
        .iter()
        .filter(|file| file.parent() == Some(folder))
        .collect();
    let mut rustfmt = Command::new("rustfmt");
    rustfmt
        .current_dir(root)
        .args(["--edition", "2024", "--check", "--quiet"])
        .args(modules)
        .stdout(Stdio::null());
    let status = rustfmt.status();
    let status = status.context("rustfmt does not start: `rustup component add rustfmt`")?;
    Ok((!status.success()).then(|| {
        format!("{GENERATIONS}: not formatted: run `rustfmt --edition 2024 {GENERATIONS}*.rs`")
    }))
}

/// The generation that a file is of.
fn generation(file: &str) -> Option<&str> {
    let rest = file.strip_prefix(GENERATIONS)?;
    rest.split(['/', '.']).next()
}

/// Lines of a generation that name another, or another's messages.
fn siblings(file: &str, own: &str, content: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in content.lines().enumerate() {
        let names_another = line.match_indices("v1_").any(|(at, _)| {
            let word: String = line[at..]
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect();
            word != own && !own.starts_with(&format!("{word}_"))
        });
        if names_another {
            let number = number + 1;
            problems.push(format!("{file}:{number}: {own} names another generation"));
        }
    }
    problems
}

/// Whether the line has the name, and not as the end of a longer word (`monotonic`).
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(char::is_alphanumeric)
    })
}

/// Lines of the domain that name a release, a message of the wire, or a transport.
fn foreign(file: &str, content: &str) -> Vec<String> {
    let lines = content.lines().enumerate();
    let breaches = lines.filter_map(|(number, line)| {
        let name = FOREIGN.iter().find(|name| names(line, name))?;
        let number = number + 1;
        Some(format!("{file}:{number}: the domain names `{name}`"))
    });
    breaches.collect()
}

/// Lines outside carriers and callers that name the status of a gRPC call.
fn statuses(file: &str, content: &str) -> Vec<String> {
    let uses = content.match_indices("tonic::").filter(|(at, name)| {
        let rest = &content[at + name.len()..];
        match rest.strip_prefix('{') {
            Some(names) => {
                let names = names.split(';').next().unwrap_or_default();
                names
                    .split([',', '{', '}'])
                    .any(|name| name.trim() == "Status")
            }
            None => {
                let name = rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
                name.take(1).any(|name| name == "Status")
            }
        }
    });
    let shown = uses.map(|(at, _)| {
        let number = content[..at].matches('\n').count() + 1;
        format!("{file}:{number}: `tonic::Status` is for carriers and callers")
    });
    shown.collect()
}

/// Whether a `use crate::{...}` of the content names the room.
fn names_in_braces(content: &str, room: &str) -> bool {
    content.split("use crate::{").skip(1).any(|rest| {
        let names = rest.split('}').next().unwrap_or_default();
        names.split(',').any(|name| name.trim() == room)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::build;

    #[test]
    fn a_generation_names_itself_and_its_messages_only() {
        let own = "v1_15_inline";
        let good = "use flwr_proto::v1_15 as wire;\nuse super::v1_15_inline;\n";
        assert_eq!(siblings("f", own, good), [] as [String; 0]);
        let bad = "use super::v1_20_objects;\nuse flwr_proto::v1_08;\n";
        assert_eq!(siblings("f", own, bad).len(), 2);
    }

    #[test]
    fn the_domain_names_no_wire_and_no_release() {
        let found = foreign(
            "link/a.rs",
            "use flwr_proto::Run;\n/// flwr 1.22\nfn good() {}\nuse flwr_core::monotonic;\n",
        );
        assert_eq!(
            found,
            [
                "link/a.rs:1: the domain names `flwr_proto`",
                "link/a.rs:2: the domain names `flwr 1.`"
            ]
        );
    }

    #[test]
    fn only_carriers_and_callers_know_a_status() {
        let good = "use tonic::service::Routes;\nuse tonic::{Code, Request};\nstruct Status;\nuse tonic::StatusCode;\n";
        assert_eq!(statuses("f", good), [] as [String; 0]);
        for bad in [
            "\nuse tonic::Status;",
            "\nuse tonic::{\n    Code,\n    Status,\n};",
            "\nlet status = tonic::Status::from_header_map(&trailers);",
        ] {
            let found = statuses("f", bad);
            assert_eq!(found, ["f:2: `tonic::Status` is for carriers and callers"]);
        }
    }

    #[test]
    fn this_repository_keeps_its_rules() {
        let root = build::root();
        let files = super::super::lint::tracked(&root).unwrap();
        assert_eq!(problems(&root, &files).unwrap(), [] as [String; 0]);
    }
}
