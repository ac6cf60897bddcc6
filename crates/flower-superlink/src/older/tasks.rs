//! flwr 1.8 to 1.14: messages as tasks.

mod canonical;
mod records;
