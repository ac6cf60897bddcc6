//! flwr 1.13 to 1.22: what the `flwr` command says. The service is Exec until 1.20 and Control from
//! 1.21 on; their messages are the same, field for field. Earlier ones are not served: 1.10 to 1.12
//! lay out the options of a run otherwise, and 1.14 its login.

use flwr_core::port::{Control, SignIn};

use crate::methods::session::Methods;

mod serve;

/// What people call.
pub(crate) fn control<C: Control>(m: &mut Methods<C>) {
    for path in ["/flwr.proto.Control/StartRun", "/flwr.proto.Exec/StartRun"] {
        m.change(path, serve::start_run);
    }
    for path in ["/flwr.proto.Control/StopRun", "/flwr.proto.Exec/StopRun"] {
        m.change(path, serve::stop_run);
    }
    for path in ["/flwr.proto.Control/ListRuns", "/flwr.proto.Exec/ListRuns"] {
        m.look(path, serve::list_runs);
    }
    for path in [
        "/flwr.proto.Control/StreamLogs",
        "/flwr.proto.Exec/StreamLogs",
    ] {
        m.streaming(path, serve::stream_logs);
    }
    m.look("/flwr.proto.Control/PullArtifacts", serve::pull_artifacts);
    m.look("/flwr.proto.Control/ListNodes", serve::list_nodes);
}

/// What people call who have no account yet.
pub(crate) fn sign_in<S: SignIn>(m: &mut Methods<S>) {
    for path in [
        "/flwr.proto.Control/GetLoginDetails",
        "/flwr.proto.Exec/GetLoginDetails",
    ] {
        m.look(path, serve::get_login_details);
    }
    for path in [
        "/flwr.proto.Control/GetAuthTokens",
        "/flwr.proto.Exec/GetAuthTokens",
    ] {
        m.look(path, serve::get_auth_tokens);
    }
}
