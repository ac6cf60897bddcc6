//! The calls of a state, each at the SuperLink whose turn it is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flwr_core::context::Context;
use flwr_core::id::{NodeId, RunId, TaskId};
use flwr_core::message::{Message, MessageId};
use flwr_core::object::ObjectId;
use flwr_core::run::{Run, RunStatus};
use flwr_core::task::{Task, TaskKind};
use flwr_core::time::Timestamp;
use flwr_security::joining::JoinTokenId;
use flwr_security::key::PublicKey;

use super::{Turns, tell};
use crate::link::state::{
    Answer, Blob, BlobName, Burial, Care, Census, Claim, Counting, Enrolment, Joining, Keep,
    KnownLogin, KnownNode, KnownToken, LogEntry, Logins, Logs, Messages, Metrics, Neighbours,
    Nodes, ObjectEntry, Objects, Parcel, Point, Prints, Process, RefreshTurn, Registration, Role,
    Runs, Sample, Sent, Session, Settings, Shared, StateResult, Takeover, Tasks, Total, Traffic,
    Traits, Upkeep, Usage, Written,
};
use crate::link::wake::{Topic, Wake};

/// Implements a trait of the state: calls whose change others are told of, other calls, and calls that do
/// not wait.
macro_rules! in_turns {
    ($aggregate:ident {
        $(write $write:ident($($of_write:ident: $to_write:ty),*) -> $written:ty;)*
        $(call $call:ident($($of_call:ident: $to_call:ty),*) -> $given:ty;)*
        $(now $now:ident($($of_now:ident: $at_once:ty),*) $(-> $got:ty)?;)*
    }) => {
        #[async_trait]
        impl $aggregate for Turns {
            $(async fn $write(&self, $($of_write: $to_write),*) -> $written {
                let state = self.turn().await;
                Ok(tell(state, state.$write($($of_write),*).await?))
            })*
            $(async fn $call(&self, $($of_call: $to_call),*) -> $given {
                self.turn().await.$call($($of_call),*).await
            })*
            $(fn $now(&self, $($of_now: $at_once),*) $(-> $got)? {
                self.turn_now().$now($($of_now),*)
            })*
        }
    };
}

in_turns!(Nodes {
    write register_node(key: &PublicKey, fresh: NodeId, now: Timestamp) -> Written<Registration>;
    write enroll_node(enrolment: &Enrolment, fresh: NodeId, now: Timestamp) -> Written<NodeId>;
    write dismiss_node(node: NodeId, now: Timestamp) -> Written<()>;
    write activate_node(node: NodeId, until: Timestamp, now: Timestamp) -> Written<Session>;
    write deactivate_node(node: NodeId, now: Timestamp) -> Written<()>;
    write unregister_node(node: NodeId, now: Timestamp) -> Written<()>;
    call keep_node(node: NodeId, until: Timestamp, now: Timestamp) -> StateResult<bool>;
    call node_of_key(key: &PublicKey) -> StateResult<Option<NodeId>>;
    call session(node: NodeId) -> StateResult<Option<Session>>;
    call note_wire(node: NodeId, wire: &str) -> StateResult<()>;
    call wire(node: NodeId) -> StateResult<Option<String>>;
    call note_traits(node: NodeId, traits: &Traits) -> StateResult<()>;
    call note_certificate(owner: &str) -> StateResult<()>;
    call node(node: NodeId) -> StateResult<Option<KnownNode>>;
    call nodes() -> StateResult<Vec<KnownNode>>;
    call online_nodes(now: Timestamp) -> StateResult<Vec<NodeId>>;
    now is_dismissed(key: &PublicKey) -> bool;
    now is_key_of(key: &PublicKey, node: NodeId) -> bool;
    now hear_node(node: NodeId);
    now was_heard(node: NodeId) -> bool;
    now is_of_node(owner: &str) -> bool;
});

in_turns!(Joining {
    write join_node(id: JoinTokenId, key: &PublicKey, fresh: NodeId, now: Timestamp) -> Written<NodeId>;
    write use_next_key(next: &PublicKey) -> Written<Option<NodeId>>;
    call add_join_token(token: &KnownToken) -> StateResult<()>;
    call join_tokens() -> StateResult<Vec<KnownToken>>;
    call join_token(id: JoinTokenId) -> StateResult<Option<KnownToken>>;
    call revoke_join_token(id: JoinTokenId, now: Timestamp) -> StateResult<()>;
    call forget_join_tokens(moment: Timestamp) -> StateResult<usize>;
    call note_next_key(node: NodeId, next: &PublicKey) -> StateResult<()>;
    call node_of_next_key(next: &PublicKey) -> StateResult<Option<NodeId>>;
});

in_turns!(Runs {
    write create_run(run: Run, context: Context, fab: Option<Blob>) -> Written<()>;
    write change_run(run: RunId, to: RunStatus, now: Timestamp) -> Written<()>;
    write rewind_run(run: RunId) -> Written<()>;
    call fab_blob(hash: &str) -> StateResult<Option<Blob>>;
    call run(run: RunId) -> StateResult<Option<Run>>;
    call runs() -> StateResult<Vec<Run>>;
    call context(run: RunId) -> StateResult<Context>;
    call set_context(run: RunId, context: Context) -> StateResult<()>;
    call traffic(run: RunId) -> StateResult<Traffic>;
    call all_traffic() -> StateResult<Vec<(RunId, Traffic)>>;
    now add_traffic(run: RunId, more: Traffic);
});

