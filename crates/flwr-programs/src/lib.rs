//! Flower's programs on `PATH`: where they are, which Python runs them, and whether they are this
//! project's or pip's.
//!
//! pip's flwr and this project have programs of the same names. This project never writes over
//! pip's: its installations keep the programs in folders of their own ([`Installation`]), and PATH
//! says whose are found.

mod ask;
mod find;
mod installation;
mod interpreter;
mod maker;
mod release;
mod small;

pub use ask::ask;
pub use find::{all, find, path_variable};
pub use installation::{Group, Installation, beside};
pub use interpreter::Interpreter;
pub use maker::Maker;
pub use release::release_of;
pub use small::{become_another, is_called};
