//! Peers of earlier versions of Flower. Each has a module that can be dropped without touching the
//! rest; nothing in `link` knows of them.
//!
//! - `dialect` tells which version a SuperNode speaks, and sends its calls to whom they are for
//! - `inline` flwr 1.15 to 1.18: messages with their content in them
//! - `apps` ServerApp processes of flwr 1.15 to 1.20, which have no token
//! - `tasks` flwr 1.8 to 1.14: messages as tasks
//! - `message` a message in one piece, and as objects
//! - `unconfirmed` replies on their way to ServerApps that confirm nothing
//! - `unary` a gRPC call by hand: two versions have different messages for the same method, which
//!   generated services cannot have

mod apps;
mod dialect;
mod inline;
mod message;
mod tasks;
mod unary;
mod unconfirmed;

pub(crate) use apps::OlderApps;
pub(crate) use dialect::Dialects;
pub(crate) use tasks::{Admission, Driver, Tasks};
