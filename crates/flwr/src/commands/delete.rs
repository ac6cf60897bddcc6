//! `flwr run delete`: delete a finished run and its log.

use flwr_core::id::RunId;
use flwr_core::port::Control as _;

use crate::cli::DeleteArgs;
use crate::error::{Error, Result};
use crate::render::Output;

pub(super) async fn delete(args: &DeleteArgs, output: &mut Output) -> Result<()> {
    let run_id = args.run_id;
    let superlink = super::reach(&args.target, "run delete", output)?;
    let busy = output.busy(&format!("Deleting run {run_id}"));
    let answer = superlink.control.delete(RunId(run_id)).await;
    busy.finish_and_clear();
    answer.map_err(|failure| {
        if super::is_not_offered(&failure) {
            Error::CannotDelete
        } else {
            failure.into()
        }
    })?;
    output.success(&format!("Run {run_id} and its log are deleted."))?;
    output.json(&super::run_answer(run_id))
}
