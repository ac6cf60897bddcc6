//! Requests that flwr 1.12 laid out anew, in the layout of today. Until 1.11 they named no caller.

use flwr_proto as proto;
use flwr_proto::older::tasks as wire;
use tonic::Status;

use super::records::Numbering;
use crate::older::unary::Raw;

/// A GetRun, and how its caller numbers records.
pub(super) fn get_run(body: Raw) -> Result<(proto::GetRunRequest, Numbering), Status> {
    // Until 1.11 the run is field 1, and a number.
    if !body.has_number(1) {
        return Ok((body.read()?, Numbering::From12));
    }
    let request = proto::GetRunRequest {
        run_id: body.read::<wire::GetRunRequest11>()?.run_id,
        ..proto::GetRunRequest::default()
    };
    Ok((request, Numbering::Until11))
}

/// A GetFab.
pub(super) fn get_fab(body: Raw) -> Result<proto::GetFabRequest, Status> {
    // Until 1.11 the name is field 1, and alone.
    if body.has_bytes(2) {
        return body.read();
    }
    Ok(proto::GetFabRequest {
        hash_str: body.read::<wire::GetFabRequest11>()?.hash_str,
        ..proto::GetFabRequest::default()
    })
}
