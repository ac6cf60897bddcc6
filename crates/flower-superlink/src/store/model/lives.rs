//! What nodes and the ServerApp's task go through in a history.

use std::time::Duration;

use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_daemon::apps::Identity;
use proptest::prelude::*;

use super::history::{Checked, History};
use super::{KEYS, NODES};
use crate::link::state::{NodeStatus, Process, Session, StateError, Traffic};
use crate::store::battery::world::{RUN, TASK};

impl History {
    pub(super) async fn register(&mut self, node: usize) -> Checked {
        self.registered += 1;
        let (fresh, until) = (self.registered.into(), self.now + 60.0);
        let state = self.state();
        let registration = state.register_node(&KEYS[node], fresh, self.now).await;
        let (registration, changed) = registration.unwrap();
        let told = self.model.register(node, fresh, until);
        prop_assert_eq!((registration.node, registration.resumed), told);
        self.nodes[node] = registration.node;
        self.free(changed);
        let activated = state
            .activate_node(registration.node, until, self.now)
            .await;
        self.free(activated.unwrap().1);
        Ok(())
    }

    pub(super) async fn deactivate(&mut self, node: usize) -> Checked {
        let left = self
            .state()
            .deactivate_node(self.nodes[node], self.now)
            .await;
        self.free(left.unwrap().1);
        if let Some(known) = &mut self.model.nodes[node] {
            known.end(self.now);
        }
        Ok(())
    }

    pub(super) async fn leave(&mut self, node: usize) -> Checked {
        let id = self.nodes[node];
        let removed = self.state().unregister_node(id, self.now).await;
        self.free(removed.unwrap().1);
        self.model.leave(node);
        Ok(())
    }

    pub(super) async fn keep(&mut self, node: usize) -> Checked {
        let (state, until) = (self.state(), self.now + 60.0);
        let kept = state.keep_node(self.nodes[node], until, self.now).await;
        prop_assert_eq!(kept.unwrap(), self.model.keep(node, until));
        state.hear_node(self.nodes[node]);
        if let Some(known) = &mut self.model.nodes[node] {
            known.heard = true;
        }
        Ok(())
    }

    pub(super) async fn session(&self, node: usize) -> Session {
        let session = self.state().session(self.nodes[node]).await.unwrap();
        session.unwrap_or_default()
    }

    pub(super) async fn claim_late(&mut self, node: usize) -> Checked {
        let earlier = self.session(node).await.saturating_sub(1);
        let (state, id) = (self.state(), self.nodes[node]);
        let claimed = state.claim_message(id, earlier, self.now).await;
        prop_assert_eq!(claimed.unwrap(), None);
        Ok(())
    }

    pub(super) async fn claim_task(&mut self, which: bool) -> Checked {
        let token = token(which);
        let claimed = self.state().claim_task(TASK, token, self.now).await;
        prop_assert_eq!(claimed.unwrap(), self.model.task.claim(token));
        Ok(())
    }

    pub(super) async fn revoke(&mut self) -> Checked {
        self.state().revoke_task(TASK).await.unwrap();
        self.model.task.token = None;
        Ok(())
    }

    pub(super) async fn note_process(&mut self, lives: bool) -> Checked {
        let process = lives.then(|| Process {
            host: "here".to_owned(),
            identity: Identity {
                pid: 4711,
                started: "boot:17".to_owned(),
            },
        });
        let noted = self.state().set_process(TASK, process).await;
        prop_assert_eq!(noted.unwrap().1.wake.is_empty(), lives);
        self.model.task.has_process = lives;
        Ok(())
    }

    pub(super) fn count(&mut self, bytes: u8) -> Checked {
        let more = Traffic {
            received: bytes.into(),
            sent: 1,
            worked: Duration::from_micros(bytes.into()),
        };
        self.state().add_traffic(RUN, more);
        self.model.task.traffic += more;
        Ok(())
    }

    /// What need not be on disk at once may be lost; nothing else is, and nothing is made up.
    pub(super) async fn after_crash(&mut self) -> Checked {
        let state = self.state();
        for node in self.model.nodes.iter_mut().flatten() {
            prop_assert!(node.heard || !state.was_heard(node.id));
            node.heard = state.was_heard(node.id);
            if node.left {
                let known = state.node(node.id).await.unwrap().unwrap();
                prop_assert_eq!(known.status(self.now), node.status(self.now));
                // It has the time to return once more.
                prop_assert!(known.has_left() && known.online_until >= node.until);
                node.until = known.online_until;
            }
        }
        let (kept, counted) = (
            state.traffic(RUN).await.unwrap(),
            &mut self.model.task.traffic,
        );
        prop_assert!(kept.received <= counted.received && kept.sent <= counted.sent);
        prop_assert!(kept.worked <= counted.worked);
        *counted = kept;
        Ok(())
    }

    pub(super) async fn compare_lives(&mut self) -> Checked {
        let state = self.state();
        for node in 0..NODES {
            let found = state.node_of_key(&KEYS[node]).await.unwrap();
            let known = self.model.nodes[node].as_ref();
            prop_assert_eq!(found, known.map(|known| known.id));
            let session = state.session(self.nodes[node]).await.unwrap();
            prop_assert_eq!(session, known.map(|known| known.session));
            let Some(known) = known else {
                let gone = state.node(self.nodes[node]).await.unwrap();
                let status = gone.map(|gone| gone.status(self.now));
                prop_assert!(matches!(status, None | Some(NodeStatus::Unregistered)));
                continue;
            };
            let found = state.node(known.id).await.unwrap().unwrap();
            prop_assert_eq!(found.status(self.now), known.status(self.now));
            prop_assert_eq!(state.was_heard(known.id), known.heard);
        }
        for which in [true, false] {
            let is_valid = self.model.task.token == Some(token(which));
            prop_assert_eq!(state.task_of_token(token(which)).await.is_ok(), is_valid);
        }
        let processes = state.processes().await.unwrap();
        prop_assert_eq!(!processes.is_empty(), self.model.task.has_process);
        let traffic = state.traffic(RUN).await.unwrap();
        prop_assert_eq!(traffic, self.model.task.traffic);
        Ok(())
    }

    /// The run is over. Its token is so too, its process need not be, and its traffic is on disk.
    pub(super) async fn end_task(&mut self) -> Checked {
        self.model.task.token = None;
        let state = self.state();
        for which in [true, false] {
            prop_assert!(state.task_of_token(token(which)).await.is_err());
        }
        let traffic = state.traffic(RUN).await.unwrap();
        prop_assert_eq!(traffic, self.model.task.traffic);
        if self.model.task.has_process {
            let refused = state.delete_run(RUN).await;
            prop_assert!(matches!(
                refused,
                Err(StateError::Refused(Refusal::ProcessLives(_)))
            ));
            self.note_process(false).await?;
        }
        Ok(())
    }
}

fn token(which: bool) -> ObjectId {
    ObjectId::of(if which { b"yes" } else { b"no " })
}
