//! The wheel `flwr-daemons`, for `pip install` beside pip's flwr.
//!
//! `flwrd` goes where pip puts programs, and all others into a folder of their own beneath the
//! environment: the wheel's scheme `data`. `wheel pack` writes the list of files and the archive.
//! maturin cannot pack programs that are already built, and would build `flwrd` alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::artefacts::Pack;
use super::source::VERSION;
use super::{tools, tree, work};
use crate::support::build;
use crate::support::flower::RELEASE;

/// The systems that the wheel is for: those with glibc 2.17 or later.
pub(super) const PLATFORM: &str = "manylinux_2_17_x86_64";
/// The name on PyPI, as files write it.
const NAME: &str = "flwr_daemons";
/// Makes the wheel, and says where the wheel is.
pub(super) fn make(from: &Pack) -> Result<PathBuf> {
    let stage = work().join("wheel");
    tree::empty(&stage)?;
    let tree = stage.join("tree");
    let data = tree.join(format!("{NAME}-{VERSION}.data"));
    let (scripts, data) = (data.join("scripts"), data.join("data"));
    tree::fill(&scripts, &data, &from.linked, &from.standalone)?;
    let info = tree.join(format!("{NAME}-{VERSION}.dist-info"));
    for file in [&build::root().join("LICENSE"), &from.notices] {
        let name = file.file_name().context("a licence without a name")?;
        tree::add(file, &info.join("licenses").join(name), 0o644)?;
    }
    for (name, text) in [("METADATA", metadata()), ("WHEEL", tags())] {
        tree::write(&info.join(name), &text)?;
    }
    let mut pack = tools::pack()?;
    pack.args(["-m", "wheel", "pack", "--dest-dir"]);
    pack.args([&stage, &tree])
        .env("SOURCE_DATE_EPOCH", &from.epoch);
    build::succeed(pack.stdout(std::process::Stdio::null()))?;
    Ok(stage.join(format!("{NAME}-{VERSION}-py3-none-{PLATFORM}.whl")))
}

/// Has pip judge the wheel as on other systems: it takes the wheel where glibc is new enough only.
pub(super) fn fits_its_systems_only(wheel: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (system, fits) in [
        (PLATFORM, true),
        ("manylinux_2_12_x86_64", false),
        ("musllinux_1_2_x86_64", false),
    ] {
        let mut pip = tools::pack()?;
        pip.args(["-m", "pip", "--disable-pip-version-check", "download"]);
        pip.args(["--no-index", "--no-deps", "--only-binary=:all:"]);
        pip.args(["--platform", system, "--dest"])
            .arg(folder.path());
        let output = pip.arg(wheel).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let is_refused = said.contains("is not a supported wheel on this platform");
        if (output.status.success(), is_refused) != (fits, !fits) {
            bail!("for {system}, pip says of {}: {said}", wheel.display());
        }
    }
    Ok(())
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
License-File: THIRD-PARTY.md
Requires-Python: >=3.9
Provides-Extra: apps
Requires-Dist: flwr=={RELEASE}; extra == 'apps'
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
