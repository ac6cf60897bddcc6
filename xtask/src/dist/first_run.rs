//! The first run of the README, for a shell in which an artefact is installed.

use anyhow::{Result, bail};

/// The lines of a shell that is in an empty folder: `flwr` is the command, or what stands for it. The local
/// federation ends in any case, and the shell with the status of the first line that failed.
pub(super) fn script(flwr: &str) -> String {
    format!(
        "ended=0; {flwr} up --detach && {flwr} new my-app --framework numpy && cd my-app \
         && {flwr} run . --wait || ended=$?; {flwr} down; exit $ended"
    )
}

/// Checks what these lines have printed.
pub(super) fn has_started(said: &str) -> Result<()> {
    match said.contains("Successfully started run") {
        true => Ok(()),
        false => bail!("the first run printed {said}"),
    }
}
