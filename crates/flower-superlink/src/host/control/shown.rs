//! What people see of nodes, runs and the federation.

use std::collections::{BTreeMap, BTreeSet};

use flwr_core::id::RunId;
use flwr_core::port::Control as _;
use flwr_core::port::Result;
use flwr_core::port::control::{
    AccountInfo, Federation, Member, NodeInfo, NodeStatus, RunFilter, RunUse, WholeFederation,
};
use flwr_core::refusal::{FEDERATION, Refusal};
use flwr_core::run::Run;
use flwr_core::time::Timestamp;

use super::ControlSession;
use crate::error::Error;
use crate::link::state::{KnownNode, Traffic};
use crate::link::{Principal, is_the_federation};

/// The one federation of a SuperLink, with all nodes and runs in it.
pub(super) fn the_federation() -> Federation {
    Federation {
        id: FEDERATION.to_owned(),
        description: "All SuperNodes of this SuperLink".to_owned(),
        archived: false,
        simulation: false,
    }
}

impl ControlSession {
    /// A node, as it stands at `now`.
    pub(super) fn node_info(&self, node: &KnownNode, now: Timestamp) -> NodeInfo {
        let certificate = self.link.certificate_of(node.id);
        let since_start = |at: Timestamp| (at > Timestamp::ZERO).then_some(at);
        NodeInfo {
            id: node.id,
            owner: self.owner(node.owner.as_deref()),
            status: node.status(now),
            registered_at: node.registered_at,
            activated_at: node.activated_at,
            deactivated_at: node.last_deactivated_at(now),
            unregistered_at: node.unregistered_at,
            online_until: since_start(node.online_until),
            key: node.key.to_spki().into(),
            name: node.name.clone(),
            location: node.location.clone(),
            certificate: certificate
                .map(|shown| shown.subject.clone())
                .or_else(|| node.traits.certificate.clone()),
        }
    }

    /// The owner of a node. The names of other accounts are not known here.
    fn owner(&self, id: Option<&str>) -> AccountInfo {
        match id {
            None | Some("") => Principal::Anybody.shown(),
            Some(id) if id == self.principal.account() => self.principal.shown(),
            Some(id) => AccountInfo {
                id: id.to_owned(),
                name: id.to_owned(),
            },
        }
    }

    /// What each of these runs has used.
    pub(super) async fn uses(&self, runs: &[Run]) -> Result<BTreeMap<RunId, RunUse>> {
        let traffic = match runs {
            [] => Vec::new(),
            [run] => match self.link.traffic(run.id).await {
                Ok(traffic) => vec![(run.id, traffic)],
                // The run was deleted in this very moment.
                Err(Error::Refused(Refusal::UnknownRun(_))) => Vec::new(),
                Err(error) => return Err(error.into()),
            },
            _ => self.link.all_traffic().await?,
        };
        let wanted: BTreeSet<_> = runs.iter().map(|run| run.id).collect();
        let traffic = traffic.into_iter();
        let traffic = traffic.filter(|(run, _)| wanted.contains(run));
        let used = |Traffic {
                        received,
                        sent,
                        worked,
                    }| RunUse {
            sent,
            received,
            clientapp_seconds: worked.as_secs_f64(),
        };
        Ok(traffic.map(|(run, traffic)| (run, used(traffic))).collect())
    }

    /// The federation, with its registered nodes and the runs that the person may look at.
    pub(super) async fn whole_federation(&self, id: &str) -> Result<WholeFederation> {
        if id.is_empty() || !is_the_federation(id) {
            return Err(Refusal::NotInFederation(id.to_owned()).into());
        }
        let mut nodes = self.nodes().await?.nodes;
        nodes.retain(|node| node.status != NodeStatus::Unregistered);
        let role = if self.principal.is_admin() {
            "owner"
        } else {
            "member"
        };
        Ok(WholeFederation {
            federation: the_federation(),
            members: vec![Member {
                account: self.principal.shown(),
                role: role.to_owned(),
            }],
            nodes,
            runs: self.runs(RunFilter::default()).await?,
        })
    }
}
