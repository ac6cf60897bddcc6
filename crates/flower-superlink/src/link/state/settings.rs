//! Settings that must be the same at all SuperLinks of one state: who is let in must not depend on which of
//! them answers. A state that has one SuperLink keeps none.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::StateResult;

/// The hash of each setting, by its flag; empty for a flag that is not given. A hash tells nothing of a
/// private key.
pub type Prints = BTreeMap<String, String>;

/// What SuperLinks that work with one state tell each other of their settings.
#[async_trait]
pub trait Settings {
    /// Notes the settings of this SuperLink.
    async fn note_settings(&self, _prints: Prints) -> StateResult<()> {
        Ok(())
    }

    /// The settings of the other SuperLinks that are at work, each with its name.
    async fn settings_of_others(&self) -> StateResult<Vec<(String, Prints)>> {
        Ok(Vec::new())
    }
}
