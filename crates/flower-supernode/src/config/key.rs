//! The node's key: of the flags, of its enrolment, or made for this start.

use std::path::PathBuf;

use flwr_security::key::{PrivateKey, PublicKey};

use super::Error;
use crate::args::Args;
use crate::enrolment::{Enrolment, is_cut_off};

pub(super) const PRIVATE_KEY: &str = "--auth-supernode-private-key";
pub(super) const PUBLIC_KEY: &str = "--auth-supernode-public-key";

/// The node's key, and where it comes from.
#[derive(Debug)]
pub struct NodeKey {
    /// The key.
    pub private: PrivateKey,
    /// Its file; without one it was made for this start, and the SuperLink sees a new node.
    pub path: Option<PathBuf>,
}

impl NodeKey {
    /// The key of a node with these flags.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub(crate) fn load(args: &Args, enrolment: &Enrolment) -> Result<Self, Error> {
        let (private, public) = (
            args.auth_supernode_private_key.clone(),
            args.auth_supernode_public_key.clone(),
        );
        match (private, public, enrolment) {
            (Some(private), public, _) => Self::of_files(private, public),
            // The public half is in the private key, and may be that of a renewal that was cut off.
            (None, None, Enrolment::Joined(joined)) => {
                let path = joined.key_file();
                let private = PrivateKey::from_file(&path);
                Ok(Self {
                    private: private.map_err(|source| Error::Key {
                        flag: "what the node remembers of its enrolment (--join)",
                        source,
                    })?,
                    path: Some(path),
                })
            }
            (None, None, Enrolment::None | Enrolment::Joining(_)) => Ok(Self {
                private: PrivateKey::generate().map_err(Error::NoKey)?,
                path: None,
            }),
            (None, Some(_), _) => Err(Error::OneOfTwo {
                given: PUBLIC_KEY,
                missing: PRIVATE_KEY,
            }),
        }
    }

    /// The private key holds the public one. A file of the public key that is given must be its own.
    fn of_files(private_path: PathBuf, public_path: Option<PathBuf>) -> Result<Self, Error> {
        let unusable = |flag| move |source| Error::Key { flag, source };
        let private = PrivateKey::from_file(&private_path).map_err(unusable(PRIVATE_KEY))?;
        if let Some(public_path) = public_path {
            let public = PublicKey::from_file(&public_path).map_err(unusable(PUBLIC_KEY))?;
            // A renewal that was cut off leaves the halves apart.
            if *private.public_key() != public && !is_cut_off(&private_path, &private) {
                return Err(Error::KeyPair {
                    public: public_path,
                    private: private_path,
                });
            }
        }
        Ok(Self {
            private,
            path: Some(private_path),
        })
    }
}
