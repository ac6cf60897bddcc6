//! The file of the node's key: `flower-supernode key renew`, or a person, puts another key there. The
//! node goes on with it, under the same id if the SuperLink knows the key.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use flwr_daemon::renew::Renewable;
use flwr_security::key::{PrivateKey, PublicKey};
use parking_lot::Mutex;

use super::Upstream;

/// Reads the key again, and hands it to the calls.
pub(crate) struct KeyFile {
    path: PathBuf,
    upstream: Upstream,
    in_use: Mutex<PublicKey>,
}

impl KeyFile {
    pub(crate) fn new(path: PathBuf, key: &PublicKey, upstream: Upstream) -> Self {
        let in_use = Mutex::new(key.clone());
        Self {
            path,
            upstream,
            in_use,
        }
    }
}

impl Renewable for KeyFile {
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }

    fn renew(&self) -> Result<String, Box<dyn Error + Send + Sync>> {
        let key = PrivateKey::from_file(&self.path)?;
        let public = key.public_key().clone();
        let fingerprint = public.fingerprint();
        if std::mem::replace(&mut *self.in_use.lock(), public.clone()) == public {
            return Ok(format!("key {fingerprint}, as before"));
        }
        self.upstream.go_on_with(key);
        Ok(format!("key {fingerprint}"))
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyFile").field(&self.path).finish()
    }
}
