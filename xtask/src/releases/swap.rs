//! `cargo xtask swap --from COMMIT`: a live run while the programs of an earlier commit are replaced by
//! those of now, and back.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::dist::installed::{self, Packaging};
use crate::support::build::{self, Profile};
use crate::support::python::FLOWER_1_22;

/// The packages whose programs are replaced.
const PACKAGES: [&str; 3] = ["flower-superlink", "flower-supernode", "flwr"];
/// What a wheel and a Debian package have besides.
const PACKED: [&str; 2] = ["flower-server-app", "flwrd"];
/// The daemons, as the harness names them.
const DAEMONS: [&str; 5] = ["superlink", "node-0", "node-1", "node-2", "node-3"];
/// One turn: the SuperLink forward, back and forward, and four SuperNodes forward.
const SWAPS: &str = "7";

/// `cargo xtask swap`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask swap --from v0.1.0           builds that release first
  cargo xtask swap --from HEAD~20 --swaps 14     forward, and all the way back
  cargo xtask swap --from HEAD~20 --by wheel     by pip, into an environment of each daemon
  cargo xtask swap --from HEAD~20 --by deb       by dpkg, into a root of each daemon
  cargo xtask swap --from HEAD~20 --by image     by containers, run by runc as root
  cargo xtask swap --programs FOLDER       programs that are built already")]
pub(crate) struct Args {
    /// The tag or commit of the earlier programs.
    #[arg(long, value_name = "TAG|COMMIT", required_unless_present = "programs")]
    from: Option<String>,

    /// A folder with earlier programs, instead of a commit.
    #[arg(long, value_name = "FOLDER", conflicts_with = "from")]
    programs: Option<PathBuf>,

    /// How many daemons are replaced. After seven all are those of now; the next seven go back.
    #[arg(long, value_name = "N", default_value = SWAPS)]
    swaps: usize,

    /// What replaces the programs of a daemon while it runs. Without, the daemon is started from another
    /// folder.
    #[arg(long, value_enum)]
    by: Option<Packaging>,
}

/// Builds both, and has the harness of the fault tests play the kind `upgrade`: each round of a run of
/// 20 rounds has the digits of an undisturbed run, no message is lost or worked on twice, and the median and
/// the slowest round are printed.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let earlier = match (&args.programs, &args.from) {
        (Some(folder), _) => folder
            .canonicalize()
            .with_context(|| folder.display().to_string())?,
        (None, from) => built(from.as_deref().unwrap_or("HEAD~1"), args.by)?,
    };
    let mut tests = build::cargo();
    tests.env(FLOWER_1_22.variable(), FLOWER_1_22.prepare()?);
    let now = build::programs(Profile::Dev)?;
    if let Some(by) = args.by {
        println!(
            "Installing the earlier programs for {} daemons ...",
            DAEMONS.len()
        );
        let daemons = DAEMONS.map(str::to_owned);
        let folder = installed::prepare(by, [&earlier, &now], &daemons)?;
        tests.env("FLOWER_INSTALLED", folder);
    }
    tests.env("FLOWER_EARLIER", earlier);
    tests.env("FLOWER_FAULTS_ONLY", "upgrade");
    tests.env("FLOWER_FAULTS", args.swaps.to_string());
    build::test_program(&mut tests, "harness");
    tests.args(["--nocapture", "no_fault_loses_or_doubles_a_message"]);
    build::outcome(&mut tests)
}

/// The programs of a commit, in a work tree and a target folder of their own.
fn built(from: &str, by: Option<Packaging>) -> Result<PathBuf> {
    let folder = build::target().join("earlier");
    let tree = folder.join("tree");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(build::root()).args(arguments);
        git
    };
    if tree.join("Cargo.toml").is_file() {
        let mut checkout = git(&["-C", &shown(&tree), "checkout", "--quiet", "--detach", from]);
        build::succeed(&mut checkout)?;
    } else {
        let mut add = git(&[
            "worktree",
            "add",
            "--quiet",
            "--detach",
            &shown(&tree),
            from,
        ]);
        build::succeed(&mut add)?;
    }
    let mut cargo = build::cargo();
    cargo.current_dir(&tree).arg("build");
    cargo.env("CARGO_TARGET_DIR", folder.join("target"));
    let packed = by.iter().flat_map(|_| PACKED);
    for package in PACKAGES.into_iter().chain(packed) {
        if !tree.join("crates").join(package).is_dir() {
            bail!("{from} has no {package}: give --from a later commit");
        }
        cargo.args(["--package", package]);
    }
    build::succeed(&mut cargo)?;
    Ok(folder.join("target").join("debug"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
