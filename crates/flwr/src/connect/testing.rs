//! A fake SuperLink of flwr 1.20 in this process. It serves `Exec` without `Control`, and breaks a
//! log stream once.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use flwr_proto::exec_server::{Exec, ExecServer};
use flwr_proto::{Run, RunStatus};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, iter};
use tonic::transport::Server;

use flwr_client::channel::Route;

use super::*;

/// The one run that this SuperLink has.
pub(crate) const RUN: u64 = 7;

#[derive(Clone, Default)]
pub(crate) struct OldSuperLink {
    /// What `StreamLogs` was asked, in order.
    pub(crate) asked: Arc<Mutex<Vec<f64>>>,
    /// How often the log's line breaks before it ends well.
    pub(crate) breaks: usize,
    /// As flwr 1.15 has it: the run is finished, and its log ends with a cancelled call.
    pub(crate) cancels: bool,
}

impl OldSuperLink {
    /// Serves until the returned line is dropped with the test's runtime.
    pub(crate) async fn serve(&self) -> SuperLink {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = TcpListenerStream::new(listener);
        let server = Server::builder().add_service(ExecServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(incoming));
        let address = ("127.0.0.1", address.port());
        let channel = channel::channel(address, &Trust::Plaintext, &Route::Direct);
        SuperLink::over(channel, Account::nobody())
    }
}

type Answer<T> = Result<Response<T>, Status>;

fn known(run_id: u64) -> Result<(), Status> {
    if run_id == RUN {
        Ok(())
    } else {
        Err(Status::not_found("Run ID not found"))
    }
}

#[tonic::async_trait]
impl Exec for OldSuperLink {
    type StreamLogsStream = Pin<Box<dyn Stream<Item = Result<StreamLogsResponse, Status>> + Send>>;

    async fn start_run(&self, _: Request<StartRunRequest>) -> Answer<StartRunResponse> {
        Ok(Response::new(StartRunResponse { run_id: Some(RUN) }))
    }

    async fn stop_run(&self, request: Request<StopRunRequest>) -> Answer<StopRunResponse> {
        known(request.into_inner().run_id)?;
        Ok(Response::new(StopRunResponse { success: true }))
    }

    async fn list_runs(&self, request: Request<ListRunsRequest>) -> Answer<ListRunsResponse> {
        request.into_inner().run_id.map_or(Ok(()), known)?;
        let status = RunStatus {
            status: if self.cancels { "finished" } else { "running" }.into(),
            ..RunStatus::default()
        };
        let run = Run {
            run_id: RUN,
            status: Some(status),
            ..Run::default()
        };
        Ok(Response::new(ListRunsResponse {
            run_dict: [(RUN, run)].into(),
            now: String::new(),
        }))
    }

    async fn stream_logs(
        &self,
        request: Request<StreamLogsRequest>,
    ) -> Answer<Self::StreamLogsStream> {
        let request = request.into_inner();
        known(request.run_id)?;
        let turn = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.after_timestamp);
            asked.len()
        };
        let piece = StreamLogsResponse {
            log_output: format!("line {turn}\n"),
            latest_timestamp: turn as f64,
        };
        let mut answers = vec![Ok(piece)];
        if turn <= self.breaks {
            answers.push(Err(Status::unavailable("restarting")));
        } else if self.cancels {
            answers.push(Err(Status::cancelled("")));
        }
        Ok(Response::new(Box::pin(iter(answers))))
    }

    async fn get_login_details(
        &self,
        _: Request<GetLoginDetailsRequest>,
    ) -> Answer<GetLoginDetailsResponse> {
        Err(Status::unimplemented(
            "ExecServicer initialized without user authentication",
        ))
    }

    async fn get_auth_tokens(
        &self,
        _: Request<GetAuthTokensRequest>,
    ) -> Answer<GetAuthTokensResponse> {
        Err(Status::unimplemented(
            "ExecServicer initialized without user authentication",
        ))
    }
}
