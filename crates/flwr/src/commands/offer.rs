//! Chooses the federation of `flwr run`. If only a local federation is missing, offers at a
//! terminal to start one: the apps of Flower's examples name a simulation as their default.

use flwr_core::project::FederationError;
use toml::Table;

use super::new::Asker;
use crate::cli::{Format, RunArgs};
use crate::error::{Error, Result};
use crate::federation::Surroundings;
use crate::local::{self, Packages};
use crate::project::App;
use crate::render::Output;
use crate::resolved::ResolvedFederation;

/// How many SuperNodes are started, as by `flwr up`.
const SUPERNODES: u32 = 2;

/// The federation that is meant, or the local one if somebody at the terminal wants it instead.
pub(super) async fn choose(
    app: &App,
    args: &RunArgs,
    output: &mut Output,
) -> Result<ResolvedFederation> {
    let chosen = super::choose(Some(app), &args.target, output);
    let mut asker = Asker::of_terminal();
    let asks = !args.dry_run && args.format == Format::Default && asker.can_ask();
    let Some(missing) = missing(&chosen).filter(|_| asks) else {
        return chosen;
    };
    let local = Surroundings::of_process().local()?;
    let up = local.description()?;
    let offer = match up {
        Some(_) => "Run the app on the local federation of `flwr up`".to_owned(),
        None => format!(
            "Start a local federation (`flwr up`: a SuperLink and {SUPERNODES} SuperNodes on this machine) \
             and run the app there"
        ),
    };
    if !asker.agrees(&format!("{missing}.\n{offer}?")) {
        return chosen;
    }
    let description = match up {
        Some(description) => description,
        None => {
            let description = local::start(&local, SUPERNODES, Packages::Keep, output).await?;
            output.up(&description)?;
            description
        }
    };
    let why = "it was chosen at the terminal".to_owned();
    let chosen = local::chosen(&description, &Table::new(), why)?;
    output.using(&chosen);
    Ok(chosen)
}

/// Why no app can run, if a local federation is all that is missing.
fn missing(chosen: &Result<ResolvedFederation>) -> Option<String> {
    match chosen {
        Ok(chosen) if chosen.federation.address.is_none() => Some(format!(
            "Federation `{}` is a simulation, and simulations are not supported here",
            chosen.federation.name
        )),
        Err(Error::Federation(FederationError::NoDefault)) => {
            Some("No federation is named, and no local one is up".to_owned())
        }
        Err(Error::SuperGrid(name)) => Some(format!(
            "Federation `{name}` is Flower's SuperGrid, which is not supported here"
        )),
        Err(Error::LocalDown) => Some("The local federation is not up".to_owned()),
        _ => None,
    }
}
