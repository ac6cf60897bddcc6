//! The programs, built for other machines than this one: linked against an old glibc, and static. Each
//! program has the list of its crates in itself, which `cargo audit bin` reads.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::source::Source;
use super::{tools, work};
use crate::support::build;

/// The only target that is tested.
pub(super) const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The oldest glibc that linked programs run with: that of the platform of the wheel.
pub(super) const GLIBC: &str = "2.17";
/// The packages whose programs people install.
pub(super) const PACKAGES: [&str; 5] = [
    "flower-superlink",
    "flower-supernode",
    "flower-server-app",
    "flwr",
    FLWRD,
];
/// The package of `flwrd`, which is static everywhere: `flwrd` tells where other programs cannot start.
const FLWRD: &str = "flwrd";

/// Builds the static programs and the linked programs, and says in which folders they are. Most of the time
/// a build compiles a single crate: two builds at once keep two cores busy.
pub(super) fn both(source: &Source) -> Result<(PathBuf, PathBuf)> {
    // The tools are made before: the builds would make them twice.
    tools::link()?;
    tools::auditable()?;
    std::thread::scope(|scope| {
        let linked = scope.spawn(|| linked(source));
        let standalone = standalone(source);
        let linked = linked.join().map_err(|_| anyhow!("a build has panicked"))?;
        Ok((standalone?, linked?))
    })
}

/// Builds the programs but `flwrd` linked against an old glibc, and says in which folder they are. They
/// find names and users of a machine by the machine's own libraries.
fn linked(source: &Source) -> Result<PathBuf> {
    let tools = tools::link()?;
    let mut zig = tools::auditable()?;
    zig.env("PATH", path_with(&tools)?).arg("zigbuild");
    zig.args(["--target", &format!("{TARGET}.{GLIBC}")]);
    let packages = PACKAGES.into_iter().filter(|package| *package != FLWRD);
    compile(&mut zig, packages, source, &work().join("linked"), "")
}

/// Builds all programs without any library of the machine, and says in which folder they are. They
/// find names by DNS and /etc/hosts alone.
fn standalone(source: &Source) -> Result<PathBuf> {
    let mut cargo = tools::auditable()?;
    cargo.args(["build", "--target", TARGET]);
    let flags = "-C target-feature=+crt-static";
    compile(
        &mut cargo,
        PACKAGES.into_iter(),
        source,
        &work().join("static"),
        flags,
    )
}

/// Runs a build whose outcome does not depend on the folder, the user or the time.
fn compile(
    cargo: &mut Command,
    packages: impl Iterator<Item = &'static str>,
    source: &Source,
    target: &Path,
    flags: &str,
) -> Result<PathBuf> {
    let places = [
        (build::root(), "/flower"),
        (home_of("CARGO_HOME", ".cargo")?, "/cargo"),
        (target.to_owned(), "/target"),
    ];
    let mapped = |option: &str| {
        let maps = places
            .iter()
            .map(|(from, to)| format!("{option}{}={to}", from.display()));
        maps.collect::<Vec<_>>().join(" ")
    };
    let rust = format!("{flags} {}", mapped("--remap-path-prefix="));
    let name = TARGET.to_uppercase().replace('-', "_");
    cargo.args(["--locked", "--profile", "dist"]);
    cargo.args(packages.flat_map(|package| ["--package", package]));
    cargo
        .env("CARGO_TARGET_DIR", target)
        .env(format!("CARGO_TARGET_{name}_RUSTFLAGS"), rust.trim())
        .env(
            format!("CFLAGS_{}", TARGET.replace('-', "_")),
            mapped("-ffile-prefix-map="),
        )
        .env("CARGO_INCREMENTAL", "0")
        .env("FLWR_COMMIT", &source.commit)
        .env("SOURCE_DATE_EPOCH", &source.epoch)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    build::succeed(cargo)?;
    Ok(target.join(TARGET).join("dist"))
}

/// The folder of cargo or rustup: that of the variable, or that of this name in the user's own folder.
pub(super) fn home_of(variable: &str, name: &str) -> Result<PathBuf> {
    let given = env::var_os(variable).map(PathBuf::from);
    let usual = || Some(PathBuf::from(env::var_os("HOME")?).join(name));
    given
        .or_else(usual)
        .with_context(|| format!("neither {variable} nor HOME is set"))
}

/// PATH with a folder before all others.
pub(super) fn path_with(first: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(first.to_owned()).chain(env::split_paths(&path));
    Ok(env::join_paths(folders)?)
}

/// The programs but `flwrd`, each with its folder in an installation. `flwrd` looks for them there
/// (`flwr-programs/src/installation.rs`).
pub(super) const INSTALLED: [(&str, &str); 5] = [
    ("flwr", "flwr"),
    ("superlink", "flower-superlink"),
    ("superlink", "flower-server-app"),
    ("supernode", "flower-supernode"),
    ("supernode", "flower-client-app"),
];

/// The words by which `flwrd` runs the programs.
pub(super) const WORDS: [&str; 5] = ["superlink", "supernode", "flwr", "client-app", "server-app"];

/// The bytes of all programs together.
pub(super) fn size(folder: &Path) -> Result<u64> {
    INSTALLED.iter().try_fold(0, |sum, (_, name)| {
        let file = folder.join(name);
        let metadata = fs::metadata(&file).with_context(|| file.display().to_string())?;
        Ok(sum + metadata.len())
    })
}
