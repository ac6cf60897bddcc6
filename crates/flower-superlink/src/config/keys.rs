//! Which SuperNode keys are let in.

use std::sync::Arc;

use flwr_security::from_file::FromFile;

use super::{ConfigError, Transport};
use crate::args::Args;
use crate::auth::Policy;

pub(super) fn policy(args: &Args, transport: &Transport) -> Result<Policy, ConfigError> {
    let (list, enrolls) = (&args.auth_list_public_keys, args.enable_supernode_auth);
    if matches!(transport, Transport::Plaintext) {
        let flags = [
            (list.is_some(), "--auth-list-public-keys"),
            (enrolls, "--enable-supernode-auth"),
        ];
        if let Some((_, flag)) = flags.into_iter().find(|(is_given, _)| *is_given) {
            return Err(ConfigError::AuthWithoutTls(flag));
        }
    }
    let list = list.as_deref().map(FromFile::load).transpose();
    let list = list.map_err(ConfigError::AllowList)?.map(Arc::new);
    Ok(match (list, enrolls) {
        (None, false) => Policy::AnyKey,
        (None, true) => Policy::Enrolled,
        (Some(keys), false) => Policy::Listed(keys),
        (Some(keys), true) => Policy::ListedOrEnrolled(keys),
    })
}
