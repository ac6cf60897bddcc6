//! flwr 1.13 to 1.22: what the `flwr` command says. The service is Exec until 1.20 and Control from
//! 1.21 on; their messages are the same, field for field. Earlier ones are not served: 1.10 to 1.12
//! lay out the options of a run otherwise, and 1.14 its login.

use flwr_core::port::{Control, SignIn};

use crate::methods::session::Methods;

pub mod call;
mod paths;
mod serve;

pub use paths::exec_path;

/// What people call.
pub(crate) fn control<C: Control>(m: &mut Methods<C>) {
    for path in paths::names(paths::START_RUN) {
        m.change(path, serve::start_run);
    }
    for path in paths::names(paths::STOP_RUN) {
        m.change(path, serve::stop_run);
    }
    for path in paths::names(paths::LIST_RUNS) {
        m.look(path, serve::list_runs);
    }
    for path in paths::names(paths::STREAM_LOGS) {
        m.streaming(path, serve::stream_logs);
    }
    m.look(paths::PULL_ARTIFACTS, serve::pull_artifacts);
    m.look(paths::LIST_NODES, serve::list_nodes);
}

/// What people call who have no account yet.
pub(crate) fn sign_in<S: SignIn>(m: &mut Methods<S>) {
    for path in paths::names(paths::GET_LOGIN_DETAILS) {
        m.look(path, serve::get_login_details);
    }
    for path in paths::names(paths::GET_AUTH_TOKENS) {
        m.look(path, serve::get_auth_tokens);
    }
}
