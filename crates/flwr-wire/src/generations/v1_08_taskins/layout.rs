//! Requests that flwr 1.12 laid out anew, in the layout of later releases. Until 1.11 they named no caller.

use bytes::Bytes;
use flwr_core::port::Result;
use flwr_proto as proto;
use flwr_proto::v1_08 as wire;

use super::records::Numbering;
use crate::carrier::decode;
use crate::raw::{has_bytes, has_number};

/// A GetRun, and how its caller numbers records.
///
/// # Errors
/// If the body is no GetRun.
pub(super) fn get_run(body: Bytes) -> Result<(proto::GetRunRequest, Numbering)> {
    // Until 1.11 the run is field 1, and a number.
    if !has_number(&body, 1) {
        return Ok((decode(body)?, Numbering::From12));
    }
    let request = proto::GetRunRequest {
        run_id: decode::<wire::GetRunRequest11>(body)?.run_id,
        ..proto::GetRunRequest::default()
    };
    Ok((request, Numbering::Until11))
}

/// A GetFab.
///
/// # Errors
/// If the body is no GetFab.
pub(super) fn get_fab(body: Bytes) -> Result<proto::GetFabRequest> {
    // Until 1.11 the name is field 1, and alone.
    if has_bytes(&body, 2) {
        return decode(body);
    }
    Ok(proto::GetFabRequest {
        hash_str: decode::<wire::GetFabRequest11>(body)?.hash_str,
        ..proto::GetFabRequest::default()
    })
}
