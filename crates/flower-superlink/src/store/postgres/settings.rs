//! The settings of SuperLinks, as hashes in their rows.

use async_trait::async_trait;
use tokio_postgres::Row;

use super::PostgresState;
use super::lane::direct;
use super::reader::reading;
use super::row::{self, escaped, unreadable};
use super::unit::Tx;
use crate::link::state::{self, Prints, StateResult};

async fn note(tx: &Tx<'_>, link: &str, prints: &Prints) -> StateResult<()> {
    let text = serde_json::json!(prints).to_string();
    let sql = "UPDATE link SET settings = $1 WHERE name = $2";
    tx.execute(sql, &[&text, &escaped(link)]).await?;
    Ok(())
}

/// Those of SuperLinks that gave a sign of life lately: each does so every 30 s at least.
async fn of_others(tx: &Tx<'_>, link: &str) -> StateResult<Vec<(String, Prints)>> {
    let sql = "SELECT name, settings FROM link
               WHERE name <> $1 AND seen_at > clock_timestamp() - interval '60 s' ORDER BY name";
    let select = tx.prepare_cached(sql).await?;
    let settings = |found: &Row| {
        let prints = serde_json::from_str(row::get(found, 1)?);
        Ok((
            row::text(found, 0)?,
            prints.map_err(|error| unreadable(1, error))?,
        ))
    };
    let rows = tx.query(&select, &[&escaped(link)]).await?;
    rows.iter().map(settings).collect()
}

#[async_trait]
impl state::Settings for PostgresState {
    async fn note_settings(&self, prints: Prints) -> StateResult<()> {
        let link = self.name.clone();
        self.write(direct!([link, prints] tx => note(tx, &link, &prints)))
            .await
    }

    async fn settings_of_others(&self) -> StateResult<Vec<(String, Prints)>> {
        reading!(self, tx => of_others(tx, &self.name))
    }
}
