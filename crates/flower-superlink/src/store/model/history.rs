//! A history: each operation on the backend and on the model, and what must be alike.

use std::collections::HashMap;
use std::sync::Arc;

use flwr_core::id::NodeId;
use flwr_core::message::MessageId;
use flwr_core::object::ObjectId;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_core::time::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::link::state::{Answer, Changed, LinkState, StateError, StateResult};
use crate::store::battery::world::{NOON, RUN, Sent, blob, error_for};
use flwr_core::refusal::Refusal;

use super::ops::Op;
use super::reference::{Reference, Told};
use super::{NODES, Tested};

/// A backend, the model, and what both have been through.
pub(super) struct History {
    pub(super) tested: Tested,
    pub(super) model: Reference,
    pub(super) now: Timestamp,
    /// The node that each key is bound to, or was last.
    pub(super) nodes: [NodeId; NODES],
    pub(super) registered: u64,
    /// How often the bytes of each object are kept: put, and not freed.
    kept: HashMap<ObjectId, i64>,
    /// The messages that may come, once there is a node for them: the same each time.
    messages: HashMap<(usize, NodeId), Sent>,
}

pub(super) type Checked = Result<(), TestCaseError>;

impl History {
    pub(super) async fn new(tested: Tested) -> Self {
        tested.world.running().await;
        Self {
            tested,
            model: Reference::default(),
            now: NOON,
            nodes: [NodeId(1), NodeId(2)],
            registered: 2,
            kept: HashMap::new(),
            messages: HashMap::new(),
        }
    }

    pub(super) fn state(&self) -> Arc<dyn LinkState> {
        Arc::clone(&self.tested.world.state)
    }

    pub(super) async fn step(&mut self, op: &Op) -> Checked {
        match *op {
            Op::Register(node) => self.register(node).await,
            Op::Deactivate(node) => self.deactivate(node).await,
            Op::Leave(node) => self.leave(node).await,
            Op::Keep(node) => self.keep(node).await,
            Op::Send(message) => self.send(message).await,
            Op::Arrive(message, part) => self.arrive(message, part).await,
            Op::Claim(node) => self.claim(node).await,
            Op::ClaimLate(node) => self.claim_late(node).await,
            Op::ConfirmTaken(message) => {
                let id = self.message(message).id();
                self.confirm(id).await
            }
            Op::ConfirmReply(message, which) => {
                let id = self.reply(message, which, None).id();
                self.confirm(id).await
            }
            Op::Reply(message, which, by) => self.reply_to(message, which, by).await,
            Op::ArriveReply(message, which, part) => {
                let reply = self.reply(message, which, None);
                self.object_arrived(reply.objects[part % reply.objects.len()])
                    .await
            }
            Op::Ask(message) => self.ask(message).await.map(drop),
            Op::Settle(message) => self.settle(message).await,
            Op::ClaimTask(which) => self.claim_task(which).await,
            Op::Revoke => self.revoke().await,
            Op::Process(lives) => self.note_process(lives).await,
            Op::Traffic(bytes) => self.count(bytes),
            Op::Sample(node, is_later, value) => self.sample(node, is_later, value).await,
            Op::Wait(seconds) => {
                self.now = self.now + f64::from(seconds);
                Ok(())
            }
            Op::Expire => self.expire().await,
            Op::Rewind => self.rewind().await,
            Op::Crash => self.crash().await,
        }?;
        self.compare().await
    }

    /// An instruction for the node that its key is bound to now.
    fn message(&mut self, message: usize) -> Sent {
        let node = self.nodes[message % NODES];
        let sent = self.messages.entry((message, node));
        let content = format!("{}", message / 3);
        sent.or_insert_with(|| Sent::instruction_at(&content, node, message))
            .clone()
    }

    /// One of two replies to it, by its node or, against the rules, another.
    fn reply(&mut self, message: usize, which: bool, by: Option<NodeId>) -> Sent {
        let asked = self.message(message);
        let mut reply = Sent::reply(if which { "yes" } else { "no" }, &asked);
        if let Some(by) = by {
            reply.parcel.message.metadata.src = by;
        }
        reply
    }

