//! Asking for the next message.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use flwr_client::channel::{is_cut, proxied};
use flwr_core::id::NodeId;
use flwr_core::message::Parcel;
use flwr_core::monotonic;
use flwr_core::port::{self, Fleet as _};
use flwr_core::refusal::{Failure, Silence};
use tokio::time::Instant;
use tracing::warn;

use super::hold::Cut;
use super::{Fleet, NoAnswer, Patience, Upstream};

impl Upstream {
    /// The next message for this node; `None`: none came in the time that the SuperLink held the
    /// call, or the message that came cannot be read.
    pub(crate) async fn pull(&self, node: NodeId) -> Result<Option<Parcel>, NoAnswer> {
        let pulled = self.call(node, Patience::Endless, |fleet| self.ask(fleet));
        match pulled.await {
            Err(NoAnswer::Unusable(refusal)) => {
                warn!("dropped a message that cannot be read: {refusal}");
                Ok(None)
            }
            pulled => pulled,
        }
    }

    /// Asks until there is an answer, or a failure that deserves a word. A message that is lost
    /// with its answer comes again with the next request.
    async fn ask(&self, fleet: Arc<Fleet>) -> port::Result<Option<Parcel>> {
        loop {
            let patience = self.hold.deadline().unwrap_or(Duration::MAX);
            let asked = monotonic::now();
            let answer = tokio::select! {
                biased;
                // A held call on a dead connection would wait for ever.
                () = self.channel.replaced() => continue,
                answer = fleet.pull(patience) => answer,
            };
            match answer {
                Err(failure) if is_late(&failure) || self.has_learned(&failure, asked) => {}
                answered => return answered,
            }
        }
    }

    /// Whether the failure of a held call tells how long calls may last.
    fn has_learned(&self, failure: &Failure, asked: Instant) -> bool {
        let cut = match proxied(failure) {
            Some(_) => Cut::TimedOut,
            None => Cut::Reset,
        };
        (is_cut(failure) || is_unavailable(failure)) && self.hold.cut(cut, asked.elapsed())
    }
}

/// Whether the other side answered that it is busy or late. Proxies that know gRPC do so when the
/// time of a call is over, each with a text of its own.
fn is_unavailable(failure: &Failure) -> bool {
    let Failure::Unanswered(unanswered) = failure else {
        return false;
    };
    unanswered.source().is_none() && matches!(unanswered.why, Silence::Busy | Silence::Late)
}

/// Whether the deadline that this node set itself is over.
fn is_late(failure: &Failure) -> bool {
    let Failure::Unanswered(unanswered) = failure else {
        return false;
    };
    unanswered.source().is_some() && unanswered.why == Silence::Late
}

#[cfg(test)]
mod tests {
    use std::io;

    use flwr_core::refusal::{Class, Refused, Unanswered};

    use super::*;

    fn on_the_way(why: Silence) -> Failure {
        let mut unanswered = Unanswered::caused_by(io::Error::other("no connection"));
        unanswered.why = why;
        unanswered.into()
    }

    #[test]
    fn only_an_answer_says_that_nobody_is_there() {
        for why in [Silence::Busy, Silence::Late] {
            assert!(is_unavailable(&Unanswered::new(why, "over").into()));
            assert!(!is_unavailable(&on_the_way(why)));
        }
        assert!(!is_unavailable(&on_the_way(Silence::Connection)));
        let refused = Refused::read(Class::Forbidden, "Run is finished.");
        assert!(!is_unavailable(&refused.into()));
    }

    #[test]
    fn the_nodes_own_deadline_is_told_from_that_of_others() {
        assert!(is_late(&on_the_way(Silence::Late)));
        assert!(!is_late(&Unanswered::new(Silence::Late, "").into()));
    }
}
