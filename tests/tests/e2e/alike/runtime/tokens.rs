//! App processes of flwr 1.23 to 1.29: a token in the body of some calls, from 1.29 on in the metadata
//! of all.

use flwr_proto as proto;

use super::super::ask::done;
use super::super::reply::{NO_OBJECT, Reply};
use super::{App, NO_TOKEN, SUPERLINK};

impl App {
    /// What a ServerApp process may ask for without a token that is its own.
    pub(in super::super) async fn serverapp_without_token(&mut self) {
        self.request_token("token of an unknown run", 7).await;
        self.pull_inputs("inputs for no token", NO_TOKEN).await;
        self.push_outputs("outputs for no token", NO_TOKEN).await;
        self.beat("heartbeat of no token", NO_TOKEN, 7).await;
    }

    /// The token is given once.
    pub(in super::super) async fn take_token(&mut self) {
        self.token = self.request_token("token", self.run).await;
        assert!(!self.token.is_empty());
        self.request_token("token twice", self.run).await;
    }

    /// With a token that is its own, while the run is running.
    pub(in super::super) async fn serverapp_amiss(&mut self) {
        let (token, run) = (self.token.clone(), self.run);
        self.pull_inputs("inputs", &token).await;
        self.update("begin of the run", "running", "").await;
        self.pull_inputs("inputs twice", &token).await;
        self.update("the run goes back", "starting", "").await;
        self.beat("heartbeat", &token, run).await;
        self.get_nodes("nodes of an unknown run", &token, 7).await;
        self.get_run("GetRun of an unknown run, by an app", &token, 7)
            .await;
        self.push("no messages", &token, run, vec![]).await;
        let other = || vec![Self::instruction(7)];
        self.push("a message of another run", &token, run, other())
            .await;
        self.push("messages of an unknown run", &token, 7, other())
            .await;
        self.pull("replies of an unknown run", &token, 7).await;
        self.pull("replies to an unknown message", &token, run)
            .await;
        let whats = [
            "app: PushObject as another node",
            "app: PullObject as another node",
            "app: ConfirmMessageReceived as another node",
            "app: PushLogs as another node",
        ];
        self.ask_with(&token, run, 7, whats).await;
        let whats = [
            "app: PushObject of an unknown object",
            "app: PullObject of an unknown object",
            "app: ConfirmMessageReceived of an unknown object",
            "app: PushLogs",
        ];
        self.ask_with(&token, run, SUPERLINK, whats).await;
        let whats = [
            "app: PushObject of an unknown run",
            "app: PullObject of an unknown run",
            "app: ConfirmMessageReceived of an unknown run",
            "app: PushLogs of an unknown run",
        ];
        self.ask_with(&token, 7, SUPERLINK, whats).await;
    }

    /// The run was stopped.
    pub(in super::super) async fn serverapp_after_stop(&mut self) {
        let (token, run) = (self.token.clone(), self.run);
        self.beat("heartbeat after the stop", &token, run).await;
        self.get_nodes("nodes after the stop", &token, run).await;
        let messages = vec![Self::instruction(run)];
        self.push("messages after the stop", &token, run, messages)
            .await;
        self.pull("replies after the stop", &token, run).await;
        let whats = [
            "app: PushObject after the stop",
            "app: PullObject after the stop",
            "app: ConfirmMessageReceived after the stop",
            "app: PushLogs after the stop",
        ];
        self.ask_with(&token, run, SUPERLINK, whats).await;
        self.push_outputs("outputs after the stop", &token).await;
        self.update("end after the stop", "finished", "completed")
            .await;
    }

    /// What a ClientApp process may ask for without a token that is its own.
    pub(in super::super) async fn clientapp_without_token(&mut self) {
        let (pull, push) = match self.release.is_since(26) {
            true => ("PullAppInputs", "PushAppOutputs"),
            false => ("PullClientAppInputs", "PushClientAppOutputs"),
        };
        let token = || NO_TOKEN.to_owned();
        self.request_token("ClientApp: token of an unknown run", 7)
            .await;
        let request = proto::PullAppInputsRequest { token: token() };
        let told = done::<proto::PullAppInputsResponse>;
        self.ask(
            "ClientApp: inputs for no token",
            (pull, NO_TOKEN),
            request,
            told,
        )
        .await;
        let request = proto::PushAppOutputsRequest {
            token: token(),
            ..proto::PushAppOutputsRequest::default()
        };
        let told = done::<proto::PushAppOutputsResponse>;
        self.ask(
            "ClientApp: outputs for no token",
            (push, NO_TOKEN),
            request,
            told,
        )
        .await;
        let request = proto::PullAppMessagesRequest {
            token: token(),
            ..proto::PullAppMessagesRequest::default()
        };
        let told = done::<proto::PullAppMessagesResponse>;
        let what = "ClientApp: message for no token";
        self.ask(what, ("PullMessage", NO_TOKEN), request, told)
            .await;
        let Reply { message, tree, .. } = Self::instruction(7);
        let request = proto::PushAppMessagesRequest {
            token: token(),
            messages_list: vec![message],
            run_id: 7,
            message_object_trees: vec![tree],
        };
        let told = done::<proto::PushAppMessagesResponse>;
        let what = "ClientApp: reply for no token";
        self.ask(what, ("PushMessage", NO_TOKEN), request, told)
            .await;
        if self.release.is_since(24) {
            self.beat("ClientApp: heartbeat of no token", NO_TOKEN, 7)
                .await;
        }
    }

