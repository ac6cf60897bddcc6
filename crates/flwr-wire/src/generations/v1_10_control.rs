//! flwr 1.13 and later: what the `flwr` command says, over gRPC until 1.36 and over HTTP from 1.37 on. The service is Exec until 1.20 and Control
//! from 1.21 on; their messages are the same, field for field, and only grow. The service began with
//! flwr 1.10, hence the name of the folder. Commands of 1.10 to 1.12 are not served, since they lay out
//! the options of a run otherwise. The login of 1.14 is laid out otherwise, too, and so are the
//! federations of 1.24 to 1.26.

use flwr_core::port::{Control, SignIn};

use crate::methods::session::Methods;
use crate::rpc::Rpc;

mod absent;
pub mod call;
mod rpcs;
mod serve;

pub use rpcs::exec_path;

/// What people call.
pub(crate) fn control<C: Control>(m: &mut Methods<C>) {
    for rpc in rpcs::all_names(rpcs::START_RUN) {
        m.upload(rpc, serve::start_run);
    }
    for rpc in rpcs::all_names(rpcs::STOP_RUN) {
        m.call(rpc, serve::stop_run);
    }
    for rpc in rpcs::all_names(rpcs::LIST_RUNS) {
        m.call(rpc, serve::list_runs);
    }
    for rpc in rpcs::all_names(rpcs::STREAM_LOGS) {
        m.streaming(rpc, serve::stream_logs);
    }
    m.call(rpcs::PULL_ARTIFACTS, serve::pull_artifacts);
    m.call(rpcs::REGISTER_NODE, serve::nodes::register);
    m.call(rpcs::UNREGISTER_NODE, serve::nodes::unregister);
    m.call(rpcs::LIST_NODES, serve::nodes::list);
    m.call(rpcs::LIST_FEDERATIONS, serve::federations::list);
    m.call(
        rpcs::SHOW_FEDERATION.answered_as(),
        serve::federations::show,
    );
    for (path, feature) in absent::METHODS {
        m.upload(Rpc::<(), ()>::at(path), absent::refuse(feature));
    }
}

/// What people call who have no account yet.
pub(crate) fn sign_in<S: SignIn>(m: &mut Methods<S>) {
    for rpc in rpcs::all_names(rpcs::GET_LOGIN_DETAILS) {
        m.call(rpc, serve::get_login_details);
    }
    for rpc in rpcs::all_names(rpcs::GET_AUTH_TOKENS) {
        m.call(rpc, serve::get_auth_tokens);
    }
    m.call(rpcs::REFRESH_AUTH_TOKENS, serve::refresh_auth_tokens);
}
