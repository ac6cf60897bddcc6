//! What the fake SuperLink answers.

use std::collections::BTreeMap;

use flwr_core::object::ObjectTree;
use flwr_daemon::clock::{Clock, SystemClock};
use flwr_proto as proto;
use flwr_proto::fleet_server::Fleet;
use flwr_security::signature::{SignatureHeaders, Verifier};
use tonic::{Code, Request, Response, Status};

use super::{Answer, FakeFleet, RUN, bundle};

#[tonic::async_trait]
impl Fleet for FakeFleet {
    async fn create_node(
        &self,
        request: Request<proto::CreateNodeRequest>,
    ) -> Answer<proto::CreateNodeResponse> {
        let headers = SignatureHeaders::read(&request.into_parts().0.into_headers()).unwrap();
        let now = SystemClock.now().to_date_time().unwrap();
        Verifier::new(None).verify(&headers, now).unwrap();
        let node_id = self.change(|world| {
            world.created += 1;
            world.registered = Some(world.next_node);
            world.next_node
        });
        Ok(Response::new(proto::CreateNodeResponse {
            node: Some(proto::Node { node_id }),
        }))
    }

    async fn register_node(
        &self,
        _: Request<proto::RegisterNodeFleetRequest>,
    ) -> Answer<proto::RegisterNodeFleetResponse> {
        self.step("register", |world| {
            if world.is_for_people {
                return Err("SuperNode authentication is enabled. All SuperNodes must be registered via the CLI.");
            }
            world.knows_key = true;
            let node_id = world.next_node;
            Ok(proto::RegisterNodeFleetResponse { node_id })
        })
    }

    async fn activate_node(
        &self,
        request: Request<proto::ActivateNodeRequest>,
    ) -> Answer<proto::ActivateNodeResponse> {
        let key = request.into_inner().public_key;
        self.step("activate", |world| {
            world.keys.push(key);
            if !world.knows_key {
                return Err("No SuperNode found with the given public key.");
            }
            let node_id = world.next_node;
            world.registered = Some(node_id);
            Ok(proto::ActivateNodeResponse { node_id })
        })
    }

    async fn deactivate_node(
        &self,
        _: Request<proto::DeactivateNodeRequest>,
    ) -> Answer<proto::DeactivateNodeResponse> {
        self.step("deactivate", |world| {
            world.registered = None;
            Ok(proto::DeactivateNodeResponse {})
        })
    }

    async fn unregister_node(
        &self,
        _: Request<proto::UnregisterNodeFleetRequest>,
    ) -> Answer<proto::UnregisterNodeFleetResponse> {
        self.step("unregister", |world| {
            world.knows_key = false;
            Ok(proto::UnregisterNodeFleetResponse {})
        })
    }

    async fn delete_node(
        &self,
        request: Request<proto::DeleteNodeRequest>,
    ) -> Answer<proto::DeleteNodeResponse> {
        self.known(request.into_inner().node, |world| {
            world.deleted += 1;
            world.registered = None;
            Ok(Response::new(proto::DeleteNodeResponse {}))
        })
    }

    async fn send_node_heartbeat(
        &self,
        request: Request<proto::SendNodeHeartbeatRequest>,
    ) -> Answer<proto::SendNodeHeartbeatResponse> {
        let node = request.into_inner().node.map(|node| node.node_id);
        let success = self.change(|world| world.registered == node);
        Ok(Response::new(proto::SendNodeHeartbeatResponse { success }))
    }

    async fn pull_messages(
        &self,
        request: Request<proto::PullMessagesRequest>,
    ) -> Answer<proto::PullMessagesResponse> {
        let node = request.into_inner().node;
        self.change(|world| world.pulls += 1);
        // Held until there is a message, or the node is no longer known.
        self.when(|world| {
            let is_known = world.registered == node.map(|node| node.node_id);
            (!is_known || !world.waiting.is_empty()).then_some(())
        })
        .await;
        self.known(node, |world| {
            world.taken = world.waiting.pop_front();
            let (message, tree) = world.taken.clone().unzip();
            Ok(Response::new(proto::PullMessagesResponse {
                reconnect: None,
                messages_list: message.into_iter().collect(),
                message_object_trees: tree.into_iter().collect(),
            }))
        })
    }

