//! How each release of Flower says what a port means.
//!
//! - [`door`] sends each call to the one generation that it is of
//! - [`methods`] is the table of what each generation serves
//! - [`carrier`] frames calls and answers
//! - [`content`] keeps the contents of large objects beside their messages
//! - [`line`] is what a generation's calling half sends through
//! - [`generations`] is the list of generations; each is a folder, and none names another
//! - `upkeep`, [`join`] and [`launch`] are calls of our own programs, which no release of Flower has

pub mod carrier;
pub mod content;
pub mod door;
pub mod generations;
pub mod host;
pub mod join;
pub mod launch;
pub mod line;
pub mod methods;

mod app_token;
mod apps;
mod head;
mod in_flight;
mod inflate;
mod objects;
mod parts;
mod raw;
mod record_maps;
mod rpc;
mod unconfirmed;
mod upkeep;
mod wire_name;

pub use in_flight::InFlight;
