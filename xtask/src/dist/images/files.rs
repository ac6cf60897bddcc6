//! What the images hold beside the programs: a user, authorities, places for state and for temporary files.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use pem::{EncodeConfig, LineEnding, Pem};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::layer::Layer;
use crate::dist::artefacts::Pack;
use crate::dist::tree;
use crate::support::build;

/// The user of the daemons, by number: Kubernetes must see that the user is not root.
pub(super) const USER: u64 = 65532;
/// The working folder, as in Flower's images: guides name `certificates/ca.crt` and `state/state.db` in it.
pub(super) const WORK: &str = "/app";
/// What stays when a container is replaced: Flower's home.
pub(super) const STATE: &str = "/app/state";
/// The mode of folders in which every user may put files: a container may run as any user.
const FOR_ALL: u32 = 0o1777;

/// The files of an image without an operating system.
pub(super) fn system() -> Layer {
    let mut layer = Layer::default();
    let users = format!("root:x:0:0:root:/:/sbin/nologin\n{}\n", user());
    layer.text("etc/passwd", users);
    layer.text("etc/group", format!("root:x:0:\n{}\n", group()));
    layer.text("etc/nsswitch.conf", "hosts: files dns\n");
    layer.text("etc/ssl/certs/ca-certificates.crt", authorities());
    layer.folder("tmp", FOR_ALL, 0);
    layer
}

/// The line of `/etc/passwd` for the user.
pub(super) fn user() -> String {
    format!("app:x:{USER}:{USER}:app:{STATE}:/sbin/nologin")
}

/// The line of `/etc/group` for the user's group.
pub(super) fn group() -> String {
    format!("app:x:{USER}:")
}

/// The authorities that Mozilla trusts, for OpenID providers and SuperLinks with certificates of theirs.
fn authorities() -> String {
    let all = TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|der| Pem::new("CERTIFICATE", der.to_vec()))
        .collect::<Vec<_>>();
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_many_config(&all, lines)
}

/// The programs under their names on PATH, their licences, and the folders that they work in. `stage` is an
/// empty folder.
pub(super) fn installed(stage: &Path, from: &Pack) -> Result<Layer> {
    let prefix = stage.join("usr/local");
    let bin = prefix.join("bin");
    // Flower's images have no flower-client-app and no flower-server-app.
    let from_folder = &from.standalone;
    tree::fill_with(&bin, &prefix, from_folder, from_folder, &tree::NAMED)?;
    tree::link(&bin)?;
    let documents = prefix.join("share/doc/flower-daemons");
    let licence = build::root().join("LICENSE");
    tree::add(&licence, &documents.join("LICENSE"), 0o644)?;
    tree::add(&from.notices, &documents.join("THIRD-PARTY.md"), 0o644)?;
    let mut layer = Layer::default();
    layer.tree(stage)?;
    layer.folder(WORK.trim_start_matches('/'), 0o755, 0);
    layer.folder(STATE.trim_start_matches('/'), FOR_ALL, USER);
    Ok(layer)
}

/// The libraries of this machine that programs need: those of the tests, since static programs need none.
pub(super) fn libraries(programs: &Path) -> Result<Layer> {
    let mut layer = Layer::default();
    for (_, name) in tree::NAMED {
        let output = Command::new("ldd").arg(programs.join(name)).output();
        let output = output.context("ldd does not start")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let words = said.split_whitespace();
        for library in words.filter(|word| word.starts_with('/')) {
            let place = library.trim_start_matches('/');
            layer.file(Path::new(place), Path::new(library))?;
        }
    }
    Ok(layer)
}
