//! Commands that fail if something is wrong: `test`, `lint`, `deny`, `fuzz`, `faults`, `interop` and
//! `upgrade`. And `compare`, which shows what may go wrong with a new release.

pub(crate) mod compare;
pub(crate) mod deny;
pub(crate) mod documents;
mod environments;
pub(crate) mod faults;
pub(crate) mod fuzz;
mod imports;
pub(crate) mod interop;
pub(crate) mod lint;
mod proofs;
pub(crate) mod test;
pub(crate) mod upgrade;
