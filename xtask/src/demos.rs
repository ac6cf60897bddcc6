//! Commands that show a federation to people: `demo` and `session`.

pub(crate) mod demo;
mod rounds;
pub(crate) mod session;
