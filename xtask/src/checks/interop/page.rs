//! docs/interop.md: a table of what `tests/interop.json` has, one line a release, one column a role.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::support::build;

const RECORD: &str = "tests/interop.json";
const PAGE: &str = "docs/interop.md";

/// The roles in the record, with the heads of their columns.
const ROLES: [(&str, &str); 8] = [
    ("supernode", "`flower-supernode`"),
    ("flwr", "`flwr`"),
    ("serverapp", "`flwr-serverapp`"),
    ("clientapp", "`flwr-clientapp`"),
    ("apps", "both, in trouble"),
    ("superexec", "`flower-superexec`"),
    ("superlink-of-supernode", "its SuperLink, our SuperNode"),
    ("superlink-of-flwr", "its SuperLink, our `flwr`"),
];
/// The ways to speak in the record, with their names in the table.
const PROTECTIONS: [(&str, &str); 4] = [
    ("insecure", "plaintext"),
    ("tls", "TLS"),
    ("keys", "keys"),
    ("token", "token"),
];

const HEAD: &str = "\
# What works with what

`cargo xtask interop` runs each pair, and makes this page from `tests/interop.json`: one program is ours, \
the other is pip's of the release, and an app trains for two rounds on two nodes. `flwr` of both sides also \
lists, logs and stops runs, and that of 1.23 and later registers the keys of the SuperNodes.

✓: in plaintext, over TLS, and over TLS with keys of SuperNodes. App processes speak plaintext on their \
machine, with a token. ✗: not, for the reason below. Empty: not tried, or not there in that release. \
\"Both, in trouble\": our daemons start both app processes: runs that complete, that raise, whose processes are \
killed, that are stopped, two at once, and an app whose imports take a minute.

Two commands read another layout than they get, from pip's SuperLinks of later releases as from ours (checked \
with 1.31.0): `flwr supernode list` of 1.23, and `flwr federation list --federation` of 1.26.

";

type Line = Map<String, Value>;

/// The file with what came of the pairs.
pub(super) fn record() -> PathBuf {
    build::root().join(RECORD)
}

/// Writes the page.
pub(super) fn write() -> Result<()> {
    let page = build::root().join(PAGE);
    fs::write(&page, rendered(&build::root())?)
        .with_context(|| format!("cannot write {}", page.display()))
}

/// What is wrong with the page, if it is not what the record gives.
pub(in crate::checks) fn problem(root: &Path) -> Result<Option<String>> {
    let page =
        fs::read_to_string(root.join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    let is_as_recorded = page == rendered(root)?;
    Ok((!is_as_recorded)
        .then(|| format!("{PAGE}: not what {RECORD} gives: run `cargo xtask interop --render`")))
}

fn rendered(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join(RECORD));
    let text = text.with_context(|| format!("cannot read {RECORD}"))?;
    let lines: Vec<Line> = serde_json::from_str(&text).with_context(|| RECORD.to_owned())?;
    table(&lines)
}

/// The reasons, each with its number.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn mark(&mut self, reason: &str) -> String {
        let known = self.0.iter().position(|had| had == reason);
        let index = known.unwrap_or_else(|| {
            self.0.push(reason.to_owned());
            self.0.len() - 1
        });
        format!("[^{}]", index + 1)
    }
}

fn table(lines: &[Line]) -> Result<String> {
    let mut releases: Vec<&str> = Vec::new();
    let mut cells = BTreeMap::new();
    for line in lines {
        let (release, role) = (text(line, "release")?, text(line, "role")?);
        anyhow::ensure!(
            ROLES.iter().any(|(known, _)| *known == role),
            "{RECORD}: {release} has the role {role:?}, which the page does not know"
        );
        if !releases.contains(&release) {
            releases.push(release);
        }
        cells.insert((release, role), line);
    }
    // The record has the earliest first, and our own earlier programs last.
    let own = releases.iter().position(|release| *release == "earlier");
    let own = own.map(|index| releases.remove(index));
    releases.reverse();
    releases.extend(own);

    let mut notes = Notes::default();
    let mut page = HEAD.to_owned();
    let heads: Vec<_> = ROLES.iter().map(|(_, head)| *head).collect();
    let _ = writeln!(page, "| flwr | {} |", heads.join(" | "));
    let _ = writeln!(page, "| --- |{}", " --- |".repeat(ROLES.len()));
    for release in releases {
        let cell = |(role, _): &(&str, &str)| match cells.get(&(release, *role)) {
            Some(line) => cell(line, &mut notes),
            None => Ok(String::new()),
        };
        let row = ROLES.iter().map(cell).collect::<Result<Vec<_>>>()?;
        let name = match release {
            "earlier" => "ours of before 1.23 was served (commit 04d1496a88)",
            release => release,
        };
        let _ = writeln!(page, "| {name} | {} |", row.join(" | "));
    }
    page.push('\n');
    for (index, reason) in notes.0.iter().enumerate() {
        let _ = writeln!(page, "[^{}]: {reason}", index + 1);
    }
    Ok(page)
}

