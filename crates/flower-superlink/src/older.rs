//! ServerApps of earlier versions of Flower, until they are generations of `flwr-wire` too.
//!
//! - `inline` flwr 1.15 to 1.18: messages with their content in them
//! - `apps` ServerApp processes of flwr 1.15 to 1.20, which have no token
//! - `tasks` flwr 1.8 to 1.14: messages as tasks
//! - `message` sends a message with all its objects
//! - `handed_out` replies on their way to ServerApps that confirm nothing
//! - `unary` a gRPC call by hand: two versions have different messages for the same method, which
//!   generated services cannot have

mod apps;
mod handed_out;
mod inline;
mod message;
mod tasks;
mod unary;

pub(crate) use apps::OlderApps;
pub(crate) use tasks::Driver;
