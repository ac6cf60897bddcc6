//! SuperLinks that have died: who is silent, and what becomes of the runs.
//!
//! No clock of another machine counts here. A SuperLink writes something every few seconds; it is silent
//! while the number of its last transaction stays the same. Whoever could not look all that time knows
//! nothing: after an outage of the database nobody is buried.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use flwr_core::monotonic;
use flwr_core::time::Timestamp;
use flwr_daemon::clock::FollowingClock;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::follow::GAP;
use super::lane::{Op, direct};
use super::orphans::EndOrphans;
use super::reader::reading;
use super::row;
use super::unit::{Tx, Unit};
use super::{PostgresState, lost, tasks, time};
use crate::link::state::{
    Burial, Care, Changed, Neighbours, Orphans, StateResult, Takeover, Written,
};
use crate::link::wake::Topic;

/// The last that was seen of a SuperLink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) name: String,
    pub(super) epoch: i64,
    /// The number of its last transaction.
    pub(super) batch: i64,
}

/// Since when the others are silent.
#[derive(Debug, Default)]
pub(super) struct Watch {
    looked_at: Option<Instant>,
    since: HashMap<String, (Sign, Instant)>,
}

impl Watch {
    /// Takes in the last signs of all others. Gives those that are silent for so long.
    pub(super) fn silent(&mut self, signs: Vec<Sign>, after: Duration, now: Instant) -> Vec<Sign> {
        let before = self.looked_at.replace(now);
        let was_away = before.is_none_or(|at| now.saturating_duration_since(at) > GAP);
        let mut known = std::mem::take(&mut self.since);
        for sign in signs {
            let since = match known.remove(&sign.name) {
                Some((last, since)) if last == sign && !was_away => since,
                _ => now,
            };
            self.since.insert(sign.name.clone(), (sign, since));
        }
        let signs = self.since.values();
        let silent = signs.filter(|(_, since)| now.saturating_duration_since(*since) >= after);
        silent.map(|(sign, _)| sign.clone()).collect()
    }
}

/// The last signs of the SuperLinks beside that of the epoch.
pub(super) async fn signs_of_others(tx: &Tx<'_>, epoch: i64) -> StateResult<Vec<Sign>> {
    let sql = "SELECT name, epoch, batch FROM link WHERE epoch <> $1 AND name <> ''";
    let select = tx.prepare_cached(sql).await?;
    let sign = |found: &Row| {
        Ok(Sign {
            name: row::text(found, 0)?,
            epoch: row::get(found, 1)?,
            batch: row::get(found, 2)?,
        })
    };
    tx.query(&select, &[&epoch])
        .await?
        .iter()
        .map(sign)
        .collect()
}

const fn word(care: Care) -> &'static str {
    match care {
        Care::Others => "others",
        Care::Here => "here",
        Care::Anywhere => "anywhere",
    }
}

/// Notes who tends the ServerApps that come to the SuperLink of the epoch.
pub(super) async fn note_care(tx: &Tx<'_>, epoch: i64, care: Care) -> StateResult<()> {
    let sql = "UPDATE link SET care = $1 WHERE epoch = $2";
    tx.execute(sql, &[&word(care), &epoch]).await?;
    Ok(())
}

/// Buries a SuperLink.
#[derive(Debug)]
pub(super) struct Bury {
    /// The last that was seen of it.
    pub(super) dead: Sign,
    pub(super) rule: Takeover,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Op for Bury {
    /// `None`: it lives, or was buried before.
    type Out = (Option<Burial>, Changed);

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out> {
        let tx = unit.direct().await?;
        // Without the row, it can commit nothing.
        let sql = "DELETE FROM link WHERE name = $1 AND epoch = $2 AND batch = $3
                   RETURNING host, care";
        let Sign { name, epoch, batch } = &self.dead;
        let name = row::escaped(name);
        let Some(gone) = tx.query_opt(sql, &[&name, epoch, batch]).await? else {
            return Ok((None, Changed::default()));
        };
        let care = row::text(&gone, 1)?;
        let mut burial = Burial {
            name: self.dead.name.clone(),
            host: row::text(&gone, 0)?,
            resumed: Vec::new(),
            failed: Vec::new(),
        };
        let mut changed = Changed::default();
        if care != word(Care::Others) {
            let is_alone = care == word(Care::Here);
            let freed = tasks::free_pending(tx, &burial.name).await?;
            changed.wake.extend(freed.then_some(Topic::Pending));
            let now = (!is_alone).then_some(self.now);
            for run in tasks::lost_with(tx, &burial.name, now).await? {
                let (reason, rule) = (self.reason(&burial.host), (self.rule.resume, self.now));
                match lost::end(tx, run, &reason, rule, &mut changed).await? {
                    true => burial.resumed.push(run),
                    false => burial.failed.push(run),
                }
            }
            tasks::forget_ended(tx, &burial.name).await?;
        }
        Ok((Some(burial), changed))
    }
}

impl Bury {
    fn reason(&self, host: &str) -> String {
        format!(
            "The SuperLink `{}` on {host} gave no sign of life for {} s, and its ServerApp process is lost.",
            self.dead.name,
            self.rule.after.as_secs(),
        )
    }
}

#[async_trait]
impl Neighbours for PostgresState {
    async fn tell_time(&self, clock: &FollowingClock) -> StateResult<()> {
        time::ask(&*self.pool.get().await?, clock).await
    }

