//! The methods of this generation. ServerAppIo and ClientAppIo have the same ones, and so has Runtime,
//! which takes the place of both from flwr 1.34 on.

use flwr_proto as proto;
use flwr_proto::v1_30;

use crate::objects::ObjectRpcs;
use crate::rpc::Rpc;

/// The methods of a service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) pull_pending: Rpc<v1_30::PullPendingTasksRequest, v1_30::PullPendingTasksResponse>,
    pub(super) claim: Rpc<v1_30::ClaimTaskRequest, v1_30::ClaimTaskResponse>,
    /// flwr 1.39 and later.
    pub(super) acquire: Rpc<v1_30::AcquireTaskRequest, v1_30::AcquireTaskResponse>,
    pub(super) get_run: Rpc<proto::GetRunRequest, proto::GetRunResponse>,
    pub(super) heartbeat: Rpc<v1_30::SendTaskHeartbeatRequest, v1_30::SendTaskHeartbeatResponse>,
    pub(super) pull_input: Rpc<v1_30::PullTaskInputRequest, v1_30::PullTaskInputResponse>,
    pub(super) push_output: Rpc<v1_30::PushTaskOutputRequest, v1_30::PushTaskOutputResponse>,
    pub(super) get_nodes: Rpc<proto::GetNodesRequest, proto::GetNodesResponse>,
    pub(super) push_messages: Rpc<v1_30::PushAppMessagesRequest, v1_30::PushAppMessagesResponse>,
    pub(super) pull_messages: Rpc<v1_30::PullAppMessagesRequest, proto::PullAppMessagesResponse>,
    pub(super) push_logs: Rpc<proto::PushLogsRequest, proto::PushLogsResponse>,
    pub(super) objects: ObjectRpcs,
    /// What only agents, models and connectors call.
    pub(super) agents: [&'static str; 10],
}

/// The methods of the service with this name, with its names for the calls for messages.
macro_rules! service {
    ($name:literal, $push:literal, $pull:literal) => {
        Service {
            pull_pending: Rpc::at(concat!("/flwr.proto.", $name, "/PullPendingTasks")),
            claim: Rpc::at(concat!("/flwr.proto.", $name, "/ClaimTask")),
            acquire: Rpc::at(concat!("/flwr.proto.", $name, "/AcquireTask")),
            get_run: Rpc::at(concat!("/flwr.proto.", $name, "/GetRun")),
            heartbeat: Rpc::at(concat!("/flwr.proto.", $name, "/SendTaskHeartbeat")),
            pull_input: Rpc::at(concat!("/flwr.proto.", $name, "/PullTaskInput")),
            push_output: Rpc::at(concat!("/flwr.proto.", $name, "/PushTaskOutput")),
            get_nodes: Rpc::at(concat!("/flwr.proto.", $name, "/GetNodes")),
            push_messages: Rpc::at(concat!("/flwr.proto.", $name, "/", $push)),
            pull_messages: Rpc::at(concat!("/flwr.proto.", $name, "/", $pull)),
            push_logs: Rpc::at(concat!("/flwr.proto.", $name, "/PushLogs")),
            objects: ObjectRpcs {
                push: Rpc::at(concat!("/flwr.proto.", $name, "/PushObject")),
                pull: Rpc::at(concat!("/flwr.proto.", $name, "/PullObject")),
                confirm: Rpc::at(concat!("/flwr.proto.", $name, "/ConfirmMessageReceived")),
            },
            agents: [
                concat!("/flwr.proto.", $name, "/CreateTask"),
                concat!("/flwr.proto.", $name, "/PushTaskMessage"),
                concat!("/flwr.proto.", $name, "/PullTaskMessage"),
                concat!("/flwr.proto.", $name, "/PushTaskEvents"),
                concat!("/flwr.proto.", $name, "/RecordTaskUsage"),
                concat!("/flwr.proto.", $name, "/GetConnector"),
                concat!("/flwr.proto.", $name, "/StartAutomation"),
                concat!("/flwr.proto.", $name, "/GetRunSeriesEvents"),
                concat!("/flwr.proto.", $name, "/GetCompactedContexts"),
                concat!("/flwr.proto.", $name, "/PutCompactedContext"),
            ],
        }
    };
}

pub(super) const SERVERAPPIO: Service = service!("ServerAppIo", "PushMessages", "PullMessages");
pub(super) const CLIENTAPPIO: Service = service!("ClientAppIo", "PushMessages", "PullMessages");
/// ClientAppIo in flwr 1.30 and 1.31.
pub(super) const CLIENTAPPIO_1_30: Service = service!("ClientAppIo", "PushMessage", "PullMessage");
pub(super) const RUNTIME: Service = service!("Runtime", "PushMessages", "PullMessages");
