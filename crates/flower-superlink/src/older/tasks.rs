//! flwr 1.8 to 1.14: messages as tasks. SuperNodes of that time prove who they are by a secret that
//! they share with the SuperLink, or not at all.

mod admission;
mod canonical;
mod fleet;
mod layout;
mod records;
pub(super) mod serverapp;
mod task;

pub(crate) use admission::Admission;
pub(crate) use fleet::Tasks;
pub(super) use records::Numbering;
pub(crate) use serverapp::Driver;
