//! The federations of a SuperLink (flwr 1.24 and later).
//!
//! Releases 1.24 to 1.26 lay out a federation in one way, and 1.27 and later in another. Commands tell
//! their release from 1.30 on. A list for a command that tells none has names only, which stand in the
//! same field in both layouts. For one federation the name in the request decides: commands of 1.24 and
//! 1.25 ask for `default`, and those of 1.26 and later for `@account/name`. The command of 1.26 gets the
//! later layout, which it cannot read: it asks as 1.27 to 1.29 do.

use flwr_core::port::control::{AccountInfo, Federation, Member, WholeFederation};
use flwr_core::port::{Control, Result};
use flwr_proto as proto;
use flwr_proto::v1_10;
use prost::Message as _;

use super::nodes::node_info;
use super::shown_runs;
use crate::methods::Request;
use crate::raw::Encoded;

/// The name of the federation for commands of flwr 1.24 and 1.25.
const EARLIER_NAME: &str = "default";

pub(in super::super) async fn list(
    control: impl Control,
    request: Request<proto::ListFederationsRequest>,
) -> Result<proto::ListFederationsResponse> {
    let federations = control.federations().await?.into_iter();
    let shown = |federation: Federation| match request.release {
        Some(_) => outline(federation),
        None => proto::Federation {
            name: federation.id,
            ..proto::Federation::default()
        },
    };
    Ok(proto::ListFederationsResponse {
        federations: federations.map(shown).collect(),
    })
}

pub(in super::super) async fn show(
    control: impl Control,
    request: Request<proto::ShowFederationRequest>,
) -> Result<Encoded> {
    let name = request.message.federation_name;
    let whole = control.federation(&name).await?;
    let now = whole.runs.now.unwrap_or(request.now).iso8601();
    let is_earlier = request.release.is_none() && name == EARLIER_NAME;
    let WholeFederation {
        federation,
        members,
        nodes,
        runs,
    } = whole;
    let nodes = nodes.into_iter().map(node_info).collect();
    let runs = shown_runs(runs, request.release);
    let bytes = if is_earlier {
        let federation = v1_10::Federation {
            name,
            member_aids: members
                .iter()
                .map(|member| member.account.id.clone())
                .collect(),
            nodes,
            runs,
            description: federation.description,
            accounts: members
                .into_iter()
                .map(|member| account(member.account))
                .collect(),
        };
        v1_10::ShowFederationResponse {
            federation: Some(federation),
            now,
        }
        .encode_to_vec()
    } else {
        let federation = proto::Federation {
            nodes,
            runs,
            member_count: u32::try_from(members.len()).ok(),
            members: members.into_iter().map(member).collect(),
            ..outline(federation)
        };
        proto::ShowFederationResponse {
            federation: Some(federation),
            now,
        }
        .encode_to_vec()
    };
    Ok(Encoded(bytes.into()))
}

/// A federation without what is in it.
fn outline(federation: Federation) -> proto::Federation {
    proto::Federation {
        name: federation.id,
        description: federation.description,
        archived: federation.archived,
        simulation: federation.simulation,
        ..proto::Federation::default()
    }
}

fn member(member: Member) -> proto::Member {
    proto::Member {
        account: Some(account(member.account)),
        role: member.role,
    }
}

fn account(AccountInfo { id, name }: AccountInfo) -> proto::Account {
    proto::Account { id, name }
}
