//! Asking for the next message.

use std::error::Error as _;

use flwr_client::channel::{cause, is_cut, proxied};
use flwr_client::fleet::Fleet;
use flwr_core::id::NodeId;
use flwr_core::message::{Flaws, Message};
use flwr_core::monotonic;
use flwr_core::object::{ObjectTree, TreeError};
use flwr_daemon::clock::Clock;
use flwr_proto as proto;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status, TimeoutExpired};

use super::hold::Cut;
use super::{Patience, Refusal, Upstream};

type Answer = proto::PullMessagesResponse;

/// A message for this node, and whether it can be worked on.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) message: Result<Message, Flaws>,
    /// The objects that the message is made of.
    pub(crate) tree: Result<ObjectTree, TreeError>,
}

impl Upstream {
    /// The next message for this node; `None`: none came in the time that the SuperLink held the
    /// call.
    pub(crate) async fn pull(
        &self,
        node: NodeId,
        clock: &dyn Clock,
    ) -> Result<Option<Arrival>, Refusal> {
        let answer = self
            .call(node, Patience::Endless, |fleet, node| self.ask(fleet, node))
            .await?;
        let mut arrivals = answer
            .messages_list
            .into_iter()
            .zip(answer.message_object_trees)
            .map(|(message, tree)| Arrival {
                message: Message::instruction(message, clock.now()),
                tree: tree.try_into(),
            });
        Ok(arrivals.next())
    }

    /// Asks until there is an answer, or a failure that deserves a word. A message that is lost
    /// with its answer comes again with the next request.
    async fn ask(&self, mut fleet: Fleet, node: proto::Node) -> Result<Response<Answer>, Status> {
        loop {
            let mut request = Request::new(proto::PullMessagesRequest {
                node: Some(node),
                message_ids: Vec::new(),
            });
            if let Some(deadline) = self.hold.deadline() {
                request.set_timeout(deadline);
            }
            let asked = monotonic::now();
            let answer = tokio::select! {
                biased;
                // A held call on a dead connection would wait for ever.
                () = self.line.replaced() => continue,
                answer = fleet.pull_messages(request) => answer,
            };
            match answer {
                Err(status) if is_late(&status) || self.has_learned(&status, asked) => {}
                answered => return answered,
            }
        }
    }

    /// Whether the failure of a held call tells how long calls may last.
    fn has_learned(&self, status: &Status, asked: Instant) -> bool {
        let cut = match proxied(status) {
            Some(_) => Cut::TimedOut,
            None => Cut::Reset,
        };
        (is_cut(status) || is_unavailable(status)) && self.hold.cut(cut, asked.elapsed())
    }
}

/// Whether the other side answered with UNAVAILABLE or DEADLINE_EXCEEDED. Proxies that know gRPC do
/// so when the time of a call is over, each with a text of its own.
fn is_unavailable(status: &Status) -> bool {
    let code = status.code();
    status.source().is_none() && matches!(code, Code::Unavailable | Code::DeadlineExceeded)
}

/// Whether the deadline that this node set itself is over.
fn is_late(status: &Status) -> bool {
    cause::<TimeoutExpired>(status).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_says_that_nobody_is_there() {
        assert!(is_unavailable(&Status::unavailable("the time is over")));
        assert!(is_unavailable(&Status::deadline_exceeded(
            "the time is over"
        )));
        assert!(!is_unavailable(&Status::permission_denied(
            "Run is finished."
        )));
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(!is_unavailable(&Status::from_error(Box::new(refused))));
    }
}
