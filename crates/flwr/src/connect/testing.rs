//! A SuperLink of flwr 1.20 in this process. It serves `Exec` without `Control`, and breaks a log
//! stream as often as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flwr_client::line::{Answers, Read, Sent};
use flwr_core::port;
use flwr_core::refusal::{Class, Failure, Refused, Silence, Unanswered};
use flwr_proto as proto;
use prost::Message;

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
    /// The connection to this SuperLink.
    pub(crate) fn serve(&self) -> SuperLink<Self> {
        SuperLink::over(self.clone(), Account::nobody())
    }

    fn list_runs(&self, request: &proto::ListRunsRequest) -> port::Result<proto::ListRunsResponse> {
        request.run_id.map_or(Ok(()), known)?;
        let (status, sub_status) = if self.cancels {
            ("finished", "completed")
        } else {
            ("running", "")
        };
        let run = proto::Run {
            run_id: RUN,
            pending_at: "2026-11-20T09:00:00+00:00".to_owned(),
            status: Some(proto::RunStatus {
                status: status.to_owned(),
                sub_status: sub_status.to_owned(),
                details: String::new(),
            }),
            ..proto::Run::default()
        };
        Ok(proto::ListRunsResponse {
            run_dict: [(RUN, run)].into(),
            now: String::new(),
        })
    }

    /// The pieces of one call, and how the call ends.
    fn stream_logs(
        &self,
        request: &proto::StreamLogsRequest,
    ) -> port::Result<Vec<port::Result<proto::StreamLogsResponse>>> {
        known(request.run_id)?;
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.after_timestamp);
        let turn = asked.len();
        let mut answers = vec![Ok(proto::StreamLogsResponse {
            log_output: format!("line {turn}\n"),
            latest_timestamp: turn as f64,
        })];
        if turn <= self.breaks {
            answers.push(Err(Unanswered::new(Silence::Busy, "restarting").into()));
        } else if self.cancels {
            answers.push(Err(Unanswered::new(Silence::Cancelled, "").into()));
        }
        Ok(answers)
    }
}

impl Line for OldSuperLink {
    async fn call<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        _: Option<Duration>,
    ) -> port::Result<A> {
        match path {
            "/flwr.proto.Exec/StartRun" => answer(&proto::StartRunResponse {
                run_id: Some(RUN),
                ..proto::StartRunResponse::default()
            }),
            "/flwr.proto.Exec/ListRuns" => answer(&self.list_runs(&request(&message))?),
            "/flwr.proto.Exec/GetLoginDetails" => Err(not_offered(
                "ExecServicer initialized without user authentication",
            )),
            _ => Err(not_offered("Method not found!")),
        }
    }

    async fn stream<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        _: Option<Duration>,
    ) -> port::Result<Answers<A>> {
        if path != "/flwr.proto.Exec/StreamLogs" {
            return Err(not_offered("Method not found!"));
        }
        let pieces = self.stream_logs(&request(&message))?.into_iter();
        let pieces = pieces.map(|piece| answer(&piece?));
        Ok(Box::pin(tokio_stream::iter(pieces)))
    }
}

/// The message as its receiver reads it.
fn request<Q: Default + Message>(message: &impl Message) -> Q {
    Q::decode(message.encode_to_vec().as_slice()).unwrap()
}

fn answer<A: Read>(message: &impl Message) -> port::Result<A> {
    Ok(request(message))
}

fn known(run_id: u64) -> port::Result<()> {
    if run_id == RUN {
        return Ok(());
    }
    let mut refused = Refused::read(Class::NotFound, "Run ID not found");
    refused.code = Some(flwr_core::refusal::Code::RunIdNotFound);
    Err(refused.into())
}

fn not_offered(text: &str) -> Failure {
    Refused::read(Class::NotOffered, text).into()
}