    async fn push_messages(
        &self,
        request: Request<proto::PushMessagesRequest>,
    ) -> Answer<proto::PushMessagesResponse> {
        let request = request.into_inner();
        let turned_away = self.change(|world| {
            let full = (Code::Unavailable, "the disk is full");
            let refusal = world.refusal.or(world.is_full.then_some(full));
            world.turned_away += u32::from(refusal.is_some());
            refusal
        });
        if let Some((code, text)) = turned_away {
            return Err(Status::new(code, text));
        }
        self.running(request.node, |world| {
            let tree = ObjectTree::try_from(request.message_object_trees[0].clone()).unwrap();
            world.replies.extend(request.messages_list);
            proto::PushMessagesResponse {
                reconnect: None,
                results: BTreeMap::from([(tree.id.to_string(), 0)]),
                objects_to_push: tree
                    .post_order()
                    .iter()
                    .map(|part| part.id.to_string())
                    .collect(),
                session_id: world.upload.to_owned(),
            }
        })
    }

    async fn get_run(
        &self,
        request: Request<proto::GetRunRequest>,
    ) -> Answer<proto::GetRunResponse> {
        let request = request.into_inner();
        if request.run_id != RUN.0 {
            self.change(|world| {
                let (open, most) = &mut world.open_get_run;
                *open += 1;
                *most = (*most).max(*open);
            });
            self.when(|world| (!world.holds_get_run).then_some(()))
                .await;
            self.change(|world| world.open_get_run.0 -= 1);
        }
        if self.change(|world| world.over.contains(&request.run_id)) {
            return Err(Status::permission_denied("Run is finished."));
        }
        self.running(request.node, |_| {
            let fab_hash = bundle().hash;
            let run = proto::Run {
                run_id: request.run_id,
                fab_hash,
                ..Default::default()
            };
            proto::GetRunResponse { run: Some(run) }
        })
    }

    async fn get_fab(
        &self,
        request: Request<proto::GetFabRequest>,
    ) -> Answer<proto::GetFabResponse> {
        self.running(request.into_inner().node, |_| {
            let fab = bundle();
            proto::GetFabResponse {
                fab: Some(proto::Fab {
                    hash_str: fab.hash,
                    content: fab.bytes,
                    ..proto::Fab::default()
                }),
            }
        })
    }

    async fn push_object(
        &self,
        request: Request<proto::PushObjectRequest>,
    ) -> Answer<proto::PushObjectResponse> {
        let request = request.into_inner();
        self.running(request.node, |world| {
            world.uploads.insert(request.session_id);
            let stored = world.forgotten == 0;
            world.forgotten = world.forgotten.saturating_sub(1);
            if stored {
                world
                    .pushed
                    .insert(request.object_id, request.object_content);
            }
            proto::PushObjectResponse { stored }
        })
    }

    async fn pull_object(
        &self,
        request: Request<proto::PullObjectRequest>,
    ) -> Answer<proto::PullObjectResponse> {
        let request = request.into_inner();
        self.running(request.node, |world| {
            let object = world.objects.get(&request.object_id).cloned();
            let is_early = world.not_yet > 0;
            world.not_yet = world.not_yet.saturating_sub(1);
            proto::PullObjectResponse {
                object_found: object.is_some(),
                object_available: object.is_some() && !is_early,
                object_content: object.filter(|_| !is_early).unwrap_or_default(),
            }
        })
    }

    async fn confirm_message_received(
        &self,
        request: Request<proto::ConfirmMessageReceivedRequest>,
    ) -> Answer<proto::ConfirmMessageReceivedResponse> {
        let request = request.into_inner();
        self.running(request.node, |world| {
            world.confirmed.push(request.message_object_id);
            proto::ConfirmMessageReceivedResponse {}
        })
    }
}
