//! ServerApp processes of flwr 1.20 to 1.22. Their token comes with inputs, messages and outputs; other
//! calls name a run. Processes of 1.20 have no token.

use crate::host::{AppProof, RuntimeHost};
use crate::methods::runtime::{Methods, Rules};
use crate::raw::has_number;

mod apps;
mod jobs;
pub mod watch;

/// Field 2 of PushMessages and PullMessages: the run, a number, in earlier releases.
const EARLIER_RUN: u32 = 2;

/// What ServerApp processes of this generation call.
pub(crate) fn runtime<H: RuntimeHost>(m: &mut Methods<H>) {
    let (look, change) = (Rules::LOOK, Rules::CHANGE);
    m.open(
        "/flwr.proto.ServerAppIo/ListAppsToLaunch",
        look,
        jobs::list_apps_to_launch,
    );
    m.open(
        "/flwr.proto.ServerAppIo/RequestToken",
        change,
        jobs::request_token,
    );
    m.open(
        "/flwr.proto.ServerAppIo/GetRunStatus",
        look,
        jobs::get_run_status,
    );
    let new = |rules: Rules| rules.with_layout(|body| !has_number(body, EARLIER_RUN));
    m.call(
        "/flwr.proto.ServerAppIo/PullAppInputs",
        change,
        apps::by_input_token,
        apps::pull_app_inputs,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PushAppOutputs",
        change,
        apps::by_output_token,
        apps::push_app_outputs,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PushMessages",
        new(change),
        apps::by_push,
        apps::push_messages,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PullMessages",
        new(look),
        apps::by_pull,
        apps::pull_messages,
    );
    m.call(
        "/flwr.proto.ServerAppIo/GetNodes",
        look,
        apps::by_get_nodes,
        apps::get_nodes,
    );
    m.call(
        "/flwr.proto.ServerAppIo/GetRun",
        look,
        apps::by_get_run,
        apps::get_run,
    );
    m.call(
        "/flwr.proto.ServerAppIo/GetFab",
        look,
        apps::by_get_fab,
        apps::get_fab,
    );
    m.call(
        "/flwr.proto.ServerAppIo/UpdateRunStatus",
        change,
        apps::by_status,
        apps::update_run_status,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PushLogs",
        change,
        apps::by_logs,
        apps::push_logs,
    );
    m.call(
        "/flwr.proto.ServerAppIo/SendAppHeartbeat",
        look,
        apps::by_heartbeat,
        apps::send_app_heartbeat,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PushObject",
        change,
        apps::by_push_object,
        apps::push_object,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PullObject",
        look,
        apps::by_pull_object,
        apps::pull_object,
    );
    m.call(
        "/flwr.proto.ServerAppIo/ConfirmMessageReceived",
        change,
        apps::by_confirm,
        apps::confirm_message_received,
    );
}

/// A token, or none in a process that was started without. Its run is then what it names.
fn token(token: &str, without: AppProof) -> AppProof {
    if token.is_empty() {
        without
    } else {
        AppProof::Token(token.to_owned())
    }
}
