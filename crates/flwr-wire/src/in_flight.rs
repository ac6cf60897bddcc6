//! The bytes of requests that are under way: a budget for all peers, and half of that budget for one
//! peer. All callers that nobody has admitted yet are one peer: strangers with many addresses never hold
//! the room of a node or of an app.
//!
//! A request counts with the length that it announces, from before it is read until it is answered.
//! It waits while the budget has no room for it; the peer is held back by the flow control of HTTP/2
//! meanwhile. Small requests do not count: heartbeats must not wait behind models.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::size::Size;
use flwr_proto::MAX_MESSAGE_BYTES;
use flwr_security::peer::counted;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::head::Head;

/// Requests up to this size do not count.
const SMALL: usize = 64 << 10;
/// How long a request waits for room, before its peer should try it again.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a unit, in which bytes are counted.
const UNIT: u64 = 1 << 10;

/// The bytes of requests that are under way.
#[derive(Debug, Clone)]
pub struct InFlight(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: Arc<Semaphore>,
    /// Units for one peer.
    share: u32,
    peers: Mutex<HashMap<Payer, Arc<Semaphore>>>,
}

/// Whose share a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    /// A node that has proven who it is.
    Node(NodeId),
    /// Everybody at an address, on connections with an admitted caller.
    Address(IpAddr),
    /// Everybody else. Whether such a caller is admitted may depend on the request itself.
    Strangers,
}

/// Why there is no room for a request.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum NoRoom {
    /// There never is.
    #[error(
        "the request has {}, and at most {} of one peer may be under way (--max-in-flight)",
        Size(*bytes), Size(*most)
    )]
    Never {
        /// Bytes of the request.
        bytes: u64,
        /// Bytes that one peer may have under way.
        most: u64,
    },
    /// Other requests take it.
    #[error("too many bytes of other requests are under way (--max-in-flight): try again")]
    Now,
}

/// The room of a request. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    budget: InFlight,
    payer: Payer,
    permits: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl InFlight {
    /// Twice the largest message of gRPC.
    pub const DEFAULT: u64 = 2 * (MAX_MESSAGE_BYTES as u64 + 1);
    /// The least that is of use: a FAB of 10 MiB must fit into half of it.
    pub const LEAST: u64 = 32 << 20;

    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let share = u32::try_from(bytes / UNIT / 2).unwrap_or(u32::MAX);
        let total = usize::try_from(bytes / UNIT).unwrap_or(usize::MAX);
        Self(Arc::new(Inner {
            total: Arc::new(Semaphore::new(total.min(Semaphore::MAX_PERMITS))),
            share,
            peers: Mutex::default(),
        }))
    }

    /// Waits until there is room for a request of so many bytes. `None`: it does not count.
    pub(crate) async fn take(&self, payer: Payer, bytes: usize) -> Result<Option<Room>, NoRoom> {
        if bytes <= SMALL {
            return Ok(None);
        }
        let bytes = bytes as u64;
        let most = u64::from(self.0.share) * UNIT;
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok();
        let units = units.filter(|units| *units <= self.0.share);
        let units = units.ok_or(NoRoom::Never { bytes, most })?;
        // From here on the share of the peer is let go of, also if this call is cancelled.
        let mut room = Room {
            budget: self.clone(),
            payer,
            permits: None,
        };
        let share = self.share_of(payer);
        let both = async {
            let own = share.acquire_many_owned(units).await?;
            let total = Arc::clone(&self.0.total).acquire_many_owned(units).await?;
            Ok::<_, AcquireError>((own, total))
        };
        match timeout(PATIENCE, both).await {
            Ok(Ok(permits)) => room.permits = Some(permits),
            // No semaphore is ever closed.
            Ok(Err(_)) | Err(_) => return Err(NoRoom::Now),
        }
        Ok(Some(room))
    }

    /// Bytes that one peer may have under way.
    pub(crate) fn most_of_one(&self) -> usize {
        let most = u64::from(self.0.share) * UNIT;
        usize::try_from(most).unwrap_or(usize::MAX)
    }

    fn share_of(&self, payer: Payer) -> Arc<Semaphore> {
        let share = || Arc::new(Semaphore::new(self.0.share as usize));
        let mut peers = self.0.peers.lock();
        Arc::clone(peers.entry(payer).or_insert_with(share))
    }
}

