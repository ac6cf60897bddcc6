//! The calls for the objects of a run, which nodes and ServerApps make alike.

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::message::MessageId;
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::Result;
use flwr_proto as proto;

use crate::line::Line;
use crate::rpc::Rpc;

/// The methods, under the names of one service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObjectRpcs {
    pub(crate) push: Rpc<proto::PushObjectRequest, proto::PushObjectResponse>,
    pub(crate) pull: Rpc<proto::PullObjectRequest, proto::PullObjectResponse>,
    pub(crate) confirm:
        Rpc<proto::ConfirmMessageReceivedRequest, proto::ConfirmMessageReceivedResponse>,
}

/// The objects of a run at the other end of a line, for a caller that speaks as this node.
#[derive(Debug)]
pub(crate) struct RunObjects<'a, L> {
    pub(crate) line: &'a L,
    pub(crate) rpcs: ObjectRpcs,
    pub(crate) node: Option<proto::Node>,
    pub(crate) run: RunId,
}

impl<L: Line> RunObjects<'_, L> {
    /// `session` is the name of the upload, or empty.
    pub(crate) async fn push(self, id: ObjectId, content: Bytes, session: String) -> Result<bool> {
        let request = proto::PushObjectRequest {
            node: self.node,
            run_id: self.run.0,
            object_id: id.to_string(),
            object_content: content,
            session_id: session,
        };
        let answer = self.rpcs.push.call(self.line, request).await?;
        Ok(answer.stored)
    }

    pub(crate) async fn pull(self, id: ObjectId) -> Result<Pulled> {
        let request = proto::PullObjectRequest {
            node: self.node,
            run_id: self.run.0,
            object_id: id.to_string(),
        };
        let answer = self.rpcs.pull.call(self.line, request).await?;
        Ok(read_pulled(answer))
    }

    pub(crate) async fn confirm(self, message: MessageId) -> Result<()> {
        let request = proto::ConfirmMessageReceivedRequest {
            node: self.node,
            run_id: self.run.0,
            message_object_id: message.to_string(),
        };
        let confirmed = self.rpcs.confirm.call(self.line, request);
        confirmed.await.map(drop)
    }
}

/// An object, as an answer gives it.
fn read_pulled(answer: proto::PullObjectResponse) -> Pulled {
    match (answer.object_found, answer.object_available) {
        (false, _) => Pulled::Unknown,
        (true, false) => Pulled::Awaited,
        (true, true) => Pulled::There(answer.object_content),
    }
}
