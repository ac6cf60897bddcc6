//! ServerApps of flwr 1.15 to 1.18: messages with their content in them.

pub(super) mod serverapp;