impl Default for InFlight {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

impl Payer {
    /// The node, or whoever is at the other end of the connection.
    pub(crate) fn of(node: Option<NodeId>, head: &Head) -> Self {
        let peer = head.peer.as_ref();
        let admitted = peer.filter(|peer| peer.standing.is_admitted());
        let address = || admitted.map(|peer| Self::Address(counted(peer.address.ip())));
        node.map(Self::Node)
            .or_else(address)
            .unwrap_or(Self::Strangers)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.permits.take());
        let mut peers = self.budget.0.peers.lock();
        // Every request that waits or is under way has the share, too.
        if peers
            .get(&self.payer)
            .is_some_and(|share| Arc::strong_count(share) == 1)
        {
            peers.remove(&self.payer);
        }
    }
}

#[cfg(test)]
mod tests {
    use flwr_security::peer::Peer;

    use super::*;

    const MIB: usize = 1 << 20;

    fn node(id: u64) -> Payer {
        Payer::Node(NodeId(id))
    }

    #[tokio::test(start_paused = true)]
    async fn one_peer_has_half_of_the_budget_and_all_have_the_whole() {
        let budget = InFlight::new(32 << 20);
        let first = budget.take(node(1), 10 * MIB).await.unwrap();
        assert_eq!(
            budget.take(node(1), 10 * MIB).await.unwrap_err(),
            NoRoom::Now
        );
        let second = budget.take(node(2), 16 * MIB).await.unwrap();
        assert_eq!(
            budget.take(node(3), 10 * MIB).await.unwrap_err(),
            NoRoom::Now
        );
        assert!(budget.take(node(3), SMALL).await.unwrap().is_none());
        drop((first, second));
        budget.take(node(3), 16 * MIB).await.unwrap();
        assert_eq!(budget.0.peers.lock().len(), 0);
    }

    /// The head of a request from this address.
    fn head(address: &str) -> Head {
        Head {
            patience: Duration::MAX,
            peer: Some(Peer::plaintext(
                address.parse().unwrap(),
                "192.0.2.9:9092".parse().unwrap(),
            )),
            release: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_of_many_addresses_leave_room_for_whoever_is_admitted() {
        let budget = InFlight::new(32 << 20);
        let strangers = ["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"].map(head);
        let mut held = Vec::new();
        for stranger in &strangers {
            held.push(budget.take(Payer::of(None, stranger), 6 * MIB).await);
        }
        assert_eq!(held.iter().filter(|room| room.is_ok()).count(), 2);
        // A node, and an app at the address of a stranger.
        let app = head("192.0.2.1:2");
        app.admitted();
        for entitled in [Payer::of(Some(NodeId(1)), &app), Payer::of(None, &app)] {
            budget.take(entitled, 16 * MIB).await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_until_another_is_answered() {
        let budget = InFlight::new(32 << 20);
        let first = budget.take(node(1), 16 * MIB).await.unwrap();
        let answered = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(first);
        };
        let (second, ()) = tokio::join!(budget.take(node(1), 16 * MIB), answered);
        assert!(second.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_request_above_the_share_never_fits() {
        let budget = InFlight::new(32 << 20);
        let refused = budget.take(node(1), 17 * MIB).await.unwrap_err();
        assert!(matches!(refused, NoRoom::Never { .. }));
        assert!(refused.to_string().contains("17.0 MiB"), "{refused}");
        let largest = InFlight::default().take(node(1), MAX_MESSAGE_BYTES).await;
        assert!(largest.is_ok());
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_leaves_nothing_behind() {
        let budget = InFlight::new(32 << 20);
        let held = budget.take(node(1), 16 * MIB).await.unwrap();
        let waits = budget.take(node(1), MIB);
        assert!(timeout(Duration::from_millis(1), waits).await.is_err());
        drop(held);
        assert_eq!(budget.0.peers.lock().len(), 0);
        assert_eq!(budget.0.total.available_permits(), 32 << 10);
    }
}
