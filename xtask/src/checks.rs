//! Commands that fail if something is wrong: `test`, `lint`, `faults` and `interop`.

pub(crate) mod faults;
mod imports;
pub(crate) mod interop;
pub(crate) mod lint;
pub(crate) mod test;
