//! Asking for the next message.

use std::error::Error as _;

use flwr_core::id::NodeId;
use flwr_proto as proto;
use flwr_security::channel::{cause, is_cut, proxied};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status, TimeoutExpired};

use super::client::Fleet;
use super::hold::Cut;
use super::{Link, Patience, Refusal};

type Answer = proto::PullMessagesResponse;

impl Link {
    /// The next message for this node and the tree of its objects; `None`: none came in the time
    /// that the SuperLink held the call.
    pub(crate) async fn pull(
        &self,
        node: NodeId,
    ) -> Result<Option<(proto::Message, proto::ObjectTree)>, Refusal> {
        let answer = self
            .call(node, Patience::Endless, |fleet, node| self.ask(fleet, node))
            .await?;
        Ok(answer
            .messages_list
            .into_iter()
            .zip(answer.message_object_trees)
            .next())
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
            let asked = Instant::now();
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
        (is_cut(status) || is_away(status)) && self.hold.cut(cut, asked.elapsed())
    }
}

/// Whether the other side answered that there is nobody to answer. Proxies that know gRPC say this
/// when the time of a call is over, each in its own words.
fn is_away(status: &Status) -> bool {
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
        assert!(is_away(&Status::unavailable("the time is over")));
        assert!(is_away(&Status::deadline_exceeded("the time is over")));
        assert!(!is_away(&Status::permission_denied("Run is finished.")));
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(!is_away(&Status::from_error(Box::new(refused))));
    }
}
