//! Messages of ServerApps, sent with all their objects.

use std::collections::HashMap;

use flwr_core::id::RunId;
use flwr_core::message::{MessageId, Parcel};
use flwr_core::port::Result;
use flwr_wire::inflate::{self, Deflated, Inflated};

use crate::link::Link;
use crate::link::state::Inserted;

/// Puts a message together and makes of it what its receiver knows, or says why that cannot be.
pub(super) async fn inflated<T>(
    link: &Link,
    parcel: Parcel,
    make: impl FnOnce(Inflated) -> std::result::Result<T, String>,
) -> Result<std::result::Result<T, String>> {
    let pull = |run, id| async move { Ok(link.pull_object(run, id).await?) };
    inflate::inflate(parcel, pull, make).await
}

/// Sends a ServerApp's instructions, and stores their objects. `None`: its node is not known.
pub(super) async fn send(
    link: &Link,
    run: RunId,
    instructions: Vec<Deflated>,
) -> Result<Vec<Option<MessageId>>> {
    let mut objects = HashMap::new();
    let mut parcels = Vec::new();
    for instruction in instructions {
        parcels.push(instruction.parcel);
        objects.extend(instruction.objects);
    }
    let Inserted { ids, missing, .. } = link.send(run, parcels).await?;
    for id in missing {
        if let Some(bytes) = objects.remove(&id) {
            link.push_object(run, id, bytes).await?;
        }
    }
    Ok(ids)
}
