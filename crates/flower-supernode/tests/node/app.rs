//! ClientAppIo, as the process of a ClientApp calls it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flwr_proto as proto;
use flwr_proto::v1_30;
use tonic::Code;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

/// The code and the text of a refusal.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Code, pub(crate) String);

/// A connection to a SuperNode.
pub(crate) struct App(Grpc<Channel>);

impl App {
    pub(crate) async fn connect(address: String) -> Self {
        let endpoint = Endpoint::new(address).unwrap();
        Self(Grpc::new(endpoint.connect().await.unwrap()))
    }

    async fn call<Q, A>(&mut self, method: &str, request: Q) -> Result<A, Refused>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.0.ready().await.unwrap();
        let path = format!("/flwr.proto.ClientAppIo/{method}").parse().unwrap();
        let codec = ProstCodec::<Q, A>::default();
        let answered = self.0.unary(tonic::Request::new(request), path, codec);
        match answered.await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(Refused(status.code(), status.message().to_owned())),
        }
    }
}

impl App {
    /// The end of a task, whose token is in the metadata of the call.
    pub(crate) async fn push_task_output(
        &mut self,
        token: &str,
        output: v1_30::PushTaskOutputRequest,
    ) -> Result<v1_30::PushTaskOutputResponse, Refused> {
        self.0.ready().await.unwrap();
        let path = "/flwr.proto.ClientAppIo/PushTaskOutput".parse().unwrap();
        let mut request = tonic::Request::new(output);
        let token = token.parse().unwrap();
        request.metadata_mut().insert("flwr-task-token", token);
        let answered = self.0.unary(request, path, ProstCodec::default());
        match answered.await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(Refused(status.code(), status.message().to_owned())),
        }
    }
}

macro_rules! calls {
    ($($name:ident: $method:literal, $request:ident -> $answer:ident;)*) => {
        impl App {
            $(pub(crate) async fn $name(
                &mut self,
                request: proto::$request,
            ) -> Result<proto::$answer, Refused> {
                self.call($method, request).await
            })*
        }
    };
}

calls! {
    list_apps_to_launch: "ListAppsToLaunch", ListAppsToLaunchRequest -> ListAppsToLaunchResponse;
    get_run_ids_with_pending_messages: "GetRunIdsWithPendingMessages", ListAppsToLaunchRequest -> ListAppsToLaunchResponse;
    request_token: "RequestToken", RequestTokenRequest -> RequestTokenResponse;
    pull_client_app_inputs: "PullClientAppInputs", PullAppInputsRequest -> PullAppInputsResponse;
    pull_message: "PullMessage", PullAppMessagesRequest -> PullAppMessagesResponse;
    pull_object: "PullObject", PullObjectRequest -> PullObjectResponse;
    push_message: "PushMessage", PushAppMessagesRequest -> PushAppMessagesResponse;
    push_object: "PushObject", PushObjectRequest -> PushObjectResponse;
    push_client_app_outputs: "PushClientAppOutputs", PushAppOutputsRequest -> PushAppOutputsResponse;
}

/// A `flwr-clientapp` that is this shell script. `DIR` in it is the directory.
pub(crate) fn program(dir: &Path, script: &str) -> flwr_daemon::apps::Program {
    let path = dir.join("flwr-clientapp");
    let script = script.replace("DIR", &dir.display().to_string());
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    flwr_daemon::apps::Program::of(path, (1, 22))
}