    async fn note_care(&self, care: Care) -> StateResult<()> {
        let epoch = self.epoch;
        self.write(direct!([] tx => note_care(tx, epoch, care)))
            .await
    }

    async fn bury(&self, rule: Takeover, now: Timestamp) -> Written<Vec<Burial>> {
        if self.name.is_empty() {
            return Ok((Vec::new(), Changed::default()));
        }
        let signs = reading!(self, tx => signs_of_others(tx, self.epoch))?;
        let silent = self
            .watch
            .lock()
            .silent(signs, rule.after, monotonic::now());
        let (mut burials, mut changed) = (Vec::new(), Changed::default());
        for dead in silent {
            let epoch = dead.epoch;
            let presence = self.presence();
            let ended = move |burial: &Option<Burial>| {
                for run in burial.iter().flat_map(Burial::runs) {
                    presence.run_ended(*run);
                }
            };
            let (burial, more) = self.change(Bury { dead, rule, now }, ended).await?;
            changed.extend(more);
            if burial.is_some() {
                self.beside.is_over(epoch);
            }
            burials.extend(burial);
        }
        Ok((burials, changed))
    }

    async fn end_orphans(&self, resume: bool, now: Timestamp) -> Written<Orphans> {
        let lost = self.presence.lost_runs(now);
        if lost.is_empty() || self.name.is_empty() {
            return Ok((Orphans::default(), Changed::default()));
        }
        if reading!(self, tx => tasks::orphans(tx, &lost, now))?.is_empty() {
            return Ok((Orphans::default(), Changed::default()));
        }
        let presence = self.presence();
        let ended = move |orphans: &Orphans| {
            for run in orphans.resumed.iter().chain(&orphans.failed) {
                presence.run_ended(*run);
            }
        };
        self.change(EndOrphans { lost, resume, now }, ended).await
    }

    fn has_neighbours(&self) -> bool {
        self.wakes.has_neighbours()
    }

    fn is_shut_out(&self) -> bool {
        self.lane.is_shut_out()
    }

    async fn shut_out(&self) {
        self.lane.shut_out().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(60);

    fn sign(name: &str, batch: i64) -> Sign {
        Sign {
            name: name.to_owned(),
            epoch: 1,
            batch,
        }
    }

    #[test]
    fn who_writes_nothing_while_somebody_looks_is_silent() {
        let (mut watch, start) = (Watch::default(), monotonic::now());
        let mut look = |second, b| {
            let at = start + Duration::from_secs(second);
            watch.silent(vec![sign("a", 7), sign("b", b)], AFTER, at)
        };
        for second in (0..60).step_by(5) {
            assert_eq!(look(second, second.cast_signed()), []);
        }
        assert_eq!(look(60, 60), [sign("a", 7)]);
    }

    #[test]
    fn nobody_is_silent_while_nobody_could_look() {
        let (mut watch, start) = (Watch::default(), monotonic::now());
        let mut look = |second| {
            let at = start + Duration::from_secs(second);
            watch.silent(vec![sign("a", 7)], AFTER, at)
        };
        assert_eq!(look(0), []);
        assert_eq!(look(100), []);
        assert_eq!(look(101), []);
        for second in (105..160).step_by(5) {
            assert_eq!(look(second), []);
        }
        assert_eq!(look(160), [sign("a", 7)]);
    }

    #[test]
    fn a_new_start_is_a_sign_of_life() {
        let (mut watch, start) = (Watch::default(), monotonic::now());
        assert_eq!(watch.silent(vec![sign("a", 7)], GAP, start), []);
        let again = Sign {
            epoch: 2,
            ..sign("a", 7)
        };
        assert_eq!(watch.silent(vec![again.clone()], GAP, start + GAP), []);
        assert_eq!(
            watch.silent(vec![again.clone()], GAP, start + 2 * GAP),
            [again]
        );
    }
}
