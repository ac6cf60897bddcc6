//! Ports: what one side of a federation asks of another, in domain words. The same trait stands
//! at both ends of a wire. No release of Flower, no message type and no transport is named here.

use crate::refusal::Failure;

pub mod control;
pub mod fleet;
pub mod jobs;
pub mod joining;
pub mod launch;
pub mod node_life;
pub mod runtime;

pub use control::{Control, SignIn};
pub use fleet::Fleet;
pub use jobs::Jobs;
pub use joining::{JoinTokens, Joining, NodeTrust};
pub use launch::Launch;
pub use node_life::NodeLife;
pub use runtime::Runtime;

/// The result of a call through a port.
pub type Result<T> = std::result::Result<T, Failure>;