    async fn send(&mut self, message: usize) -> Checked {
        let sent = self.message(message);
        let stored = self
            .state()
            .insert_instructions(RUN, vec![sent.parcel.clone()])
            .await;
        let told = self.model.send(&sent);
        let stored = answered(stored)?;
        prop_assert_eq!(stored.is_some(), told.is_some());
        if let (Some((stored, _)), Some((known, missing))) = (stored, told) {
            prop_assert_eq!(stored.ids, vec![known.then_some(sent.id())]);
            prop_assert_eq!(stored.missing, missing);
        }
        Ok(())
    }

    async fn arrive(&mut self, message: usize, part: usize) -> Checked {
        let sent = self.message(message);
        self.object_arrived(sent.objects[part % sent.objects.len()])
            .await
    }

    async fn object_arrived(&mut self, object: ObjectId) -> Checked {
        let (is_kept, changed) = self
            .state()
            .object_arrived(RUN, object, blob(object))
            .await
            .unwrap();
        // They were put; where nobody waits for them they are freed.
        *self.kept.entry(object).or_default() += 1;
        prop_assert_eq!(is_kept, self.model.arrive(object));
        self.free(changed);
        Ok(())
    }

    async fn claim(&mut self, node: usize) -> Checked {
        let session = self.session(node).await;
        let (state, id) = (self.state(), self.nodes[node]);
        let claimed = state.claim_message(id, session, self.now).await.unwrap();
        let open = self.model.claimable(node, self.now);
        match claimed {
            None => prop_assert!(open.is_empty(), "{:?} could be handed out", open),
            Some(parcel) => {
                let id = parcel.message.metadata.id;
                prop_assert!(open.contains(&id), "{} is handed out, not {:?}", id, open);
                prop_assert_eq!(Some(&parcel), self.model.parcel(id));
                self.model.claimed(node, id);
            }
        }
        Ok(())
    }

    async fn confirm(&mut self, message: MessageId) -> Checked {
        let confirmed = self.state().confirm(RUN, message).await;
        let told = self.model.confirm(message);
        let confirmed = answered(confirmed)?;
        prop_assert_eq!(confirmed.is_some(), told);
        self.free(confirmed.unwrap_or_default().1);
        Ok(())
    }

    async fn reply_to(&mut self, message: usize, which: bool, by: usize) -> Checked {
        let reply = self.reply(message, which, Some(self.nodes[by]));
        let stored = self
            .state()
            .insert_reply(reply.parcel.clone(), self.now)
            .await;
        let told = self.model.reply(&reply, self.now);
        let stored = answered(stored)?;
        prop_assert_eq!(stored.is_some(), told.is_some());
        if let (Some((mut stored, changed)), Some(missing)) = (stored, told) {
            stored.sort_unstable();
            prop_assert_eq!(changed.wake.is_empty(), !missing.is_empty());
            prop_assert_eq!(stored, missing);
            self.free(changed);
        }
        Ok(())
    }

    async fn ask(&mut self, message: usize) -> Result<Option<Answer>, TestCaseError> {
        let sent = self.message(message);
        let answers = self.state().answers(RUN, &[sent.id()], self.now).await;
        let told = self.model.answer(sent.id(), self.now);
        let Some(mut answers) = answered(answers)? else {
            prop_assert!(told.is_none());
            return Ok(None);
        };
        let answer = answers.remove(0);
        let is = match &answer {
            Answer::Reply(parcel) => Told::Reply(parcel.message.metadata.id),
            Answer::Waiting { until } => Told::Waiting(*until),
            Answer::Unknown => Told::Unknown,
            Answer::Expired(_) => Told::Expired,
            Answer::ReplyExpired(_) => Told::ReplyExpired,
            Answer::NodeLost(_) => Told::NodeLost,
            Answer::NodeLeft(_) => Told::NodeLeft,
        };
        prop_assert_eq!(Some(is), told);
        Ok(Some(answer))
    }

