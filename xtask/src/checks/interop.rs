//! `cargo xtask interop`: which of our programs work with which of pip's, tried. `tests/interop.json` has
//! what came of it, and docs/interop.md is made of that.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::support::build::{self, Profile};
use crate::support::python::{FLOWER_1_20, FLOWER_1_21, FLOWER_1_22, Flower, LATER, OLDER};

mod page;

pub(super) use page::problem;

/// What `--quick` tries, as `tests/tests/matrix/quick.rs` has it.
const QUICK: [&str; 8] = [
    "1.42.0", "1.36.0", "1.31.0", "1.26.1", "1.22.0", "1.20.0", "1.17.0", "1.10.0",
];

/// `cargo xtask interop`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask interop                     all pairs, in hours
  cargo xtask interop --quick             eight releases, each in all of its roles in one federation
  cargo xtask interop --release 1.44.0    one release in all of its roles and all protections")]
pub(crate) struct Args {
    /// Each of 1.42, 1.36, 1.31, 1.26, 1.22, 1.20, 1.17 and 1.10 in one federation with ours, over TLS with
    /// keys. Nothing is written.
    #[arg(long, conflicts_with_all = ["only", "release", "earlier", "render"])]
    quick: bool,
    /// Only pairs whose title contains this, for example `flower-supernode 1.17`.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Only this release, which PyPI has. It need not be one that the matrix knows.
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
    /// A folder with our programs of an earlier commit, of before flwr 1.23 was served. The pairs with
    /// these are tried too.
    #[arg(long, value_name = "DIR")]
    earlier: Option<PathBuf>,
    /// How many federations there are at once.
    #[arg(long, value_name = "N", default_value_t = 2)]
    at_once: usize,
    /// Only write docs/interop.md anew, from tests/interop.json.
    #[arg(long)]
    render: bool,
}

/// Prepares versions of Flower, builds the programs and tries pairs (`tests/tests/matrix`).
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.render {
        page::write()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut tests = build::cargo();
    for flower in args.needed() {
        tests.env(flower.variable(), flower.prepare()?);
    }
    build::programs(Profile::Dev)?;
    tests.env("FLOWER_INTEROP_RECORD", page::record());
    tests.env("FLOWER_INTEROP_TRIED", build::commit_and_day()?);
    tests.env("FLOWER_INTEROP_AT_ONCE", args.at_once.to_string());
    if let Some(text) = &args.only {
        tests.env("FLOWER_INTEROP_ONLY", text);
    }
    if let Some(release) = &args.release {
        tests.env("FLOWER_INTEROP_RELEASE", release);
    }
    if let Some(folder) = &args.earlier {
        tests.env("FLOWER_EARLIER", folder.canonicalize()?);
    }
    build::test_program(&mut tests, "matrix");
    tests.args(["--nocapture", "--ignored", "--test-threads", "1"]);
    if args.quick {
        tests.args(["--exact", "quick"]);
        return build::outcome(&mut tests);
    }
    tests.arg("all_pairs");
    if args.only.is_none() && args.release.is_none() {
        tests.arg("nodes_of_many_releases");
    }
    let outcome = build::outcome(&mut tests)?;
    page::write()?;
    Ok(outcome)
}

impl Args {
    /// The versions that the pairs need. Our programs have the apps of 1.22 where nothing else is said.
    fn needed(&self) -> Vec<Flower<'_>> {
        if let Some(release) = &self.release {
            let own = Some("1.22.0").filter(|own| own != release);
            let versions = [release.as_str()].into_iter().chain(own);
            return versions.map(Flower::named).collect();
        }
        if self.quick {
            return QUICK.map(Flower::named).into();
        }
        let all = OLDER
            .into_iter()
            .chain([FLOWER_1_20, FLOWER_1_21, FLOWER_1_22]);
        all.chain(LATER).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(quick: bool, release: Option<&str>) -> usize {
        let args = Args {
            quick,
            only: None,
            release: release.map(str::to_owned),
            earlier: None,
            at_once: 1,
            render: false,
        };
        args.needed().len()
    }

    #[test]
    fn only_the_whole_matrix_needs_all_versions() {
        assert_eq!(needed(true, None), 8);
        assert_eq!(needed(false, Some("1.22.0")), 1);
        assert_eq!(needed(false, Some("1.17.0")), 2);
        assert_eq!(needed(false, Some("1.44.0")), 2);
        assert_eq!(needed(false, None), OLDER.len() + 3 + LATER.len());
    }
}
