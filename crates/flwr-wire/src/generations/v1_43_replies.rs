//! How ServerApps of flwr 1.43 ask for replies: the ids of the messages are in a list of its own, so that
//! no list differs from an empty one. All else they say as those of 1.30 to 1.42 do.

use flwr_core::port::runtime::Asked;
use flwr_core::port::{Result, Runtime};
use flwr_proto as proto;
use flwr_proto::v1_43;

use crate::apps;
use crate::host::RuntimeHost;
use crate::methods::runtime::{Methods, Rules};
use crate::methods::{Request, Size};
use crate::objects;
use crate::raw::has_bytes;
use crate::rpc::Rpc;

/// The list, where ServerApps of flwr 1.29 and earlier have the number of their run.
const REPLY_TO: u32 = 3;

/// What ServerApps of this generation call.
pub(crate) fn serverapps<H: RuntimeHost>(m: &mut Methods<H>) {
    let rules = Rules::HELD
        .with_layout(|body| has_bytes(body, REPLY_TO))
        .of_size(Size::IDS);
    let pull = Rpc::at("/flwr.proto.Runtime/PullMessages");
    m.task(pull, rules, |_| None, pull_replies);
}

async fn pull_replies(
    runtime: impl Runtime,
    request: Request<v1_43::PullAppMessagesRequest>,
) -> Result<proto::PullAppMessagesResponse> {
    let ids = request
        .message
        .reply_to_message_ids
        .unwrap_or_default()
        .vals;
    let asked = Asked::Replies(objects::ids_of_sent(&ids)?);
    apps::pull_messages(runtime, asked, request.patience).await
}
