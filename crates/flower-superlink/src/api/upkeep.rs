//! Upkeep, for `flwr run delete` and `flwr status`: what is kept, and how it goes.

use std::sync::Arc;

use flwr_core::id::RunId;
use flwr_proto::upkeep::upkeep_server::{Upkeep, UpkeepServer};
use flwr_proto::upkeep::{DeleteRunRequest, DeleteRunResponse, GetUsageRequest, GetUsageResponse};
use flwr_wire::host::Host as _;
use tonic::{Request, Response, Status};

use super::principal::{for_people, principal};
use crate::accounts::Accounts;
use crate::host::Host;
use crate::link::Space;
use crate::status;

/// The Upkeep service over the domain.
#[derive(Debug, Clone)]
pub struct UpkeepApi {
    host: Host,
    /// Who may speak, where people sign in.
    accounts: Option<Arc<Accounts>>,
}

impl UpkeepApi {
    /// The service, ready to be routed to.
    #[must_use]
    pub fn server(host: Host, accounts: Option<Arc<Accounts>>) -> UpkeepServer<Self> {
        UpkeepServer::new(Self { host, accounts })
    }
}

#[tonic::async_trait]
impl Upkeep for UpkeepApi {
    async fn delete_run(
        &self,
        request: Request<DeleteRunRequest>,
    ) -> Result<Response<DeleteRunResponse>, Status> {
        let principal = principal(self.accounts.as_ref(), &request)?;
        let run = RunId(request.get_ref().run_id);
        let host = self.host.clone();
        let delete = async move {
            let deleted = host.link().delete_run(&principal, run).await;
            Ok(deleted.map_err(for_people)?)
        };
        let deleted = self.host.complete(Box::pin(delete)).await;
        deleted.map_err(status::of)?;
        Ok(Response::new(DeleteRunResponse {}))
    }

    async fn get_usage(
        &self,
        request: Request<GetUsageRequest>,
    ) -> Result<Response<GetUsageResponse>, Status> {
        // Sums over everybody's runs are for everybody who may come in, as nodes are.
        principal(self.accounts.as_ref(), &request)?;
        let Space {
            state,
            objects,
            fabs,
        } = self.host.link().space().await?;
        Ok(Response::new(GetUsageResponse {
            runs: state.runs,
            finished_runs: state.finished,
            nodes: state.nodes,
            run_bytes: state.run_bytes,
            log_bytes: state.log_bytes,
            database_bytes: state.file_bytes,
            free_bytes: state.free_bytes,
            object_bytes: objects,
            fab_bytes: fabs,
        }))
    }
}
