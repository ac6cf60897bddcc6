//! What the operator of a ServerApp asks of a SuperLink.

use std::fmt;

use bytes::Bytes;

use super::Result;
use crate::config::UserConfig;
use crate::id::RunId;

/// A run that was launched.
#[derive(Clone, PartialEq, Eq)]
pub struct Launched {
    /// Its id.
    pub run: RunId,
    /// The token with which its ServerApp asks for its inputs.
    pub token: String,
}

/// The session of somebody who starts ServerApp processes on another machine than the SuperLink's.
pub trait Launch: Send + Sync + 'static {
    /// Makes a run whose ServerApp process the caller starts.
    ///
    /// # Errors
    /// If the FAB does not hold what it says, or the app has no such configuration.
    fn start(
        &self,
        fab: Bytes,
        overrides: UserConfig,
    ) -> impl Future<Output = Result<Launched>> + Send;
}

/// Who has the token has the run: it is not printed.
impl fmt::Debug for Launched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launched")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_not_printed() {
        let launched = Launched {
            run: RunId(7),
            token: "secret".to_owned(),
        };
        let shown = format!("{launched:?}");
        assert!(shown.contains('7') && !shown.contains("secret"), "{shown}");
    }
}
