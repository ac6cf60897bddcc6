//! ServerApps that lived through the burial of the SuperLink which had started them. Nobody watches their
//! processes, so a silence of theirs is their end, by the death of that SuperLink.

use async_trait::async_trait;
use flwr_core::id::RunId;
use flwr_core::time::Timestamp;

use super::lane::Op;
use super::unit::Unit;
use super::{lost, tasks};
use crate::link::state::{Changed, Orphans, StateResult};

/// Ends those of the runs whose SuperLink is gone, and whose ServerApp is silent.
#[derive(Debug)]
pub(super) struct EndOrphans {
    /// The runs whose ServerApp gave no sign of life in time, as this SuperLink knows.
    pub(super) lost: Vec<RunId>,
    pub(super) resume: bool,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Op for EndOrphans {
    type Out = (Orphans, Changed);

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out> {
        let tx = unit.direct().await?;
        let (mut ended, mut changed) = (Orphans::default(), Changed::default());
        for orphan in tasks::orphans(tx, &self.lost, self.now).await? {
            let tasks::Orphan { run, link, host } = orphan;
            let reason = format!(
                "The SuperLink `{link}` on {host} is gone, and the ServerApp process that it had started gave no sign of life."
            );
            let rule = (self.resume, self.now);
            match lost::end(tx, run, &reason, rule, &mut changed).await? {
                true => ended.resumed.push(run),
                false => ended.failed.push(run),
            }
        }
        Ok((ended, changed))
    }
}
