//! The advice for each error.

use std::path::{Component, Path};

use flwr_client::channel::{ConnectError, connect_error};
use flwr_core::flower::RELEASE;
use flwr_core::project::FederationError;

use super::Error;

/// A single word in the place of the app's directory may be meant as a federation.
fn no_project(path: &Path) -> String {
    let directory = path.parent().unwrap_or(path);
    let mut names = directory.components();
    match (names.next(), names.next()) {
        (Some(Component::Normal(name)), None) if !directory.exists() => {
            let name = name.to_string_lossy();
            format!(
                "`{name}` is taken for the app's directory; the federation comes after it: `. {name}`"
            )
        }
        _ => "give the app's directory, e.g. `flwr run path/to/app`".to_owned(),
    }
}

fn unknown_federation(wanted: &str, found: &[String]) -> String {
    let nearest = flwr_core::config::nearest(wanted, found.iter().map(String::as_str));
    match nearest {
        Some(name) => format!("did you mean `{name}`? `flwr federation list` tells where each is described"),
        None => "`local` is the federation of `flwr up`; `flwr federation add` keeps the address of another".to_owned(),
    }
}

impl Error {
    /// The way out, where the text alone does not show it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoProject(path) => Some(no_project(path)),
            Self::Encoding { .. } => Some(
                "save it as UTF-8; in PowerShell e.g. `Get-Content FILE | Set-Content -Encoding utf8 NEW`".into(),
            ),
            Self::NotText { .. } => Some("save it as UTF-8".into()),
            Self::NotBundled { way_out, .. } => Some(way_out.clone()),
            Self::LinkOutside { link, .. } => Some(format!(
                "put a copy of the file in the place of the link, or leave the link out with a line in .gitignore: {}",
                link.display()
            )),
            Self::NoAddress {
                federation,
                command: "run",
            } => Some(format!(
                "simulations are not supported here; run it on a local federation, `flwr up --detach` and \
                 `flwr run . local`, or set `address` under [tool.flwr.federations.{federation}]"
            )),
            Self::Federation(FederationError::NoDefault) => Some(
                "start a local federation, `flwr up --detach`, or keep the address of yours: `flwr federation \
                 add NAME --address HOST:9093 --default`"
                    .into(),
            ),
            Self::Federation(FederationError::Unknown { wanted, found }) => Some(unknown_federation(wanted, found)),
            Self::AppExists(_) => Some("choose another name, or move it away".into()),
            Self::NobodyToAsk(_) => Some("e.g. `flwr new my-app numpy`".into()),
            Self::NoRun => Some("the id comes first, and then the federation: `flwr pull RUN_ID hospital`".into()),
            Self::NoneUnfinished { newest: Some(run_id) } => Some(format!(
                "the newest run is finished: see it with `flwr log {run_id}`, all with `flwr ls`"
            )),
            Self::NoneUnfinished { newest: None } => Some("`flwr run` starts one".into()),
            Self::NotAsked { run_id, .. } => Some(format!("name it, `flwr stop {run_id}`, or use --yes")),
            Self::BundleName { right, .. } => Some(format!("if it is the one you want, rename it to {right}")),
            Self::NoArtifacts(_) => Some("SuperLinks without an artifact store have none".into()),
            Self::TokenFile { .. } => Some("remove it, and log in again with `flwr login`".into()),
            Self::UnboundTokens(_) => Some(
                "log in again with `flwr login`; the `flwr` of pip leaves out the SuperLink when it writes the file".into(),
            ),
            Self::TokensOfAnother { .. } => Some(
                "if you trust the federation's SuperLink, log in again with `flwr login`".into(),
            ),
            Self::DamagedTokens(_) => Some("`flwr login` writes them anew".into()),
            Self::NoAccounts => Some("nobody needs to log in there; a federation with `enable-user-auth` is to leave that out".into()),
            Self::LoginTimeout => Some("start again with `flwr login`, and follow the link sooner".into()),
            Self::SuperGrid(_) => Some(
                "run on a local federation, `flwr up --detach` and `flwr run . local`, or keep the address of yours: \
                 `flwr federation add NAME --address HOST:9093 --default`"
                    .into(),
            ),
            Self::LocalDown => Some("start it with `flwr up --detach`".into()),
            Self::LocalUp => Some("`flwr status` tells of it, `flwr down` stops it".into()),
            Self::LocalStarting => Some("try again in a moment".into()),
            Self::NoDaemon(_) => Some("put it there, e.g. with `cargo build --release`".into()),
            Self::NoPython => Some(format!(
                "install Python 3.11 or later, or activate an environment with flwr=={RELEASE}"
            )),
            Self::Python { no_venv: true, .. } => Some(format!(
                "install Python's module for environments, e.g. `apt install python3-venv`, or activate an \
                 environment with flwr=={RELEASE}"
            )),
            Self::Python { .. } => Some(format!(
                "check the network and what pip uses of it (HTTPS_PROXY, PIP_INDEX_URL, and PIP_CERT where a proxy \
                 has certificates of its own), and try again; or activate an environment with flwr=={RELEASE}"
            )),
            Self::NoInterpreter { .. } => Some(format!(
                "make that environment anew, activate another with flwr=={RELEASE}, or deactivate it: `flwr up` \
                 makes an environment of its own then"
            )),
            Self::NotDown(pid) => Some(format!("`kill -9 {pid}` ends it; its daemons end by themselves then")),
            Self::FederationExists { .. } => Some("use --force to write over it".into()),
            Self::NoHomeDefault(_) => Some("`flwr federation default NAME` makes one that".into()),
            Self::NoAddress { federation, .. } => Some(format!(
                "set `address` under [tool.flwr.federations.{federation}]"
            )),
            Self::Call(failure) if matches!(connect_error(failure.as_ref()), Some(ConnectError::Proxy { .. })) => {
                Some("--proxy sets another proxy, and `--proxy none` goes without".into())
            }
            Self::NotStarted => Some("the SuperLink's log tells why".into()),
            Self::Interrupted { run_id } => Some(format!(
                "the run goes on; see it with `flwr log {run_id}`, end it with `flwr stop {run_id}`"
            )),
            Self::LogLost(_) => Some("the run may go on; see it with `flwr list`".into()),
            Self::Exists(_) => Some("move it away, or use --force to write over it".into()),
            _ => None,
        }
    }
}
