//! Which database works with the bytes of a state: `o/owner/STATE` holds its name.
//!
//! A copy of a database has the same state. Its SuperLink would take what the other SuperLink stores
//! after the copy for leftovers, and delete that. And a bucket that holds nothing of a state is the
//! wrong bucket, once the state has noted a name. In a directory the file also keeps its folder, which
//! others cannot enter.

use bytes::Bytes;
use flwr_daemon::objects::Error;

use super::NAMES;
use super::shelf::Shelf;

/// What there is of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Claim {
    /// Nothing.
    Nothing,
    /// Bytes of which no database is noted.
    Unclaimed,
    /// The bytes of this database.
    Ours,
    /// The bytes of another database with the same state.
    Others,
}

impl Shelf {
    /// What there is of a state, for the SuperLink of this database.
    pub(in crate::store) async fn claim_of(
        &self,
        state: &str,
        database: &str,
    ) -> Result<Claim, Error> {
        if let Some(found) = self.small(&owner_of(state)).await? {
            return Ok(match found == database.as_bytes() {
                true => Claim::Ours,
                false => Claim::Others,
            });
        }
        let of_state = format!("{NAMES}/{state}-");
        let folders = self.folders().await?;
        let is_there = folders.iter().any(|folder| folder.starts_with(&of_state));
        Ok(match is_there {
            true => Claim::Unclaimed,
            false => Claim::Nothing,
        })
    }

    /// Notes the database that works with the bytes of a state.
    pub(in crate::store) async fn claim(&self, state: &str, database: &str) -> Result<(), Error> {
        let content = Bytes::copy_from_slice(database.as_bytes());
        self.put(&owner_of(state), content).await
    }
}

/// Where the database of a state is noted.
pub(in crate::store) fn owner_of(state: &str) -> String {
    format!("{NAMES}/owner/{state}")
}
