//! Commands that fail if something is wrong: `test`, `lint`, `deny`, `fuzz`, `faults` and `interop`.

pub(crate) mod deny;
mod environments;
pub(crate) mod faults;
pub(crate) mod fuzz;
mod imports;
pub(crate) mod interop;
pub(crate) mod lint;
mod proofs;
pub(crate) mod test;