    /// As the link does it: only where no reply can come any more.
    async fn settle(&mut self, message: usize) -> Checked {
        let answer = self.ask(message).await?;
        if matches!(
            answer,
            None | Some(Answer::Reply(_) | Answer::Waiting { .. })
        ) {
            return Ok(());
        }
        let sent = self.message(message);
        let (mut error, _) = error_for(&sent, self.now);
        if answer == Some(Answer::Unknown) {
            // Nothing is known of it but its id.
            error.metadata.src = NodeId::SUPERLINK;
        }
        *self.kept.entry(error.metadata.id).or_default() += 1;
        let ((), changed) = self
            .state()
            .settle(RUN, error.clone(), blob(error.metadata.id), None)
            .await
            .unwrap();
        self.model.settle(&error, self.now);
        self.free(changed);
        Ok(())
    }

    async fn expire(&mut self) -> Checked {
        let (lost, changed) = self.state().expire(self.now).await.unwrap();
        prop_assert_eq!(lost, vec![]);
        self.model.expire(self.now);
        self.free(changed);
        Ok(())
    }

    async fn rewind(&mut self) -> Checked {
        let rewound = answered(self.state().rewind_run(RUN).await)?;
        prop_assert_eq!(rewound.is_some(), self.model.rewind());
        if let Some(((), changed)) = rewound {
            self.free(changed);
            self.tested.world.change(Phase::Starting).await;
            self.tested.world.change(Phase::Running).await;
            prop_assert!(self.tested.world.app_lives(Timestamp::NEVER).await);
        }
        Ok(())
    }

    async fn crash(&mut self) -> Checked {
        self.tested.crash(self.now).await;
        self.after_crash().await?;
        // Heartbeats are not kept, and whoever was there gets time to return: all return.
        for node in 0..NODES {
            self.keep(node).await?;
        }
        prop_assert!(self.tested.world.app_lives(Timestamp::NEVER).await);
        Ok(())
    }

    pub(super) fn free(&mut self, changed: Changed) {
        for object in changed.freed {
            *self.kept.entry(object).or_default() -= 1;
        }
    }

    /// What is kept is what is needed, and both know the same objects.
    async fn compare(&mut self) -> Checked {
        self.compare_lives().await?;
        self.compare_metrics().await?;
        for (object, kept) in &self.kept {
            let needed = i64::from(self.model.needs_bytes(*object));
            prop_assert_eq!(*kept, needed, "bytes of object {}", object);
        }
        let objects: Vec<_> = self
            .messages
            .values()
            .flat_map(|sent| sent.objects.clone())
            .collect();
        for object in objects {
            let known = self.state().object(RUN, object).await.unwrap();
            prop_assert_eq!(
                known.is_some(),
                self.model.knows(object),
                "object {}",
                object
            );
        }
        Ok(())
    }

    /// The run ends, and nothing of it is left.
    pub(super) async fn end(mut self) -> Checked {
        let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
        let ((), changed) = self
            .state()
            .change_run(RUN, stopped, self.now)
            .await
            .unwrap();
        self.free(changed);
        self.tested.crash(self.now).await;
        self.end_task().await?;
        let deleted = self.state().delete_run(RUN).await;
        prop_assert!(deleted.is_ok(), "{:?}", deleted);
        self.tested.crash(self.now).await;
        prop_assert_eq!(self.state().runs().await.unwrap(), vec![]);
        for (object, kept) in self.kept {
            prop_assert_eq!(kept, 0, "bytes of object {}", object);
        }
        Ok(())
    }
}

/// An answer, or none where it was refused.
fn answered<T>(result: StateResult<T>) -> Result<Option<T>, TestCaseError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(StateError::Refused(Refusal::UnknownRun(run))) => {
            Err(TestCaseError::fail(format!("run {run} is not known")))
        }
        Err(StateError::Refused(_)) => Ok(None),
        Err(broken) => Err(TestCaseError::fail(broken.to_string())),
    }
}