in_turns!(Tasks {
    write set_process(task: TaskId, process: Option<Process>) -> Written<()>;
    call waiting_tasks(kind: TaskKind) -> StateResult<Vec<Task>>;
    call left_tasks(kind: TaskKind) -> StateResult<Vec<Task>>;
    call claim_task(task: TaskId, token: ObjectId, now: Timestamp) -> StateResult<bool>;
    call task_of_token(token: ObjectId) -> StateResult<Task>;
    call claim_of(task: TaskId) -> StateResult<Option<Claim>>;
    call note_holder(task: TaskId, token: ObjectId, holder: String) -> StateResult<()>;
    call revoke_task(task: TaskId) -> StateResult<()>;
    call keep_task(task: TaskId, until: Timestamp) -> StateResult<bool>;
    call processes() -> StateResult<Vec<(Task, Process)>>;
});

in_turns!(Messages {
    write insert_instructions(run: RunId, instructions: Vec<Parcel>) -> Written<Sent>;
    write insert_reply(reply: Parcel, now: Timestamp) -> Written<Vec<ObjectId>>;
    write settle(run: RunId, reply: Message, blob: Blob, flawed: Option<MessageId>) -> Written<()>;
    write confirm(run: RunId, message: MessageId) -> Written<()>;
    call claim_message(node: NodeId, session: Session, now: Timestamp) -> StateResult<Option<Parcel>>;
    call answers(run: RunId, instructions: &[MessageId], now: Timestamp) -> StateResult<Vec<Answer>>;
    call is_awaited(node: NodeId) -> StateResult<bool>;
});

in_turns!(Objects {
    write object_arrived(run: RunId, object: ObjectId, blob: Blob) -> Written<bool>;
    call object(run: RunId, object: ObjectId) -> StateResult<Option<ObjectEntry>>;
    call objects_of(run: RunId, node: NodeId, role: Role) -> StateResult<HashSet<ObjectId>>;
    call garbage(age: Duration, limit: usize) -> StateResult<Vec<BlobName>>;
    call swept(names: Vec<String>) -> StateResult<()>;
    call not_swept(names: Vec<String>) -> StateResult<()>;
    call unknown_names(names: Vec<String>) -> StateResult<Vec<String>>;
});

in_turns!(Logs {
    write append_log(run: RunId, text: String, now: Timestamp) -> Written<()>;
    call log_after(run: RunId, after: Timestamp, most: usize) -> StateResult<Vec<LogEntry>>;
});

in_turns!(Metrics {
    call add_samples(run: RunId, samples: Vec<Sample>, keeps_points: bool) -> StateResult<()>;
    call metric_points(run: RunId) -> StateResult<Vec<Point>>;
    call metric_totals(run: RunId) -> StateResult<Vec<Total>>;
});

in_turns!(Upkeep {
    write delete_run(run: RunId) -> Written<()>;
    write forget_node(node: NodeId, moment: Timestamp) -> Written<bool>;
    write expire(now: Timestamp) -> Written<Vec<RunId>>;
    call used() -> StateResult<u64>;
    call usage() -> StateResult<Usage>;
    call expendable_runs(keep: Keep, now: Timestamp, limit: usize) -> StateResult<Vec<RunId>>;
    call try_to_write() -> StateResult<()>;
    call give_back() -> StateResult<()>;
    call close() -> ();
    now move_leases(seconds: f64);
    now extend_leases(since: Timestamp, seconds: f64);
});

in_turns!(Counting {
    call census(now: Timestamp) -> StateResult<Census>;
});

in_turns!(Logins {
    call add_login(code: ObjectId, login: KnownLogin, now: Timestamp) -> StateResult<()>;
    call login(code: ObjectId) -> StateResult<Option<KnownLogin>>;
    call end_login(code: ObjectId) -> StateResult<()>;
    call begin_refresh(token: ObjectId) -> StateResult<RefreshTurn>;
    call end_refresh(token: ObjectId, given: Option<Vec<u8>>) -> StateResult<()>;
});

in_turns!(Settings {
    call note_settings(prints: Prints) -> StateResult<()>;
    call settings_of_others() -> StateResult<Vec<(String, Prints)>>;
});

#[async_trait]
impl Neighbours for Turns {
    async fn note_care(&self, care: Care) -> StateResult<()> {
        self.turn().await.note_care(care).await
    }

    async fn bury(&self, rule: Takeover, now: Timestamp) -> Written<Vec<Burial>> {
        self.turn().await.bury(rule, now).await
    }
}

/// Nobody waits at a hub, and each SuperLink tells the other what it changed.
impl Shared for Turns {
    fn wake_at(&self, _hub: &Arc<Wake>) {}

    fn tell_others(&self, _topics: &[Topic]) {}
}
