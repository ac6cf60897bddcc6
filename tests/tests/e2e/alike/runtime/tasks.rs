//! App processes of flwr 1.30 to 1.34: tasks, whose token is in the metadata of all calls.

use flwr_proto as proto;
use flwr_proto::v1_30;

use super::super::ask::done;
use super::super::reply::{NO_OBJECT, Reply};
use super::{App, NO_TOKEN, SUPERLINK};

impl App {
    /// What a process may ask for without a token that is its own.
    pub(in super::super) async fn task_without_token(&mut self) {
        self.claim("claim of an unknown task", 7).await;
        let whats = [
            "task: heartbeat without a token",
            "task: inputs without a token",
            "task: nodes without a token",
            "task: messages without a token",
            "task: replies without a token",
            "task: outputs without a token",
        ];
        self.work("", whats).await;
        let whats = [
            "task: PushObject without a token",
            "task: PullObject without a token",
            "task: ConfirmMessageReceived without a token",
            "task: PushLogs without a token",
        ];
        self.ask_with("", self.run, SUPERLINK, whats).await;
        let whats = [
            "task: heartbeat with another token",
            "task: inputs with another token",
            "task: nodes with another token",
            "task: messages with another token",
            "task: replies with another token",
            "task: outputs with another token",
        ];
        self.work(NO_TOKEN, whats).await;
        let whats = [
            "task: PushObject with another token",
            "task: PullObject with another token",
            "task: ConfirmMessageReceived with another token",
            "task: PushLogs with another token",
        ];
        self.ask_with(NO_TOKEN, self.run, SUPERLINK, whats).await;
    }

    /// A task is claimed once.
    pub(in super::super) async fn take_task(&mut self) {
        let request = v1_30::PullPendingTasksRequest {};
        let told = |it: &v1_30::PullPendingTasksResponse| format!("{} tasks", it.tasks.len());
        let pending = self
            .ask("tasks", ("PullPendingTasks", ""), request, told)
            .await;
        let tasks = pending.unwrap().tasks;
        let id = tasks.first().map(|task| task.task_id).unwrap();
        self.token = self.claim("claim", id).await;
        assert!(!self.token.is_empty());
        self.claim("claim twice", id).await;
    }

    /// With a token that is its own.
    pub(in super::super) async fn task_amiss(&mut self) {
        let (token, run) = (self.token.clone(), self.run);
        self.pull_input("task: inputs", &token).await;
        self.pull_input("task: inputs twice", &token).await;
        self.beat_task("task: heartbeat", &token).await;
        self.push_all("task: no messages", &token, vec![]).await;
        let other = vec![Self::instruction(7)];
        self.push_all("task: a message of another run", &token, other)
            .await;
        let whats = [
            "task: PushObject as another node",
            "task: PullObject as another node",
            "task: ConfirmMessageReceived as another node",
            "task: PushLogs as another node",
        ];
        self.ask_with(&token, run, 7, whats).await;
        let whats = [
            "task: PushObject of an unknown object",
            "task: PullObject of an unknown object",
            "task: ConfirmMessageReceived of an unknown object",
            "task: PushLogs",
        ];
        self.ask_with(&token, run, SUPERLINK, whats).await;
        let whats = [
            "task: PushObject of an unknown run",
            "task: PullObject of an unknown run",
            "task: ConfirmMessageReceived of an unknown run",
            "task: PushLogs of an unknown run",
        ];
        self.ask_with(&token, 7, SUPERLINK, whats).await;
        // The first field of the request is the type of the task, a text.
        let request = proto::PullAppInputsRequest {
            token: "flwr-model".to_owned(),
        };
        let told = done::<v1_30::ClaimTaskRequest>;
        let what = "task: a task for a model";
        self.ask(what, ("CreateTask", &token), request, told).await;
    }

    /// The run was stopped.
    pub(in super::super) async fn task_after_stop(&mut self) {
        let (token, run) = (self.token.clone(), self.run);
        let whats = [
            "task: heartbeat after the stop",
            "task: inputs after the stop",
            "task: nodes after the stop",
            "task: messages after the stop",
            "task: replies after the stop",
            "task: outputs after the stop",
        ];
        self.work(&token, whats).await;
        let whats = [
            "task: PushObject after the stop",
            "task: PullObject after the stop",
            "task: ConfirmMessageReceived after the stop",
            "task: PushLogs after the stop",
        ];
        self.ask_with(&token, run, SUPERLINK, whats).await;
    }

    async fn work(&mut self, token: &str, whats: [&'static str; 6]) {
        let [beat, input, nodes, push, pull, output] = whats;
        self.beat_task(beat, token).await;
        self.pull_input(input, token).await;
        let request = proto::GetNodesRequest::default();
        let told = |it: &proto::GetNodesResponse| format!("{} nodes", it.nodes.len());
        self.ask(nodes, ("GetNodes", token), request, told).await;
        let messages = vec![Self::instruction(self.run)];
        self.push_all(push, token, messages).await;
        let request = v1_30::PullAppMessagesRequest {
            message_ids: vec![NO_OBJECT.to_owned()],
        };
        let told =
            |it: &proto::PullAppMessagesResponse| format!("{} messages", it.messages_list.len());
        let method = self.name_of("PullMessages");
        self.ask(pull, (method, token), request, told).await;
        let request = v1_30::PushTaskOutputRequest {
            sub_status: "completed".to_owned(),
            ..v1_30::PushTaskOutputRequest::default()
        };
        let told = done::<v1_30::PushTaskOutputResponse>;
        self.ask(output, ("PushTaskOutput", token), request, told)
            .await;
    }

    async fn claim(&mut self, what: &'static str, task_id: u64) -> String {
        let request = v1_30::ClaimTaskRequest { task_id };
        let told = |it: &v1_30::ClaimTaskResponse| format!("token={}", it.token.is_some());
        let answer = self.ask(what, ("ClaimTask", ""), request, told).await;
        answer.and_then(|it| it.token).unwrap_or_default()
    }

    async fn beat_task(&mut self, what: &'static str, token: &str) {
        let request = v1_30::SendTaskHeartbeatRequest {};
        let told = |it: &v1_30::SendTaskHeartbeatResponse| format!("success={}", it.success);
        self.ask(what, ("SendTaskHeartbeat", token), request, told)
            .await;
    }

    async fn pull_input(&mut self, what: &'static str, token: &str) {
        let request = v1_30::PullTaskInputRequest {};
        let told = done::<v1_30::PullTaskInputResponse>;
        self.ask(what, ("PullTaskInput", token), request, told)
            .await;
    }

    async fn push_all(&mut self, what: &'static str, token: &str, messages: Vec<Reply>) {
        let parts = messages.into_iter().map(|it| (it.message, it.tree));
        let (messages_list, message_object_trees) = parts.unzip();
        let request = v1_30::PushAppMessagesRequest {
            messages_list,
            message_object_trees,
        };
        let told = |it: &v1_30::PushAppMessagesResponse| {
            let taken = it.message_ids.iter().filter(|id| !id.is_empty()).count();
            format!("{taken} of {}", it.message_ids.len())
        };
        let method = self.name_of("PushMessages");
        self.ask(what, (method, token), request, told).await;
    }

    /// ClientAppIo of flwr 1.30 and 1.31 has names of its own.
    fn name_of(&self, method: &'static str) -> &'static str {
        if self.release.is_since(32) || self.calls.service() != "ClientAppIo" {
            return method;
        }
        method.trim_end_matches('s')
    }
}
