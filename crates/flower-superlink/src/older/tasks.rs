//! ServerApps of flwr 1.8 to 1.14: messages as tasks.

pub(super) mod serverapp;

pub(crate) use serverapp::Driver;
