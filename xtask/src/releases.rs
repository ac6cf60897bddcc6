//! What is done for a release: `fixture`, `release` and `swap`.

pub(crate) mod fixture;
pub(crate) mod release;
pub(crate) mod swap;
