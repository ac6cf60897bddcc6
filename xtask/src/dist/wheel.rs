//! The wheel `flwr-daemons`, for `pip install` beside pip's flwr.
//!
//! `flwrd` goes where pip puts programs, and all others into a folder of their own beneath the
//! environment: the wheel's scheme `data`. `wheel pack` writes the list of files and the archive.
//! maturin cannot pack programs that are already built, and would build `flwrd` alone.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::programs::Programs;
use super::source::{Source, VERSION};
use super::{tools, tree, work};
use crate::support::build;

/// The systems that the wheel is for: those with glibc 2.17 or later.
pub(super) const PLATFORM: &str = "manylinux_2_17_x86_64";
/// The name on PyPI, as files write it.
const NAME: &str = "flwr_daemons";
/// The newest release of flwr whose apps were tested with these programs (docs/interop.md).
const APPS: &str = "flwr==1.42.0";

/// Makes the wheel, and says where it is.
pub(super) fn make(
    linked: &Programs<'_>,
    flwrd: &Programs<'_>,
    source: &Source,
) -> Result<PathBuf> {
    pack(&linked.folder, &flwrd.folder, &source.epoch)
}

/// Makes the wheel from the programs in these folders.
pub(super) fn pack(programs: &Path, flwrd: &Path, epoch: &str) -> Result<PathBuf> {
    let stage = work().join("wheel");
    tree::empty(&stage)?;
    let tree = stage.join("tree");
    let data = tree.join(format!("{NAME}-{VERSION}.data"));
    tree::fill(&data.join("scripts"), &data.join("data"), programs, flwrd)?;
    let info = tree.join(format!("{NAME}-{VERSION}.dist-info"));
    tree::add(
        &build::root().join("LICENSE"),
        &info.join("licenses/LICENSE"),
        0o644,
    )?;
    for (name, text) in [("METADATA", metadata()), ("WHEEL", tags())] {
        tree::write(&info.join(name), &text)?;
    }
    let mut pack = tools::pack()?;
    pack.args(["-m", "wheel", "pack", "--dest-dir"]);
    pack.args([&stage, &tree]).env("SOURCE_DATE_EPOCH", epoch);
    build::succeed(pack.stdout(std::process::Stdio::null()))?;
    Ok(stage.join(format!("{NAME}-{VERSION}-py3-none-{PLATFORM}.whl")))
}

fn tags() -> String {
    let generator = format!("cargo xtask dist {VERSION}");
    format!(
        "Wheel-Version: 1.0\nGenerator: {generator}\nRoot-Is-Purelib: false\nTag: py3-none-{PLATFORM}\n"
    )
}

fn metadata() -> String {
    format!(
        "Metadata-Version: 2.4
Name: flwr-daemons
Version: {VERSION}
Summary: The daemons of a Flower federation and the flwr command, written in Rust
License-Expression: Apache-2.0
License-File: LICENSE
Requires-Python: >=3.9
Provides-Extra: apps
Requires-Dist: {APPS}; extra == 'apps'
Description-Content-Type: text/markdown

`flower-superlink`, `flower-supernode` and `flwr` for Flower federations, beside those of pip's flwr.

    pip install \"flwr-daemons[apps]\"     # with the flwr whose processes run apps
    eval \"$(flwrd env)\"                   # these programs come first on PATH
    flwrd which                           # whose programs PATH finds

Nothing of pip's flwr is written over: the programs are in a folder of their own, and `flwrd` runs
them by name, as in `flwrd superlink --help`.
"
    )
}
