//! flwr 1.10 to 1.22: what the `flwr` command says. The service is Exec until 1.20 and Control from
//! 1.21 on; their messages are the same, field for field.

pub mod call;