/// The mark of a release in a role.
fn cell(line: &Line, notes: &mut Notes) -> Result<String> {
    let mut tried = Vec::new();
    for (key, name) in PROTECTIONS {
        match line.get(key) {
            None => {}
            Some(Value::Bool(true)) => tried.push((name, None)),
            Some(Value::String(why)) => tried.push((name, Some(why.as_str()))),
            Some(other) => anyhow::bail!(
                "{RECORD}: {key} of {} is {other}, neither true nor a reason",
                text(line, "release")?
            ),
        }
    }
    let first = tried
        .first()
        .context("a line of the record has no outcome")?;
    if tried.iter().any(|(_, why)| *why != first.1) {
        let each = tried.iter().map(|(name, why)| match why {
            None => format!("{name} ✓"),
            Some(why) => format!("{name} ✗{}", notes.mark(why)),
        });
        return Ok(each.collect::<Vec<_>>().join(", "));
    }
    Ok(match first.1 {
        Some(why) => format!("✗{}", notes.mark(why)),
        None if tried.len() == 2 => "✓ without keys".to_owned(),
        None => "✓".to_owned(),
    })
}

fn text<'a>(line: &'a Line, key: &str) -> Result<&'a str> {
    let value = line.get(key).and_then(Value::as_str);
    value.with_context(|| format!("a line of {RECORD} has no {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(record: &str) -> Result<String> {
        table(&serde_json::from_str::<Vec<Line>>(record).unwrap())
    }

    #[test]
    fn a_release_has_a_line_and_a_reason_is_told_once() {
        let record = r#"[
            {"release": "1.8.0", "role": "supernode", "insecure": true, "tls": true},
            {"release": "1.19.0", "role": "supernode", "insecure": "odd", "tls": "odd", "keys": "odd"},
            {"release": "1.19.0", "role": "serverapp", "token": "odd"},
            {"release": "1.42.0", "role": "flwr", "insecure": true, "tls": "late", "keys": true},
            {"release": "1.42.0", "role": "apps", "token": true},
            {"release": "earlier", "role": "flwr", "insecure": true, "tls": true, "keys": true}
        ]"#;
        let page = page(record).unwrap();
        let rows = page.split_once("| --- |").unwrap().1;
        let rows: Vec<_> = rows.lines().skip(1).collect();
        let wanted = [
            "| 1.42.0 |  | plaintext ✓, TLS ✗[^1], keys ✓ |  |  | ✓ |  |  |  |",
            "| 1.19.0 | ✗[^2] |  | ✗[^2] |  |  |  |  |  |",
            "| 1.8.0 | ✓ without keys |  |  |  |  |  |  |  |",
            "| ours of before 1.23 was served (commit 04d1496a88) |  | ✓ |  |  |  |  |  |  |",
            "",
            "[^1]: late",
            "[^2]: odd",
        ];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn a_line_that_the_page_cannot_show_is_named() {
        let told = |record| page(record).unwrap_err().to_string();
        let role = r#"[{"release": "1.42.0", "role": "agent", "token": true}]"#;
        assert!(told(role).contains("\"agent\""));
        let outcome = r#"[{"release": "1.42.0", "role": "flwr", "tls": false}]"#;
        assert!(told(outcome).contains("tls of 1.42.0 is false"));
        let empty = r#"[{"release": "1.42.0", "role": "flwr"}]"#;
        assert!(told(empty).contains("no outcome"));
    }

    #[test]
    fn the_page_is_what_the_record_gives() {
        assert_eq!(problem(&build::root()).unwrap(), None);
    }
}
