//! What a server says when it turns this side away, for all calls of a channel.
//!
//! In TLS 1.3 a server looks at the client's certificate when the handshake is done on this side:
//! the connection is there, a call goes over it, and then it breaks. The call that was under way
//! gets the server's word, and a call that was still waiting for its turn only that it was cancelled.
//! So the word is kept until a connection works, and given to both.

use std::error::Error as StdError;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{ConnectError, cause};

/// What a server said against this side on its last connection.
#[derive(Clone, Debug, Default)]
pub(super) struct LastWord(Arc<Mutex<Option<ConnectError>>>);

type BoxError = Box<dyn StdError + Send + Sync>;

impl LastWord {
    pub(super) fn keep(&self, error: &ConnectError) {
        *self.0.lock() = Some(error.clone());
    }

    pub(super) fn forget(&self) {
        *self.0.lock() = None;
    }

    /// The error of a call, which says why there is no connection if that is the reason.
    pub(super) fn named(&self, error: impl StdError + Send + Sync + 'static) -> BoxError {
        if cause::<ConnectError>(&error).is_some() {
            return error.into();
        }
        match self.0.lock().clone() {
            Some(word) => word.into(),
            None => error.into(),
        }
    }
}
