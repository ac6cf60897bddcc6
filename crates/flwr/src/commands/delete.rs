//! `flwr run delete`: delete a finished run and its log.

use tonic::Code;

use crate::cli::DeleteArgs;
use crate::error::{Error, Result};
use crate::render::Output;

pub(super) async fn delete(args: &DeleteArgs, output: &mut Output) -> Result<()> {
    let run_id = args.run_id;
    let mut superlink = super::reach(&args.target, "run delete", output)?;
    let busy = output.busy(&format!("Deleting run {run_id}"));
    let answer = superlink.delete_run(run_id).await;
    busy.finish_and_clear();
    answer.map_err(|status| match status.code() {
        Code::Unimplemented => Error::CannotDelete,
        _ => status.into(),
    })?;
    output.success(&format!("Run {run_id} and its log are deleted."))?;
    output.json(&super::run_answer(run_id))
}