    async fn request_token(&mut self, what: &'static str, run_id: u64) -> String {
        let request = proto::RequestTokenRequest { run_id };
        let told = |it: &proto::RequestTokenResponse| format!("token={}", !it.token.is_empty());
        let answer = self.ask(what, ("RequestToken", ""), request, told).await;
        answer.map(|it| it.token).unwrap_or_default()
    }

    async fn pull_inputs(&mut self, what: &'static str, token: &str) {
        let request = proto::PullAppInputsRequest {
            token: token.to_owned(),
        };
        let told = done::<proto::PullAppInputsResponse>;
        self.ask(what, ("PullAppInputs", token), request, told)
            .await;
    }

    async fn push_outputs(&mut self, what: &'static str, token: &str) {
        let context = proto::Context {
            run_id: self.run,
            node_id: SUPERLINK,
            state: Some(proto::RecordDict::default()),
            ..proto::Context::default()
        };
        let request = proto::PushAppOutputsRequest {
            token: token.to_owned(),
            run_id: self.run,
            context: Some(context),
        };
        let told = done::<proto::PushAppOutputsResponse>;
        self.ask(what, ("PushAppOutputs", token), request, told)
            .await;
    }

    async fn update(&mut self, what: &'static str, status: &str, sub_status: &str) {
        let run_status = proto::RunStatus {
            status: status.to_owned(),
            sub_status: sub_status.to_owned(),
            details: String::new(),
        };
        let request = proto::UpdateRunStatusRequest {
            run_id: self.run,
            run_status: Some(run_status),
        };
        let token = self.token.clone();
        let told = done::<proto::UpdateRunStatusResponse>;
        self.ask(what, ("UpdateRunStatus", &token), request, told)
            .await;
    }

    /// 1.23 names the run, and later ones the token.
    async fn beat(&mut self, what: &'static str, token: &str, run_id: u64) {
        let told = |it: &proto::SendAppHeartbeatResponse| format!("success={}", it.success);
        let method = ("SendAppHeartbeat", token);
        if self.release.is_since(24) {
            let request = proto::v1_24::SendAppHeartbeatRequest {
                token: token.to_owned(),
            };
            self.ask(what, method, request, told).await;
            return;
        }
        let request = proto::SendAppHeartbeatRequest {
            run_id,
            heartbeat_interval: 30.0,
        };
        self.ask(what, method, request, told).await;
    }

    async fn get_nodes(&mut self, what: &'static str, token: &str, run_id: u64) {
        let request = proto::GetNodesRequest { run_id };
        let told = |it: &proto::GetNodesResponse| format!("{} nodes", it.nodes.len());
        self.ask(what, ("GetNodes", token), request, told).await;
    }

    async fn get_run(&mut self, what: &'static str, token: &str, run_id: u64) {
        let request = proto::GetRunRequest { node: None, run_id };
        let told = |it: &proto::GetRunResponse| format!("run={}", it.run.is_some());
        self.ask(what, ("GetRun", token), request, told).await;
    }

    async fn push(&mut self, what: &'static str, token: &str, run_id: u64, messages: Vec<Reply>) {
        let parts = messages.into_iter().map(|it| (it.message, it.tree));
        let (messages_list, message_object_trees) = parts.unzip();
        let request = proto::PushAppMessagesRequest {
            token: token.to_owned(),
            messages_list,
            run_id,
            message_object_trees,
        };
        let told = |it: &proto::PushAppMessagesResponse| {
            let taken = it.message_ids.iter().filter(|id| !id.is_empty()).count();
            format!("{taken} of {}", it.message_ids.len())
        };
        self.ask(what, ("PushMessages", token), request, told).await;
    }

    async fn pull(&mut self, what: &'static str, token: &str, run_id: u64) {
        let request = proto::PullAppMessagesRequest {
            token: token.to_owned(),
            message_ids: vec![NO_OBJECT.to_owned()],
            run_id,
        };
        let told =
            |it: &proto::PullAppMessagesResponse| format!("{} messages", it.messages_list.len());
        self.ask(what, ("PullMessages", token), request, told).await;
    }
}
