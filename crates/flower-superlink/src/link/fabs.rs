//! FABs: kept for their runs, and given to those who install them.

use bytes::Bytes;
use flwr_core::config::{self, UserConfig};
use flwr_core::fab::Fab;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::Run;
use flwr_daemon::objects::{self, Flaw};

use super::Link;
use super::state::Blob;
use crate::error::{Error, Result};

impl Link {
    /// Verifies and keeps the FAB of a new run.
    pub(super) async fn accept_run(
        &self,
        fab: Bytes,
        overrides: UserConfig,
    ) -> Result<(Run, Blob)> {
        self.require_space().await?;
        let fab = verify(fab).await?;
        config::fuse(&fab.manifest().config, &overrides).map_err(Refusal::from)?;
        let hash: ObjectId = fab.hash.parse()?;
        let run = self.pending_run(&fab, overrides).await?;
        let blob = self.fabs.keep(run.id, hash, fab.bytes.clone()).await?;
        Ok((run, blob))
    }

    /// Deletes a FAB whose run was not created, for this reason. Each try would leave a FAB behind, on
    /// a disk that may be full. Where nobody knows whether the state has noted a name, the bytes stay:
    /// the next start finds them.
    pub(super) async fn discard_fab(&self, fab: &ObjectId, blob: &Blob, why: &Error) -> Result<()> {
        if matches!((blob, why), (Blob::OfId, _) | (_, Error::Refused(_))) {
            self.fabs.discard(fab, blob).await?;
        }
        Ok(())
    }

    /// The bytes of a FAB. Bytes that are lost or damaged fail the runs that need them.
    ///
    /// # Errors
    /// If there is none with this hash.
    pub async fn fab(&self, hash: &str) -> Result<Bytes> {
        let unknown = || Refusal::UnknownFab(hash.chars().take(64).collect());
        let id: ObjectId = hash.parse().map_err(|_| unknown())?;
        let mut blob = self.state.fab_blob(hash).await?.ok_or_else(unknown)?;
        let flaw = loop {
            let flaw = match self.fabs.read(&id, &blob).await {
                Ok(Some(fab)) => return Ok(fab),
                Ok(None) => Flaw::Lost,
                Err(objects::Error::Flawed(flawed)) => flawed.flaw,
                Err(error) => return Err(error.into()),
            };
            // The run that the bytes belong to may have ended meanwhile.
            let now = self.state.fab_blob(hash).await?.ok_or_else(unknown)?;
            if now == blob {
                break flaw;
            }
            blob = now;
        };
        self.fail_runs_of(hash, flaw).await?;
        Err(unknown().into())
    }
}

/// Unpacking and hashing megabytes is no work for an async worker.
async fn verify(fab: Bytes) -> Result<Fab> {
    let verified = tokio::task::spawn_blocking(move || Fab::open(fab)).await;
    let verified = verified.map_err(|_| Error::Stopping)?;
    Ok(verified.map_err(Refusal::from)?)
}
